-- Interactions in [$2, $3), of people who did not refuse to have them used, with their local day (days since 2000-01-01).
-- $1 restaurant, $4 time zone, $5 users or NULL for all, $6 SOPs or NULL for all.
SELECT i.user_id, i.sop_id, i.occurred_at, i.ingested_at, (i.occurred_at AT TIME ZONE $4)::date - date '2000-01-01',
       i.interaction_type, i.duration_seconds, i.rating, i.quality_score
FROM sop_ml.sop_user_interactions AS i
WHERE i.restaurant_id = $1 AND i.occurred_at >= $2 AND i.occurred_at < $3
  AND ($5::uuid[] IS NULL OR i.user_id = ANY ($5))
  AND ($6::uuid[] IS NULL OR i.sop_id = ANY ($6))
  AND NOT EXISTS (SELECT FROM sop_ml.sop_training_exclusions AS x
                  WHERE x.restaurant_id = $1 AND x.user_id = i.user_id)
