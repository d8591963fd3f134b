-- The views go, and the hypertable has the name again. Whoever else's views hang on these is asked for before. (That the chunks of
-- the aggregate go with it is no news.)
DO $open$
BEGIN
    PERFORM pg_catalog.set_config('client_min_messages', 'warning', true);
    DROP VIEW sop_ml.sop_time_series_15_minutes;
    DROP VIEW sop_ml.sop_time_series_data;
    DROP MATERIALIZED VIEW sop_ml_storage.sop_time_series_15_minutes;
    ALTER TABLE sop_ml_storage.sop_time_series_data SET SCHEMA sop_ml;
END
$open$
