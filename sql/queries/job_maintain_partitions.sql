-- $1 is not used: partitions hold all restaurants. $2 parameters.
SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(answer)), $1::uuid
FROM sop_ml.maintain_partitions(coalesce(($2 ->> 'months_ahead')::integer, 3), ($2 ->> 'retention')::interval) AS answer
