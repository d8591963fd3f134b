-- $1 rows written by this run: whether they are so many that the planner's statistics of the aggregates mislead, and the
-- caller may renew them.
SELECT pg_catalog.pg_has_role('sop_ml_operator', 'USAGE') AND $1 > 1000 AND $1 > 0.2 * c.reltuples
FROM pg_catalog.pg_class AS c
WHERE c.oid = 'sop_ml.sop_performance_aggregates'::pg_catalog.regclass
