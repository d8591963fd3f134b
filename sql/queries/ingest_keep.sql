-- Takes observations whose keys are new; one that is there already stays as it is. Answers with how many were new, and 0.
-- $1 restaurant, $2 metrics, $3 SOPs, $4 instants, $5 values (no key twice), $6 source, $7 dimensions, $8 unit, $9 quality
-- flag, $10 who recorded them, $11 batch
WITH written AS (
    INSERT INTO sop_ml.sop_time_series_data
        (restaurant_id, metric_name, sop_id, source, observed_at, value, dimensions, unit, quality_flag, recorded_by, batch_id)
    SELECT $1, g.metric_name, g.sop_id, $6, g.observed_at, g.value, $7, $8, $9, $10, $11
    FROM ROWS FROM (unnest($2::text[]), unnest($3::uuid[]), unnest($4::timestamptz[]), unnest($5::float8[]))
        AS g (metric_name, sop_id, observed_at, value)
    -- In one order for all: two calls with the same keys would wait for each other in a circle.
    ORDER BY g.metric_name COLLATE "C", g.sop_id, g.observed_at
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*), 0::bigint FROM written
