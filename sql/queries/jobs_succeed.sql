-- $1 restaurant, $2 job, $3 fencing token, $4 result. A job with a schedule goes back into the queue. Returns 'succeeded'.
WITH finished AS (
    UPDATE sop_ml.sop_job_queue AS q
    SET status = CASE WHEN again.run_at IS NULL THEN 'succeeded' ELSE 'queued' END,
        run_at = coalesce(again.run_at, q.run_at),
        attempts = CASE WHEN again.run_at IS NULL THEN q.attempts ELSE 0 END,
        result = $4, last_error = NULL, last_sqlstate = NULL, lease_owner = NULL, lease_until = NULL,
        finished_at = pg_catalog.clock_timestamp(),
        retain_until = CASE WHEN again.run_at IS NULL THEN pg_catalog.now() + interval '30 days' END,
        run_id = pg_catalog.gen_random_uuid()
    FROM (SELECT o.restaurant_id, o.job_id, o.attempts, o.started_at,
              -- Missed times are not made up for: the next one lies ahead.
              CASE
                  WHEN o.schedule_interval IS NOT NULL THEN
                      greatest(o.run_at + o.schedule_interval, pg_catalog.clock_timestamp())
                  WHEN o.schedule_local_time IS NOT NULL THEN
                      (pg_catalog.timezone(z.name, pg_catalog.clock_timestamp())::date + 1 + o.schedule_local_time)
                          AT TIME ZONE z.name
              END AS run_at
          FROM sop_ml.sop_job_queue AS o
          CROSS JOIN LATERAL (SELECT coalesce((SELECT r.time_zone FROM sop_ml.sop_restaurants AS r
                                               WHERE r.restaurant_id = o.restaurant_id), 'UTC')) AS z (name)
          WHERE o.restaurant_id = $1 AND o.job_id = $2) AS again
    WHERE q.restaurant_id = $1 AND q.job_id = $2 AND q.fencing_token = $3
    RETURNING q.*
), recorded AS (
    INSERT INTO sop_ml.sop_job_runs (restaurant_id, run_id, step, job_name, job_id, status, started_at, finished_at,
        elapsed_ms, parameters, attempt, role_name)
    SELECT f.restaurant_id, f.run_id, 'job', f.job_name, f.job_id, 'succeeded', f.started_at, f.finished_at,
        extract(epoch FROM f.finished_at - f.started_at) * 1000, f.parameters, greatest(f.attempts, 1), f.submitted_by
    FROM finished AS f
)
SELECT 'succeeded'::text FROM finished
