-- Keeps a bundle behind those that are there. $1 restaurant, $2 relation, $3 first instant of the month, $4 metric, $5 rows,
-- $6 bytes that they took, $7 bundle
INSERT INTO sop_ml_storage.archive_bundles (restaurant_id, relation_name, from_time, metric_name, part, n, bytes_before, bundle)
SELECT $1, $2, $3, $4, coalesce(pg_catalog.max(b.part), 0) + 1, $5, $6, $7
FROM sop_ml_storage.archive_bundles AS b
WHERE b.restaurant_id = $1 AND b.relation_name = $2 AND b.from_time = $3 AND b.metric_name = $4
