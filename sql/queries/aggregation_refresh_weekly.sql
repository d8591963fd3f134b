-- Fills the summary for the first time.
REFRESH MATERIALIZED VIEW sop_ml_storage.sop_weekly_performance_trends
