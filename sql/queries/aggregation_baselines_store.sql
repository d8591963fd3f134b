-- New versions of baselines. One that would not change gets no new version. New rows are not current yet (one current row per
-- baseline is allowed): aggregation_baselines_current.sql makes them so.
-- $1 method, $2 grain, $3 parameters, $4 reason, $5 run; one element for each baseline: $6 restaurants, $7 metrics, $8 SOPs,
-- $9 segments, $10 values, $11 lower and $12 upper bounds, $13 standard deviations, $14 n, $15 first instants, $16 ends, $17 closed
-- buckets left out, $18 shrinkage, $19 restaurants of the peer group. Returns the number of new versions.
WITH computed AS MATERIALIZED (
    SELECT c.*
    FROM ROWS FROM (
        pg_catalog.unnest($6::uuid[]), pg_catalog.unnest($7::text[]), pg_catalog.unnest($8::uuid[]), pg_catalog.unnest($9::text[]),
        pg_catalog.unnest($10::float8[]), pg_catalog.unnest($11::float8[]), pg_catalog.unnest($12::float8[]),
        pg_catalog.unnest($13::float8[]), pg_catalog.unnest($14::bigint[]), pg_catalog.unnest($15::timestamptz[]),
        pg_catalog.unnest($16::timestamptz[]), pg_catalog.unnest($17::bigint[]), pg_catalog.unnest($18::float8[]),
        pg_catalog.unnest($19::bigint[]))
        AS c (restaurant_id, metric_name, sop_id, segment, baseline, lower_bound, upper_bound, stddev, n, window_start, window_end,
              excluded, shrinkage, peers)
), latest AS MATERIALIZED (
    SELECT c.*, newest.version, newest.higher_is_better, newest.unit, newest.value_per_unit, newest.intervention_cost,
           newest.impact_currency
    FROM computed AS c
    LEFT JOIN LATERAL (
        SELECT o.*
        FROM sop_ml.sop_performance_baselines AS o
        WHERE o.restaurant_id = c.restaurant_id AND o.metric_name = c.metric_name AND o.sop_id = c.sop_id
          AND o.grain = $2 AND o.method = $1 AND o.segment = c.segment
        ORDER BY o.version DESC
        LIMIT 1
    ) AS newest ON true
    WHERE newest.version IS NULL OR NOT newest.is_current
       OR (newest.baseline_value, newest.lower_bound, newest.upper_bound, newest.stddev, newest.n, newest.window_end,
           newest.shrinkage, newest.peer_restaurants, newest.parameters)
          IS DISTINCT FROM (c.baseline, c.lower_bound, c.upper_bound, c.stddev, c.n, c.window_end, c.shrinkage, c.peers,
                            $3::jsonb)
), closed AS (
    UPDATE sop_ml.sop_performance_baselines AS o
    SET is_current = false, valid_until = pg_catalog.now()
    FROM latest AS l
    WHERE o.restaurant_id = l.restaurant_id AND o.metric_name = l.metric_name AND o.sop_id = l.sop_id
      AND o.grain = $2 AND o.method = $1 AND o.segment = l.segment AND o.version = l.version AND o.is_current
)
INSERT INTO sop_ml.sop_performance_baselines (
    restaurant_id, metric_name, sop_id, grain, method, segment, version, baseline_value, lower_bound, upper_bound, stddev, n,
    window_start, window_end, excluded_buckets, shrinkage, peer_restaurants, parameters, higher_is_better, unit, value_per_unit,
    intervention_cost, impact_currency, reason, is_current, run_id)
SELECT l.restaurant_id, l.metric_name, l.sop_id, $2, $1, l.segment, coalesce(l.version, 0) + 1, l.baseline, l.lower_bound,
       l.upper_bound, l.stddev, l.n, l.window_start, l.window_end, l.excluded, l.shrinkage, l.peers, $3::jsonb,
       l.higher_is_better, coalesce(l.unit, ''), l.value_per_unit, l.intervention_cost, l.impact_currency, $4, false, $5
FROM latest AS l
