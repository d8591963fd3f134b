-- $1 the partitioned table, $2 its default partition: the statement that counts the default partition's rows per month.
-- Months before 1970 never get a partition, and the first one that a timestamp can lie in has no beginning.
SELECT format('SELECT date_trunc(''month'', %1$I, ''UTC''), count(*) FROM ONLY %2$s WHERE %1$I >= %3$L GROUP BY 1',
              a.attname, $2::regclass, '1970-01-01 00:00:00+00')
FROM pg_catalog.pg_partitioned_table AS t
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.partrelid AND a.attnum = t.partattrs[0]
WHERE t.partrelid = $1
