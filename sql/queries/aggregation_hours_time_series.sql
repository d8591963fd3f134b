-- Hour buckets of observed metrics: hours are counted from the first instant of the local day, so a day has 23 or 25 of
-- them when clocks change and none is skipped or counted twice. NaN, infinite and missing values and rows flagged 'bad'
-- are not measured; they lower the quality score. The names of the metrics made from interactions are taken: an observed
-- metric of such a name is called observed_….
-- All days have the same local date, so that one pass over a short range of time reads the rows of all restaurants.
-- $1 restaurants, $2 local dates, $3 first instants and $4 ends of the days, $5 open instants of each day, $6 and $7 the part
-- of each day that is read, in whole hours, $8 the earliest $6, $9 the latest $7, $10 run. Returns how many rows were read,
-- how many buckets written, and whether any row says who recorded it.
WITH day AS MATERIALIZED (
    SELECT t.restaurant_id, t.local_date, t.starts_at, t.ends_at, t.open_at::tstzmultirange AS open_at
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[]), pg_catalog.unnest($3::timestamptz[]),
                    pg_catalog.unnest($4::timestamptz[]), pg_catalog.unnest($5::text[]))
        AS t (restaurant_id, local_date, starts_at, ends_at, open_at)
), hour AS MATERIALIZED (
    SELECT d.restaurant_id, d.metric_name, d.sop_id,
           pg_catalog.date_bin('1 hour', d.observed_at, part.starts_at) AS bucket_start,
           pg_catalog.count(*) AS rows_read,
           sop_ml.staff_count_agg(d.recorded_by) FILTER (WHERE d.recorded_by IS NOT NULL) AS users,
           -- The three share one state.
           sop_ml.bucket_measures_agg(d.value) FILTER (WHERE d.quality_flag IS DISTINCT FROM 'bad') AS m,
           sop_ml.bucket_stats_agg(d.value) FILTER (WHERE d.quality_flag IS DISTINCT FROM 'bad') AS stats,
           sop_ml.bucket_percentiles_agg(d.value) FILTER (WHERE d.quality_flag IS DISTINCT FROM 'bad') AS percentiles
    -- Straight from the parameters: the planner knows their number, that of a CTE it does not.
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($3::timestamptz[]), pg_catalog.unnest($6::timestamptz[]),
                    pg_catalog.unnest($7::timestamptz[])) AS part (restaurant_id, starts_at, from_time, to_time)
    JOIN sop_ml.sop_time_series_data AS d
        ON d.restaurant_id = part.restaurant_id AND d.observed_at >= part.from_time AND d.observed_at < part.to_time
    WHERE d.observed_at >= $8 AND d.observed_at < $9
    GROUP BY 1, 2, 3, 4
), stored AS (
    INSERT INTO sop_ml.sop_performance_aggregates (
        restaurant_id, metric_name, sop_id, grain, bucket_start, bucket_end, local_date, n, total, mean, stddev, minimum,
        maximum, p50, p90, p95, p99, mean_low, mean_high, distinct_users, stats_state, percentile_state, is_closed,
        quality_score, run_id)
    SELECT h.restaurant_id,
           CASE WHEN h.metric_name IN ('interactions', 'completion_rate', 'completion_seconds', 'compliance_rate', 'rating')
                THEN 'observed_' || h.metric_name ELSE h.metric_name END,
           h.sop_id, 'hour', h.bucket_start, least(h.bucket_start + interval '1 hour', day.ends_at), day.local_date,
           h.m[1]::bigint, h.m[2], h.m[3], h.m[4], h.m[5], h.m[6], h.m[7], h.m[8], h.m[9], h.m[10], h.m[11], h.m[12],
           h.users, h.stats, h.percentiles,
           NOT day.open_at && pg_catalog.tstzrange(h.bucket_start, least(h.bucket_start + interval '1 hour', day.ends_at)),
           100 * h.m[1] / h.rows_read, $10
    FROM hour AS h
    JOIN day ON day.restaurant_id = h.restaurant_id
    WHERE h.m[1] > 0
)
SELECT coalesce(pg_catalog.sum(rows_read), 0)::bigint, pg_catalog.count(*) FILTER (WHERE m[1] > 0),
       coalesce(pg_catalog.bool_or(users IS NOT NULL), false)
FROM hour
