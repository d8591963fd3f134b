-- Notes what a run did in its policy. $1 restaurant, $2 policy, $3 what, $4 rows, $5 bytes before and $6 after
UPDATE sop_ml.sop_time_series_compression_policies
SET last_run_at = now(), last_action = $3, last_rows = $4, bytes_before = nullif($5, 0), bytes_after = nullif($6, 0)
WHERE restaurant_id = $1 AND policy_id = $2
