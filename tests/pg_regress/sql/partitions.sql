-- Monthly partitions: rows of the default partition move to their month, far-future rows wait, expired months go.
SET client_min_messages = warning; SET search_path = sop_ml, public; SET timezone = 'UTC';
\set VERBOSITY terse
\set SHOW_CONTEXT never

INSERT INTO sop_restaurants (restaurant_id, name) VALUES ('04000000-0000-0000-0000-000000000002', 'Partitions');
CREATE TEMP TABLE own AS
SELECT '04000000-0000-0000-0000-000000000002'::uuid AS id, date_trunc('month', now()) AS month;
-- Four months ago (first and last instant), six months ahead, far future, long past.
INSERT INTO sop_ab_events (restaurant_id, experiment_id, user_id, variant, event_name, occurred_at, context)
SELECT own.id, own.id, own.id, 'a', e.name, e.at, jsonb_build_object('n', 1)
FROM own, LATERAL (VALUES
    ('four months ago, first', own.month - interval '4 months'),
    ('four months ago, last', own.month - interval '3 months' - interval '1 microsecond'),
    ('this month', own.month),
    ('six months ahead', own.month + interval '6 months'),
    ('far future', timestamptz '9000-01-01'),
    ('long past', own.month - interval '30 years')) AS e (name, at);
-- Where the rows lie: the partition of their month, or the default partition.
CREATE TEMP VIEW places AS
SELECT e.event_name,
       CASE e.tableoid::regclass::text
           WHEN 'sop_ml_storage.sop_ab_events_default' THEN 'default'
           WHEN 'sop_ml_storage.sop_ab_events_' || to_char(e.occurred_at, '"y"YYYY"m"MM') THEN 'its month'
           ELSE 'elsewhere'
       END AS place
FROM sop_ab_events AS e WHERE e.restaurant_id = '04000000-0000-0000-0000-000000000002' ORDER BY e.occurred_at;
TABLE places;
CREATE TEMP TABLE before AS SELECT e.* FROM sop_ab_events AS e, own WHERE e.restaurant_id = own.id;

SELECT m.action, m.rows_moved FROM sop_ml.maintain_partitions() AS m, own
WHERE m.partition = 'sop_ab_events_' || to_char(own.month - interval '4 months', '"y"YYYY"m"MM');
TABLE places;
-- The same rows, none lost, none changed.
SELECT count(*) FROM (
    (TABLE before EXCEPT SELECT e.* FROM sop_ab_events AS e, own WHERE e.restaurant_id = own.id)
    UNION ALL (SELECT e.* FROM sop_ab_events AS e, own WHERE e.restaurant_id = own.id EXCEPT TABLE before)) AS difference;
-- A second run has nothing to do.
SELECT count(*) FROM sop_ml.maintain_partitions();
-- Within reach now.
SELECT m.action, m.rows_moved FROM sop_ml.maintain_partitions(months_ahead => 6) AS m, own
WHERE m.partition = 'sop_ab_events_' || to_char(own.month + interval '6 months', '"y"YYYY"m"MM');
TABLE places;

-- Partitions: row-level security forced, nothing granted to tenants, every index and row trigger of the parent.
SELECT bool_and(c.relrowsecurity AND c.relforcerowsecurity) AS is_closed,
       bool_or(has_table_privilege('sop_ml_owner', c.oid, 'SELECT')) AS tenants_may_read,
       bool_and((SELECT count(*) FROM pg_index AS i WHERE i.indrelid = c.oid)
                = (SELECT count(*) FROM pg_index AS i WHERE i.indrelid = h.inhparent)) AS has_indexes,
       bool_and((SELECT count(*) FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND t.tgparentid <> 0)
                = (SELECT count(*) FROM pg_trigger AS t WHERE t.tgrelid = h.inhparent AND t.tgtype & 1 = 1)) AS has_triggers
FROM pg_inherits AS h JOIN pg_class AS c ON c.oid = h.inhrelid
WHERE c.relnamespace = 'sop_ml_storage'::regnamespace AND c.relkind = 'r';

-- Retention: the policy says detach, so the month leaves the table and stays in storage.
INSERT INTO sop_time_series_compression_policies (restaurant_id, relation_name, retention, expiry_action)
VALUES ('00000000-0000-0000-0000-000000000000', 'sop_ab_events', '70 days', 'detach');
SELECT m.action FROM sop_ml.maintain_partitions() AS m, own
WHERE m.partition = 'sop_ab_events_' || to_char(own.month - interval '4 months', '"y"YYYY"m"MM');
SELECT count(*) FROM pg_class AS c, own WHERE c.relnamespace = 'sop_ml_storage'::regnamespace
    AND c.relname LIKE 'sop_ab_events_' || to_char(own.month - interval '4 months', '"y"YYYY"m"MM') || '_detached_%';
SELECT last_run_at IS NOT NULL AS has_run, last_action FROM sop_time_series_compression_policies
WHERE relation_name = 'sop_ab_events';
SELECT relation_name, p.from_time = own.month - interval '4 months' AS is_the_month, action FROM sop_retired_periods AS p, own WHERE p.relation_name = 'sop_ab_events';
-- Later rows of that month get a partition again. With archive it goes when it is empty.
UPDATE sop_time_series_compression_policies SET expiry_action = 'archive' WHERE relation_name = 'sop_ab_events';
INSERT INTO sop_ab_events (restaurant_id, experiment_id, user_id, variant, event_name, occurred_at)
SELECT own.id, own.id, own.id, 'a', 'late', own.month - interval '4 months' FROM own;
SELECT m.action, m.rows_moved FROM sop_ml.maintain_partitions() AS m, own
WHERE m.partition = 'sop_ab_events_' || to_char(own.month - interval '4 months', '"y"YYYY"m"MM');
SELECT relation_name, action, n FROM sop_ml.apply_time_series_policies();
SELECT m.action, m.rows_moved FROM sop_ml.maintain_partitions() AS m, own
WHERE m.partition = 'sop_ab_events_' || to_char(own.month - interval '4 months', '"y"YYYY"m"MM');
-- With drop it goes at once, for good this time.
UPDATE sop_time_series_compression_policies SET expiry_action = 'drop' WHERE relation_name = 'sop_ab_events';
INSERT INTO sop_ab_events (restaurant_id, experiment_id, user_id, variant, event_name, occurred_at)
SELECT own.id, own.id, own.id, 'a', 'late again', own.month - interval '4 months' FROM own;
SELECT m.action, m.rows_moved FROM sop_ml.maintain_partitions() AS m, own
WHERE m.partition = 'sop_ab_events_' || to_char(own.month - interval '4 months', '"y"YYYY"m"MM');
TABLE places;
DELETE FROM sop_time_series_compression_policies WHERE relation_name = 'sop_ab_events';
-- Without a policy and without an argument nothing goes; with the argument, what is older.
SELECT count(*) FROM sop_ml.maintain_partitions(retention => '900 years') AS m WHERE m.action <> 'created';

-- Errors.
SELECT * FROM sop_ml.maintain_partitions(months_ahead => -1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM sop_ml.maintain_partitions(months_ahead => NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM sop_ml.maintain_partitions(retention => '0 days');
\echo :LAST_ERROR_SQLSTATE
SET ROLE sop_ml_owner;
SELECT * FROM sop_ml.maintain_partitions();
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
-- The operator needs no right on the tables themselves.
SET ROLE sop_ml_operator;
SELECT count(*) FROM sop_ml.maintain_partitions();
RESET ROLE;
