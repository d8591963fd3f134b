-- Deployed models with predictions in the seven days that end with each given day, and what to compare them with: their
-- training window where predictions are recorded for it, else the first 28 days of their predictions, never reaching
-- into the current seven days.
-- $1 restaurants, $2 ends of the day. Returns restaurant, model as name@version, reference, current range, number of
-- current predictions; the reference is empty for a model that is too young.
SELECT c.restaurant_id, c.name || '@' || c.version,
       CASE WHEN EXISTS (
                SELECT FROM sop_ml.sop_ml_predictions AS p
                WHERE p.restaurant_id = c.restaurant_id AND p.model_restaurant_id = c.model_restaurant_id
                  AND p.model_id = c.model_id AND p.predicted_at >= c.training_from
                  AND p.predicted_at < least(c.training_to, c.starts_at))
            THEN pg_catalog.tstzrange(c.training_from, least(c.training_to, c.starts_at))
            ELSE (SELECT CASE WHEN pg_catalog.min(p.predicted_at) IS NULL THEN 'empty'
                              ELSE pg_catalog.tstzrange(pg_catalog.min(p.predicted_at),
                                       least(pg_catalog.min(p.predicted_at) + interval '28 days', c.starts_at)) END
                  FROM sop_ml.sop_ml_predictions AS p
                  WHERE p.restaurant_id = c.restaurant_id AND p.model_restaurant_id = c.model_restaurant_id
                    AND p.model_id = c.model_id AND p.predicted_at < c.starts_at)
       END::text,
       pg_catalog.tstzrange(c.starts_at, c.ends_at)::text,
       c.n
FROM (
    SELECT day.restaurant_id, m.restaurant_id AS model_restaurant_id, m.model_id, m.name, m.version, m.training_from,
           m.training_to, day.ends_at - interval '7 days' AS starts_at, day.ends_at, pg_catalog.count(*) AS n
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::timestamptz[])) AS day (restaurant_id, ends_at)
    JOIN sop_ml.sop_ml_predictions AS p
        ON p.restaurant_id = day.restaurant_id AND p.predicted_at >= day.ends_at - interval '7 days'
       AND p.predicted_at < day.ends_at
    JOIN sop_ml.sop_ml_models AS m
        ON m.restaurant_id = p.model_restaurant_id AND m.model_id = p.model_id AND m.status = 'deployed'
    GROUP BY day.restaurant_id, day.ends_at, m.restaurant_id, m.model_id
) AS c
ORDER BY c.restaurant_id, c.model_restaurant_id, c.name, c.version
