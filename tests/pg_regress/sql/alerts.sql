-- Alerts: one per cause, counted while open, quiet within a cooldown, loud when worse; notifications; bad arguments.
\set VERBOSITY terse
SET search_path = sop_ml, public;
SET timezone = 'UTC';

INSERT INTO sop_restaurants (restaurant_id, name) VALUES ('0a000000-0000-4000-8000-0000000000a1', 'Alerts');
SET sop_ml.restaurant_id = '0a000000-0000-4000-8000-0000000000a1';

CREATE VIEW alert_state AS
SELECT title, severity, status, raise_count, suppressed_until > now() AS is_cooling, announced_at > raised_at AS announced_again,
    evidence, resolution_note
FROM sop_alerts WHERE restaurant_id = '0a000000-0000-4000-8000-0000000000a1' ORDER BY raised_at, severity;

-- Without a cooldown: announced once, counted after that.
SELECT raise_alert(NULL, 'custom', 'low', 'Door open', '{"door": 1}') = raise_alert(NULL, 'custom', 'low', 'Door open', '{"door": 2}')
    AS one_alert;
SELECT * FROM alert_state;

-- Worse: announced again. Better: not.
SELECT raise_alert(NULL, 'custom', 'critical', 'Door open') IS NOT NULL AS raised;
SELECT severity, raise_count, announced_again FROM alert_state;
SELECT raise_alert(NULL, 'custom', 'info', 'Door open') IS NOT NULL AS raised;
SELECT severity, raise_count, announced_again FROM alert_state;

-- Answered: the status before comes back, and resolving twice keeps who did it first.
SELECT alert_id FROM sop_alerts WHERE restaurant_id = current_restaurant() \gset
SELECT acknowledge_alert(NULL, :'alert_id', '{"assigned_to": "0a000000-0000-4000-8000-0000000000b1"}') AS before;
SELECT acknowledge_alert(NULL, :'alert_id') AS before;
SELECT resolve_alert(NULL, :'alert_id', '{"note": "closed it"}') AS before;
SELECT resolve_alert(NULL, :'alert_id') AS before;
SELECT acknowledge_alert(NULL, :'alert_id') AS before;
SELECT status, acknowledged_by = current_user AS acknowledged, resolved_by = current_user AS resolved, resolution_note,
    assigned_to FROM sop_alerts WHERE restaurant_id = current_restaurant();

-- Resolved without a cooldown: the same cause is a new alert.
SELECT raise_alert(NULL, 'custom', 'low', 'Door open') <> :'alert_id' AS new_alert;
SELECT count(*) FROM sop_alerts WHERE restaurant_id = current_restaurant();

-- With a cooldown: after it was resolved the cause is only counted, unless it is worse.
SELECT raise_alert(NULL, 'job', 'medium', 'Backup late', '{}', '{"dedup_key": "backup", "cooldown_seconds": 3600}') AS late \gset
SELECT resolve_alert(NULL, :'late') AS before;
SELECT raise_alert(NULL, 'job', 'medium', 'Backup late', '{}', '{"dedup_key": "backup"}') = :'late' AS counted_only;
SELECT raise_alert(NULL, 'job', 'high', 'Backup very late', '{}', '{"dedup_key": "backup"}') <> :'late' AS worse_is_new;
SELECT title, severity, status, raise_count, is_cooling FROM alert_state WHERE title LIKE 'Backup%';

-- What cannot be meant.
SELECT raise_alert(NULL, 'gossip', 'low', 'x');
SELECT raise_alert(NULL, 'custom', 'urgent', 'x');
SELECT raise_alert(NULL, 'custom', 'low', '');
SELECT raise_alert(NULL, 'custom', 'low', NULL);
SELECT raise_alert(NULL, 'custom', 'low', 'x', '{}', '{"colour": "red"}');
SELECT raise_alert(NULL, 'custom', 'low', 'x', '{}', '{"cooldown_seconds": -1}');
SELECT raise_alert(NULL, 'custom', 'low', 'x', '{}', '{"subject_id": "seven"}');
SELECT resolve_alert(NULL, '0a000000-0000-4000-8000-0000000000ff');
SELECT resolve_alert(NULL, NULL);
SELECT acknowledge_alert(NULL, :'late', '{"assigned_to": 7}');

DROP VIEW alert_state;
