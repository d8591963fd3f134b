-- What clients do with sop_time_series_data. Every block must answer alike on every backend and before and after a conversion
-- (pgrx-tests/tests/time_series_backends.rs); the native answers are kept in time_series.expected.
-- A line of two hyphens, a number sign and a name begins a block; the role that runs it stands in brackets.

-- # the table is empty [viewer_a]
SELECT count(*) FROM sop_ml.sop_time_series_data;
-- # one insert [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:00+00', 4.5);
-- # insert returning the defaults [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:05+00', 5)
RETURNING metric_name, sop_id, source, observed_at, value, dimensions, unit, quality_flag, batch_id, replaced_at;
-- # a day of readings every ten minutes [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value, dimensions, unit)
SELECT 'a0000000-0000-4000-8000-000000000001', 'fridge_celsius', '50000000-0000-4000-8000-000000000001', 'probe 1', t,
       4 + (extract(epoch FROM t)::bigint / 600 % 7) / 10.0, '{"shift": "day"}', 'celsius'
FROM generate_series(timestamptz '2025-03-02 00:00+00', '2025-03-02 23:50+00', '10 minutes') AS t;
-- # spring, when Berlin loses an hour [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value)
SELECT 'a0000000-0000-4000-8000-000000000001', 'fridge_celsius', '50000000-0000-4000-8000-000000000001', 'probe 1', t,
       4 + (extract(epoch FROM t)::bigint / 1800 % 5) / 10.0
FROM generate_series(timestamptz '2025-03-29 00:00+00', '2025-03-31 23:30+00', '30 minutes') AS t;
-- # autumn, when it has one twice [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value)
SELECT 'a0000000-0000-4000-8000-000000000001', 'fridge_celsius', '50000000-0000-4000-8000-000000000001', 'probe 1', t,
       5 + (extract(epoch FROM t)::bigint / 1800 % 5) / 10.0
FROM generate_series(timestamptz '2025-10-25 00:00+00', '2025-10-27 23:30+00', '30 minutes') AS t;
-- # years apart in one statement [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
SELECT 'a0000000-0000-4000-8000-000000000001', 'score', make_timestamptz(y, 6, 15, 12, 0, 0, 'UTC'), y
FROM generate_series(2012, 2025) AS y;
-- # a reading that was due and is missing [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value, quality_flag)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:10+00', NULL, 'bad');
-- # the other restaurant has its own [analyst_b]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value, recorded_by)
SELECT 'b0000000-0000-4000-8000-000000000002', 'fridge_celsius', '50000000-0000-4000-8000-000000000001', 'probe 1', t, 7,
       'e0000000-0000-4000-8000-000000000001'
FROM generate_series(timestamptz '2025-03-02 00:00+00', '2025-03-02 23:00+00', '1 hour') AS t;
-- # readings of people [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, sop_id, observed_at, value, recorded_by)
SELECT 'a0000000-0000-4000-8000-000000000001', 'completion_minutes', '50000000-0000-4000-8000-000000000002',
       timestamptz '2025-03-03 08:00+00' + i * interval '17 minutes', 10 + i % 9,
       CASE WHEN i % 3 = 0 THEN uuid 'e0000000-0000-4000-8000-000000000001' ELSE 'e0000000-0000-4000-8000-000000000002' END
FROM generate_series(0, 59) AS i;
-- # many at once through the function [staff_a]
SELECT inserted, updated, unchanged, rejected, reasons, is_repeat
FROM sop_ml.ingest_observations(NULL, '{oven_celsius,oven_celsius,oven_celsius}', NULL,
    '{2025-04-01 10:00+00,2025-04-01 10:05+00,2025-05-01 10:00+00}', '{180,NaN,182}', '{"on_conflict": "ignore", "source": "oven 1"}');
-- # the same again, kept as it is [staff_a]
SELECT inserted, updated, unchanged, rejected
FROM sop_ml.ingest_observations(NULL, '{oven_celsius,oven_celsius}', NULL,
    '{2025-04-01 10:00+00,2025-05-01 10:05+00}', '{190,191}', '{"on_conflict": "ignore", "source": "oven 1"}');
-- # replaced by an analyst [analyst_a]
SELECT inserted, updated, unchanged, rejected
FROM sop_ml.ingest_observations(NULL, '{oven_celsius,oven_celsius,oven_celsius}', NULL,
    '{2025-04-01 10:00+00,2025-05-01 10:05+00,2025-06-01 00:00+00}', '{190,191,192}', '{"source": "oven 1"}');
