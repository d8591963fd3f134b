-- Features that can be computed: a restaurant's own before the shared ones, the newest version of each name.
-- $1 restaurant, $2 entity.
SELECT DISTINCT ON (f.name) f.name, f.definition ->> 'measure', f.window_length
FROM sop_ml.sop_ml_features AS f
WHERE f.restaurant_id IN ($1, '00000000-0000-0000-0000-000000000000') AND f.entity = $2
  AND f.status IN ('active', 'deprecated') AND f.definition ->> 'engine' = 'native'
ORDER BY f.name, f.restaurant_id = $1 DESC, f.version DESC
