-- Stores anomalies of predictions; one that is known already is brought up to date, whatever people said about it stays.
-- $1 restaurant, $2 owner of the model, $3 model, $4 run, $5 parameters, $6 alert or NULL, $7 JSON array of anomalies.
INSERT INTO sop_ml.sop_time_series_anomalies AS known (restaurant_id, kind, dedup_key, sop_id, observed_at, value, expected,
    expected_low, expected_high, score, p_value, severity, reason, method, parameters, model_restaurant_id, model_id,
    prediction_id, alert_id, evidence, run_id)
SELECT $1, 'prediction', a.prediction_id::text || ':' || a.reason, a.sop_id, a.observed_at, a.value, a.expected,
    a.expected_low, a.expected_high, a.score, a.p_value, a.severity, a.reason, 'robust_z', $5, $2, $3, a.prediction_id, $6,
    a.evidence, $4
FROM pg_catalog.jsonb_to_recordset($7) AS a (prediction_id uuid, sop_id uuid, observed_at timestamptz, value float8,
    expected float8, expected_low float8, expected_high float8, score float8, p_value float8, severity text, reason text,
    evidence jsonb)
ON CONFLICT (restaurant_id, kind, dedup_key) DO UPDATE SET
    value = excluded.value,
    expected = excluded.expected,
    expected_low = excluded.expected_low,
    expected_high = excluded.expected_high,
    score = excluded.score,
    p_value = excluded.p_value,
    severity = excluded.severity,
    parameters = excluded.parameters,
    alert_id = coalesce(excluded.alert_id, known.alert_id),
    evidence = excluded.evidence,
    run_id = excluded.run_id,
    updated_at = pg_catalog.now()
