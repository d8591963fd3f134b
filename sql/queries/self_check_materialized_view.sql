-- Materialized views in the API schema: they cannot have row-level security, so they belong into sop_ml_storage.
SELECT c.oid::regclass::text, 'a materialized view in schema sop_ml'
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = to_regnamespace('sop_ml') AND c.relkind = 'm'
ORDER BY 1
