-- The statement that copies all rows of the old table into the new one.
SELECT format('INSERT INTO sop_ml.sop_time_series_data (%1$s) OVERRIDING SYSTEM VALUE '
              'SELECT %1$s FROM sop_ml_storage.sop_time_series_data',
              string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = 'sop_ml_storage.sop_time_series_data'::regclass
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
