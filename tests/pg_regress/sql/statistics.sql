-- stats_agg, percentile_agg, rollup, accessors, intervals and tests of significance.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
\set VERBOSITY terse
\set SHOW_CONTEXT never

CREATE TABLE public.stats_readings AS
SELECT g AS id, g % 4 AS station, ((g * 7919) % 1009)::float8 / 8 AS value
FROM generate_series(1, 5000) AS g;
ANALYZE public.stats_readings;

-- The answers of the built-in aggregates.
SELECT num_vals(s) = n AS n, abs(average(s) - mean) < 1e-9 AS mean, abs(sum(s) - total) < 1e-6 AS sum,
       abs(stddev(s) - sd) < 1e-9 AS stddev, abs(variance(s, 'population') - vp) < 1e-9 AS variance,
       min_val(s) = lowest AS min, max_val(s) = highest AS max
FROM (SELECT stats_agg(value) AS s, count(value) AS n, avg(value) AS mean, pg_catalog.sum(value) AS total,
             pg_catalog.stddev(value) AS sd, var_pop(value) AS vp, min(value) AS lowest, max(value) AS highest
      FROM public.stats_readings) AS q;
SELECT round(skewness(s)::numeric, 9) AS skewness, round(kurtosis(s)::numeric, 9) AS kurtosis,
       round(skewness(s, 'population')::numeric, 9) AS skewness_pop, round(kurtosis(s, 'pop')::numeric, 9) AS kurtosis_pop
FROM (SELECT stats_agg(x) AS s FROM unnest('{1,2,3,4,10}'::float8[]) AS x) AS q;

-- Nothing, NULLs, one row, a constant.
SELECT stats_agg(x) IS NULL AS stats, percentile_agg(x) IS NULL AS sketch FROM generate_series(1, 0) AS x;
SELECT stats_agg(x) IS NULL AS stats, percentile_agg(x) IS NULL AS sketch, rollup(NULL::stats_summary) IS NULL AS rolled,
       rollup(NULL::percentile_sketch) IS NULL AS rolled_sketch
FROM unnest('{NULL,NULL}'::float8[]) AS x;
SELECT num_vals(s), average(s), variance(s), variance(s, 'population'), stddev(s), skewness(s), kurtosis(s), c.*
FROM (SELECT stats_agg(x) AS s FROM unnest('{NULL,7.5}'::float8[]) AS x) AS q, confidence_interval(s) AS c;
SELECT num_vals(s), average(s), variance(s), skewness(s), kurtosis(s, 'population'), c.*
FROM (SELECT stats_agg(0.1::float8) AS s FROM generate_series(1, 10)) AS q, confidence_interval(s) AS c;

-- NaN and infinities, next to the built-in aggregates.
SELECT label, average(stats_agg(x)) AS average, avg(x), sum(stats_agg(x)) AS sum, stddev(stats_agg(x)) AS stddev,
       pg_catalog.stddev(x) AS builtin, min_val(stats_agg(x)) AS min, min(x) AS builtin_min, max_val(stats_agg(x)) AS max, max(x) AS builtin_max
FROM (VALUES ('nan', '{1,NaN,2}'::float8[]), ('inf', '{1,Infinity,2}'), ('both', '{Infinity,-Infinity,3}'), ('only nan', '{NaN}')) AS v(label, xs),
     unnest(xs) AS x
GROUP BY label ORDER BY label;
SELECT label, approx_percentile(0.5, percentile_agg(x)) AS approx, percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS exact
FROM (VALUES ('nan', '{1,NaN,2}'::float8[]), ('inf', '{1,Infinity,2}'), ('both', '{Infinity,-Infinity,3}'), ('only nan', '{NaN}')) AS v(label, xs),
     unnest(xs) AS x
GROUP BY label ORDER BY label;
SELECT c.* FROM (SELECT stats_agg(x) AS s FROM unnest('{1,NaN}'::float8[]) AS x) AS q, confidence_interval(s) AS c;

