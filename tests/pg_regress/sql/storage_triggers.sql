-- What the triggers on raw data, preferences, the audit log and alerts do.
SET client_min_messages = warning; SET search_path = sop_ml, public; SET timezone = 'UTC';
\set VERBOSITY terse
\set SHOW_CONTEXT never

INSERT INTO sop_restaurants (restaurant_id, name) VALUES ('04000000-0000-0000-0000-000000000001', 'Storage triggers');
CREATE TEMP VIEW dirty AS
SELECT d.source, d.bucket_start, count(*) FROM sop_ml_storage.dirty_buckets AS d
WHERE d.restaurant_id = '04000000-0000-0000-0000-000000000001' GROUP BY 1, 2 ORDER BY 1, 2;
CREATE TEMP TABLE own AS SELECT '04000000-0000-0000-0000-000000000001'::uuid AS id;

-- Dirty buckets: one row per statement and hour, whatever the number of rows.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
SELECT own.id, 'minutes', timestamptz '2024-03-10 10:10:00+00' + i * interval '20 minutes', i FROM own, generate_series(0, 5) AS i;
TABLE dirty;
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (SELECT id FROM own);

-- An upsert logs the inserted and the updated hour, an update of a value its hour.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
SELECT own.id, 'minutes', t, 9 FROM own, unnest(ARRAY['2024-03-10 10:10:00+00', '2024-03-01 05:59:59+00']::timestamptz[]) AS t
ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at)
    DO UPDATE SET value = excluded.value, observed_at = excluded.observed_at;
UPDATE sop_time_series_data SET value = value + 1 WHERE restaurant_id = (SELECT id FROM own) AND value = 5;
TABLE dirty;
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (SELECT id FROM own);
DELETE FROM sop_time_series_data WHERE restaurant_id = (SELECT id FROM own) AND observed_at >= '2024-03-10 11:00:00+00';
TABLE dirty;
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (SELECT id FROM own);

-- A statement that touches no row logs nothing.
DELETE FROM sop_time_series_data WHERE restaurant_id = (SELECT id FROM own) AND metric_name = 'none';
TABLE dirty;

-- Key columns never change: within a partition, across partitions, by upsert. Setting them to what they are is fine.
UPDATE sop_time_series_data SET source = 'other' WHERE restaurant_id = (SELECT id FROM own);
\echo :LAST_ERROR_SQLSTATE
UPDATE sop_time_series_data SET observed_at = observed_at + interval '3 years' WHERE restaurant_id = (SELECT id FROM own);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
SELECT own.id, 'minutes', '2024-03-10 10:10:00+00', 1 FROM own
ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) DO UPDATE SET metric_name = 'hours';
\echo :LAST_ERROR_SQLSTATE
UPDATE sop_time_series_data SET source = source, value = 3 WHERE restaurant_id = (SELECT id FROM own);
SELECT metric_name, source, observed_at, value FROM sop_time_series_data
WHERE restaurant_id = (SELECT id FROM own) ORDER BY observed_at;
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at) SELECT own.id, 'minutes', 'infinity' FROM own;
\echo :LAST_ERROR_SQLSTATE

-- Interactions may move: the old and the new hour are dirty.
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (SELECT id FROM own);
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at)
SELECT own.id, own.id, own.id, 'view', '2024-03-10 10:10:00+00' FROM own;
UPDATE sop_user_interactions SET occurred_at = '2024-05-01 23:00:00+00' WHERE restaurant_id = (SELECT id FROM own);
TABLE dirty;

-- COPY notes its hours like INSERT; MERGE those of every action; a writing CTE, and an upsert that does nothing, too.
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (SELECT id FROM own);
DELETE FROM sop_time_series_data WHERE restaurant_id = (SELECT id FROM own);
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (SELECT id FROM own);
COPY sop_time_series_data (restaurant_id, metric_name, observed_at, value) FROM stdin;
04000000-0000-0000-0000-000000000001	minutes	2024-03-10 10:10:00+00	1
04000000-0000-0000-0000-000000000001	minutes	2024-03-10 10:20:00+00	2
04000000-0000-0000-0000-000000000001	minutes	2024-03-10 12:10:00+00	3
\.
TABLE dirty;
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (SELECT id FROM own);
MERGE INTO sop_time_series_data AS t
USING (SELECT own.id, v.at::timestamptz, v.value FROM own, (VALUES ('2024-03-10 10:10:00+00', 5), ('2024-03-10 12:10:00+00', -1),
       ('2024-03-10 15:00:00+00', 7)) AS v (at, value)) AS s
ON t.restaurant_id = s.id AND t.metric_name = 'minutes' AND t.observed_at = s.at
WHEN MATCHED AND s.value < 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET value = s.value
WHEN NOT MATCHED THEN INSERT (restaurant_id, metric_name, observed_at, value) VALUES (s.id, 'minutes', s.at, s.value);
TABLE dirty;
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (SELECT id FROM own);
WITH gone AS (DELETE FROM sop_time_series_data WHERE restaurant_id = (SELECT id FROM own) AND value = 7 RETURNING restaurant_id)
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value) SELECT restaurant_id, 'minutes', '2024-03-10 16:00:00+00', 8 FROM gone;
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value) SELECT own.id, 'minutes', '2024-03-10 10:20:00+00', 9 FROM own ON CONFLICT DO NOTHING;
TABLE dirty;
-- What a savepoint undoes is not noted.
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (SELECT id FROM own);
BEGIN;
SAVEPOINT before;
UPDATE sop_time_series_data SET value = 0 WHERE restaurant_id = (SELECT id FROM own);
ROLLBACK TO before;
UPDATE sop_time_series_data SET value = 4 WHERE restaurant_id = (SELECT id FROM own) AND observed_at = '2024-03-10 16:00:00+00';
COMMIT;
TABLE dirty;

