-- The statements that take away what default privileges gave to a relation that was just made. $1 the relation
SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', c.oid::regclass,
                       CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END)
FROM pg_catalog.pg_class AS c
CROSS JOIN LATERAL aclexplode(c.relacl) AS g
WHERE c.oid = $1::regclass AND g.grantee <> c.relowner
