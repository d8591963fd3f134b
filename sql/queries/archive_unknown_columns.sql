-- The columns of sop_time_series_data that a bundle has no place for.
SELECT a.attname::text
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = 'sop_ml.sop_time_series_data'::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attname NOT IN ('restaurant_id', 'metric_name', 'sop_id', 'source', 'observed_at', 'value', 'dimensions', 'unit',
                        'quality_flag', 'recorded_by', 'batch_id', 'ingested_at', 'replaced_at')
ORDER BY a.attnum
