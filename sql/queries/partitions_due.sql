-- $1 the partitioned table, $2 how many months ahead, $3 the months of which the default partition holds rows, $4 how
-- many rows of each, $5 months back that count as recent, $6 rows that make an older month worth a partition.
-- The months that need a partition and have none: this one, the coming ones, and those of which the default partition
-- holds rows. Rows with absurd dates must not make thousands of partitions, which would slow every query down: an old
-- month needs many rows, and one before 1970 never gets a partition.
WITH this_month AS (
    SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AS month
), wanted AS (
    SELECT t.month + make_interval(months => ahead) AS month, 0::bigint AS n
    FROM this_month AS t, generate_series(0, $2) AS ahead
    UNION ALL
    SELECT d.month AT TIME ZONE 'UTC', d.n
    FROM this_month AS t, unnest($3::timestamptz[], $4::bigint[]) AS d (month, n)
    WHERE isfinite(d.month)
      AND d.month >= '1970-01-01 00:00:00+00'
      AND d.month AT TIME ZONE 'UTC' <= t.month + make_interval(months => $2)
      AND (d.month AT TIME ZONE 'UTC' >= t.month - make_interval(months => $5) OR d.n >= $6)
), month AS (
    SELECT w.month AT TIME ZONE 'UTC' AS month_start, (w.month + interval '1 month') AT TIME ZONE 'UTC' AS month_end
    FROM wanted AS w
    GROUP BY w.month
), existing AS (
    SELECT coalesce(substring(b.bound FROM 'FROM \(''([^'']+)''\)'), '-infinity')::timestamptz AS lower_bound,
           coalesce(substring(b.bound FROM 'TO \(''([^'']+)''\)'), 'infinity')::timestamptz AS upper_bound
    FROM pg_catalog.pg_inherits AS i
    JOIN pg_catalog.pg_class AS p ON p.oid = i.inhrelid
    CROSS JOIN LATERAL pg_catalog.pg_get_expr(p.relpartbound, p.oid) AS b (bound)
    WHERE i.inhparent = $1 AND b.bound <> 'DEFAULT'
)
SELECT m.month_start, m.month_end
FROM month AS m
WHERE NOT EXISTS (SELECT FROM existing AS e WHERE e.lower_bound < m.month_end AND e.upper_bound > m.month_start)
ORDER BY m.month_start