-- # staff replace nothing [staff_a]
SELECT inserted FROM sop_ml.ingest_observations(NULL, '{oven_celsius}', NULL, '{2025-04-01 10:00+00}', '{1}', '{"source": "oven 1"}');
-- # a batch [staff_a]
SELECT inserted, updated, unchanged, rejected, is_repeat
FROM sop_ml.ingest_observations(NULL, '{oven_celsius,oven_celsius}', NULL, '{2025-07-01 10:00+00,2025-07-01 10:05+00}', '{200,201}',
    '{"on_conflict": "ignore", "batch_id": "ba000000-0000-4000-8000-000000000001"}');
-- # the batch again [staff_a]
SELECT inserted, updated, unchanged, rejected, is_repeat
FROM sop_ml.ingest_observations(NULL, '{oven_celsius,oven_celsius}', NULL, '{2025-07-01 10:00+00,2025-07-01 10:05+00}', '{200,201}',
    '{"on_conflict": "ignore", "batch_id": "ba000000-0000-4000-8000-000000000001"}');
-- # only metrics that are known [staff_a]
SELECT inserted, rejected, reasons
FROM sop_ml.ingest_observations(NULL, '{fridge_celsius,nobody_knows}', NULL, '{2025-03-05 10:00+00,2025-03-05 10:00+00}', '{4,5}',
    '{"on_conflict": "ignore", "unknown_metric": "reject"}');
-- # which hours are dirty [postgres]
SELECT restaurant_id, bucket_start::date, count(*), count(DISTINCT bucket_start) FROM sop_ml_storage.dirty_buckets WHERE source = 'time_series'
GROUP BY 1, 2 ORDER BY 1, 2;
-- # the same key twice [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:00+00', 9);
-- # the same key twice in one statement [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'twice', '2025-03-01 12:00+00', 9),
       ('a0000000-0000-4000-8000-000000000001', 'twice', '2025-03-01 12:00+00', 10);
-- # do nothing about a known key [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:00+00', 9),
       ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:15+00', 6)
ON CONFLICT DO NOTHING RETURNING observed_at, value;
-- # do nothing, naming the key [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:15+00', 7)
ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) DO NOTHING;
-- # replace a value [analyst_a]
INSERT INTO sop_ml.sop_time_series_data AS d (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:15+00', 8),
       ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:20+00', 9)
ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) DO UPDATE SET value = excluded.value
RETURNING d.observed_at, d.value;
-- # replace on a condition that does not hold [analyst_a]
INSERT INTO sop_ml.sop_time_series_data AS d (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:15+00', 8)
ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) DO UPDATE SET value = excluded.value
WHERE d.value IS DISTINCT FROM excluded.value;
-- # replace the same row twice in one statement [analyst_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:15+00', 1),
       ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:15+00', 2)
ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) DO UPDATE SET value = excluded.value;
-- # replace, naming the constraint [analyst_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:15+00', 8.5)
ON CONFLICT ON CONSTRAINT sop_time_series_data_pkey DO UPDATE SET value = excluded.value - 0.5 RETURNING value;
-- # conflict on columns that are no key [analyst_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:15+00', 1)
ON CONFLICT (restaurant_id, metric_name) DO NOTHING;
-- # staff may not replace [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:15+00', 1)
ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) DO UPDATE SET value = excluded.value;
-- # viewers do not write [viewer_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 13:15+00', 1);
-- # a row of another restaurant [analyst_b]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 13:00+00', 1);
-- # probe for a key that another restaurant has [analyst_b]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:00+00', 1) ON CONFLICT DO NOTHING;
-- # probe for a key that it has not [analyst_b]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '1999-03-01 12:00+00', 1) ON CONFLICT DO NOTHING;
-- # probe by replacing [analyst_b]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:00+00', 1)
ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) DO UPDATE SET value = excluded.value;
-- # probe through a copy of the rows [analyst_b]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value)
SELECT 'a0000000-0000-4000-8000-000000000001', metric_name, sop_id, source, observed_at, value
FROM sop_ml.sop_time_series_data ON CONFLICT DO NOTHING;
-- # an empty name [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', '', '2025-03-01 12:00+00', 1);
-- # an infinite time [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', 'infinity', 1);
-- # no time [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', NULL, 1);
-- # a flag that does not exist [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value, quality_flag)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 14:00+00', 1, 'superb');
-- # dimensions that are no object [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value, dimensions)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 14:00+00', 1, '[1]');
-- # what a refused statement left in the log [postgres]
SELECT count(*), count(DISTINCT bucket_start) FROM sop_ml_storage.dirty_buckets WHERE source = 'time_series';

-- == convert here

