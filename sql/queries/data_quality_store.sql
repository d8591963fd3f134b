-- Stores a report. $1 restaurant, $2 report (also the run), $3 relation, $4 and $5 checked time range, $6 overall score, $7
-- version of the rules, $8 begin, $9 JSON array of checks.
INSERT INTO sop_ml.sop_quality_reports (restaurant_id, report_id, run_id, relation, window_start, window_end, overall_score,
    rule_version, started_at, check_name, dimension, column_name, severity, status, rule, rows_checked, rows_failed, rate,
    rate_low, rate_high, threshold, previous_rate, sample_keys, score, details, alert_id)
SELECT $1, $2, $2, $3, $4, $5, $6, $7, $8, c.check_name, c.dimension, c.column_name, c.severity, c.status, c.rule,
    c.rows_checked, c.rows_failed, c.rate, c.rate_low, c.rate_high, c.threshold, earlier.rate, c.sample_keys, c.score,
    c.details, c.alert_id
FROM pg_catalog.jsonb_to_recordset($9) AS c (check_name text, dimension text, column_name text, severity text, status text,
    rule jsonb, rows_checked bigint, rows_failed bigint, rate float8, rate_low float8, rate_high float8, threshold float8,
    sample_keys jsonb, score float8, details jsonb, alert_id uuid)
LEFT JOIN LATERAL (
    SELECT r.rate
    FROM sop_ml.sop_quality_reports AS r
    WHERE r.restaurant_id = $1
      AND r.relation = $3
      AND r.check_name = c.check_name
      AND r.column_name IS NOT DISTINCT FROM c.column_name
    ORDER BY r.checked_at DESC
    LIMIT 1
) AS earlier ON true