-- Rows that move to the partition of their month are the same rows: nothing is noted, nothing is lost.
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (SELECT id FROM own);
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
SELECT own.id, 'minutes', date_trunc('month', now(), 'UTC') - interval '4 months' + i * interval '1 day', i FROM own, generate_series(1, 3) AS i;
DELETE FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (SELECT id FROM own);
BEGIN;
SELECT sum(rows_moved) >= 3 AS moved FROM maintain_partitions() WHERE relation = 'sop_time_series_data';
TABLE dirty;
SELECT count(*) FROM sop_time_series_data WHERE restaurant_id = (SELECT id FROM own) AND observed_at > '2024-12-31';
ROLLBACK;

-- TRUNCATE notes every hour that has a bucket.
BEGIN;
SELECT aggregate_performance(own.id, '2024-03-10', '2024-03-11') > 0 AS rolled_up FROM own;
TRUNCATE sop_time_series_data;
TABLE dirty;
SELECT status FROM run_daily_ml_aggregation((SELECT id FROM own), '2024-03-10') WHERE step = 'roll_up';
SELECT count(*) FROM sop_performance_aggregates WHERE restaurant_id = (SELECT id FROM own);
ROLLBACK;

-- The opt-out flag follows the preference, from either side.
INSERT INTO sop_user_profiles (restaurant_id, user_id, personalization_opt_out)
SELECT own.id, '04000000-0000-0000-0000-0000000000a1', true FROM own;
INSERT INTO sop_privacy_preferences (restaurant_id, user_id, purpose, state)
SELECT own.id, p.user_id::uuid, p.purpose, p.state FROM own, (VALUES
    ('04000000-0000-0000-0000-0000000000a2', 'personalisation', 'denied'),
    ('04000000-0000-0000-0000-0000000000a3', 'training', 'denied'),
    ('04000000-0000-0000-0000-0000000000a4', 'personalisation', 'allowed')) AS p (user_id, purpose, state);
CREATE TEMP VIEW flags AS SELECT right(user_id::text, 2) AS person, personalization_opt_out AS out, skill_level
FROM sop_user_profiles WHERE restaurant_id = '04000000-0000-0000-0000-000000000001' ORDER BY user_id;
TABLE flags;
UPDATE sop_user_profiles SET personalization_opt_out = NOT personalization_opt_out, skill_level = 0.5
WHERE restaurant_id = (SELECT id FROM own);
TABLE flags;
UPDATE sop_privacy_preferences SET state = 'denied' WHERE restaurant_id = (SELECT id FROM own);
TABLE flags;
UPDATE sop_privacy_preferences SET user_id = '04000000-0000-0000-0000-0000000000a1'
WHERE restaurant_id = (SELECT id FROM own) AND user_id = '04000000-0000-0000-0000-0000000000a2';
TABLE flags;
DELETE FROM sop_privacy_preferences WHERE restaurant_id = (SELECT id FROM own);
TABLE flags;
-- Erasing a profile and then its preference leaves nothing behind.
INSERT INTO sop_privacy_preferences (restaurant_id, user_id, purpose, state)
SELECT own.id, '04000000-0000-0000-0000-0000000000a1', 'personalisation', 'denied' FROM own;
DELETE FROM sop_user_profiles WHERE restaurant_id = (SELECT id FROM own) AND personalization_opt_out;
DELETE FROM sop_privacy_preferences WHERE restaurant_id = (SELECT id FROM own);
TABLE flags;

-- The audit log only grows, also under session_replication_role = replica.
INSERT INTO sop_audit_log (restaurant_id, entry_number, action) SELECT own.id, 1, 'insert' FROM own;
UPDATE sop_audit_log SET reason = 'changed';
\echo :LAST_ERROR_SQLSTATE
DELETE FROM sop_audit_log;
\echo :LAST_ERROR_SQLSTATE
TRUNCATE sop_audit_log;
\echo :LAST_ERROR_SQLSTATE
SET session_replication_role = replica;
DELETE FROM sop_audit_log;
\echo :LAST_ERROR_SQLSTATE
RESET session_replication_role;
SELECT count(*) FROM sop_audit_log WHERE restaurant_id = (SELECT id FROM own);

-- A title of any length and content fits into the notification; one unresolved alert per cause.
INSERT INTO sop_alerts (restaurant_id, source, severity, title, dedup_key)
SELECT own.id, 'job', 'high', repeat(E'\u0001', 20000), 'cause' FROM own;
INSERT INTO sop_alerts (restaurant_id, source, severity, title, dedup_key)
SELECT own.id, 'job', 'high', 'again', 'cause' FROM own;
\echo :LAST_ERROR_SQLSTATE
SELECT restaurant_name, severity, length(title), status, raise_count FROM sop_open_alerts
WHERE restaurant_id = (SELECT id FROM own);

-- updated_at follows every update, whatever the statement says.
UPDATE sop_alerts SET status = 'resolved', updated_at = '2001-01-01' WHERE restaurant_id = (SELECT id FROM own);
SELECT status, updated_at > '2001-01-02' AS is_maintained FROM sop_alerts WHERE restaurant_id = (SELECT id FROM own);
SELECT count(*) FROM sop_open_alerts WHERE restaurant_id = (SELECT id FROM own);
