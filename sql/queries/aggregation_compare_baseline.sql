-- Compares day buckets with the rolling median of the open days among the 28 before them, and prices the difference where
-- a current baseline or target says what a unit is worth.
-- $1 restaurants and $2 local dates that were recomputed; the 28 days after them are compared anew. Rows that would not
-- change are not written.
WITH span AS MATERIALIZED (
    SELECT t.restaurant_id, pg_catalog.min(t.local_date) AS first_date, pg_catalog.max(t.local_date) + 28 AS last_date
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[])) AS t (restaurant_id, local_date)
    GROUP BY t.restaurant_id
), day AS (
    SELECT a.restaurant_id, a.metric_name, a.sop_id, a.bucket_start, a.local_date, span.first_date,
           level.value AS level, coalesce(a.denominator, a.n) AS volume, a.mean IS NULL AND a.denominator IS NULL AS is_count,
           pg_catalog.array_agg(level.value) FILTER (WHERE NOT a.is_closed) OVER (
               PARTITION BY a.restaurant_id, a.metric_name, a.sop_id ORDER BY a.local_date
               RANGE BETWEEN interval '28 days' PRECEDING AND interval '1 day' PRECEDING) AS recent
    FROM span
    JOIN sop_ml.sop_performance_aggregates AS a
        ON a.restaurant_id = span.restaurant_id AND a.grain = 'day'
       AND a.local_date BETWEEN span.first_date - 28 AND span.last_date
    CROSS JOIN LATERAL (SELECT CASE WHEN a.denominator IS NULL THEN coalesce(a.mean, a.total) ELSE a.rate END) AS level (value)
), compared AS (
    SELECT d.restaurant_id, d.metric_name, d.sop_id, d.bucket_start, c.*,
           c.difference * known.value_per_unit * CASE WHEN d.is_count THEN 1 ELSE d.volume END AS impact,
           known.impact_currency, known.intervention_cost
    FROM day AS d
    LEFT JOIN LATERAL (
        SELECT pg_catalog.bool_or(b.higher_is_better) AS higher_is_better, pg_catalog.max(b.value_per_unit) AS value_per_unit,
               pg_catalog.max(b.intervention_cost) AS intervention_cost, pg_catalog.max(b.impact_currency) AS impact_currency
        FROM sop_ml.sop_performance_baselines AS b
        WHERE b.restaurant_id = d.restaurant_id AND b.metric_name = d.metric_name AND b.sop_id = d.sop_id
          AND b.grain = 'day' AND b.is_current
    ) AS known ON true
    LEFT JOIN LATERAL sop_ml.compare_with_baseline(d.level, d.recent, known.higher_is_better) AS c ON true
    WHERE d.local_date >= d.first_date
)
UPDATE sop_ml.sop_performance_aggregates AS a
SET baseline_mean = c.baseline, baseline_difference = c.difference, baseline_percent = c.percent,
    baseline_p_value = c.p_value, baseline_effect_size = c.effect_size, baseline_verdict = c.verdict,
    business_impact = c.impact, impact_currency = CASE WHEN c.impact IS NOT NULL THEN c.impact_currency END,
    roi = (c.impact - c.intervention_cost) / nullif(c.intervention_cost, 0)
FROM compared AS c
WHERE a.restaurant_id = c.restaurant_id AND a.metric_name = c.metric_name AND a.sop_id = c.sop_id
  AND a.grain = 'day' AND a.bucket_start = c.bucket_start
  AND (a.baseline_mean, a.baseline_difference, a.baseline_percent, a.baseline_p_value, a.baseline_effect_size,
       a.baseline_verdict, a.business_impact, a.roi)
      IS DISTINCT FROM (c.baseline, c.difference, c.percent, c.p_value, c.effect_size, c.verdict, c.impact,
                        (c.impact - c.intervention_cost) / nullif(c.intervention_cost, 0))
RETURNING 1
