-- Stores the measurements of one run. $1 to $7 as in drift_replace.sql; $8 name and $9 version of the model; $10 run;
-- $11 JSON array of measurements.
INSERT INTO sop_ml.sop_model_performance_tracking (restaurant_id, model_restaurant_id, model_id, reference_from,
    reference_to, current_from, current_to, model_name, model_version, run_id, subject_kind, subject, metric, method, value,
    p_value, adjusted_p_value, threshold, severity, reference_n, current_n, details)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, m.subject_kind, m.subject, m.metric, m.method, m.value, m.p_value,
    m.adjusted_p_value, m.threshold, m.severity, m.reference_n, m.current_n, m.details
FROM pg_catalog.jsonb_to_recordset($11) AS m (subject_kind text, subject text, metric text, method text, value float8,
    p_value float8, adjusted_p_value float8, threshold float8, severity text, reference_n bigint, current_n bigint,
    details jsonb)
