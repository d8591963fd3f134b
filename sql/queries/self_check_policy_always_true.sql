-- Permissive policies that do not look at the row, or do not ask who the caller is: true, 1 = 1, restaurant_id IS NOT NULL.
SELECT format('%s on %s', p.polname, p.polrelid::regclass),
       format('%s (%s)', expression.clause, pg_get_expr(expression.tree, p.polrelid))
FROM pg_catalog.pg_policy AS p
JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
CROSS JOIN LATERAL (VALUES ('USING', p.polqual), ('WITH CHECK', p.polwithcheck)) AS expression (clause, tree)
WHERE c.relnamespace = to_regnamespace('sop_ml')
  AND p.polpermissive
  AND pg_get_expr(expression.tree, p.polrelid) <> 'false'
  AND (strpos(expression.tree::text, '{VAR') = 0
       OR expression.tree::text !~ '{(FUNCEXPR|SUBLINK|SQLVALUEFUNCTION)')
ORDER BY 1, 2
