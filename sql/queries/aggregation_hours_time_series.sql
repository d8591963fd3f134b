-- Hour buckets of observed metrics: hours are counted from the first instant of the local day, so a day has 23 or 25 of
-- them when clocks change and none is skipped or counted twice. NaN, infinite and missing values and rows flagged 'bad'
-- are not measured; they lower the quality score. The names of the metrics made from interactions are taken: an observed
-- metric of such a name is called observed_….
-- All days have the same local date, so that one pass over a short range of time reads the rows of all restaurants.
-- $1 restaurants, $2 local dates, $3 first instants, $4 ends, $5 open instants of each day, $6 the earliest first instant,
-- $7 the latest end, $8 run. Returns how many rows were read and buckets written.
WITH day AS MATERIALIZED (
    SELECT t.restaurant_id, t.local_date, t.starts_at, t.ends_at, t.open_at::tstzmultirange AS open_at
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[]), pg_catalog.unnest($3::timestamptz[]),
                    pg_catalog.unnest($4::timestamptz[]), pg_catalog.unnest($5::text[]))
        AS t (restaurant_id, local_date, starts_at, ends_at, open_at)
), hour AS (
    SELECT d.restaurant_id, d.metric_name, d.sop_id,
           pg_catalog.date_bin('1 hour', d.observed_at, bound.starts_at) AS bucket_start,
           pg_catalog.count(*) AS rows_read,
           sop_ml.stats_agg(CASE WHEN d.quality_flag = 'bad' OR d.value IN ('NaN', 'Infinity', '-Infinity') THEN NULL
                                 ELSE d.value END)::bytea AS stats,
           sop_ml.percentile_agg(CASE WHEN d.quality_flag = 'bad' OR d.value IN ('NaN', 'Infinity', '-Infinity') THEN NULL
                                      ELSE d.value END)::bytea AS percentiles
    -- Straight from the parameters: the planner knows their number, that of a CTE it does not.
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($3::timestamptz[]), pg_catalog.unnest($4::timestamptz[]))
        AS bound (restaurant_id, starts_at, ends_at)
    JOIN sop_ml.sop_time_series_data AS d
        ON d.restaurant_id = bound.restaurant_id AND d.observed_at >= bound.starts_at AND d.observed_at < bound.ends_at
    WHERE d.observed_at >= $6 AND d.observed_at < $7
    GROUP BY 1, 2, 3, 4
), bucket AS MATERIALIZED (
    SELECT h.*, sop_ml.bucket_measures(h.stats, h.percentiles) AS m FROM hour AS h
), stored AS (
    INSERT INTO sop_ml.sop_performance_aggregates (
        restaurant_id, metric_name, sop_id, grain, bucket_start, bucket_end, local_date, n, total, mean, stddev, minimum,
        maximum, p50, p90, p95, p99, mean_low, mean_high, stats_state, percentile_state, is_closed, quality_score, run_id)
    SELECT b.restaurant_id,
           CASE WHEN b.metric_name IN ('interactions', 'completion_rate', 'completion_seconds', 'rating')
                THEN 'observed_' || b.metric_name ELSE b.metric_name END,
           b.sop_id, 'hour', b.bucket_start, least(b.bucket_start + interval '1 hour', day.ends_at), day.local_date,
           b.m[1]::bigint, b.m[2], b.m[3], b.m[4], b.m[5], b.m[6], b.m[7], b.m[8], b.m[9], b.m[10], b.m[11], b.m[12],
           b.stats, b.percentiles,
           NOT day.open_at && pg_catalog.tstzrange(b.bucket_start, least(b.bucket_start + interval '1 hour', day.ends_at)),
           100 * b.m[1] / b.rows_read, $8
    FROM bucket AS b
    JOIN day ON day.restaurant_id = b.restaurant_id
    WHERE b.m[1] > 0
)
SELECT coalesce(pg_catalog.sum(rows_read), 0)::bigint, pg_catalog.count(*) FILTER (WHERE m[1] > 0) FROM bucket
