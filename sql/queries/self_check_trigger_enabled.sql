-- Triggers that the rules of the tables rest on and that are missing, and triggers of any kind that are switched off. The
-- audit log's fires whatever session_replication_role says.
WITH wanted (relation, name, enabled) AS (
    VALUES ('sop_time_series_data', 'sop_ml_dirty_insert', 'O'),
           ('sop_time_series_data', 'sop_ml_dirty_update', 'O'),
           ('sop_time_series_data', 'sop_ml_dirty_delete', 'O'),
           ('sop_time_series_data', 'sop_ml_dirty_truncate', 'O'),
           ('sop_time_series_data', 'sop_ml_key_is_fixed', 'O'),
           ('sop_user_interactions', 'sop_ml_dirty_insert', 'O'),
           ('sop_user_interactions', 'sop_ml_dirty_update', 'O'),
           ('sop_user_interactions', 'sop_ml_dirty_delete', 'O'),
           ('sop_user_interactions', 'sop_ml_dirty_truncate', 'O'),
           ('sop_audit_log', 'sop_ml_append_only', 'A'),
           ('sop_user_profiles', 'sop_ml_privacy_flag', 'O'),
           ('sop_privacy_preferences', 'sop_ml_privacy_follow', 'O'),
           ('sop_privacy_preferences', 'sop_ml_privacy_truncate', 'O'),
           ('sop_alerts', 'sop_ml_announce', 'O'),
           ('sop_restaurants', 'sop_ml_opt_in', 'O'),
           ('sop_restaurant_members', 'sop_restaurant_members_changed', 'O'),
           ('sop_restaurant_members', 'sop_ml_role_claim', 'O'),
           ('sop_audit_log', 'sop_ml_chain', 'O'),
           ('sop_job_queue', 'sop_ml_signed', 'O')
    UNION ALL
    SELECT audited, 'sop_ml_audit', 'O'
    FROM unnest(ARRAY['sop_ml_models', 'sop_predictive_models', 'sop_recommendation_models', 'sop_training_datasets',
        'sop_ab_experiments', 'sop_ab_feature_flags', 'sop_restaurant_members', 'sop_privacy_preferences']) AS audited
    UNION ALL
    SELECT c.relname::text, 'sop_ml_updated_at', 'O'
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'updated_at' AND NOT a.attisdropped
    WHERE c.relnamespace = to_regnamespace('sop_ml') AND c.relkind IN ('r', 'p')
)
SELECT format('%s on sop_ml.%s', w.name, w.relation),
       CASE WHEN t.oid IS NULL THEN 'the trigger is missing' ELSE 'the trigger does not fire always' END
FROM wanted AS w
LEFT JOIN pg_catalog.pg_trigger AS t
    ON t.tgrelid = to_regclass(format('sop_ml.%I', w.relation)) AND t.tgname = w.name
WHERE t.oid IS NULL OR w.enabled = 'A' AND t.tgenabled <> 'A'
UNION
SELECT format('%s on %s', t.tgname, t.tgrelid::regclass), 'the trigger is switched off'
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
WHERE c.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
  AND t.tgenabled NOT IN ('O', 'A')
ORDER BY 1, 2
