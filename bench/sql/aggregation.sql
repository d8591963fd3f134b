-- The roll-up of one new day of all restaurants: against hand-written GROUP BYs that fill an identical table, with 1, 3
-- and 12 months of history behind it, and the whole nightly run of that day. The bars: the roll-up takes at most 1.2 times as
-- long as the hand-written statement; with 12 months of history it takes what it takes with 1; the whole run stays under 2 minutes.
--
-- What is loaded: the new day as raw rows of all restaurants (100 with 33,000 rows each: 30,000 readings of 8 metrics at 5 SOPs,
-- 3,000 interactions of 20 people). The history: day buckets of all series of all restaurants with their states (the day's
-- own, moved back), and raw rows and hour buckets of one restaurant. Twelve months of raw rows of all would be 1.2 billion.
-- Another size: psql -v restaurants=10 -v rows=3300 -f aggregation.sql
\if :{?restaurants}
\else
\set restaurants 100
\endif
\if :{?rows}
\else
\set rows 33000
\endif
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = sop_ml, public;
-- Both sides alike; the run sets these for itself.
SET jit = off;
SET work_mem = '64MB';
SET hash_mem_multiplier = 8;
-- The last of a long month: its month has most days to add up.
\set day '''2026-03-31'''

INSERT INTO sop_restaurants (restaurant_id, name, time_zone, created_at)
SELECT md5('restaurant ' || r)::uuid, 'Restaurant ' || r, CASE r % 2 WHEN 0 THEN 'UTC' ELSE 'Asia/Bangkok' END, '2020-01-01'
FROM generate_series(1, :restaurants) AS r;
-- In the order of time, as rows arrive.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value, recorded_by)
SELECT r.restaurant_id, 'metric_' || g % 8, md5('sop ' || g / 8 % 5)::uuid, '', t.at,
       round((20 + g % 8 * 10 + 5 * random() + 3 * sin(g / 1000.0))::numeric, 1),
       CASE WHEN g % 10 = 0 THEN md5('person ' || g / 10 % 20)::uuid END
FROM generate_series(0, :rows * 10 / 11 - 1) AS g, sop_restaurants AS r,
     LATERAL (SELECT :day::timestamp AT TIME ZONE r.time_zone + g * (interval '1 day' / (:rows * 10 / 11)) AS at) AS t
ORDER BY t.at;
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, duration_seconds, rating, outcome)
SELECT r.restaurant_id, md5('person ' || g % 20)::uuid, md5('sop ' || g % 5)::uuid, k.kind, t.at,
       CASE k.kind WHEN 'complete' THEN round((300 + 100 * random())::numeric) END, CASE k.kind WHEN 'rate' THEN 1 + g % 5 END,
       CASE k.kind WHEN 'complete' THEN CASE WHEN random() < 0.9 THEN 'success' ELSE 'failed' END END
FROM generate_series(0, :rows / 11 - 1) AS g, sop_restaurants AS r,
     LATERAL (SELECT :day::timestamp AT TIME ZONE r.time_zone + g * (interval '1 day' / (:rows / 11)) AS at) AS t,
     LATERAL (SELECT (ARRAY['view', 'start', 'complete', 'complete', 'rate'])[1 + g * 7 % 5] AS kind) AS k
ORDER BY t.at;
SELECT sum(rows_moved) AS rows_moved_to_their_month FROM maintain_partitions();
VACUUM ANALYZE sop_time_series_data, sop_user_interactions;
CREATE TABLE public.noted AS SELECT * FROM sop_ml_storage.dirty_buckets;

