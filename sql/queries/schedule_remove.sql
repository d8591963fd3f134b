-- Removes the caller's entry of this name. $1 name
SELECT cron.unschedule($1)
