-- Removes what an earlier run measured on the same windows. $1 restaurant, $2 owner of the model, $3 model, $4 and $5
-- reference from and to, $6 and $7 current from and to; NULL where a window is unbounded.
DELETE FROM sop_ml.sop_model_performance_tracking AS t
WHERE t.restaurant_id = $1
  AND t.model_restaurant_id = $2
  AND t.model_id = $3
  AND t.reference_from IS NOT DISTINCT FROM $4
  AND t.reference_to IS NOT DISTINCT FROM $5
  AND t.current_from IS NOT DISTINCT FROM $6
  AND t.current_to IS NOT DISTINCT FROM $7
