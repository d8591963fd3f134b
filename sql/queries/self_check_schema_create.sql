-- Roles other than superusers and the schemas' owner that may make objects in them.
SELECT 'schema ' || n.nspname, format('%s has CREATE', coalesce(r.rolname::text, 'PUBLIC'))
FROM pg_catalog.pg_namespace AS n
CROSS JOIN LATERAL aclexplode(n.nspacl) AS g
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = g.grantee
WHERE n.nspname IN ('sop_ml', 'sop_ml_storage')
  AND g.privilege_type = 'CREATE'
  AND g.grantee <> n.nspowner
  AND r.rolsuper IS DISTINCT FROM true
ORDER BY 1, 2
