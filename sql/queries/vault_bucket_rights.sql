-- The statements that open the quarters of an hour to those who may read every summary (400_grants.sql says so too).
SELECT 'GRANT SELECT ON sop_ml.sop_time_series_15_minutes TO sop_ml_viewer, sop_ml_group_reader, sop_ml_operator'
