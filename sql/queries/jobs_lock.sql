-- $1 restaurant, $2 job, $3 fencing token: the job, locked, if this claim is the newest one. The role's oid is NULL when it
-- was dropped.
SELECT q.job_name, q.parameters,
    (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = q.submitted_by::name),
    q.app_user_id, q.access_level, q.identity_source
FROM sop_ml.sop_job_queue AS q
WHERE q.restaurant_id = $1 AND q.job_id = $2 AND q.fencing_token = $3 AND q.status = 'running'
FOR UPDATE OF q
