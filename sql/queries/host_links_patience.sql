-- How long to wait for a lock from here on, in milliseconds. $1 what is left, $2 whether another lock is held already: then
-- a wait ends before anybody's deadlock detector looks. Reverted when the calling function ends.
SELECT set_config('lock_timeout',
                  greatest(1, CASE WHEN $2 THEN least($1, s.setting::bigint / 2) ELSE $1 END)::text || 'ms', true)
FROM pg_catalog.pg_settings AS s
WHERE s.name = 'deadlock_timeout'
