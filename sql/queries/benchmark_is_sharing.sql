-- $1 restaurant: whether it shares what it learns. Who does not share does not see.
SELECT r.cross_restaurant_opt_in AND r.status = 'active'
FROM sop_ml.sop_restaurants AS r
WHERE r.restaurant_id = $1