-- # how many after that [viewer_a]
SELECT metric_name, count(*), count(value), round(sum(value)::numeric, 6), min(observed_at), max(observed_at)
FROM sop_ml.sop_time_series_data GROUP BY 1 ORDER BY 1;
-- # the other restaurant sees its own [analyst_b]
SELECT metric_name, count(*), sum(value) FROM sop_ml.sop_time_series_data GROUP BY 1 ORDER BY 1;
-- # asking for another's by name [analyst_b]
SELECT count(*) FROM sop_ml.sop_time_series_data WHERE restaurant_id = 'a0000000-0000-4000-8000-000000000001';
-- # a group reader sees both [group_reader]
SELECT restaurant_id, count(*) FROM sop_ml.sop_time_series_data GROUP BY 1 ORDER BY 1;
-- # an operator sees all [operator]
SELECT restaurant_id, count(*), count(DISTINCT metric_name) FROM sop_ml.sop_time_series_data GROUP BY 1 ORDER BY 1;
-- # somebody without a restaurant sees nothing [nobody]
SELECT count(*) FROM sop_ml.sop_time_series_data;
-- # parts cannot be named [viewer_a]
DO $$
DECLARE part regclass; n int := 0; refused int := 0;
BEGIN
    FOR part IN SELECT i.inhrelid::regclass FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhparent AND c.relname = 'sop_time_series_data' LOOP
        n := n + 1;
        BEGIN
            EXECUTE format('SELECT 1 FROM %s LIMIT 1', part);
        EXCEPTION WHEN insufficient_privilege THEN refused := refused + 1;
        END;
    END LOOP;
    ASSERT n > 0 AND refused = n, format('%s parts, %s refused', n, refused);
END $$;
-- # nor written by analysts [analyst_a]
DO $$
DECLARE part regclass; n int := 0; refused int := 0;
BEGIN
    FOR part IN SELECT i.inhrelid::regclass FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhparent AND c.relname = 'sop_time_series_data' LOOP
        n := n + 1;
        BEGIN
            EXECUTE format('DELETE FROM %s', part);
        EXCEPTION WHEN insufficient_privilege THEN refused := refused + 1;
        END;
    END LOOP;
    ASSERT n > 0 AND refused = n, format('%s parts, %s refused', n, refused);
END $$;
-- # statistics of the parts are not shown [viewer_a]
SELECT count(*) FROM pg_stats WHERE schemaname = 'sop_ml_storage' OR tablename = 'sop_time_series_data';
-- # rights on single columns of the parts [analyst_a]
SELECT count(*) FROM pg_inherits AS i JOIN pg_attribute AS a ON a.attrelid = i.inhrelid AND a.attnum > 0
WHERE i.inhparent IN (SELECT oid FROM pg_class WHERE relname = 'sop_time_series_data') AND has_column_privilege(i.inhrelid, a.attnum, 'SELECT');
-- # what roles may do [postgres]
SELECT r.role, p.privilege, has_any_column_privilege(r.role, 'sop_ml.sop_time_series_data', p.privilege)
FROM unnest(ARRAY['sop_ml_viewer', 'sop_ml_staff', 'sop_ml_analyst', 'sop_ml_group_reader', 'sop_ml_operator']) AS r (role),
     unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS p (privilege) ORDER BY 1, 2;