-- Values on a large offset keep their digits.
SELECT round(variance(stats_agg(1e9 + g % 10))::numeric, 10) AS variance FROM generate_series(1, 1000) AS g;

-- A group that FILTER empties.
SELECT station, num_vals(stats_agg(value) FILTER (WHERE id % 4 = 1)) AS n,
       num_vals(percentile_agg(value) FILTER (WHERE id % 4 = 1)) AS sketched
FROM public.stats_readings GROUP BY station ORDER BY station;

-- Moving frames: equal to a fresh aggregate for each frame, also past NaN, infinities, ties and spikes.
CREATE TABLE public.stats_moving AS
SELECT g AS id, CASE WHEN g = 60 THEN 'NaN' WHEN g = 120 THEN 'Infinity' WHEN g % 50 = 7 THEN NULL
                     WHEN g = 170 THEN 1e15 WHEN g BETWEEN 200 AND 230 THEN 4 ELSE ((g * 37) % 101)::float8 END AS value
FROM generate_series(1, 300) AS g;
SELECT count(*) AS frames,
       count(*) FILTER (WHERE num_vals(moving) IS DISTINCT FROM num_vals(fresh) OR min_val(moving) IS DISTINCT FROM min_val(fresh)
                           OR max_val(moving) IS DISTINCT FROM max_val(fresh)) AS wrong_counts,
       count(*) FILTER (WHERE NOT (coalesce(stddev(moving) = stddev(fresh)
                           OR abs(stddev(moving) - stddev(fresh)) <= 1e-9 * stddev(fresh), stddev(fresh) IS NULL))) AS wrong_stddev
FROM (SELECT id, stats_agg(value) OVER (ORDER BY id ROWS 9 PRECEDING) AS moving,
             (SELECT stats_agg(i.value) FROM public.stats_moving AS i WHERE i.id BETWEEN o.id - 9 AND o.id) AS fresh
      FROM public.stats_moving AS o) AS q;
SELECT id, num_vals(stats_agg(value) OVER frame) AS n, num_vals(percentile_agg(value) OVER frame) AS sketched
FROM public.stats_moving WHERE id IN (7, 57, 100, 107) WINDOW frame AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING) ORDER BY id;

-- A forced parallel plan gives the answer of the serial one.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE public.stats_readings SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT stats_agg(value), percentile_agg(value), percentile_agg(value, 0.001) FROM public.stats_readings;
CREATE TABLE public.stats_parallel AS
SELECT station, stats_agg(value) AS s, percentile_agg(value) AS p, percentile_agg(value, 0.001) AS fine,
       stats_agg(value) FILTER (WHERE id < 3) AS few, percentile_agg(value) FILTER (WHERE id < 3) AS few_sketched
FROM public.stats_readings GROUP BY station;
EXPLAIN (COSTS OFF) SELECT rollup(s), rollup(p) FROM public.stats_parallel;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE public.stats_serial AS
SELECT station, stats_agg(value) AS s, percentile_agg(value) AS p, percentile_agg(value, 0.001) AS fine,
       stats_agg(value) FILTER (WHERE id < 3) AS few, percentile_agg(value) FILTER (WHERE id < 3) AS few_sketched
FROM public.stats_readings GROUP BY station;
SELECT station, num_vals(a.s) AS n, num_vals(a.s) = num_vals(b.s) AND min_val(a.s) = min_val(b.s) AND max_val(a.s) = max_val(b.s) AS same,
       abs(stddev(a.s) - stddev(b.s)) < 1e-9 AND abs(kurtosis(a.s) - kurtosis(b.s)) < 1e-9 AS close, a.p = b.p AS sketch, a.fine = b.fine AS fine,
       num_vals(a.few) AS few, num_vals(a.few) IS NOT DISTINCT FROM num_vals(b.few) AS same_few, coalesce(a.few_sketched = b.few_sketched, b.few_sketched IS NULL) AS same_sketch
