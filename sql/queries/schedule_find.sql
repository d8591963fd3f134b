-- The entry of this name that belongs to the caller. $1 name
SELECT j.schedule, j.command
FROM cron.job AS j
WHERE j.jobname::text = $1 AND j.username::text = current_user AND j.database::text = current_database()
