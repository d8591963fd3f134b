-- regression_agg, rollup, what a line answers, its test and its predictions.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
\set VERBOSITY terse
\set SHOW_CONTEXT never

CREATE TABLE public.line_points AS
SELECT g AS id, g % 4 AS station, 1.7e9 + 60 * g AS x, 1e9 + 0.25 * g + ((g * 7919) % 1009)::float8 / 8 AS y
FROM generate_series(1, 4000) AS g;
ANALYZE public.line_points;

-- The answers of the built-in aggregates (over x and y without their offsets, where those keep their digits).
SELECT num_vals(r) = n AS n, abs(slope(r) - s) < 1e-12 AS slope, abs(r2(r) - rr) < 1e-12 AS r2, abs(correlation(r) - c) < 1e-12 AS correlation,
       abs(covariance(r) / cs - 1) < 1e-12 AS covariance, abs(covariance(r, 'population') / cp - 1) < 1e-12 AS covariance_pop,
       abs(average_x(r) - 1.7e9 - ax) < 1e-6 AS average_x, abs(average_y(r) - 1e9 - ay) < 1e-6 AS average_y,
       abs(stddev_x(r) / sx - 1) < 1e-12 AS stddev_x, abs(stddev_y(r, 'pop') / sy - 1) < 1e-12 AS stddev_y
FROM (SELECT regression_agg(y, x) AS r, count(*) AS n, regr_slope(y - 1e9, x - 1.7e9) AS s, regr_r2(y - 1e9, x - 1.7e9) AS rr, corr(y - 1e9, x - 1.7e9) AS c,
             covar_samp(y - 1e9, x - 1.7e9) AS cs, covar_pop(y - 1e9, x - 1.7e9) AS cp, avg(x - 1.7e9) AS ax, avg(y - 1e9) AS ay,
             stddev_samp(x - 1.7e9) AS sx, stddev_pop(y - 1e9) AS sy
      FROM public.line_points) AS q;

-- As scipy.stats.linregress and statsmodels' OLS say: points (1, 2), (2, 1), (3, 4), (4, 3), (5, 7).
CREATE TABLE public.five AS SELECT regression_agg(y, x) AS r FROM (VALUES (2, 1), (1, 2), (4, 3), (3, 4), (7, 5)) AS v(y, x);
SELECT round(slope(r)::numeric, 9) AS slope, round(intercept(r)::numeric, 9) AS intercept, round(x_intercept(r)::numeric, 9) AS x_intercept,
       round(r2(r)::numeric, 9) AS r2, round(correlation(r)::numeric, 9) AS correlation, num_vals(r) FROM public.five;
SELECT round(slope::numeric, 6) AS slope, round(slope_error::numeric, 6) AS error, round(slope_lower::numeric, 6) AS lower, round(slope_upper::numeric, 6) AS upper,
       round(intercept::numeric, 6) AS intercept, round(intercept_error::numeric, 6) AS error, round(residual_error::numeric, 6) AS residual,
       round(t::numeric, 6) AS t, df, round(p_value::numeric, 9) AS p_value
FROM public.five, regression_test(r);
SELECT x, round(prediction::numeric, 6) AS prediction, round(standard_error::numeric, 6) AS se, round(mean_lower::numeric, 6) AS mean_lower, round(mean_upper::numeric, 6) AS mean_upper,
       round(lower::numeric, 6) AS lower, round(upper::numeric, 6) AS upper
FROM public.five, unnest('{0,3,10}'::float8[]) AS x, regression_prediction(r, x);
SELECT round(slope_lower::numeric, 6) AS lower, round(slope_upper::numeric, 6) AS upper FROM public.five, regression_test(r, level => 0.9);

-- Nothing, NULLs, one point, two points, constants, a perfect fit.
SELECT regression_agg(x, x) IS NULL AS nothing, rollup(NULL::regression_summary) IS NULL AS rolled FROM generate_series(1, 0) AS x;
SELECT regression_agg(y, x) IS NULL AS nothing FROM (VALUES (1, NULL), (NULL, 2), (NULL, NULL)) AS v(y, x);
SELECT label, num_vals(r) AS n, slope(r), intercept(r), x_intercept(r), r2(r), correlation(r), covariance(r), average_x(r), average_y(r)
FROM (SELECT label, regression_agg(y, x) AS r FROM (VALUES
          (1, 'one', '{7}'::float8[], '{3}'::float8[]), (2, 'two', '{1,4}', '{0,1}'), (3, 'constant x', '{1,2,4}', '{0.1,0.1,0.1}'), (4, 'constant y', '{0.1,0.1,0.1}', '{1,2,4}'),
          (5, 'perfect', '{1000000000.1,1000000000.2,1000000000.3,1000000000.4}', '{1000000000.1,1000000000.2,1000000000.3,1000000000.4}')) AS v(at, label, ys, xs), unnest(ys, xs) AS u(y, x)
      GROUP BY at, label ORDER BY at) AS q;
