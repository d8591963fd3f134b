-- $1 restaurant or NULL for all: takes the noted hours out of the log, in the transaction that recomputes them. Returns
-- restaurant, UTC hour, and how many log rows said so. Rows of restaurants that do not exist (yet) stay.
WITH taken AS (
    DELETE FROM sop_ml_storage.dirty_buckets AS b
    USING sop_ml.sop_restaurants AS r
    WHERE r.restaurant_id = b.restaurant_id AND ($1::uuid IS NULL OR b.restaurant_id = $1)
    RETURNING b.restaurant_id, b.bucket_start
)
SELECT restaurant_id, bucket_start, pg_catalog.count(*)
FROM taken
GROUP BY restaurant_id, bucket_start
ORDER BY restaurant_id, bucket_start
