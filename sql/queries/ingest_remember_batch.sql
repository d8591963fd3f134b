-- $1 restaurant, $2 batch, $3 source, $4 observations, $5 new, $6 replaced, $7 unchanged, $8 rejected, $9 why
INSERT INTO sop_ml.sop_time_series_batches (restaurant_id, batch_id, source, n, inserted, updated, unchanged, rejected, reasons)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
