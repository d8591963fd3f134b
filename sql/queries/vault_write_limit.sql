-- TimescaleDB refuses statements that have to unpack many compressed rows (100,000 by default): a batch of late readings, or a month
-- that is archived, is one. Until the function ends. Only where the setting exists.
SELECT pg_catalog.set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'sop_ml'::pg_catalog.regnamespace AND c.relname = 'sop_time_series_data' AND c.relkind = 'v'
