-- The tables that are partitioned by month: name, oid, oid of the default partition (0 when there is none).
SELECT c.relname::text, c.oid, t.partdefid
FROM pg_catalog.pg_partitioned_table AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.partrelid
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.partrelid AND a.attnum = t.partattrs[0]
WHERE c.relnamespace = 'sop_ml'::pg_catalog.regnamespace
  AND t.partstrat = 'r' AND t.partnatts = 1
  AND a.atttypid = 'pg_catalog.timestamptz'::pg_catalog.regtype
ORDER BY c.relname
