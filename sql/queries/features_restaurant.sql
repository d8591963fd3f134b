-- How a restaurant counts days and since when it records here. $1 restaurant.
SELECT r.time_zone, r.created_at
FROM sop_ml.sop_restaurants AS r
WHERE r.restaurant_id = $1
