-- A batch is taken by one session at a time. $1 restaurant, $2 batch
SELECT pg_advisory_xact_lock(hashtextextended('sop_ml batch ' || $1::text || ' ' || $2::text, 0))
