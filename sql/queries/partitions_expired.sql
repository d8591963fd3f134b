-- $1 the partitioned table, $2 the retention asked for, or NULL for that of the table's policy (shared tenant).
-- The monthly partitions that are older: name, what happens to them (drop, archive, detach, wait), the statement that does it, and
-- the one that tells whether rows are left in them: those that are to be archived go when they are empty.
-- They wait while hours of theirs are not rolled up yet, when the policy names a grain that must exist before.
WITH relation AS (
    SELECT c.oid, c.oid::regclass AS parent, c.relname::text AS name FROM pg_catalog.pg_class AS c WHERE c.oid = $1
), rule AS (
    SELECT r.parent, r.oid, r.name, coalesce($2, p.retention) AS retention,
           coalesce(p.expiry_action, 'drop') AS expiry_action, p.downsample_to
    FROM relation AS r
    LEFT JOIN sop_ml.sop_time_series_compression_policies AS p
        ON p.restaurant_id = '00000000-0000-0000-0000-000000000000' AND p.relation_name = r.name
        AND p.metric_name = '' AND p.status = 'active' AND p.retention IS NOT NULL
), expired AS (
    SELECT r.*, c.oid::regclass AS partition, c.relname::text AS short_name, lower_bound, upper_bound
    FROM rule AS r
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = r.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS b (bound)
    CROSS JOIN LATERAL CAST(substring(b.bound FROM 'FROM \(''([^'']+)''\)') AS timestamptz) AS l (lower_bound)
    CROSS JOIN LATERAL CAST(substring(b.bound FROM 'TO \(''([^'']+)''\)') AS timestamptz) AS u (upper_bound)
    WHERE upper_bound <= now() - r.retention
)
SELECT e.short_name,
       CASE WHEN e.downsample_to IS NOT NULL AND EXISTS (
                SELECT FROM sop_ml_storage.dirty_buckets AS d
                WHERE d.source = CASE e.name WHEN 'sop_time_series_data' THEN 'time_series'
                                             WHEN 'sop_user_interactions' THEN 'interactions' END
                  AND d.bucket_start >= e.lower_bound AND d.bucket_start < e.upper_bound)
            THEN 'wait' ELSE e.expiry_action END,
       format('ALTER TABLE %s DETACH PARTITION %s; ', e.parent, e.partition)
       || CASE e.expiry_action
              WHEN 'detach' THEN format('ALTER TABLE %s RENAME TO %I; ', e.partition,
                                        e.short_name || to_char(now() AT TIME ZONE 'UTC', '"_detached_"YYYYMMDDHH24MISS'))
              ELSE format('DROP TABLE %s; ', e.partition)
          END
       -- An archived partition's months are remembered by the archive.
       || CASE WHEN e.expiry_action <> 'archive' THEN format(
              'INSERT INTO sop_ml.sop_retired_periods (restaurant_id, relation_name, from_time, to_time, action) '
              'VALUES (''00000000-0000-0000-0000-000000000000'', %L, %L, %L, %L) ON CONFLICT DO NOTHING',
              e.name, coalesce(e.lower_bound, '-infinity'), e.upper_bound,
              CASE e.expiry_action WHEN 'detach' THEN 'detached' ELSE 'dropped' END)
          ELSE '' END,
       format('SELECT EXISTS (SELECT FROM %s)', e.partition)
FROM expired AS e
ORDER BY e.lower_bound NULLS FIRST
