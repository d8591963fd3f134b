-- The identity of a run.
SELECT pg_catalog.gen_random_uuid()
