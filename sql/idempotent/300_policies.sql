-- Row-level security for every tenant table: ENABLE and FORCE, one permissive policy per command, and one more SELECT
-- policy for group readers. Run at every install; policies named sop_ml_* are replaced, others are left alone.
--
-- The predicate is a bare equality with a STABLE function: beside an explicit restaurant_id = $1 the planner turns it
-- into a One-Time Filter, and alone it is an index condition. The group readers' policy has a sub-select, and so has what
-- decides about the rows of a hypertable: over that One-Time Filter TimescaleDB before March 2026 cannot plan UPDATE and DELETE
-- ("variable not found in subplan target list"), and from a membership in an array none is made.

DO $policies$
DECLARE
    shared CONSTANT text := '''00000000-0000-0000-0000-000000000000''::uuid';
    equal  CONSTANT text := 'restaurant_id OPERATOR(pg_catalog.=) sop_ml.current_restaurant()';
    member CONSTANT text := 'restaurant_id OPERATOR(pg_catalog.=) ANY ((SELECT ARRAY[sop_ml.current_restaurant()])::uuid[])';
    needed CONSTANT text := 'sop_ml.has_access(%L)';
    groups CONSTANT text := 'restaurant_id OPERATOR(pg_catalog.=) ANY ((SELECT sop_ml.readable_restaurants())::uuid[])';
    tenant_table record;
    old_policy   name;
    own          text;
    readable     text;
    group_rows   text;
    existing_row text;
BEGIN
    FOR tenant_table IN
        -- Rules beyond the tenant's own rows:
        --   shared_rows  rows of the shared tenant are readable by every restaurant
        --   inserts, updates, deletes   the level that the caller needs, beside the GRANT: a database role may stand for
        --                people of several levels, whom only their token or membership tells apart
        --   row_rule     which of the restaurant's rows a caller may write: tested on the old and on the new row
        WITH rule (name, shared_rows, inserts, updates, deletes, row_rule) AS (VALUES
            ('sop_restaurants',           false, 'owner',   'owner',   'owner',   NULL),
            ('sop_restaurant_members',    false, 'owner',   'owner',   'owner',   NULL),
            ('sop_training_records',      false, 'staff',   'staff',   'manager', NULL),
            -- Analysts train; approving, deploying and what is deployed belong to managers.
            ('sop_ml_models',             true,  'analyst', 'analyst', 'analyst', $rule$((status <> ALL (ARRAY['approved', 'deployed'])
                AND deployment_mode = 'none') OR sop_ml.has_access('manager'))$rule$),
            ('sop_ml_features',           true,  'analyst', 'analyst', 'analyst', NULL),
            ('sop_ml_training_jobs',      false, 'analyst', 'analyst', 'analyst', NULL),
            ('sop_training_datasets',     false, 'analyst', 'analyst', 'analyst', NULL),
            -- Staff give feedback on predictions; which columns that is, a trigger guards (150_triggers.sql).
            ('sop_ml_predictions',        false, 'analyst', 'staff',   'analyst', NULL),
            ('sop_feature_engineering',   true,  'analyst', 'analyst', 'analyst', NULL),
            ('sop_predictive_models',     true,  'analyst', 'analyst', 'analyst', NULL),
            ('sop_model_predictions',     false, 'analyst', 'analyst', 'analyst', NULL),
            ('sop_model_performance_tracking', false, 'analyst', 'analyst', 'analyst', NULL),
            ('sop_prediction_scenarios',  false, 'analyst', 'analyst', 'analyst', NULL),
            ('sop_performance_aggregates', false, 'analyst', 'analyst', 'analyst', NULL),
            ('sop_performance_days',      false, 'analyst', 'analyst', 'analyst', NULL),
            ('sop_performance_trends',    false, 'analyst', 'analyst', 'analyst', NULL),
            -- Computed baselines are the analysts', targets the managers'.
            ('sop_performance_baselines', false, 'analyst', 'analyst', 'analyst',
                $rule$(NOT is_target OR sop_ml.has_access('manager'))$rule$),
            -- Written by the operator's run and by nobody else.
            ('sop_peer_benchmarks',       false, 'owner',   'owner',   'owner',   'false'),
            ('sop_time_series_data',      false, 'staff',   'analyst', 'analyst', NULL),
            ('sop_time_series_batches',   false, 'staff',   'analyst', 'analyst', NULL),
            -- Written by the operator's jobs and by nobody else.
            ('sop_retired_periods',       true,  'owner',   'owner',   'owner',   'false'),
            ('sop_time_series_patterns',  false, 'analyst', 'analyst', 'analyst', NULL),
            ('sop_time_series_forecasts', false, 'analyst', 'analyst', 'analyst', NULL),
            ('sop_time_series_anomalies', false, 'analyst', 'analyst', 'analyst', NULL),
            -- What holds personal data and how long raw data lives: shared rules, and a restaurant's own beside them.
            ('sop_time_series_compression_policies', true, 'owner', 'owner', 'owner', NULL),
            ('sop_pii_columns',           true,  'owner',   'owner',   'owner',   NULL),
            ('sop_user_interactions',     false, 'staff',   'analyst', 'manager', NULL),
            ('sop_user_profiles',         false, 'staff',   'staff',   'manager', NULL),
            ('sop_content_features',      false, 'analyst', 'analyst', 'analyst', NULL),
            ('sop_generated_recommendations', false, 'analyst', 'staff', 'analyst', NULL),
            ('sop_recommendation_models', true,  'analyst', 'analyst', 'analyst',
                $rule$(status <> 'deployed' OR sop_ml.has_access('manager'))$rule$),
            ('sop_recommendation_analytics', false, 'analyst', 'analyst', 'analyst', NULL),
            -- Experiments are drafted by analysts, run by managers.
            ('sop_ab_experiments',        false, 'analyst', 'analyst', 'analyst',
                $rule$(status = 'draft' OR sop_ml.has_access('manager'))$rule$),
            ('sop_ab_participants',       false, 'staff',   'staff',   'manager', NULL),
            ('sop_ab_events',             false, 'staff',   'manager', 'manager', NULL),
            ('sop_ab_results',            false, 'analyst', 'analyst', 'analyst', NULL),
            ('sop_ab_monitoring',         false, 'analyst', 'analyst', 'analyst', NULL),
            ('sop_ab_feature_flags',      true,  'manager', 'manager', 'manager', NULL),
            ('sop_alerts',                false, 'analyst', 'analyst', 'manager', NULL),
            -- Entries are made by triggers and functions that run as the operator, and by nobody else.
            ('sop_audit_log',             false, 'owner',   'owner',   'owner',   'false'),
            ('sop_job_queue',             false, 'analyst', 'manager', 'manager', NULL),
            ('sop_job_runs',              false, 'manager', 'manager', 'manager', NULL),
            ('sop_event_outbox',          false, 'staff',   'manager', 'manager', NULL),
            ('sop_privacy_preferences',   false, 'manager', 'manager', 'manager', NULL),
            ('sop_quality_reports',       false, 'analyst', 'analyst', 'analyst', NULL)
        ), tenant_relation (name, relation, is_hypertable, is_vault) AS (
            SELECT c.relname::text, c.oid::pg_catalog.regclass::text, c.relname = 'sop_time_series_data' AND c.relkind = 'r',
                   c.relnamespace = 'sop_ml_storage'::pg_catalog.regnamespace
            FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_attribute AS a
                ON a.attrelid = c.oid AND a.attname = 'restaurant_id' AND NOT a.attisdropped
            WHERE c.relnamespace = 'sop_ml'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p')
               -- Mode vault: the table behind the view has its policies, for the day on which it is a table again, but they are off.
               OR c.relnamespace = 'sop_ml_storage'::pg_catalog.regnamespace AND c.relname = 'sop_time_series_data'
        )
        SELECT name, t.relation, t.is_hypertable, t.is_vault, t.name IS NOT NULL AS is_there, r.name IS NOT NULL AS has_rule, r.shared_rows, r.inserts, r.updates,
               r.deletes, r.row_rule
        FROM tenant_relation AS t
        FULL JOIN rule AS r USING (name)
        ORDER BY name
    LOOP
        IF NOT (tenant_table.is_there AND tenant_table.has_rule) THEN
            RAISE EXCEPTION 'table sop_ml.% and the rules for policies do not fit', tenant_table.name
                USING ERRCODE = 'undefined_table',
                      DETAIL = format('The table %s, a rule for it %s.',
                          CASE WHEN tenant_table.is_there THEN 'exists' ELSE 'does not exist' END,
                          CASE WHEN tenant_table.has_rule THEN 'exists' ELSE 'does not exist' END);
        END IF;
        IF NOT tenant_table.is_vault THEN
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tenant_table.relation);
        END IF;
        FOR old_policy IN
            SELECT p.polname FROM pg_catalog.pg_policy AS p
            WHERE p.polrelid = tenant_table.relation::pg_catalog.regclass AND starts_with(p.polname::text, 'sop_ml_')
        LOOP
            EXECUTE format('DROP POLICY %I ON %s', old_policy, tenant_table.relation);
        END LOOP;

        own := CASE WHEN tenant_table.is_hypertable THEN member ELSE equal END;
        readable := own;
        group_rows := groups;
        IF tenant_table.shared_rows THEN
            -- Without a current restaurant nothing is shown, the shared rows neither.
            readable := format('restaurant_id OPERATOR(pg_catalog.=) ANY (ARRAY[sop_ml.current_restaurant(), %s])'
                               ' AND sop_ml.current_restaurant() IS NOT NULL', shared);
            group_rows := format('%s OR restaurant_id OPERATOR(pg_catalog.=) %s', groups, shared);
        END IF;
        -- A row that the row rule protects is as good as absent for UPDATE and DELETE; too low an access level is an
        -- error where PostgreSQL can raise one (WITH CHECK), and no row where it cannot (DELETE).
        existing_row := concat_ws(' AND ', own, tenant_table.row_rule);

        EXECUTE format('CREATE POLICY sop_ml_select ON %s FOR SELECT USING (%s)', tenant_table.relation, readable);
        EXECUTE format('CREATE POLICY sop_ml_insert ON %s FOR INSERT WITH CHECK (%s)', tenant_table.relation,
                       concat_ws(' AND ', equal, format(needed, tenant_table.inserts), tenant_table.row_rule));
        EXECUTE format('CREATE POLICY sop_ml_update ON %s FOR UPDATE USING (%s) WITH CHECK (%s)',
                       tenant_table.relation, existing_row,
                       concat_ws(' AND ', equal, format(needed, tenant_table.updates), tenant_table.row_rule));
        EXECUTE format('CREATE POLICY sop_ml_delete ON %s FOR DELETE USING (%s)', tenant_table.relation,
                       concat_ws(' AND ', own, format(needed, tenant_table.deletes), tenant_table.row_rule));
        EXECUTE format('CREATE POLICY sop_ml_group_select ON %s FOR SELECT TO sop_ml_group_reader USING (%s)',
                       tenant_table.relation, group_rows);
    END LOOP;
END
$policies$;

-- Policies of a parent do not reach a query that names its partition: partitions deny by default, and so does whatever else
-- lies in sop_ml_storage. FORCE, because the owner of a partition must come through the parent too. Chunks of a hypertable
-- come into being without it while rows are inserted; they are closed by 415_hypertable_rights.sql. (In mode vault their table has none
-- either: TimescaleDB could not compress it.)
DO $storage$
DECLARE
    relation name;
BEGIN
    FOR relation IN
        SELECT c.relname FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'sop_ml_storage'::pg_catalog.regnamespace
          AND c.relkind IN ('r', 'p')
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid AND NOT c.relispartition)
          AND c.relname <> 'sop_time_series_data'
          -- What TimescaleDB keeps compressed rows in.
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = '_ts_meta_count')
    LOOP
        EXECUTE format('ALTER TABLE sop_ml_storage.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', relation);
    END LOOP;
END
$storage$;
