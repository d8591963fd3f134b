-- What roles that row-level security binds hold on sop_ml_storage and on partitions, wherever they lie, and policies that
-- would open these relations: tenants reach them through the API alone. A new chunk of a hypertable has its hypertable's right
-- to DELETE, which nobody can use who cannot name the chunk; SELECT would show what is in it through pg_stats. (Mode vault: policies of the closed
-- table are off.)
WITH closed_relation AS (
    SELECT c.oid, c.relname, c.relowner, c.relacl, c.relrowsecurity,
           NOT c.relispartition AND EXISTS (SELECT FROM pg_catalog.pg_inherits AS i
                                            WHERE i.inhrelid = c.oid
                                              AND i.inhparent = ANY (ARRAY(
                                                  SELECT h.oid FROM pg_catalog.pg_class AS h
                                                  WHERE h.relname = 'sop_time_series_data'
                                                    AND h.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))))) AS is_chunk
    FROM pg_catalog.pg_class AS c
    LEFT JOIN pg_catalog.pg_class AS root ON root.oid = pg_partition_root(c.oid)
    WHERE c.relnamespace = to_regnamespace('sop_ml_storage') AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
       OR c.relispartition AND c.relkind IN ('r', 'p', 'f') AND root.relnamespace = to_regnamespace('sop_ml')
), held (object_name, grantee, privilege) AS (
    SELECT 'schema sop_ml_storage', g.grantee, g.privilege_type
    FROM pg_catalog.pg_namespace AS n
    CROSS JOIN LATERAL aclexplode(n.nspacl) AS g
    WHERE n.nspname = 'sop_ml_storage' AND g.grantee <> n.nspowner
    UNION ALL
    SELECT c.oid::regclass::text, g.grantee, g.privilege_type
    FROM closed_relation AS c
    CROSS JOIN LATERAL aclexplode(c.relacl) AS g
    WHERE g.grantee <> c.relowner AND NOT (c.is_chunk AND g.privilege_type = 'DELETE')
    UNION ALL
    SELECT format('%s.%s', c.oid::regclass, a.attname), g.grantee, g.privilege_type
    FROM closed_relation AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
    CROSS JOIN LATERAL aclexplode(a.attacl) AS g
    WHERE g.grantee <> c.relowner
    UNION ALL
    SELECT f.oid::regprocedure::text, g.grantee, g.privilege_type
    FROM pg_catalog.pg_proc AS f
    CROSS JOIN LATERAL aclexplode(f.proacl) AS g
    WHERE f.pronamespace = to_regnamespace('sop_ml_storage') AND g.grantee <> f.proowner
)
SELECT h.object_name, format('%s has %s', r.rolname, h.privilege)
FROM held AS h
JOIN pg_catalog.pg_roles AS r ON r.oid = h.grantee
WHERE NOT r.rolsuper AND NOT r.rolbypassrls
UNION ALL
SELECT c.oid::regclass::text, 'has policy ' || p.polname
FROM closed_relation AS c
JOIN pg_catalog.pg_policy AS p ON p.polrelid = c.oid
WHERE p.polpermissive AND NOT (c.relname = 'sop_time_series_data' AND NOT c.relrowsecurity)
ORDER BY 1, 2
