-- $1 restaurant, $2 alert, $3 role that acts, $4 note, $5 cooldown in seconds. Returns the status before; no row when there
-- is no such alert. Resolving again keeps who resolved it first.
UPDATE sop_ml.sop_alerts AS a
SET status = 'resolved',
    resolved_by = CASE WHEN before.status = 'resolved' THEN a.resolved_by ELSE $3 END,
    resolved_at = CASE WHEN before.status = 'resolved' THEN a.resolved_at ELSE pg_catalog.now() END,
    resolution_note = coalesce($4, a.resolution_note),
    suppressed_until = greatest(a.suppressed_until, pg_catalog.now() + pg_catalog.make_interval(secs => $5))
FROM (SELECT b.alert_id, b.status FROM sop_ml.sop_alerts AS b
      WHERE b.restaurant_id = $1 AND b.alert_id = $2 FOR UPDATE) AS before
WHERE a.restaurant_id = $1 AND a.alert_id = before.alert_id
RETURNING before.status
