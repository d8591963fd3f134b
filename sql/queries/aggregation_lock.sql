-- $1 key: makes concurrent runs wait for each other until the transaction ends.
SELECT pg_catalog.pg_advisory_xact_lock($1)
