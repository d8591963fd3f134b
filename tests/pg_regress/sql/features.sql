-- Features of procedures and people at moments in the past.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
SET extra_float_digits = 0;
SET intervalstyle = postgres;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\set restaurant '''fea70000-0000-0000-0000-000000000001'''
\set fry  '''50000000-0000-0000-0000-000000000001'''
\set wash '''50000000-0000-0000-0000-000000000002'''
\set ann  '''a0000000-0000-0000-0000-000000000001'''
\set bob  '''a0000000-0000-0000-0000-000000000002'''

INSERT INTO sop_restaurants (restaurant_id, name, time_zone, created_at) VALUES
    (:restaurant, 'Feature kitchen', 'Asia/Bangkok', '2026-01-01 00:00+00'),
    ('fea70000-0000-0000-0000-000000000002', 'Empty kitchen', 'UTC', '2026-01-01 00:00+00');

-- Ann fries on five days (not on the 5th), Bob looks, skips and rates; every row is recorded a minute later.
INSERT INTO sop_user_interactions
    (restaurant_id, user_id, sop_id, interaction_type, occurred_at, duration_seconds, rating, quality_score, ingested_at)
SELECT :restaurant, v.user_id::uuid, v.sop_id::uuid, v.kind, v.at::timestamptz, v.seconds, v.rating, v.quality,
       v.at::timestamptz + interval '1 minute'
FROM (VALUES
    (:ann, :fry,  'start',    '2026-03-02 02:00+00', NULL::float8, NULL::float8, NULL::float8),
    (:ann, :fry,  'complete', '2026-03-02 03:00+00', 100,        NULL,       90),
    (:ann, :fry,  'complete', '2026-03-03 03:00+00', 200,        NULL,       NULL),
    (:ann, :fry,  'complete', '2026-03-04 03:00+00', 400,        NULL,       70),
    (:ann, :fry,  'complete', '2026-03-06 03:00+00', 'NaN',      NULL,       NULL),
    -- Still the 6th in London, the 7th in Bangkok.
    (:ann, :fry,  'complete', '2026-03-06 18:00+00', 300,        NULL,       NULL),
    (:bob, :fry,  'view',     '2026-03-05 03:00+00', NULL,       NULL,       NULL),
    (:bob, :fry,  'skip',     '2026-03-05 04:00+00', NULL,       NULL,       NULL),
    (:bob, :fry,  'rate',     '2026-03-05 05:00+00', NULL,       4,          NULL),
    (:bob, :wash, 'view',     '2026-02-20 05:00+00', NULL,       'Infinity', NULL)
) AS v (user_id, sop_id, kind, at, seconds, rating, quality);
INSERT INTO sop_time_series_data (restaurant_id, metric_name, sop_id, observed_at, value, quality_flag, ingested_at) VALUES
    (:restaurant, 'compliance_score', :fry, '2026-03-03 00:00+00', 80, NULL, '2026-03-03 00:01+00'),
    (:restaurant, 'compliance_score', :fry, '2026-03-04 00:00+00', 90, 'good', '2026-03-04 00:01+00'),
    (:restaurant, 'compliance_score', :fry, '2026-03-05 00:00+00', 0, 'bad', '2026-03-05 00:01+00'),
    (:restaurant, 'compliance_score', DEFAULT, '2026-03-05 00:00+00', 10, NULL, '2026-03-05 00:01+00'),
    (:restaurant, 'oil_temperature', :fry, '2026-03-05 00:00+00', 180, NULL, '2026-03-05 00:01+00');

SELECT right(sop_id::text, 1) AS sop, feature_name, "window", round(value::numeric, 6) AS value
FROM aggregate_sop_performance_features(:restaurant, '2026-03-07 00:00+00', '{7 days}');
-- A procedure without activity in a shorter window is listed with empty windows; one without any is not listed.
SELECT right(sop_id::text, 1) AS sop, feature_name, "window", value
FROM aggregate_sop_performance_features(:restaurant, '2026-03-07 00:00+00', '{1 day,30 days}')
WHERE feature_name IN ('interactions', 'rating_mean', 'active_users') ORDER BY sop, feature_name, "window";

-- No row from at or after as_of, and none that was recorded at or after it, changes anything.
CREATE TEMP TABLE before_march_5 AS
SELECT * FROM aggregate_sop_performance_features(:restaurant, '2026-03-05 00:00+00', '{1 day,7 days,30 days}');
SELECT count(*) FROM before_march_5;
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, duration_seconds, rating, ingested_at) VALUES
    (:restaurant, :ann, :fry, 'complete', '2026-03-05 00:00+00', 9, 1, '2026-03-05 00:00+00'),
    (:restaurant, :ann, :fry, 'complete', '2026-03-08 00:00+00', 9, 1, '2026-03-08 00:00+00'),
    (:restaurant, :ann, :fry, 'complete', '2026-03-04 09:00+00', 9, 1, '2026-03-09 00:00+00');
