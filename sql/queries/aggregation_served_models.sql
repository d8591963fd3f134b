-- Deployed models that made predictions on the given local days.
-- $1 restaurants, $2 first instants, $3 ends. Returns restaurant, model as name@version, first instant and end of the day,
-- number of predictions.
SELECT day.restaurant_id, m.name || '@' || m.version, day.starts_at, day.ends_at, pg_catalog.count(*)
FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::timestamptz[]), pg_catalog.unnest($3::timestamptz[]))
    AS day (restaurant_id, starts_at, ends_at)
JOIN sop_ml.sop_ml_predictions AS p
    ON p.restaurant_id = day.restaurant_id AND p.predicted_at >= day.starts_at AND p.predicted_at < day.ends_at
JOIN sop_ml.sop_ml_models AS m ON m.restaurant_id = p.model_restaurant_id AND m.model_id = p.model_id AND m.status = 'deployed'
GROUP BY day.restaurant_id, m.restaurant_id, m.name, m.version, day.starts_at, day.ends_at
ORDER BY day.restaurant_id, m.restaurant_id, m.name, m.version
