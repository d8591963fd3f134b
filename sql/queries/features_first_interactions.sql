-- Interactions that were the earliest of all recorded until then: usually one a person, more where history was loaded
-- later; of people who did not refuse to have them used. $1 restaurant, $2 users.
SELECT e.user_id, e.occurred_at, e.ingested_at
FROM (SELECT i.user_id, i.occurred_at, i.ingested_at,
             min(i.occurred_at) OVER (PARTITION BY i.user_id ORDER BY i.ingested_at, i.occurred_at
                                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS earliest_before
      FROM sop_ml.sop_user_interactions AS i
      WHERE i.restaurant_id = $1 AND i.user_id = ANY ($2)
        AND NOT EXISTS (SELECT FROM sop_ml.sop_training_exclusions AS x
                        WHERE x.restaurant_id = $1 AND x.user_id = i.user_id)) AS e
WHERE e.earliest_before IS NULL OR e.occurred_at < e.earliest_before
