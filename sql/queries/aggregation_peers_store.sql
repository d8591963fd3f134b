-- The figures of peer groups. $1 run; one element for each group: $2 kinds, $3 metrics, $4 months, $5 what they measure,
-- $6 numbers of restaurants, $7 lower quartiles, $8 medians, $9 upper quartiles.
INSERT INTO sop_ml_storage.peer_statistics (kind, metric_name, month, measures, restaurants, quartile_1, median, quartile_3, run_id)
SELECT g.*, $1
FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::date[]),
                pg_catalog.unnest($5::text[]), pg_catalog.unnest($6::bigint[]), pg_catalog.unnest($7::float8[]),
                pg_catalog.unnest($8::float8[]), pg_catalog.unnest($9::float8[]))
    AS g (kind, metric_name, month, measures, restaurants, quartile_1, median, quartile_3)
ON CONFLICT (kind, metric_name, month) DO NOTHING
