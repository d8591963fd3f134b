-- Jobs of TimescaleDB that work on the time series: they go with the hypertable.
SELECT format('job %s (%s) of TimescaleDB', j.job_id, j.proc_name)
FROM timescaledb_information.jobs AS j
WHERE j.hypertable_schema = 'sop_ml' AND j.hypertable_name = 'sop_time_series_data'
ORDER BY j.job_id
