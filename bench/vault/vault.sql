-- Mode vault beside its own table: ten questions that screens and services ask of raw readings, with an explicit restaurant, through the
-- view (as a viewer of that restaurant) and of the closed hypertable behind it (as superuser). Chunks older than 7 days are compressed.
-- The bar: the view takes at most 5 % longer. Seven runs of one and seven of the other in turn, the first of which warms up (and, for the
-- viewer, looks up who asks, which every transaction does once); medians of 42.
-- 10 million readings of 10 restaurants over 120 days by default: psql -v rows=1000000 for less.
\if :{?rows}
\else
\set rows 10000000
\endif
SET client_min_messages = warning;
SET timezone = 'UTC';
SET jit = off;
CREATE EXTENSION timescaledb SCHEMA public;
SELECT _timescaledb_functions.stop_background_workers() AS alone;
INSERT INTO sop_ml.sop_restaurants (restaurant_id, name, created_at)
SELECT md5('restaurant ' || r)::uuid, 'Restaurant ' || r, '2020-01-01' FROM generate_series(0, 9) AS r;
SELECT md5('restaurant 3')::uuid AS sample \gset
CREATE ROLE bench_viewer LOGIN;
GRANT sop_ml_viewer TO bench_viewer;
INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level) VALUES (:'sample', 'bench_viewer', 'viewer');
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, source, observed_at, value)
SELECT md5('restaurant ' || g % 10)::uuid, 'metric ' || g / 10 % 8, 'probe ' || g / 80 % 5, s.first_at + g * s.step,
       round((20 + 5 * sin(g / 50000.0) + g % 7 / 10.0)::numeric, 1)
FROM (SELECT date_trunc('hour', now()) - interval '120 days' AS first_at, interval '120 days' / :rows AS step) AS s,
     generate_series(0, :rows - 1) AS g;
\timing on
SELECT rows_moved, detail FROM sop_ml.enable_timescaledb();
SELECT count(compress_chunk(c)) AS compressed FROM show_chunks('sop_ml_storage.sop_time_series_data', older_than => interval '7 days') AS c;
CALL refresh_continuous_aggregate('sop_ml_storage.sop_time_series_15_minutes', NULL, now() - interval '15 minutes');
\timing off
VACUUM (ANALYZE) sop_ml_storage.sop_time_series_data;
SELECT pg_size_pretty(before_compression_total_bytes) AS before, pg_size_pretty(after_compression_total_bytes) AS after,
       round(before_compression_total_bytes::numeric / after_compression_total_bytes, 1) AS times_smaller
FROM hypertable_compression_stats('sop_ml_storage.sop_time_series_data');

