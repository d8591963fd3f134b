-- distinct_agg, top_n_agg, rollup and what the sketches answer.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
\set VERBOSITY terse
\set SHOW_CONTEXT never

CREATE TABLE public.sketch_visits AS
SELECT g AS id, g % 4 AS station, (g * 7919::bigint) % 20011 AS guest, md5(((g * 31) % 9001)::text)::uuid AS device,
       'item ' || (40 * power(((g * 37) % 1009) / 1009.0, 4))::int AS item
FROM generate_series(1, 40000) AS g;
ANALYZE public.sketch_visits;

-- Near the exact answers: nothing is estimated up to thousands, less than 2 % beyond.
SELECT count(DISTINCT guest) AS guests, abs(distinct_count(distinct_agg(guest)) - count(DISTINCT guest)) < 0.02 * count(DISTINCT guest) AS near,
       count(DISTINCT device) AS devices, abs(distinct_count(distinct_agg(device)) - count(DISTINCT device)) < 0.02 * count(DISTINCT device) AS near_devices,
       count(DISTINCT item) AS items, distinct_count(distinct_agg(item)) AS counted
FROM public.sketch_visits;
SELECT g AS rows, distinct_count(distinct_agg(guest)) AS counted, count(DISTINCT guest) AS exact, round(distinct_error(distinct_agg(guest))::numeric, 6) AS error,
       octet_length(distinct_agg(guest)::bytea) AS bytes
FROM unnest('{1,10,1000,3072,3073}'::int[]) AS g, LATERAL (SELECT guest FROM public.sketch_visits WHERE id <= g) AS v
GROUP BY g ORDER BY g;
-- Precision: error and size.
SELECT bits, round(distinct_error(s)::numeric, 4) AS error, octet_length(s::bytea) AS bytes, abs(distinct_count(s) / 20010.0 - 1) < 3 * distinct_error(s) AS near
FROM (SELECT 4 AS bits, distinct_agg(guest, 4) AS s FROM public.sketch_visits
      UNION ALL SELECT 10, distinct_agg(guest, 10) FROM public.sketch_visits
      UNION ALL SELECT 14, distinct_agg(guest, 14) FROM public.sketch_visits
      UNION ALL SELECT 18, distinct_agg(guest, 18) FROM public.sketch_visits) AS q ORDER BY bits;
SELECT distinct_agg(guest) = distinct_agg(guest, 14) AS default_is_14, distinct_agg(device) = distinct_agg(device, 14) AS uuid, distinct_agg(item) = distinct_agg(item, 14) AS text
FROM public.sketch_visits;

-- The hash is forever: XXH64 of the bytes, as other implementations give it. The token is its upper 26 bits and the place of the first one behind.
SELECT distinct_agg(v) AS of_grill FROM (VALUES ('grill'), (NULL), ('grill')) AS q(v);
SELECT distinct_agg(v) AS of_42 FROM (VALUES (42::bigint), (42)) AS q(v);
SELECT distinct_agg(v) AS of_uuid FROM (VALUES ('00112233-4455-6677-8899-aabbccddeeff'::uuid)) AS q(v);
SELECT distinct_agg(v) = distinct_agg(v COLLATE "C") AS collation_does_not_matter FROM (VALUES ('Jalapeño'), ('jalapeño')) AS q(v);
-- Compressed and out-of-line texts have the hash of their content.
CREATE TABLE public.sketch_long (short text, long text);
ALTER TABLE public.sketch_long ALTER COLUMN long SET STORAGE external;
INSERT INTO public.sketch_long SELECT repeat(g::text, 3000), repeat(g::text, 3000) FROM generate_series(1, 20) AS g;
SELECT distinct_agg(short) = distinct_agg(long) AS same, distinct_agg(short) = distinct_agg(short || '') AS as_computed, distinct_count(distinct_agg(long)) AS n,
       top_n_agg(short, 3) = top_n_agg(long, 3) AS same_top FROM public.sketch_long;
DROP TABLE public.sketch_long;