-- # who may delete and truncate [postgres]
SELECT r.role, p.privilege, has_table_privilege(r.role, 'sop_ml.sop_time_series_data', p.privilege)
FROM unnest(ARRAY['sop_ml_viewer', 'sop_ml_staff', 'sop_ml_analyst', 'sop_ml_group_reader', 'sop_ml_operator']) AS r (role),
     unnest(ARRAY['DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (privilege) ORDER BY 1, 2;
-- # no rule of the installation is broken [postgres]
SELECT rule, object_name, detail FROM sop_ml.self_check() WHERE status <> 'ok' ORDER BY 1, 2, 3;
-- # everything of one row [viewer_a]
SELECT metric_name, sop_id, source, observed_at, value, dimensions, unit, quality_flag, recorded_by, batch_id
FROM sop_ml.sop_time_series_data WHERE metric_name = 'fridge_celsius' AND observed_at = '2025-03-02 03:00+00';
-- # late: an hour of last month gets a reading [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'fridge_celsius', '50000000-0000-4000-8000-000000000001', 'probe 1',
        '2025-03-02 03:03+00', 4.4);
-- # late by years, where there is nothing yet [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'score', '1995-06-15 12:00+00', 1995),
       ('a0000000-0000-4000-8000-000000000001', 'score', '0044-03-15 12:00+00 BC', -44);
-- # the late ones are there [viewer_a]
SELECT observed_at, value FROM sop_ml.sop_time_series_data WHERE metric_name = 'score' ORDER BY 1;
-- # the log has the late hours [postgres]
SELECT bucket_start, count(*) FROM sop_ml_storage.dirty_buckets
WHERE source = 'time_series' AND (bucket_start < '2000-01-01' OR bucket_start = '2025-03-02 03:00+00') GROUP BY 1 ORDER BY 1;
-- # a value is corrected [analyst_a]
UPDATE sop_ml.sop_time_series_data SET value = 4.45
WHERE metric_name = 'fridge_celsius' AND observed_at = '2025-03-02 03:03+00' RETURNING observed_at, value;
-- # many values are corrected across months [analyst_a]
UPDATE sop_ml.sop_time_series_data SET value = value + 0.1, unit = 'celsius'
WHERE restaurant_id = 'a0000000-0000-4000-8000-000000000001' AND metric_name = 'fridge_celsius' AND observed_at >= '2025-03-29';
-- # corrected from another table [analyst_a]
WITH changed AS (
    UPDATE sop_ml.sop_time_series_data AS d SET value = v.value
    FROM (VALUES (timestamptz '2025-03-01 12:00+00', 4.75::float8), ('2025-03-01 12:05+00', 5.25)) AS v (observed_at, value)
    WHERE d.metric_name = 'wait_minutes' AND d.observed_at = v.observed_at RETURNING d.observed_at, d.value)
SELECT * FROM changed ORDER BY 1;
-- # an update of nothing [analyst_a]
UPDATE sop_ml.sop_time_series_data SET value = 0 WHERE observed_at < '0100-01-01 BC';
-- # staff may not correct [staff_a]
UPDATE sop_ml.sop_time_series_data SET value = 0 WHERE metric_name = 'wait_minutes';
-- # an update of another's rows finds none [analyst_b]
UPDATE sop_ml.sop_time_series_data SET value = 0 WHERE restaurant_id = 'a0000000-0000-4000-8000-000000000001';
-- # the time never changes [analyst_a]
UPDATE sop_ml.sop_time_series_data SET observed_at = observed_at + interval '1 minute' WHERE metric_name = 'wait_minutes';
-- # nor by years [analyst_a]
UPDATE sop_ml.sop_time_series_data SET observed_at = observed_at + interval '3 years' WHERE metric_name = 'wait_minutes';
-- # nor the metric [analyst_a]
UPDATE sop_ml.sop_time_series_data SET metric_name = 'waiting' WHERE metric_name = 'wait_minutes';
-- # nor the restaurant [analyst_a]
UPDATE sop_ml.sop_time_series_data SET restaurant_id = 'b0000000-0000-4000-8000-000000000002' WHERE metric_name = 'wait_minutes';
-- # nor by an upsert [analyst_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:00+00', 9)
ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) DO UPDATE SET source = 'elsewhere';
-- # a key set to what it is passes [analyst_a]
UPDATE sop_ml.sop_time_series_data SET metric_name = metric_name, observed_at = observed_at, value = 4.8
WHERE metric_name = 'wait_minutes' AND observed_at = '2025-03-01 12:00+00';
-- # rows are deleted [analyst_a]
WITH gone AS (DELETE FROM sop_ml.sop_time_series_data WHERE metric_name = 'score' AND observed_at < '2000-01-01' RETURNING observed_at, value)
SELECT * FROM gone ORDER BY 1;
-- # rows of one's own restaurant are deleted by naming it [analyst_a]
DELETE FROM sop_ml.sop_time_series_data WHERE restaurant_id = 'a0000000-0000-4000-8000-000000000001' AND metric_name = 'oven_celsius'
    AND observed_at > '2025-06-30';
-- # deleted by another table [analyst_a]
DELETE FROM sop_ml.sop_time_series_data AS d USING (VALUES (timestamptz '2025-03-01 12:20+00')) AS v (observed_at)
WHERE d.metric_name = 'wait_minutes' AND d.observed_at = v.observed_at;
-- # staff do not delete [staff_a]
DELETE FROM sop_ml.sop_time_series_data WHERE metric_name = 'score';
-- # another's rows are not deleted [analyst_b]
DELETE FROM sop_ml.sop_time_series_data WHERE metric_name IN ('score', 'wait_minutes');
-- # the log after corrections and deletions [postgres]
SELECT restaurant_id, bucket_start::date, count(*), count(DISTINCT bucket_start) FROM sop_ml_storage.dirty_buckets WHERE source = 'time_series'
GROUP BY 1, 2 ORDER BY 1, 2;
-- # a person's readings are erased [analyst_a]
DELETE FROM sop_ml.sop_time_series_data WHERE restaurant_id = 'a0000000-0000-4000-8000-000000000001'
    AND recorded_by = 'e0000000-0000-4000-8000-000000000001';
