-- Months of raw rows in bundles: what leaves comes back to the bit, buckets stay, late rows wait, nobody else gets at them.
\set VERBOSITY terse
SET timezone = 'UTC';
SET search_path = sop_ml, public;
CREATE ROLE archive_owner LOGIN;
GRANT sop_ml_owner TO archive_owner;
-- Kathmandu is 5 hours and 45 minutes ahead: months begin within an hour of UTC.
INSERT INTO sop_restaurants (restaurant_id, name, time_zone) VALUES
    ('00000000-0000-0000-0000-0000000a5001', 'Own', 'Asia/Kathmandu'), ('00000000-0000-0000-0000-0000000a5002', 'Other', 'UTC');
INSERT INTO sop_restaurant_members (restaurant_id, role_name, access_level) VALUES
    ('00000000-0000-0000-0000-0000000a5001', 'archive_owner', 'owner');

-- Three months of two restaurants: every column, odd values, and a reading at each end of a month.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value, dimensions, unit, quality_flag,
                                  recorded_by, batch_id, ingested_at, replaced_at)
SELECT r.restaurant_id, 'metric ' || i % 3, md5('sop ' || i % 2)::uuid, 'probe ' || i % 4,
       '2025-01-01 00:00+00'::timestamptz + i * interval '1 hour',
       CASE i % 50 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' WHEN 3 THEN '-0' WHEN 4 THEN 0.1 + 0.2 ELSE i / 7.0 END,
       CASE i % 5 WHEN 0 THEN jsonb_build_object('shelf', i % 3, 'text', 'Küche "1"') END, CASE i % 2 WHEN 0 THEN '°C' END,
       CASE i % 7 WHEN 0 THEN 'suspect' END, CASE i % 11 WHEN 0 THEN md5('person ' || i % 3)::uuid END,
       CASE i % 13 WHEN 0 THEN md5('batch')::uuid END, CASE i % 17 WHEN 0 THEN 'infinity' ELSE '2025-01-01'::timestamptz + i * interval '61 minutes' END,
       CASE i % 19 WHEN 0 THEN '2025-05-01 12:00:00.000001+00'::timestamptz END
FROM sop_restaurants AS r, generate_series(0, 24 * 85) AS i WHERE r.restaurant_id IN ('00000000-0000-0000-0000-0000000a5001', '00000000-0000-0000-0000-0000000a5002');
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value) VALUES
    ('00000000-0000-0000-0000-0000000a5001', 'edge', '2025-01-31 18:14:59.999999+00', 1),
    ('00000000-0000-0000-0000-0000000a5001', 'edge', '2025-01-31 18:15+00', 2);
CREATE TABLE public.readings_before AS SELECT * FROM sop_time_series_data WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5001';

-- What the roll-up has not done with stays.
SELECT relation_name, from_time, to_time, status, n FROM archive_time_series('00000000-0000-0000-0000-0000000a5001', '2025-03-01');
SELECT step, status FROM run_daily_ml_aggregation('00000000-0000-0000-0000-0000000a5001', '2025-03-20') WHERE step = 'roll_up';
CREATE TABLE public.buckets_before AS SELECT * FROM sop_performance_aggregates WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5001';

-- Two months of one restaurant; the third is not over before the time that was named.
SET ROLE sop_ml_operator;
SELECT relation_name, from_time, to_time, status, n, bytes_before > 4 * bytes_after AS is_smaller
FROM archive_time_series('00000000-0000-0000-0000-0000000a5001', '2025-03-20');
SELECT metric_name, from_time, part, n FROM sop_ml_storage.archive_bundles ORDER BY 2, 1;
-- Nothing is left to do.
SELECT count(*) FROM archive_time_series('00000000-0000-0000-0000-0000000a5001', '2025-03-20');
RESET ROLE;
SELECT min(observed_at), count(*) FROM sop_time_series_data WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5001';
-- Its restaurant sees what was done, and no bundle.
SET ROLE archive_owner;
SELECT relation_name, from_time, to_time, action, n, compression_ratio > 4 AS is_smaller FROM sop_retired_periods ORDER BY from_time;
TABLE sop_ml_storage.archive_bundles;
DELETE FROM sop_retired_periods;
SELECT * FROM archive_time_series(NULL, '2025-03-20');
SELECT * FROM restore_archive(NULL, '2025-01-01', '2025-03-20');
SELECT * FROM apply_time_series_policies();
RESET ROLE;

