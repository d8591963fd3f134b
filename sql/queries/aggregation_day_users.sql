-- Distinct users of the day buckets made from interactions, counted from the raw rows: hours cannot be added up. Every count
-- has its bucket already, which ON CONFLICT finds by key: a join would be planned from statistics that a first load does not
-- have yet, and may then compare everything with everything.
-- $1 restaurants, $2 first instants, $3 ends
WITH day AS MATERIALIZED (
    SELECT t.restaurant_id, t.starts_at, t.ends_at
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::timestamptz[]),
                    pg_catalog.unnest($3::timestamptz[])) AS t (restaurant_id, starts_at, ends_at)
)
INSERT INTO sop_ml.sop_performance_aggregates AS a
    (restaurant_id, metric_name, sop_id, grain, bucket_start, bucket_end, local_date, n, distinct_users)
SELECT day.restaurant_id, metric.metric_name, u.sop_id, 'day', day.starts_at, day.ends_at, day.starts_at::date, 0,
       metric.users
FROM day
CROSS JOIN LATERAL (
    SELECT i.sop_id,
           pg_catalog.count(DISTINCT i.user_id) AS users,
           pg_catalog.count(DISTINCT i.user_id) FILTER (WHERE i.interaction_type IN ('start', 'complete')) AS doers,
           pg_catalog.count(DISTINCT i.user_id) FILTER (WHERE i.interaction_type = 'complete'
               AND i.duration_seconds >= 0 AND i.duration_seconds < 'Infinity') AS finishers,
           pg_catalog.count(DISTINCT i.user_id) FILTER (WHERE i.rating > '-Infinity' AND i.rating < 'Infinity') AS raters
    FROM sop_ml.sop_user_interactions AS i
    WHERE i.restaurant_id = day.restaurant_id
      AND i.occurred_at >= day.starts_at
      AND i.occurred_at < day.ends_at
    GROUP BY i.sop_id
) AS u
CROSS JOIN LATERAL (VALUES ('interactions', u.users), ('completion_rate', u.doers),
                           ('completion_seconds', u.finishers), ('rating', u.raters)) AS metric (metric_name, users)
WHERE metric.users > 0
ON CONFLICT (restaurant_id, metric_name, sop_id, grain, bucket_start) DO UPDATE
    SET distinct_users = excluded.distinct_users
