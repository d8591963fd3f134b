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

-- Gaps: every bucket has a row, what was observed stays, fills are marked.
SELECT m AS method, array_agg(value ORDER BY bucket) AS values, array_agg(is_filled::int ORDER BY bucket) AS filled
FROM unnest('{none,locf,interpolate}'::text[]) AS m,
     gap_fill('1 hour', '{2026-03-01 09:10+00,2026-03-01 09:50+00,2026-03-01 12:30+00}', '{1,3,8}', '2026-03-01 08:00+00',
              '2026-03-01 14:00+00', method => m)
GROUP BY m ORDER BY m;
SELECT * FROM gap_fill('1 day', '{2026-03-28 12:00+00,2026-03-31 12:00+00}', '{5,8}', time_zone => 'Europe/Berlin', method => 'locf',
                       options => '{"limit": 1}');
SELECT array_agg(round(value::numeric, 6) ORDER BY bucket) AS seasonal, count(*) FILTER (WHERE is_filled) AS filled
FROM (SELECT array_agg('2026-03-01 00:00+00'::timestamptz + i * interval '1 hour') AS t,
             array_agg(CASE WHEN i NOT IN (9, 10) THEN 10 + i * 0.5 + (ARRAY[0, 4, -2])[1 + i % 3] END) AS v
      FROM generate_series(0, 17) AS i) AS s,
     gap_fill('1 hour', t, v, method => 'seasonal', options => '{"seasonality": 3}');
SELECT count(*) AS nothing_observed FROM gap_fill('1 hour', '{}', '{}');
SELECT array_agg(value) AS constant FROM gap_fill('1 hour', '{}', '{}', '2026-03-01 08:00+00', '2026-03-01 10:00+00', method => 'constant', options => '{"constant": 0}');
SELECT gap_fill('1 hour', '{}', '{}', '2026-03-01 08:00+00', '2026-03-01 08:00+00');
SELECT gap_fill('1 second', '{}', '{}', '2000-03-01 08:00+00', '2026-03-01 08:00+00');
SELECT gap_fill('1 hour', '{2026-03-01 09:10+00}', '{1,2}');
SELECT gap_fill('1 hour', '{2026-03-01 09:10+00}', '{1}', method => 'spline');
SELECT gap_fill('1 hour', '{2026-03-01 09:10+00}', '{1}', method => 'seasonal');
SELECT gap_fill('1 hour', '{NULL}', '{1}');
SELECT gap_fill('1 hour', '{infinity}', '{1}');

-- Points for a plot: the first, the last, and the spike.
SELECT d.* FROM (SELECT array_agg('2026-03-01 00:00+00'::timestamptz + i * interval '1 minute') AS t,
                        array_agg(CASE i WHEN 40 THEN 90 ELSE sin(i / 10.0) END) AS v FROM generate_series(1, 100) AS i) AS s,
     downsample(t, v, 3) AS d;
SELECT m AS method, count(*) AS points, max(value) AS spike
FROM unnest('{lttb,min_max}'::text[]) AS m,
     (SELECT array_agg('2026-03-01 00:00+00'::timestamptz + i * interval '1 minute') AS t,
             array_agg(CASE i WHEN 4000 THEN 90 ELSE sin(i / 10.0) END) AS v FROM generate_series(1, 10000) AS i) AS s,
     downsample(t, v, 500, m) GROUP BY m ORDER BY m;
SELECT count(*) AS nothing FROM downsample('{}', '{}', 10);
SELECT downsample('{2026-03-01 09:10+00}', '{1}', 2);
SELECT downsample('{2026-03-01 09:10+00,2026-03-01 09:00+00,2026-03-01 09:20+00,2026-03-01 09:30+00}', '{1,2,3,4}', 3);
SELECT downsample('{2026-03-01 09:10+00}', '{Infinity}', 3);
-- A thousand years are the longest bucket: those of which the beginning might have no date are refused.
SELECT time_bucket_local('1000 years', '0001-01-01 00:00+00', 'UTC') AS millennium, time_bucket_local('365250 days', '9999-12-31 00:00+00', 'UTC') IS NOT NULL AS days;
SELECT time_bucket_local('12001 months', '2026-01-01 00:00+00', 'UTC');
SELECT time_bucket_local('178000000 years', '1970-01-01 00:00+00', 'UTC');
SELECT gap_fill('2147483647 days', '{2026-01-01 00:00+00,2026-01-01 00:05+00}', '{1,2}');
SELECT bucket IS NOT NULL AS has_begin, value FROM gap_fill('365250 days', '{0001-01-01 00:00+00,9999-12-31 00:00+00}', '{1,2}', time_zone => 'Pacific/Apia');
SELECT count(*) FROM gap_fill('1000 years', '{0001-01-01 00:00+00,9999-12-31 00:00+00}', '{1,2}', time_zone => 'Asia/Manila');
