-- The local day (days since 2000-01-01) of each moment, in the order given. $1 moments, $2 time zone.
SELECT (moment.as_of AT TIME ZONE $2)::date - date '2000-01-01'
FROM unnest($1) WITH ORDINALITY AS moment (as_of, place)
ORDER BY moment.place
