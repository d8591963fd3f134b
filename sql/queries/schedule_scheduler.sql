-- Whether pg_cron is in this database, and which database it works from (NULL: it is not loaded).
SELECT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') AS is_here,
       current_setting('cron.database_name', true) AS home,
       current_database()::text AS database
