-- Removes the buckets of some grains that begin within the given periods.
-- $1 restaurants, $2 first instants, $3 ends, $4 grains
DELETE FROM sop_ml.sop_performance_aggregates AS a
USING ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::timestamptz[]), pg_catalog.unnest($3::timestamptz[]))
    AS t (restaurant_id, starts_at, ends_at)
WHERE a.restaurant_id = t.restaurant_id
  AND a.grain = ANY ($4::text[])
  AND a.bucket_start >= t.starts_at
  AND a.bucket_start < t.ends_at
