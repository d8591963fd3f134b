-- Jobs whose worker was lost on the last attempt. Returns restaurant, job and name of each.
UPDATE sop_ml.sop_job_queue AS q
SET status = 'dead', finished_at = pg_catalog.now(), retain_until = pg_catalog.now() + interval '90 days',
    last_error = 'the server process ended while it ran', last_sqlstate = '57P02'
WHERE (q.restaurant_id, q.job_id) IN (
    SELECT o.restaurant_id, o.job_id FROM sop_ml.sop_job_queue AS o
    WHERE o.status = 'running' AND o.lease_until < pg_catalog.clock_timestamp() AND o.attempts >= o.max_attempts
    FOR UPDATE SKIP LOCKED)
RETURNING q.restaurant_id, q.job_id, q.job_name
