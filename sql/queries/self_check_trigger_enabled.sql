-- Triggers that the rules of the tables rest on and that are missing, and triggers of any kind that are switched off. The
-- audit log's fires whatever session_replication_role says. In mode vault those of the time series lie on the table behind the view.
WITH wanted (schema_name, relation, name, enabled) AS (
    SELECT n.nspname::text, c.relname::text, f.name, 'O'
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN (VALUES ('sop_ml_dirty_insert', NULL), ('sop_ml_dirty_update', NULL), ('sop_ml_dirty_truncate', NULL),
                       ('sop_ml_key_is_fixed', NULL), ('sop_ml_dirty_delete', false), ('sop_ml_vault_insert', true), ('sop_ml_vault_update', true),
                       ('sop_ml_vault_delete', true), ('sop_ml_vault_deleted', true)) AS f (name, only_vault)
    WHERE c.relname = 'sop_time_series_data' AND c.relkind IN ('r', 'p') AND n.nspname IN ('sop_ml', 'sop_ml_storage')
      AND coalesce(f.only_vault = (n.nspname = 'sop_ml_storage'), true)
    UNION ALL
    SELECT 'sop_ml', o.relation, o.name, o.enabled
    FROM (VALUES
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
           ('sop_job_queue', 'sop_ml_signed', 'O')) AS o (relation, name, enabled)
    UNION ALL
    SELECT 'sop_ml', audited, 'sop_ml_audit', 'O'
    FROM unnest(ARRAY['sop_ml_models', 'sop_predictive_models', 'sop_recommendation_models', 'sop_training_datasets',
        'sop_ab_experiments', 'sop_ab_feature_flags', 'sop_restaurant_members', 'sop_privacy_preferences']) AS audited
    UNION ALL
    SELECT 'sop_ml', c.relname::text, 'sop_ml_updated_at', 'O'
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'updated_at' AND NOT a.attisdropped
    WHERE c.relnamespace = to_regnamespace('sop_ml') AND c.relkind IN ('r', 'p')
)
SELECT format('%s on %s.%s', w.name, w.schema_name, w.relation),
       CASE WHEN t.oid IS NULL THEN 'the trigger is missing' ELSE 'the trigger does not fire always' END
FROM wanted AS w
LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = to_regnamespace(w.schema_name) AND c.relname = w.relation
LEFT JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = c.oid AND t.tgname = w.name
WHERE t.oid IS NULL OR w.enabled = 'A' AND t.tgenabled <> 'A'
UNION
SELECT format('%s on %s', t.tgname, t.tgrelid::regclass), 'the trigger is switched off'
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
WHERE c.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
  AND t.tgenabled NOT IN ('O', 'A')
ORDER BY 1, 2
