-- Trends of the same span that this run did not find again: their series has no rows any more.
-- $1 restaurants, $2 grain, $3 run, $4 and $5 the earliest and the latest end of a span of this run
DELETE FROM sop_ml.sop_performance_trends AS old
WHERE old.restaurant_id = ANY ($1::uuid[])
  AND old.grain = $2
  AND old.method = 'yue_wang'
  AND old.period_end BETWEEN $4 AND $5
  AND old.run_id IS DISTINCT FROM $3
  AND (old.restaurant_id, old.period_end) IN (
      SELECT made.restaurant_id, made.period_end
      FROM sop_ml.sop_performance_trends AS made
      WHERE made.restaurant_id = ANY ($1::uuid[]) AND made.grain = $2 AND made.period_end BETWEEN $4 AND $5
        AND made.run_id = $3)
