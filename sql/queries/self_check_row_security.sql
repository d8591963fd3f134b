-- Tables with a tenant key, tables of sop_ml_storage and partitions, wherever they lie, on which row-level security is not
-- both enabled and forced. (Chunks of a hypertable, compressed or not, never have it, nor has the hypertable behind the view of mode
-- vault: that nobody may read them is the rule storage_closed.)
SELECT c.oid::regclass::text,
       CASE WHEN c.relrowsecurity THEN 'row-level security is enabled, but not forced'
            ELSE 'row-level security is not enabled' END
FROM pg_catalog.pg_class AS c
LEFT JOIN pg_catalog.pg_class AS root ON root.oid = pg_partition_root(c.oid)
WHERE c.relkind IN ('r', 'p')
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i
                  WHERE i.inhrelid = c.oid AND NOT c.relispartition
                    AND i.inhparent = ANY (ARRAY(
                        SELECT h.oid FROM pg_catalog.pg_class AS h
                        WHERE h.relname = 'sop_time_series_data'
                          AND h.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'))))
                    AND c.relnamespace = to_regnamespace('sop_ml_storage'))
  AND NOT (c.relnamespace = to_regnamespace('sop_ml_storage') AND c.relname = 'sop_time_series_data'
           AND EXISTS (SELECT FROM pg_catalog.pg_class AS v
                       WHERE v.relnamespace = to_regnamespace('sop_ml') AND v.relname = c.relname AND v.relkind = 'v'))
  AND NOT (c.relnamespace = to_regnamespace('sop_ml_storage')
           AND EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = '_ts_meta_count'))
  AND (c.relnamespace = to_regnamespace('sop_ml_storage')
       OR root.relnamespace = to_regnamespace('sop_ml')
       OR c.relnamespace = to_regnamespace('sop_ml')
          AND EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                      WHERE a.attrelid = c.oid AND a.attname = 'restaurant_id' AND NOT a.attisdropped))
ORDER BY 1
