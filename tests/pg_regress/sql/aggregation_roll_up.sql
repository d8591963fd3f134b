-- The roll-up: chosen dimensions, closed and missing days, clocks that change, staff and compliance, stored sizes.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
\set VERBOSITY terse
\set SHOW_CONTEXT never
\set own '''00000000-0000-0000-0000-0000000b0001'''
\set howe '''00000000-0000-0000-0000-0000000b0002'''
\set beirut '''00000000-0000-0000-0000-0000000b0003'''
\set havana '''00000000-0000-0000-0000-0000000b0004'''
\set kathmandu '''00000000-0000-0000-0000-0000000b0005'''
\set sop '''00000000-0000-0000-0000-0000000b0101'''

INSERT INTO sop_restaurants (restaurant_id, name, time_zone, rollup_dimensions) VALUES
    (:own, 'Segments', 'UTC', '[{"metric": "wait", "keys": ["shift"], "limit": 2}, {"metric": "wait", "keys": ["till", "shift"]},
                                {"metric": "rating", "keys": ["shift"]}, {"metric": "wait", "keys": ["shift", "till"], "limit": 3}]');
-- What may be chosen.
CREATE PROCEDURE pg_temp.choose(choice jsonb) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE sop_ml.sop_restaurants SET rollup_dimensions = choice WHERE name = 'Segments';
    RAISE INFO 'taken: %', choice;
EXCEPTION WHEN check_violation THEN
    RAISE INFO 'refused: %', choice;
END
$$;
BEGIN;
CALL pg_temp.choose('[]');
CALL pg_temp.choose('[{"metric": "a", "keys": ["b", "c", "d", "e"], "limit": 200}]');
CALL pg_temp.choose('{}');
CALL pg_temp.choose('"wait"');
CALL pg_temp.choose('["wait"]');
CALL pg_temp.choose('[{"keys": ["b"]}]');
CALL pg_temp.choose('[{"metric": "a"}]');
CALL pg_temp.choose('[{"metric": "a", "keys": "b"}]');
CALL pg_temp.choose('[{"metric": "a", "keys": []}]');
CALL pg_temp.choose('[{"metric": "a", "keys": [1]}]');
CALL pg_temp.choose('[{"metric": "a", "keys": ["b", "c", "d", "e", "f"]}]');
CALL pg_temp.choose('[{"metric": "a", "keys": ["b"], "limit": 0}]');
CALL pg_temp.choose('[{"metric": "a", "keys": ["b"], "limit": 201}]');
CALL pg_temp.choose('[{"metric": "a", "keys": ["b"], "limit": 1.5}]');
CALL pg_temp.choose('[{"metric": "a", "keys": ["b"], "limit": "2"}]');
CALL pg_temp.choose('[{"metric": "a", "keys": ["b"], "limits": 2}]');
ROLLBACK;

-- Late has most readings, then early; night, no shift and an endless one are the rest. A bad reading counts nowhere.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, sop_id, observed_at, value, dimensions, quality_flag)
SELECT :own, metric, :sop, '2025-06-02 10:00Z'::timestamptz + day * interval '1 day' + number * interval '10 minutes', value, dimensions, flag
FROM (VALUES (0, 1, 1, '{"shift": "late", "till": 1}'::jsonb, NULL), (0, 2, 2, '{"shift": "late", "till": 2}', NULL),
             (0, 3, 4, '{"shift": "late", "till": 2}', NULL), (0, 4, 8, '{"shift": "early", "till": 1}', 'good'),
             (0, 7, 16, '{"shift": "early"}', NULL), (0, 8, 32, '{"shift": "night"}', NULL), (0, 9, 64, NULL, NULL),
             (0, 10, 128, jsonb_build_object('shift', repeat('x', 5000)), NULL), (0, 11, 999, '{"shift": "late"}', 'bad'),
             (1, 1, 256, '{"shift": "night"}', NULL), (1, 2, 512, '{"shift": "night"}', NULL), (1, 3, 1024, '{"shift": "night"}', NULL),
             (1, 4, 2048, '{"shift": "brunch"}', NULL)) AS v (day, number, value, dimensions, flag),
     (VALUES ('wait'), ('rating'), ('untouched')) AS m (metric);
