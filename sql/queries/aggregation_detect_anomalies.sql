-- $1 restaurant, $2 model, $3 from: scores the predictions since then; returns how many are unusual.
SELECT pg_catalog.count(*) FROM sop_ml.detect_prediction_anomalies($1, $2, $3)
