-- Compliance observations of SOPs in [$2, $3). $1 restaurant, $4 SOPs or NULL for all.
SELECT o.sop_id, o.observed_at, o.ingested_at, o.value
FROM sop_ml.sop_time_series_data AS o
WHERE o.restaurant_id = $1 AND o.metric_name = 'compliance_score' AND o.observed_at >= $2 AND o.observed_at < $3
  AND o.value IS NOT NULL AND o.quality_flag IS DISTINCT FROM 'bad'
  AND ($4::uuid[] IS NULL OR o.sop_id = ANY ($4))
