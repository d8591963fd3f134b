-- Checks of rows against shipped and generic rules.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
SET extra_float_digits = 0;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\set restaurant '''d9000000-0000-0000-0000-000000000001'''
\set clean '''d9000000-0000-0000-0000-000000000002'''
\set empty '''d9000000-0000-0000-0000-000000000003'''

INSERT INTO sop_restaurants (restaurant_id, name) VALUES
    (:restaurant, 'Dirty kitchen'), (:clean, 'Clean kitchen'), (:empty, 'Empty kitchen');

-- 200 starts and completes of 10 people, then one fault of each kind.
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, interaction_id, duration_seconds)
SELECT tenant.id::uuid, ('a0000000-0000-0000-0000-' || lpad(p::text, 12, '0'))::uuid,
       ('50000000-0000-0000-0000-' || lpad((1 + d % 3)::text, 12, '0'))::uuid, kind.name,
       timestamptz '2026-01-01 00:00+00' + make_interval(days => d, mins => p, secs => kind.later),
       md5(format('%s %s %s %s', tenant.id, p, d, kind.name))::uuid,
       CASE kind.name WHEN 'complete' THEN 60 + (p * 7 + d * 3) % 20 END
FROM (VALUES (:restaurant), (:clean)) AS tenant (id), generate_series(1, 10) AS p, generate_series(0, 9) AS d,
     (VALUES ('start', 0), ('complete', 90)) AS kind (name, later);
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, interaction_id, duration_seconds,
    rating, completion_fraction, search_text) VALUES
    (:restaurant, 'a0000000-0000-0000-0000-000000000001', '50000000-0000-0000-0000-000000000001', 'rate', '2026-02-01 00:01+00',
     'e0000000-0000-0000-0000-000000000001', NULL, 50, NULL, NULL),
    (:restaurant, 'a0000000-0000-0000-0000-000000000001', '50000000-0000-0000-0000-000000000001', 'rate', '2026-02-01 00:02+00',
     'e0000000-0000-0000-0000-000000000002', NULL, 'NaN', NULL, NULL),
    (:restaurant, 'a0000000-0000-0000-0000-000000000001', '50000000-0000-0000-0000-000000000001', 'rate', '2026-02-01 00:03+00',
     'e0000000-0000-0000-0000-000000000003', NULL, NULL, NULL, NULL),
    (:restaurant, 'a0000000-0000-0000-0000-000000000001', '50000000-0000-0000-0000-000000000001', 'rate', '2026-02-01 00:04+00',
     'e0000000-0000-0000-0000-000000000004', NULL, 5, 1.5, NULL),
    (:restaurant, 'a0000000-0000-0000-0000-000000000001', '50000000-0000-0000-0000-000000000001', 'complete', '2026-02-01 00:05+00',
     'e0000000-0000-0000-0000-000000000005', -60, NULL, NULL, NULL),
    (:restaurant, 'a0000000-0000-0000-0000-000000000001', '50000000-0000-0000-0000-000000000001', 'complete', '2026-02-01 00:06+00',
     'e0000000-0000-0000-0000-000000000006', 90000, NULL, NULL, NULL),
    (:restaurant, 'a0000000-0000-0000-0000-000000000002', '50000000-0000-0000-0000-000000000009', 'complete', '2026-02-01 00:07+00',
     'e0000000-0000-0000-0000-000000000007', NULL, NULL, NULL, NULL),
    (:restaurant, 'a0000000-0000-0000-0000-000000000001', '50000000-0000-0000-0000-000000000001', 'view', '2100-01-01 00:00+00',
     'e0000000-0000-0000-0000-000000000008', NULL, NULL, NULL, NULL),
    (:restaurant, 'a0000000-0000-0000-0000-000000000001', '50000000-0000-0000-0000-000000000001', 'view', '2026-02-01 00:09+00',
     'e0000000-0000-0000-0000-000000000009', NULL, NULL, NULL, NULL),
    (:restaurant, 'a0000000-0000-0000-0000-000000000001', '50000000-0000-0000-0000-000000000001', 'view', '2026-02-01 00:09+00',
     'e0000000-0000-0000-0000-000000000010', NULL, NULL, NULL, NULL),
    (:restaurant, 'a0000000-0000-0000-0000-000000000001', '50000000-0000-0000-0000-000000000001', 'search', '2026-02-01 00:10+00',
     'e0000000-0000-0000-0000-000000000011', NULL, NULL, NULL, E' \t');