CREATE TABLE public.rival (LIKE sop_performance_aggregates INCLUDING ALL);
-- The hand-written statement: hours and days of the same columns with the same aggregates.
PREPARE rival (date) AS
WITH bound AS MATERIALIZED (
    SELECT restaurant_id, $1::timestamp AT TIME ZONE time_zone AS starts_at, ($1 + 1)::timestamp AT TIME ZONE time_zone AS ends_at
    FROM sop_restaurants
), observed AS MATERIALIZED (
    SELECT d.restaurant_id, d.metric_name, d.sop_id, date_bin('1 hour', d.observed_at, b.starts_at) AS bucket_start,
           count(*) AS rows_read, staff_count_agg(d.recorded_by) FILTER (WHERE d.recorded_by IS NOT NULL) AS users,
           bucket_measures_agg(d.value) FILTER (WHERE d.quality_flag IS DISTINCT FROM 'bad') AS m,
           bucket_stats_agg(d.value) FILTER (WHERE d.quality_flag IS DISTINCT FROM 'bad') AS stats,
           bucket_percentiles_agg(d.value) FILTER (WHERE d.quality_flag IS DISTINCT FROM 'bad') AS percentiles
    FROM bound AS b
    JOIN sop_time_series_data AS d ON d.restaurant_id = b.restaurant_id AND d.observed_at >= b.starts_at AND d.observed_at < b.ends_at
    WHERE d.observed_at >= $1::timestamptz - interval '14 hours' AND d.observed_at < $1::timestamptz + interval '36 hours'
    GROUP BY 1, 2, 3, 4
), did AS MATERIALIZED (
    SELECT i.restaurant_id, i.sop_id, date_bin('1 hour', i.occurred_at, b.starts_at) AS bucket_start, count(*) AS rows_read,
           count(*) FILTER (WHERE i.interaction_type = 'start') AS starts,
           count(*) FILTER (WHERE i.interaction_type = 'complete') AS completes,
           count(*) FILTER (WHERE i.interaction_type = 'complete' AND i.outcome IS NOT NULL) AS judged,
           count(*) FILTER (WHERE i.interaction_type = 'complete' AND i.outcome = 'success') AS compliant,
           staff_count_agg(i.user_id) AS users,
           staff_count_agg(i.user_id) FILTER (WHERE i.interaction_type IN ('start', 'complete')) AS doers,
           staff_count_agg(i.user_id) FILTER (WHERE i.interaction_type = 'complete' AND i.duration_seconds >= 0) AS finishers,
           staff_count_agg(i.user_id) FILTER (WHERE i.interaction_type = 'complete' AND i.outcome IS NOT NULL) AS judged_users,
           staff_count_agg(i.user_id) FILTER (WHERE i.rating IS NOT NULL) AS raters,
           bucket_measures_agg(i.duration_seconds) FILTER (WHERE i.interaction_type = 'complete' AND i.duration_seconds >= 0) AS seconds_m,
           bucket_stats_agg(i.duration_seconds) FILTER (WHERE i.interaction_type = 'complete' AND i.duration_seconds >= 0) AS seconds_stats,
           bucket_percentiles_agg(i.duration_seconds) FILTER (WHERE i.interaction_type = 'complete' AND i.duration_seconds >= 0) AS seconds_percentiles,
           bucket_measures_agg(i.rating) AS rating_m, bucket_stats_agg(i.rating) AS rating_stats,
           bucket_percentiles_agg(i.rating) AS rating_percentiles
    FROM bound AS b
    JOIN sop_user_interactions AS i ON i.restaurant_id = b.restaurant_id AND i.occurred_at >= b.starts_at AND i.occurred_at < b.ends_at
    WHERE i.occurred_at >= $1::timestamptz - interval '14 hours' AND i.occurred_at < $1::timestamptz + interval '36 hours'
    GROUP BY 1, 2, 3
), hour AS MATERIALIZED (
    SELECT restaurant_id, metric_name, sop_id, bucket_start, m[1]::bigint AS n, m[2] AS total, m, NULL::float8 AS numerator,
           NULL::float8 AS denominator, users, stats, percentiles, 100 * m[1] / rows_read AS quality
    FROM observed WHERE m[1] > 0
    UNION ALL
    SELECT d.restaurant_id, v.metric_name, d.sop_id, d.bucket_start, coalesce(v.n, v.m[1]::bigint), coalesce(v.total, v.m[2]), v.m,
           v.numerator, v.denominator, v.users, v.stats, v.percentiles, NULL
    FROM did AS d
    CROSS JOIN LATERAL (VALUES
        ('interactions', d.rows_read, d.rows_read::float8, NULL::float8, NULL::float8, d.users, NULL::float8[], NULL::bytea, NULL::bytea),
        ('completion_rate', d.starts, d.completes, d.completes, d.starts, d.doers, NULL, NULL, NULL),
        ('compliance_rate', d.judged, d.compliant, d.compliant, d.judged, d.judged_users, NULL, NULL, NULL),
        ('completion_seconds', NULL, NULL, NULL, NULL, d.finishers, d.seconds_m, d.seconds_stats, d.seconds_percentiles),
        ('rating', NULL, NULL, NULL, NULL, d.raters, d.rating_m, d.rating_stats, d.rating_percentiles)
    ) AS v (metric_name, n, total, numerator, denominator, users, m, stats, percentiles)
    WHERE v.users > 0
), people AS (
    SELECT i.restaurant_id, v.metric_name, i.sop_id, v.users, v.state
    FROM (SELECT i.restaurant_id, i.sop_id, staff_count_agg(i.user_id) AS users, distinct_agg(i.user_id)::bytea AS users_state,
                 distinct_agg(i.user_id) FILTER (WHERE i.interaction_type IN ('start', 'complete'))::bytea AS doers_state,
                 distinct_agg(i.user_id) FILTER (WHERE i.interaction_type = 'complete' AND i.duration_seconds >= 0)::bytea AS finishers_state,
                 distinct_agg(i.user_id) FILTER (WHERE i.interaction_type = 'complete' AND i.outcome IS NOT NULL)::bytea AS judged_state,
                 distinct_agg(i.user_id) FILTER (WHERE i.rating IS NOT NULL)::bytea AS raters_state,
                 staff_count_agg(i.user_id) FILTER (WHERE i.interaction_type IN ('start', 'complete')) AS doers,
                 staff_count_agg(i.user_id) FILTER (WHERE i.interaction_type = 'complete' AND i.duration_seconds >= 0) AS finishers,
                 staff_count_agg(i.user_id) FILTER (WHERE i.interaction_type = 'complete' AND i.outcome IS NOT NULL) AS judged_users,
                 staff_count_agg(i.user_id) FILTER (WHERE i.rating IS NOT NULL) AS raters
          FROM bound AS b
          JOIN sop_user_interactions AS i ON i.restaurant_id = b.restaurant_id AND i.occurred_at >= b.starts_at AND i.occurred_at < b.ends_at
          WHERE i.occurred_at >= $1::timestamptz - interval '14 hours' AND i.occurred_at < $1::timestamptz + interval '36 hours'
          GROUP BY 1, 2) AS i
    CROSS JOIN LATERAL (VALUES
        ('interactions', i.users, i.users_state), ('completion_rate', i.doers, i.doers_state),
        ('compliance_rate', i.judged_users, i.judged_state), ('completion_seconds', i.finishers, i.finishers_state),
        ('rating', i.raters, i.raters_state)) AS v (metric_name, users, state)
    UNION ALL
    SELECT d.restaurant_id, d.metric_name, d.sop_id, staff_count_agg(d.recorded_by), distinct_agg(d.recorded_by)::bytea
    FROM bound AS b
    JOIN sop_time_series_data AS d ON d.restaurant_id = b.restaurant_id AND d.observed_at >= b.starts_at AND d.observed_at < b.ends_at
    WHERE d.observed_at >= $1::timestamptz - interval '14 hours' AND d.observed_at < $1::timestamptz + interval '36 hours'
      AND d.recorded_by IS NOT NULL
    GROUP BY 1, 2, 3
), day AS (
    SELECT h.restaurant_id, h.metric_name, h.sop_id, sum(h.n)::bigint AS n, sum(h.total) AS total, sum(h.numerator) AS numerator,
           sum(h.denominator) AS denominator, bucket_measures_rollup(h.stats, h.percentiles) AS m,
           bucket_stats_rollup(h.stats, h.percentiles) AS stats, bucket_percentiles_rollup(h.stats, h.percentiles) AS percentiles,
           100 * sum(h.n) FILTER (WHERE h.quality > 0) / nullif(sum(h.n * 100 / nullif(h.quality, 0)), 0) AS quality
    FROM (SELECT * FROM hour ORDER BY restaurant_id, metric_name, sop_id, bucket_start) AS h
    GROUP BY 1, 2, 3
), bucket AS (
    SELECT h.restaurant_id, h.metric_name, h.sop_id, 'hour' AS grain, h.bucket_start, h.bucket_start + interval '1 hour' AS bucket_end,
           h.n, h.total, h.m, h.numerator, h.denominator, h.users, h.stats, h.percentiles, NULL::bytea AS state, h.quality
    FROM hour AS h
    UNION ALL
    SELECT d.restaurant_id, d.metric_name, d.sop_id, 'day', b.starts_at, b.ends_at, d.n, coalesce(d.m[2], d.total), d.m, d.numerator,
           d.denominator, p.users, d.stats, d.percentiles, p.state, CASE WHEN d.quality > 100 THEN 100 ELSE d.quality END
    FROM day AS d
    JOIN bound AS b ON b.restaurant_id = d.restaurant_id
    LEFT JOIN people AS p ON p.restaurant_id = d.restaurant_id AND p.metric_name = d.metric_name AND p.sop_id = d.sop_id
)
INSERT INTO public.rival (restaurant_id, metric_name, sop_id, grain, bucket_start, bucket_end, local_date, n, total, mean, stddev,
    minimum, maximum, p50, p90, p95, p99, mean_low, mean_high, numerator, denominator, rate, rate_low, rate_high, distinct_users,
    stats_state, percentile_state, users_state, is_closed, quality_score)
