-- The old table with all it has goes to the storage schema, so that its name, and the names of its constraints and indexes, are
-- free for the new one.
ALTER TABLE sop_ml.sop_time_series_data SET SCHEMA sop_ml_storage