-- The next run leaves the buckets of these months alone, also when a row comes late or a range is recomputed.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value) VALUES
    ('00000000-0000-0000-0000-0000000a5001', 'edge', DEFAULT, DEFAULT, '2025-01-31 18:14:59.999999+00', 100),
    ('00000000-0000-0000-0000-0000000a5001', 'late', DEFAULT, DEFAULT, '2025-02-10 12:00+00', 3);
SELECT status, detail FROM run_daily_ml_aggregation('00000000-0000-0000-0000-0000000a5001', '2025-03-20') WHERE step = 'roll_up';
SELECT aggregate_performance('00000000-0000-0000-0000-0000000a5001', '2025-01-01', '2025-03-01');
SELECT count(*) FROM (SELECT restaurant_id, metric_name, sop_id, grain, bucket_start, n, total, stats_state FROM public.buckets_before
                      EXCEPT SELECT restaurant_id, metric_name, sop_id, grain, bucket_start, n, total, stats_state FROM sop_performance_aggregates) AS lost;
SELECT count(*) FROM sop_performance_aggregates WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5001' AND metric_name = 'late';
SELECT count(*) FROM sop_ml_storage.dirty_buckets WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5001';

-- Late rows are archived behind the others.
SELECT from_time, status, n FROM archive_time_series('00000000-0000-0000-0000-0000000a5001', '2025-03-20');
SELECT metric_name, from_time, part, n FROM sop_ml_storage.archive_bundles WHERE metric_name IN ('edge', 'late') ORDER BY 1, 2, 3;
SELECT from_time, n FROM sop_retired_periods ORDER BY 1;

-- Back to the bit; of two readings with one key the one that came later.
SELECT relation_name, from_time, to_time, status, n, kept FROM restore_archive('00000000-0000-0000-0000-0000000a5001', '2025-01-31', '2025-02-01');
SELECT count(*) FROM sop_retired_periods;
SELECT relation_name, from_time, status, n, kept FROM restore_archive(NULL, '-infinity', 'infinity');
SELECT count(*) FROM (SELECT r.* , r.value::text FROM public.readings_before AS r
                      EXCEPT SELECT d.*, d.value::text FROM sop_time_series_data AS d) AS lost;
SELECT metric_name, observed_at, value FROM sop_time_series_data AS d
WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5001' AND NOT EXISTS (SELECT FROM public.readings_before AS r WHERE (r.restaurant_id, r.metric_name, r.sop_id, r.source, r.observed_at)
                  = (d.restaurant_id, d.metric_name, d.sop_id, d.source, d.observed_at));
SELECT (SELECT count(*) FROM sop_ml_storage.archive_bundles) AS bundles, (SELECT count(*) FROM sop_retired_periods) AS periods;
-- And now what came late is rolled up.
SELECT status FROM run_daily_ml_aggregation('00000000-0000-0000-0000-0000000a5001', '2025-03-20') WHERE step = 'roll_up';
SELECT grain, n, total FROM sop_performance_aggregates WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5001' AND metric_name = 'late' AND grain IN ('hour', 'month') ORDER BY grain;
SELECT count(*) FROM (SELECT restaurant_id, metric_name, sop_id, grain, bucket_start, n, total, stats_state FROM public.buckets_before
                      EXCEPT SELECT restaurant_id, metric_name, sop_id, grain, bucket_start, n, total, stats_state FROM sop_performance_aggregates) AS lost;

-- Records of the other tables.
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, rating, occurred_at, context)
SELECT '00000000-0000-0000-0000-0000000a5002', md5('person ' || i % 9)::uuid, md5('sop ' || i % 4)::uuid, 'rate', 1 + i % 5 + 0.1,
       '2025-01-02 00:00:00.000001+00'::timestamptz + i * interval '11 minutes', jsonb_build_object('device', 'tablet "' || i % 3 || '"', 'n', 1e300)
