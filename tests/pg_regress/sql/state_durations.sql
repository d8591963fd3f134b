-- state_duration_agg and what the states of a run answer.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
SET intervalstyle = 'postgres';
\set VERBOSITY terse
\set SHOW_CONTEXT never

CREATE TABLE public.state_rows (run int, state text, at timestamptz);
INSERT INTO public.state_rows VALUES
    (1, 'prep', '2026-03-02 10:00'), (1, 'cook', '2026-03-02 10:10'), (1, 'cook', '2026-03-02 10:14'), (1, 'prep', '2026-03-02 10:30'), (1, 'serve', '2026-03-02 10:35'),
    (2, 'prep', '2026-03-02 11:00'), (2, 'cook', '2026-03-02 11:05'), (2, NULL, '2026-03-02 11:06'), (2, 'serve', NULL),
    (3, 'closed', '2026-03-28 20:00'), (3, 'open', '2026-03-29 08:00'), (3, 'closed', '2026-03-30 20:00');

-- Time in states; the last one is open unless the caller says until when.
SELECT run, duration_in(s, 'prep') AS prep, duration_in(s, 'cook') AS cook, duration_in(s, 'serve') AS serve, duration_in(s, 'clean') AS clean, duration_in(s, 'open') AS open
FROM (SELECT run, state_duration_agg(state, at) AS s FROM public.state_rows GROUP BY run) AS q ORDER BY run;
SELECT run, d.* FROM (SELECT run, state_duration_agg(state, at) AS s FROM public.state_rows GROUP BY run) AS q, state_durations(s) AS d ORDER BY run, state;
SELECT run, d.* FROM (SELECT run, state_duration_agg(state, at) AS s FROM public.state_rows WHERE run < 3 GROUP BY run) AS q, state_durations(s, until => '2026-03-02 12:00') AS d ORDER BY run, state;
SELECT run, d.* FROM (SELECT run, state_duration_agg(state, at) AS s FROM public.state_rows GROUP BY run) AS q, state_transitions(s) AS d ORDER BY run, from_state, to_state;
SELECT run, d.* FROM (SELECT run, state_duration_agg(state, at) AS s FROM public.state_rows GROUP BY run) AS q, state_timeline(s) AS d ORDER BY run, start_time;
SELECT d.* FROM (SELECT state_duration_agg(state, at) AS s FROM public.state_rows WHERE run = 2) AS q, state_timeline(s, until => '2026-03-02 11:30') AS d;
SELECT duration_in(s, 'cook', '2026-03-02 11:30') AS cook FROM (SELECT state_duration_agg(state, at) AS s FROM public.state_rows WHERE run = 2) AS q;
-- A state that is only said again lasts until its last row.
SELECT duration_in(state_duration_agg('up', at), 'up') FROM generate_series(timestamptz '2026-01-01', '2026-01-03', '1 hour') AS at;

-- The order of rows does not matter, and rows said twice change nothing.
SELECT bool_and(s = (SELECT state_duration_agg(state, at ORDER BY at) FROM public.state_rows WHERE run = 1)) AS same
FROM (SELECT state_duration_agg(state, at ORDER BY at DESC) AS s FROM public.state_rows WHERE run = 1
      UNION ALL SELECT state_duration_agg(state, at ORDER BY md5(at::text)) FROM public.state_rows WHERE run = 1
      UNION ALL SELECT state_duration_agg(state, at) FROM (TABLE public.state_rows UNION ALL TABLE public.state_rows) AS twice WHERE run = 1) AS q;
-- Over a moving frame.
SELECT at, duration_in(state_duration_agg(state, at) OVER (ORDER BY at ROWS 2 PRECEDING), 'cook') AS cook FROM public.state_rows WHERE run = 1 ORDER BY at;

-- Nothing, NULLs, one row.
SELECT state_duration_agg(state, at) IS NULL AS nothing FROM public.state_rows WHERE run = 9;
SELECT state_duration_agg(state, at) IS NULL AS nothing FROM (VALUES (NULL, now()), ('a', NULL)) AS v(state, at);
SELECT run, state_duration_agg(state, at) FILTER (WHERE run = 2) IS NULL AS nothing FROM public.state_rows GROUP BY run ORDER BY run;
SELECT d.* FROM (SELECT state_duration_agg('only', '2026-01-01') AS s) AS q, state_durations(s) AS d;
SELECT duration_in(NULL, 'a'), duration_in(s, NULL) FROM (SELECT state_duration_agg('only', '2026-01-01') AS s) AS q;
SELECT (SELECT count(*) FROM state_durations(NULL::state_durations)) AS durations, (SELECT count(*) FROM state_transitions(NULL)) AS transitions, (SELECT count(*) FROM state_timeline(NULL)) AS timeline;

