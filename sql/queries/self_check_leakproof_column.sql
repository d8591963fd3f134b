-- Columns of an enum type, and index columns whose comparison is not leakproof: under row-level security a condition on
-- them is never an index condition.
SELECT format('%s.%s', c.oid::regclass, a.attname), 'the column is of enum type ' || format_type(t.oid, NULL)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid AND t.typtype = 'e'
WHERE c.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
  AND c.relkind IN ('r', 'p') AND NOT c.relispartition
UNION ALL
SELECT format('%s on %s', x.relname, i.indrelid::regclass),
       format('%s, the equality of %s, is not leakproof', f.oid::regprocedure, pg_get_indexdef(i.indexrelid, part.number::integer, true))
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid AND c.relrowsecurity
JOIN pg_catalog.pg_am AS method ON method.oid = x.relam AND method.amname = 'btree'
CROSS JOIN LATERAL unnest(i.indclass) WITH ORDINALITY AS part (class, number)
JOIN pg_catalog.pg_opclass AS class ON class.oid = part.class
JOIN pg_catalog.pg_amop AS o ON o.amopfamily = class.opcfamily AND o.amoplefttype = class.opcintype
    AND o.amoprighttype = class.opcintype AND o.amopstrategy = 3
JOIN pg_catalog.pg_operator AS operator ON operator.oid = o.amopopr
JOIN pg_catalog.pg_proc AS f ON f.oid = operator.oprcode AND NOT f.proleakproof
WHERE c.relnamespace = to_regnamespace('sop_ml')
ORDER BY 1, 2
