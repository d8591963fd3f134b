-- Who may do what. Grants say which tables a database role may touch and how; policies say which rows. Run at every
-- install: what the roles of sop_ml hold on its relations is taken back first, so this file is the whole truth.
-- Nobody but the operator gets TRUNCATE; nobody gets REFERENCES or TRIGGER, which would run a stranger's code with the rights of
-- whoever writes.

REVOKE ALL ON SCHEMA sop_ml, sop_ml_storage FROM PUBLIC, sop_ml_viewer, sop_ml_staff, sop_ml_analyst, sop_ml_manager,
    sop_ml_owner, sop_ml_group_reader, sop_ml_operator, sop_ml_definer;
REVOKE ALL ON ALL TABLES IN SCHEMA sop_ml, sop_ml_storage FROM PUBLIC, sop_ml_viewer, sop_ml_staff, sop_ml_analyst,
    sop_ml_manager, sop_ml_owner, sop_ml_group_reader, sop_ml_operator, sop_ml_definer;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA sop_ml, sop_ml_storage FROM PUBLIC, sop_ml_viewer, sop_ml_staff, sop_ml_analyst,
    sop_ml_manager, sop_ml_owner, sop_ml_group_reader;

-- Functions that run as their owner are for the triggers and jobs that use them.
DO $definer$
DECLARE
    definer text;
BEGIN
    FOR definer IN
        SELECT p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace IN ('sop_ml'::pg_catalog.regnamespace, 'sop_ml_storage'::pg_catalog.regnamespace)
          AND p.prosecdef
    LOOP
        EXECUTE 'REVOKE ALL ON FUNCTION ' || definer || ' FROM PUBLIC';
    END LOOP;
END
$definer$;

GRANT USAGE ON SCHEMA sop_ml TO sop_ml_viewer, sop_ml_group_reader, sop_ml_operator;

-- Operators run the jobs for all restaurants (BYPASSRLS), make partitions and own the materialized views.
GRANT USAGE ON SCHEMA sop_ml_storage TO sop_ml_operator;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA sop_ml, sop_ml_storage TO sop_ml_operator;
GRANT EXECUTE ON FUNCTION sop_ml_storage.analyze_aggregates() TO sop_ml_operator;
GRANT ALL ON ALL SEQUENCES IN SCHEMA sop_ml, sop_ml_storage TO sop_ml_operator;
-- From PostgreSQL 17 on a refresh asks for a right that the owner has like any other one, and that was taken back above.
DO $maintain$
BEGIN
    IF current_setting('server_version_num')::int >= 170000 THEN
        EXECUTE 'GRANT MAINTAIN ON sop_ml_storage.sop_daily_performance_summary, sop_ml_storage.sop_weekly_performance_trends'
            ' TO sop_ml_operator';
    END IF;
END
$maintain$;
-- Partitions are reached through their table by everybody, so that those made now and those made later are alike.
DO $partitions$
DECLARE
    partition text;
BEGIN
    FOR partition IN
        SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'sop_ml_storage'::pg_catalog.regnamespace
          AND c.relispartition AND c.relkind IN ('r', 'p')
        ORDER BY 1
    LOOP
        EXECUTE 'REVOKE ALL ON ' || partition || ' FROM sop_ml_operator';
    END LOOP;
END
$partitions$;
-- The audit log only grows, for operators too.
REVOKE ALL ON sop_ml.sop_audit_log FROM sop_ml_operator;
GRANT SELECT, INSERT ON sop_ml.sop_audit_log TO sop_ml_operator;

-- In mode vault what lies behind the view too, chunks and what they are compressed into: it is reached through the view by everybody.
DO $vault$
DECLARE
    closed text;
BEGIN
    FOR closed IN
        SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'sop_ml_storage'::pg_catalog.regnamespace AND c.relkind IN ('r', 'v')
          AND pg_catalog.to_regclass('sop_ml_storage.sop_time_series_data') IS NOT NULL
          AND (c.relname IN ('sop_time_series_data', 'sop_time_series_15_minutes')
               OR EXISTS (SELECT FROM pg_catalog.pg_inherits AS i
                          WHERE i.inhrelid = c.oid AND i.inhparent = pg_catalog.to_regclass('sop_ml_storage.sop_time_series_data'))
               OR EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = '_ts_meta_count'))
    LOOP
        EXECUTE 'REVOKE ALL ON ' || closed || ' FROM sop_ml_operator';
    END LOOP;
END
$vault$;

-- What the trigger functions need; a row lock is an UPDATE right.
GRANT USAGE ON SCHEMA sop_ml, sop_ml_storage TO sop_ml_definer;
GRANT INSERT ON sop_ml_storage.dirty_buckets TO sop_ml_definer;
GRANT SELECT (restaurant_id, grain, bucket_start) ON sop_ml.sop_performance_aggregates TO sop_ml_definer;
GRANT SELECT, INSERT, UPDATE ON sop_ml_storage.audit_heads, sop_ml.sop_user_profiles TO sop_ml_definer;
GRANT SELECT, INSERT ON sop_ml.sop_audit_log TO sop_ml_definer;
GRANT SELECT, UPDATE ON sop_ml.sop_privacy_preferences TO sop_ml_definer;

