-- Distinct users of the day buckets made from interactions, counted from the raw rows: hours cannot be added up. Every
-- count has its bucket, which is found by key (ON CONFLICT): a join would be planned from statistics that a first load does
-- not have yet, and may then compare everything with everything. All days have the same local date.
-- $1 restaurants, $2 local dates, $3 first instants, $4 ends, $5 the earliest first instant, $6 the latest end
WITH counted AS (
    SELECT i.restaurant_id, i.sop_id, day.local_date, day.starts_at, day.ends_at,
           pg_catalog.count(DISTINCT i.user_id) AS users,
           pg_catalog.count(DISTINCT i.user_id) FILTER (WHERE i.interaction_type IN ('start', 'complete')) AS doers,
           pg_catalog.count(DISTINCT i.user_id) FILTER (WHERE i.interaction_type = 'complete'
               AND i.duration_seconds >= 0 AND i.duration_seconds < 'Infinity') AS finishers,
           pg_catalog.count(DISTINCT i.user_id) FILTER (WHERE i.rating > '-Infinity' AND i.rating < 'Infinity') AS raters
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[]), pg_catalog.unnest($3::timestamptz[]),
                    pg_catalog.unnest($4::timestamptz[])) AS day (restaurant_id, local_date, starts_at, ends_at)
    JOIN sop_ml.sop_user_interactions AS i
        ON i.restaurant_id = day.restaurant_id AND i.occurred_at >= day.starts_at AND i.occurred_at < day.ends_at
    WHERE i.occurred_at >= $5 AND i.occurred_at < $6
    GROUP BY 1, 2, 3, 4, 5
)
INSERT INTO sop_ml.sop_performance_aggregates AS stored
    (restaurant_id, metric_name, sop_id, grain, bucket_start, bucket_end, local_date, distinct_users)
SELECT c.restaurant_id, metric.metric_name, c.sop_id, 'day', c.starts_at, c.ends_at, c.local_date, metric.users
FROM counted AS c
CROSS JOIN LATERAL (VALUES ('interactions', c.users), ('completion_rate', c.doers),
                           ('completion_seconds', c.finishers), ('rating', c.raters)) AS metric (metric_name, users)
WHERE metric.users > 0
ON CONFLICT (restaurant_id, metric_name, sop_id, grain, bucket_start) DO UPDATE
    SET distinct_users = excluded.distinct_users
