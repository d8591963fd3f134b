-- The hypertable goes where no tenant can name it. Its policies stay, for the day on which it is a table again.
DO $close$
BEGIN
    ALTER TABLE sop_ml.sop_time_series_data NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
    ALTER TABLE sop_ml.sop_time_series_data SET SCHEMA sop_ml_storage;
END
$close$