FROM generate_series(1, 3000) AS i;
INSERT INTO sop_ab_events (restaurant_id, experiment_id, user_id, variant, event_name, event_value, occurred_at)
SELECT '00000000-0000-0000-0000-0000000a5002', md5('experiment')::uuid, md5('person ' || i % 9)::uuid, 'a', 'done', CASE i % 3 WHEN 0 THEN '-0'::float8 ELSE i / 3.0 END,
       '2025-01-02 00:00+00'::timestamptz + i * interval '11 minutes' FROM generate_series(1, 3000) AS i;
INSERT INTO sop_ml_predictions (restaurant_id, model_restaurant_id, model_id, predicted_at, features, predicted_value)
SELECT '00000000-0000-0000-0000-0000000a5002', '00000000-0000-0000-0000-000000000000', md5('model')::uuid,
       '2025-01-02 00:00+00'::timestamptz + i * interval '11 minutes', jsonb_build_object('x', i), i / 9.0 FROM generate_series(1, 3000) AS i;
SELECT status FROM run_daily_ml_aggregation('00000000-0000-0000-0000-0000000a5002', '2025-03-20') WHERE step = 'roll_up';
CREATE TABLE public.interactions_before AS SELECT * FROM sop_user_interactions WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5002';
CREATE TABLE public.events_before AS SELECT *, event_value::text AS value_text FROM sop_ab_events WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5002';
CREATE TABLE public.predictions_before AS SELECT * FROM sop_ml_predictions WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5002';
SET extra_float_digits = -5;
SET timezone = 'America/New_York';
SET intervalstyle = 'sql_standard';
SELECT relation_name, status, n, bytes_before > 4 * bytes_after AS is_smaller
FROM archive_time_series('00000000-0000-0000-0000-0000000a5002', '2025-02-01 00:00+00',
    '{"relations": ["sop_user_interactions", "sop_ml_predictions", "sop_model_predictions", "sop_ab_events"]}');
