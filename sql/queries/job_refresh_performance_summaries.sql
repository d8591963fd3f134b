-- $1 and $2 are not used: the summaries hold all restaurants.
SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(answer)), $1::uuid, $2::jsonb
FROM sop_ml.refresh_performance_summaries() AS answer
