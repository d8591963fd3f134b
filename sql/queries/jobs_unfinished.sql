-- $1 restaurant, $2 job, $3 unique key: the unfinished job that has it. A writing statement by its caller's choice: it must
-- see what was committed since the calling statement began.
SELECT q.job_id FROM sop_ml.sop_job_queue AS q
WHERE q.restaurant_id = $1 AND q.job_name = $2 AND q.unique_key = $3 AND q.status IN ('queued', 'running', 'failed')
