-- The statement that makes the new table as the old one is, without indexes, triggers, policies and rights. $1 whether it is
-- partitioned by month (with its default partition) or plain, as a hypertable begins, $2 whether it will lie behind a view (mode vault). Storage options are the default
-- partition's: a partitioned table has none of its own, a hypertable hands its own to its chunks.
WITH old AS (
    SELECT c.oid, c.relowner::regrole AS owner,
           coalesce((SELECT d.reloptions FROM pg_catalog.pg_partitioned_table AS t
                     JOIN pg_catalog.pg_class AS d ON d.oid = t.partdefid WHERE t.partrelid = c.oid), c.reloptions) AS options
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = 'sop_ml_storage'::regnamespace AND c.relname = 'sop_time_series_data'
), option AS (
    SELECT coalesce('WITH (' || string_agg(format('%I = %L', o.option_name, o.option_value), ', ') || ')', '') AS list
    FROM old, pg_catalog.pg_options_to_table(old.options) AS o
)
SELECT format('CREATE TABLE sop_ml.sop_time_series_data (LIKE sop_ml_storage.sop_time_series_data '
              'INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS) %s; '
              'ALTER TABLE sop_ml.sop_time_series_data ALTER COLUMN restaurant_id TYPE %s; '
              'ALTER TABLE sop_ml.sop_time_series_data OWNER TO %s; ',
              CASE WHEN $1 THEN 'PARTITION BY RANGE (observed_at)' ELSE option.list END,
              CASE WHEN $2 THEN 'sop_ml_storage.recorded_restaurant' ELSE 'uuid' END, old.owner)
       || CASE WHEN $1 THEN format(
              'CREATE TABLE sop_ml_storage.sop_time_series_data_default PARTITION OF sop_ml.sop_time_series_data DEFAULT %s; '
              'ALTER TABLE sop_ml_storage.sop_time_series_data_default OWNER TO %s; '
              'ALTER TABLE sop_ml_storage.sop_time_series_data_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; '
              'REVOKE ALL ON sop_ml_storage.sop_time_series_data_default FROM PUBLIC',
              option.list, old.owner) ELSE '' END
FROM old, option
