-- $1 restaurant, $2 metric or NULL for all, $3 a day: where the restaurant stood among its peers in the newest month before the
-- day's of which there are figures; rows of that restaurant and rounded figures of its groups, nothing else. Returns metric,
-- month, what it measures, own value, percentile rank, number of peers, lower quartile, median, upper quartile.
SELECT DISTINCT ON (k.metric_name) k.metric_name, k.month, s.measures, k.value, k.percentile_rank, s.restaurants, s.quartile_1,
       s.median, s.quartile_3
FROM sop_ml_storage.peer_ranks AS k
JOIN sop_ml_storage.peer_statistics AS s ON s.kind = k.kind AND s.metric_name = k.metric_name AND s.month = k.month
WHERE k.restaurant_id = $1 AND ($2::text IS NULL OR k.metric_name = $2)
  AND k.month < pg_catalog.date_trunc('month', coalesce($3::date, pg_catalog.now()::date)::timestamp)
ORDER BY k.metric_name, k.month DESC
