-- The first few objects in the schemas of sop_ml, and these themselves, whose owner is neither a superuser, the caller, the
-- owner of the extension nor the operator.
WITH owned (name, owner) AS (
    SELECT 'schema ' || n.nspname, n.nspowner
    FROM pg_catalog.pg_namespace AS n WHERE n.nspname IN ('sop_ml', 'sop_ml_storage')
    UNION ALL
    SELECT 'relation ' || c.oid::regclass::text, c.relowner
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
    UNION ALL
    SELECT 'function ' || f.oid::regprocedure::text, f.proowner
    FROM pg_catalog.pg_proc AS f
    WHERE f.pronamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
    UNION ALL
    SELECT 'type ' || t.oid::regtype::text, t.typowner
    FROM pg_catalog.pg_type AS t
    WHERE t.typnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage')) AND t.typrelid = 0
    UNION ALL
    SELECT 'operator ' || o.oid::regoperator::text, o.oprowner
    FROM pg_catalog.pg_operator AS o
    WHERE o.oprnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
)
SELECT format('%s (of %s)', o.name, pg_get_userbyid(o.owner))
FROM owned AS o
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = o.owner
WHERE r.rolsuper IS DISTINCT FROM true
  AND o.owner <> CURRENT_USER::regrole
  AND o.owner IS DISTINCT FROM to_regrole('sop_ml_operator')
  AND o.owner IS DISTINCT FROM to_regrole('sop_ml_definer')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname = 'sop_ml' AND e.extowner = o.owner)
ORDER BY 1
LIMIT 5