SELECT step, rows_in, status FROM run_daily_ml_aggregation(:own, '2025-06-03') WHERE step = 'roll_up';
SELECT metric_name, grain, local_date, segment, n, total, minimum, maximum, round(quality_score::numeric, 1) AS quality
FROM sop_performance_aggregates
WHERE restaurant_id = :own AND grain IN ('day', 'week') AND (metric_name <> 'untouched' OR segment <> '')
ORDER BY grain, metric_name, local_date, segment;
-- Explicit segments and rest are the whole, for every choice of keys, in every grain.
SELECT keys, grain, bool_and(parts.n = whole.n AND parts.total = whole.total) AS adds_up
FROM (SELECT grain, metric_name, bucket_start, keys, sum(n) AS n, sum(total) AS total
      FROM sop_performance_aggregates,
           LATERAL (SELECT coalesce(jsonb_path_query_first(segment::jsonb, '$.rest_of'), (SELECT jsonb_agg(k ORDER BY k) FROM jsonb_object_keys(segment::jsonb) AS k)) AS keys) AS k
      WHERE restaurant_id = :own AND segment <> '' GROUP BY 1, 2, 3, 4) AS parts
JOIN (SELECT grain, metric_name, bucket_start, n, total FROM sop_performance_aggregates WHERE restaurant_id = :own AND segment = '')
    AS whole USING (grain, metric_name, bucket_start)
GROUP BY 1, 2 ORDER BY 1, 2;
-- Segments stay out of what is shown of the whole.
SELECT count(*) FROM sop_latest_performance WHERE restaurant_id = :own;
-- No longer chosen: they disappear with the next computation of their days.
UPDATE sop_restaurants SET rollup_dimensions = '[]' WHERE restaurant_id = :own;
SELECT aggregate_performance(:own, '2025-06-02', '2025-06-04') > 0 AS recomputed;
SELECT count(*) AS segments FROM sop_performance_aggregates WHERE restaurant_id = :own AND segment <> '';
INSERT INTO sop_performance_aggregates (restaurant_id, metric_name, grain, segment, bucket_start, bucket_end, local_date)
VALUES (:own, 'by hand', 'day', '["no object"]', '2025-06-02', '2025-06-03', '2025-06-02');
\echo :LAST_ERROR_SQLSTATE

-- Closed or missing? Open on weekdays, closed on the 5th (a Thursday); nothing came on Friday the 6th. The night of the 4th was
-- missed, and the 8th is the first run after it.
UPDATE sop_restaurants SET closures = '[{"from": "2025-06-05"}]',
    opening_hours = (SELECT jsonb_agg(jsonb_build_object('weekday', d, 'opens', '09:00', 'closes', '17:00')) FROM generate_series(1, 5) AS d)
WHERE restaurant_id = :own;
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value) VALUES
    (:own, 'wait', '2025-06-04 08:30Z', 1), (:own, 'wait', '2025-06-04 16:30Z', 2), (:own, 'wait', '2025-06-07 10:00Z', 3);
SELECT status FROM run_daily_ml_aggregation(:own, '2025-06-08') WHERE step = 'roll_up';
SELECT local_date, to_char(local_date, 'Dy') AS day, is_closed, series, status, open_at FROM sop_performance_day_status WHERE restaurant_id = :own ORDER BY 1;
SELECT bucket_start, n, is_closed FROM sop_performance_aggregates
WHERE restaurant_id = :own AND grain = 'hour' AND segment = '' AND local_date >= '2025-06-04' ORDER BY 1;
SELECT count(*) AS zeros FROM sop_performance_aggregates WHERE restaurant_id = :own AND n = 0;
-- What was closed then stays closed when the opening hours change later.
UPDATE sop_restaurants SET opening_hours = '[]', closures = '[]' WHERE restaurant_id = :own;
SELECT status FROM run_daily_ml_aggregation(:own, '2025-06-09') WHERE step = 'roll_up';
SELECT local_date, status FROM sop_performance_day_status WHERE restaurant_id = :own AND local_date > '2025-06-06' ORDER BY 1;

-- Clocks: a reading every 15 minutes over three days around the change. Half an hour on Lord Howe (a day of 24.5 or 23.5 hours),
-- forward at midnight in Beirut (no 00:30), back at one in Havana (midnight happens twice), 5:45 in Kathmandu.
INSERT INTO sop_restaurants (restaurant_id, name, time_zone) VALUES
    (:howe, 'Howe', 'Australia/Lord_Howe'), (:beirut, 'Beirut', 'Asia/Beirut'), (:havana, 'Havana', 'America/Havana'),
    (:kathmandu, 'Kathmandu', 'Asia/Kathmandu');
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
SELECT r.restaurant_id, 'tick', t, 1
FROM sop_restaurants AS r
CROSS JOIN LATERAL (VALUES ('Howe', date '2025-04-06'), ('Howe', '2025-10-05'), ('Beirut', '2025-03-30'), ('Beirut', '2025-10-26'),
    ('Havana', '2025-11-02'), ('Havana', '2025-03-09'), ('Kathmandu', '2025-05-01')) AS change (name, day)
