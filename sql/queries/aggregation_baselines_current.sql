-- $1 run: the baselines that it made become the current ones.
UPDATE sop_ml.sop_performance_baselines
SET is_current = true
WHERE run_id = $1 AND NOT is_current AND restaurant_id = ANY ($2::uuid[])
