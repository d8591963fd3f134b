-- $1 the retention asked for, or NULL for that of the table's policy (shared tenant). The chunks of the time series that are
-- older: name, what happens to them (drop, archive, wait, keep), the statement that drops them, and the one that tells whether rows
-- are left in them: those that are to be archived go when they are empty. They wait while hours of theirs are not rolled up yet,
-- when the policy names a grain that must exist before. A chunk cannot be taken off its hypertable in every edition, so one that
-- is to be detached stays.
WITH rule AS (
    SELECT coalesce($1, p.retention) AS retention, coalesce(p.expiry_action, 'drop') AS expiry_action, p.downsample_to
    FROM (VALUES (1)) AS one (row)
    LEFT JOIN sop_ml.sop_time_series_compression_policies AS p
        ON p.restaurant_id = '00000000-0000-0000-0000-000000000000' AND p.relation_name = 'sop_time_series_data'
        AND p.metric_name = '' AND p.status = 'active' AND p.retention IS NOT NULL
)
SELECT c.chunk_name::text,
       CASE WHEN r.downsample_to IS NOT NULL AND EXISTS (
                SELECT FROM sop_ml_storage.dirty_buckets AS d
                WHERE d.source = 'time_series' AND d.bucket_start >= c.range_start AND d.bucket_start < c.range_end)
            THEN 'wait'
            WHEN r.expiry_action = 'detach' THEN 'keep'
            ELSE r.expiry_action END,
       format('SELECT %I.drop_chunks(%L::pg_catalog.regclass, older_than => %L::pg_catalog.timestamptz, '
              'newer_than => %L::pg_catalog.timestamptz)',
              (SELECT n.nspname FROM pg_catalog.pg_extension AS e
               JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb'),
              format('%I.%I', c.hypertable_schema, c.hypertable_name), c.range_end, c.range_start)
       -- An archived chunk's months are remembered by the archive.
       || CASE r.expiry_action WHEN 'drop' THEN format(
              '; INSERT INTO sop_ml.sop_retired_periods (restaurant_id, relation_name, from_time, to_time, action) '
              'VALUES (''00000000-0000-0000-0000-000000000000'', ''sop_time_series_data'', %L, %L, ''dropped'') ON CONFLICT DO NOTHING',
              c.range_start, c.range_end)
          ELSE '' END,
       format('SELECT EXISTS (SELECT FROM %I.%I)', c.chunk_schema, c.chunk_name)
FROM rule AS r
JOIN timescaledb_information.chunks AS c ON c.range_end <= now() - r.retention
WHERE c.hypertable_schema IN ('sop_ml', 'sop_ml_storage') AND c.hypertable_name = 'sop_time_series_data'
ORDER BY c.range_start