INSERT INTO sop_time_series_data (restaurant_id, metric_name, sop_id, observed_at, value, ingested_at) VALUES
    (:restaurant, 'compliance_score', :fry, '2026-03-05 00:00:01+00', 1, '2026-03-05 00:00:01+00'),
    (:restaurant, 'compliance_score', :fry, '2026-03-04 12:00+00', 1, '2026-03-09 00:00+00');
SELECT count(*) AS changed FROM (
    (TABLE before_march_5 EXCEPT ALL
     SELECT * FROM aggregate_sop_performance_features(:restaurant, '2026-03-05 00:00+00', '{1 day,7 days,30 days}'))
    UNION ALL
    (SELECT * FROM aggregate_sop_performance_features(:restaurant, '2026-03-05 00:00+00', '{1 day,7 days,30 days}')
     EXCEPT ALL TABLE before_march_5)) AS difference;
-- Once it is known, what was late counts for later moments.
SELECT as_of, features FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry, :fry]::uuid[],
    '{2026-03-09 00:00+00,2026-03-09 00:00:01+00}', '{completions:30d,compliance_observations:30d}');
-- A year loaded after the restaurant was registered counts for moments before that.
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, ingested_at) VALUES
    (:restaurant, :ann, :fry, 'complete', '2025-06-01 00:00+00', '2026-01-10 00:00+00');
SELECT as_of, features FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry, :fry, :fry]::uuid[],
    '{2025-06-02 00:00+00,2026-01-09 00:00+00,2026-01-11 00:00+00}', '{completions:365d}');

-- The matrix: order of features, pairs of entity and moment, what is missing, a stranger.
SELECT right(entity_id::text, 1) AS sop, as_of, features
FROM generate_ml_feature_matrix(:restaurant, 'sop',
    ARRAY[:wash, :fry, '50000000-0000-0000-0000-00000000000f']::uuid[], '{2026-03-07 00:00+00}',
    '{completion_rate:7d,views:30d,sop.completions:7d,duration_median:7d,duration_p95:7d}');
SELECT right(entity_id::text, 1) AS sop, as_of, features
FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry, :fry]::uuid[],
    '{2026-03-04 00:00+00,2026-03-07 00:00+00}', '{completions:7d,completions:1d,compliance_mean:7d}');
-- The matrix and the aggregate agree on every registered feature.
SELECT count(*) AS features, count(*) FILTER (WHERE m.value IS DISTINCT FROM a.value) AS different
FROM (SELECT f.names, x.features
      FROM (SELECT array_agg(name ORDER BY name) AS names FROM sop_ml_features
            WHERE entity = 'sop' AND restaurant_id = '00000000-0000-0000-0000-000000000000') AS f,
           generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry]::uuid[], '{2026-03-07 00:00+00}', f.names) AS x) AS matrix
CROSS JOIN LATERAL unnest(matrix.names, matrix.features) AS m (name, value)
LEFT JOIN (SELECT 'sop.' || feature_name || ':' || extract(day FROM "window") || 'd' AS name, value
           FROM aggregate_sop_performance_features(:restaurant, '2026-03-07 00:00+00',
                '{1 day,7 days,14 days,30 days,90 days,365 days}')
           WHERE sop_id = :fry) AS a USING (name);

-- People: the profile is known from when it was written, certifications while they are valid.
INSERT INTO sop_user_profiles (restaurant_id, user_id, skill_level, updated_at) VALUES
    (:restaurant, :ann, 0.7, '2026-03-04 00:00+00'), (:restaurant, :bob, 'NaN', '2026-03-04 00:00+00');
INSERT INTO sop_training_records (restaurant_id, user_id, module_id, certification, attempt, status, completed_at, expires_at, created_at, updated_at) VALUES
    (:restaurant, :ann, :fry,  'food safety', 1, 'completed', '2026-02-01', '2026-03-05', '2026-02-01', '2026-02-01'),
    (:restaurant, :ann, :fry,  'food safety', 2, 'completed', '2026-03-03', NULL,         '2026-03-03', '2026-03-03'),
    (:restaurant, :ann, :wash, 'allergens',   1, 'revoked',   '2026-02-01', NULL,         '2026-02-01', '2026-03-06'),
    (:restaurant, :ann, :wash, 'hygiene',     2, 'failed',    '2026-02-01', NULL,         '2026-02-01', '2026-02-01');
