-- The statements that remove the jobs of TimescaleDB that vault_jobs.sql registers; that of the quarters of an hour goes with them.
SELECT format('SELECT %I.delete_job(%s)', n.nspname, j.job_id)
FROM timescaledb_information.jobs AS j
CROSS JOIN pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'timescaledb'
  AND (j.proc_schema = 'sop_ml_storage' AND j.proc_name = 'maintain_time_series'
       OR j.hypertable_schema = 'sop_ml_storage' AND j.hypertable_name = 'sop_time_series_data'
          AND j.config ?| ARRAY['compress_after', 'after'])
