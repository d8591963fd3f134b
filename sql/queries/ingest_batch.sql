-- What a batch came to that was taken before; no row if it was not. $1 restaurant, $2 batch
SELECT b.inserted, b.updated, b.unchanged, b.rejected, b.reasons
FROM sop_ml.sop_time_series_batches AS b
WHERE b.restaurant_id = $1 AND b.batch_id = $2
