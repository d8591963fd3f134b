-- What people allow: stated, read with defaults, followed by whatever learns from them.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
SET extra_float_digits = 0;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\set restaurant '''9a1a0000-0000-0000-0000-000000000001'''
\set other '''9a1a0000-0000-0000-0000-000000000002'''
\set ana '''a0000000-0000-0000-0000-000000000001'''
\set ben '''a0000000-0000-0000-0000-000000000002'''
\set cid '''a0000000-0000-0000-0000-000000000003'''
\set sop '''50000000-0000-0000-0000-000000000001'''

INSERT INTO sop_restaurants (restaurant_id, name) VALUES (:restaurant, 'Private kitchen'), (:other, 'Other kitchen');

-- Defaults, the first statement, the same again, a change, and a change back.
SELECT * FROM privacy_preferences(:restaurant, :ana);
SELECT user_id, purpose, old_state, new_state, since = now() AS since_now
FROM set_privacy_preference(:restaurant, :ana, 'training', 'denied', '{"source": "manager", "note": "by phone", "legal_basis": "consent",
    "policy_version": "3", "notice_language": "de", "evidence": {"form": 7}, "request_id": "d0000000-0000-0000-0000-000000000001"}');
SELECT source, note, legal_basis, policy_version, notice_language, evidence, request_id, previous_state
FROM sop_privacy_preferences WHERE restaurant_id = :restaurant AND user_id = :ana;
UPDATE sop_privacy_preferences SET since = '2026-01-01 00:00+00' WHERE restaurant_id = :restaurant AND user_id = :ana;
SELECT old_state, new_state, since FROM set_privacy_preference(:restaurant, :ana, 'training', 'denied');
SELECT old_state, new_state, since > '2026-01-01' AS changed FROM set_privacy_preference(:restaurant, :ana, 'training', 'allowed');
SELECT purpose, state, is_default, previous_state, since IS NULL AS no_time, source FROM privacy_preferences(:restaurant, :ana);
SELECT old_state, new_state FROM set_privacy_preference(:restaurant, :ana, 'cross_restaurant', 'allowed');
SELECT source, note, evidence, request_id FROM sop_privacy_preferences WHERE restaurant_id = :restaurant AND user_id = :ana AND purpose = 'training';
-- Elsewhere nothing was stated.
SELECT count(*) FILTER (WHERE is_default) AS defaults FROM privacy_preferences(:other, :ana);

-- Three people with the same history; one denies training, one personalisation: no learning read shows either.
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, rating, duration_seconds)
SELECT :restaurant, person, :sop, 'complete', now() - day * interval '1 day', 4, 60
FROM unnest(ARRAY[:ana, :ben, :cid]::uuid[]) AS person, generate_series(1, 3) AS day;
INSERT INTO sop_user_profiles (restaurant_id, user_id, skill_level)
SELECT :restaurant, person, 0.5 FROM unnest(ARRAY[:ana, :ben, :cid]::uuid[]) AS person;
INSERT INTO sop_training_records (restaurant_id, user_id, module_id, certification, status, completed_at)
SELECT :restaurant, person, :sop, 'hygiene', 'completed', now() - interval '1 hour' FROM unnest(ARRAY[:ana, :ben, :cid]::uuid[]) AS person;
CREATE FUNCTION pg_temp.shown() RETURNS TABLE (what text, value text) LANGUAGE sql AS $$
    SELECT 'training rows', string_agg(DISTINCT right(user_id::text, 1), ' ' ORDER BY right(user_id::text, 1))
    FROM prepare_sop_recommendation_training_data('9a1a0000-0000-0000-0000-000000000001', now() - interval '9 days', now())
    UNION ALL
    SELECT feature_name, value::text
    FROM aggregate_sop_performance_features('9a1a0000-0000-0000-0000-000000000001', now() + interval '1 day', '{9 days}')
    WHERE feature_name IN ('active_users', 'completions', 'ratings')
    UNION ALL
    SELECT 'person ' || right(entity_id::text, 1), features::text
    FROM generate_ml_feature_matrix('9a1a0000-0000-0000-0000-000000000001', 'user', '{a0000000-0000-0000-0000-000000000001,
        a0000000-0000-0000-0000-000000000002,a0000000-0000-0000-0000-000000000003}', ARRAY[now() + interval '1 day'],
        '{completions:7d,rating_mean:7d,skill_level,certifications}')
    UNION ALL
    SELECT 'SOP', features::text
    FROM generate_ml_feature_matrix('9a1a0000-0000-0000-0000-000000000001', 'sop', '{50000000-0000-0000-0000-000000000001}',
        ARRAY[now() + interval '1 day'], '{completions:7d,active_users:7d}')
