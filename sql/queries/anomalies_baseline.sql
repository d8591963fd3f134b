-- What a model predicted before the rows under test, newest first. $1 restaurant, $2 owner of the model, $3 model, $4 and $5
-- from and to (half-open), $6 largest sample.
SELECT pg_catalog.array_agg(b.predicted_value), pg_catalog.array_agg(b.confidence), pg_catalog.array_agg(b.actual_value)
FROM (
    SELECT p.predicted_value, p.confidence, p.actual_value
    FROM sop_ml.sop_ml_predictions AS p
    WHERE p.restaurant_id = $1
      AND p.model_restaurant_id = $2
      AND p.model_id = $3
      AND p.predicted_at >= $4
      AND p.predicted_at < $5
    ORDER BY p.predicted_at DESC, p.prediction_id
    LIMIT $6
) AS b
