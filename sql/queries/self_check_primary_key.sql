-- Tables of the API without a primary key.
SELECT c.oid::regclass::text, 'has no primary key'
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = to_regnamespace('sop_ml')
  AND c.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
ORDER BY 1
