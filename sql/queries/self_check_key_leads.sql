-- Primary, unique and foreign keys that do not begin with the tenant: unique ones tell whether another tenant's row exists.
-- A reference that may point at the shared tenant begins with a column of its own, such as model_restaurant_id.
WITH relation AS (
    SELECT c.oid
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'restaurant_id' AND NOT a.attisdropped
    WHERE c.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
      AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
)
SELECT format('%s on %s', x.relname, i.indrelid::regclass), 'the first column is ' || coalesce(a.attname::text, 'an expression')
FROM relation
JOIN pg_catalog.pg_index AS i ON i.indrelid = relation.oid AND i.indisunique
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attnum > 0
WHERE a.attname IS DISTINCT FROM 'restaurant_id'
UNION ALL
SELECT format('%s on %s', k.conname, k.conrelid::regclass),
       format('refers from %s to %s', a.attname, b.attname)
FROM relation
JOIN pg_catalog.pg_constraint AS k ON k.conrelid = relation.oid AND k.contype = 'f' AND k.conparentid = 0
JOIN pg_catalog.pg_class AS target ON target.oid = k.confrelid AND target.relnamespace = to_regnamespace('sop_ml')
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
JOIN pg_catalog.pg_attribute AS b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
WHERE b.attname <> 'restaurant_id' OR a.attname::text !~ '^(.*_)?restaurant_id$'
ORDER BY 1, 2