-- Every check and its answer; the last row is the report.
SELECT q."check", q.dimension, q.column_name, q.severity, q.rows_checked, q.rows_failed, round(q.rate::numeric, 4) AS rate,
       round(q.rate_low::numeric, 4) AS rate_low, round(q.rate_high::numeric, 4) AS rate_high, round(q.score::numeric, 2) AS score
FROM validate_ml_training_data_quality(:restaurant, 'sop_ml.sop_user_interactions') AS q;
-- The keys of failing rows lead to them.
SELECT q."check", k ->> 'interaction_id' AS interaction_id, k ->> 'interaction_type' AS interaction_type, k ->> 'occurred_at' AS occurred_at
FROM validate_ml_training_data_quality(:restaurant, 'sop_ml.sop_user_interactions', '{"store": false, "samples": 2}') AS q,
     jsonb_array_elements(q.sample_keys) AS k
ORDER BY 1, 2;
-- Stored with its verdicts; failed checks raised alerts; a second run raises them again instead of others.
SELECT count(*) AS checks, count(DISTINCT report_id) AS reports, count(*) FILTER (WHERE status = 'failed') AS failed,
       count(*) FILTER (WHERE alert_id IS NOT NULL) AS alerted, count(DISTINCT overall_score) AS scores, min(rule_version) AS version
FROM sop_quality_reports WHERE restaurant_id = :restaurant;
SELECT title, source, severity, status, raise_count, relation_name, evidence ->> 'rows_failed' AS rows_failed
FROM sop_alerts WHERE restaurant_id = :restaurant ORDER BY title;
SELECT count(*) > 5 AS ran FROM validate_ml_training_data_quality(:restaurant, 'sop_ml.sop_user_interactions');
SELECT raise_count, count(*) FROM sop_alerts WHERE restaurant_id = :restaurant GROUP BY raise_count;
SELECT count(*) FILTER (WHERE previous_rate IS NOT NULL) AS with_history, bool_and(previous_rate = rate) AS same
FROM sop_quality_reports WHERE restaurant_id = :restaurant AND previous_rate IS NOT NULL;
-- A clean restaurant has nothing but age to complain about; an empty one nothing at all.
SELECT q."check", q.severity, q.rows_failed FROM validate_ml_training_data_quality(:clean, 'sop_ml.sop_user_interactions') AS q
WHERE q.severity <> 'info' OR q.rows_failed > 0 OR q."check" = 'overall';
SELECT q."check", q.severity, q.rows_checked, q.rows_failed, q.rate, q.score
FROM validate_ml_training_data_quality(:empty, 'sop_ml.sop_user_interactions') AS q;
SELECT status, count(*) FROM sop_quality_reports WHERE restaurant_id = :empty GROUP BY status;

-- Options: only these checks, a time range, other thresholds.
SELECT q."check", q.severity, q.rows_checked, q.rows_failed FROM validate_ml_training_data_quality(:restaurant,
    'sop_ml.sop_user_interactions', '{"rules": ["rating_range", "not_in_future"], "to_time": "2026-02-01 00:02+00"}') AS q;
SELECT q."check", q.severity FROM validate_ml_training_data_quality(:restaurant, 'sop_ml.sop_user_interactions',
    '{"rules": ["rating_range", "not_in_future"], "warn": 0.9, "thresholds": {"not_in_future": {"warn": 0, "fail": 0}}}') AS q;

-- Time series: missing, NaN, negative durations, one wild value.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value, unit)
SELECT :restaurant, 'wait', timestamptz '2026-01-01 00:00+00' + make_interval(hours => h), 10 + h % 5, 'min' FROM generate_series(1, 100) AS h;
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value, unit) VALUES
    (:restaurant, 'wait', '2026-01-10 00:00+00', NULL, 'min'), (:restaurant, 'wait', '2026-01-10 00:01+00', 'NaN', 'min'),
    (:restaurant, 'wait', '2026-01-10 00:02+00', -3, 'min'), (:restaurant, 'wait', '2026-01-10 00:03+00', 900, 'min'),
    (:restaurant, 'freezer', '2026-01-10 00:03+00', -18, 'celsius');
SELECT q."check", q.severity, q.rows_checked, q.rows_failed, q.sample_keys -> 0 ->> 'observed_at' AS first_failure
FROM validate_ml_training_data_quality(:restaurant, 'sop_ml.sop_time_series_data', '{"store": false}') AS q;

-- Conflicting and unbalanced labels of predictions.
INSERT INTO sop_ml_models (restaurant_id, model_id, name, task, algorithm, status)
VALUES (:restaurant, 'de000000-0000-0000-0000-000000000001', 'late', 'classification', 'tree', 'deployed');
INSERT INTO sop_ml_predictions (restaurant_id, prediction_id, predicted_at, model_restaurant_id, model_id, features, predicted_label,
    actual_label, confidence)
