-- Foreign keys whose columns do not begin an index of the referring table: each DELETE of a referenced row reads that table
-- to its end. A partial index counts when its predicate only says that the columns are not NULL.
SELECT format('%s on %s', k.conname, k.conrelid::regclass), 'no index begins with ' || (
           SELECT string_agg(a.attname::text, ', ' ORDER BY part.number)
           FROM unnest(k.conkey) WITH ORDINALITY AS part (attnum, number)
           JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = part.attnum)
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
WHERE c.relnamespace = to_regnamespace('sop_ml')
  AND k.contype = 'f'
  AND k.conparentid = 0
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_index AS i
      WHERE i.indrelid = k.conrelid
        AND i.indisvalid
        AND (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] @> k.conkey
        AND (i.indpred IS NULL
             OR pg_get_expr(i.indpred, i.indrelid) ~ '^\(*"?\w+"? IS NOT NULL\)*( AND \(*"?\w+"? IS NOT NULL\)*)*$'))
ORDER BY 1
