-- Sketches against the exact answers and against Debian's peers, side by side in one run: distinct_agg / count(distinct) / hll,
-- percentile_agg / percentile_cont / tdigest for 10,000 groups, and rollup of a million stored states; best of three runs of
-- each, run in turn, in one process and with the two workers that a server gives by default (no exact answer can use them). The bars:
-- distinct_agg and percentile_agg at least 3 times faster than the exact answer and percentile_agg faster than tdigest, errors at most
-- 2 % and 1 %, each rollup below a second.
-- Set rows beforehand for another size: psql -v rows=1000000 -f sketches.sql
\if :{?rows}
\else
\set rows 10000000
\endif
SET client_min_messages = warning;
SET work_mem = '256MB';
SET jit = off;
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'hll') AS has_hll,
       EXISTS (SELECT FROM pg_available_extensions WHERE name = 'tdigest') AS has_tdigest \gset
\if :has_hll
CREATE EXTENSION hll SCHEMA public;
\endif
\if :has_tdigest
CREATE EXTENSION tdigest SCHEMA public;
\endif

CREATE UNLOGGED TABLE public.bench_values AS
SELECT (g * 7919::bigint % 10000)::int AS grp, g % 100 AS station, (random() * 1000000)::bigint AS guest,
       60 * exp(2 * random() + random() - 1.5) AS value FROM generate_series(1, :rows) AS g;
CREATE UNLOGGED TABLE public.bench_texts AS
SELECT station, 'guest-' || guest AS guest FROM public.bench_values LIMIT :rows * 3 / 10;
VACUUM (ANALYZE) public.bench_values, public.bench_texts;
-- One state for each ten rows.
CREATE UNLOGGED TABLE public.bench_states AS
SELECT sop_ml.stats_agg(value) AS summary, sop_ml.percentile_agg(value) AS percentiles, sop_ml.distinct_agg(guest) AS distincts
FROM (SELECT row_number() OVER () / 10 AS n, value, guest FROM public.bench_values) AS q GROUP BY n;
VACUUM (ANALYZE) public.bench_states;

CREATE TEMP TABLE bench_queries (pair text, role text, statement text);
INSERT INTO bench_queries VALUES
    ('distinct, bigint', 'ours', 'SELECT sop_ml.distinct_count(sop_ml.distinct_agg(guest)) FROM public.bench_values'),
    ('distinct, bigint', 'builtin', 'SELECT count(DISTINCT guest) FROM public.bench_values'),
    ('distinct, bigint', 'hll', 'SELECT hll_cardinality(hll_add_agg(hll_hash_bigint(guest), 14)) FROM public.bench_values'),
    ('distinct, bigint, 100 groups', 'ours', 'SELECT station, sop_ml.distinct_count(sop_ml.distinct_agg(guest)) FROM public.bench_values GROUP BY station'),
    ('distinct, bigint, 100 groups', 'builtin', 'SELECT station, count(DISTINCT guest) FROM public.bench_values GROUP BY station'),
    ('distinct, bigint, 100 groups', 'hll', 'SELECT station, hll_cardinality(hll_add_agg(hll_hash_bigint(guest), 14)) FROM public.bench_values GROUP BY station'),
    ('distinct, bigint, 10000 groups', 'ours', 'SELECT grp, sop_ml.distinct_count(sop_ml.distinct_agg(guest)) FROM public.bench_values GROUP BY grp'),
    ('distinct, bigint, 10000 groups', 'builtin', 'SELECT grp, count(DISTINCT guest) FROM public.bench_values GROUP BY grp'),
    ('distinct, bigint, 10000 groups', 'hll', 'SELECT grp, hll_cardinality(hll_add_agg(hll_hash_bigint(guest), 14)) FROM public.bench_values GROUP BY grp'),
    ('distinct, text', 'ours', 'SELECT sop_ml.distinct_count(sop_ml.distinct_agg(guest)) FROM public.bench_texts'),
    ('distinct, text', 'builtin', 'SELECT count(DISTINCT guest) FROM public.bench_texts'),
    ('distinct, text', 'hll', 'SELECT hll_cardinality(hll_add_agg(hll_hash_text(guest), 14)) FROM public.bench_texts'),
    ('distinct, text, 100 groups', 'ours', 'SELECT station, sop_ml.distinct_count(sop_ml.distinct_agg(guest)) FROM public.bench_texts GROUP BY station'),
    ('distinct, text, 100 groups', 'builtin', 'SELECT station, count(DISTINCT guest) FROM public.bench_texts GROUP BY station'),
    ('distinct, text, 100 groups', 'hll', 'SELECT station, hll_cardinality(hll_add_agg(hll_hash_text(guest), 14)) FROM public.bench_texts GROUP BY station'),
    ('percentile', 'ours', 'SELECT sop_ml.approx_percentile(0.95, sop_ml.percentile_agg(value)) FROM public.bench_values'),
    ('percentile', 'builtin', 'SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY value) FROM public.bench_values'),
    ('percentile', 'tdigest', 'SELECT tdigest_percentile(value, 100, 0.95) FROM public.bench_values'),
    ('percentile, 10000 groups', 'ours', 'SELECT grp, sop_ml.approx_percentile(0.95, sop_ml.percentile_agg(value)) FROM public.bench_values GROUP BY grp'),
    ('percentile, 10000 groups', 'builtin', 'SELECT grp, percentile_cont(0.95) WITHIN GROUP (ORDER BY value) FROM public.bench_values GROUP BY grp'),
    ('percentile, 10000 groups', 'tdigest', 'SELECT grp, tdigest_percentile(value, 100, 0.95) FROM public.bench_values GROUP BY grp'),
    ('top 10, text', 'ours', 'SELECT sop_ml.top_n_agg(station::text, 10) FROM public.bench_texts'),
    ('top 10, text', 'builtin', 'SELECT station::text, count(*) FROM public.bench_texts GROUP BY 1 ORDER BY 2 DESC LIMIT 10'),
    ('rollup of stored stats_summary', 'ours', 'SELECT sop_ml.rollup(summary) FROM public.bench_states'),
    ('rollup of stored percentile_sketch', 'ours', 'SELECT sop_ml.rollup(percentiles) FROM public.bench_states'),
    ('rollup of stored distinct_sketch', 'ours', 'SELECT sop_ml.rollup(distincts) FROM public.bench_states');
