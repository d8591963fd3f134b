-- Distinct people of each day, counted from the raw rows: the counts of hours cannot be added up. For metrics made from
-- interactions, and for observed metrics whose rows say who recorded them.
-- All days have the same local date.
-- $1 restaurants, $2 first instants, $3 ends, $4 the earliest first instant, $5 the latest end, $6 whether interactions and $7
-- whether observations need to be looked at. Returns restaurant, first instant, metric, SOP, number of people
-- and their sketch, from which longer periods are counted.
SELECT c.restaurant_id, c.starts_at, metric.metric_name, c.sop_id, metric.users, metric.state
FROM (
    SELECT i.restaurant_id, i.sop_id, day.starts_at,
           sop_ml.staff_count_agg(i.user_id) AS users,
           sop_ml.distinct_agg(i.user_id)::bytea AS users_state,
           sop_ml.staff_count_agg(i.user_id) FILTER (WHERE i.interaction_type IN ('start', 'complete')) AS doers,
           sop_ml.distinct_agg(i.user_id) FILTER (WHERE i.interaction_type IN ('start', 'complete'))::bytea AS doers_state,
           sop_ml.staff_count_agg(i.user_id) FILTER (WHERE i.interaction_type = 'complete'
               AND i.duration_seconds >= 0 AND i.duration_seconds < 'Infinity') AS finishers,
           sop_ml.distinct_agg(i.user_id) FILTER (WHERE i.interaction_type = 'complete'
               AND i.duration_seconds >= 0 AND i.duration_seconds < 'Infinity')::bytea AS finishers_state,
           sop_ml.staff_count_agg(i.user_id) FILTER (WHERE i.interaction_type = 'complete'
               AND (i.outcome IS NOT NULL OR i.error_count IS NOT NULL)) AS judged_users,
           sop_ml.distinct_agg(i.user_id) FILTER (WHERE i.interaction_type = 'complete'
               AND (i.outcome IS NOT NULL OR i.error_count IS NOT NULL))::bytea AS judged_users_state,
           sop_ml.staff_count_agg(i.user_id) FILTER (WHERE i.rating > '-Infinity' AND i.rating < 'Infinity') AS raters,
           sop_ml.distinct_agg(i.user_id) FILTER (WHERE i.rating > '-Infinity' AND i.rating < 'Infinity')::bytea AS raters_state
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::timestamptz[]), pg_catalog.unnest($3::timestamptz[]))
        AS day (restaurant_id, starts_at, ends_at)
    JOIN sop_ml.sop_user_interactions AS i
        ON i.restaurant_id = day.restaurant_id AND i.occurred_at >= day.starts_at AND i.occurred_at < day.ends_at
    WHERE $6::boolean AND i.occurred_at >= $4 AND i.occurred_at < $5
    GROUP BY 1, 2, 3
) AS c
CROSS JOIN LATERAL (VALUES
    ('interactions', c.users, c.users_state), ('completion_rate', c.doers, c.doers_state),
    ('completion_seconds', c.finishers, c.finishers_state), ('compliance_rate', c.judged_users, c.judged_users_state),
    ('rating', c.raters, c.raters_state)) AS metric (metric_name, users, state)
WHERE metric.users > 0
UNION ALL
SELECT d.restaurant_id, day.starts_at,
       CASE WHEN d.metric_name IN ('interactions', 'completion_rate', 'completion_seconds', 'compliance_rate', 'rating')
            THEN 'observed_' || d.metric_name ELSE d.metric_name END,
       d.sop_id, sop_ml.staff_count_agg(d.recorded_by), sop_ml.distinct_agg(d.recorded_by)::bytea
FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::timestamptz[]), pg_catalog.unnest($3::timestamptz[]))
    AS day (restaurant_id, starts_at, ends_at)
JOIN sop_ml.sop_time_series_data AS d
    ON d.restaurant_id = day.restaurant_id AND d.observed_at >= day.starts_at AND d.observed_at < day.ends_at
WHERE $7::boolean AND d.recorded_by IS NOT NULL AND d.observed_at >= $4 AND d.observed_at < $5
GROUP BY d.restaurant_id, day.starts_at, d.metric_name, d.sop_id
