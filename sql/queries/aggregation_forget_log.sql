-- $1 restaurant, $2 from, $3 to: removes the log's hours that lie within a range just recomputed.
DELETE FROM sop_ml_storage.dirty_buckets
-- Hours begin on the hour of UTC: no sum that could leave the range of time is needed to see where they end.
WHERE restaurant_id = $1 AND bucket_start >= $2 AND bucket_start < pg_catalog.date_trunc('hour', $3::timestamptz, 'UTC')
