-- $1 restaurants: those that chose dimensions to roll up.
SELECT r.restaurant_id
FROM sop_ml.sop_restaurants AS r
WHERE r.restaurant_id = ANY ($1::uuid[]) AND r.rollup_dimensions <> '[]'
