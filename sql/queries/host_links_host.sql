-- What a foreign key needs to know about the host's table. $1 the relation, $2 its column. Whether it is a table, is one
-- of sop_ml's own; whether the column exists, is a uuid, and alone has a unique index; whether policies hide rows from the
-- caller; its name.
SELECT c.relkind IN ('r', 'p'),
       n.nspname IN ('sop_ml', 'sop_ml_storage'),
       a.attnum IS NOT NULL,
       coalesce(a.atttypid = 'uuid'::regtype, false),
       EXISTS (SELECT FROM pg_catalog.pg_index AS i
               WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
                 AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
       pg_catalog.row_security_active(c.oid),
       c.oid::regclass::text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid = $1
