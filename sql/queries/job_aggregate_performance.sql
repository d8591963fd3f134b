-- $1 restaurant, $2 parameters.
SELECT pg_catalog.to_jsonb(sop_ml.aggregate_performance($1, ($2 ->> 'from_time')::timestamptz,
    ($2 ->> 'to_time')::timestamptz))
