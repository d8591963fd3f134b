-- Versions of one data set are given out one at a time. $1 restaurant, $2 name.
SELECT pg_advisory_xact_lock(hashtextextended('sop_ml dataset ' || $1::text || ' ' || $2, 0))
