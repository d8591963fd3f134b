-- The open buckets that baselines are computed from, a row for each series, oldest first.
-- $1 restaurants, $2 last local days, $3 days before the last to begin with and $4 to end with, $5 grain (day or hour). Returns
-- restaurant, metric, SOP, first instant, end, closed buckets left out; local dates (days since 2000-01-01), local hours, n,
-- totals, means, standard deviations, numerators, denominators.
SELECT b.restaurant_id, b.metric_name, b.sop_id, pg_catalog.min(b.bucket_start), pg_catalog.max(b.bucket_end),
       pg_catalog.count(*) FILTER (WHERE b.is_closed),
       pg_catalog.array_agg(b.day) FILTER (WHERE NOT b.is_closed), pg_catalog.array_agg(b.hour) FILTER (WHERE NOT b.is_closed),
       pg_catalog.array_agg(b.n) FILTER (WHERE NOT b.is_closed), pg_catalog.array_agg(b.total) FILTER (WHERE NOT b.is_closed),
       pg_catalog.array_agg(b.mean) FILTER (WHERE NOT b.is_closed), pg_catalog.array_agg(b.stddev) FILTER (WHERE NOT b.is_closed),
       pg_catalog.array_agg(b.numerator) FILTER (WHERE NOT b.is_closed),
       pg_catalog.array_agg(b.denominator) FILTER (WHERE NOT b.is_closed)
FROM (
    SELECT a.restaurant_id, a.metric_name, a.sop_id, a.bucket_start, a.bucket_end, a.is_closed,
           a.local_date - date '2000-01-01' AS day, local.hour, a.n::float8 AS n, a.total, a.mean, a.stddev, a.numerator,
           a.denominator
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[])) AS t (restaurant_id, local_date)
    JOIN sop_ml.sop_restaurants AS r ON r.restaurant_id = t.restaurant_id
    JOIN sop_ml.sop_performance_aggregates AS a
        ON a.restaurant_id = t.restaurant_id AND a.grain = $5 AND a.segment = ''
       AND a.local_date BETWEEN t.local_date - $3::int AND t.local_date - $4::int
       -- Every time zone is less than two days away from UTC.
       AND a.bucket_start >= (t.local_date - $3::int)::timestamp AT TIME ZONE 'UTC' - interval '2 days'
       AND a.bucket_start < (t.local_date - $4::int)::timestamp AT TIME ZONE 'UTC' + interval '3 days'
    CROSS JOIN LATERAL (SELECT CASE WHEN $5 = 'hour'
        THEN pg_catalog.date_part('hour', a.bucket_start AT TIME ZONE r.time_zone)::int ELSE 0 END) AS local (hour)
    ORDER BY a.restaurant_id, a.metric_name, a.sop_id, a.local_date, a.bucket_start
) AS b
GROUP BY b.restaurant_id, b.metric_name, b.sop_id
HAVING NOT pg_catalog.bool_and(b.is_closed)
ORDER BY b.restaurant_id, b.metric_name, b.sop_id