-- Most frequent values: exact up to 32 n different ones.
SELECT t.* FROM (SELECT top_n_agg(item, 5) AS s FROM public.sketch_visits) AS q, top_n(s) AS t;
SELECT count(*) = 5 AND bool_and(t.count = e.count AND t.error = 0) AS exact
FROM (SELECT top_n_agg(item, 5) AS s FROM public.sketch_visits) AS q, top_n(s) AS t
JOIN (SELECT item, count(*) FROM public.sketch_visits GROUP BY item) AS e ON e.item = t.value;
SELECT num_vals(s), t.* FROM (SELECT top_n_agg(x, 2) AS s FROM unnest('{b,a,NULL,b,"",c,c}'::text[]) AS x) AS q, top_n(s) AS t;
-- Many different values: bounds hold, and what is in more than one of 16 n rows is there.
CREATE TABLE public.sketch_flood AS
SELECT CASE WHEN g % 10 = 3 THEN 'often' WHEN g % 25 = 4 THEN 'sometimes' ELSE 'guest ' || g END AS value FROM generate_series(1, 20000) AS g;
SELECT t.value, t.count >= e.n AS upper, t.count - t.error <= e.n AS lower, t.error <= 20000 / 32 AS small
FROM (SELECT top_n_agg(value, 2) AS s FROM public.sketch_flood) AS q, top_n(s) AS t
JOIN (SELECT value, count(*) AS n FROM public.sketch_flood GROUP BY value) AS e USING (value) ORDER BY t.count DESC;

-- Nothing, NULLs, a group that FILTER empties.
SELECT distinct_agg(x) IS NULL AS none, rollup(NULL::distinct_sketch) IS NULL AS rolled FROM unnest('{NULL,NULL}'::bigint[]) AS x;
SELECT distinct_agg(x) IS NULL AS none, distinct_agg(x, 12) IS NULL AS precise, top_n_agg(x, 3) IS NULL AS top, rollup(NULL::top_n_sketch) IS NULL AS rolled
FROM generate_series(1, 0) AS g, LATERAL (SELECT g::text AS x) AS q;
SELECT station, distinct_count(distinct_agg(guest) FILTER (WHERE id % 4 = 1)) AS guests, num_vals(top_n_agg(item, 3) FILTER (WHERE id % 4 = 1)) AS items
FROM public.sketch_visits GROUP BY station ORDER BY station;
SELECT distinct_count(NULL), distinct_error(NULL), num_vals(NULL::top_n_sketch);
SELECT * FROM top_n(NULL);

-- A frame of rows.
SELECT id, distinct_count(distinct_agg(guest) OVER frame) AS guests, num_vals(top_n_agg(item, 2) OVER frame) AS items
FROM public.sketch_visits WHERE id <= 5 WINDOW frame AS (ORDER BY id ROWS 1 PRECEDING) ORDER BY id;

-- A forced parallel plan gives the bytes of the serial one, and so does a rollup.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE public.sketch_visits SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT distinct_agg(guest), distinct_agg(item), distinct_agg(device, 11), top_n_agg(item, 5) FROM public.sketch_visits;
CREATE TABLE public.sketch_parallel AS
SELECT station, distinct_agg(guest) AS d, distinct_agg(device, 11) AS coarse, distinct_agg(guest) FILTER (WHERE id < 3) AS few, top_n_agg(item, 5) AS t
FROM public.sketch_visits GROUP BY station;
SELECT distinct_agg(guest) AS d, top_n_agg(item, 5) AS t INTO public.sketch_whole FROM public.sketch_visits;
EXPLAIN (COSTS OFF) SELECT rollup(d), rollup(t) FROM public.sketch_parallel;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE public.sketch_serial AS
SELECT station, distinct_agg(guest) AS d, distinct_agg(device, 11) AS coarse, distinct_agg(guest) FILTER (WHERE id < 3) AS few, top_n_agg(item, 5) AS t
FROM public.sketch_visits GROUP BY station;
SELECT station, a.d = b.d AS d, a.coarse = b.coarse AS coarse, coalesce(a.few = b.few, a.few IS NULL AND b.few IS NULL) AS few, a.t = b.t AS t
FROM public.sketch_parallel AS a JOIN public.sketch_serial AS b USING (station) ORDER BY station;
SELECT r.d = w.d AS d, r.t = w.t AS t, r.d = (SELECT distinct_agg(guest) FROM public.sketch_visits) AS serial
FROM (SELECT rollup(d) AS d, rollup(t) AS t FROM public.sketch_serial) AS r, public.sketch_whole AS w;
SELECT rollup(p) = (SELECT rollup(d) FROM public.sketch_serial) AS of_rollups
FROM (SELECT rollup(d) AS p FROM public.sketch_serial GROUP BY station % 2) AS q;