FROM public.stats_parallel AS a JOIN public.stats_serial AS b USING (station) ORDER BY station;

-- Rolled up and whole.
SELECT num_vals(rolled) = num_vals(whole) AS n, abs(sum(rolled) - sum(whole)) < 1e-6 AS sum, abs(variance(rolled) - variance(whole)) < 1e-9 AS variance,
       abs(skewness(rolled) - skewness(whole)) < 1e-9 AS skewness, sketch = whole_sketch AS sketch
FROM (SELECT rollup(s) AS rolled, rollup(p) AS sketch FROM public.stats_serial) AS r,
     (SELECT stats_agg(value) AS whole, percentile_agg(value) AS whole_sketch FROM public.stats_readings) AS w;

-- Percentiles: within the bound of percentile_cont.
SELECT f, abs(approx_percentile(f, p) - exact) <= 0.01 * exact AS within, abs(approx_percentile(f, fine) - exact) <= 0.001 * exact AS within_fine
FROM (SELECT percentile_agg(value) AS p, percentile_agg(value, 0.001) AS fine FROM public.stats_readings) AS q,
     unnest('{0,0.01,0.25,0.5,0.9,0.99,1}'::float8[]) AS f,
     LATERAL (SELECT percentile_cont(f) WITHIN GROUP (ORDER BY value) AS exact FROM public.stats_readings) AS e;
SELECT approx_percentile(0.5, p) AS median, approx_percentile_array('{1,0,0.5}', p), approx_percentile_array('{}', p), num_vals(p), min_val(p), max_val(p), relative_error(p)
FROM (SELECT percentile_agg(x) AS p FROM generate_series(1, 64) AS x) AS q;
SELECT relative_error(percentile_agg(x)) AS at_65, relative_error(percentile_agg(x, 0.05)) AS coarse FROM generate_series(1, 65) AS x;

-- Text, binary and bytea forms.
SELECT stats_agg(x) AS summary, percentile_agg(x) AS sketch FROM unnest('{1,2,4}'::float8[]) AS x;
SELECT stats_agg(x) AS summary, percentile_agg(x) AS sketch FROM unnest('{NaN,-Infinity,4}'::float8[]) AS x;
SELECT bool_and(s::text::stats_summary = s) AS text, bool_and(s::bytea::stats_summary = s) AS bytea, bool_and(stats_summary_send(s) = s::bytea) AS send,
       bool_and(p::text::percentile_sketch = p) AS sketch_text, bool_and(p::bytea::percentile_sketch = p) AS sketch_bytea,
       bool_and(percentile_sketch_send(p) = p::bytea) AS sketch_send, bool_or(s <> s) AS differs
FROM public.stats_serial;
-- Binary COPY sends and receives; a bytea column has the same bytes on the wire, also malformed ones.
SELECT current_setting('data_directory') || '/statistics_regress.copy' AS copy_file \gset
CREATE TEMP TABLE stats_copied (LIKE public.stats_serial);
COPY public.stats_serial TO :'copy_file' (FORMAT binary);
COPY stats_copied FROM :'copy_file' (FORMAT binary);
SELECT count(*) AS copied, bool_and(a.s = b.s AND a.p = b.p AND a.fine = b.fine) AS equal FROM stats_copied AS a JOIN public.stats_serial AS b USING (station);
COPY (SELECT station, substr(s::bytea, 1, 60) FROM public.stats_serial) TO :'copy_file' (FORMAT binary);
COPY stats_copied (station, s) FROM :'copy_file' (FORMAT binary);
\echo :LAST_ERROR_SQLSTATE
COPY (SELECT station, p::bytea || '\x00' FROM public.stats_serial) TO :'copy_file' (FORMAT binary);
COPY stats_copied (station, p) FROM :'copy_file' (FORMAT binary);
\echo :LAST_ERROR_SQLSTATE
SELECT format('rm -f -- %L', :'copy_file') AS remove_file \gset
COPY (SELECT 1 WHERE false) TO PROGRAM :'remove_file';
TRUNCATE stats_copied;
CREATE TEMP TABLE stats_stored (summary bytea, sketch bytea);
INSERT INTO stats_stored SELECT s, p FROM public.stats_serial;
SELECT count(*) AS stored_equal FROM stats_stored JOIN public.stats_serial ON summary::stats_summary = s AND sketch::percentile_sketch = p;
-- Compressed and out of line.
ALTER TABLE stats_copied ALTER COLUMN fine SET STORAGE extended;
INSERT INTO stats_copied (station, fine) SELECT 1, percentile_agg(power(1.01, x), 0.0001) FROM generate_series(-2000, 2000) AS x;
SELECT num_vals(fine), pg_column_size(fine) < 30000 AS bounded, round(approx_percentile(0.5, fine)::numeric, 1) AS median FROM stats_copied;

