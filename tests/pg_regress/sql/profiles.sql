-- profile_agg, profile_agg_text, rollup, what profiles answer, drift_metrics.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
\set VERBOSITY terse
\set SHOW_CONTEXT never

CREATE TABLE public.profile_rows AS
SELECT g AS id, date '2026-01-01' + g % 10 AS day,
       CASE WHEN g % 50 = 0 THEN NULL WHEN g % 400 = 7 THEN 'NaN' WHEN g % 800 = 9 THEN 'Infinity' WHEN g % 1000 = 11 THEN '-Infinity'
            ELSE (g * 7919 % 401)::float8 END AS seconds,
       CASE WHEN g % 25 <> 0 THEN (ARRAY['grill', 'salad', 'till', 'bar'])[1 + g * 7919 % 1009 % 4] END AS station
FROM generate_series(1, 4000) AS g;
ANALYZE public.profile_rows;

-- Every row counts.
SELECT num_vals(p), null_count(p), null_share(p), nan_count(p), infinite_count(p), round(average(p)::numeric, 6) AS average,
       round(stddev(p)::numeric, 6) AS stddev, round(stddev(p, 'population')::numeric, 6) AS stddev_pop, min_val(p), max_val(p), relative_error(p)
FROM (SELECT profile_agg(seconds) AS p FROM public.profile_rows) AS q;
SELECT num_vals(s) = count AS n, abs(average(s) - mean) < 1e-9 AS mean, abs(stddev(s) - sd) < 1e-9 AS stddev
FROM (SELECT profile_summary(profile_agg(seconds)) AS s, count(*) FILTER (WHERE abs(seconds) < 'Infinity') AS count,
             avg(seconds) FILTER (WHERE abs(seconds) < 'Infinity') AS mean, pg_catalog.stddev(seconds) FILTER (WHERE abs(seconds) < 'Infinity') AS sd
      FROM public.profile_rows) AS q;
SELECT f, round(approx_percentile(f, p)::numeric, 2) AS approx, abs(approx_percentile(f, p) - exact) <= 0.0005 * exact AS within
FROM (SELECT profile_agg(seconds) AS p FROM public.profile_rows) AS q, unnest('{0,0.1,0.5,0.9,0.99,1}'::float8[]) AS f,
     LATERAL (SELECT percentile_cont(f) WITHIN GROUP (ORDER BY seconds) AS exact FROM public.profile_rows WHERE abs(seconds) < 'Infinity') AS e;
SELECT num_vals(p), null_count(p), round(null_share(p)::numeric, 4) AS null_share FROM (SELECT profile_agg_text(station) AS p FROM public.profile_rows) AS q;

-- No row, only NULLs, one row, a constant.
SELECT profile_agg(x) IS NULL AS numbers, profile_agg_text(x::text) IS NULL AS texts FROM generate_series(1, 0) AS x;
SELECT profile_agg(x), profile_agg_text(x::text), rollup(NULL::distribution_profile) FROM unnest('{NULL,NULL}'::float8[]) AS x;
SELECT num_vals(p), null_share(p), average(p), stddev(p), min_val(p), approx_percentile(0.5, p), profile_summary(p) FROM (SELECT profile_agg(x) AS p FROM unnest('{NULL,NULL}'::float8[]) AS x) AS q;
SELECT profile_agg(x), profile_agg_text(x::text) FROM unnest('{7.5}'::float8[]) AS x;
SELECT b.* FROM (SELECT profile_agg(x) AS p FROM unnest('{NULL}'::float8[]) AS x) AS q, profile_bins(p) AS b;
SELECT b.* FROM (SELECT profile_agg(7.5) AS p FROM generate_series(1, 20)) AS q, profile_bins(p) AS b;
SELECT c.* FROM (SELECT profile_agg_text(NULL) AS p FROM generate_series(1, 20)) AS q, profile_categories(p) AS c;

-- Bins: of equal shares, open at both ends; counting the rows on their edges gives their counts.
SELECT round(lower::numeric, 2) AS lower, round(upper::numeric, 2) AS upper, count, round(share::numeric, 4) AS share,
       count = (SELECT count(*) FROM public.profile_rows WHERE abs(seconds) < 'Infinity' AND seconds > lower AND seconds <= upper) AS same
