-- Refreshes the summary without blocking its readers.
REFRESH MATERIALIZED VIEW CONCURRENTLY sop_ml_storage.sop_weekly_performance_trends
