-- Predictions of a model in two periods. $1 restaurant, $2 owner of the model, $3 model, $4 and $5 reference from and to, $6
-- and $7 current from and to (half-open), $8 largest sample of a period.
SELECT
    w.is_current,
    p.predicted_value,
    p.actual_value,
    p.predicted_label,
    p.actual_label,
    -- Numbers beyond float8 are missing; only a text this long can hold one.
    CASE WHEN pg_catalog.length(p.features::text) > 255 AND p.features::text ~ '[0-9]{255}'
        THEN (
            SELECT pg_catalog.jsonb_object_agg(entry.key, entry.value) FILTER (
                WHERE CASE WHEN pg_catalog.jsonb_typeof(entry.value) = 'number'
                    THEN pg_catalog.abs(entry.value::pg_catalog.numeric) < 1e308 ELSE true END)::text
            FROM pg_catalog.jsonb_each(p.features) AS entry
        )
        ELSE p.features::text
    END
FROM (VALUES (false, $4, $5), (true, $6, $7)) AS w (is_current, from_time, to_time)
CROSS JOIN LATERAL (
    -- Identifiers are random, so the smallest ones are a sample, and the same one in every run.
    SELECT s.predicted_value, s.actual_value, s.predicted_label, s.actual_label, s.features
    FROM sop_ml.sop_ml_predictions AS s
    WHERE s.restaurant_id = $1
      AND s.model_restaurant_id = $2
      AND s.model_id = $3
      AND s.predicted_at >= w.from_time
      AND s.predicted_at < w.to_time
    ORDER BY s.prediction_id, s.predicted_at
    LIMIT $8
) AS p
