-- Arguments that a caller cannot name with => : SQL keywords that stand for themselves there, and names that need quotes.
SELECT f.oid::regprocedure::text,
       format('argument %s %s', argument.name, CASE WHEN k.word IS NULL THEN 'needs quotes' ELSE 'is an SQL keyword' END)
FROM pg_catalog.pg_proc AS f
CROSS JOIN LATERAL unnest(f.proargnames) WITH ORDINALITY AS argument (name, number)
LEFT JOIN pg_catalog.pg_get_keywords() AS k ON k.word = argument.name AND k.catcode IN ('C', 'R')
WHERE f.pronamespace = to_regnamespace('sop_ml')
  AND coalesce(f.proargmodes[argument.number], 'i') IN ('i', 'b', 'v')
  AND argument.name <> ''
  AND (k.word IS NOT NULL OR argument.name !~ '^[a-z_][a-z0-9_]*$')
ORDER BY 1, 2
