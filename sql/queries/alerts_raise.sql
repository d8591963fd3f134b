-- Raises alerts, or counts them on those that are not resolved yet. $1 restaurant; $2 JSON array of alerts (distinct
-- dedup_key; cooldown in seconds); $3 run. Returns the key and id of each.
--
-- Within its cooldown a cause is neither announced nor raised anew, even when its alert was resolved meanwhile, unless it
-- is worse than before. announced_at moves when there is something to announce: a trigger sends the notification.
WITH raised AS (
    SELECT r.*, pg_catalog.array_position(ARRAY['info', 'low', 'medium', 'high', 'critical'], r.severity) AS rank
    FROM pg_catalog.jsonb_to_recordset($2) AS r (source text, severity text, title text, description text,
        evidence jsonb, dedup_key text, relation_name text, subject_id uuid, metric_name text, business_impact float8,
        impact_currency text, cooldown_seconds float8)
), silenced AS (
    UPDATE sop_ml.sop_alerts AS known
    SET last_raised_at = pg_catalog.now(), raise_count = known.raise_count + 1
    FROM raised AS r
    WHERE known.restaurant_id = $1
      AND known.alert_id = (
          SELECT a.alert_id FROM sop_ml.sop_alerts AS a
          WHERE a.restaurant_id = $1 AND a.dedup_key = r.dedup_key AND a.status = 'resolved'
            AND a.suppressed_until > pg_catalog.now()
            AND pg_catalog.array_position(ARRAY['info', 'low', 'medium', 'high', 'critical'], a.severity) >= r.rank
          ORDER BY a.suppressed_until DESC LIMIT 1)
      AND NOT EXISTS (
          SELECT FROM sop_ml.sop_alerts AS a
          WHERE a.restaurant_id = $1 AND a.dedup_key = r.dedup_key AND a.status <> 'resolved')
    RETURNING known.dedup_key, known.alert_id
), loud AS (
    INSERT INTO sop_ml.sop_alerts AS known (restaurant_id, source, severity, title, description, evidence, dedup_key,
        relation_name, subject_id, metric_name, business_impact, impact_currency, run_id, suppressed_until)
    SELECT $1, r.source, r.severity, r.title, r.description, coalesce(r.evidence, '{}'), r.dedup_key, r.relation_name,
        r.subject_id, r.metric_name, r.business_impact, r.impact_currency, $3,
        pg_catalog.now() + pg_catalog.make_interval(secs => r.cooldown_seconds)
    FROM raised AS r
    WHERE r.dedup_key NOT IN (SELECT s.dedup_key FROM silenced AS s)
    ON CONFLICT (restaurant_id, dedup_key) WHERE status <> 'resolved'
    DO UPDATE SET
        severity = excluded.severity,
        title = excluded.title,
        description = excluded.description,
        evidence = excluded.evidence,
        metric_name = excluded.metric_name,
        business_impact = excluded.business_impact,
        impact_currency = excluded.impact_currency,
        run_id = excluded.run_id,
        last_raised_at = pg_catalog.now(),
        raise_count = known.raise_count + 1,
        announced_at = CASE
            WHEN pg_catalog.array_position(ARRAY['info', 'low', 'medium', 'high', 'critical'], excluded.severity)
                > pg_catalog.array_position(ARRAY['info', 'low', 'medium', 'high', 'critical'], known.severity)
                OR known.suppressed_until <= pg_catalog.now() THEN pg_catalog.clock_timestamp()
            ELSE known.announced_at
        END,
        suppressed_until = CASE
            WHEN known.suppressed_until > pg_catalog.now() THEN known.suppressed_until
            ELSE excluded.suppressed_until
        END
    RETURNING known.dedup_key, known.alert_id
)
SELECT s.dedup_key, s.alert_id FROM silenced AS s
UNION ALL
SELECT l.dedup_key, l.alert_id FROM loud AS l
