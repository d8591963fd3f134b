-- The local days to recompute: the requested one and those that noted hours fall on.
-- $1 restaurant or NULL for all, $2 day or NULL for each restaurant's local yesterday, $3 restaurants and $4 UTC hours
-- from the log, $5 whether to add the requested day. Returns restaurant, local date, first instant and end of the local day, whether the restaurant is
-- closed that day, the instants it is open (a multirange as text), whether this is the requested day.
WITH restaurant AS (
    SELECT r.restaurant_id, r.time_zone, r.opening_hours, r.closures,
           coalesce($2::date, (pg_catalog.now() AT TIME ZONE r.time_zone)::date - 1) AS requested
    FROM sop_ml.sop_restaurants AS r
    WHERE $1::uuid IS NULL OR r.restaurant_id = $1
), wanted AS (
    SELECT restaurant_id, requested AS local_date FROM restaurant WHERE $5::boolean
    UNION
    -- An hour of UTC touches two local days where the zone's offset is no whole hour.
    SELECT r.restaurant_id, (edge.at AT TIME ZONE r.time_zone)::date
    FROM ROWS FROM (pg_catalog.unnest($3::uuid[]), pg_catalog.unnest($4::timestamptz[]))
        AS noted (restaurant_id, hour_start)
    JOIN restaurant AS r ON r.restaurant_id = noted.restaurant_id
    CROSS JOIN LATERAL (VALUES (noted.hour_start), (noted.hour_start + interval '1 hour - 1 microsecond')) AS edge (at)
    -- At the ends of time there is no day before or after: one absurd row must not keep a restaurant from its roll-up.
    WHERE noted.hour_start >= '0001-01-02 00:00:00+00' AND noted.hour_start < '9999-12-31 00:00:00+00'
), day AS (
    SELECT r.restaurant_id, r.time_zone, r.opening_hours, r.closures, w.local_date, w.local_date = r.requested AS is_requested,
           bound.day_start, bound.day_end
    FROM wanted AS w
    JOIN restaurant AS r ON r.restaurant_id = w.restaurant_id
    CROSS JOIN LATERAL (
        -- Where clocks go back at midnight, midnight happens twice: the day begins with the first.
        SELECT pg_catalog.min(edge.at) FILTER (WHERE edge.day = 0) AS day_start,
               pg_catalog.min(edge.at) FILTER (WHERE edge.day = 1) AS day_end
        FROM (
            SELECT midnight.day, candidate.at, (candidate.at AT TIME ZONE r.time_zone)::date AS falls_on,
                   w.local_date + midnight.day AS belongs_to
            FROM (VALUES (0), (1)) AS midnight (day)
            CROSS JOIN LATERAL (VALUES
                ((w.local_date + midnight.day)::timestamp AT TIME ZONE r.time_zone),
                ((w.local_date + midnight.day)::timestamp AT TIME ZONE r.time_zone - interval '1 hour')) AS candidate (at)
        ) AS edge
        WHERE edge.falls_on = edge.belongs_to
    ) AS bound
    -- The buckets of days whose raw rows have left the tables, or some of them, are all that is left of them.
    WHERE NOT EXISTS (
        SELECT FROM sop_ml.sop_retired_periods AS p
        WHERE p.restaurant_id = ANY (ARRAY[r.restaurant_id, '00000000-0000-0000-0000-000000000000'])
          AND p.relation_name IN ('sop_time_series_data', 'sop_user_interactions')
          AND p.from_time < bound.day_end AND p.to_time > bound.day_start)
)
SELECT d.restaurant_id, d.local_date, d.day_start, d.day_end,
       NOT coalesce(hours.opens_today, false),
       coalesce(hours.open_at, '{}'::tstzmultirange)::text,
       d.is_requested
FROM day AS d
CROSS JOIN LATERAL (
    -- Yesterday's hours count as far as they reach past midnight.
    SELECT pg_catalog.range_agg(pg_catalog.tstzrange(o.opens_at, o.closes_at)) FILTER (WHERE o.closes_at > o.opens_at)
               AS open_at,
           pg_catalog.bool_or(o.local_date = d.local_date AND o.closes_at > o.opens_at) AS opens_today
    FROM (
        SELECT business.local_date,
               CASE WHEN whole_day THEN d.day_start
                    ELSE (business.local_date + h.opens) AT TIME ZONE d.time_zone END AS opens_at,
               CASE WHEN whole_day THEN d.day_end
                    ELSE (business.local_date + (h.closes <= h.opens)::int + h.closes) AT TIME ZONE d.time_zone
               END AS closes_at
        FROM (VALUES (d.local_date - 1), (d.local_date)) AS business (local_date)
        CROSS JOIN LATERAL (
            SELECT (entry ->> 'opens')::time AS opens, (entry ->> 'closes')::time AS closes, false AS whole_day
            FROM pg_catalog.jsonb_array_elements(d.opening_hours) AS entry
            WHERE (entry ->> 'weekday')::int = pg_catalog.date_part('isodow', business.local_date)
            UNION ALL
            -- No opening hours are known: open all day.
            SELECT NULL, NULL, true
            WHERE d.opening_hours = '[]' AND business.local_date = d.local_date
        ) AS h
        WHERE NOT EXISTS (
            SELECT FROM pg_catalog.jsonb_array_elements(d.closures) AS closure
            WHERE business.local_date BETWEEN (closure ->> 'from')::date
                AND coalesce((closure ->> 'to')::date, (closure ->> 'from')::date)
        )
    ) AS o
) AS hours
ORDER BY d.restaurant_id, d.local_date