CREATE TABLE public.hot (position int, query text, statement text);
INSERT INTO public.hot VALUES
    (1, 'last reading of each source of a metric', $$SELECT DISTINCT ON (source) source, observed_at, value FROM %2$s
        WHERE restaurant_id = %1$L AND metric_name = 'metric 1' AND observed_at >= now() - interval '1 day' ORDER BY source, observed_at DESC$$),
    (2, 'one day of a metric, by hour', $$SELECT date_bin('1 hour', observed_at, '2000-01-01'), count(*), avg(value) FROM %2$s
        WHERE restaurant_id = %1$L AND metric_name = 'metric 2' AND observed_at >= now() - interval '1 day' GROUP BY 1 ORDER BY 1$$),
    (3, '30 days of a metric, by day', $$SELECT date_bin('1 day', observed_at, '2000-01-01'), count(*), avg(value) FROM %2$s
        WHERE restaurant_id = %1$L AND metric_name = 'metric 2' AND observed_at >= now() - interval '30 days' GROUP BY 1 ORDER BY 1$$),
    (4, 'all of a metric, by week', $$SELECT date_bin('7 days', observed_at, '2000-01-01'), count(*), min(value), max(value) FROM %2$s
        WHERE restaurant_id = %1$L AND metric_name = 'metric 3' GROUP BY 1 ORDER BY 1$$),
    (5, 'the last 100 readings of a metric', $$SELECT observed_at, source, value FROM %2$s
        WHERE restaurant_id = %1$L AND metric_name = 'metric 4' ORDER BY observed_at DESC LIMIT 100$$),
    (6, 'how many readings of each metric in a week', $$SELECT metric_name, count(*), count(DISTINCT source) FROM %2$s
        WHERE restaurant_id = %1$L AND observed_at >= now() - interval '7 days' GROUP BY 1 ORDER BY 1$$),
    (7, 'p95 of 60 days', $$SELECT sop_ml.approx_percentile(0.95, sop_ml.percentile_agg(value)) FROM %2$s
        WHERE restaurant_id = %1$L AND metric_name = 'metric 5' AND observed_at >= now() - interval '60 days'$$),
    (8, 'readings out of range in 30 days', $$SELECT observed_at, source, value FROM %2$s
        WHERE restaurant_id = %1$L AND metric_name = 'metric 6' AND value > 25.4 AND observed_at >= now() - interval '30 days' ORDER BY observed_at$$),
    (9, 'a day two months ago, gaps filled', $$SELECT f.* FROM (SELECT array_agg(observed_at) AS t, array_agg(value) AS v FROM %2$s
        WHERE restaurant_id = %1$L AND metric_name = 'metric 7' AND source = 'probe 1' AND observed_at >= now() - interval '61 days'
          AND observed_at < now() - interval '60 days') AS s, sop_ml.gap_fill('15 minutes', s.t, s.v, method => 'locf') AS f$$),
    (10, 'one metric against another, hour by hour', $$SELECT a.hour, a.mean, b.mean FROM
        (SELECT date_bin('1 hour', observed_at, '2000-01-01') AS hour, avg(value) AS mean FROM %2$s WHERE restaurant_id = %1$L AND metric_name = 'metric 1'
         AND observed_at >= now() - interval '14 days' GROUP BY 1) AS a JOIN
        (SELECT date_bin('1 hour', observed_at, '2000-01-01') AS hour, avg(value) AS mean FROM %2$s WHERE restaurant_id = %1$L AND metric_name = 'metric 2'
         AND observed_at >= now() - interval '14 days' GROUP BY 1) AS b USING (hour) ORDER BY 1$$);
GRANT SELECT ON public.hot TO bench_viewer;

-- Both in one session, so that caches and the machine's mood are the same for both.
CREATE PROCEDURE public.compare(sample uuid) LANGUAGE plpgsql AS $$
DECLARE
    hot record;
    started timestamptz;
    of_view float8[];
    of_base float8[];
    n bigint;
BEGIN
    FOR hot IN SELECT * FROM public.hot ORDER BY position LOOP
        of_view := NULL;
        of_base := NULL;
        FOR block IN 1..7 LOOP
            SET ROLE bench_viewer;
            FOR round IN 1..7 LOOP
                started := clock_timestamp();
                EXECUTE format(hot.statement, sample, 'sop_ml.sop_time_series_data');
                GET DIAGNOSTICS n = ROW_COUNT;
                of_view := of_view || CASE WHEN round > 1 THEN 1000 * extract(epoch FROM clock_timestamp() - started)::float8 END;
            END LOOP;
            RESET ROLE;
            FOR round IN 1..7 LOOP
                started := clock_timestamp();
                EXECUTE format(hot.statement, sample, 'sop_ml_storage.sop_time_series_data');
                of_base := of_base || CASE WHEN round > 1 THEN 1000 * extract(epoch FROM clock_timestamp() - started)::float8 END;
            END LOOP;
        END LOOP;
        INSERT INTO public.result
        SELECT hot.position, hot.query, n, percentile_cont(0.5) WITHIN GROUP (ORDER BY v), percentile_cont(0.5) WITHIN GROUP (ORDER BY b)
        FROM unnest(of_view, of_base) AS t (v, b);
    END LOOP;
END
$$;
CREATE TABLE public.result (position int, query text, rows bigint, view_ms float8, base_ms float8);
CALL public.compare(:'sample');
SELECT position AS no, query, rows, round(view_ms::numeric, 2) AS view_ms, round(base_ms::numeric, 2) AS base_ms,
       round((100 * (view_ms / base_ms - 1))::numeric, 1) AS percent_longer
FROM public.result ORDER BY position;
SELECT round(sum(view_ms)::numeric, 2) AS view_ms, round(sum(base_ms)::numeric, 2) AS base_ms,
       round((100 * (sum(view_ms) / sum(base_ms) - 1))::numeric, 1) AS percent_longer FROM public.result;
