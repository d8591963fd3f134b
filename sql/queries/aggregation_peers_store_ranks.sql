-- Where restaurants stand in their peer groups. One element for each: $1 restaurants, $2 metrics, $3 months, $4 kinds, $5 values,
-- $6 percentile ranks.
INSERT INTO sop_ml_storage.peer_ranks (restaurant_id, metric_name, month, kind, value, percentile_rank)
SELECT m.*
FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::date[]),
                pg_catalog.unnest($4::text[]), pg_catalog.unnest($5::float8[]), pg_catalog.unnest($6::float8[]))
    AS m (restaurant_id, metric_name, month, kind, value, percentile_rank)
ON CONFLICT (restaurant_id, metric_name, month) DO NOTHING
