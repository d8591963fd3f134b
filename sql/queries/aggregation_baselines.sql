-- New versions of the rolling-median baselines: the median of the open days among the last 28, with bounds for the next
-- day. A baseline that would not change gets no new version. New rows are not current yet (one current row per series is
-- allowed): aggregation_baselines_current.sql makes them so.
-- $1 restaurants, $2 last local days, $3 run. Returns the number of new versions.
WITH last_day AS MATERIALIZED (
    SELECT t.restaurant_id, t.local_date
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[])) AS t (restaurant_id, local_date)
), computed AS MATERIALIZED (
    SELECT s.restaurant_id, s.metric_name, s.sop_id, s.window_start, s.window_end, s.excluded, b.*
    FROM (
        SELECT a.restaurant_id, a.metric_name, a.sop_id,
               pg_catalog.min(a.bucket_start) AS window_start, pg_catalog.max(a.bucket_end) AS window_end,
               pg_catalog.count(*) FILTER (WHERE a.is_closed) AS excluded,
               pg_catalog.array_agg(CASE WHEN a.denominator IS NULL THEN coalesce(a.mean, a.total) ELSE a.rate END
                   ORDER BY a.local_date) FILTER (WHERE NOT a.is_closed) AS recent
        FROM last_day AS t
        JOIN sop_ml.sop_performance_aggregates AS a
            ON a.restaurant_id = t.restaurant_id AND a.grain = 'day' AND a.segment = ''
           AND a.local_date BETWEEN t.local_date - 27 AND t.local_date
        GROUP BY a.restaurant_id, a.metric_name, a.sop_id
    ) AS s
    CROSS JOIN LATERAL sop_ml.rolling_median_baseline(s.recent) AS b
    WHERE b.baseline IS NOT NULL
), latest AS MATERIALIZED (
    SELECT c.*, newest.version, newest.higher_is_better, newest.unit, newest.value_per_unit, newest.intervention_cost,
           newest.impact_currency
    FROM computed AS c
    LEFT JOIN LATERAL (
        SELECT o.*
        FROM sop_ml.sop_performance_baselines AS o
        WHERE o.restaurant_id = c.restaurant_id AND o.metric_name = c.metric_name AND o.sop_id = c.sop_id
          AND o.grain = 'day' AND o.method = 'rolling_median' AND o.segment = ''
        ORDER BY o.version DESC
        LIMIT 1
    ) AS newest ON true
    WHERE newest.version IS NULL OR NOT newest.is_current
       OR (newest.baseline_value, newest.lower_bound, newest.upper_bound, newest.stddev, newest.n, newest.window_end)
          IS DISTINCT FROM (c.baseline, c.lower_bound, c.upper_bound, c.stddev, c.n, c.window_end)
), closed AS (
    UPDATE sop_ml.sop_performance_baselines AS o
    SET is_current = false, valid_until = pg_catalog.now()
    FROM latest AS l
    WHERE o.restaurant_id = l.restaurant_id AND o.metric_name = l.metric_name AND o.sop_id = l.sop_id
      AND o.grain = 'day' AND o.method = 'rolling_median' AND o.segment = '' AND o.version = l.version AND o.is_current
)
INSERT INTO sop_ml.sop_performance_baselines (
    restaurant_id, metric_name, sop_id, grain, method, version, baseline_value, lower_bound, upper_bound, stddev, n,
    window_start, window_end, excluded_buckets, higher_is_better, unit, value_per_unit, intervention_cost,
    impact_currency, reason, is_current, run_id)
SELECT l.restaurant_id, l.metric_name, l.sop_id, 'day', 'rolling_median', coalesce(l.version, 0) + 1, l.baseline,
       l.lower_bound, l.upper_bound, l.stddev, l.n, l.window_start, l.window_end, l.excluded, l.higher_is_better,
       coalesce(l.unit, ''), l.value_per_unit, l.intervention_cost, l.impact_currency, 'median of the last 28 days',
       false, $3
FROM latest AS l
