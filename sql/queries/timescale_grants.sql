-- The statements that give what takes the place of the time series, table or view, the rights that they have now. What a role holds
-- on every single column it gets on the whole: hypertables keep rights so (415_hypertable_rights.sql).
WITH relation AS (
    SELECT c.oid AS old, 'sop_ml.sop_time_series_data'::text AS new, c.relowner AS owner
    FROM pg_catalog.pg_class AS c WHERE c.oid = 'sop_ml.sop_time_series_data'::regclass
), live_column AS (
    SELECT a.attname, a.attacl, count(*) OVER () AS n
    FROM relation AS r
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.old AND a.attnum > 0 AND NOT a.attisdropped
), on_column AS (
    SELECT g.grantee, g.privilege_type, g.is_grantable, a.attname, a.n
    FROM live_column AS a
    CROSS JOIN LATERAL aclexplode(a.attacl) AS g
), on_table AS (
    SELECT g.grantee, g.privilege_type, bool_or(g.is_grantable) AS is_grantable
    FROM relation AS r
    JOIN pg_catalog.pg_class AS c ON c.oid = r.old
    CROSS JOIN LATERAL aclexplode(c.relacl) AS g
    GROUP BY 1, 2
    UNION
    SELECT o.grantee, o.privilege_type, o.is_grantable
    FROM on_column AS o
    GROUP BY 1, 2, 3
    HAVING count(DISTINCT o.attname) = min(o.n)
), granted AS (
    SELECT o.grantee, o.privilege_type, o.is_grantable, NULL AS columns FROM on_table AS o
    UNION ALL
    SELECT o.grantee, o.privilege_type, o.is_grantable, format(' (%s)', string_agg(quote_ident(o.attname), ', '))
    FROM on_column AS o
    WHERE NOT EXISTS (SELECT FROM on_table AS t
                      WHERE t.grantee = o.grantee AND t.privilege_type = o.privilege_type AND t.is_grantable = o.is_grantable)
    GROUP BY 1, 2, 3
)
SELECT format('GRANT %s%s ON %s TO %s%s', g.privilege_type, g.columns, r.new,
                 CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,
                 CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM relation AS r, granted AS g
WHERE g.grantee <> r.owner
ORDER BY 1
