-- $1 lease in seconds. Claims one job: of the restaurants that have something due, the one served longest ago; there the
-- highest priority, then the oldest. A running job whose lease is over and whose row nobody locks has lost its worker.
UPDATE sop_ml.sop_job_queue AS q
SET status = 'running', attempts = q.attempts + 1, fencing_token = q.fencing_token + 1,
    started_at = pg_catalog.clock_timestamp(), finished_at = NULL,
    lease_owner = pg_catalog.pg_backend_pid()::text,
    lease_until = pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $1)
WHERE (q.restaurant_id, q.job_id) = (
    SELECT due.restaurant_id, due.job_id
    FROM sop_ml.sop_job_queue AS due
    WHERE (due.status IN ('queued', 'failed') AND due.run_at <= pg_catalog.clock_timestamp()
           OR due.status = 'running' AND due.lease_until < pg_catalog.clock_timestamp()
              AND due.attempts < due.max_attempts)
      AND NOT EXISTS (
          SELECT FROM pg_catalog.unnest(due.depends_on) AS d (job_id)
          LEFT JOIN sop_ml.sop_job_queue AS needed
              ON needed.restaurant_id = due.restaurant_id AND needed.job_id = d.job_id
          WHERE needed.status IS DISTINCT FROM 'succeeded')
    ORDER BY (SELECT pg_catalog.max(served.started_at) FROM sop_ml.sop_job_queue AS served
              WHERE served.restaurant_id = due.restaurant_id AND served.started_at IS NOT NULL) NULLS FIRST,
        due.priority DESC, due.run_at, due.job_id
    LIMIT 1
    FOR UPDATE OF due SKIP LOCKED)
RETURNING q.restaurant_id, q.job_id, q.job_name, q.fencing_token