-- # what is left of that person [operator]
SELECT restaurant_id, count(*) FROM sop_ml.sop_time_series_data WHERE recorded_by = 'e0000000-0000-4000-8000-000000000001' GROUP BY 1;
-- # a person is made anonymous [analyst_a]
UPDATE sop_ml.sop_time_series_data SET recorded_by = NULL WHERE recorded_by = 'e0000000-0000-4000-8000-000000000002';
-- # merge [analyst_a]
MERGE INTO sop_ml.sop_time_series_data AS d
USING (VALUES (timestamptz '2025-03-01 12:00+00', 1::float8), ('2025-03-01 12:05+00', 2), ('2025-03-01 15:00+00', 3)) AS v (observed_at, value)
ON d.restaurant_id = 'a0000000-0000-4000-8000-000000000001' AND d.metric_name = 'wait_minutes' AND d.observed_at = v.observed_at
WHEN MATCHED AND v.value = 1 THEN DELETE
WHEN MATCHED THEN UPDATE SET value = v.value
WHEN NOT MATCHED THEN INSERT (restaurant_id, metric_name, observed_at, value)
    VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', v.observed_at, v.value);
-- # after merge [viewer_a]
SELECT observed_at, value FROM sop_ml.sop_time_series_data WHERE metric_name = 'wait_minutes' ORDER BY 1;
-- # rolled back [analyst_a]
BEGIN;
DELETE FROM sop_ml.sop_time_series_data;
SELECT count(*) FROM sop_ml.sop_time_series_data;
ROLLBACK;
SELECT count(*) FROM sop_ml.sop_time_series_data;
-- # back to a savepoint [analyst_a]
BEGIN;
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'saved', '2025-08-01 00:00+00', 1);
SAVEPOINT s;
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'saved', '2025-08-01 00:00+00', 2);
ROLLBACK TO s;
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'saved', '1980-08-01 00:00+00', 3);
COMMIT;
SELECT observed_at, value FROM sop_ml.sop_time_series_data WHERE metric_name = 'saved' ORDER BY 1;
-- # one snapshot [viewer_a]
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT count(*) FROM sop_ml.sop_time_series_data;
SELECT count(*) FROM sop_ml.sop_time_series_data WHERE metric_name = 'saved';
COMMIT;
-- # rows are locked [analyst_a]
BEGIN;
SELECT observed_at FROM sop_ml.sop_time_series_data WHERE metric_name = 'saved' ORDER BY 1 FOR UPDATE;
COMMIT;
-- # a cursor [viewer_a]
BEGIN;
DECLARE c CURSOR FOR SELECT observed_at, value FROM sop_ml.sop_time_series_data WHERE metric_name = 'score' ORDER BY observed_at DESC;
FETCH 3 FROM c;
MOVE 2 IN c;
FETCH 2 FROM c;
COMMIT;
-- # a prepared statement for several months [viewer_a]
PREPARE of_day (timestamptz) AS SELECT count(*), round(avg(value)::numeric, 6) FROM sop_ml.sop_time_series_data
WHERE observed_at >= $1 AND observed_at < $1 + interval '1 day';
EXECUTE of_day ('2025-03-02'); EXECUTE of_day ('2025-03-30'); EXECUTE of_day ('2025-10-26'); EXECUTE of_day ('2025-03-02');
EXECUTE of_day ('2025-10-26'); EXECUTE of_day ('2025-03-30'); EXECUTE of_day ('2031-01-01');
-- # a generic plan [viewer_a]
SET plan_cache_mode = force_generic_plan;
PREPARE of_metric (text, timestamptz) AS SELECT count(*), max(value) FROM sop_ml.sop_time_series_data WHERE metric_name = $1 AND observed_at >= $2;
EXECUTE of_metric ('fridge_celsius', '2025-03-30'); EXECUTE of_metric ('score', '2020-01-01');
-- # a parallel plan [viewer_a]
SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SELECT count(*), round(sum(value)::numeric, 6) FROM sop_ml.sop_time_series_data;
-- # copy out [viewer_a]
COPY (SELECT observed_at, value FROM sop_ml.sop_time_series_data WHERE metric_name = 'score' AND observed_at >= '2023-01-01' ORDER BY 1) TO STDOUT;
-- # copy in [postgres]
COPY sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value) FROM STDIN (FORMAT csv);
a0000000-0000-4000-8000-000000000001,copied,2025-02-01 00:00+00,1
a0000000-0000-4000-8000-000000000001,copied,2025-09-01 00:00+00,2
b0000000-0000-4000-8000-000000000002,copied,2025-02-01 00:00+00,3
\.
-- # what was copied [operator]
SELECT restaurant_id, observed_at, value FROM sop_ml.sop_time_series_data WHERE metric_name = 'copied' ORDER BY 1, 2;
-- # by the hour in UTC [viewer_a]
SELECT date_trunc('hour', observed_at) AS hour, count(*), round(avg(value)::numeric, 6) FROM sop_ml.sop_time_series_data
WHERE metric_name = 'fridge_celsius' AND observed_at >= '2025-03-30' AND observed_at < '2025-03-30 06:00' GROUP BY 1 ORDER BY 1;
-- # local hours of a spring night [viewer_a]
SELECT sop_ml.time_bucket_local('1 hour', observed_at, 'Europe/Berlin') AT TIME ZONE 'Europe/Berlin' AS hour, count(*), round(sum(value)::numeric, 6)
FROM sop_ml.sop_time_series_data WHERE metric_name = 'fridge_celsius' AND observed_at >= '2025-03-29 22:00' AND observed_at < '2025-03-30 04:00'
GROUP BY 1 ORDER BY 1;
-- # local hours of an autumn night [viewer_a]
SELECT sop_ml.time_bucket_local('1 hour', observed_at, 'Europe/Berlin') AS hour, count(*), round(sum(value)::numeric, 6)
FROM sop_ml.sop_time_series_data WHERE metric_name = 'fridge_celsius' AND observed_at >= '2025-10-25 22:00' AND observed_at < '2025-10-26 04:00'
GROUP BY 1 ORDER BY 1;
-- # local days of 23 and 25 hours [viewer_a]
SELECT sop_ml.time_bucket_local('1 day', observed_at, 'Europe/Berlin') AT TIME ZONE 'Europe/Berlin' AS day, count(*)
FROM sop_ml.sop_time_series_data WHERE metric_name = 'fridge_celsius' GROUP BY 1 ORDER BY 1;
-- # local quarters [viewer_a]
SELECT sop_ml.time_bucket_local('3 months', observed_at, 'Europe/Berlin') AS quarter, count(*) FROM sop_ml.sop_time_series_data GROUP BY 1 ORDER BY 1;
-- # gaps carried forward [viewer_a]
SELECT f.bucket, round(f.value::numeric, 6) AS value, f.is_filled
FROM (SELECT array_agg(observed_at ORDER BY observed_at) AS t, array_agg(value ORDER BY observed_at) AS v
      FROM sop_ml.sop_time_series_data WHERE metric_name = 'wait_minutes') AS s,
     sop_ml.gap_fill('15 minutes', t, v, '2025-03-01 11:30+00', '2025-03-01 15:30+00', 'Europe/Berlin', 'locf') AS f;
