-- The one place that knows how versions of TimescaleDB (2.14 to 2.29) differ; by what their catalogues have, never by numbers where
-- these can tell. $1 the length of a chunk in days. One row; none when this version lacks what every conversion needs.
-- 1. The statement that makes the empty table sop_time_series_data a hypertable. Only the older signature of create_hypertable
--    takes a schema for the chunks (by_range does not), and it has lost parameters over time: it is called by the names of those
--    that all versions have.
-- 2. Whether this version opens chunks by their names with the rights of whoever inserts. Those of 2.23 to 2.28 do, so that they
--    cannot lie in a schema that tenants have no USAGE on; from 2.29 its catalogue has their oids.
-- 3. What registers a job that compresses chunks older than an interval, with a place for the interval; NULL where there is no
--    compression. Its older name is a function, the newer one a procedure.
-- 4. What a job that refreshes a continuous aggregate has to be told: from 2.20 on it works in batches, the newest first, and what the
--    later ones will bring is missing meanwhile.
SELECT format('SELECT %I.create_hypertable(relation => %L::pg_catalog.regclass, time_column_name => %L, '
              'associated_schema_name => %L, chunk_time_interval => %L::pg_catalog.interval, create_default_indexes => false)',
              n.nspname, 'sop_ml.sop_time_series_data', 'observed_at', 'sop_ml_storage', make_interval(days => $1)),
       string_to_array(substring(e.extversion FROM '^[0-9]+[.][0-9]+'), '.')::integer[] >= '{2,23}'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                       WHERE a.attrelid = to_regclass('_timescaledb_catalog.chunk') AND a.attname = 'relid'),
       CASE WHEN policy.has_function
            THEN format('SELECT %I.add_compression_policy(%L::pg_catalog.regclass, %%L::pg_catalog.interval)', n.nspname, 'sop_ml_storage.sop_time_series_data')
            WHEN policy.has_procedure
            THEN format('CALL %I.add_columnstore_policy(%L::pg_catalog.regclass, %%L::pg_catalog.interval)', n.nspname, 'sop_ml_storage.sop_time_series_data')
       END,
       CASE WHEN policy.has_batches THEN ', buckets_per_batch => 0' ELSE '' END
FROM pg_catalog.pg_proc AS f
JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'timescaledb'
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(p.proname = 'add_compression_policy' AND p.prokind = 'f'), false),
           coalesce(bool_or(p.proname = 'add_columnstore_policy' AND p.prokind = 'p'), false),
           coalesce(bool_or(p.proname = 'add_continuous_aggregate_policy' AND 'buckets_per_batch' = ANY (p.proargnames)), false)
    FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = f.pronamespace
) AS policy (has_function, has_procedure, has_batches)
WHERE f.proname = 'create_hypertable'
  AND f.proargnames @> ARRAY['relation', 'time_column_name', 'associated_schema_name', 'chunk_time_interval',
                             'create_default_indexes']
LIMIT 1