-- No plan splits a group: neither parallel nor partition-wise.
CREATE TABLE public.state_parts (run int, state text, at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE public.state_parts_1 PARTITION OF public.state_parts FOR VALUES FROM ('2026-01-01') TO ('2026-03-02 10:12');
CREATE TABLE public.state_parts_2 PARTITION OF public.state_parts FOR VALUES FROM ('2026-03-02 10:12') TO ('2027-01-01');
INSERT INTO public.state_parts SELECT * FROM public.state_rows WHERE at IS NOT NULL;
ANALYZE public.state_parts;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SET enable_partitionwise_aggregate = on;
EXPLAIN (COSTS OFF) SELECT state_duration_agg(state, at) FROM public.state_parts;
SELECT run, s = (SELECT state_duration_agg(state, at) FROM public.state_rows AS r WHERE r.run = q.run) AS same
FROM (SELECT run, state_duration_agg(state, at) AS s FROM public.state_parts GROUP BY run) AS q ORDER BY run;
RESET max_parallel_workers_per_gather;

-- Text, binary and bytea forms.
CREATE TABLE public.state_stored AS SELECT run, state_duration_agg(state, at) AS s FROM public.state_rows GROUP BY run;
SELECT s FROM public.state_stored WHERE run = 2;
SELECT s::bytea FROM public.state_stored WHERE run = 2;
SELECT bool_and(s::text::state_durations = s) AS text, bool_and(s::bytea::state_durations = s) AS bytea, bool_and(state_durations_send(s) = s::bytea) AS send, bool_or(s <> s) AS differs FROM public.state_stored;
SELECT current_setting('data_directory') || '/states_regress.copy' AS copy_file \gset
CREATE TEMP TABLE state_copied (LIKE public.state_stored);
COPY public.state_stored TO :'copy_file' (FORMAT binary);
COPY state_copied FROM :'copy_file' (FORMAT binary);
SELECT count(*) AS copied, bool_and(a.s = b.s) AS equal FROM state_copied AS a JOIN public.state_stored AS b USING (run);
COPY (SELECT run, substr(s::bytea, 1, 20) FROM public.state_stored) TO :'copy_file' (FORMAT binary);
COPY state_copied (run, s) FROM :'copy_file' (FORMAT binary);
\echo :LAST_ERROR_SQLSTATE
SELECT format('rm -f -- %L', :'copy_file') AS remove_file \gset
COPY (SELECT 1 WHERE false) TO PROGRAM :'remove_file';
SELECT 'nonsense'::state_durations;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"states":[],"visits":[],"last":0}'::state_durations;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"states":["a","b"],"visits":[[5,0],[3,1]],"last":5}'::state_durations;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"states":["a\u0000"],"visits":[[5,0]],"last":5}'::state_durations;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"states":["a"],"visits":[[5,0]],"last":9223372036854775807}'::state_durations;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x5701ffffffff'::bytea::state_durations;
\echo :LAST_ERROR_SQLSTATE
SELECT set_byte(s::bytea, 1, 2)::state_durations FROM public.state_stored WHERE run = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT set_byte(s::bytea, 10, 255)::state_durations FROM public.state_stored WHERE run = 1;
\echo :LAST_ERROR_SQLSTATE

-- Rows and arguments that cannot be.
SELECT state_duration_agg(state, '2026-01-01') FROM (VALUES ('a'), ('b')) AS v(state);
\echo :LAST_ERROR_SQLSTATE
SELECT state_duration_agg('a', 'infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT state_duration_agg('a', '-infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT duration_in(s, 'cook', '2026-03-02 10:00') FROM public.state_stored WHERE run = 2;
\echo :LAST_ERROR_SQLSTATE
SELECT state_durations(s, 'infinity') FROM public.state_stored WHERE run = 2;
\echo :LAST_ERROR_SQLSTATE
SELECT state_timeline(s, '-infinity') FROM public.state_stored WHERE run = 2;
\echo :LAST_ERROR_SQLSTATE
SELECT duration_in(state_duration_agg(state, at), 'a') FROM (VALUES ('a', timestamptz '4713-01-01 BC'), ('b', '294276-12-31')) AS v(state, at);
\echo :LAST_ERROR_SQLSTATE
-- Memory is bounded.
SET sop_ml.max_state_mb = 1;
SELECT state_duration_agg((i % 3)::text, timestamptz '2026-01-01' + i * interval '1 second') FROM generate_series(1, 100000) AS i;
\echo :LAST_ERROR_SQLSTATE
SELECT state_duration_agg(repeat('x', 600000), '2026-01-01');
\echo :LAST_ERROR_SQLSTATE
RESET sop_ml.max_state_mb;
SELECT sum(visits) AS visits, sum(duration) AS duration FROM (SELECT state_duration_agg((i % 3)::text, timestamptz '2026-01-01' + (i * 7919 % 100003) * interval '1 second') AS s FROM generate_series(1, 100000) AS i) AS q, state_durations(s);

DROP TABLE public.state_rows, public.state_parts, public.state_stored;
