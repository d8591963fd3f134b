-- Days that no run has looked at, between the first that one has and the last requested one, at most 400 back: nights that
-- were missed, and days without rows between those of a back-fill.
-- $1 restaurants, $2 requested local dates. Returns restaurant and an instant of the day.
SELECT r.restaurant_id, (gap.day + interval '12 hours') AT TIME ZONE r.time_zone
FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[])) AS requested (restaurant_id, local_date)
JOIN sop_ml.sop_restaurants AS r ON r.restaurant_id = requested.restaurant_id
CROSS JOIN LATERAL (
    SELECT pg_catalog.min(k.local_date) AS local_date
    FROM sop_ml.sop_performance_days AS k
    WHERE k.restaurant_id = r.restaurant_id AND k.local_date BETWEEN requested.local_date - 400 AND requested.local_date
) AS first_known
CROSS JOIN LATERAL pg_catalog.generate_series(first_known.local_date::timestamp, requested.local_date::timestamp, interval '1 day')
    AS gap (day)
WHERE NOT EXISTS (
    SELECT FROM sop_ml.sop_performance_days AS k
    WHERE k.restaurant_id = r.restaurant_id AND k.local_date = gap.day::date
)
