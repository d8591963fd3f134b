-- A new report: its identity and the instant of its begin.
SELECT pg_catalog.gen_random_uuid(), pg_catalog.clock_timestamp()
