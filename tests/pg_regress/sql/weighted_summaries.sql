-- stats_agg(value, weight): weighted summaries and what every accessor says of them.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
\set VERBOSITY terse
\set SHOW_CONTEXT never

CREATE TABLE public.weighted_rows AS
SELECT g AS id, g % 3 AS station, ((g * 7919) % 1009)::float8 / 8 AS value, (1 + (g * 31) % 17)::float8 / 4 AS weight
FROM generate_series(1, 3000) AS g;
ANALYZE public.weighted_rows;

-- The sums that define them.
SELECT num_vals(s) = n AS n, abs(sum_weights(s) - w) < 1e-9 AS weights, abs(effective_size(s) - w * w / w2) < 1e-6 AS effective,
       abs(sum(s) - wx) < 1e-6 AS sum, abs(average(s) - wx / w) < 1e-9 AS mean, min_val(s) = lowest AS min, max_val(s) = highest AS max
FROM (SELECT stats_agg(value, weight) AS s, count(*) AS n, pg_catalog.sum(weight) AS w, pg_catalog.sum(weight * weight) AS w2,
             pg_catalog.sum(weight * value) AS wx, min(value) AS lowest, max(value) AS highest
      FROM public.weighted_rows) AS q;
-- As DescrStatsW of statsmodels (population, frequency) and numpy.cov(aweights) (sample) have them.
SELECT round(average(s)::numeric, 9) AS mean, round(variance(s, 'population')::numeric, 9) AS population, round(variance(s)::numeric, 9) AS sample,
       round(variance(s, 'frequency')::numeric, 9) AS frequency, round(stddev(s)::numeric, 9) AS stddev
FROM (SELECT stats_agg(x, w) AS s FROM (VALUES (1, 3), (2.5, 1), (7, 2), (7.5, 4), (-3, 5)) AS v(x, w)) AS q;
-- Counts: the frequency method is that of the repeated rows.
SELECT variance(counted, 'freq') - variance(repeated) AS variance, round((skewness(counted, 'frequency') - skewness(repeated))::numeric, 12) AS skewness,
       round((kurtosis(counted, 'frequency') - kurtosis(repeated))::numeric, 12) AS kurtosis, variance(repeated, 'frequency') = variance(repeated) AS same,
       sum_weights(repeated), effective_size(repeated)
FROM (SELECT stats_agg(x, w) AS counted FROM (VALUES (1, 3), (2.5, 1), (7, 2), (7.5, 4)) AS v(x, w)) AS a,
     (SELECT stats_agg(x) AS repeated FROM unnest('{1,1,1,2.5,7,7,7.5,7.5,7.5,7.5}'::float8[]) AS x) AS b;
SELECT round(mean::numeric, 9) AS mean, round(standard_error::numeric, 9) AS se, round(lower::numeric, 9) AS lower, round(upper::numeric, 9) AS upper
FROM (SELECT stats_agg(x, w) AS s FROM (VALUES (1, 3), (2.5, 1), (7, 2), (7.5, 4)) AS v(x, w)) AS q, unnest('{sample,frequency}'::text[]) AS m,
     confidence_interval(s, method => m);
-- The scale of weights matters to sums and to the frequency method alone.
SELECT round((variance(a) / variance(b))::numeric, 12) AS variance, round((kurtosis(a) / kurtosis(b))::numeric, 12) AS kurtosis,
       round((effective_size(a) / effective_size(b))::numeric, 12) AS effective, round((x.upper / y.upper)::numeric, 12) AS upper,
       round((sum(b) / sum(a))::numeric, 9) AS sum, round((t.p_value)::numeric, 9) AS p_value
FROM (SELECT stats_agg(value, weight) AS a, stats_agg(value, weight * 1000) AS b FROM public.weighted_rows) AS q,
     confidence_interval(a) AS x, confidence_interval(b) AS y, welch_t_test(a, b) AS t;

-- Nothing, NULLs, zero weights, one row, a constant.
SELECT stats_agg(x, x) IS NULL AS nothing FROM generate_series(1, 0) AS x;
SELECT stats_agg(x, w) IS NULL AS nothing FROM (VALUES (1::float8, NULL::float8), (NULL, 2), (NULL, NULL), (5, 0), ('NaN', 0), (3, 1e-70)) AS v(x, w);
SELECT num_vals(s), average(s), variance(s), variance(s, 'population'), variance(s, 'frequency'), skewness(s), sum_weights(s), effective_size(s), c.*
FROM (SELECT stats_agg(x, w) AS s FROM (VALUES (NULL, 2), (7.5, 0.5), (1, 0)) AS v(x, w)) AS q, confidence_interval(s) AS c;
SELECT num_vals(s), average(s), variance(s), skewness(s), kurtosis(s, 'population'), c.*
FROM (SELECT stats_agg(0.1::float8, 0.3 * g) AS s FROM generate_series(1, 10) AS g) AS q, confidence_interval(s) AS c;
-- NaN and infinities.
SELECT label, average(s), sum(s), stddev(s), min_val(s), max_val(s), sum_weights(s)
FROM (SELECT label, stats_agg(x, 2) AS s FROM (VALUES ('nan', '{1,NaN,2}'::float8[]), ('inf', '{1,Infinity,2}'), ('both', '{Infinity,-Infinity,3}')) AS v(label, xs), unnest(xs) AS x
      GROUP BY label) AS q ORDER BY label;
-- An offset costs no digits, also in merges.
SELECT round((kurtosis(moved) - kurtosis(plain))::numeric, 10) AS whole, round((kurtosis(merged) - kurtosis(plain))::numeric, 10) AS merged,
       round((variance(merged) - variance(plain))::numeric, 9) AS variance