-- # gaps interpolated over the years [viewer_a]
SELECT f.bucket, round(f.value::numeric, 6) AS value, f.is_filled
FROM (SELECT array_agg(observed_at) AS t, array_agg(value) AS v FROM sop_ml.sop_time_series_data WHERE metric_name = 'score') AS s,
     sop_ml.gap_fill('3 months', t, v, '2023-01-01+00', '2025-12-31+00', 'UTC', 'interpolate') AS f;
-- # points for a plot [viewer_a]
SELECT d.observed_at, round(d.value::numeric, 6)
FROM (SELECT array_agg(observed_at ORDER BY observed_at) AS t, array_agg(value ORDER BY observed_at) AS v
      FROM sop_ml.sop_time_series_data WHERE metric_name = 'fridge_celsius') AS s, sop_ml.downsample(t, v, 12) AS d;
-- # summaries that merge [viewer_a]
SELECT metric_name, sop_ml.num_vals(s) AS n, round(sop_ml.average(s)::numeric, 6) AS mean, round(sop_ml.stddev(s)::numeric, 6) AS stddev
FROM (SELECT metric_name, sop_ml.stats_agg(value) AS s FROM sop_ml.sop_time_series_data GROUP BY 1) AS g ORDER BY 1;
-- # percentiles [viewer_a]
SELECT round(sop_ml.approx_percentile(0.5, sop_ml.percentile_agg(value))::numeric, 1) FROM sop_ml.sop_time_series_data WHERE metric_name = 'fridge_celsius';
-- # exact percentiles [viewer_a]
SELECT metric_name, percentile_cont(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY value) FROM sop_ml.sop_time_series_data
WHERE metric_name IN ('score', 'oven_celsius') GROUP BY 1 ORDER BY 1;
-- # the last reading of each series [viewer_a]
SELECT DISTINCT ON (metric_name, sop_id, source) metric_name, sop_id, source, observed_at, value
FROM sop_ml.sop_time_series_data ORDER BY metric_name, sop_id, source, observed_at DESC;
-- # the first five and the last five [viewer_a]
(SELECT observed_at, metric_name, source FROM sop_ml.sop_time_series_data ORDER BY observed_at, metric_name, source LIMIT 5)
UNION ALL
(SELECT observed_at, metric_name, source FROM sop_ml.sop_time_series_data ORDER BY observed_at DESC, metric_name, source LIMIT 5);
-- # moving means [viewer_a]
SELECT observed_at, round(avg(value) OVER w::numeric, 6) AS mean, round((value - lag(value) OVER w)::numeric, 6) AS step
FROM sop_ml.sop_time_series_data WHERE metric_name = 'fridge_celsius' AND observed_at >= '2025-03-30' AND observed_at < '2025-03-30 04:00'
WINDOW w AS (ORDER BY observed_at ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) ORDER BY 1;
-- # totals over groups [viewer_a]
SELECT metric_name, source, count(*) FROM sop_ml.sop_time_series_data GROUP BY ROLLUP (metric_name, source) ORDER BY 1, 2;
-- # filtered aggregates [viewer_a]
SELECT count(*) FILTER (WHERE value IS NULL) AS missing, count(*) FILTER (WHERE quality_flag = 'bad') AS bad,
       count(*) FILTER (WHERE dimensions ->> 'shift' = 'day') AS day_shift FROM sop_ml.sop_time_series_data;