SELECT right(entity_id::text, 1) AS person, as_of, features
FROM generate_ml_feature_matrix(:restaurant, 'user', ARRAY[:ann, :ann, :ann, :bob]::uuid[],
    '{2026-02-01 12:00+00,2026-03-05 00:00+00,2026-03-07 00:00+00,2026-03-07 00:00+00}',
    '{skill_level,experience_days,certifications,completions:7d,active_sops:30d}');
-- Pairs of person and procedure.
SELECT right(entity_id::text, 1) AS person, features
FROM generate_ml_feature_matrix(:restaurant, 'user_sop',
    ARRAY[ARRAY[:ann, :fry], ARRAY[:bob, :fry], ARRAY[:bob, :wash], ARRAY[:ann, :wash]]::uuid[], '{2026-03-07 00:00+00}',
    '{completions:30d,skip_rate:30d,hours_since_interaction:30d}');
-- A restaurant's own window.
INSERT INTO sop_ml_features (restaurant_id, name, entity, window_length, definition)
VALUES (:restaurant, 'sop.completions:36h', 'sop', '36 hours', '{"engine": "native", "measure": "completions"}');
SELECT features FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry]::uuid[], '{2026-03-07 00:00+00}', '{completions:36h}');
SELECT features FROM generate_ml_feature_matrix('fea70000-0000-0000-0000-000000000002', 'sop', ARRAY[:fry]::uuid[], '{2026-03-07 00:00+00}', '{completions:36h}');

-- Nothing asked, nothing there.
SELECT count(*) FROM aggregate_sop_performance_features('fea70000-0000-0000-0000-000000000002', '2026-03-07', '{7 days}');
SELECT count(*) FROM aggregate_sop_performance_features(:restaurant, '2026-03-07', '{}');
SELECT count(*) FROM generate_ml_feature_matrix(:restaurant, 'sop', '{}', '{}', '{completions:7d}');
SELECT features FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry]::uuid[], '{2026-03-07}', '{}');
SELECT features FROM generate_ml_feature_matrix('fea70000-0000-0000-0000-000000000002', 'user', ARRAY[:ann]::uuid[], '{2026-03-07}', '{completions:7d,experience_days,certifications,rating_mean:7d}');

-- Errors.
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry]::uuid[], '{2026-03-07}', '{completions:7d,compleshuns:7d}');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry]::uuid[], '{2026-03-07}', '{completions:7d,compleshuns:7d}');
\set VERBOSITY terse
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry]::uuid[], '{2026-03-07}', '{skill_level}');
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry, :wash, :fry]::uuid[], '{2026-03-07,2026-03-08}', '{completions:7d}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry]::uuid[], '{}', '{completions:7d}');
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'user_sop', ARRAY[:fry, :wash, :fry]::uuid[], '{2026-03-07}', '{completions:7d}');
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'recipe', ARRAY[:fry]::uuid[], '{2026-03-07}', '{completions:7d}');
SELECT * FROM generate_ml_feature_matrix(:restaurant, NULL, ARRAY[:fry]::uuid[], '{2026-03-07}', '{completions:7d}');
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'sop', NULL, '{2026-03-07}', '{completions:7d}');
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry, NULL]::uuid[], '{2026-03-07}', '{completions:7d}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[ARRAY[:fry]]::uuid[], '{2026-03-07}', '{completions:7d}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry]::uuid[], '{NULL}', '{completions:7d}');
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry]::uuid[], '{infinity}', '{completions:7d}');
SELECT * FROM generate_ml_feature_matrix(:restaurant, 'sop', ARRAY[:fry]::uuid[], '{2026-03-07}', NULL);
SELECT * FROM aggregate_sop_performance_features(:restaurant, NULL, '{7 days}');
SELECT * FROM aggregate_sop_performance_features(:restaurant, '-infinity', '{7 days}');
SELECT * FROM aggregate_sop_performance_features(:restaurant, '2026-03-07', NULL);
SELECT * FROM aggregate_sop_performance_features(:restaurant, '2026-03-07', '{7 days,NULL}');
SELECT * FROM aggregate_sop_performance_features(:restaurant, '2026-03-07', '{-1 day}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM aggregate_sop_performance_features(NULL, '2026-03-07', '{7 days}');
\echo :LAST_ERROR_SQLSTATE
