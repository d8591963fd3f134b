-- Drift of features, predictions, outcomes and errors.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
SET extra_float_digits = 0;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\set restaurant '''dd000000-0000-0000-0000-000000000001'''
\set other '''dd000000-0000-0000-0000-000000000002'''
\set model '''dd000000-0000-0000-0000-00000000000a'''

INSERT INTO sop_restaurants (restaurant_id, name) VALUES (:restaurant, 'Drift kitchen'), (:other, 'Other kitchen');
INSERT INTO sop_ml_models (restaurant_id, model_id, name, version, task, algorithm, status, aliases) VALUES
    (:restaurant, 'dd000000-0000-0000-0000-000000000009', 'demand', 1, 'regression', 'ridge', 'deprecated', '{old}'),
    (:restaurant, :model, 'demand', 2, 'regression', 'ridge', 'deployed', '{champion}'),
    (:restaurant, 'dd000000-0000-0000-0000-00000000000b', 'demand', 3, 'regression', 'ridge', 'trained', '{}'),
    ('00000000-0000-0000-0000-000000000000', 'dd000000-0000-0000-0000-00000000000c', 'shared', 1, 'classification', 'tree', 'deployed', '{}');

-- January is the reference. In February the guests move by half their spread, half of the orders come from a new channel,
-- every third temperature is missing, and the errors double; the hour and the constant do not change.
CREATE FUNCTION pg_temp.predictions(of_model uuid, first timestamptz, n int, shift float8, is_new bool) RETURNS void LANGUAGE sql AS $$
INSERT INTO sop_ml.sop_ml_predictions (restaurant_id, prediction_id, predicted_at, model_restaurant_id, model_id, features,
    predicted_value, actual_value, confidence)
SELECT 'dd000000-0000-0000-0000-000000000001', md5(format('%s %s %s', of_model, first, i))::uuid, first + make_interval(mins => i),
       'dd000000-0000-0000-0000-000000000001', of_model,
       jsonb_build_object('guests', 50 + (i * 37 % 101) / 5.0 + shift, 'hour', i % 24, 'constant', 1, 'promo', i % 4 = 0,
           'channel', CASE WHEN is_new AND i % 2 = 0 THEN 'app' ELSE (ARRAY['till', 'phone'])[1 + i % 2 * (i / 2 % 2)] END,
           'nested', '{"a": 1}'::jsonb)
           || CASE WHEN is_new AND i % 3 = 0 THEN '{"temperature": null}'::jsonb ELSE jsonb_build_object('temperature', i % 7) END,
       100 + (i * 53 % 97), 100 + (i * 53 % 97) + ((i % 11) - 5) * CASE WHEN is_new THEN 2 ELSE 1 END, 0.9
FROM generate_series(1, n) AS i
$$;
SELECT pg_temp.predictions(:model, '2026-01-01 00:00+00', 600, 0, false);
SELECT pg_temp.predictions(:model, '2026-02-01 00:00+00', 300, 4, true);
SELECT pg_temp.predictions(:model, '2026-03-01 00:00+00', 400, 0, false);
SELECT pg_temp.predictions('dd000000-0000-0000-0000-000000000009', '2026-01-01 00:00+00', 5, 0, false);
SELECT pg_temp.predictions('dd000000-0000-0000-0000-000000000009', '2026-02-01 00:00+00', 1, 100, false);

SELECT subject, metric, round(value::numeric, 4) AS value, CASE WHEN p_value < 0.001 THEN '< 0.001' ELSE round(p_value::numeric, 3)::text END AS p_value,
       round(threshold::numeric, 4) AS threshold, severity
FROM calculate_model_drift_metrics(:restaurant, 'demand', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)');
-- Nothing moved in March.
SELECT severity, count(*) FROM calculate_model_drift_metrics(:restaurant, 'demand@champion', '[2026-01-01,2026-02-01)', '[2026-03-01,2026-04-01)')
GROUP BY severity;
-- Stored once however often it runs, with one alert.
SELECT count(*) > 10 AS ran FROM calculate_model_drift_metrics(:restaurant, 'demand@2', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)');
SELECT subject_kind, subject, count(*), min(reference_n) AS reference_n, min(current_n) AS current_n, min(model_version) AS version,
       bool_and(p_value IS NULL OR adjusted_p_value >= p_value) AS adjusted, min(current_from) AS current_from, min(current_to) AS current_to
