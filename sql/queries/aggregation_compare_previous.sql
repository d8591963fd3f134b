-- Compares buckets with the one before them: the latest earlier bucket of the same series and grain, at most $5 further
-- back than the adjacent one (a day may follow a closed day), closed ones left out.
-- $1 restaurants, $2 first instants and $3 ends of what was recomputed, $4 grain, $5 interval. Buckets that follow what was
-- recomputed are compared anew. Rows that would not change are not written.
WITH changed AS MATERIALIZED (
    SELECT t.restaurant_id, t.starts_at, t.ends_at
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::timestamptz[]),
                    pg_catalog.unnest($3::timestamptz[])) AS t (restaurant_id, starts_at, ends_at)
), affected AS MATERIALIZED (
    SELECT DISTINCT a.restaurant_id, a.metric_name, a.sop_id, a.bucket_start, a.n, a.total, a.mean, a.stddev, a.numerator,
           a.denominator
    FROM changed
    JOIN sop_ml.sop_performance_aggregates AS a
        ON a.restaurant_id = changed.restaurant_id AND a.grain = $4
       AND a.bucket_start >= changed.starts_at AND a.bucket_start <= changed.ends_at + $5::interval
), compared AS (
    SELECT a.restaurant_id, a.metric_name, a.sop_id, a.bucket_start,
           CASE WHEN previous.denominator IS NULL THEN coalesce(previous.mean, previous.total)
                ELSE previous.rate END AS level, c.*
    FROM affected AS a
    LEFT JOIN LATERAL (
        SELECT p.n, p.total, p.mean, p.stddev, p.numerator, p.denominator, p.rate
        FROM sop_ml.sop_performance_aggregates AS p
        WHERE p.restaurant_id = a.restaurant_id AND p.metric_name = a.metric_name AND p.sop_id = a.sop_id
          AND p.grain = $4 AND p.bucket_start < a.bucket_start AND p.bucket_end >= a.bucket_start - $5::interval
          AND NOT p.is_closed
        ORDER BY p.bucket_start DESC
        LIMIT 1
    ) AS previous ON true
    LEFT JOIN LATERAL sop_ml.compare_periods(
        a.n, a.total, a.mean, a.stddev, a.numerator, a.denominator,
        previous.n, previous.total, previous.mean, previous.stddev, previous.numerator, previous.denominator) AS c ON true
)
UPDATE sop_ml.sop_performance_aggregates AS a
SET previous_mean = c.level, previous_difference = c.difference, previous_percent = c.percent,
    previous_p_value = c.p_value, previous_effect_size = c.effect_size
FROM compared AS c
WHERE a.restaurant_id = c.restaurant_id AND a.metric_name = c.metric_name AND a.sop_id = c.sop_id
  AND a.grain = $4 AND a.bucket_start = c.bucket_start
  AND (a.previous_mean, a.previous_difference, a.previous_percent, a.previous_p_value, a.previous_effect_size)
      IS DISTINCT FROM (c.level, c.difference, c.percent, c.p_value, c.effect_size)
RETURNING 1