SELECT b.restaurant_id, b.metric_name, b.sop_id, b.grain, b.bucket_start, b.bucket_end, $1, b.n, b.total, b.m[3], b.m[4], b.m[5],
       b.m[6], b.m[7], b.m[8], b.m[9], b.m[10], b.m[11], b.m[12], b.numerator, b.denominator, r.r[1], r.r[2], r.r[3], b.users, b.stats,
       b.percentiles, b.state, false, b.quality
FROM bucket AS b
CROSS JOIN LATERAL (SELECT rate_measures(b.numerator, b.denominator)) AS r (r);

-- The week, month, quarter and year of that day from the buckets that lie in them: finer grain, grain, first local date.
PREPARE rival_longer (text, text, date) AS
WITH bound AS MATERIALIZED (
    SELECT restaurant_id, $3::timestamp AT TIME ZONE time_zone AS starts_at,
           ($3::timestamp + CASE $2 WHEN 'week' THEN interval '7 days' WHEN 'month' THEN interval '1 month'
               WHEN 'quarter' THEN interval '3 months' ELSE interval '1 year' END) AT TIME ZONE time_zone AS ends_at
    FROM sop_restaurants
), bucket AS (
    SELECT o.restaurant_id, o.metric_name, o.sop_id, o.starts_at, o.ends_at, sum(o.n)::bigint AS n, sum(o.total) AS total,
           sum(o.numerator) AS numerator, sum(o.denominator) AS denominator, bool_and(o.is_closed) AS is_closed,
           bucket_measures_rollup(o.stats_state, o.percentile_state) AS m, bucket_stats_rollup(o.stats_state, o.percentile_state) AS stats,
           bucket_percentiles_rollup(o.stats_state, o.percentile_state) AS percentiles, rollup(o.users_state::distinct_sketch) AS users,
           100 * sum(o.n) FILTER (WHERE o.quality_score > 0) / nullif(sum(o.n * 100 / nullif(o.quality_score, 0)), 0) AS quality
    FROM (SELECT b.starts_at, b.ends_at, a.*
          FROM bound AS b
          JOIN sop_performance_aggregates AS a ON a.restaurant_id = b.restaurant_id AND a.grain = $1 AND a.segment = ''
              AND a.bucket_start >= b.starts_at AND a.bucket_start < b.ends_at
          ORDER BY a.restaurant_id, a.metric_name COLLATE "C", a.sop_id, a.bucket_start) AS o
    GROUP BY 1, 2, 3, 4, 5
)
INSERT INTO public.rival (restaurant_id, metric_name, sop_id, grain, bucket_start, bucket_end, local_date, n, total, mean, stddev,
    minimum, maximum, p50, p90, p95, p99, mean_low, mean_high, numerator, denominator, rate, rate_low, rate_high, distinct_users,
    stats_state, percentile_state, users_state, is_closed, quality_score)
