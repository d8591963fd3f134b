-- Many observations in one call: what is taken, what is replaced, what is not taken and why.
\set VERBOSITY terse
SET timezone = 'UTC';
SET search_path = sop_ml, public;
CREATE ROLE ingest_analyst LOGIN;
CREATE ROLE ingest_staff LOGIN;
GRANT sop_ml_analyst TO ingest_analyst;
GRANT sop_ml_staff TO ingest_staff;
INSERT INTO sop_restaurants (restaurant_id, name) VALUES
    ('00000000-0000-0000-0000-0000000a4001', 'Own'), ('00000000-0000-0000-0000-0000000a4002', 'Other');
INSERT INTO sop_restaurant_members (restaurant_id, role_name, access_level) VALUES
    ('00000000-0000-0000-0000-0000000a4001', 'ingest_analyst', 'analyst'),
    ('00000000-0000-0000-0000-0000000a4001', 'ingest_staff', 'staff');

SET ROLE ingest_analyst;
-- Three new ones, one of them twice in the call.
SELECT * FROM ingest_observations(NULL, '{fridge,fridge,oven,fridge}', NULL,
    '{2026-03-01 10:00+00,2026-03-01 10:01+00,2026-03-01 10:00+00,2026-03-01 10:00+00}', '{4.0,4.1,180,4.2}',
    '{"source": "probe 1", "unit": "celsius", "dimensions": {"shelf": 2}}');
-- The same again: one value differs.
SELECT * FROM ingest_observations(NULL, '{fridge,fridge,oven}', NULL,
    '{2026-03-01 10:00+00,2026-03-01 10:01+00,2026-03-01 10:00+00}', '{4.2,9.9,180}',
    '{"source": "probe 1", "unit": "celsius", "dimensions": {"shelf": 2}}');
-- Who came first is right.
SELECT * FROM ingest_observations(NULL, '{fridge,fridge}', NULL, '{2026-03-01 10:01+00,2026-03-01 10:02+00}', '{1,2}',
    '{"source": "probe 1", "on_conflict": "ignore"}');
SELECT metric_name, source, observed_at, value, unit, dimensions, replaced_at IS NOT NULL AS is_replaced
FROM sop_time_series_data ORDER BY metric_name, observed_at;
-- Every reason.
SELECT inserted, rejected, jsonb_pretty(reasons) AS reasons FROM ingest_observations(NULL,
    ARRAY['fridge', '', NULL, repeat('x', 201), 'fridge', 'fridge', 'fridge', 'fridge', 'new'], NULL,
    ARRAY['2026-03-01 11:00+00', '2026-03-01 11:00+00', '2026-03-01 11:00+00', '2026-03-01 11:00+00', NULL, 'infinity',
          now() + interval '2 hours', '2026-03-01 11:01+00', '2026-03-01 11:00+00']::timestamptz[],
    ARRAY[1, 1, 1, 1, 1, 1, 1, 'NaN', 1]::float8[], '{"source": "probe 1", "unknown_metric": "reject"}');
SELECT inserted, rejected FROM ingest_observations(NULL, '{fridge,fridge}', NULL, ARRAY[now() + interval '2 hours', '2026-03-01 12:00+00'],
    '{1,NaN}', '{"source": "probe 2", "max_future_minutes": 180, "not_finite": "keep"}');
SELECT inserted FROM ingest_observations(NULL, '{fridge,fridge}', '{00000000-0000-0000-0000-0000000000aa,NULL}',
    '{2026-03-01 12:00+00,2026-03-01 12:01+00}', '{Infinity,NULL}', '{"source": "probe 3", "not_finite": "null"}');
SELECT source, sop_id, observed_at < now() AS is_past, value FROM sop_time_series_data WHERE source <> 'probe 1' ORDER BY source, sop_id, value;
-- A batch that is sent again, and one whose rows all fail.
SELECT * FROM ingest_observations(NULL, '{scale}', NULL, '{2026-03-02 10:00+00}', '{12}', '{"batch_id": "00000000-0000-0000-0000-00000000ba01"}');
SELECT * FROM ingest_observations(NULL, '{scale}', NULL, '{2026-03-02 10:00+00}', '{13}', '{"batch_id": "00000000-0000-0000-0000-00000000ba01"}');
SELECT * FROM ingest_observations(NULL, '{scale,scale}', NULL, '{NULL,NULL}', '{13,14}', '{"batch_id": "00000000-0000-0000-0000-00000000ba02"}');
SELECT value, batch_id FROM sop_time_series_data WHERE metric_name = 'scale';
SELECT batch_id, n, inserted, rejected, reasons, ingested_by FROM sop_time_series_batches ORDER BY 1;
SELECT * FROM ingest_observations(NULL, '{}', NULL, '{}', '{}');
-- The hours of new and of replaced readings are noted, those of ignored ones are not.
RESET ROLE;
SELECT bucket_start, count(*) FROM sop_ml_storage.dirty_buckets
WHERE restaurant_id = '00000000-0000-0000-0000-0000000a4001' AND bucket_start < '2026-04-01' GROUP BY 1 ORDER BY 1;

-- Staff add readings; replacing one is not theirs.
SET ROLE ingest_staff;
SELECT inserted, unchanged FROM ingest_observations(NULL, '{scale,scale}', NULL, '{2026-03-02 10:00+00,2026-03-02 11:00+00}', '{99,12.5}',
    '{"on_conflict": "ignore", "batch_id": "00000000-0000-0000-0000-00000000ba03"}');
