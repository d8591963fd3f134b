-- A new identity for a run.
SELECT pg_catalog.gen_random_uuid()
