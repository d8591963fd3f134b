-- Indexes that no query uses because their creation did not end, and constraints that old rows were never checked against.
SELECT format('%s on %s', i.indexrelid::regclass, i.indrelid::regclass), 'the index is not valid'
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
WHERE c.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
  AND NOT (i.indisvalid AND i.indisready AND i.indislive)
UNION ALL
SELECT format('%s on %s', k.conname, k.conrelid::regclass), 'the constraint is not validated'
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
WHERE c.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))
  AND NOT k.convalidated
ORDER BY 1