SELECT b.restaurant_id, b.metric_name, b.sop_id, $2, b.starts_at, b.ends_at, $3, b.n, coalesce(b.m[2], b.total), b.m[3], b.m[4], b.m[5],
       b.m[6], b.m[7], b.m[8], b.m[9], b.m[10], b.m[11], b.m[12], b.numerator, b.denominator, r.r[1], r.r[2], r.r[3],
       distinct_count(b.users), b.stats, b.percentiles, b.users::bytea, b.is_closed, CASE WHEN b.quality > 100 THEN 100 ELSE b.quality END
FROM bucket AS b
CROSS JOIN LATERAL (SELECT rate_measures(b.numerator, b.denominator)) AS r (r);

-- The same with PostgreSQL's own aggregates and no states, for orientation: observed hours alone.
PREPARE plain (date) AS
SELECT d.restaurant_id, d.metric_name, d.sop_id, date_trunc('hour', d.observed_at), count(d.value), sum(d.value), avg(d.value),
       stddev_samp(d.value), min(d.value), max(d.value), percentile_cont('{0.5,0.9,0.95,0.99}'::float8[]) WITHIN GROUP (ORDER BY d.value),
       count(DISTINCT d.recorded_by)
FROM sop_time_series_data AS d
WHERE d.observed_at >= $1::timestamptz - interval '14 hours' AND d.observed_at < $1::timestamptz + interval '36 hours'
GROUP BY 1, 2, 3, 4;

