-- The model that a reference means. $1 restaurant, $2 name, $3 version or NULL, $4 alias or NULL. A restaurant's own model
-- goes before a shared one of the same name; without version and alias the newest deployed one, else the newest.
SELECT m.restaurant_id, m.model_id, m.name, m.version
FROM sop_ml.sop_ml_models AS m
WHERE m.restaurant_id IN ($1, '00000000-0000-0000-0000-000000000000')
  AND m.name = $2
  AND ($3 IS NULL OR m.version = $3)
  AND ($4 IS NULL OR $4 = ANY (m.aliases))
ORDER BY m.restaurant_id = $1 DESC, m.status = 'deployed' DESC, m.version DESC
LIMIT 1