FROM sop_model_performance_tracking WHERE restaurant_id = :restaurant AND current_from = '2026-02-01' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT source, severity, title, status, raise_count, jsonb_array_length(evidence -> 'measurements') > 0 AS has_evidence
FROM sop_alerts WHERE restaurant_id = :restaurant;
-- Options: thresholds, no adjustment, nothing stored; bounds of ranges as they are given.
SELECT subject, metric, severity FROM calculate_model_drift_metrics(:restaurant, 'demand', '(,2026-02-01)', '[2026-02-01,)',
    '{"thresholds": {"psi": [5, 6, 7, 8]}, "adjust": "none", "store": false, "bins": 5}') WHERE metric = 'psi' AND subject = 'feature:guests';
SELECT count(*) AS unbounded_rows FROM sop_model_performance_tracking WHERE restaurant_id = :restaurant AND reference_from IS NULL;
-- One prediction says nothing.
SELECT subject, metric, severity FROM calculate_model_drift_metrics(:restaurant, 'demand@old', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)')
WHERE metric IN ('psi', 'ks') AND subject IN ('feature:guests', 'feature:constant');

-- A shared classifier, with numbers that no float8 holds, infinities and NaN among its values.
INSERT INTO sop_ml_predictions (restaurant_id, prediction_id, predicted_at, model_restaurant_id, model_id, features, predicted_value,
    predicted_label, actual_label)
SELECT :other, md5(format('shared %s %s', m, i))::uuid, make_timestamptz(2026, m, 1, 0, 0, 0) + make_interval(mins => i),
       '00000000-0000-0000-0000-000000000000', 'dd000000-0000-0000-0000-00000000000c',
       jsonb_build_object('huge', CASE i % 3 WHEN 0 THEN 1e400 WHEN 1 THEN 1e-400 ELSE 1 END),
       (ARRAY['NaN', 'Infinity', '2', '3', '4'])[1 + i % 5]::float8,
       CASE WHEN i % 10 < 6 THEN 'late' ELSE 'on time' END,
       CASE WHEN i % 10 < 6 - 4 * (m - 1) THEN 'late' ELSE 'on time' END
FROM generate_series(1, 200) AS i, generate_series(1, 2) AS m;
SELECT subject, metric, round(value::numeric, 4) AS value, severity
FROM calculate_model_drift_metrics(:other, 'shared', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)');

-- Bad input.
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand', '[2026-01-01,2026-02-02)', '[2026-02-01,2026-03-01)');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand', 'empty', '[2026-02-01,2026-03-01)');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand', NULL, '[2026-02-01,2026-03-01)');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand', '[2020-01-01,2020-02-02)', '[2026-02-01,2026-03-01)');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand', '[2026-01-01,2026-02-01)', '[2027-02-01,2027-03-01)');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'supply', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand@9', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:other, 'demand', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand@', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, NULL, '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)', '{"bins": 1}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)', '{"thresholds": {"psy": [1,2,3,4]}}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)', '{"thresholds": {"psi": [4,3,2,1]}}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)', '{"adjust": "holm"}');
\echo :LAST_ERROR_SQLSTATE

-- An analyst of the other restaurant.
CREATE ROLE drift_analyst LOGIN IN ROLE sop_ml_analyst;
INSERT INTO sop_restaurant_members (restaurant_id, role_name, access_level) VALUES (:other, 'drift_analyst', 'analyst');
SET SESSION AUTHORIZATION drift_analyst;
SELECT count(*) AS measured FROM calculate_model_drift_metrics(NULL, 'shared', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)');
SELECT * FROM calculate_model_drift_metrics(:restaurant, 'demand', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calculate_model_drift_metrics(NULL, 'demand', '[2026-01-01,2026-02-01)', '[2026-02-01,2026-03-01)');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
DELETE FROM sop_restaurant_members WHERE role_name = 'drift_analyst';
DROP ROLE drift_analyst;
