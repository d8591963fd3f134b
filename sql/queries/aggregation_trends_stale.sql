-- Trends of the same span that this run did not find again: their series has no rows any more.
-- $1 restaurants, $2 grain, $3 run
DELETE FROM sop_ml.sop_performance_trends AS old
WHERE old.restaurant_id = ANY ($1::uuid[])
  AND old.grain = $2
  AND old.method = 'mann_kendall'
  AND old.run_id IS DISTINCT FROM $3
  AND (old.restaurant_id, old.period_end) IN (
      SELECT made.restaurant_id, made.period_end
      FROM sop_ml.sop_performance_trends AS made
      WHERE made.run_id = $3 AND made.grain = $2 AND made.restaurant_id = ANY ($1::uuid[]))
