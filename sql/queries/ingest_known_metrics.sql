-- Which metrics the restaurant has observations of. $1 restaurant, $2 names
SELECT g.metric_name
FROM unnest($2::text[]) AS g (metric_name)
WHERE EXISTS (
    SELECT FROM sop_ml.sop_time_series_data AS d WHERE d.restaurant_id = $1 AND d.metric_name = g.metric_name
)
