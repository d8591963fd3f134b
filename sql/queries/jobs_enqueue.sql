-- $1 restaurant, $2 job, $3 parameters, $4 not before, $5 priority, $6 unique key, $7 attempts, $8 jobs to wait for,
-- $9 interval, $10 local time of day. No row when an unfinished job has the same key. A daily job without $4 begins at the
-- next such time.
INSERT INTO sop_ml.sop_job_queue (restaurant_id, job_name, parameters, run_at, priority, unique_key, max_attempts,
    depends_on, schedule_interval, schedule_local_time)
SELECT $1, $2, $3,
    coalesce($4, (
        SELECT pg_catalog.min(candidate.moment)
        FROM (SELECT (pg_catalog.timezone(z.name, pg_catalog.now())::date + d.ahead + $10::time) AT TIME ZONE z.name
              FROM (SELECT coalesce((SELECT r.time_zone FROM sop_ml.sop_restaurants AS r WHERE r.restaurant_id = $1), 'UTC'))
                       AS z (name),
                   pg_catalog.generate_series(0, 1) AS d (ahead)) AS candidate (moment)
        WHERE candidate.moment >= pg_catalog.now()), pg_catalog.now()),
    $5, $6, $7, $8, $9, $10
ON CONFLICT (restaurant_id, job_name, unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('queued', 'running', 'failed')
    DO NOTHING
RETURNING job_id
