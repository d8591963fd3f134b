-- The statements that give the new table of the same name what the old one had: stage 1, when the rows are there (an index is
-- built faster than filled, and no trigger takes them for new ones), constraints, indexes, triggers, policies and remarks;
-- stage 2, when the old one is gone, what has a name of its own. Read before the old one is set aside. CHECK constraints and
-- columns come with LIKE; what belongs to TimescaleDB is its own affair.
-- $1 whether the new table is partitioned: the tenant's condition in the policies of sop_ml is an equality there, and on a
-- hypertable a membership in an array (300_policies.sql says why). $2 whether the old one lay behind a view (mode vault), where policies
-- are off, some triggers stand for them, and restaurant_id is of a domain.
WITH old AS (
    SELECT c.oid, c.oid::regclass AS name, c.relreplident, c.relforcerowsecurity, c.relrowsecurity
    FROM pg_catalog.pg_class AS c WHERE c.oid = 'sop_ml.sop_time_series_data'::regclass
), old_trigger AS (
    SELECT t.* FROM old JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = old.oid
    WHERE NOT t.tgisinternal AND NOT starts_with(t.tgname::text, 'sop_ml_vault_')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                      JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'timescaledb'
                      WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = t.tgfoid AND d.deptype = 'e')
), old_policy AS (
    SELECT p.oid, p.polname, p.polcmd, p.polpermissive, p.polroles,
           CASE WHEN $2 THEN replace(pg_get_expr(p.polwithcheck, p.polrelid), form.cast_column, form.bare_column)
                ELSE pg_get_expr(p.polwithcheck, p.polrelid) END AS check_,
           CASE WHEN NOT starts_with(p.polname::text, 'sop_ml_') THEN e.using_
                WHEN $1 THEN regexp_replace(e.using_, form.membership_pattern, form.equality)
                ELSE replace(e.using_, form.equality, form.membership) END AS using_
    FROM old
    JOIN pg_catalog.pg_policy AS p ON p.polrelid = old.oid
    CROSS JOIN (VALUES ('(restaurant_id)::uuid', 'restaurant_id',
                        '(restaurant_id = sop_ml.current_restaurant())',
                        '(restaurant_id = ANY ((SELECT ARRAY[sop_ml.current_restaurant()])::uuid[]))',
                        '\(restaurant_id = ANY \(\(\s*SELECT ARRAY\[sop_ml\.current_restaurant\(\)\][^)]*\)::uuid\[\]\)\)'))
        AS form (cast_column, bare_column, equality, membership, membership_pattern)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN $2 THEN replace(pg_get_expr(p.polqual, p.polrelid), form.cast_column, form.bare_column)
                    ELSE pg_get_expr(p.polqual, p.polrelid) END
    ) AS e (using_)
), statement (stage, place, name, text) AS (
    SELECT 1, 1, k.conname, format('ALTER TABLE %s ADD CONSTRAINT %I %s', old.name, k.conname, pg_get_constraintdef(k.oid))
    FROM old JOIN pg_catalog.pg_constraint AS k ON k.conrelid = old.oid
    WHERE k.contype IN ('p', 'u', 'x', 'f') AND k.conparentid = 0
    UNION ALL
    -- A partitioned table's definition says ONLY, which would leave its parts without the index.
    SELECT 1, 2, x.relname, replace(pg_get_indexdef(i.indexrelid), format(' ON ONLY %s ', old.name), format(' ON %s ', old.name))
    FROM old
    JOIN pg_catalog.pg_index AS i ON i.indrelid = old.oid
    JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.conrelid = old.oid)
    UNION ALL
    SELECT 1, 3, a.attname, format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', old.name, a.attname, a.attstattarget)
    FROM old JOIN pg_catalog.pg_attribute AS a ON a.attrelid = old.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE a.attstattarget >= 0
    UNION ALL
    SELECT 1, 3, a.attname, format('ALTER TABLE %s ALTER COLUMN %I SET (%I = %L)', old.name, a.attname, o.option_name, o.option_value)
    FROM old
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = old.oid AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN LATERAL pg_catalog.pg_options_to_table(a.attoptions) AS o
    WHERE o.option_name IN ('n_distinct', 'n_distinct_inherited')
    UNION ALL
    SELECT 1, 4, 'replica identity', format('ALTER TABLE %s REPLICA IDENTITY %s', old.name,
        CASE old.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE 'USING INDEX ' || (
            SELECT quote_ident(x.relname) FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
            WHERE i.indrelid = old.oid AND i.indisreplident) END)
    FROM old WHERE old.relreplident <> 'd'
    UNION ALL
    SELECT 2, 1, s.stxname, pg_get_statisticsobjdef(s.oid)
    FROM old JOIN pg_catalog.pg_statistic_ext AS s ON s.stxrelid = old.oid
    UNION ALL
    SELECT 1, 5, t.tgname, pg_get_triggerdef(t.oid) FROM old_trigger AS t
    UNION ALL
    SELECT 1, 6, t.tgname, format('ALTER TABLE %s %s TRIGGER %I', old.name,
        CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname)
    FROM old, old_trigger AS t WHERE t.tgenabled <> 'O'
    UNION ALL
    SELECT 1, 7, p.polname, format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, old.name,
            CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
            CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
            (SELECT string_agg(CASE role WHEN 0::oid THEN 'PUBLIC' ELSE role::regrole::text END, ', ' ORDER BY role)
             FROM unnest(p.polroles) AS role))
        || coalesce(' USING (' || p.using_ || ')', '') || coalesce(' WITH CHECK (' || p.check_ || ')', '')
    FROM old, old_policy AS p
    UNION ALL
    SELECT 1, 8, 'row security', format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', old.name) FROM old WHERE old.relrowsecurity OR $2
    UNION ALL
    SELECT 1, 8, 'row security', format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', old.name) FROM old WHERE old.relforcerowsecurity OR $2
    UNION ALL
    SELECT 1, 9, 'table', format('COMMENT ON TABLE %s IS %L', old.name, obj_description(old.oid, 'pg_class'))
    FROM old WHERE obj_description(old.oid, 'pg_class') IS NOT NULL
    UNION ALL
    SELECT 1, 9, x.relname, format('COMMENT ON INDEX %s IS %L', i.indexrelid::regclass, obj_description(i.indexrelid, 'pg_class'))
    FROM old
    JOIN pg_catalog.pg_index AS i ON i.indrelid = old.oid
    JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    WHERE obj_description(i.indexrelid, 'pg_class') IS NOT NULL
    UNION ALL
    SELECT 1, 9, k.conname, format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, old.name, obj_description(k.oid, 'pg_constraint'))
    FROM old JOIN pg_catalog.pg_constraint AS k ON k.conrelid = old.oid AND k.contype IN ('p', 'u', 'x', 'f')
    WHERE obj_description(k.oid, 'pg_constraint') IS NOT NULL
    UNION ALL
    SELECT 1, 9, t.tgname, format('COMMENT ON TRIGGER %I ON %s IS %L', t.tgname, old.name, obj_description(t.oid, 'pg_trigger'))
    FROM old, old_trigger AS t WHERE obj_description(t.oid, 'pg_trigger') IS NOT NULL
    UNION ALL
    SELECT 1, 9, p.polname, format('COMMENT ON POLICY %I ON %s IS %L', p.polname, old.name, obj_description(p.oid, 'pg_policy'))
    FROM old, old_policy AS p WHERE obj_description(p.oid, 'pg_policy') IS NOT NULL
)
SELECT s.stage, s.text FROM statement AS s ORDER BY s.stage, s.place, s.name
