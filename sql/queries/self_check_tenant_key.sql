-- Tables of the API, apart from the register of migrations, whose column restaurant_id is not a uuid that is always there.
SELECT c.oid::regclass::text,
       CASE WHEN a.attnum IS NULL THEN 'has no column restaurant_id'
            WHEN a.attnotnull THEN 'restaurant_id is of type ' || format_type(a.atttypid, a.atttypmod)
            ELSE 'restaurant_id may be NULL' END
FROM pg_catalog.pg_class AS c
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'restaurant_id' AND NOT a.attisdropped
WHERE c.relnamespace = to_regnamespace('sop_ml')
  AND c.relkind IN ('r', 'p')
  AND c.relname <> 'sop_schema_migrations'
  AND (a.attnum IS NULL OR NOT a.attnotnull OR a.atttypid <> 'uuid'::regtype)
ORDER BY 1
