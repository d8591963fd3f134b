-- TimescaleDB in this database: whether its extension is there, whether its library is loaded, its edition ('apache',
-- 'timescale'), its version; what sop_time_series_data is ('p' partitioned, 'r' a hypertable or a plain table, 'v' a view).
-- The edition is what the setting says: packages of one version come in both. (A setting that is in a file of the server's,
-- but unknown to it because no library was loaded, is not listed.)
SELECT e.oid IS NOT NULL,
       EXISTS (SELECT FROM pg_catalog.pg_settings AS s WHERE s.name = 'timescaledb.license'),
       coalesce(current_setting('timescaledb.license', true), ''),
       coalesce(e.extversion, ''),
       coalesce((SELECT c.relkind::text FROM pg_catalog.pg_class AS c
                 WHERE c.relnamespace = to_regnamespace('sop_ml') AND c.relname = 'sop_time_series_data'), '')
FROM (VALUES (1)) AS one (row)
LEFT JOIN pg_catalog.pg_extension AS e ON e.extname = 'timescaledb'
