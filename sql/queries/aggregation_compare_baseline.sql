-- Compares day buckets with the rolling median of the open days among the 28 before them, and prices the difference where
-- a current baseline or target says what a unit is worth.
-- $1 restaurants and $2 local dates that were recomputed; the 28 days after them are compared anew. Read in order and
-- written by key, as aggregation_compare_previous.sql. Rows that would not change are not written.
WITH changed AS (
    SELECT t.restaurant_id, t.local_date,
           coalesce(t.local_date > pg_catalog.lag(t.local_date) OVER (PARTITION BY t.restaurant_id ORDER BY t.local_date) + 28,
                    true) AS begins_island
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[])) AS t (restaurant_id, local_date)
), island AS MATERIALIZED (
    SELECT c.restaurant_id, pg_catalog.min(c.local_date) AS first_date, pg_catalog.max(c.local_date) + 28 AS last_date
    FROM (SELECT restaurant_id, local_date,
                 pg_catalog.count(*) FILTER (WHERE begins_island) OVER (PARTITION BY restaurant_id ORDER BY local_date) AS number
          FROM changed) AS c
    GROUP BY c.restaurant_id, c.number
), day AS (
    SELECT a.*, island.first_date, level.value AS level,
           pg_catalog.array_agg(level.value) FILTER (WHERE NOT a.is_closed) OVER (
               PARTITION BY a.restaurant_id, island.first_date, a.metric_name, a.sop_id ORDER BY a.local_date
               RANGE BETWEEN interval '28 days' PRECEDING AND interval '1 day' PRECEDING) AS recent
    FROM island
    JOIN sop_ml.sop_performance_aggregates AS a
        ON a.restaurant_id = island.restaurant_id AND a.grain = 'day' AND a.segment = ''
       AND a.local_date BETWEEN island.first_date - 28 AND island.last_date
    CROSS JOIN LATERAL (SELECT CASE WHEN a.denominator IS NULL THEN coalesce(a.mean, a.total) ELSE a.rate END) AS level (value)
), priced AS (
    SELECT d.restaurant_id, d.metric_name, d.sop_id, d.bucket_start, d.bucket_end, d.local_date,
           d.baseline_mean, d.baseline_difference, d.baseline_percent, d.baseline_p_value, d.baseline_effect_size,
           d.baseline_verdict, d.business_impact, d.impact_currency, d.roi,
           c.baseline, c.difference, c.percent, c.p_value, c.effect_size, c.verdict, money.impact,
           CASE WHEN money.impact IS NOT NULL THEN known.impact_currency END AS currency,
           (money.impact - known.intervention_cost) / nullif(known.intervention_cost, 0) AS return_on_cost
    FROM day AS d
    CROSS JOIN LATERAL (
        SELECT pg_catalog.bool_or(b.higher_is_better) AS higher_is_better, pg_catalog.max(b.value_per_unit) AS value_per_unit,
               pg_catalog.max(b.intervention_cost) AS intervention_cost, pg_catalog.max(b.impact_currency) AS impact_currency
        FROM sop_ml.sop_performance_baselines AS b
        WHERE b.restaurant_id = d.restaurant_id AND b.metric_name = d.metric_name AND b.sop_id = d.sop_id
          AND b.grain = 'day' AND b.is_current
    ) AS known
    CROSS JOIN LATERAL sop_ml.compare_with_baseline(d.level, d.recent, known.higher_is_better) AS c
    -- A difference of means concerns every measurement, one of rates every trial, one of counts itself.
    CROSS JOIN LATERAL (
        SELECT c.difference * known.value_per_unit
            * CASE WHEN d.mean IS NULL AND d.denominator IS NULL THEN 1 ELSE coalesce(d.denominator, d.n) END
    ) AS money (impact)
    WHERE d.local_date >= d.first_date
)
INSERT INTO sop_ml.sop_performance_aggregates AS stored (
    restaurant_id, metric_name, sop_id, grain, bucket_start, bucket_end, local_date, baseline_mean, baseline_difference,
    baseline_percent, baseline_p_value, baseline_effect_size, baseline_verdict, business_impact, impact_currency, roi)
SELECT p.restaurant_id, p.metric_name, p.sop_id, 'day', p.bucket_start, p.bucket_end, p.local_date, p.baseline, p.difference,
       p.percent, p.p_value, p.effect_size, p.verdict, p.impact, p.currency, p.return_on_cost
FROM priced AS p
WHERE (p.baseline_mean, p.baseline_difference, p.baseline_percent, p.baseline_p_value, p.baseline_effect_size,
       p.baseline_verdict, p.business_impact, p.impact_currency, p.roi)
      IS DISTINCT FROM (p.baseline, p.difference, p.percent, p.p_value, p.effect_size, p.verdict, p.impact, p.currency,
                        p.return_on_cost)
ON CONFLICT (restaurant_id, metric_name, sop_id, grain, bucket_start, segment) DO UPDATE
SET baseline_mean = excluded.baseline_mean, baseline_difference = excluded.baseline_difference,
    baseline_percent = excluded.baseline_percent, baseline_p_value = excluded.baseline_p_value,
    baseline_effect_size = excluded.baseline_effect_size, baseline_verdict = excluded.baseline_verdict,
    business_impact = excluded.business_impact, impact_currency = excluded.impact_currency, roi = excluded.roi
