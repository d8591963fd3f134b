-- $1 restaurant, $2 job. Returns the status before; a running job is left alone, and not waited for.
WITH target AS (
    SELECT q.job_id, q.status FROM sop_ml.sop_job_queue AS q
    WHERE q.restaurant_id = $1 AND q.job_id = $2
), cancelled AS (
    UPDATE sop_ml.sop_job_queue AS q
    SET status = 'cancelled', finished_at = pg_catalog.now(), retain_until = pg_catalog.now() + interval '30 days'
    WHERE q.restaurant_id = $1 AND q.status IN ('queued', 'failed')
      AND q.job_id IN (SELECT t.job_id FROM target AS t WHERE t.status IN ('queued', 'failed'))
    RETURNING q.job_id
)
SELECT CASE
    WHEN t.status IN ('queued', 'failed') AND c.job_id IS NULL THEN 'running'
    ELSE t.status
END
FROM target AS t LEFT JOIN cancelled AS c ON c.job_id = t.job_id
