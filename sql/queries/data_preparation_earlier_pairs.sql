-- Who had met which SOP before $2, of people who did not refuse to have that used. $1 restaurant.
SELECT DISTINCT i.user_id, i.sop_id
FROM sop_ml.sop_user_interactions AS i
WHERE i.restaurant_id = $1 AND i.occurred_at < $2
  AND NOT EXISTS (SELECT FROM sop_ml.sop_training_exclusions AS x
                  WHERE x.restaurant_id = $1 AND x.user_id = i.user_id)
