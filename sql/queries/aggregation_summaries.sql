-- Whether the caller may refresh the materialized view $1 (only its owner may), and whether it can be done without blocking
-- readers (it has been filled before).
SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE'), c.relispopulated
FROM pg_catalog.pg_class AS c
WHERE c.oid = pg_catalog.to_regclass($1)
