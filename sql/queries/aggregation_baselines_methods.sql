-- Methods other than the rolling median that restaurants use: those of their current baselines, with the
-- newest parameters. A fixed window stays what it is, and so does a target.
-- $1 restaurants. Returns restaurant, method, parameters.
SELECT DISTINCT ON (b.restaurant_id, b.method) b.restaurant_id, b.method, b.parameters
FROM sop_ml.sop_performance_baselines AS b
WHERE b.restaurant_id = ANY ($1::uuid[]) AND b.is_current
  AND b.method <> ALL (ARRAY['target', 'rolling_median', 'fixed_window'])
ORDER BY b.restaurant_id, b.method, b.computed_at DESC, b.version DESC, b.parameters