-- Text, binary and bytea forms.
SELECT top_n_agg(x, 1) AS t FROM unnest('{grill,"say \"hi\"",grill,Jalapeño 🌶}'::text[]) AS x;
SELECT t.value FROM (SELECT top_n_agg(x, 4)::text::top_n_sketch AS s FROM unnest('{grill,"say \"hi\"",grill,Jalapeño 🌶}'::text[]) AS x) AS q, top_n(s) AS t;
SELECT bool_and(d::text::distinct_sketch = d) AS text, bool_and(d::bytea::distinct_sketch = d) AS bytea, bool_and(distinct_sketch_send(d) = d::bytea) AS send,
       bool_and(few::text::distinct_sketch = few) AS sparse_text, bool_and(t::text::top_n_sketch = t) AS top_text, bool_and(t::bytea::top_n_sketch = t) AS top_bytea,
       bool_and(top_n_sketch_send(t) = t::bytea) AS top_send, bool_or(d <> d OR t <> t) AS differs
FROM public.sketch_serial;
SELECT current_setting('data_directory') || '/sketches_regress.copy' AS copy_file \gset
CREATE TEMP TABLE sketch_copied (LIKE public.sketch_serial);
COPY public.sketch_serial TO :'copy_file' (FORMAT binary);
COPY sketch_copied FROM :'copy_file' (FORMAT binary);
SELECT count(*) AS copied, bool_and(a.d = b.d AND a.t = b.t) AS equal FROM sketch_copied AS a JOIN public.sketch_serial AS b USING (station);
COPY (SELECT station, substr(d::bytea, 1, 60) FROM public.sketch_serial) TO :'copy_file' (FORMAT binary);
COPY sketch_copied (station, d) FROM :'copy_file' (FORMAT binary);
\echo :LAST_ERROR_SQLSTATE
COPY (SELECT station, t::bytea || '\x00' FROM public.sketch_serial) TO :'copy_file' (FORMAT binary);
COPY sketch_copied (station, t) FROM :'copy_file' (FORMAT binary);
\echo :LAST_ERROR_SQLSTATE
SELECT format('rm -f -- %L', :'copy_file') AS remove_file \gset
COPY (SELECT 1 WHERE false) TO PROGRAM :'remove_file';
-- Out of line.
ALTER TABLE sketch_copied ALTER COLUMN d SET STORAGE external;
TRUNCATE sketch_copied;
INSERT INTO sketch_copied SELECT * FROM public.sketch_serial;
SELECT rollup(d) = (SELECT rollup(d) FROM public.sketch_serial) AS toasted FROM sketch_copied;

-- Malformed text: 22P02.
SELECT 'nonsense'::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"precision_bits":14}'::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"precision_bits":14,"sparse":[129,65]}'::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"precision_bits":14,"sparse":[64]}'::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"precision_bits":4,"dense":"000000000000000000000000"}'::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":2,"precision_bits":14,"sparse":[]}'::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"n":1,"total":3,"absent":0,"counters":[["a",2,0]]}'::top_n_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"n":1,"total":3,"absent":0,"counters":[["b",1,0],["a",2,0]]}'::top_n_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"n":1,"total":36,"absent":2,"counters":[["a",3,2]]}'::top_n_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"n":0,"total":0,"absent":0,"counters":[]}'::top_n_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '{"version":1,"n":1,"total":1,"absent":0,"counters":[["a\u0000b",1,0]]}'::top_n_sketch;
\echo :LAST_ERROR_SQLSTATE
-- Malformed bytes: 22P03.
SELECT '\x'::bytea::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x54010e00ffffffff'::bytea::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x54010e000200000041000000420000'::bytea::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x54010e00020000004100000042000000'::bytea::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x54010e000100000041000000ff'::bytea::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x54011300'::bytea::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT set_byte(d::bytea, 4, 255)::distinct_sketch FROM public.sketch_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT ('\x54010401'::bytea || decode(repeat('00', 12), 'hex'))::distinct_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x5501ffffffff'::bytea::top_n_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x5501010000000100000000000000000000000000000001000000010000008001000000000000000000000000000000'::bytea::top_n_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT set_byte(t::bytea, 6, 0)::top_n_sketch FROM public.sketch_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
SELECT t::bytea::distinct_sketch FROM public.sketch_serial LIMIT 1;
\echo :LAST_ERROR_SQLSTATE
-- A damaged state that is cast only by the rollup is found there.
SELECT rollup(substr(d::bytea, 1, 20)::distinct_sketch) FROM public.sketch_serial;
\echo :LAST_ERROR_SQLSTATE

