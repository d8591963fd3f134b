-- The database that pg_cron works from; NULL where it is not loaded.
SELECT current_setting('cron.database_name', true)
