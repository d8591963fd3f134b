-- The archived periods that a time touches. $1 restaurant or NULL for all, $2 from, $3 to, $4 relations
SELECT p.restaurant_id, p.relation_name, p.from_time, p.to_time
FROM sop_ml.sop_retired_periods AS p
WHERE p.action = 'archived' AND ($1::uuid IS NULL OR p.restaurant_id = $1)
  AND p.from_time < $3 AND p.to_time > $2 AND p.relation_name = ANY ($4::text[])
ORDER BY p.restaurant_id, p.relation_name, p.from_time
