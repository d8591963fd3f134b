-- What members of peer groups are told. $1 run; one element for each member and metric: $2 restaurants, $3 metrics, $4 months,
-- $5 kinds, $6 what is measured, $7 own values, $8 percentile ranks, $9 numbers of others, $10 lower quartiles, $11 medians,
-- $12 upper quartiles.
INSERT INTO sop_ml.sop_peer_benchmarks (restaurant_id, metric_name, month, kind, measures, value, percentile_rank, peers,
    quartile_1, median, quartile_3, run_id)
SELECT m.*, $1
FROM ROWS FROM (pg_catalog.unnest($2::uuid[]), pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::date[]),
                pg_catalog.unnest($5::text[]), pg_catalog.unnest($6::text[]), pg_catalog.unnest($7::float8[]),
                pg_catalog.unnest($8::float8[]), pg_catalog.unnest($9::bigint[]), pg_catalog.unnest($10::float8[]),
                pg_catalog.unnest($11::float8[]), pg_catalog.unnest($12::float8[]))
    AS m (restaurant_id, metric_name, month, kind, measures, value, percentile_rank, peers, quartile_1, median, quartile_3)
ON CONFLICT (restaurant_id, metric_name, month) DO NOTHING
