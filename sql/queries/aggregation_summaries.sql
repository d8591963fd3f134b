-- Whether the caller may refresh the materialized view $1 of sop_ml_storage (only its owner may), and whether it can be done
-- without blocking readers (it has been filled before). By name: tenants have no access to the schema.
SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE'), c.relispopulated
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'sop_ml_storage' AND c.relname = $1::name AND c.relkind = 'm'
