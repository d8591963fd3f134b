-- $1 restaurant, $2 metric or NULL for all, $3 a day: where the restaurant stood among its peers in the newest month before the
-- day's of which there are figures. Returns metric, month, what it measures, own value, percentile rank, number of peers, lower
-- quartile, median, upper quartile.
SELECT DISTINCT ON (k.metric_name) k.metric_name, k.month, k.measures, k.value, k.percentile_rank, k.peers, k.quartile_1, k.median,
       k.quartile_3
FROM sop_ml.sop_peer_benchmarks AS k
WHERE k.restaurant_id = $1 AND ($2::text IS NULL OR k.metric_name = $2)
  AND k.month < pg_catalog.date_trunc('month', coalesce($3::date, pg_catalog.now()::date)::timestamp)
ORDER BY k.metric_name, k.month DESC
