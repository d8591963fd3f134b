-- Skill level of people who did not refuse to have it used, and when it was written. $1 restaurant, $2 users.
SELECT p.user_id, p.skill_level, p.updated_at
FROM sop_ml.sop_user_profiles AS p
WHERE p.restaurant_id = $1 AND p.user_id = ANY ($2)
  AND NOT EXISTS (SELECT FROM sop_ml.sop_training_exclusions AS x
                  WHERE x.restaurant_id = $1 AND x.user_id = p.user_id)