SELECT inserted FROM ingest_observations(NULL, '{scale}', NULL, '{2026-03-02 12:00+00}', '{1}');
SELECT inserted FROM ingest_observations('00000000-0000-0000-0000-0000000a4002', '{scale}', NULL, '{2026-03-02 12:00+00}', '{1}', '{"on_conflict": "ignore"}');
RESET ROLE;
-- What has no meaning.
SELECT ingest_observations(NULL, '{a}', NULL, '{2026-03-02 12:00+00}', '{1}');
SET ROLE ingest_analyst;
SELECT ingest_observations(NULL, '{a,b}', NULL, '{2026-03-02 12:00+00}', '{1}');
SELECT ingest_observations(NULL, '{a}', '{}', '{2026-03-02 12:00+00}', '{1}');
SELECT ingest_observations(NULL, NULL, NULL, '{2026-03-02 12:00+00}', '{1}');
SELECT ingest_observations(NULL, '{{a},{b}}', NULL, '{2026-03-02 12:00+00,2026-03-02 12:00+00}', '{1,2}');
SELECT ingest_observations(NULL, '{a}', NULL, '{2026-03-02 12:00+00}', '{1}', o::jsonb)
FROM unnest(ARRAY['{"on_conflict": "replace"}']) AS o;
SELECT ingest_observations(NULL, '{a}', NULL, '{2026-03-02 12:00+00}', '{1}', '{"max_future_minutes": -1}');
SELECT ingest_observations(NULL, '{a}', NULL, '{2026-03-02 12:00+00}', '{1}', '{"batch_id": "x"}');
SELECT ingest_observations(NULL, '{a}', NULL, '{2026-03-02 12:00+00}', '{1}', '{"quality_flag": "fine"}');
SELECT ingest_observations(NULL, '{a}', NULL, '{2026-03-02 12:00+00}', '{1}', '{"dimensions": 3}');
SELECT ingest_observations(NULL, '{a}', NULL, '{2026-03-02 12:00+00}', '{1}', '{"unheard_of": 1}');
RESET ROLE;

-- From a staging table: every reason, the last of two with one key, what is there already.
CREATE UNLOGGED TABLE public.staged (LIKE sop_time_series_data INCLUDING DEFAULTS, remark text);
ALTER TABLE public.staged ALTER restaurant_id DROP NOT NULL, ALTER metric_name DROP NOT NULL, ALTER observed_at DROP NOT NULL,
    ALTER sop_id DROP NOT NULL, ALTER source DROP NOT NULL;
INSERT INTO public.staged (restaurant_id, metric_name, sop_id, source, observed_at, value, dimensions, quality_flag, remark)
SELECT '00000000-0000-0000-0000-0000000a4002', t.* FROM (VALUES
    ('mill', NULL::uuid, NULL, timestamptz '2026-04-01 10:00+00', 1::float8, NULL::jsonb, NULL, 'taken'),
    ('mill', NULL, NULL, '2026-04-01 10:00+00', 2, '{"a": 1}', 'good', 'taken, and right'),
    ('mill', NULL, 'b', '2026-04-01 10:00+00', NULL, NULL, NULL, 'taken: missing'),
    ('mill', NULL, 'b', '2026-04-01 10:01+00', 'NaN', NULL, NULL, 'not finite'),
    ('', NULL, 'b', '2026-04-01 10:02+00', 1, NULL, NULL, 'no metric'),
    (NULL, NULL, 'b', '2026-04-01 10:02+00', 1, NULL, NULL, 'no metric'),
    ('mill', NULL, 'b', NULL, 1, NULL, NULL, 'no time'),
    ('mill', NULL, 'b', 'infinity', 1, NULL, NULL, 'no time'),
    ('mill', NULL, 'b', now() + interval '2 hours', 1, NULL, NULL, 'not yet'),
    ('mill', NULL, 'b', '2026-04-01 10:03+00', 1, '[1]', NULL, 'no object'),
    ('mill', NULL, 'b', '2026-04-01 10:04+00', 1, NULL, 'fine', 'no flag')) AS t;
INSERT INTO public.staged (restaurant_id, metric_name, observed_at, value) VALUES
    (NULL, 'mill', '2026-04-01 10:00+00', 1), ('00000000-0000-0000-0000-000000000000', 'mill', '2026-04-01 10:00+00', 1);
SELECT * FROM load_observations('public.staged');
SELECT metric_name, source, observed_at, value, dimensions, quality_flag, replaced_at FROM sop_time_series_data
WHERE restaurant_id = '00000000-0000-0000-0000-0000000a4002' ORDER BY source;
UPDATE public.staged SET value = 3 WHERE remark = 'taken, and right';
SELECT inserted, updated, unchanged FROM load_observations('public.staged', '{"on_conflict": "ignore"}');
SELECT inserted, updated, unchanged, rejected FROM load_observations('public.staged', '{"not_finite": "null", "max_future_minutes": 180}');
SELECT source, value FROM sop_time_series_data WHERE restaurant_id = '00000000-0000-0000-0000-0000000a4002' AND observed_at < now() ORDER BY source, observed_at;
CREATE TABLE public."Half staged" (restaurant_id uuid, metric_name varchar, "value" float8);
SELECT load_observations('public."Half staged"');
SELECT load_observations('sop_daily_performance_summary');
SELECT load_observations(NULL);
SELECT load_observations(4711);
SELECT load_observations('public.staged', '{"unknown_metric": "reject"}');
SET ROLE ingest_analyst;
SELECT load_observations('public.staged');
RESET ROLE;
DROP TABLE public.staged, public."Half staged";