FROM profile_bins((SELECT profile_agg(seconds) FROM public.profile_rows), bins => 5);
SELECT lower, upper, count FROM profile_bins((SELECT profile_agg(x) FROM unnest('{1,2,3,4,5,6,7,8}'::float8[]) AS x), 4);
SELECT lower, upper, count FROM profile_bins((SELECT profile_agg(x) FROM unnest('{-3,0,0,0,0,0,0,2}'::float8[]) AS x), 2);
SELECT count(*), sum(count) FROM profile_bins((SELECT profile_agg(seconds) FROM public.profile_rows), 1000);

-- Categories: exact up to 1000, an explicit rest beyond.
SELECT * FROM profile_categories((SELECT profile_agg_text(station) FROM public.profile_rows));
SELECT count(*), sum(count), bool_or(is_rest) AS rest FROM profile_categories((SELECT profile_agg_text((g % 1000)::text) FROM generate_series(1, 3000) AS g));
SELECT category, count, round(share::numeric, 4) AS share, is_rest, error_bound,
       is_rest OR g.exact BETWEEN count AND count + error_bound AS holds
FROM (SELECT profile_agg_text(CASE WHEN g % 3 = 0 THEN 'often' WHEN g % 10 = 0 THEN 'sometimes' ELSE g::text END) AS p FROM generate_series(1, 30000) AS g) AS q,
     profile_categories(p)
LEFT JOIN (VALUES ('often', 10000), ('sometimes', 2000)) AS g (name, exact) ON name = category
WHERE is_rest OR category IN ('often', 'sometimes');
SELECT length(category), count FROM profile_categories((SELECT profile_agg_text(repeat('é', 150 + 100 * g)) FROM generate_series(0, 2) AS g));

-- A group that FILTER empties, moving frames.
SELECT station, num_vals(profile_agg(seconds) FILTER (WHERE station = 'grill')) AS n FROM public.profile_rows GROUP BY station ORDER BY station;
SELECT count(*) AS frames, count(*) FILTER (WHERE moving IS DISTINCT FROM fresh) AS wrong
FROM (SELECT (profile_agg_text(station) OVER frame)::text AS moving,
             (SELECT profile_agg_text(i.station) FROM public.profile_rows AS i WHERE i.id BETWEEN o.id - 9 AND o.id - 2)::text AS fresh
      FROM public.profile_rows AS o WHERE id <= 300 WINDOW frame AS (ORDER BY id ROWS BETWEEN 9 PRECEDING AND 2 PRECEDING)) AS q;

-- Merged and parallel profiles are those of all rows.
CREATE TABLE public.profile_days AS
SELECT day, profile_agg(seconds) AS seconds, profile_agg_text(station) AS station FROM public.profile_rows GROUP BY day;
SELECT rolled.station = whole.station AS station, num_vals(rolled.seconds) = num_vals(whole.seconds) AS n, null_count(rolled.seconds) = null_count(whole.seconds) AS nulls,
       approx_percentile(0.37, rolled.seconds) = approx_percentile(0.37, whole.seconds) AS percentile, abs(stddev(rolled.seconds) - stddev(whole.seconds)) < 1e-9 AS stddev
FROM (SELECT rollup(seconds) AS seconds, rollup(station) AS station FROM public.profile_days) AS rolled,
     (SELECT profile_agg(seconds) AS seconds, profile_agg_text(station) AS station FROM public.profile_rows) AS whole;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE public.profile_rows SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT profile_agg(seconds), profile_agg_text(station) FROM public.profile_rows;
CREATE TABLE public.profile_parallel AS SELECT day, profile_agg(seconds) AS seconds, profile_agg_text(station) AS station FROM public.profile_rows GROUP BY day;
SELECT count(*), bool_and(a.station = b.station) AS station, bool_and(approx_percentile(0.9, a.seconds) = approx_percentile(0.9, b.seconds)) AS percentile,
       bool_and(abs(average(a.seconds) - average(b.seconds)) < 1e-9) AS average