-- # by a dimension [viewer_a]
SELECT dimensions ->> 'shift' AS shift, count(*), round(avg(value)::numeric, 6) FROM sop_ml.sop_time_series_data
WHERE metric_name = 'fridge_celsius' GROUP BY 1 ORDER BY 1;
-- # joined with the restaurant [viewer_a]
SELECT r.name, r.time_zone, count(*) FROM sop_ml.sop_restaurants AS r
JOIN sop_ml.sop_time_series_data AS d USING (restaurant_id) GROUP BY 1, 2;
-- # joined with what SOPs are [viewer_a]
SELECT c.title, count(*), round(avg(d.value)::numeric, 6) FROM sop_ml.sop_content_features AS c
JOIN sop_ml.sop_time_series_data AS d ON d.restaurant_id = c.restaurant_id AND d.sop_id = c.sop_id GROUP BY 1 ORDER BY 1;
-- # SOPs without readings [viewer_a]
SELECT c.title FROM sop_ml.sop_content_features AS c WHERE NOT EXISTS (
    SELECT FROM sop_ml.sop_time_series_data AS d WHERE d.restaurant_id = c.restaurant_id AND d.sop_id = c.sop_id) ORDER BY 1;
-- # joined with itself [viewer_a]
SELECT count(*) FROM sop_ml.sop_time_series_data AS a JOIN sop_ml.sop_time_series_data AS b
    ON b.metric_name = a.metric_name AND b.observed_at = a.observed_at + interval '30 minutes' WHERE a.metric_name = 'fridge_celsius';
-- # the reading before each start [viewer_a]
SELECT p.at, d.observed_at, d.value FROM unnest(ARRAY['2025-03-02 07:03+00', '2025-10-26 01:10+00', '2025-04-01 10:01+00']::timestamptz[]) AS p (at)
CROSS JOIN LATERAL (SELECT observed_at, value FROM sop_ml.sop_time_series_data WHERE metric_name IN ('fridge_celsius', 'oven_celsius')
    AND observed_at <= p.at ORDER BY observed_at DESC LIMIT 1) AS d ORDER BY 1;
-- # days with and without readings [viewer_a]
SELECT day::date, (SELECT count(*) FROM sop_ml.sop_time_series_data AS d WHERE d.observed_at >= day AND d.observed_at < day + interval '1 day')
FROM generate_series(timestamptz '2025-03-28', '2025-04-02', '1 day') AS day ORDER BY 1;
-- # a set of times [viewer_a]
SELECT observed_at, value FROM sop_ml.sop_time_series_data
WHERE observed_at = ANY ('{2025-03-02 00:00+00,2025-10-26 00:00+00,2012-06-15 12:00+00}') ORDER BY 1;
-- # outside of all parts [viewer_a]
SELECT count(*) FROM sop_ml.sop_time_series_data WHERE observed_at >= '2300-01-01';
-- # now() as a bound [viewer_a]
SELECT count(*) FROM sop_ml.sop_time_series_data WHERE observed_at > now() + interval '1 day';
-- # with recursion [viewer_a]
WITH RECURSIVE step AS (
    (SELECT min(observed_at) AS at FROM sop_ml.sop_time_series_data WHERE metric_name = 'score')
    UNION ALL
    SELECT (SELECT min(d.observed_at) FROM sop_ml.sop_time_series_data AS d WHERE d.metric_name = 'score' AND d.observed_at > step.at + interval '2 years')
    FROM step WHERE at IS NOT NULL)
SELECT at FROM step WHERE at IS NOT NULL ORDER BY 1;
-- # written by a common table expression [analyst_a]
WITH gone AS (DELETE FROM sop_ml.sop_time_series_data WHERE metric_name = 'copied' RETURNING *),
moved AS (
    INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
    SELECT restaurant_id, 'moved', observed_at + interval '5 years', value FROM gone RETURNING observed_at, value)
