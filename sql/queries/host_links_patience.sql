-- How long to wait for a lock from here on. $1 what is left, in milliseconds; $2 number of the attempt where another lock is
-- held already, else NULL: such a wait is short at first, grows, and always ends before anybody's deadlock detector looks.
-- Reverted when the calling function ends.
SELECT set_config('lock_timeout', greatest(1, least($1, 50 * $2, CASE WHEN $2 > 0 THEN s.setting::bigint / 2 END))::text || 'ms',
                  true)
FROM pg_catalog.pg_settings AS s
WHERE s.name = 'deadlock_timeout'
