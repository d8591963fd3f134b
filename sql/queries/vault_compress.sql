-- The statement that makes the closed hypertable compressible: by restaurant and metric, and newest first within, unless the
-- table's policy (shared tenant) says otherwise.
SELECT format('ALTER TABLE sop_ml_storage.sop_time_series_data SET (timescaledb.compress, timescaledb.compress_segmentby = %L, '
              'timescaledb.compress_orderby = %L)',
              coalesce((SELECT string_agg(quote_ident(s.name), ', ' ORDER BY s.place)
                        FROM unnest(p.segment_by) WITH ORDINALITY AS s (name, place)), 'restaurant_id, metric_name'),
              coalesce(array_to_string(p.order_by, ', '), 'observed_at DESC, sop_id, source'))
FROM (VALUES (1)) AS one (row)
LEFT JOIN sop_ml.sop_time_series_compression_policies AS p
    ON p.restaurant_id = '00000000-0000-0000-0000-000000000000' AND p.relation_name = 'sop_time_series_data'
    AND p.metric_name = '' AND p.status = 'active'
