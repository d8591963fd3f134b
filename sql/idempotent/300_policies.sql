-- Row-level security for every tenant table: ENABLE and FORCE, one permissive policy per command, and one more SELECT
-- policy for group readers. Run at every install; policies named sop_ml_* are replaced, others are left alone.
--
-- The predicate is a bare equality with a STABLE function: beside an explicit restaurant_id = $1 the planner turns it
-- into a One-Time Filter, and alone it is an index condition. The group readers' policy alone has a sub-select.

DO $policies$
DECLARE
    shared CONSTANT text := '''00000000-0000-0000-0000-000000000000''::uuid';
    own    CONSTANT text := 'restaurant_id OPERATOR(pg_catalog.=) sop_ml.current_restaurant()';
    groups CONSTANT text := 'restaurant_id OPERATOR(pg_catalog.=) ANY ((SELECT sop_ml.readable_restaurants())::uuid[])';
    tenant_table record;
    old_policy   name;
    readable     text;
    group_rows   text;
    existing_row text;
    new_row      text;
    removable    text;
BEGIN
    FOR tenant_table IN
        -- Rules beyond the tenant's own rows:
        --   shared_rows  rows of the shared tenant are readable by every restaurant
        --   access_level the level that the caller needs to write, beside the GRANT
        --   row_rule     which of the restaurant's rows a caller may write: tested on the old and on the new row
        WITH rule (name, shared_rows, access_level, row_rule) AS (VALUES
            ('sop_restaurants',          false, 'owner',   NULL),
            ('sop_restaurant_members',   false, 'owner',   NULL),
            -- Analysts train; approving, deploying and what is deployed belong to managers.
            ('sop_ml_models',            true,  'analyst', $rule$((status <> ALL (ARRAY['approved', 'deployed'])
                AND deployment_mode = 'none') OR sop_ml.has_access('manager'))$rule$),
            ('sop_ml_features',          true,  'analyst', NULL),
            ('sop_feature_engineering',  true,  'analyst', NULL),
            ('sop_predictive_models',    true,  'analyst', NULL),
            ('sop_recommendation_models', true, 'analyst',
                $rule$(status <> 'deployed' OR sop_ml.has_access('manager'))$rule$),
            -- Computed baselines are the analysts', targets the managers'.
            ('sop_performance_baselines', false, 'analyst',
                $rule$(NOT is_target OR sop_ml.has_access('manager'))$rule$),
            -- Experiments are drafted by analysts, run by managers.
            ('sop_ab_experiments',       false, 'analyst',
                $rule$(status = 'draft' OR sop_ml.has_access('manager'))$rule$),
            ('sop_ab_feature_flags',     true,  'manager', NULL),
            ('sop_privacy_preferences',  false, 'manager', NULL),
            -- What holds personal data and how long raw data lives: shared rules, and a restaurant's own beside them.
            ('sop_pii_columns',          true,  'owner',   NULL),
            ('sop_time_series_compression_policies', true, 'owner', NULL)
        ), tenant_relation (name) AS (
            SELECT c.relname::text
            FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_attribute AS a
                ON a.attrelid = c.oid AND a.attname = 'restaurant_id' AND NOT a.attisdropped
            WHERE c.relnamespace = 'sop_ml'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p')
        )
        SELECT name, t.name IS NOT NULL AS is_there, coalesce(r.shared_rows, false) AS shared_rows, r.access_level,
               r.row_rule, name = 'sop_audit_log' AS is_append_only
        FROM tenant_relation AS t
        FULL JOIN rule AS r USING (name)
        ORDER BY name
    LOOP
        IF NOT tenant_table.is_there THEN
            RAISE EXCEPTION 'a policy rule names table sop_ml.%, which does not exist', tenant_table.name
                USING ERRCODE = 'undefined_table';
        END IF;
        EXECUTE format('ALTER TABLE sop_ml.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tenant_table.name);
        FOR old_policy IN
            SELECT p.polname FROM pg_catalog.pg_policy AS p
            WHERE p.polrelid = format('sop_ml.%I', tenant_table.name)::pg_catalog.regclass
              AND starts_with(p.polname::text, 'sop_ml_')
        LOOP
            EXECUTE format('DROP POLICY %I ON sop_ml.%I', old_policy, tenant_table.name);
        END LOOP;

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
        new_row := concat_ws(' AND ', own, 'sop_ml.has_access(' || quote_literal(tenant_table.access_level) || ')',
                             tenant_table.row_rule);
        removable := new_row;
        IF tenant_table.is_append_only THEN
            existing_row := 'false';
            removable := 'false';
        END IF;

        EXECUTE format('CREATE POLICY sop_ml_select ON sop_ml.%I FOR SELECT USING (%s)', tenant_table.name, readable);
        EXECUTE format('CREATE POLICY sop_ml_insert ON sop_ml.%I FOR INSERT WITH CHECK (%s)',
                       tenant_table.name, new_row);
        EXECUTE format('CREATE POLICY sop_ml_update ON sop_ml.%I FOR UPDATE USING (%s) WITH CHECK (%s)',
                       tenant_table.name, existing_row, new_row);
        EXECUTE format('CREATE POLICY sop_ml_delete ON sop_ml.%I FOR DELETE USING (%s)', tenant_table.name, removable);
        EXECUTE format('CREATE POLICY sop_ml_group_select ON sop_ml.%I FOR SELECT TO sop_ml_group_reader USING (%s)',
                       tenant_table.name, group_rows);
    END LOOP;
END
$policies$;

-- Policies of a parent do not reach a query that names its partition: partitions deny by default, and so does whatever else
-- lies in sop_ml_storage. FORCE, because the owner of a partition must come through the parent too.
DO $storage$
DECLARE
    relation name;
BEGIN
    FOR relation IN
        SELECT c.relname FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'sop_ml_storage'::pg_catalog.regnamespace
          AND c.relkind IN ('r', 'p')
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    LOOP
        EXECUTE format('ALTER TABLE sop_ml_storage.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', relation);
    END LOOP;
END
$storage$;
