-- How many rows the old and the new table have.
SELECT (SELECT count(*) FROM sop_ml_storage.sop_time_series_data), (SELECT count(*) FROM sop_ml.sop_time_series_data)
