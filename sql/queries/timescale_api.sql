-- The one place that knows how versions of TimescaleDB (2.14 to 2.29) differ. $1 the length of a chunk in days.
-- Answers with the statement that makes the empty table sop_time_series_data a hypertable; no row when this version lacks
-- what is needed. Only the older signature of create_hypertable takes a schema for the chunks (by_range does not), and it
-- has lost parameters over time: it is called by the names of those that all versions have.
-- The second column: whether this version opens chunks by their names with the rights of whoever inserts. Those of 2.23 to 2.28 do,
-- so that they cannot lie in a schema that tenants have no USAGE on; from 2.29 its catalogue has their oids.
SELECT format('SELECT %I.create_hypertable(relation => %L::pg_catalog.regclass, time_column_name => %L, '
              'associated_schema_name => %L, chunk_time_interval => %L::pg_catalog.interval, create_default_indexes => false)',
              n.nspname, 'sop_ml.sop_time_series_data', 'observed_at', 'sop_ml_storage', make_interval(days => $1)),
       string_to_array(substring(e.extversion FROM '^[0-9]+[.][0-9]+'), '.')::integer[] >= '{2,23}'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                       WHERE a.attrelid = to_regclass('_timescaledb_catalog.chunk') AND a.attname = 'relid')
FROM pg_catalog.pg_proc AS f
JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'timescaledb'
WHERE f.proname = 'create_hypertable'
  AND f.proargnames @> ARRAY['relation', 'time_column_name', 'associated_schema_name', 'chunk_time_interval',
                             'create_default_indexes']
LIMIT 1
