-- Who had met which SOP before $2. $1 restaurant.
SELECT DISTINCT i.user_id, i.sop_id
FROM sop_ml.sop_user_interactions AS i
WHERE i.restaurant_id = $1 AND i.occurred_at < $2
