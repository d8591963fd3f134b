-- Hour buckets of observed metrics by the dimensions that sop_restaurants.rollup_dimensions names. A segment is the JSON
-- object of the chosen keys and their values as text (null where a row has none). The combinations with most measurements of
-- the local day get buckets of their own, as many as the limit says; what is left, and values too long for a key, go to the
-- rest, {"rest_of": [keys]}: explicit segments and rest together are the whole.
-- Otherwise as aggregation_hours_time_series.sql, for whole days.
-- $1 restaurants, $2 local dates, $3 first instants and $4 ends of the days, $5 open instants of each day, $6 the earliest
-- first instant, $7 the latest end, $8 run. Returns how many buckets were written, and how many combinations went to a rest.
WITH day AS MATERIALIZED (
    SELECT t.restaurant_id, t.local_date, t.starts_at, t.ends_at, t.open_at::tstzmultirange AS open_at
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[]), pg_catalog.unnest($3::timestamptz[]),
                    pg_catalog.unnest($4::timestamptz[]), pg_catalog.unnest($5::text[]))
        AS t (restaurant_id, local_date, starts_at, ends_at, open_at)
), dimension AS MATERIALIZED (
    SELECT r.restaurant_id, entry.wanted ->> 'metric' AS metric_name, chosen.keys,
           pg_catalog.max(coalesce((entry.wanted ->> 'limit')::int, 20)) AS most
    FROM sop_ml.sop_restaurants AS r
    CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(r.rollup_dimensions) AS entry (wanted)
    CROSS JOIN LATERAL (
        SELECT pg_catalog.jsonb_agg(DISTINCT k.key ORDER BY k.key)
        FROM pg_catalog.jsonb_array_elements_text(entry.wanted -> 'keys') AS k (key)
    ) AS chosen (keys)
    WHERE r.restaurant_id = ANY ($1::uuid[])
    GROUP BY 1, 2, 3
), part AS MATERIALIZED (
    SELECT d.restaurant_id, d.metric_name, d.sop_id, pg_catalog.date_bin('1 hour', d.observed_at, bound.starts_at) AS bucket_start,
           wanted.keys, wanted.most, combination.segment,
           pg_catalog.count(*) AS rows_read,
           pg_catalog.count(*) FILTER (WHERE d.quality_flag IS DISTINCT FROM 'bad') AS usable,
           sop_ml.bucket_stats_agg(d.value) FILTER (WHERE d.quality_flag IS DISTINCT FROM 'bad') AS stats,
           sop_ml.bucket_percentiles_agg(d.value) FILTER (WHERE d.quality_flag IS DISTINCT FROM 'bad') AS percentiles
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($3::timestamptz[]), pg_catalog.unnest($4::timestamptz[]))
        AS bound (restaurant_id, starts_at, ends_at)
    JOIN dimension AS wanted ON wanted.restaurant_id = bound.restaurant_id
    JOIN sop_ml.sop_time_series_data AS d
        ON d.restaurant_id = bound.restaurant_id AND d.metric_name = wanted.metric_name
       AND d.observed_at >= bound.starts_at AND d.observed_at < bound.ends_at
    CROSS JOIN LATERAL (
        SELECT pg_catalog.jsonb_object_agg(k.key, d.dimensions ->> k.key)::text
        FROM pg_catalog.jsonb_array_elements_text(wanted.keys) AS k (key)
    ) AS combination (segment)
    WHERE d.observed_at >= $6 AND d.observed_at < $7
    GROUP BY 1, 2, 3, 4, 5, 6, 7
), placed AS (
    SELECT p.restaurant_id, p.metric_name, p.keys, p.segment,
           pg_catalog.octet_length(p.segment) > 400 OR pg_catalog.row_number() OVER (
               PARTITION BY p.restaurant_id, p.metric_name, p.keys
               ORDER BY pg_catalog.octet_length(p.segment) > 400, pg_catalog.sum(p.usable) DESC, p.segment) > p.most AS is_rest
    FROM part AS p
    GROUP BY p.restaurant_id, p.metric_name, p.keys, p.segment, p.most
), bucket AS MATERIALIZED (
    SELECT o.restaurant_id, o.metric_name, o.sop_id, o.bucket_start, o.name AS segment, pg_catalog.sum(o.rows_read) AS rows_read,
           sop_ml.bucket_measures_rollup(o.stats, o.percentiles) AS m,
           sop_ml.bucket_stats_rollup(o.stats, o.percentiles) AS stats,
           sop_ml.bucket_percentiles_rollup(o.stats, o.percentiles) AS percentiles
    FROM (
        SELECT p.*, CASE WHEN placed.is_rest THEN pg_catalog.jsonb_build_object('rest_of', p.keys)::text ELSE p.segment END AS name
        FROM part AS p
        JOIN placed ON placed.restaurant_id = p.restaurant_id AND placed.metric_name = p.metric_name
                   AND placed.keys = p.keys AND placed.segment = p.segment
        ORDER BY p.restaurant_id, p.metric_name, p.sop_id, p.bucket_start, name, p.segment
    ) AS o
    GROUP BY 1, 2, 3, 4, 5
), stored AS (
    INSERT INTO sop_ml.sop_performance_aggregates (
        restaurant_id, metric_name, sop_id, grain, segment, bucket_start, bucket_end, local_date, n, total, mean, stddev,
        minimum, maximum, p50, p90, p95, p99, mean_low, mean_high, stats_state, percentile_state, is_closed, quality_score, run_id)
    SELECT b.restaurant_id,
           CASE WHEN b.metric_name IN ('interactions', 'completion_rate', 'completion_seconds', 'compliance_rate', 'rating')
                THEN 'observed_' || b.metric_name ELSE b.metric_name END,
           b.sop_id, 'hour', b.segment, b.bucket_start, least(b.bucket_start + interval '1 hour', day.ends_at), day.local_date,
           b.m[1]::bigint, b.m[2], b.m[3], b.m[4], b.m[5], b.m[6], b.m[7], b.m[8], b.m[9], b.m[10], b.m[11], b.m[12],
           b.stats, b.percentiles,
           NOT day.open_at && pg_catalog.tstzrange(b.bucket_start, least(b.bucket_start + interval '1 hour', day.ends_at)),
           100 * b.m[1] / b.rows_read, $8
    FROM bucket AS b
    JOIN day ON day.restaurant_id = b.restaurant_id
    WHERE b.m[1] > 0
)
SELECT (SELECT pg_catalog.count(*) FROM bucket WHERE m[1] > 0), (SELECT pg_catalog.count(*) FROM placed WHERE is_rest)
