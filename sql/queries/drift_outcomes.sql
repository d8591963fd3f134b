-- Predictions and outcomes of a model in two windows. $1 restaurant, $2 owner of the model, $3 model, $4 and $5 reference
-- from and to, $6 and $7 current from and to (half-open), $8 largest sample of a window.
SELECT
    w.is_current,
    pg_catalog.count(*),
    pg_catalog.array_agg(p.predicted_value),
    pg_catalog.array_agg(p.actual_value),
    pg_catalog.count(*) FILTER (WHERE p.predicted_label = p.actual_label),
    pg_catalog.count(*) FILTER (WHERE p.predicted_label IS NOT NULL AND p.actual_label IS NOT NULL)
FROM (VALUES (false, $4, $5), (true, $6, $7)) AS w (is_current, from_time, to_time)
CROSS JOIN LATERAL (
    -- Identifiers are random, so the smallest ones are a sample, and the same one in every run and statement.
    SELECT s.predicted_value, s.actual_value, s.predicted_label, s.actual_label
    FROM sop_ml.sop_ml_predictions AS s
    WHERE s.restaurant_id = $1
      AND s.model_restaurant_id = $2
      AND s.model_id = $3
      AND s.predicted_at >= w.from_time
      AND s.predicted_at < w.to_time
    ORDER BY s.prediction_id, s.predicted_at
    LIMIT $8
) AS p
GROUP BY w.is_current
