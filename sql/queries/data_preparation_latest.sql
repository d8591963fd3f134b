-- The latest version of a data set, and whether it is the same data prepared in the same way. $1 restaurant, $2 name,
-- $3 kind, $4 from, $5 to, $6 parameters, $7 content hash.
SELECT d.dataset_id, d.version,
       d.status = 'ready'
       AND (d.kind, d.from_time, d.to_time, d.parameters, d.content_hash) IS NOT DISTINCT FROM ($3, $4, $5, $6, $7)
FROM sop_ml.sop_training_datasets AS d
WHERE d.restaurant_id = $1 AND d.name = $2
ORDER BY d.version DESC
LIMIT 1