FROM public.profile_parallel AS a JOIN public.profile_days AS b USING (day);
RESET max_parallel_workers_per_gather;

-- Text, binary and bytea forms.
SELECT profile_agg(x), profile_agg_text(chr(96 + x::int)) FROM unnest('{1,2,2,NULL}'::float8[]) AS x;
SELECT bool_and(p::text::distribution_profile = p) AS text, bool_and(p::bytea::distribution_profile = p) AS bytea,
       bool_and(distribution_profile_send(p) = p::bytea) AS send, bool_or(p <> p) AS differs
FROM (SELECT seconds FROM public.profile_days UNION ALL SELECT station FROM public.profile_days) AS q (p);
SELECT current_setting('data_directory') || '/profiles_regress.copy' AS copy_file \gset
CREATE TEMP TABLE profile_copied (LIKE public.profile_days);
COPY public.profile_days TO :'copy_file' (FORMAT binary);
COPY profile_copied FROM :'copy_file' (FORMAT binary);
SELECT count(*) AS copied, bool_and(a.seconds = b.seconds AND a.station = b.station) AS equal FROM profile_copied AS a JOIN public.profile_days AS b USING (day);
COPY (SELECT day, substr(seconds::bytea, 1, 90) FROM public.profile_days) TO :'copy_file' (FORMAT binary);
\set VERBOSITY sqlstate
COPY profile_copied (day, seconds) FROM :'copy_file' (FORMAT binary);
\set VERBOSITY terse
\echo :LAST_ERROR_SQLSTATE
SELECT format('rm -f -- %L', :'copy_file') AS remove_file \gset
COPY (SELECT 1 WHERE false) TO PROGRAM :'remove_file';

-- What version 1 stored is read: analytics/tests/golden has more of them.
SELECT num_vals(s), average(s), stddev(s), min_val(s), max_val(s) FROM (SELECT '\x51010300000000000000000080ff64cdcd41000000000000000063fe839af380a2434ad2595a2cfa66458227ce6333664547000000000000f0bf0000000065cdcd41'::bytea::stats_summary) AS q (s);
SELECT num_vals(s), approx_percentile(0.5, s), relative_error(s) FROM (SELECT '\x52017b14ae47e17a843f0003000000000000000000f0bf00000000000000000000000065cdcd41'::bytea::percentile_sketch) AS q (s);
SELECT c.*, null_count(p) FROM (SELECT '\x56010201000000000000000000000000000000030000000100000000000000000000000200000000000000050000006772696c6c01000000000000000500000073616c6164'::bytea::distribution_profile) AS q (p), profile_categories(p) AS c;

-- Malformed text: 22P02. Malformed bytes: 22P03.
SELECT 'nonsense'::distribution_profile;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"kind":"dates","version":1}'::distribution_profile;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"kind":"text","version":2,"nulls":0,"rest":0,"categories":[]}'::distribution_profile;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"kind":"text","version":1,"nulls":0,"rest":0,"categories":[["b",1],["a",1]]}'::distribution_profile;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"kind":"text","version":1,"nulls":0,"rest":5,"categories":[["a",1]]}'::distribution_profile;
\echo :LAST_ERROR_SQLSTATE
SELECT replace((SELECT profile_agg(1))::text, '"exact":[1.0]', '"exact":[2.0]')::distribution_profile;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x'::bytea::distribution_profile;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x560103'::bytea::distribution_profile;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x56010200000000000000000000000000000000ffffffff'::bytea::distribution_profile;
\echo :LAST_ERROR_SQLSTATE
SELECT (station::bytea || '\x00')::distribution_profile FROM public.profile_days LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
SELECT set_byte(seconds::bytea, 1, 99)::distribution_profile FROM public.profile_days LIMIT 1;
\set VERBOSITY terse
\echo :LAST_ERROR_SQLSTATE
SELECT stats_agg(1)::bytea::distribution_profile;
\echo :LAST_ERROR_SQLSTATE