-- Malformed text: 22P02.
SELECT 'nonsense'::stats_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"n":2}'::stats_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":2,"n":1,"sum":1,"sum_low":0,"m2":0,"m3":0,"m4":0,"min":1,"max":1}'::stats_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"n":1,"sum":1,"sum_low":0,"m2":5,"m3":0,"m4":0,"min":1,"max":1}'::stats_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"relative_error":0.01,"exact":[2,1]}'::percentile_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"relative_error":0.01}'::percentile_sketch;
\echo :LAST_ERROR_SQLSTATE
-- Malformed bytes: 22P03.
SELECT '\x'::bytea::stats_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x5201'::bytea::stats_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT substr(s::bytea, 1, 40)::stats_summary FROM public.stats_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT (s::bytea || '\x00')::stats_summary FROM public.stats_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT set_byte(s::bytea, 1, 9)::stats_summary FROM public.stats_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT set_byte(p::bytea, 10, 255)::percentile_sketch FROM public.stats_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x5201ffffffff'::bytea::percentile_sketch;
\echo :LAST_ERROR_SQLSTATE

-- Arguments outside their domain.
SELECT stddev(s, 'both') FROM public.stats_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT confidence_interval(s, 95) FROM public.stats_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT approx_percentile(95, p) FROM public.stats_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT approx_percentile_array('{0.5,NULL}', p) FROM public.stats_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT approx_percentile_array('{{0.5},{0.6}}', p) FROM public.stats_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT percentile_agg(x, 0) FROM generate_series(1, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT percentile_agg(x, NULL) FROM generate_series(1, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT percentile_agg(x, x / 10.0) FROM generate_series(1, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT rollup(p) FROM (SELECT p FROM public.stats_serial UNION ALL SELECT fine FROM public.stats_serial) AS q;
\echo :LAST_ERROR_SQLSTATE
SELECT stats_agg(x) FROM unnest('{1e200,-1e200}'::float8[]) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT proportion_interval(5, 3);
\echo :LAST_ERROR_SQLSTATE

-- Intervals; values as scipy and statsmodels give them.
SELECT round(mean::numeric, 9) AS mean, round(standard_error::numeric, 9) AS se, round(lower::numeric, 9) AS lower, round(upper::numeric, 9) AS upper
FROM (SELECT stats_agg(x) AS s FROM generate_series(1, 5) AS x) AS q, confidence_interval(s);
SELECT round(proportion::numeric, 9) AS proportion, round(lower::numeric, 9) AS lower, round(upper::numeric, 9) AS upper FROM proportion_interval(9, 10);
SELECT * FROM proportion_interval(0, 0);
SELECT proportion, round(lower::numeric, 9) AS lower, round(upper::numeric, 9) AS upper FROM proportion_interval(0, 10, level => 0.9);

DROP TABLE public.stats_readings, public.stats_moving, public.stats_parallel, public.stats_serial;