SELECT :restaurant, ('f0000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, timestamptz '2026-01-01 00:00+00' + make_interval(mins => n),
       :restaurant, 'de000000-0000-0000-0000-000000000001', jsonb_build_object('shift', n / 2), CASE WHEN n <> 7 THEN 'late' END,
       CASE WHEN n % 50 = 0 THEN 'late' ELSE 'on time' END, 0.8
FROM generate_series(1, 400) AS n;
SELECT q."check", q.column_name, q.severity, q.rows_checked, q.rows_failed, q.sample_keys -> 0 ->> 'prediction_id' AS first_failure,
       round(q.score::numeric, 1) AS score
FROM validate_ml_training_data_quality(:restaurant, 'sop_ml.sop_ml_predictions', '{"store": false}') AS q
WHERE q."check" IN ('answer_present', 'label_balance', 'conflicting_labels', 'duplicate_predictions', 'actual_value_outliers');

-- Any other relation: rules from its catalogue. Rows of other restaurants do not count.
CREATE TABLE public.quality_orders (restaurant_id uuid, order_id int PRIMARY KEY, amount float8, "odd ""name" numeric, placed_at timestamptz,
    note text NOT NULL DEFAULT '', label boolean);
INSERT INTO public.quality_orders (restaurant_id, order_id, amount, "odd ""name", placed_at, label) VALUES
    (:restaurant, 1, 10, 1, '2026-01-01', true), (:restaurant, 2, 'NaN', NULL, '2026-01-02', true),
    (:restaurant, 3, 'Infinity', 'NaN', '2100-01-01', true), (:restaurant, 4, 10, 1, '2026-01-04', false),
    (:clean, 5, 'NaN', NULL, '2100-01-01', false);
SELECT q."check", q.dimension, q.column_name, q.severity, q.rows_checked, q.rows_failed, q.sample_keys, round(q.score::numeric, 1) AS score
FROM validate_ml_training_data_quality(:restaurant, 'public.quality_orders', '{"label": "label", "features": ["amount"]}') AS q;
-- No key, no tenant: whole rows are compared; a view has rows too, but none that can be named.
CREATE TABLE public.quality_plain (a int, b text);
INSERT INTO public.quality_plain VALUES (1, 'x'), (1, 'x'), (1, 'x'), (2, NULL);
CREATE VIEW public.quality_view AS SELECT * FROM public.quality_plain;
SELECT q."check", q.severity, q.rows_checked, q.rows_failed, q.sample_keys
FROM validate_ml_training_data_quality(:restaurant, 'public.quality_plain') AS q;
SELECT q."check", q.rows_checked, q.rows_failed, q.sample_keys
FROM validate_ml_training_data_quality(:restaurant, 'public.quality_view', '{"store": false}') AS q;

-- Bad input.
SELECT * FROM validate_ml_training_data_quality(:restaurant, NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 'public.no_such_table');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 4294967290::oid::regclass);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 'public.quality_orders_pkey');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 'public.quality_orders', '{"rules": ["ratings"]}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 'public.quality_orders', '{"warn": 0.5, "fail": 0.1}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 'public.quality_orders', '{"fail": 2}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 'public.quality_orders', '{"samples": -1}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 'public.quality_orders', '{"from_time": "2026-01-01"}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 'public.quality_orders', '{"label": "nobody"}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 'public.quality_orders', '{"color": 1}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 'public.quality_orders', '[]');
\echo :LAST_ERROR_SQLSTATE

-- An analyst of one restaurant: no SELECT on a relation, no other restaurant.
CREATE ROLE quality_analyst LOGIN IN ROLE sop_ml_analyst;
INSERT INTO sop_restaurant_members (restaurant_id, role_name, access_level) VALUES (:clean, 'quality_analyst', 'analyst');
GRANT USAGE ON SCHEMA public TO quality_analyst;
SET SESSION AUTHORIZATION quality_analyst;
SELECT * FROM validate_ml_training_data_quality(NULL, 'public.quality_orders');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM validate_ml_training_data_quality(:restaurant, 'sop_ml.sop_user_interactions');
\echo :LAST_ERROR_SQLSTATE
SELECT q."check", q.severity, q.rows_checked FROM validate_ml_training_data_quality(NULL, 'sop_ml.sop_user_interactions',
    '{"rules": ["fresh", "duplicate_events"]}') AS q;
RESET SESSION AUTHORIZATION;
DELETE FROM sop_restaurant_members WHERE role_name = 'quality_analyst';
DROP OWNED BY quality_analyst;
DROP ROLE quality_analyst;
