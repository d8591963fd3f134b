-- Takes a bundle of a period out of the archive: metric, bundle; no row when there is none left. What was archived last comes
-- first, and stays where an earlier row has the same key.
-- $1 restaurant, $2 relation, $3 first instant of the period
DELETE FROM sop_ml_storage.archive_bundles AS b
USING (SELECT f.metric_name, f.part
       FROM sop_ml_storage.archive_bundles AS f
       WHERE f.restaurant_id = $1 AND f.relation_name = $2 AND f.from_time = $3
       ORDER BY f.metric_name, f.part DESC
       LIMIT 1) AS next
WHERE b.restaurant_id = $1 AND b.relation_name = $2 AND b.from_time = $3 AND b.metric_name = next.metric_name AND b.part = next.part
RETURNING b.metric_name, b.bundle
