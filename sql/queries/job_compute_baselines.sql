-- $1 restaurant, $2 parameters.
SELECT pg_catalog.to_jsonb(sop_ml.compute_baselines($1, coalesce($2 ->> 'method', 'rolling_median'), ($2 ->> 'day')::date, $2 -> 'options'))
