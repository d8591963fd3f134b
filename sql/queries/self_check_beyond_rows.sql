-- TRUNCATE, REFERENCES, TRIGGER and, from PostgreSQL 17 on, MAINTAIN in the hands of roles that row-level security binds: it
-- does not bind these rights.
SELECT c.oid::regclass::text, format('%s has %s', coalesce(r.rolname::text, 'PUBLIC'), g.privilege_type)
FROM pg_catalog.pg_class AS c
CROSS JOIN LATERAL aclexplode(c.relacl) AS g
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = g.grantee
WHERE c.relnamespace = to_regnamespace('sop_ml')
  AND g.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')
  AND g.grantee <> c.relowner
  AND coalesce(NOT r.rolsuper AND NOT r.rolbypassrls, true)
ORDER BY 1, 2