SELECT * FROM moved ORDER BY 1;
-- # a day is rolled up [manager_a]
SELECT sop_ml.aggregate_performance('a0000000-0000-4000-8000-000000000001', '2025-03-01 23:00+00', '2025-03-02 23:00+00') > 0;
-- # hours of that day [viewer_a]
SELECT bucket_start, metric_name, n, round(mean::numeric, 6), round(stddev::numeric, 6), minimum, maximum
FROM sop_ml.sop_performance_aggregates WHERE grain = 'hour' AND metric_name = 'fridge_celsius' AND local_date = '2025-03-02' ORDER BY 1, 2;
-- # the days around the change of clocks are rolled up [manager_a]
SELECT sop_ml.aggregate_performance('a0000000-0000-4000-8000-000000000001', '2025-03-28 23:00+00', '2025-03-31 22:00+00') > 0,
       sop_ml.aggregate_performance('a0000000-0000-4000-8000-000000000001', '2025-10-24 22:00+00', '2025-10-27 23:00+00') > 0;
-- # their buckets [viewer_a]
SELECT local_date, metric_name, n, round(mean::numeric, 6), round(p50::numeric, 3) FROM sop_ml.sop_performance_aggregates
WHERE grain = 'day' ORDER BY 1, 2, 3;
-- # the nightly run of everybody [operator]
SELECT step, restaurants, status FROM sop_ml.run_daily_ml_aggregation(NULL, '2025-03-30')
WHERE step IN ('roll_up', 'compare', 'baselines', 'trends') ORDER BY 1;
-- # every bucket after it [operator]
SELECT grain, count(*), sum(n), round(sum(mean)::numeric, 4), round(sum(total)::numeric, 4) FROM sop_ml.sop_performance_aggregates GROUP BY 1 ORDER BY 1;
-- # the log is done with [postgres]
SELECT count(*) FROM sop_ml_storage.dirty_buckets;
-- # a late reading after the run [staff_a]
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value)
VALUES ('a0000000-0000-4000-8000-000000000001', 'fridge_celsius', '50000000-0000-4000-8000-000000000001', 'probe 1', '2025-03-02 05:01+00', 99);
-- # the next run takes it [operator]
SELECT step, status FROM sop_ml.run_daily_ml_aggregation(NULL, '2025-03-31') WHERE step = 'roll_up';
-- # and its hour has it [viewer_a]
SELECT n, maximum FROM sop_ml.sop_performance_aggregates WHERE grain = 'hour' AND metric_name = 'fridge_celsius' AND bucket_start = '2025-03-02 05:00+00';
-- # its correction [analyst_a]
UPDATE sop_ml.sop_time_series_data SET value = 4.5 WHERE metric_name = 'fridge_celsius' AND value = 99;
-- # and its deletion are logged [analyst_a]
DELETE FROM sop_ml.sop_time_series_data WHERE metric_name = 'fridge_celsius' AND observed_at = '2025-03-02 05:01+00';
-- # as one hour [postgres]
SELECT source, bucket_start, count(*) FROM sop_ml_storage.dirty_buckets GROUP BY 1, 2 ORDER BY 1, 2;
-- # the run after it [operator]
SELECT step, status FROM sop_ml.run_daily_ml_aggregation(NULL, '2025-03-31') WHERE step = 'roll_up';
-- # forgets it [viewer_a]
SELECT n, maximum FROM sop_ml.sop_performance_aggregates WHERE grain = 'hour' AND metric_name = 'fridge_celsius' AND bucket_start = '2025-03-02 05:00+00';
-- # partitions are cared for [operator]
SELECT DISTINCT relation FROM sop_ml.maintain_partitions() WHERE action LIKE 'failed%' OR action LIKE 'skipped%';
-- # and nothing is lost by it [operator]
SELECT metric_name, count(*), round(sum(value)::numeric, 4) FROM sop_ml.sop_time_series_data GROUP BY 1 ORDER BY 1;
-- # the installation is brought up again [postgres]
SELECT count(*) FILTER (WHERE action = 'applied') AS applied FROM sop_ml.install();
-- # no rule is broken after all that [postgres]
SELECT rule, object_name, detail FROM sop_ml.self_check() WHERE status <> 'ok' ORDER BY 1, 2, 3;
-- # tenants keep apart after all that [analyst_b]
SELECT metric_name, count(*), sum(value) FROM sop_ml.sop_time_series_data GROUP BY 1 ORDER BY 1;
-- # tenants do not truncate [analyst_a]
TRUNCATE sop_ml.sop_time_series_data;
-- # operators do [operator]
TRUNCATE sop_ml.sop_time_series_data;
-- # every hour that had a bucket is dirty [postgres]
SELECT count(DISTINCT bucket_start) > 0, count(*) FILTER (WHERE source <> 'time_series') FROM sop_ml_storage.dirty_buckets;
-- # the table is empty again [operator]
SELECT count(*) FROM sop_ml.sop_time_series_data;
