-- Raises alerts, or raises those again that are not resolved yet. $1 restaurant; $2 JSON array of alerts (distinct
-- dedup_key); $3 run. Returns the key and id of each.
INSERT INTO sop_ml.sop_alerts AS known (restaurant_id, source, severity, title, description, evidence, dedup_key,
    relation_name, subject_id, metric_name, run_id)
SELECT $1, raised.source, raised.severity, raised.title, raised.description, raised.evidence, raised.dedup_key,
    raised.relation_name, raised.subject_id, raised.metric_name, $3
FROM pg_catalog.jsonb_to_recordset($2) AS raised (source text, severity text, title text, description text,
    evidence jsonb, dedup_key text, relation_name text, subject_id uuid, metric_name text)
ON CONFLICT (restaurant_id, dedup_key) WHERE status <> 'resolved'
DO UPDATE SET
    severity = excluded.severity,
    title = excluded.title,
    description = excluded.description,
    evidence = excluded.evidence,
    run_id = excluded.run_id,
    last_raised_at = pg_catalog.now(),
    raise_count = known.raise_count + 1,
    updated_at = pg_catalog.now()
RETURNING known.dedup_key, known.alert_id
