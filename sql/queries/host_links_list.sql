-- The links that exist, one row per kind in the order given. $1 kinds, $2 tables, $3 columns, $4 constraints, $5 indexes
-- (NULL where the column has one anyway). Constraints that PostgreSQL derives from one for the partitions of a host's
-- table are not links of their own.
SELECT kind.name, kind.table_name, kind.column_name, kind.constraint_name, k.confrelid, k.confrelid::regclass::text,
       h.attname::text,
       CASE k.confdeltype WHEN 'r' THEN 'restrict' WHEN 'a' THEN 'no action' ELSE k.confdeltype::text END,
       k.convalidated,
       i.oid IS NOT NULL,
       pg_catalog.row_security_active(c.oid)
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]),
                pg_catalog.unnest($4::text[]), pg_catalog.unnest($5::text[])) WITH ORDINALITY
    AS kind (name, table_name, column_name, constraint_name, index_name, place)
JOIN pg_catalog.pg_class AS c
    ON c.relname = kind.table_name AND c.relnamespace = 'sop_ml'::regnamespace
LEFT JOIN pg_catalog.pg_constraint AS k
    ON k.conrelid = c.oid AND k.conname = kind.constraint_name AND k.contype = 'f' AND k.conparentid = 0
LEFT JOIN pg_catalog.pg_attribute AS h ON h.attrelid = k.confrelid AND h.attnum = k.confkey[1]
LEFT JOIN pg_catalog.pg_class AS i ON i.relname = kind.index_name AND i.relnamespace = c.relnamespace
ORDER BY kind.place
