-- Certifications of people who did not refuse to have them used. A revoked one counted until it was revoked.
-- $1 restaurant, $2 users.
SELECT t.user_id, dense_rank() OVER (ORDER BY t.certification) AS number, t.completed_at, t.created_at,
       least(t.expires_at, CASE WHEN t.status = 'revoked' THEN t.updated_at END)
FROM sop_ml.sop_training_records AS t
WHERE t.restaurant_id = $1 AND t.user_id = ANY ($2) AND t.certification IS NOT NULL AND t.completed_at IS NOT NULL
  AND t.status IN ('completed', 'revoked')
  AND NOT EXISTS (SELECT FROM sop_ml.sop_training_exclusions AS x
                  WHERE x.restaurant_id = $1 AND x.user_id = t.user_id)
