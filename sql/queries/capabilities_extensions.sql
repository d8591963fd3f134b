-- The extensions that sop_ml can work with: name, version in this database, version that could be made here, and whether the
-- server loads the library at its start (NULL where that does not matter).
SELECT n.name, e.extversion, a.default_version,
       CASE WHEN n.library IS NOT NULL
            THEN current_setting('shared_preload_libraries') ~ ('(^|[ ,/"])' || n.library || '(\.so)?($|[ ,"])') END
FROM (VALUES (1, 'timescaledb', 'timescaledb'), (2, 'vector', NULL), (3, 'pg_cron', 'pg_cron'), (4, 'citus', 'citus'))
    AS n (place, name, library)
LEFT JOIN pg_catalog.pg_extension AS e ON e.extname = n.name
LEFT JOIN pg_catalog.pg_available_extensions() AS a ON a.name = n.name
ORDER BY n.place