SELECT label, slope_error, slope_lower, slope_upper, intercept_error, residual_error, t, df, p_value
FROM (SELECT label, regression_agg(y, x) AS r FROM (VALUES
          (1, 'one', '{7}'::float8[], '{3}'::float8[]), (2, 'two', '{1,4}', '{0,1}'), (3, 'constant x', '{1,2,4}', '{0.1,0.1,0.1}'), (4, 'constant y', '{0.1,0.1,0.1}', '{1,2,4}'),
          (5, 'perfect', '{1,4,7,10}', '{0,1,2,3}')) AS v(at, label, ys, xs), unnest(ys, xs) AS u(y, x)
      GROUP BY at, label ORDER BY at) AS q, regression_test(r);
SELECT * FROM regression_test(NULL);
SELECT * FROM regression_prediction(NULL, 1);
SELECT prediction, standard_error, lower FROM public.five, regression_prediction(r, NULL);
SELECT prediction, standard_error, lower FROM public.five, regression_prediction(r, 'Infinity');

-- NaN and infinities, next to the built-in aggregates.
SELECT label, slope(regression_agg(y, x)) AS slope, regr_slope(y, x) AS builtin, average_x(regression_agg(y, x)) AS average_x, regr_avgx(y, x) AS builtin_x,
       average_y(regression_agg(y, x)) AS average_y, stddev_x(regression_agg(y, x)) AS stddev_x, stddev_y(regression_agg(y, x)) AS stddev_y
FROM (VALUES ('x nan', '{1,2,3}'::float8[], '{1,NaN,2}'::float8[]), ('x inf', '{1,2,3}', '{1,Infinity,2}'), ('y inf', '{1,-Infinity,2}', '{1,2,3}'), ('y both', '{Infinity,-Infinity,2}', '{1,2,3}')) AS v(label, ys, xs),
     unnest(ys, xs) AS u(y, x)
GROUP BY label ORDER BY label;

-- Moving frames: equal to a fresh aggregate for each frame, also past NaN, ties, constants and spikes.
CREATE TABLE public.line_moving AS
SELECT g AS id, 1.7e9 + 3600 * g AS x,
       CASE WHEN g = 60 THEN 'NaN' WHEN g = 120 THEN 'Infinity' WHEN g % 50 = 7 THEN NULL WHEN g = 170 THEN 1e15 WHEN g BETWEEN 200 AND 230 THEN 4 ELSE ((g * 37) % 101)::float8 END AS y
FROM generate_series(1, 300) AS g;
SELECT count(*) AS frames, count(*) FILTER (WHERE num_vals(moving) IS DISTINCT FROM num_vals(fresh)) AS wrong_counts,
       count(*) FILTER (WHERE NOT coalesce(slope(moving) = slope(fresh) OR abs(slope(moving) - slope(fresh)) <= 1e-12 * abs(slope(fresh)), slope(fresh) IS NULL)) AS wrong_slope,
       count(*) FILTER (WHERE NOT coalesce(r2(moving) = r2(fresh) OR abs(r2(moving) - r2(fresh)) <= 1e-12 * abs(r2(fresh)), r2(fresh) IS NULL)) AS wrong_r2
FROM (SELECT id, regression_agg(y, x) OVER (ORDER BY id ROWS 9 PRECEDING) AS moving,
             (SELECT regression_agg(i.y, i.x) FROM public.line_moving AS i WHERE i.id BETWEEN o.id - 9 AND o.id) AS fresh
      FROM public.line_moving AS o) AS q;
SELECT id, num_vals(regression_agg(y, x) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING)) AS n FROM public.line_moving WHERE id IN (7, 57, 100, 107) ORDER BY id;

