-- The rows of a period are back. $1 restaurant, $2 relation, $3 first instant
DELETE FROM sop_ml.sop_retired_periods
WHERE restaurant_id = $1 AND relation_name = $2 AND metric_name = '' AND from_time = $3 AND action = 'archived'