CREATE TABLE public.times (months int, what text, milliseconds float8);

CREATE PROCEDURE public.measure(months int, day date) LANGUAGE plpgsql SET search_path = sop_ml, public AS $$
DECLARE
    started timestamptz;
    period text[];
BEGIN
    TRUNCATE public.rival;
    started := clock_timestamp();
    EXECUTE format('EXECUTE rival (%L)', day);
    FOREACH period SLICE 1 IN ARRAY ARRAY[['day', 'week'], ['day', 'month'], ['month', 'quarter'], ['quarter', 'year']] LOOP
        EXECUTE format('EXECUTE rival_longer (%L, %L, %L)', period[1], period[2], date_trunc(period[2], day)::date);
    END LOOP;
    INSERT INTO public.times VALUES (months, 'hand-written', 1000 * extract(epoch FROM clock_timestamp() - started));
    DELETE FROM sop_performance_aggregates WHERE local_date = day AND grain IN ('hour', 'day');
    INSERT INTO sop_ml_storage.dirty_buckets SELECT * FROM public.noted;
    started := clock_timestamp();
    INSERT INTO public.times SELECT months, step, elapsed_ms FROM run_daily_ml_aggregation(NULL, day);
    INSERT INTO public.times VALUES (months, 'whole run', 1000 * extract(epoch FROM clock_timestamp() - started));
END
$$;

-- The first run fills the day that the history is made of.
SELECT step, rows_in, rows_out, round(elapsed_ms) AS ms, status FROM run_daily_ml_aggregation(NULL, :day);
CREATE TABLE public.one_day AS SELECT * FROM sop_performance_aggregates WHERE local_date = :day AND grain IN ('hour', 'day');
SELECT restaurant_id AS sample FROM sop_restaurants ORDER BY name LIMIT 1 \gset

-- Days $1 to $2 before the new one; without triggers, as a restore.
PREPARE history (int, int) AS
WITH back AS (SELECT generate_series($1, $2) AS days), raw AS (
    INSERT INTO sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value)
    SELECT d.restaurant_id, d.metric_name, d.sop_id, d.source, d.observed_at - make_interval(days => b.days), d.value
    FROM sop_time_series_data AS d, back AS b
    WHERE d.restaurant_id = :'sample' AND d.observed_at >= (SELECT :day::timestamp AT TIME ZONE r.time_zone FROM sop_restaurants AS r WHERE r.restaurant_id = :'sample')
    ORDER BY 5
)
INSERT INTO sop_performance_aggregates
SELECT moved.*
FROM public.one_day AS a, back AS b,
     LATERAL jsonb_populate_record(a, jsonb_build_object('bucket_start', a.bucket_start - make_interval(days => b.days),
         'bucket_end', a.bucket_end - make_interval(days => b.days), 'local_date', a.local_date - b.days)) AS moved
