-- Stops a conversion to mode vault where this TimescaleDB, on this PostgreSQL, does not find compressed rows that an UPDATE or DELETE
-- reaches by a bitmap scan: it would leave them as they are and say nothing (2.22 to 2.28 before PostgreSQL 17). Tried, not
-- concluded from numbers, on a table that is gone afterwards.
DO $probe$
DECLARE
    api        CONSTANT name := (SELECT n.nspname FROM pg_catalog.pg_extension AS e
                                 JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb');
    seq_scan   CONSTANT text := current_setting('enable_seqscan');
    index_scan CONSTANT text := current_setting('enable_indexscan');
    found      bigint;
BEGIN
    CREATE TABLE sop_ml_storage.vault_probe (series integer, at timestamptz, value integer, PRIMARY KEY (series, at));
    EXECUTE format('SELECT %I.create_hypertable(relation => %L::pg_catalog.regclass, time_column_name => %L, '
                   'create_default_indexes => false)', api, 'sop_ml_storage.vault_probe', 'at');
    INSERT INTO sop_ml_storage.vault_probe SELECT 1, timestamptz '2000-01-01 00:00+00' + i * interval '1 second', 0
    FROM generate_series(1, 2000) AS i;
    ALTER TABLE sop_ml_storage.vault_probe SET (timescaledb.compress, timescaledb.compress_segmentby = 'series',
                                                timescaledb.compress_orderby = 'at');
    EXECUTE format('SELECT %1$I.compress_chunk(c) FROM %1$I.show_chunks(%2$L::pg_catalog.regclass) AS c', api, 'sop_ml_storage.vault_probe');
    INSERT INTO sop_ml_storage.vault_probe SELECT i, timestamptz '2000-01-01 00:00+00' + i * interval '1 second', 0
    FROM generate_series(2, 2000) AS i;
    ANALYZE sop_ml_storage.vault_probe;
    PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true);
    UPDATE sop_ml_storage.vault_probe SET value = 1 WHERE series = 1 AND at <= '2000-01-01 00:00:03+00';
    GET DIAGNOSTICS found = ROW_COUNT;
    PERFORM set_config('enable_seqscan', seq_scan, true), set_config('enable_indexscan', index_scan, true);
    DROP TABLE sop_ml_storage.vault_probe;
    IF found <> 3 THEN
        RAISE EXCEPTION 'this version of TimescaleDB does not change compressed rows that it finds by a bitmap scan'
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'Another version (docs/support.md), or enable_timescaledb(compression => false).';
    END IF;
END
$probe$
