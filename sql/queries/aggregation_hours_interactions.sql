-- Hour buckets of what staff do: interactions (a count), completion_rate (completes of starts), compliance_rate (completes
-- as the procedure wants them, of those that say how they went), completion_seconds and rating (measurements).
-- Parameters and hours as in aggregation_hours_time_series.sql.
WITH day AS MATERIALIZED (
    SELECT t.restaurant_id, t.local_date, t.starts_at, t.ends_at, t.open_at::tstzmultirange AS open_at
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[]), pg_catalog.unnest($3::timestamptz[]),
                    pg_catalog.unnest($4::timestamptz[]), pg_catalog.unnest($5::text[]))
        AS t (restaurant_id, local_date, starts_at, ends_at, open_at)
), hour AS MATERIALIZED (
    SELECT i.restaurant_id, i.sop_id,
           pg_catalog.date_bin('1 hour', i.occurred_at, part.starts_at) AS bucket_start,
           pg_catalog.count(*) AS rows_read,
           pg_catalog.count(*) FILTER (WHERE i.interaction_type = 'start') AS starts,
           pg_catalog.count(*) FILTER (WHERE i.interaction_type = 'complete') AS completes,
           pg_catalog.count(usable.is_compliant) AS judged,
           pg_catalog.count(*) FILTER (WHERE usable.is_compliant) AS compliant,
           sop_ml.staff_count_agg(i.user_id) AS users,
           sop_ml.staff_count_agg(i.user_id) FILTER (WHERE i.interaction_type IN ('start', 'complete')) AS doers,
           sop_ml.staff_count_agg(i.user_id) FILTER (WHERE usable.seconds IS NOT NULL) AS finishers,
           sop_ml.staff_count_agg(i.user_id) FILTER (WHERE usable.is_compliant IS NOT NULL) AS judged_users,
           sop_ml.staff_count_agg(i.user_id) FILTER (WHERE usable.rating IS NOT NULL) AS raters,
           sop_ml.bucket_measures_agg(usable.seconds) AS seconds_m,
           sop_ml.bucket_stats_agg(usable.seconds) AS seconds_stats,
           sop_ml.bucket_percentiles_agg(usable.seconds) AS seconds_percentiles,
           sop_ml.bucket_measures_agg(usable.rating) AS rating_m,
           sop_ml.bucket_stats_agg(usable.rating) AS rating_stats,
           sop_ml.bucket_percentiles_agg(usable.rating) AS rating_percentiles
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($3::timestamptz[]), pg_catalog.unnest($6::timestamptz[]),
                    pg_catalog.unnest($7::timestamptz[])) AS part (restaurant_id, starts_at, from_time, to_time)
    JOIN sop_ml.sop_user_interactions AS i
        ON i.restaurant_id = part.restaurant_id AND i.occurred_at >= part.from_time AND i.occurred_at < part.to_time
    CROSS JOIN LATERAL (
        SELECT CASE WHEN i.interaction_type = 'complete' AND i.duration_seconds >= 0
                     AND i.duration_seconds < 'Infinity' THEN i.duration_seconds END,
               CASE WHEN i.rating > '-Infinity' AND i.rating < 'Infinity' THEN i.rating END,
               CASE WHEN i.interaction_type = 'complete' AND (i.outcome IS NOT NULL OR i.error_count IS NOT NULL)
                    THEN coalesce(i.outcome = 'success', true) AND coalesce(i.error_count <= 0, true) END
    ) AS usable (seconds, rating, is_compliant)
    WHERE i.occurred_at >= $8 AND i.occurred_at < $9
    GROUP BY 1, 2, 3
), bucket AS MATERIALIZED (
    SELECT h.restaurant_id, h.sop_id, h.bucket_start, metric.*, sop_ml.rate_measures(metric.numerator, metric.denominator) AS r
    FROM hour AS h
    CROSS JOIN LATERAL (VALUES
        ('interactions', h.rows_read, h.rows_read::float8, NULL::float8, NULL::float8, h.users, NULL::float8[], NULL::bytea,
         NULL::bytea),
        ('completion_rate', h.starts, h.completes, h.completes, h.starts, h.doers, NULL, NULL, NULL),
        ('compliance_rate', h.judged, h.compliant, h.compliant, h.judged, h.judged_users, NULL, NULL, NULL),
        ('completion_seconds', NULL, NULL, NULL, NULL, h.finishers, h.seconds_m, h.seconds_stats, h.seconds_percentiles),
        ('rating', NULL, NULL, NULL, NULL, h.raters, h.rating_m, h.rating_stats, h.rating_percentiles)
    ) AS metric (metric_name, n, total, numerator, denominator, distinct_users, m, stats, percentiles)
    WHERE metric.distinct_users > 0
), stored AS (
    INSERT INTO sop_ml.sop_performance_aggregates (
        restaurant_id, metric_name, sop_id, grain, bucket_start, bucket_end, local_date, n, total, mean, stddev, minimum,
        maximum, p50, p90, p95, p99, mean_low, mean_high, numerator, denominator, rate, rate_low, rate_high,
        distinct_users, stats_state, percentile_state, is_closed, run_id)
    SELECT b.restaurant_id, b.metric_name, b.sop_id, 'hour', b.bucket_start,
           least(b.bucket_start + interval '1 hour', day.ends_at), day.local_date,
           coalesce(b.n, b.m[1]::bigint), coalesce(b.total, b.m[2]), b.m[3], b.m[4], b.m[5], b.m[6], b.m[7], b.m[8], b.m[9],
           b.m[10], b.m[11], b.m[12], b.numerator, b.denominator, b.r[1], b.r[2], b.r[3], b.distinct_users, b.stats,
           b.percentiles,
           NOT day.open_at && pg_catalog.tstzrange(b.bucket_start, least(b.bucket_start + interval '1 hour', day.ends_at)),
           $10
    FROM bucket AS b
    JOIN day ON day.restaurant_id = b.restaurant_id
)
SELECT (SELECT coalesce(pg_catalog.sum(rows_read), 0)::bigint FROM hour), (SELECT pg_catalog.count(*) FROM bucket),
       EXISTS (SELECT FROM hour)
