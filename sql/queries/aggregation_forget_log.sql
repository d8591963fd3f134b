-- $1 restaurant, $2 from, $3 to: removes the log's hours that lie within a range just recomputed.
DELETE FROM sop_ml_storage.dirty_buckets
WHERE restaurant_id = $1 AND bucket_start >= $2 AND bucket_start + interval '1 hour' <= $3
