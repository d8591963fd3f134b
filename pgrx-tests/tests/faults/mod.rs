//! What breaks the rules of `self_check()`: the rule, the statements that break it, and the object that it has to name.

/// Each fault breaks its own rule and no other.
pub(crate) const FAULTS: &[(&str, &str, &str)] = &[
    (
        "row_security",
        "ALTER TABLE sop_ml.sop_alerts NO FORCE ROW LEVEL SECURITY",
        "sop_ml.sop_alerts",
    ),
    (
        "row_security",
        "ALTER TABLE sop_ml.sop_restaurants DISABLE ROW LEVEL SECURITY",
        "sop_ml.sop_restaurants",
    ),
    (
        "row_security",
        "ALTER TABLE sop_ml_storage.dirty_buckets DISABLE ROW LEVEL SECURITY",
        "sop_ml_storage.dirty_buckets",
    ),
    (
        "row_security",
        "CREATE TABLE public.january PARTITION OF sop_ml.sop_user_interactions
             FOR VALUES FROM ('2001-01-01') TO ('2001-02-01')",
        "public.january",
    ),
    (
        "policy_per_command",
        "DROP POLICY sop_ml_delete ON sop_ml.sop_alerts",
        "sop_ml.sop_alerts",
    ),
    (
        "policy_per_command",
        "ALTER POLICY sop_ml_insert ON sop_ml.sop_alerts TO sop_ml_viewer",
        "sop_ml.sop_alerts",
    ),
    (
        "policy_once",
        "CREATE POLICY more ON sop_ml.sop_alerts FOR SELECT USING (restaurant_id = sop_ml.current_restaurant())",
        "sop_ml.sop_alerts",
    ),
    (
        "policy_subselect",
        "ALTER POLICY sop_ml_select ON sop_ml.sop_alerts
             USING (restaurant_id = ANY ((SELECT sop_ml.readable_restaurants())::uuid[]))",
        "sop_ml_select on sop_ml.sop_alerts",
    ),
    (
        "policy_subselect",
        "ALTER POLICY sop_ml_group_select ON sop_ml.sop_alerts TO PUBLIC;
         DROP POLICY sop_ml_select ON sop_ml.sop_alerts",
        "sop_ml_group_select on sop_ml.sop_alerts",
    ),
    (
        "policy_function",
        "CREATE FUNCTION public.mine(uuid) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
         ALTER POLICY sop_ml_select ON sop_ml.sop_alerts
             USING (restaurant_id = sop_ml.current_restaurant() AND public.mine(restaurant_id))",
        "sop_ml_select on sop_ml.sop_alerts",
    ),
    (
        "policy_function",
        "ALTER POLICY sop_ml_insert ON sop_ml.sop_alerts
             WITH CHECK (restaurant_id = sop_ml.current_restaurant() AND random() < 2)",
        "sop_ml_insert on sop_ml.sop_alerts",
    ),
    (
        "policy_always_true",
        "ALTER POLICY sop_ml_select ON sop_ml.sop_alerts USING (true)",
        "sop_ml_select on sop_ml.sop_alerts",
    ),
    (
        "policy_always_true",
        "ALTER POLICY sop_ml_update ON sop_ml.sop_alerts WITH CHECK (1 = 1)",
        "sop_ml_update on sop_ml.sop_alerts",
    ),
    (
        "policy_always_true",
        "ALTER POLICY sop_ml_delete ON sop_ml.sop_alerts USING (restaurant_id IS NOT NULL)",
        "sop_ml_delete on sop_ml.sop_alerts",
    ),
    (
        "tenant_key",
        "CREATE TABLE sop_ml.notes (note_id uuid PRIMARY KEY)",
        "sop_ml.notes",
    ),
    (
        "primary_key",
        "ALTER TABLE sop_ml.sop_quality_reports DROP CONSTRAINT sop_quality_reports_pkey",
        "sop_ml.sop_quality_reports",
    ),
    (
        "key_leads",
        "CREATE UNIQUE INDEX oracle ON sop_ml.sop_alerts (alert_id)",
        "oracle on sop_ml.sop_alerts",
    ),
    (
        "key_leads",
        "CREATE INDEX ON sop_ml.sop_alerts (alert_id);
         ALTER TABLE sop_ml.sop_alerts ADD CONSTRAINT stray FOREIGN KEY (alert_id) REFERENCES sop_ml.sop_restaurants",
        "stray on sop_ml.sop_alerts",
    ),
    (
        "foreign_key_index",
        "DROP INDEX sop_ml.sop_ab_monitoring_alert_idx",
        "sop_ab_monitoring_alert_fkey on sop_ml.sop_ab_monitoring",
    ),
    (
        "foreign_key_index",
        "DROP INDEX sop_ml.sop_ab_monitoring_alert_idx;
         CREATE INDEX ON sop_ml.sop_ab_monitoring (restaurant_id, alert_id) WHERE alert_id > restaurant_id",
        "sop_ab_monitoring_alert_fkey on sop_ml.sop_ab_monitoring",
    ),
    (
        "duplicate_index",
        "CREATE INDEX twin ON sop_ml.sop_alerts (restaurant_id, raised_at DESC)",
        "sop_ml.sop_alerts",
    ),
    (
        "invalid_index",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sop_ml.sop_alerts_open_idx'::regclass",
        "sop_ml.sop_alerts_open_idx on sop_ml.sop_alerts",
    ),
    (
        "invalid_index",
        "ALTER TABLE sop_ml.sop_alerts ADD CONSTRAINT later CHECK (raise_count < 1000000) NOT VALID",
        "later on sop_ml.sop_alerts",
    ),
    (
        "leakproof_column",
        "CREATE TYPE public.mood AS ENUM ('calm'); ALTER TABLE sop_ml.sop_alerts ADD mood public.mood",
        "sop_ml.sop_alerts.mood",
    ),
    (
        "leakproof_column",
        "CREATE INDEX leaky ON sop_ml.sop_alerts (restaurant_id, (business_impact::numeric))",
        "leaky on sop_ml.sop_alerts",
    ),
    (
        "definer_search_path",
        "ALTER FUNCTION sop_ml_storage.set_personalization_flag() RESET search_path",
        "sop_ml_storage.set_personalization_flag()",
    ),
    (
        "definer_search_path",
        "ALTER FUNCTION sop_ml.maintain_partitions(integer, interval) SET search_path = pg_catalog, public",
        "sop_ml.maintain_partitions(integer,interval)",
    ),
    (
        "definer_search_path",
        "ALTER FUNCTION sop_ml.maintain_partitions(integer, interval) SET search_path = public, pg_catalog, pg_temp",
        "sop_ml.maintain_partitions(integer,interval)",
    ),
    (
        "definer_search_path",
        "ALTER FUNCTION sop_ml_storage.set_updated_at() RESET search_path",
        "sop_ml_storage.set_updated_at()",
    ),
    (
        "public_function",
        "GRANT EXECUTE ON FUNCTION sop_ml.run_daily_ml_aggregation TO PUBLIC",
        "sop_ml.run_daily_ml_aggregation(uuid,date)",
    ),
    (
        "public_function",
        "GRANT EXECUTE ON FUNCTION sop_ml.maintain_partitions TO PUBLIC",
        "sop_ml.maintain_partitions(integer,interval)",
    ),
    (
        "public_function",
        "GRANT EXECUTE ON FUNCTION sop_ml.self_check TO PUBLIC",
        "sop_ml.self_check()",
    ),
    (
        "public_function",
        "ALTER FUNCTION sop_ml.current_restaurant() SECURITY DEFINER SET search_path = pg_catalog, pg_temp",
        "sop_ml.current_restaurant()",
    ),
    (
        "public_privilege",
        "GRANT SELECT ON sop_ml.sop_alerts TO PUBLIC",
        "sop_ml.sop_alerts",
    ),
    (
        "public_privilege",
        "GRANT UPDATE (title) ON sop_ml.sop_alerts TO PUBLIC",
        "sop_ml.sop_alerts.title",
    ),
    (
        "public_privilege",
        "GRANT USAGE ON SCHEMA sop_ml_storage TO PUBLIC",
        "schema sop_ml_storage",
    ),
    (
        "storage_closed",
        "GRANT SELECT ON sop_ml_storage.sop_daily_performance_summary TO sop_ml_viewer",
        "sop_ml_storage.sop_daily_performance_summary",
    ),
    (
        "storage_closed",
        "GRANT SELECT (restaurant_id) ON sop_ml_storage.dirty_buckets TO sop_ml_group_reader",
        "sop_ml_storage.dirty_buckets.restaurant_id",
    ),
    (
        "storage_closed",
        "GRANT USAGE ON SCHEMA sop_ml_storage TO sop_ml_owner",
        "schema sop_ml_storage",
    ),
    (
        "storage_closed",
        "GRANT EXECUTE ON FUNCTION sop_ml_storage.set_updated_at() TO sop_ml_staff",
        "sop_ml_storage.set_updated_at()",
    ),
    (
        "storage_closed",
        "CREATE POLICY opened ON sop_ml_storage.dirty_buckets FOR SELECT
             USING (restaurant_id = sop_ml.current_restaurant())",
        "sop_ml_storage.dirty_buckets",
    ),
    (
        "storage_closed",
        "CREATE TABLE public.january PARTITION OF sop_ml.sop_user_interactions
             FOR VALUES FROM ('2001-01-01') TO ('2001-02-01');
         ALTER TABLE public.january ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         GRANT SELECT ON public.january TO sop_ml_viewer",
        "public.january",
    ),
    (
        "schema_create",
        "GRANT CREATE ON SCHEMA sop_ml TO sop_ml_owner",
        "schema sop_ml",
    ),
    (
        "beyond_rows",
        "GRANT TRUNCATE ON sop_ml.sop_alerts TO sop_ml_owner",
        "sop_ml.sop_alerts",
    ),
    (
        "beyond_rows",
        // MAINTAIN exists from PostgreSQL 17 on.
        "DO $$ BEGIN
             EXECUTE format('GRANT %s ON sop_ml.sop_alerts TO sop_ml_staff',
                 CASE WHEN current_setting('server_version_num')::integer >= 170000 THEN 'MAINTAIN' ELSE 'TRIGGER' END);
         END $$",
        "sop_ml.sop_alerts",
    ),
    (
        "role_attributes",
        "ALTER ROLE sop_ml_owner BYPASSRLS",
        "sop_ml_owner",
    ),
    (
        "role_attributes",
        "ALTER ROLE sop_ml_viewer LOGIN",
        "sop_ml_viewer",
    ),
    (
        "view_security",
        "ALTER VIEW sop_ml.sop_open_alerts RESET (security_invoker)",
        "sop_ml.sop_open_alerts",
    ),
    (
        "view_security",
        "ALTER VIEW sop_ml.sop_daily_performance_summary SET (security_barrier = false)",
        "sop_ml.sop_daily_performance_summary",
    ),
    (
        "view_security",
        "CREATE VIEW sop_ml.every_alert WITH (security_barrier) AS SELECT * FROM sop_ml.sop_alerts",
        "sop_ml.every_alert",
    ),
    (
        "materialized_view",
        "CREATE MATERIALIZED VIEW sop_ml.copied AS SELECT restaurant_id FROM sop_ml.sop_alerts",
        "sop_ml.copied",
    ),
    (
        "argument_name",
        "CREATE FUNCTION sop_ml.ask(\"user\" text) RETURNS text LANGUAGE sql IMMUTABLE
             SET search_path = pg_catalog, pg_temp AS 'SELECT $1'",
        "sop_ml.ask(text)",
    ),
    (
        "argument_name",
        "CREATE FUNCTION sop_ml.ask(\"Mixed case\" text) RETURNS text LANGUAGE sql IMMUTABLE
             SET search_path = pg_catalog, pg_temp AS 'SELECT $1'",
        "sop_ml.ask(text)",
    ),
    (
        "overload",
        "CREATE FUNCTION sop_ml.distinct_error(value_of float8) RETURNS float8 LANGUAGE sql IMMUTABLE
             SET search_path = pg_catalog, pg_temp AS 'SELECT $1'",
        "sop_ml.distinct_error(sop_ml.distinct_sketch)",
    ),
    (
        "stable_function",
        "ALTER FUNCTION sop_ml.self_check() PARALLEL UNSAFE",
        "sop_ml.self_check()",
    ),
    (
        "stable_function",
        "CREATE FUNCTION sop_ml.note() RETURNS void LANGUAGE plpgsql STABLE PARALLEL SAFE
             SET search_path = pg_catalog, pg_temp
             AS 'BEGIN INSERT INTO sop_ml.sop_alerts (title) VALUES (''x''); END';
         REVOKE ALL ON FUNCTION sop_ml.note() FROM PUBLIC",
        "sop_ml.note()",
    ),
    (
        "trigger_enabled",
        "ALTER TABLE sop_ml.sop_audit_log ENABLE TRIGGER sop_ml_append_only",
        "sop_ml_append_only on sop_ml.sop_audit_log",
    ),
    (
        "trigger_enabled",
        "DROP TRIGGER sop_ml_privacy_follow ON sop_ml.sop_privacy_preferences",
        "sop_ml_privacy_follow on sop_ml.sop_privacy_preferences",
    ),
    (
        "trigger_enabled",
        "ALTER TABLE sop_ml.sop_user_profiles DISABLE TRIGGER sop_ml_privacy_flag",
        "sop_ml_privacy_flag on sop_ml.sop_user_profiles",
    ),
    (
        "trigger_enabled",
        "DROP TRIGGER sop_ml_updated_at ON sop_ml.sop_alerts",
        "sop_ml_updated_at on sop_ml.sop_alerts",
    ),
    (
        "extension_member",
        "ALTER EXTENSION sop_ml ADD TABLE sop_ml.sop_alerts",
        "sop_ml.sop_alerts",
    ),
    (
        "version",
        "UPDATE pg_extension SET extversion = '0.0.0' WHERE extname = 'sop_ml'",
        "extension sop_ml",
    ),
    (
        "migrations",
        "DELETE FROM sop_ml.sop_schema_migrations WHERE version = 43",
        "043_operations",
    ),
    (
        "migrations",
        "UPDATE sop_ml.sop_schema_migrations SET checksum = 'other' WHERE version = 36",
        "036_tenancy",
    ),
    (
        "migrations",
        "INSERT INTO sop_ml.sop_schema_migrations (version, name, checksum) VALUES (999, '999_later', 'x')",
        "999_later",
    ),
    (
        "migrations",
        "DROP TABLE sop_ml.sop_schema_migrations",
        "sop_ml.sop_schema_migrations",
    ),
];