DELETE FROM bench_queries
WHERE role IN ('hll', 'tdigest') AND role NOT IN (SELECT extname FROM pg_extension);

CREATE TEMP TABLE bench_times (pair text, workers int, role text, seconds float8);
DO $$
DECLARE
    query record;
    started timestamptz;
BEGIN
    -- The rounds of ours and of the others are interleaved, so that a busy machine slows all.
    FOR round IN 1..3 LOOP
        FOR query IN SELECT q.*, w.workers FROM bench_queries AS q, (VALUES (0), (2)) AS w (workers)
                     WHERE w.workers = 0 OR q.pair ~ '^(distinct|percentile)' ORDER BY pair, workers, role LOOP
            PERFORM set_config('max_parallel_workers_per_gather', query.workers::text, false);
            started := clock_timestamp();
            EXECUTE query.statement;
            INSERT INTO bench_times
            VALUES (query.pair, query.workers, query.role, extract(epoch FROM clock_timestamp() - started));
        END LOOP;
    END LOOP;
END
$$;

SELECT pair, workers, round(ours::numeric, 3) AS ours_s, round(builtin::numeric, 3) AS exact_s,
       round((builtin / ours)::numeric, 2) AS times_faster,
       CASE WHEN pair LIKE 'rollup%' OR pair LIKE 'top%' THEN ''
            ELSE coalesce(round(peer::numeric, 3)::text, 'not installed') END AS peer_s,
       round((peer / ours)::numeric, 2) AS than_peer
FROM (SELECT pair, workers, min(seconds) FILTER (WHERE role = 'ours') AS ours, min(seconds) FILTER (WHERE role = 'builtin') AS builtin,
             min(seconds) FILTER (WHERE role IN ('hll', 'tdigest')) AS peer
      FROM bench_times GROUP BY pair, workers) AS best
ORDER BY pair, workers;
SELECT count(*) AS stored_states, round(avg(octet_length(summary::bytea))) AS summary_bytes,
       round(avg(octet_length(percentiles::bytea))) AS percentile_bytes, round(avg(octet_length(distincts::bytea))) AS distinct_bytes
FROM public.bench_states;

-- Errors against the exact answers.
\set hll_whole 'NULL::float8'
\set tdigest_group 'NULL::float8'
\if :has_hll
\set hll_whole 'hll_cardinality(hll_add_agg(hll_hash_bigint(guest), 14))'
\endif
\if :has_tdigest
\set tdigest_group 'tdigest_percentile(value, 100, 0.95)'
\endif
CREATE TEMP TABLE bench_errors AS
SELECT 1 AS i, 'distinct, all rows' AS answer, NULL::int AS grp, count(DISTINCT guest)::float8 AS exact,
       sop_ml.distinct_count(sop_ml.distinct_agg(guest))::float8 AS ours, :hll_whole AS peer FROM public.bench_values
UNION ALL
SELECT 2, 'distinct, 100 groups', station, count(DISTINCT guest), sop_ml.distinct_count(sop_ml.distinct_agg(guest)), :hll_whole
FROM public.bench_values GROUP BY station
UNION ALL
SELECT 3, 'distinct, 10000 groups', grp, count(DISTINCT guest), sop_ml.distinct_count(sop_ml.distinct_agg(guest)), :hll_whole
FROM public.bench_values GROUP BY grp
UNION ALL
SELECT 4, 'percentile 0.95, 10000 groups', grp, percentile_cont(0.95) WITHIN GROUP (ORDER BY value),
       sop_ml.approx_percentile(0.95, sop_ml.percentile_agg(value)), :tdigest_group
FROM public.bench_values GROUP BY grp;
SELECT answer, to_char(100 * max(abs(ours / exact - 1)), '990.000') || ' %' AS worst_error,
       to_char(100 * sqrt(avg((ours / exact - 1) ^ 2)), '990.000') || ' %' AS typical_error,
       coalesce(to_char(100 * max(abs(peer / exact - 1)), '990.000') || ' %', 'not installed') AS worst_error_of_peer
FROM bench_errors GROUP BY i, answer ORDER BY i;