SELECT (SELECT count(*) FROM sop_user_interactions WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5002')
       + (SELECT count(*) FROM sop_ab_events WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5002')
       + (SELECT count(*) FROM sop_ml_predictions WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5002') AS rows_left;
SELECT relation_name, status, n, kept
FROM restore_archive(NULL, '2025-01-15', '2025-01-16', '{"relations": ["sop_ab_events", "sop_user_interactions", "sop_ml_predictions"]}');
RESET extra_float_digits;
RESET intervalstyle;
SET timezone = 'UTC';
SELECT (SELECT count(*) FROM (TABLE public.interactions_before EXCEPT SELECT * FROM sop_user_interactions) AS d) AS interactions_lost,
       (SELECT count(*) FROM (TABLE public.events_before EXCEPT SELECT *, event_value::text FROM sop_ab_events) AS d) AS events_lost,
       (SELECT count(*) FROM (TABLE public.predictions_before EXCEPT SELECT * FROM sop_ml_predictions) AS d) AS predictions_lost;

-- A bundle too large for one is several; one that is damaged is refused, and nothing of it is written.
SET sop_ml.max_state_mb = 1;
SELECT status, n FROM archive_time_series('00000000-0000-0000-0000-0000000a5002', '2025-02-01', '{"relations": ["sop_ab_events", "sop_user_interactions"]}');
SELECT relation_name, count(*) > 1 AS has_parts, sum(n) AS n FROM sop_ml_storage.archive_bundles GROUP BY 1 ORDER BY 1;
UPDATE sop_ml_storage.archive_bundles SET bundle = set_byte(bundle, 100, get_byte(bundle, 100) # 1)
WHERE relation_name = 'sop_ab_events' AND part = 2;
SELECT relation_name, status, n FROM restore_archive(NULL, '2025-01-01', '2025-02-01', '{"relations": ["sop_ab_events", "sop_user_interactions"]}');
SELECT (SELECT count(*) FROM sop_ab_events WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5002') AS events, (SELECT sum(n) FROM sop_ml_storage.archive_bundles) AS in_bundles;
UPDATE sop_ml_storage.archive_bundles SET bundle = set_byte(bundle, 100, get_byte(bundle, 100) # 1)
WHERE relation_name = 'sop_ab_events' AND part = 2;
SELECT relation_name, status, n FROM restore_archive(NULL, '2025-01-01', '2025-02-01', '{"relations": ["sop_ab_events"]}');
RESET sop_ml.max_state_mb;

-- A column that somebody added has no place in a bundle.
ALTER TABLE sop_time_series_data ADD COLUMN mine text;
SELECT status, n FROM archive_time_series('00000000-0000-0000-0000-0000000a5002', '2025-02-01');
ALTER TABLE sop_time_series_data DROP COLUMN mine;

-- Policies: the shared tenant's archive for all, a restaurant's own drop a metric of its own earlier.
INSERT INTO sop_time_series_compression_policies (restaurant_id, policy_id, relation_name, metric_name, retention, expiry_action) VALUES
    ('00000000-0000-0000-0000-000000000000', md5('all')::uuid, 'sop_ab_events', '', now() - timestamptz '2025-02-15 00:00+00', 'archive'),
    ('00000000-0000-0000-0000-0000000a5001', md5('archive')::uuid, 'sop_time_series_data', '', now() - timestamptz '2025-02-15 00:00+00', 'archive'),
    ('00000000-0000-0000-0000-0000000a5002', md5('own')::uuid, 'sop_time_series_data', 'metric 1', now() - timestamptz '2025-03-02 00:00+00', 'drop'),
    ('00000000-0000-0000-0000-0000000a5001', md5('bad')::uuid, 'sop_ab_nothing', '', '1 year', 'drop');
SELECT restaurant_id, relation_name, metric_name, action, months, n FROM apply_time_series_policies();
SELECT restaurant_id, metric_name, min(observed_at), count(*) FROM sop_time_series_data
WHERE restaurant_id IN ('00000000-0000-0000-0000-0000000a5001', '00000000-0000-0000-0000-0000000a5002') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT restaurant_id, relation_name, metric_name, from_time, action, n FROM sop_retired_periods ORDER BY 1, 2, 3, 4;
SELECT relation_name, last_action, last_rows, last_run_at IS NOT NULL AS has_run, bytes_before > 0 AS is_measured
FROM sop_time_series_compression_policies ORDER BY restaurant_id, relation_name;
SELECT action, n FROM apply_time_series_policies() WHERE relation_name = 'sop_time_series_data';

-- What has no meaning.
SELECT archive_time_series(NULL, NULL);
SELECT archive_time_series(NULL, '2025-01-01', '{"relations": ["sop_alerts"]}');
SELECT archive_time_series(NULL, '2025-01-01', '{"relation": "x"}');
SELECT archive_time_series('00000000-0000-0000-0000-0000000a5009', '2025-01-01');
SELECT restore_archive(NULL, '2025-02-01', '2025-01-01');
SELECT restore_archive(NULL, NULL, '2025-01-01');
SELECT count(*) FROM archive_time_series(NULL, '-infinity');
SELECT count(*) FROM restore_archive(NULL, '2030-01-01', '2031-01-01');

-- Nothing stays for the tests that follow.
DELETE FROM sop_time_series_compression_policies;
DELETE FROM sop_retired_periods;
DELETE FROM sop_ml_storage.archive_bundles;
DELETE FROM sop_time_series_data WHERE restaurant_id IN ('00000000-0000-0000-0000-0000000a5001', '00000000-0000-0000-0000-0000000a5002');
DELETE FROM sop_user_interactions WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5002';
DELETE FROM sop_ab_events WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5002';
DELETE FROM sop_ml_predictions WHERE restaurant_id = '00000000-0000-0000-0000-0000000a5002';
DELETE FROM sop_performance_aggregates WHERE restaurant_id IN ('00000000-0000-0000-0000-0000000a5001', '00000000-0000-0000-0000-0000000a5002');
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN ('00000000-0000-0000-0000-0000000a5001', '00000000-0000-0000-0000-0000000a5002');
