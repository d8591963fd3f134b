-- $1 restaurant (the nil uuid for all), $2 run, $3 step, $4 its number, $5 day, $6 status, $7 restaurants, $8 rows in,
-- $9 rows out, $10 elapsed milliseconds, $11 detail, $12 SQLSTATE
INSERT INTO sop_ml.sop_job_runs (
    restaurant_id, run_id, step, step_number, job_name, day, status, restaurants, rows_in, rows_out, started_at,
    finished_at, elapsed_ms, detail, sqlstate)
VALUES ($1, $2, $3, $4, 'run_daily_ml_aggregation', $5, $6, $7, $8, $9,
        pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $10 / 1000), pg_catalog.clock_timestamp(), $10, $11, $12)