-- The register of migrations is written by install() alone.
REVOKE ALL ON sop_ml.sop_schema_migrations FROM sop_ml_operator;
GRANT SELECT ON sop_ml.sop_schema_migrations TO sop_ml_operator;

-- viewer and group reader: read, except who has which access, what was audited and what is on its way to other systems.
GRANT SELECT ON ALL TABLES IN SCHEMA sop_ml TO sop_ml_viewer, sop_ml_group_reader;
REVOKE ALL ON sop_ml.sop_restaurant_members, sop_ml.sop_audit_log, sop_ml.sop_event_outbox
    FROM sop_ml_viewer, sop_ml_group_reader;

-- staff: record what happens.
GRANT INSERT ON sop_ml.sop_user_interactions, sop_ml.sop_time_series_data, sop_ml.sop_time_series_batches, sop_ml.sop_ab_participants,
    sop_ml.sop_ab_events, sop_ml.sop_event_outbox TO sop_ml_staff;
GRANT INSERT, UPDATE ON sop_ml.sop_training_records, sop_ml.sop_user_profiles TO sop_ml_staff;
GRANT UPDATE (actual_value, actual_label, actual_at, feedback_score, feedback_text, feedback_by, feedback_at)
    ON sop_ml.sop_ml_predictions TO sop_ml_staff;
GRANT UPDATE (status, shown_at, clicked_at, completed_at, dismissed_at, feedback_score, feedback_note)
    ON sop_ml.sop_generated_recommendations TO sop_ml_staff;
GRANT UPDATE (first_exposed_at, last_exposed_at, exposure_count) ON sop_ml.sop_ab_participants TO sop_ml_staff;

-- analyst: prepare data, train, draft experiments, measure. Policies keep deployed models, running experiments and
-- targets out of reach.
GRANT INSERT, UPDATE, DELETE ON
    sop_ml.sop_ml_features, sop_ml.sop_feature_engineering, sop_ml.sop_content_features,
    sop_ml.sop_training_datasets, sop_ml.sop_ml_training_jobs, sop_ml.sop_ml_models, sop_ml.sop_predictive_models,
    sop_ml.sop_recommendation_models, sop_ml.sop_ml_predictions, sop_ml.sop_model_predictions,
    sop_ml.sop_prediction_scenarios, sop_ml.sop_model_performance_tracking,
    sop_ml.sop_performance_aggregates, sop_ml.sop_performance_days, sop_ml.sop_performance_trends, sop_ml.sop_performance_baselines,
    sop_ml.sop_time_series_data, sop_ml.sop_time_series_batches, sop_ml.sop_time_series_patterns, sop_ml.sop_time_series_forecasts,
    sop_ml.sop_time_series_anomalies, sop_ml.sop_generated_recommendations, sop_ml.sop_recommendation_analytics,
    sop_ml.sop_ab_experiments, sop_ml.sop_ab_results, sop_ml.sop_ab_monitoring, sop_ml.sop_quality_reports
    TO sop_ml_analyst;
GRANT UPDATE ON sop_ml.sop_user_interactions TO sop_ml_analyst;
GRANT INSERT ON sop_ml.sop_job_queue TO sop_ml_analyst;
-- Checks raise alerts, and raise an open one again; answering an alert is the manager's.
GRANT INSERT ON sop_ml.sop_alerts TO sop_ml_analyst;
GRANT UPDATE (severity, title, description, evidence, last_raised_at, raise_count, metric_name, business_impact,
    impact_currency, run_id, announced_at, suppressed_until, updated_at) ON sop_ml.sop_alerts TO sop_ml_analyst;

-- manager: deploy, start and stop experiments, flags, targets, privacy requests, alerts, the nightly job of the own
-- restaurant. (Refreshing materialized views and the log of dirty buckets are the operator's.)
GRANT SELECT ON sop_ml.sop_restaurant_members, sop_ml.sop_audit_log, sop_ml.sop_event_outbox TO sop_ml_manager;
GRANT INSERT, UPDATE, DELETE ON
    sop_ml.sop_alerts, sop_ml.sop_ab_feature_flags, sop_ml.sop_privacy_preferences, sop_ml.sop_job_runs
    TO sop_ml_manager;
GRANT UPDATE, DELETE ON sop_ml.sop_ab_participants, sop_ml.sop_job_queue TO sop_ml_manager;
-- Erasure of a person's data.
GRANT DELETE ON sop_ml.sop_user_interactions, sop_ml.sop_user_profiles, sop_ml.sop_training_records,
    sop_ml.sop_ab_events TO sop_ml_manager;

-- owner: members, own retention and personal-data rules, settings. A restaurant is opened and suspended
-- by operators.
GRANT INSERT, UPDATE, DELETE ON sop_ml.sop_restaurant_members, sop_ml.sop_pii_columns,
    sop_ml.sop_time_series_compression_policies TO sop_ml_owner;
GRANT UPDATE (name, external_ref, region, country_code, kind, time_zone, currency, default_language, opening_hours,
    closures, rollup_dimensions, first_day_of_week, seat_count, staff_count, labour_cost_per_hour, average_daily_revenue, opened_on,
    cross_restaurant_opt_in, opt_in_changed_at, retention_days, settings, updated_at)
    ON sop_ml.sop_restaurants TO sop_ml_owner;
