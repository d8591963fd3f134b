-- stats_agg against PostgreSQL's stddev, percentile_agg against percentile_cont: the same rows, the same run, one worker
-- process (parallelism would help both alike), median of five after one warm-up.
\set QUIET on
SET max_parallel_workers_per_gather = 0;
SET search_path = sop_ml, public;

CREATE TEMP TABLE observation AS
    SELECT i % 100 AS sop, (i * 0.6180339887498949) % 1 + 0.001 AS value FROM generate_series(1, 2000000) AS i;
ANALYZE observation;

CREATE FUNCTION pg_temp.median_ms(statement text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    times float8[] := '{}';
    started timestamptz;
BEGIN
    FOR round IN 0..5 LOOP
        started := clock_timestamp();
        EXECUTE statement;
        IF round > 0 THEN
            times := times || extract(epoch FROM clock_timestamp() - started)::float8 * 1000;
        END IF;
    END LOOP;
    RETURN (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times) AS t);
END
$$;

CREATE TEMP TABLE result AS
SELECT question, builtin, ours, pg_temp.median_ms(builtin) AS builtin_ms, pg_temp.median_ms(ours) AS ours_ms
FROM (VALUES
    ('standard deviation, 2 M rows',
     'SELECT stddev(value) FROM observation',
     'SELECT stddev(stats_agg(value)) FROM observation'),
    ('standard deviation by SOP, 2 M rows, 100 groups',
     'SELECT sop, stddev(value) FROM observation GROUP BY sop',
     'SELECT sop, stddev(stats_agg(value)) FROM observation GROUP BY sop'),
    ('95th percentile, 2 M rows',
     'SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY value) FROM observation',
     'SELECT approx_percentile(0.95, percentile_agg(value)) FROM observation'),
    ('95th percentile by SOP, 2 M rows, 100 groups',
     'SELECT sop, percentile_cont(0.95) WITHIN GROUP (ORDER BY value) FROM observation GROUP BY sop',
     'SELECT sop, approx_percentile(0.95, percentile_agg(value)) FROM observation GROUP BY sop')
) AS pair (question, builtin, ours);

SELECT question, round(builtin_ms::numeric, 1) AS builtin_ms, round(ours_ms::numeric, 1) AS ours_ms,
       round((ours_ms / builtin_ms)::numeric, 2) AS "ours/builtin"
FROM result;

SELECT 'relative error of approx_percentile(0.95)' AS question,
       round(abs(a.approximate / a.exact - 1)::numeric, 5) AS answer
FROM (SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY value) AS exact,
             approx_percentile(0.95, percentile_agg(value)) AS approximate FROM observation) AS a;