$$;
SELECT * FROM pg_temp.shown();
SELECT count(*) FROM set_privacy_preference(:restaurant, :ben, 'training', 'denied');
SELECT count(*) FROM set_privacy_preference(:restaurant, :cid, 'personalisation', 'denied');
SELECT right(user_id::text, 1) AS person, reason FROM sop_training_exclusions WHERE restaurant_id = :restaurant ORDER BY 1, 2;
SELECT * FROM pg_temp.shown();
-- Experiments and other restaurants are other purposes; who allows again is back.
SELECT count(*) FROM set_privacy_preference(:restaurant, :ana, 'experimentation', 'denied');
SELECT count(*) FROM set_privacy_preference(:restaurant, :ana, 'cross_restaurant', 'denied');
SELECT old_state, new_state FROM set_privacy_preference(:restaurant, :ben, 'training', 'allowed');
UPDATE sop_user_profiles SET status = 'erased' WHERE restaurant_id = :restaurant AND user_id = :ana;
SELECT * FROM pg_temp.shown();

-- Managers state, others do not; a tenant reaches nobody elsewhere.
CREATE ROLE privacy_manager NOLOGIN IN ROLE sop_ml_manager;
CREATE ROLE privacy_analyst NOLOGIN IN ROLE sop_ml_analyst;
INSERT INTO sop_restaurant_members (restaurant_id, role_name, access_level) VALUES
    (:restaurant, 'privacy_manager', 'manager'), (:restaurant, 'privacy_analyst', 'analyst');
SET ROLE privacy_analyst;
SELECT state FROM privacy_preferences(NULL, :ana) WHERE purpose = 'experimentation';
SELECT * FROM set_privacy_preference(NULL, :ana, 'training', 'denied');
\echo :LAST_ERROR_SQLSTATE
SET ROLE privacy_manager;
SELECT old_state, new_state FROM set_privacy_preference(NULL, :ana, 'training', 'denied');
SELECT * FROM set_privacy_preference(:other, :ana, 'training', 'denied');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM privacy_preferences(:other, :ana);
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
-- A membership below manager is refused although the role has the grant.
UPDATE sop_restaurant_members SET access_level = 'staff' WHERE role_name = 'privacy_manager';
SET ROLE privacy_manager;
SELECT * FROM set_privacy_preference(NULL, :ana, 'training', 'allowed');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM set_privacy_preference(NULL, 'a0000000-0000-0000-0000-000000000009', 'training', 'allowed');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;

-- Errors.
SELECT * FROM set_privacy_preference(:restaurant, :ana, 'marketing', 'denied');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM set_privacy_preference(:restaurant, :ana, 'training', 'perhaps');
SELECT * FROM set_privacy_preference(:restaurant, :ana, 'training', NULL);
SELECT * FROM set_privacy_preference(:restaurant, :ana, NULL, 'denied');
SELECT * FROM set_privacy_preference(:restaurant, NULL, 'training', 'denied');
SELECT * FROM set_privacy_preference(:restaurant, :ana, 'training', 'denied', '{"sorce": "user"}');
SELECT * FROM set_privacy_preference(:restaurant, :ana, 'training', 'denied', '{"source": "hearsay"}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM set_privacy_preference(:restaurant, :ana, 'training', 'denied', '{"request_id": "seven"}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM set_privacy_preference(:restaurant, :ana, 'training', 'denied', '7');
SELECT * FROM privacy_preferences(:restaurant, NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM privacy_preferences(NULL, :ana);
\echo :LAST_ERROR_SQLSTATE

DROP ROLE privacy_manager, privacy_analyst;
