-- $1 the partitioned table, $2 its default partition, $3 begin and $4 end of a month: the partition's name and the
-- statements that make it, move the default partition's rows into it and attach it; the condition that says that the
-- default partition has none of its rows; the statement that analyses it. Made outside the table and attached, because
-- CREATE TABLE … PARTITION OF would lock the whole table against readers.
WITH part AS (
    SELECT c.oid::regclass AS parent, d.oid::regclass AS default_partition,
           format('%I.%I', n.nspname, m.name) AS name, m.name AS short_name,
           quote_ident(a.attname) AS key, c.relowner::regrole AS owner, columns.list AS columns,
           coalesce('WITH (' || options.list || ')', '') AS options
    FROM pg_catalog.pg_partitioned_table AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.partrelid
    JOIN pg_catalog.pg_class AS d ON d.oid = $2
    JOIN pg_catalog.pg_namespace AS n ON n.oid = d.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.partrelid AND a.attnum = t.partattrs[0]
    CROSS JOIN LATERAL (
        SELECT c.relname || to_char($3 AT TIME ZONE 'UTC', '"_y"YYYY"m"MM')
    ) AS m (name)
    CROSS JOIN LATERAL (
        SELECT string_agg(quote_ident(f.attname), ', ' ORDER BY f.attnum) AS list
        FROM pg_catalog.pg_attribute AS f
        WHERE f.attrelid = c.oid AND f.attnum > 0 AND NOT f.attisdropped AND f.attgenerated = ''
    ) AS columns
    CROSS JOIN LATERAL (
        SELECT string_agg(format('%I = %L', o.option_name, o.option_value), ', ') AS list
        FROM pg_catalog.pg_options_to_table(d.reloptions) AS o
    ) AS options
    WHERE t.partrelid = $1
)
SELECT short_name,
       format('CREATE TABLE %1$s (LIKE %2$s INCLUDING ALL EXCLUDING INDEXES) %3$s; '
              'ALTER TABLE %1$s OWNER TO %4$s; '
              'ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; '
              'REVOKE ALL ON %1$s FROM PUBLIC', name, parent, options, owner),
       format('WITH moved AS (DELETE FROM ONLY %1$s WHERE %2$s >= %3$L AND %2$s < %4$L RETURNING %5$s) '
              'INSERT INTO %6$s (%5$s) SELECT %5$s FROM moved', default_partition, key, $3, $4, columns, name),
       format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', parent, name, $3, $4),
       format('(%1$s < %2$L OR %1$s >= %3$L)', key, $3, $4),
       format('ANALYZE %s', name)
FROM part