WHERE a.grain = 'day' OR a.restaurant_id = :'sample';

-- The months before in the same quarter.
PREPARE months AS
INSERT INTO sop_performance_aggregates
SELECT moved.*
FROM public.one_day AS a
JOIN sop_restaurants AS r USING (restaurant_id)
CROSS JOIN (VALUES (date '2026-01-01'), ('2026-02-01')) AS m (month)
CROSS JOIN LATERAL jsonb_populate_record(a, jsonb_build_object('grain', 'month',
    'bucket_start', m.month::timestamp AT TIME ZONE r.time_zone,
    'bucket_end', (m.month + interval '1 month') AT TIME ZONE r.time_zone, 'local_date', m.month)) AS moved
WHERE a.grain = 'day';

\set months 1
SET session_replication_role = replica;
EXECUTE history (1, 30);
RESET session_replication_role;
VACUUM ANALYZE sop_time_series_data, sop_performance_aggregates;
CALL public.measure(:months, :day);
CALL public.measure(:months, :day);
\set months 3
SET session_replication_role = replica;
EXECUTE history (31, 90);
EXECUTE months;
RESET session_replication_role;
VACUUM ANALYZE sop_time_series_data, sop_performance_aggregates;
CALL public.measure(:months, :day);
CALL public.measure(:months, :day);
\set months 12
SET session_replication_role = replica;
EXECUTE history (91, 365);
RESET session_replication_role;
VACUUM ANALYZE sop_time_series_data, sop_performance_aggregates;
CALL public.measure(:months, :day);
CALL public.measure(:months, :day);
CALL public.measure(:months, :day);
\timing on
EXECUTE plain (:day) \g /dev/null
\timing off

-- Both fill the table with the same buckets.
SELECT count(*) AS buckets, count(*) FILTER (WHERE in_both < 2) AS buckets_that_differ
FROM (SELECT count(*) AS in_both FROM (
          SELECT restaurant_id, metric_name, sop_id, grain, bucket_start, n, total, minimum, maximum, p50, p99, rate, distinct_users,
                 stats_state, percentile_state, users_state, round(quality_score::numeric, 6) FROM public.rival
          UNION ALL
          SELECT restaurant_id, metric_name, sop_id, grain, bucket_start, n, total, minimum, maximum, p50, p99, rate, distinct_users,
                 stats_state, percentile_state, users_state, round(quality_score::numeric, 6) FROM sop_performance_aggregates
          WHERE segment = '' AND (local_date = :day AND grain IN ('hour', 'day')
              OR grain IN ('week', 'month', 'quarter', 'year') AND local_date = date_trunc(grain, date :day)::date)) AS u (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)
      GROUP BY a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q) AS compared;
SELECT grain, count(*) AS rows, round(avg(pg_column_size(a.*))) AS bytes_a_row, round(avg(pg_column_size(percentile_state))) AS sketch,
       round(avg(pg_column_size(stats_state))) AS summary
FROM public.one_day AS a GROUP BY grain ORDER BY 2 DESC;
SELECT pg_size_pretty(pg_table_size('public.rival')) AS one_day_table, pg_size_pretty(pg_indexes_size('public.rival')) AS one_day_indexes;
SELECT what, round(min(milliseconds) FILTER (WHERE months = 1)) AS ms_1_month, round(min(milliseconds) FILTER (WHERE months = 3)) AS ms_3_months,
       round(min(milliseconds) FILTER (WHERE months = 12)) AS ms_12_months
FROM public.times GROUP BY what
ORDER BY what <> 'hand-written', what <> 'roll_up', what = 'whole run', what;
SELECT months, round((min(milliseconds) FILTER (WHERE what = 'roll_up') / min(milliseconds) FILTER (WHERE what = 'hand-written'))::numeric, 3)
           AS roll_up_to_hand_written,
       round((min(milliseconds) FILTER (WHERE what = 'whole run') / 1000)::numeric, 1) AS whole_run_s
FROM public.times GROUP BY months ORDER BY months;
