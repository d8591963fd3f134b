-- $1 restaurant, $2 alert, $3 role that acts, $4 person it is assigned to. Returns the status before; no row when there is
-- no such alert.
UPDATE sop_ml.sop_alerts AS a
SET status = CASE WHEN a.status = 'open' THEN 'acknowledged' ELSE a.status END,
    acknowledged_by = CASE WHEN a.status = 'open' THEN $3 ELSE a.acknowledged_by END,
    acknowledged_at = CASE WHEN a.status = 'open' THEN pg_catalog.now() ELSE a.acknowledged_at END,
    assigned_to = coalesce($4, a.assigned_to)
FROM (SELECT b.alert_id, b.status FROM sop_ml.sop_alerts AS b
      WHERE b.restaurant_id = $1 AND b.alert_id = $2 FOR UPDATE) AS before
WHERE a.restaurant_id = $1 AND a.alert_id = before.alert_id
RETURNING before.status
