-- Removes finished jobs whose time is over, and cancels those that wait for a job which will never succeed.
WITH removed AS (
    DELETE FROM sop_ml.sop_job_queue AS q
    WHERE (q.restaurant_id, q.job_id) IN (
        SELECT o.restaurant_id, o.job_id FROM sop_ml.sop_job_queue AS o
        WHERE o.retain_until < pg_catalog.now() AND o.status IN ('succeeded', 'dead', 'cancelled')
        LIMIT 1000 FOR UPDATE SKIP LOCKED)
)
UPDATE sop_ml.sop_job_queue AS q
SET status = 'cancelled', finished_at = pg_catalog.now(), retain_until = pg_catalog.now() + interval '30 days',
    last_error = 'a job that this one depends on did not succeed'
WHERE q.status = 'queued' AND q.depends_on <> '{}'
  AND EXISTS (
      SELECT FROM pg_catalog.unnest(q.depends_on) AS d (job_id)
      LEFT JOIN sop_ml.sop_job_queue AS needed
          ON needed.restaurant_id = q.restaurant_id AND needed.job_id = d.job_id
      WHERE needed.job_id IS NULL OR needed.status IN ('dead', 'cancelled'))
