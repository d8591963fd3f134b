-- $1 restaurant, $2 from, $3 to: the restaurant with every UTC hour that the range touches, as if the log had them.
SELECT $1::uuid, h.hour_start
FROM pg_catalog.generate_series(pg_catalog.date_bin('1 hour', $2::timestamptz, '2000-01-01 00:00:00+00'),
                                $3::timestamptz - interval '1 microsecond', interval '1 hour') AS h (hour_start)
