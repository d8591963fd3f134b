-- $1 the partitioned table, $2 its default partition: the statement that counts the default partition's rows per month.
SELECT format('SELECT date_trunc(''month'', %I, ''UTC''), count(*) FROM ONLY %s GROUP BY 1', a.attname, $2::regclass)
FROM pg_catalog.pg_partitioned_table AS t
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.partrelid AND a.attnum = t.partattrs[0]
WHERE t.partrelid = $1
