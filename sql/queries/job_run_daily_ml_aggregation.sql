-- $1 restaurant or NULL for all, $2 parameters.
SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(answer))
FROM sop_ml.run_daily_ml_aggregation($1, ($2 ->> 'day')::date) AS answer