-- Arguments outside their domain.
SELECT distinct_agg(x, 3) FROM generate_series(1::bigint, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT distinct_agg(x, 19) FROM generate_series(1::bigint, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT distinct_agg(x, 1048590) FROM generate_series(1::bigint, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT distinct_agg(x, NULL) FROM generate_series(1::bigint, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT distinct_agg(x, 10 + x::int) FROM generate_series(1::bigint, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT rollup(s) FROM (SELECT d AS s FROM public.sketch_serial UNION ALL SELECT coarse FROM public.sketch_serial) AS q;
\echo :LAST_ERROR_SQLSTATE
SELECT top_n_agg(x::text, 0) FROM generate_series(1, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT top_n_agg(x::text, -1) FROM generate_series(1, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT top_n_agg(x::text, 10001) FROM generate_series(1, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT top_n_agg(x::text, NULL) FROM generate_series(1, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT top_n_agg(x::text, x) FROM generate_series(1, 3) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT rollup(s) FROM (SELECT t AS s FROM public.sketch_serial UNION ALL SELECT top_n_agg(item, 4) FROM public.sketch_visits) AS q;
\echo :LAST_ERROR_SQLSTATE
-- Long texts: refused beyond sop_ml.max_state_mb, never cut.
SET sop_ml.max_state_mb = 1;
SELECT num_vals(top_n_agg(repeat('x', 40000) || x, 1)) FROM generate_series(1, 20) AS x;
SELECT top_n_agg(repeat('x', 40000) || x, 1) FROM generate_series(1, 30) AS x;
\echo :LAST_ERROR_SQLSTATE
SELECT rollup(s) FROM (SELECT top_n_agg(repeat('x', 40000) || x, 1) AS s FROM generate_series(1, 30) AS x GROUP BY x % 3) AS q;
\echo :LAST_ERROR_SQLSTATE
RESET sop_ml.max_state_mb;

-- Another encoding: texts keep their hash, and what a sketch cannot keep is refused.
SELECT distinct_agg(v) AS in_utf8 FROM (VALUES (E'Jalape\u00f1o')) AS q(v);
SELECT current_database() AS here \gset
CREATE DATABASE sketches_regress_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
\c sketches_regress_latin1
SET client_min_messages = warning;
SET search_path = sop_ml, public;
CREATE EXTENSION sop_ml;
SELECT distinct_agg(v) AS in_latin1, distinct_agg(v) = distinct_agg(v, 14) AS same FROM (VALUES (E'Jalape\u00f1o')) AS q(v);
SELECT t.value FROM (SELECT top_n_agg(v, 1) AS s FROM (VALUES ('grill')) AS q(v)) AS q, top_n(s) AS t;
SELECT top_n_agg(v, 1) FROM (VALUES ('grill'), (E'Jalape\u00f1o')) AS q(v);
\echo :LAST_ERROR_SQLSTATE
SELECT num_vals('{"version":1,"n":1,"total":1,"absent":0,"counters":[["Jalape\u00f1o",1,0]]}'::top_n_sketch);
SELECT * FROM top_n('{"version":1,"n":1,"total":1,"absent":0,"counters":[["Jalape\u00f1o",1,0]]}'::top_n_sketch);
\echo :LAST_ERROR_SQLSTATE
SELECT E'{"version":1,"n":1,"total":1,"absent":0,"counters":[["Jalape\u00f1o",1,0]]}'::top_n_sketch;
\echo :LAST_ERROR_SQLSTATE
\c :here
DROP DATABASE sketches_regress_latin1;

DROP TABLE public.sketch_visits, public.sketch_flood, public.sketch_parallel, public.sketch_serial, public.sketch_whole;
