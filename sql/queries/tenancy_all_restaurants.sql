-- Every restaurant; only for callers to whom row-level security does not apply.
SELECT restaurant_id FROM sop_ml.sop_restaurants ORDER BY restaurant_id