FROM (SELECT stats_agg(value, weight) AS plain, stats_agg(value + 1e9, weight) AS moved FROM public.weighted_rows) AS q,
     (SELECT rollup(s) AS merged FROM (SELECT stats_agg(value + 1e9, weight) AS s FROM public.weighted_rows GROUP BY station) AS g) AS r;

-- With and without weights: a value without one has weight 1.
SELECT num_vals(s), sum_weights(s), sum(s), effective_size(s)
FROM (SELECT rollup(part) AS s FROM (SELECT stats_agg(x) AS part FROM generate_series(1, 3) AS x UNION ALL SELECT stats_agg(x, 2) FROM generate_series(4, 5) AS x) AS p) AS q;

-- A forced parallel plan, FILTER and roll-ups give the answer of the serial one.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE public.weighted_rows SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT stats_agg(value, weight) FROM public.weighted_rows;
CREATE TABLE public.weighted_parallel AS
SELECT station, stats_agg(value, weight) AS s, stats_agg(value, weight) FILTER (WHERE id < 3) AS few FROM public.weighted_rows GROUP BY station;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE public.weighted_serial AS
SELECT station, stats_agg(value, weight) AS s, stats_agg(value, weight) FILTER (WHERE id < 3) AS few FROM public.weighted_rows GROUP BY station;
SELECT station, num_vals(a.s) AS n, num_vals(a.s) = num_vals(b.s) AND min_val(a.s) = min_val(b.s) AND max_val(a.s) = max_val(b.s) AS same,
       abs(stddev(a.s) - stddev(b.s)) < 1e-9 AND abs(kurtosis(a.s) - kurtosis(b.s)) < 1e-9 AND abs(effective_size(a.s) - effective_size(b.s)) < 1e-9 AS close,
       num_vals(a.few) AS few, a.few::text IS NOT DISTINCT FROM b.few::text AS same_few
FROM public.weighted_parallel AS a JOIN public.weighted_serial AS b USING (station) ORDER BY station;
SELECT num_vals(rolled) = num_vals(whole) AS n, abs(sum(rolled) - sum(whole)) < 1e-6 AS sum, abs(variance(rolled) - variance(whole)) < 1e-9 AS variance,
       abs(skewness(rolled) - skewness(whole)) < 1e-9 AS skewness
FROM (SELECT rollup(s) AS rolled FROM public.weighted_serial) AS r, (SELECT stats_agg(value, weight) AS whole FROM public.weighted_rows) AS w;
-- Moving frames: computed anew, with the same answer.
SELECT count(*) AS frames, count(*) FILTER (WHERE moving::text IS DISTINCT FROM fresh::text) AS wrong
FROM (SELECT stats_agg(value, weight) OVER (ORDER BY id ROWS 9 PRECEDING) AS moving,
             (SELECT stats_agg(i.value, i.weight) FROM (SELECT * FROM public.weighted_rows AS i WHERE i.id BETWEEN o.id - 9 AND o.id ORDER BY i.id) AS i) AS fresh
      FROM public.weighted_rows AS o WHERE id <= 100) AS q;

-- Layout: version 2 where there are weights, version 1 as ever where there are none; both are read.
SELECT get_byte(s::bytea, 1) AS version, octet_length(s::bytea) AS bytes, s::text::stats_summary = s AS text, s::bytea::stats_summary = s AS bytea,
       stats_summary_send(s) = s::bytea AS send, s = plain AS is_plain, get_byte(plain::bytea, 1) AS plain_version
FROM (SELECT stats_agg(x, 1) AS s, stats_agg(x) AS plain FROM generate_series(1, 4) AS x) AS q;
SELECT stats_agg(x, w) AS summary FROM (VALUES (1, 0.5), (4, 2)) AS v(x, w);
SELECT num_vals(s), average(s), variance(s), s = stats_agg FROM (SELECT '\x5101020000000000000000000000000010400000000000000000000000000000004000000000000000000000000000000040000000000000f03f0000000000000840'::bytea::stats_summary AS s) AS old, (SELECT stats_agg(x) FROM unnest('{1,3}'::float8[]) AS x) AS fresh;
SELECT '{"version":1,"n":1,"sum":1,"sum_low":0,"m2":0,"m3":0,"m4":0,"min":1,"max":1,"weight_sum":1,"weight_sum_low":0,"weight_squares":1,"weight_pairs":0}'::stats_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":2,"n":1,"sum":1,"sum_low":0,"m2":0,"m3":0,"m4":0,"min":1,"max":1,"weight_sum":-1,"weight_sum_low":0,"weight_squares":1,"weight_pairs":0}'::stats_summary;
\echo :LAST_ERROR_SQLSTATE
SELECT set_byte(s::bytea, 1, 1)::stats_summary FROM public.weighted_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT set_byte(s::bytea, 1, 3)::stats_summary FROM public.weighted_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT substr(s::bytea, 1, 66)::stats_summary FROM public.weighted_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE

-- Weights that say nothing; overflow.
SELECT stats_agg(1, -1);
\echo :LAST_ERROR_SQLSTATE
SELECT stats_agg(x, w) FROM (VALUES (1, 1), (2, 'NaN'::float8)) AS v(x, w);
\echo :LAST_ERROR_SQLSTATE
SELECT stats_agg(1, 'Infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT stats_agg(1, 1e70);
\echo :LAST_ERROR_SQLSTATE
SELECT stats_agg(x, 1) FROM unnest('{1e200,-1e200}'::float8[]) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT confidence_interval(s, 0.95, 'population') FROM public.weighted_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT variance(s, 'weights') FROM public.weighted_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE

DROP TABLE public.weighted_rows, public.weighted_parallel, public.weighted_serial;
