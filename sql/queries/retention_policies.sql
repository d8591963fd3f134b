-- The policies that rows are archived or deleted by, restaurant by restaurant; what is dropped or detached for all restaurants is
-- maintain_partitions()' work. Policy: restaurant (nil: all), id, relation, metric, action, before when.
SELECT p.restaurant_id, p.policy_id, p.relation_name, p.metric_name, p.expiry_action, now() - p.retention
FROM sop_ml.sop_time_series_compression_policies AS p
WHERE p.status = 'active' AND p.retention IS NOT NULL
  AND (p.expiry_action = 'archive' OR p.expiry_action = 'drop' AND p.restaurant_id <> '00000000-0000-0000-0000-000000000000')
ORDER BY p.restaurant_id, p.relation_name, p.metric_name
