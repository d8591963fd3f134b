-- Buckets of local time.
SET timezone = 'UTC';
SET search_path = sop_ml, public;

-- Weeks from Monday, months, quarters, years, six hours by the clock, an hour that comes twice.
SELECT w::interval AS width, time_bucket_local(w::interval, '2026-10-25 01:40+00', 'Europe/Berlin') AT TIME ZONE 'Europe/Berlin' AS berlin,
       time_bucket_local(w::interval, '2026-10-25 01:40+00', 'Europe/Berlin') AS utc,
       time_bucket_local(w::interval, '2026-10-25 01:40+00', 'Asia/Kathmandu') AT TIME ZONE 'Asia/Kathmandu' AS kathmandu
FROM unnest(ARRAY['15 minutes', '1 hour', '6 hours', '24 hours', '1 day', '7 days', '1 month', '3 months', '1 year']) AS w;
-- Where clocks skip midnight the day begins with its first instant, where it comes twice with the first.
SELECT time_bucket_local('1 day', '2018-11-04 15:00+00', 'America/Sao_Paulo') AS skipped,
       time_bucket_local('1 day', '2026-11-01 15:00+00', 'America/Havana') AS twice;
-- Days tile time, all year, everywhere.
SELECT z AS time_zone, count(DISTINCT b) AS days, count(DISTINCT b) FILTER (WHERE (b AT TIME ZONE z)::time <> '00:00') AS without_midnight
FROM unnest('{Europe/Berlin,America/New_York,Australia/Lord_Howe,Asia/Bangkok,Pacific/Apia}'::text[]) AS z,
     generate_series('2026-01-01 12:00+00'::timestamptz, '2026-12-31 12:00+00', '30 minutes') AS t,
     LATERAL (SELECT time_bucket_local('1 day', t, z)) AS l (b)
GROUP BY z ORDER BY z;
-- The same days as the roll-up's.
SELECT count(*) AS differ FROM generate_series('2026-03-01 00:00+00'::timestamptz, '2026-04-05 00:00+00', '1 hour') AS t
WHERE time_bucket_local('1 day', t, 'Europe/Berlin') <> (t AT TIME ZONE 'Europe/Berlin')::date::timestamp AT TIME ZONE 'Europe/Berlin';
SELECT time_bucket_local('1 day', 'infinity', 'UTC') AS infinite, time_bucket_local('1 day', NULL, 'UTC') IS NULL AS null_in_null_out;
\set VERBOSITY terse
SELECT time_bucket_local('0', now(), 'UTC');
SELECT time_bucket_local('1 day 1 hour', now(), 'UTC');
SELECT time_bucket_local('36 hours', now(), 'UTC');
SELECT time_bucket_local('7 minutes', now(), 'UTC');
SELECT time_bucket_local('1 day', '294276-12-31', 'UTC');
SELECT time_bucket_local('1 day', now(), 'Mars/Olympus');
