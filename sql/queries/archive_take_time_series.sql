-- Takes the readings of one month of a restaurant out of the table, in the order in which they are packed.
-- $1 restaurant, $2 from, $3 to
WITH gone AS (
    DELETE FROM sop_ml.sop_time_series_data AS d
    WHERE d.restaurant_id = $1 AND d.observed_at >= $2 AND d.observed_at < $3
    RETURNING d.metric_name, d.observed_at, d.sop_id, d.source, d.value, d.dimensions, d.unit, d.quality_flag, d.recorded_by,
              d.batch_id, d.ingested_at, d.replaced_at, pg_catalog.pg_column_size(d.*) AS size
)
SELECT metric_name, observed_at, sop_id, source, value, dimensions::text, unit, quality_flag, recorded_by, batch_id, ingested_at,
       replaced_at, size::bigint
FROM gone
ORDER BY metric_name COLLATE "C", observed_at, sop_id, source COLLATE "C"
