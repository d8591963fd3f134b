-- $1 restaurant: a row where there is such a restaurant. Superusers may name any.
SELECT true FROM sop_ml.sop_restaurants AS r WHERE r.restaurant_id = $1
