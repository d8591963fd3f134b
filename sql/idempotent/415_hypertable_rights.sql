-- A chunk gets the rights that its hypertable has as a whole, but no policy. Nobody can name it without USAGE on
-- sop_ml_storage, yet pg_stats would show its most common values to whoever may SELECT from it. Rights on columns are not
-- handed on: on a hypertable, roles that row-level security binds hold SELECT, INSERT and UPDATE on all columns one by one. A
-- GRANT does reach the chunks that are there; it is taken back from them. (New ones get DELETE, which nobody can use.)
DO $rights$
DECLARE
    granted record;
    chunk   record;
BEGIN
    FOR granted IN
        SELECT format('%s', c.oid::regclass) AS relation, g.privilege_type, g.is_grantable,
               CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END AS grantee, a.columns
        FROM pg_catalog.pg_class AS c
        CROSS JOIN LATERAL aclexplode(c.relacl) AS g
        LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = g.grantee
        CROSS JOIN LATERAL (
            SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ) AS a (columns)
        WHERE c.oid = pg_catalog.to_regclass('sop_ml.sop_time_series_data') AND c.relkind = 'r'
          AND g.grantee <> c.relowner
          AND g.privilege_type IN ('SELECT', 'INSERT', 'UPDATE')
          AND coalesce(NOT r.rolsuper AND NOT r.rolbypassrls, true)
    LOOP
        EXECUTE format('REVOKE %s ON %s FROM %s', granted.privilege_type, granted.relation, granted.grantee);
        EXECUTE format('GRANT %s (%s) ON %s TO %s%s', granted.privilege_type, granted.columns, granted.relation, granted.grantee,
            CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    FOR chunk IN
        SELECT DISTINCT c.oid::regclass::text AS name, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END AS grantee
        FROM pg_catalog.pg_inherits AS i
        JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relkind = 'r' AND NOT c.relispartition
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
        CROSS JOIN LATERAL (
            SELECT e.grantee FROM aclexplode(c.relacl) AS e UNION SELECT e.grantee FROM aclexplode(a.attacl) AS e
        ) AS g
        LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = g.grantee
        WHERE i.inhparent = pg_catalog.to_regclass('sop_ml.sop_time_series_data')
          AND g.grantee <> c.relowner
          AND coalesce(NOT r.rolsuper AND NOT r.rolbypassrls, true)
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', chunk.name, chunk.grantee);
    END LOOP;
END
$rights$;
