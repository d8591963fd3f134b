-- Compares buckets with the one before them: the latest earlier open bucket of the same series and grain that ended at most
-- $5 before this one begins (a day may follow closed days).
-- $1 restaurants, $2 first instants and $3 ends of what was recomputed, $4 grain, $5 interval. What follows within $5 is
-- compared anew. Each series is read once, in order, and written by key (INSERT … ON CONFLICT; every row exists): joins
-- would be planned from statistics that a first load does not have yet. Rows that would not change are not written.
WITH changed AS (
    SELECT t.restaurant_id, t.starts_at, t.ends_at,
           coalesce(t.starts_at > pg_catalog.max(t.ends_at) OVER (
               PARTITION BY t.restaurant_id ORDER BY t.starts_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
               + $5::interval, true) AS begins_island
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::timestamptz[]),
                    pg_catalog.unnest($3::timestamptz[])) AS t (restaurant_id, starts_at, ends_at)
), island AS MATERIALIZED (
    SELECT c.restaurant_id, pg_catalog.min(c.starts_at) AS first_start, pg_catalog.max(c.ends_at) + $5::interval AS last_start
    FROM (SELECT restaurant_id, starts_at, ends_at,
                 pg_catalog.count(*) FILTER (WHERE begins_island) OVER (PARTITION BY restaurant_id ORDER BY starts_at) AS number
          FROM changed) AS c
    GROUP BY c.restaurant_id, c.number
), bucket AS (
    SELECT a.*, island.first_start,
           -- The latest is the maximum of arrays that begin with the time.
           pg_catalog.max(CASE WHEN NOT a.is_closed THEN ARRAY[
                   pg_catalog.date_part('epoch', a.bucket_start), pg_catalog.date_part('epoch', a.bucket_end),
                   a.n, a.total, a.mean, a.stddev, a.numerator, a.denominator, a.rate]::float8[] END) OVER (
               PARTITION BY a.restaurant_id, island.first_start, a.metric_name, a.sop_id ORDER BY a.bucket_start
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS earlier
    FROM island
    JOIN sop_ml.sop_performance_aggregates AS a
        ON a.restaurant_id = island.restaurant_id AND a.grain = $4 AND a.segment = ''
       AND a.bucket_start >= island.first_start - $5::interval - CASE $4 WHEN 'day' THEN interval '2 days'
           WHEN 'week' THEN interval '8 days' WHEN 'month' THEN interval '32 days' WHEN 'quarter' THEN interval '93 days'
           ELSE interval '367 days' END
       AND a.bucket_start <= island.last_start
)
INSERT INTO sop_ml.sop_performance_aggregates AS stored (
    restaurant_id, metric_name, sop_id, grain, bucket_start, bucket_end, local_date,
    previous_mean, previous_difference, previous_percent, previous_p_value, previous_effect_size)
SELECT b.restaurant_id, b.metric_name, b.sop_id, b.grain, b.bucket_start, b.bucket_end, b.local_date,
       CASE WHEN p.bucket[8] IS NULL THEN coalesce(p.bucket[5], p.bucket[4]) ELSE p.bucket[9] END,
       c.difference, c.percent, c.p_value, c.effect_size
FROM bucket AS b
CROSS JOIN LATERAL (
    SELECT CASE WHEN b.earlier[2] >= pg_catalog.date_part('epoch', b.bucket_start - $5::interval) THEN b.earlier END
) AS p (bucket)
CROSS JOIN LATERAL sop_ml.compare_periods(
    b.n, b.total, b.mean, b.stddev, b.numerator, b.denominator,
    p.bucket[3]::bigint, p.bucket[4], p.bucket[5], p.bucket[6], p.bucket[7], p.bucket[8]) AS c
WHERE b.bucket_start >= b.first_start
  AND (b.previous_mean, b.previous_difference, b.previous_percent, b.previous_p_value, b.previous_effect_size)
      IS DISTINCT FROM (CASE WHEN p.bucket[8] IS NULL THEN coalesce(p.bucket[5], p.bucket[4]) ELSE p.bucket[9] END,
                        c.difference, c.percent, c.p_value, c.effect_size)
ON CONFLICT (restaurant_id, metric_name, sop_id, grain, bucket_start, segment) DO UPDATE
SET previous_mean = excluded.previous_mean, previous_difference = excluded.previous_difference,
    previous_percent = excluded.previous_percent, previous_p_value = excluded.previous_p_value,
    previous_effect_size = excluded.previous_effect_size
