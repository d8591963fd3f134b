-- Features of the predictions in two windows: numbers as one array, texts and booleans as counts per value. Parameters as
-- in drift_outcomes.sql. JSON null, arrays and objects count as missing, numbers beyond float8 too.
SELECT
    feature.name,
    w.is_current,
    feature.label,
    pg_catalog.count(*),
    pg_catalog.array_agg(feature.number) FILTER (WHERE feature.number IS NOT NULL)
FROM (VALUES (false, $4, $5), (true, $6, $7)) AS w (is_current, from_time, to_time)
CROSS JOIN LATERAL (
    SELECT s.features
    FROM sop_ml.sop_ml_predictions AS s
    WHERE s.restaurant_id = $1
      AND s.model_restaurant_id = $2
      AND s.model_id = $3
      AND s.predicted_at >= w.from_time
      AND s.predicted_at < w.to_time
    ORDER BY s.prediction_id, s.predicted_at
    LIMIT $8
) AS p
CROSS JOIN LATERAL pg_catalog.jsonb_each(p.features) AS entry (key, value)
CROSS JOIN LATERAL (
    SELECT
        entry.key AS name,
        CASE WHEN pg_catalog.jsonb_typeof(entry.value) IN ('string', 'boolean')
            THEN pg_catalog.left(entry.value #>> '{}', 200) END AS label,
        CASE WHEN pg_catalog.jsonb_typeof(entry.value) = 'number' THEN
            CASE
                WHEN pg_catalog.abs(entry.value::pg_catalog.numeric) > 1e308 THEN NULL
                WHEN pg_catalog.abs(entry.value::pg_catalog.numeric) < 1e-300 THEN 0
                ELSE entry.value::pg_catalog.float8
            END
        END AS number
) AS feature
WHERE feature.label IS NOT NULL OR feature.number IS NOT NULL
GROUP BY feature.name, w.is_current, feature.label
ORDER BY feature.name
