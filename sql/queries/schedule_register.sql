-- Makes or replaces the caller's entry of this name. $1 name, $2 schedule, $3 command
SELECT cron.schedule($1, $2, $3)
