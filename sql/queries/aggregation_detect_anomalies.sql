-- $1 restaurant, $2 model, $3 from, $4 to: scores the predictions of that time; returns how many are unusual.
SELECT pg_catalog.count(*)
FROM sop_ml.detect_prediction_anomalies($1, $2, $3, pg_catalog.jsonb_build_object('to_time', $4::timestamptz))
