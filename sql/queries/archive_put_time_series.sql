-- Puts readings of one metric back where their keys are free: what came later under the same key stays. The number written.
-- $1 restaurant, $2 metric, arrays: $3 times, $4 SOPs, $5 sources, $6 values, $7 dimensions, $8 units, $9 flags, $10 people,
-- $11 batches, $12 times of storing, $13 times of replacing
WITH put AS (
    INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, sop_id, source, value, dimensions, unit,
        quality_flag, recorded_by, batch_id, ingested_at, replaced_at)
    SELECT $1, $2, t.observed_at, t.sop_id, t.source, t.value, t.dimensions::jsonb, t.unit, t.quality_flag, t.recorded_by, t.batch_id,
           t.ingested_at, t.replaced_at
    FROM ROWS FROM (pg_catalog.unnest($3::timestamptz[]), pg_catalog.unnest($4::uuid[]), pg_catalog.unnest($5::text[]),
                    pg_catalog.unnest($6::float8[]), pg_catalog.unnest($7::text[]), pg_catalog.unnest($8::text[]),
                    pg_catalog.unnest($9::text[]), pg_catalog.unnest($10::uuid[]), pg_catalog.unnest($11::uuid[]),
                    pg_catalog.unnest($12::timestamptz[]), pg_catalog.unnest($13::timestamptz[]))
        AS t (observed_at, sop_id, source, value, dimensions, unit, quality_flag, recorded_by, batch_id, ingested_at, replaced_at)
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT pg_catalog.count(*) FROM put
