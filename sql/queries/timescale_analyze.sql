-- The planner would take a table that was never analysed for a small one. In mode vault the name is a view.
DO $analyze$
BEGIN
    EXECUTE 'ANALYZE ' || coalesce(to_regclass('sop_ml_storage.sop_time_series_data'), to_regclass('sop_ml.sop_time_series_data'))::text;
END
$analyze$
