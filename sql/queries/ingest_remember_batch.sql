-- $1 restaurant, $2 batch, $3 source, $4 new, $5 replaced, $6 unchanged, $7 rejected, $8 why
INSERT INTO sop_ml.sop_time_series_batches (restaurant_id, batch_id, source, inserted, updated, unchanged, rejected, reasons)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
