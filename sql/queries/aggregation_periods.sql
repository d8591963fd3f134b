-- The local periods of one grain that contain the given local days.
-- $1 restaurants and $2 local dates, $3 grain: week (from Monday), month, quarter or year. Returns restaurant, first
-- local date, first instant and end of the period.
SELECT p.restaurant_id, p.first_date, bound.starts_at, bound.ends_at
FROM (
    SELECT DISTINCT r.restaurant_id, r.time_zone, pg_catalog.date_trunc($3, d.local_date::timestamp)::date AS first_date
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[])) AS d (restaurant_id, local_date)
    JOIN sop_ml.sop_restaurants AS r ON r.restaurant_id = d.restaurant_id
) AS p
CROSS JOIN LATERAL (
    -- As for days: a period begins with the first of two midnights.
    SELECT pg_catalog.min(edge.at) FILTER (WHERE edge.which = 0) AS starts_at,
           pg_catalog.min(edge.at) FILTER (WHERE edge.which = 1) AS ends_at
    FROM (
        SELECT midnight.which, candidate.at, (candidate.at AT TIME ZONE p.time_zone)::date AS falls_on,
               midnight.at::date AS belongs_to
        FROM (VALUES (0, p.first_date::timestamp),
                     (1, p.first_date + CASE $3 WHEN 'week' THEN interval '7 days' WHEN 'month' THEN interval '1 month'
                         WHEN 'quarter' THEN interval '3 months' ELSE interval '1 year' END)) AS midnight (which, at)
        CROSS JOIN LATERAL (VALUES (midnight.at AT TIME ZONE p.time_zone),
                                   (midnight.at AT TIME ZONE p.time_zone - interval '1 hour')) AS candidate (at)
    ) AS edge
    WHERE edge.falls_on = edge.belongs_to
) AS bound
ORDER BY p.restaurant_id, p.first_date
