-- The planner would take a table that was never analysed for a small one.
ANALYZE sop_ml.sop_time_series_data
