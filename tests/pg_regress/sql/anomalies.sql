-- Predictions that do not fit what the same model predicted before.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
SET extra_float_digits = 0;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\set restaurant '''da000000-0000-0000-0000-000000000001'''
\set other '''da000000-0000-0000-0000-000000000002'''
\set model '''da000000-0000-0000-0000-00000000000a'''

INSERT INTO sop_restaurants (restaurant_id, name) VALUES (:restaurant, 'Odd kitchen'), (:other, 'Other kitchen');
INSERT INTO sop_ml_models (restaurant_id, model_id, name, version, task, algorithm, status) VALUES
    (:restaurant, :model, 'wait', 1, 'regression', 'ridge', 'deployed'),
    (:restaurant, 'da000000-0000-0000-0000-00000000000b', 'young', 1, 'regression', 'ridge', 'deployed'),
    (:restaurant, 'da000000-0000-0000-0000-00000000000c', 'stuck', 1, 'regression', 'ridge', 'deployed');
-- Four weeks of values around 20 with a confidence around 0.9 and errors of at most 2.
INSERT INTO sop_ml_predictions (restaurant_id, prediction_id, predicted_at, model_restaurant_id, model_id, predicted_value, confidence, actual_value)
SELECT :restaurant, md5('wait ' || h)::uuid, timestamptz '2026-03-01 00:00+00' - make_interval(hours => h), :restaurant, :model,
       20 + (h * 37 % 21 - 10) / 5.0, 0.9 + (h * 13 % 11 - 5) / 100.0, 20 + (h * 37 % 21 - 10) / 5.0 + (h * 7 % 9 - 4) / 2.0
FROM generate_series(1, 600) AS h;
-- The rows under test: a good one, then one of each kind.
INSERT INTO sop_ml_predictions (restaurant_id, prediction_id, predicted_at, model_restaurant_id, model_id, sop_id, predicted_value, confidence, actual_value)
VALUES
    (:restaurant, 'ab000000-0000-0000-0000-000000000001', '2026-03-01 01:00+00', :restaurant, :model, NULL, 20, 0.9, 21),
    (:restaurant, 'ab000000-0000-0000-0000-000000000002', '2026-03-01 02:00+00', :restaurant, :model, '50000000-0000-0000-0000-000000000001', 60, 0.9, NULL),
    (:restaurant, 'ab000000-0000-0000-0000-000000000003', '2026-03-01 03:00+00', :restaurant, :model, NULL, 8, 0.9, NULL),
    (:restaurant, 'ab000000-0000-0000-0000-000000000004', '2026-03-01 04:00+00', :restaurant, :model, NULL, 20, 0.1, NULL),
    (:restaurant, 'ab000000-0000-0000-0000-000000000005', '2026-03-01 05:00+00', :restaurant, :model, NULL, 20, 0.9, 45),
    (:restaurant, 'ab000000-0000-0000-0000-000000000006', '2026-03-01 06:00+00', :restaurant, :model, NULL, 'NaN', 0.9, NULL),
    (:restaurant, 'ab000000-0000-0000-0000-000000000007', '2026-03-01 07:00+00', :restaurant, :model, NULL, '-Infinity', NULL, 10),
    (:restaurant, 'ab000000-0000-0000-0000-000000000008', '2026-03-01 08:00+00', :restaurant, :model, NULL, NULL, NULL, NULL),
    (:restaurant, 'ab000000-0000-0000-0000-000000000009', '2026-03-02 09:00+00', :restaurant, :model, NULL, 60, 0.05, 20);

SELECT right(prediction_id::text, 1) AS prediction, round(score::numeric, 3) AS score, round(expected_low::numeric, 3) AS expected_low,
       round(expected_high::numeric, 3) AS expected_high, severity, reason
FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-03-01 00:00+00');
-- Stored once however often it runs; what people said about one stays; one alert.
UPDATE sop_time_series_anomalies SET status = 'false_positive' WHERE restaurant_id = :restaurant AND reason = 'dip';
SELECT count(*) AS found FROM detect_prediction_anomalies(:restaurant, 'wait@1', '2026-03-01 00:00+00');
SELECT right(prediction_id::text, 1) AS prediction, kind, reason, severity, status, value, round(expected::numeric, 3) AS expected,
       round(score::numeric, 3) AS score, observed_at, right(sop_id::text, 1) AS sop, alert_id IS NOT NULL AS alerted, evidence ->> 'baseline_n' AS baseline_n
FROM sop_time_series_anomalies WHERE restaurant_id = :restaurant ORDER BY prediction_id, reason;
SELECT source, severity, title, raise_count FROM sop_alerts WHERE restaurant_id = :restaurant;
-- Options: a higher threshold, an end, the worst only, another baseline; nothing new to say, nothing stored.
SELECT right(prediction_id::text, 1) AS prediction, reason FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-03-01 00:00+00',
    '{"threshold": 10, "to_time": "2026-03-02 00:00+00", "store": false}');
SELECT right(prediction_id::text, 1) AS prediction, reason FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-03-01 00:00+00', '{"limit": 2}');
SELECT count(*) AS found FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-04-01 00:00+00');
-- The baseline of the second day contains the first day's wild values, and withstands them.
SELECT right(prediction_id::text, 1) AS prediction, reason, severity FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-03-02 00:00+00',
    '{"baseline_days": 3, "store": false}');

-- Seven earlier values, or constant ones, are no baseline: only values that are no numbers are anomalies.
INSERT INTO sop_ml_predictions (restaurant_id, prediction_id, predicted_at, model_restaurant_id, model_id, predicted_value, confidence)
SELECT :restaurant, md5(v.model || h)::uuid, timestamptz '2026-03-01 00:00+00' - make_interval(hours => h), :restaurant, v.model::uuid, v.base + h * v.step, 1
FROM (VALUES ('da000000-0000-0000-0000-00000000000b', 1, 1, 7), ('da000000-0000-0000-0000-00000000000c', 5, 0, 50)) AS v (model, base, step, n),
     generate_series(1, v.n) AS h;
INSERT INTO sop_ml_predictions (restaurant_id, predicted_at, model_restaurant_id, model_id, predicted_value, confidence)
SELECT :restaurant, '2026-03-01 01:00+00', :restaurant, m::uuid, x::float8, 0
FROM (VALUES ('da000000-0000-0000-0000-00000000000b'), ('da000000-0000-0000-0000-00000000000c')) AS v (m), (VALUES ('1000'), ('NaN')) AS w (x);
SELECT 'young' AS model, score, expected_low, severity, reason FROM detect_prediction_anomalies(:restaurant, 'young', '2026-03-01 00:00+00')
UNION ALL SELECT 'stuck', score, expected_low, severity, reason FROM detect_prediction_anomalies(:restaurant, 'stuck', '2026-03-01 00:00+00');

-- Bad input.
SELECT * FROM detect_prediction_anomalies(:restaurant, 'wait', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM detect_prediction_anomalies(:restaurant, 'wait', 'infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM detect_prediction_anomalies(:restaurant, 'nobody', '2026-03-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-03-01', '{"threshold": 0}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-03-01', '{"baseline_days": -1}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-03-01', '{"limit": 0}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-03-01', '{"to_time": "2026-02-01"}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-03-01', '{"to_time": "soon"}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-03-01', '{"window": 3}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM detect_prediction_anomalies(NULL, 'wait', '2026-03-01');
\echo :LAST_ERROR_SQLSTATE

-- An analyst of the other restaurant.
CREATE ROLE anomalies_analyst LOGIN IN ROLE sop_ml_analyst;
INSERT INTO sop_restaurant_members (restaurant_id, role_name, access_level) VALUES (:other, 'anomalies_analyst', 'analyst');
SET SESSION AUTHORIZATION anomalies_analyst;
SELECT * FROM detect_prediction_anomalies(NULL, 'wait', '2026-03-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM detect_prediction_anomalies(:restaurant, 'wait', '2026-03-01');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
DELETE FROM sop_restaurant_members WHERE role_name = 'anomalies_analyst';
DROP ROLE anomalies_analyst;
