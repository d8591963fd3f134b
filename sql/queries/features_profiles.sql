-- Skill level of people and when it was written. $1 restaurant, $2 users.
SELECT p.user_id, p.skill_level, p.updated_at
FROM sop_ml.sop_user_profiles AS p
WHERE p.restaurant_id = $1 AND p.user_id = ANY ($2)
