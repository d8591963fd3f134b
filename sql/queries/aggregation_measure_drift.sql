-- $1 restaurant, $2 model, $3 reference, $4 current range (both as text): measures drift; returns how many measures there are.
SELECT pg_catalog.count(*)
FROM sop_ml.calculate_model_drift_metrics($1, $2, $3::tstzrange, $4::tstzrange)
