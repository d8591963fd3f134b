-- How often each label occurs in two windows. Parameters as in drift_outcomes.sql.
SELECT w.is_current, subject.name, pg_catalog.left(subject.label, 200), pg_catalog.count(*)
FROM (VALUES (false, $4, $5), (true, $6, $7)) AS w (is_current, from_time, to_time)
CROSS JOIN LATERAL (
    SELECT s.predicted_label, s.actual_label
    FROM sop_ml.sop_ml_predictions AS s
    WHERE s.restaurant_id = $1
      AND s.model_restaurant_id = $2
      AND s.model_id = $3
      AND s.predicted_at >= w.from_time
      AND s.predicted_at < w.to_time
    ORDER BY s.prediction_id, s.predicted_at
    LIMIT $8
) AS p
CROSS JOIN LATERAL (VALUES ('prediction', p.predicted_label), ('target', p.actual_label)) AS subject (name, label)
WHERE subject.label IS NOT NULL
GROUP BY w.is_current, subject.name, pg_catalog.left(subject.label, 200)
