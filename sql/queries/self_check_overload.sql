-- Functions of one name that a call with the same number of arguments may mean: literals without a type are ambiguous
-- then. Those that differ in an argument of a type of sop_ml are meant to, and so are aggregates, which are called over columns
-- (docs/decisions/0010-rollup-overloads.md).
SELECT a.oid::regprocedure::text, 'differs only in argument types from ' || b.oid::regprocedure
FROM pg_catalog.pg_proc AS a
JOIN pg_catalog.pg_proc AS b
    ON b.pronamespace = a.pronamespace AND b.proname = a.proname AND b.oid > a.oid
    AND b.pronargs - b.pronargdefaults <= a.pronargs AND a.pronargs - a.pronargdefaults <= b.pronargs
WHERE a.pronamespace = to_regnamespace('sop_ml')
  AND NOT (a.prokind = 'a' AND b.prokind = 'a')
  AND NOT EXISTS (
      SELECT FROM generate_series(0, least(a.pronargs, b.pronargs) - 1) AS i
      JOIN pg_catalog.pg_type AS left_type ON left_type.oid = a.proargtypes[i]
      JOIN pg_catalog.pg_type AS right_type ON right_type.oid = b.proargtypes[i]
      WHERE left_type.oid <> right_type.oid
        AND left_type.typnamespace = a.pronamespace AND right_type.typnamespace = a.pronamespace)
ORDER BY 1
