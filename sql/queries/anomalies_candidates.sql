-- Predictions outside the expected ranges. $1 restaurant, $2 owner of the model, $3 model, $4 and $5 from and to (half-open),
-- $6 and $7 range of the predicted value, $8 lowest expected confidence, $9 and $10 range of actual minus predicted (NULL
-- where there is no baseline), $11 at most so many. NaN sorts above every number; differences that could overflow are left
-- out.
SELECT p.prediction_id, p.predicted_at, p.sop_id, p.predicted_value, p.confidence, p.actual_value
FROM sop_ml.sop_ml_predictions AS p
WHERE p.restaurant_id = $1
  AND p.model_restaurant_id = $2
  AND p.model_id = $3
  AND p.predicted_at >= $4
  AND p.predicted_at < $5
  AND (p.predicted_value NOT BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308
       OR p.predicted_value NOT BETWEEN $6 AND $7
       OR p.confidence < $8
       OR CASE WHEN pg_catalog.abs(p.predicted_value) < 8e307 AND pg_catalog.abs(p.actual_value) < 8e307
              THEN p.actual_value - p.predicted_value NOT BETWEEN $9 AND $10 END)
ORDER BY p.predicted_at, p.prediction_id
LIMIT $11
