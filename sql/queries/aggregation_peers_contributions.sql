-- What each restaurant that shares brings to its peer group for the last month that was over before a day: one number per
-- metric. In the group are active restaurants that opted in before the month was over. Groups whose figures exist are left out.
-- $1 day. Returns kind, metric, what it measures, the month, restaurant, value.
SELECT m.kind, m.metric_name, m.measures, m.month, m.restaurant_id, m.value
FROM (
    SELECT r.kind, d.metric_name, span.month, r.restaurant_id,
           CASE WHEN pg_catalog.bool_or(d.denominator IS NOT NULL) THEN 'rate' WHEN pg_catalog.bool_or(d.mean IS NOT NULL)
                THEN 'measurement' ELSE 'count' END AS measures,
           -- The rate of all trials, the mean of all measurements, the count of an open day.
           CASE WHEN pg_catalog.bool_or(d.denominator IS NOT NULL)
                THEN pg_catalog.sum(least(d.numerator, d.denominator)) / nullif(pg_catalog.sum(d.denominator), 0)
                WHEN pg_catalog.bool_or(d.mean IS NOT NULL)
                THEN pg_catalog.sum(d.mean * d.n) / nullif(pg_catalog.sum(d.n) FILTER (WHERE d.mean IS NOT NULL), 0)
                ELSE pg_catalog.sum(d.total) / pg_catalog.count(DISTINCT d.local_date) END AS value
    FROM (SELECT (pg_catalog.date_trunc('month', $1::date::timestamp) - interval '1 month')::date) AS span (month)
    JOIN sop_ml.sop_restaurants AS r
        ON r.cross_restaurant_opt_in AND r.status = 'active'
       AND coalesce(r.opt_in_changed_at, r.created_at) < (span.month + interval '1 month') AT TIME ZONE 'UTC'
    JOIN sop_ml.sop_performance_aggregates AS d
        ON d.restaurant_id = r.restaurant_id AND d.grain = 'day' AND d.segment = '' AND NOT d.is_closed AND d.n > 0
       AND d.local_date >= span.month AND d.local_date < (span.month + interval '1 month')::date
    GROUP BY r.kind, d.metric_name, span.month, r.restaurant_id
) AS m
WHERE m.value > '-Infinity' AND m.value < 'Infinity'
  AND NOT EXISTS (SELECT FROM sop_ml.sop_peer_benchmarks AS s
                  WHERE s.kind = m.kind AND s.metric_name = m.metric_name AND s.month = m.month)
ORDER BY m.kind, m.metric_name, m.measures, m.restaurant_id
