-- What PUBLIC holds on the schemas, relations and columns of sop_ml.
SELECT 'schema ' || n.nspname, 'PUBLIC has ' || g.privilege_type
FROM pg_catalog.pg_namespace AS n
CROSS JOIN LATERAL aclexplode(n.nspacl) AS g
WHERE n.nspname IN ('sop_ml', 'sop_ml_storage') AND g.grantee = 0
UNION ALL
SELECT c.oid::regclass::text, 'PUBLIC has ' || g.privilege_type
FROM pg_catalog.pg_class AS c
CROSS JOIN LATERAL aclexplode(c.relacl) AS g
WHERE c.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage')) AND g.grantee = 0
UNION ALL
SELECT format('%s.%s', c.oid::regclass, a.attname), 'PUBLIC has ' || g.privilege_type
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
CROSS JOIN LATERAL aclexplode(a.attacl) AS g
WHERE c.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage')) AND g.grantee = 0
ORDER BY 1, 2