CROSS JOIN LATERAL generate_series((change.day - 2)::timestamp AT TIME ZONE r.time_zone, (change.day + 2)::timestamp AT TIME ZONE r.time_zone,
    interval '15 minutes') AS t
WHERE r.name = change.name AND r.restaurant_id IN (:howe, :beirut, :havana, :kathmandu);
SELECT aggregate_performance(r.restaurant_id, '2025-03-01', '2025-12-01') > 0 AS done
FROM sop_restaurants AS r WHERE r.restaurant_id IN (:howe, :beirut, :havana, :kathmandu) ORDER BY r.name;
SELECT r.name, a.local_date, a.bucket_start, a.bucket_end - a.bucket_start AS length, a.n, hours.count, hours.last
FROM sop_performance_aggregates AS a
JOIN sop_restaurants AS r USING (restaurant_id)
CROSS JOIN LATERAL (SELECT count(*), max(h.bucket_end - h.bucket_start) FILTER (WHERE h.bucket_end = a.bucket_end) AS last
                    FROM sop_performance_aggregates AS h
                    WHERE h.restaurant_id = a.restaurant_id AND h.grain = 'hour' AND h.local_date = a.local_date) AS hours
WHERE a.restaurant_id IN (:howe, :beirut, :havana, :kathmandu) AND a.grain = 'day'
  AND (a.local_date IN ('2025-04-06', '2025-10-05', '2025-03-30', '2025-10-26', '2025-11-02', '2025-03-09', '2025-05-01')
       OR r.name = 'Beirut' AND a.local_date = '2025-10-25') AND a.n > 1
ORDER BY 1, 2;
-- Every reading is in one hour, one day and one week.
SELECT r.name, a.grain, sum(a.n) AS n, (SELECT count(*) FROM sop_time_series_data AS d WHERE d.restaurant_id = r.restaurant_id) AS readings
FROM sop_performance_aggregates AS a JOIN sop_restaurants AS r USING (restaurant_id)
WHERE a.restaurant_id IN (:howe, :beirut, :havana, :kathmandu) AND a.grain IN ('hour', 'day', 'week', 'year')
GROUP BY 1, 2, r.restaurant_id HAVING sum(a.n) <> (SELECT count(*) FROM sop_time_series_data AS d WHERE d.restaurant_id = r.restaurant_id);

-- More restaurants than are rolled up for a whole day at once: parts of days, on days of 24, 24.5 and 25 hours alike.
INSERT INTO sop_restaurants (restaurant_id, name, time_zone)
SELECT md5('many ' || i)::uuid, 'Many ' || i, (ARRAY['UTC', 'Australia/Lord_Howe', 'Europe/Berlin', 'Pacific/Kiritimati'])[1 + i % 4] FROM generate_series(1, 130) AS i;
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value, recorded_by)
SELECT restaurant_id, 'tick', t, 1, md5(extract(hour FROM t)::text)::uuid
FROM sop_restaurants, generate_series('2025-04-05 00:00Z'::timestamptz, '2025-04-07 23:30Z', interval '30 minutes') AS t WHERE name LIKE 'Many %';
SELECT status, rows_in >= 130 * 144 AS read FROM run_daily_ml_aggregation(NULL, '2025-04-06') WHERE step = 'roll_up';
SELECT grain, count(DISTINCT restaurant_id) AS restaurants, sum(n) AS n, min(n) AS least, max(n) AS most, max(distinct_users) AS users
FROM sop_performance_aggregates JOIN sop_restaurants USING (restaurant_id) WHERE name LIKE 'Many %' AND metric_name = 'tick' AND grain IN ('hour', 'day')
GROUP BY 1 ORDER BY 1;
-- The same as one by one.
CREATE TEMP VIEW many AS
SELECT md5(string_agg((to_jsonb(a) - 'computed_at' - 'run_id')::text, '' ORDER BY restaurant_id, metric_name, grain, bucket_start)) AS md5
FROM sop_performance_aggregates AS a JOIN sop_restaurants USING (restaurant_id) WHERE name LIKE 'Many %' AND name < 'Many 12';
SELECT md5 AS before FROM many \gset
SELECT min(aggregate_performance(restaurant_id, '2025-04-05', '2025-04-08')) > 0 AS done FROM sop_restaurants WHERE name LIKE 'Many %' AND name < 'Many 12';
SELECT md5 = :'before' AS same FROM many;

