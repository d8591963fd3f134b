-- stats_agg against avg and stddev, percentile_agg against percentile_cont: 10 million rows, serial and parallel, with the
-- best of three runs of each, run in turn. The bars: stats_agg at most 1.2 times, percentile_agg at least 3 times faster.
-- Without a bar: weighted stats_agg beside the three sums that a weighted mean and variance take, regression_agg beside
-- regr_slope, and a slope over a moving frame of 1000 rows beside one of 10 (the cost of a row must not grow).
-- Set rows beforehand for another size: psql -v rows=1000000 -f statistics.sql
\if :{?rows}
\else
\set rows 10000000
\endif
SET client_min_messages = warning;
SET work_mem = '256MB';
SET jit = off;
CREATE UNLOGGED TABLE public.bench_values AS
SELECT g % 100 AS station, 60 * exp(2 * random() + random() - 1.5) AS value FROM generate_series(1, :rows) AS g;
VACUUM (ANALYZE) public.bench_values;

CREATE TEMP TABLE bench_queries (pair text, role text, workers int, statement text);
INSERT INTO bench_queries
SELECT pair || CASE workers WHEN 0 THEN '' ELSE ', 2 workers' END, role, workers, statement
FROM (VALUES
    ('stats_agg / avg + stddev', 'ours', 'SELECT sop_ml.stats_agg(value) FROM public.bench_values'),
    ('stats_agg / avg + stddev', 'builtin', 'SELECT avg(value), stddev(value) FROM public.bench_values'),
    ('stats_agg / avg + stddev, 100 groups', 'ours', 'SELECT station, sop_ml.stats_agg(value) FROM public.bench_values GROUP BY station'),
    ('stats_agg / avg + stddev, 100 groups', 'builtin', 'SELECT station, avg(value), stddev(value) FROM public.bench_values GROUP BY station'),
    ('percentile_agg / percentile_cont', 'ours', 'SELECT sop_ml.approx_percentile(0.95, sop_ml.percentile_agg(value)) FROM public.bench_values'),
    ('percentile_agg / percentile_cont', 'builtin', 'SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY value) FROM public.bench_values'),
    ('percentile_agg / percentile_cont, 100 groups', 'ours', 'SELECT station, sop_ml.approx_percentile(0.95, sop_ml.percentile_agg(value)) FROM public.bench_values GROUP BY station'),
    ('percentile_agg / percentile_cont, 100 groups', 'builtin', 'SELECT station, percentile_cont(0.95) WITHIN GROUP (ORDER BY value) FROM public.bench_values GROUP BY station'),
    ('weighted stats_agg / three sums', 'ours', 'SELECT sop_ml.stats_agg(value, value) FROM public.bench_values'),
    ('weighted stats_agg / three sums', 'builtin', 'SELECT sum(value), sum(value * value), sum(value * value * value) FROM public.bench_values'),
    ('regression_agg / regr_slope + regr_r2', 'ours', 'SELECT sop_ml.regression_agg(value, station) FROM public.bench_values'),
    ('regression_agg / regr_slope + regr_r2', 'builtin', 'SELECT regr_slope(value, station), regr_r2(value, station) FROM public.bench_values'),
    ('slope, frame of 1000 / frame of 10', 'ours', 'SELECT count(sop_ml.slope(r)) FROM (SELECT sop_ml.regression_agg(value, station) OVER (ROWS 999 PRECEDING) AS r FROM (SELECT * FROM public.bench_values LIMIT 300000) AS few) AS q'),
    ('slope, frame of 1000 / frame of 10', 'builtin', 'SELECT count(sop_ml.slope(r)) FROM (SELECT sop_ml.regression_agg(value, station) OVER (ROWS 9 PRECEDING) AS r FROM (SELECT * FROM public.bench_values LIMIT 300000) AS few) AS q')
) AS q(pair, role, statement), (VALUES (0), (2)) AS w(workers);

CREATE TEMP TABLE bench_times (pair text, role text, seconds float8);
DO $$
DECLARE
    query record;
    started timestamptz;
BEGIN
    -- The serial and parallel rounds are interleaved with those of the peer, so that a busy machine slows both.
    FOR round IN 1..3 LOOP
        FOR query IN SELECT * FROM bench_queries ORDER BY pair, role LOOP
            PERFORM set_config('max_parallel_workers_per_gather', query.workers::text, true);
            started := clock_timestamp();
            EXECUTE query.statement;
            INSERT INTO bench_times
            VALUES (query.pair, query.role, extract(epoch FROM clock_timestamp() - started));
        END LOOP;
    END LOOP;
END
$$;

SELECT pair, round(ours::numeric, 3) AS ours_s, round(builtin::numeric, 3) AS builtin_s,
       round((ours / builtin)::numeric, 3) AS ratio, round((builtin / ours)::numeric, 2) AS times_faster
FROM (SELECT pair, min(seconds) FILTER (WHERE role = 'ours') AS ours,
             min(seconds) FILTER (WHERE role = 'builtin') AS builtin
      FROM bench_times GROUP BY pair) AS best
ORDER BY pair;

SELECT f AS fraction, abs(approx - exact) / exact AS relative_error
FROM unnest('{0.01,0.5,0.95,0.99,0.999}'::float8[]) WITH ORDINALITY AS q(f, i),
     (SELECT sop_ml.approx_percentile_array('{0.01,0.5,0.95,0.99,0.999}', sop_ml.percentile_agg(value)) AS a,
             percentile_cont('{0.01,0.5,0.95,0.99,0.999}'::float8[]) WITHIN GROUP (ORDER BY value) AS e
      FROM public.bench_values) AS r,
     LATERAL (SELECT a[i] AS approx, e[i] AS exact) AS v;
