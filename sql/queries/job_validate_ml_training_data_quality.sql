-- $1 restaurant, $2 parameters.
SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(answer))
FROM sop_ml.validate_ml_training_data_quality($1, ($2 ->> 'relation')::regclass, $2 -> 'options') AS answer