-- Staff who recorded, and compliance: of 5 completes 4 say how they went, and 2 went as the procedure wants.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value, recorded_by)
SELECT :own, 'checks', '2025-07-01 09:00Z'::timestamptz + i * interval '20 minutes', i, CASE WHEN i < 6 THEN md5((i % 2)::text)::uuid WHEN i < 8 THEN md5('x')::uuid END
FROM generate_series(0, 8) AS i;
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, outcome, error_count)
SELECT :own, md5(who::text)::uuid, :sop, what, '2025-07-01 12:00Z'::timestamptz + n * interval '1 minute', outcome, errors
FROM (VALUES (1, 1, 'complete', 'success', NULL), (2, 1, 'complete', 'success', 2), (3, 2, 'complete', 'partial', NULL),
             (4, 3, 'complete', NULL, 0), (5, 4, 'complete', NULL, NULL), (6, 5, 'view', 'success', NULL)) AS v (n, who, what, outcome, errors);
SELECT status FROM run_daily_ml_aggregation(:own, '2025-07-01') WHERE step = 'roll_up';
SELECT metric_name, grain, bucket_start, n, numerator, denominator, rate, round(rate_low::numeric, 4) AS low, round(rate_high::numeric, 4) AS high, distinct_users
FROM sop_performance_aggregates
WHERE restaurant_id = :own AND local_date = '2025-07-01' AND grain IN ('hour', 'day') ORDER BY 1, 2, 3;
-- The day after: one of them again, and one more. Longer periods count each once.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value, recorded_by)
SELECT :own, 'checks', '2025-07-02 09:00Z'::timestamptz + i * interval '20 minutes', i, md5((i * 7)::text)::uuid FROM generate_series(0, 1) AS i;
SELECT status FROM run_daily_ml_aggregation(:own, '2025-07-02') WHERE step = 'roll_up';
SELECT metric_name, grain, local_date, distinct_users, distinct_count(users) AS from_sketch
FROM sop_performance_aggregates JOIN sop_performance_aggregate_states USING (restaurant_id, metric_name, sop_id, grain, segment, bucket_start, local_date)
WHERE restaurant_id = :own AND metric_name IN ('checks', 'interactions') AND grain <> 'hour' ORDER BY 1, 2, 3;

-- The aggregates below it, on odd input; they agree with the two-step aggregates.
SELECT bucket_measures_agg(v), bucket_stats_agg(v)::stats_summary::text = stats_agg(v)::text AS same_stats,
       bucket_percentiles_agg(v)::percentile_sketch = percentile_agg(v) AS same_sketch
FROM unnest('{1,2,4,8.5}'::float8[]) AS v;
SELECT bucket_measures_agg(v), bucket_stats_agg(v), bucket_percentiles_agg(v) FROM unnest('{}'::float8[]) AS v;
SELECT bucket_measures_agg(v), num_vals(bucket_stats_agg(v)::stats_summary) FROM unnest('{NULL,NaN,Infinity,-Infinity}'::float8[]) AS v;
SELECT bucket_measures_agg(v) FROM unnest('{1e200,-1e200}'::float8[]) AS v;
\echo :LAST_ERROR_SQLSTATE
SELECT bucket_measures_rollup(s, p) FROM (SELECT bucket_stats_agg(v), bucket_percentiles_agg(v) FROM generate_series(1, 200) AS v GROUP BY v % 7 ORDER BY v % 7) AS part (s, p);
SELECT bucket_measures_rollup(NULL, NULL), bucket_stats_rollup(NULL, '\x00'), bucket_percentiles_rollup(NULL, NULL);
SELECT bucket_stats_rollup('\x00', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT staff_count_agg(p), staff_count_agg(p) FILTER (WHERE false) FROM (VALUES (md5('a')::uuid), (md5('b')::uuid), (md5('a')::uuid), (NULL)) AS v (p);
-- Few readings take few bytes: an hour of 20 temperatures, and a day of 1440.
SELECT octet_length(bucket_percentiles_agg(round((4 + sin(i))::numeric, 1))) AS hour FROM generate_series(1, 20) AS i;
SELECT octet_length(bucket_percentiles_agg(round((4 + sin(i))::numeric, 1))) < 400 AS day FROM generate_series(1, 1440) AS i;
