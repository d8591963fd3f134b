-- $1 the version of the library: other versions of the extension's SQL.
SELECT 'extension sop_ml', format('the SQL is of version %s, the library of version %s', e.extversion, $1)
FROM pg_catalog.pg_extension AS e
WHERE e.extname = 'sop_ml' AND e.extversion <> $1
