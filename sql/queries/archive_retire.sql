-- Remembers that the raw rows of a time have left their table. $1 restaurant (nil: all), $2 relation, $3 metric ('' all), $4 from,
-- $5 to, $6 action, $7 rows, $8 bytes before and $9 after
INSERT INTO sop_ml.sop_retired_periods AS known (restaurant_id, relation_name, metric_name, from_time, to_time, action, n, bytes_before, bytes_after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (restaurant_id, relation_name, metric_name, from_time, action) DO UPDATE
SET to_time = greatest(known.to_time, excluded.to_time), n = known.n + excluded.n,
    bytes_before = known.bytes_before + excluded.bytes_before, bytes_after = known.bytes_after + excluded.bytes_after