-- A forced parallel plan, FILTER and roll-ups give the answer of the serial one.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE public.line_points SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT regression_agg(y, x) FROM public.line_points;
CREATE TABLE public.line_parallel AS
SELECT station, regression_agg(y, x) AS r, regression_agg(y, x) FILTER (WHERE id < 3) AS few FROM public.line_points GROUP BY station;
EXPLAIN (COSTS OFF) SELECT rollup(r) FROM public.line_parallel;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE public.line_serial AS
SELECT station, regression_agg(y, x) AS r, regression_agg(y, x) FILTER (WHERE id < 3) AS few FROM public.line_points GROUP BY station;
SELECT station, num_vals(a.r) AS n, num_vals(a.r) = num_vals(b.r) AND abs(slope(a.r) / slope(b.r) - 1) < 1e-12 AND abs(intercept(a.r) / intercept(b.r) - 1) < 1e-12 AS close,
       num_vals(a.few) AS few, slope(a.few) IS NOT DISTINCT FROM slope(b.few) AS same_few
FROM public.line_parallel AS a JOIN public.line_serial AS b USING (station) ORDER BY station;
SELECT num_vals(rolled) = num_vals(whole) AS n, abs(slope(rolled) / slope(whole) - 1) < 1e-12 AS slope, abs(a.slope_error / b.slope_error - 1) < 1e-12 AS error, abs(a.t / b.t - 1) < 1e-12 AS t
FROM (SELECT rollup(r) AS rolled FROM public.line_serial) AS s, (SELECT regression_agg(y, x) AS whole FROM public.line_points) AS w, regression_test(rolled) AS a, regression_test(whole) AS b;

-- Text, binary and bytea forms.
SELECT regression_agg(y, x) AS line FROM (VALUES (1, 1), (3, 2)) AS v(y, x);
SELECT regression_agg(y, x) AS line FROM (VALUES ('NaN'::float8, 1::float8), (3, 'Infinity')) AS v(y, x);
SELECT bool_and(r::text::regression_summary = r) AS text, bool_and(r::bytea::regression_summary = r) AS bytea, bool_and(regression_summary_send(r) = r::bytea) AS send,
       bool_or(r <> r) AS differs, min(octet_length(r::bytea)) AS bytes FROM public.line_serial;
SELECT current_setting('data_directory') || '/regression_regress.copy' AS copy_file \gset
CREATE TEMP TABLE line_copied (LIKE public.line_serial);
COPY public.line_serial TO :'copy_file' (FORMAT binary);
COPY line_copied FROM :'copy_file' (FORMAT binary);
SELECT count(*) AS copied, bool_and(a.r = b.r) AS equal FROM line_copied AS a JOIN public.line_serial AS b USING (station);
COPY (SELECT station, substr(r::bytea, 1, 60) FROM public.line_serial) TO :'copy_file' (FORMAT binary);
COPY line_copied (station, r) FROM :'copy_file' (FORMAT binary);
\echo :LAST_ERROR_SQLSTATE
SELECT format('rm -f -- %L', :'copy_file') AS remove_file \gset
COPY (SELECT 1 WHERE false) TO PROGRAM :'remove_file';
SELECT 'nonsense'::regression_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"n":2}'::regression_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT replace(r::text, '"version":1', '"version":2')::regression_summary FROM public.five;
\echo :LAST_ERROR_SQLSTATE
SELECT replace(r::text, '"n":5', '"n":1')::regression_summary FROM public.five;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x'::bytea::regression_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x5101'::bytea::regression_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT (r::bytea || '\x00')::regression_summary FROM public.five;
\echo :LAST_ERROR_SQLSTATE
SELECT set_byte(r::bytea, 1, 9)::regression_summary FROM public.five;
\echo :LAST_ERROR_SQLSTATE

-- Arguments outside their domain; overflow.
SELECT regression_test(r, 95) FROM public.five;
\echo :LAST_ERROR_SQLSTATE
SELECT regression_prediction(r, 1, 0) FROM public.five;
\echo :LAST_ERROR_SQLSTATE
SELECT covariance(r, 'both') FROM public.five;
\echo :LAST_ERROR_SQLSTATE
SELECT regression_agg(x, 1) FROM unnest('{1e200,-1e200}'::float8[]) AS x;
\echo :LAST_ERROR_SQLSTATE

DROP TABLE public.line_points, public.five, public.line_moving, public.line_parallel, public.line_serial;
