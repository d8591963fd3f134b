-- Distinct users of the day buckets made from interactions, counted from the raw rows: hours cannot be added up.
-- $1 restaurants, $2 first instants, $3 ends
WITH day AS MATERIALIZED (
    SELECT t.restaurant_id, t.starts_at, t.ends_at
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::timestamptz[]),
                    pg_catalog.unnest($3::timestamptz[])) AS t (restaurant_id, starts_at, ends_at)
)
UPDATE sop_ml.sop_performance_aggregates AS a
SET distinct_users = counted.users
FROM (
    SELECT day.restaurant_id, day.starts_at, u.sop_id, metric.metric_name, metric.users
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
) AS counted
WHERE a.restaurant_id = counted.restaurant_id
  AND a.metric_name = counted.metric_name
  AND a.sop_id = counted.sop_id
  AND a.grain = 'day'
  AND a.bucket_start = counted.starts_at
