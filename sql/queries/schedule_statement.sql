-- What to run in the scheduler's own database. $1 name, $2 schedule (NULL: remove), $3 command, $4 database
SELECT CASE WHEN $2::text IS NULL THEN format('SELECT cron.unschedule(%L);', $1::text)
            ELSE format('SELECT cron.schedule_in_database(%L, %L, %L, %L);', $1::text, $2::text, $3::text, $4::text) END
