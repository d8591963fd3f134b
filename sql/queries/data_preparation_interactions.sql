-- Interactions in [$2, $3) of people who did not refuse to have them used. $1 restaurant.
SELECT i.user_id, i.sop_id, i.interaction_type, i.occurred_at, i.rating
FROM sop_ml.sop_user_interactions AS i
WHERE i.restaurant_id = $1 AND i.occurred_at >= $2 AND i.occurred_at < $3
  AND i.sop_id <> '00000000-0000-0000-0000-000000000000'
  AND NOT EXISTS (SELECT FROM sop_ml.sop_training_exclusions AS x
                  WHERE x.restaurant_id = $1 AND x.user_id = i.user_id)
