-- Features of all SOPs over the window [$2, $3), SOP by SOP. $1 restaurant.
SELECT f.sop_id, f.feature_name, f.value
FROM sop_ml.aggregate_sop_performance_features($1, $3, ARRAY[$3 - $2]) AS f
