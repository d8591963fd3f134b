-- $1 a relation of sop_ml, $2 what was done: notes the run in the relation's policy (shared tenant), if it has one.
UPDATE sop_ml.sop_time_series_compression_policies
SET last_run_at = now(), last_action = $2
WHERE restaurant_id = '00000000-0000-0000-0000-000000000000' AND relation_name = $1 AND metric_name = ''
  AND status = 'active' AND retention IS NOT NULL