-- Drift of numbers: nothing happened, the mean moved, NULLs came.
SELECT metric, round(value::numeric, 6) AS value, round(p_value::numeric, 6) AS p_value, round(threshold::numeric, 6) AS threshold, severity
FROM drift_metrics((SELECT profile_agg(seconds) FROM public.profile_rows WHERE id <= 2000), (SELECT profile_agg(seconds) FROM public.profile_rows WHERE id > 2000));
SELECT metric, round(value::numeric, 6) AS value, round(p_value::numeric, 6) AS p_value, round(threshold::numeric, 6) AS threshold, severity
FROM drift_metrics((SELECT profile_agg(seconds) FROM public.profile_rows), (SELECT profile_agg(CASE WHEN id % 4 > 0 THEN seconds + 120 END) FROM public.profile_rows WHERE id % 3 = 0));
-- Of few values: the numbers of scipy (analytics/tests/fixtures/profiles.json, tiny).
SELECT metric, round(value::numeric, 9) AS value, round(p_value::numeric, 9) AS p_value
FROM drift_metrics((SELECT profile_agg(x) FROM unnest('{0,1,2}'::float8[]) AS x), (SELECT profile_agg(x) FROM unnest('{1,2}'::float8[]) AS x));
-- What the sketch cannot show has no value.
SELECT metric, round(value::numeric, 6) AS value, severity
FROM drift_metrics((SELECT profile_agg(1.7e9 + g % 100) FROM generate_series(1, 1000) AS g), (SELECT profile_agg(1.7e9 + 50 + g % 100) FROM generate_series(1, 1000) AS g));
-- Of texts.
SELECT metric, round(value::numeric, 6) AS value, round(p_value::numeric, 6) AS p_value, round(threshold::numeric, 6) AS threshold, severity
FROM drift_metrics((SELECT profile_agg_text(station) FROM public.profile_rows), (SELECT profile_agg_text(CASE WHEN id % 2 = 0 THEN 'bar' ELSE station END) FROM public.profile_rows));
-- Options.
SELECT metric, round(threshold::numeric, 6) AS threshold, severity
FROM drift_metrics((SELECT profile_agg(seconds) FROM public.profile_rows), (SELECT profile_agg(seconds + 120) FROM public.profile_rows),
                   '{"bins": 20, "significance": 0.01, "thresholds": {"psi": [5, 6, 7, 8], "mean_shift": [1, 2, 3, 4]}}');
-- A profile that is NULL or has no value.
SELECT count(*) FROM drift_metrics(NULL, (SELECT profile_agg(1)));
SELECT * FROM drift_metrics((SELECT profile_agg(NULL) FROM generate_series(1, 100)), (SELECT profile_agg(x) FROM generate_series(1, 100) AS x));

-- Wrong kinds and parameters.
SELECT * FROM drift_metrics((SELECT profile_agg(1)), (SELECT profile_agg_text('a')));
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM drift_metrics((SELECT profile_agg_text('a')), (SELECT profile_agg(1)));
\echo :LAST_ERROR_SQLSTATE
SELECT rollup(p) FROM unnest(ARRAY[(SELECT profile_agg(1)), (SELECT profile_agg_text('a'))]) AS p;
\echo :LAST_ERROR_SQLSTATE
SELECT average(profile_agg_text('a'));
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM profile_categories((SELECT profile_agg(1)));
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM profile_bins((SELECT profile_agg_text('a')));
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM profile_bins((SELECT profile_agg(1)), 1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM profile_bins((SELECT profile_agg(1)), -1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM drift_metrics((SELECT profile_agg(1)), (SELECT profile_agg(1)), '{"bins": 1}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM drift_metrics((SELECT profile_agg(1)), (SELECT profile_agg(1)), '{"store": true}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM drift_metrics((SELECT profile_agg(1)), (SELECT profile_agg(1)), '{"thresholds": {"psy": [1, 2, 3, 4]}}');
\echo :LAST_ERROR_SQLSTATE
SELECT approx_percentile(95, profile_agg(1));
\echo :LAST_ERROR_SQLSTATE
SELECT profile_agg(x) FROM unnest('{1e200,-1e200}'::float8[]) AS x;
\echo :LAST_ERROR_SQLSTATE

DROP TABLE public.profile_rows, public.profile_days, public.profile_parallel;
