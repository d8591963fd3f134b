-- Interactions in [$2, $3) of people who did not refuse to have them used. $1 restaurant.
SELECT i.user_id, i.sop_id, i.interaction_type, i.occurred_at, i.rating
FROM sop_ml.sop_user_interactions AS i
WHERE i.restaurant_id = $1 AND i.occurred_at >= $2 AND i.occurred_at < $3
  AND i.sop_id <> '00000000-0000-0000-0000-000000000000'
  AND NOT EXISTS (SELECT FROM sop_ml.sop_privacy_preferences AS p
                  WHERE p.restaurant_id = $1 AND p.user_id = i.user_id
                    AND p.purpose IN ('training', 'personalisation') AND p.state = 'denied')
  AND NOT EXISTS (SELECT FROM sop_ml.sop_user_profiles AS u
                  WHERE u.restaurant_id = $1 AND u.user_id = i.user_id
                    AND (u.personalization_opt_out OR u.status = 'erased'))
