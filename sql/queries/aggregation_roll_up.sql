-- Buckets of one grain from those of a finer one that begin within them, through the mergeable states.
-- $1 restaurants, $2 first local dates, $3 first instants, $4 ends, $5 whether closed, or NULL when a period is closed if
-- all its parts are, $6 the finer grain, $7 the grain, $8 run. Returns how many buckets were read and written.
WITH period AS MATERIALIZED (
    SELECT t.restaurant_id, t.local_date, t.starts_at, t.ends_at, t.is_closed
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[]), pg_catalog.unnest($3::timestamptz[]),
                    pg_catalog.unnest($4::timestamptz[]), pg_catalog.unnest($5::boolean[]))
        AS t (restaurant_id, local_date, starts_at, ends_at, is_closed)
), bucket AS MATERIALIZED (
    SELECT p.local_date, p.starts_at, p.ends_at, p.restaurant_id, p.is_closed AS period_closed, b.*,
           sop_ml.bucket_measures(b.stats, b.percentiles) AS m,
           sop_ml.rate_measures(b.numerator, b.denominator) AS r
    FROM period AS p
    CROSS JOIN LATERAL (
        SELECT a.metric_name, a.sop_id, pg_catalog.count(*) AS rows_read, pg_catalog.sum(a.n)::bigint AS n,
               pg_catalog.sum(a.total ORDER BY a.bucket_start) AS total,
               pg_catalog.sum(a.numerator) AS numerator, pg_catalog.sum(a.denominator) AS denominator,
               pg_catalog.bool_and(a.is_closed) AS is_closed,
               -- Measured share of all rows: n / quality is the number of rows that a part was made from.
               100 * pg_catalog.sum(a.n) FILTER (WHERE a.quality_score > 0)
                   / nullif(pg_catalog.sum(a.n * 100 / nullif(a.quality_score, 0) ORDER BY a.bucket_start), 0)
                   AS quality_score,
               sop_ml.rollup(a.stats_state::sop_ml.stats_summary ORDER BY a.bucket_start)::bytea AS stats,
               sop_ml.rollup(a.percentile_state::sop_ml.percentile_sketch ORDER BY a.bucket_start)::bytea AS percentiles
        FROM sop_ml.sop_performance_aggregates AS a
        WHERE a.restaurant_id = p.restaurant_id
          AND a.grain = $6
          AND a.bucket_start >= p.starts_at
          AND a.bucket_start < p.ends_at
        GROUP BY a.metric_name, a.sop_id
    ) AS b
), stored AS (
    INSERT INTO sop_ml.sop_performance_aggregates (
        restaurant_id, metric_name, sop_id, grain, bucket_start, bucket_end, local_date, n, total, mean, stddev, minimum,
        maximum, p50, p90, p95, p99, mean_low, mean_high, numerator, denominator, rate, rate_low, rate_high,
        stats_state, percentile_state, is_closed, quality_score, run_id)
    SELECT b.restaurant_id, b.metric_name, b.sop_id, $7, b.starts_at, b.ends_at, b.local_date, b.n,
           coalesce(b.m[2], b.total), b.m[3], b.m[4], b.m[5], b.m[6], b.m[7], b.m[8], b.m[9], b.m[10], b.m[11], b.m[12],
           b.numerator, b.denominator, b.r[1], b.r[2], b.r[3], b.stats, b.percentiles,
           coalesce(b.period_closed, b.is_closed), CASE WHEN b.quality_score > 100 THEN 100 ELSE b.quality_score END, $8
    FROM bucket AS b
)
SELECT coalesce(pg_catalog.sum(rows_read), 0)::bigint, pg_catalog.count(*) FROM bucket
