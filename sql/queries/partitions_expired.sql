-- $1 the partitioned table, $2 the retention asked for, or NULL for that of the table's policy (shared tenant).
-- The monthly partitions that are older: name, what happens to them (drop, archive, detach, wait), and the statement.
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
              WHEN 'drop' THEN format('DROP TABLE %s', e.partition)
              ELSE format('ALTER TABLE %s RENAME TO %I', e.partition,
                          e.short_name || to_char(now() AT TIME ZONE 'UTC', '"_archived_"YYYYMMDDHH24MISS'))
          END
FROM expired AS e
ORDER BY e.lower_bound NULLS FIRST
