-- What mode vault would lose: policies that are not of sop_ml (a closed table has none), and readings of restaurants that do not exist,
-- which nobody would see through the view.
SELECT format('policy %I', p.polname)
FROM pg_catalog.pg_policy AS p
WHERE p.polrelid = 'sop_ml.sop_time_series_data'::regclass AND NOT starts_with(p.polname::text, 'sop_ml_')
UNION ALL
SELECT format('readings of restaurant %s, which does not exist', d.restaurant_id)
FROM (SELECT DISTINCT d.restaurant_id FROM sop_ml.sop_time_series_data AS d) AS d
WHERE NOT EXISTS (SELECT FROM sop_ml.sop_restaurants AS r WHERE r.restaurant_id = d.restaurant_id)
ORDER BY 1
