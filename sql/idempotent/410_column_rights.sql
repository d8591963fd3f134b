-- A GRANT on columns is the database role's. Behind one role there may be people of several levels (tokens, gateways,
-- memberships): a caller changes only the columns that the role of the caller's own level may change. The argument names
-- the table: in a partition the trigger sees the partition.

CREATE OR REPLACE FUNCTION sop_ml_storage.refuse_columns_above_level() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$function$
DECLARE
    refused text;
    level   CONSTANT text := (SELECT c.access_level FROM sop_ml.caller() AS c);
BEGIN
    SELECT string_agg(n.key, ', ' ORDER BY n.key) INTO refused
    FROM jsonb_each(to_jsonb(NEW)) AS n
    JOIN jsonb_each(to_jsonb(OLD)) AS o USING (key)
    WHERE n.value IS DISTINCT FROM o.value
      AND NOT coalesce(has_column_privilege('sop_ml_' || level, TG_ARGV[0]::regclass, n.key, 'UPDATE'), false);
    IF refused IS NOT NULL THEN
        RAISE EXCEPTION 'access level % may not change %', coalesce(level, 'none'), refused
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION sop_ml_storage.refuse_columns_above_level() IS
'Row trigger of tables whose columns are granted one by one: raises 42501 when the caller''s level has no right to a changed column.';
REVOKE ALL ON FUNCTION sop_ml_storage.refuse_columns_above_level() FROM PUBLIC;

DO $guarded$
DECLARE
    guarded name;
BEGIN
    FOR guarded IN
        SELECT DISTINCT c.relname
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
        CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS right_
        WHERE c.relnamespace = 'sop_ml'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p')
          -- Not a hypertable, whose rights stand on its columns (415_hypertable_rights.sql).
          AND NOT (c.relname = 'sop_time_series_data' AND c.relkind = 'r')
          AND right_.privilege_type = 'UPDATE' AND right_.grantee <> 'sop_ml_owner'::pg_catalog.regrole
    LOOP
        -- Managers may change every column of these tables: the trigger costs them one look at the cached context.
        EXECUTE format('CREATE OR REPLACE TRIGGER sop_ml_column_rights BEFORE UPDATE ON sop_ml.%I FOR EACH ROW '
            'WHEN (NOT sop_ml.has_access(''manager'')) EXECUTE FUNCTION sop_ml_storage.refuse_columns_above_level(%L)', guarded,
            format('sop_ml.%I', guarded));
    END LOOP;
END
$guarded$;
