-- $1 restaurant, $2 job, $3 fencing token, $4 message, $5 SQLSTATE. Tried again after 10 s, 20 s, 40 s, … up to an hour;
-- given up after max_attempts. Returns the new status.
WITH finished AS (
    UPDATE sop_ml.sop_job_queue AS q
    SET status = CASE WHEN q.attempts < q.max_attempts THEN 'failed' ELSE 'dead' END,
        run_at = CASE
            WHEN q.attempts < q.max_attempts THEN
                pg_catalog.clock_timestamp()
                    + least(interval '10 seconds' * pg_catalog.power(2, q.attempts - 1), interval '1 hour')
            ELSE q.run_at
        END,
        last_error = $4, last_sqlstate = $5, lease_owner = NULL, lease_until = NULL,
        finished_at = pg_catalog.clock_timestamp(),
        retain_until = CASE WHEN q.attempts >= q.max_attempts THEN pg_catalog.now() + interval '90 days' END,
        run_id = pg_catalog.gen_random_uuid()
    WHERE q.restaurant_id = $1 AND q.job_id = $2 AND q.fencing_token = $3
    RETURNING q.*
), recorded AS (
    INSERT INTO sop_ml.sop_job_runs (restaurant_id, run_id, step, job_name, job_id, status, started_at, finished_at,
        elapsed_ms, detail, sqlstate, parameters, attempt, role_name)
    SELECT f.restaurant_id, f.run_id, 'job', f.job_name, f.job_id, 'failed', f.started_at, f.finished_at,
        extract(epoch FROM f.finished_at - f.started_at) * 1000, $4, $5, f.parameters, f.attempts, f.submitted_by
    FROM finished AS f
)
SELECT f.status FROM finished AS f
