-- Roles other than superusers and the schema's owner that may make objects in schema sop_ml, or, the operator apart, in
-- sop_ml_storage.
SELECT 'schema ' || n.nspname, format('%s has CREATE', coalesce(r.rolname::text, 'PUBLIC'))
FROM pg_catalog.pg_namespace AS n
CROSS JOIN LATERAL aclexplode(n.nspacl) AS g
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = g.grantee
WHERE n.nspname IN ('sop_ml', 'sop_ml_storage')
  AND g.privilege_type = 'CREATE'
  AND g.grantee <> n.nspowner
  AND r.rolsuper IS DISTINCT FROM true
  AND NOT (n.nspname = 'sop_ml_storage' AND g.grantee = to_regrole('sop_ml_operator'))
ORDER BY 1, 2
