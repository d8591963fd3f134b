-- $1 what registers compression, $2 what a refreshing job has to be told (timescale_api.sql). The jobs of TimescaleDB that the table's policy (shared tenant) asks for, as
-- statements; none where all is as it should be. Chunks are compressed when they are older than compress_after (7 days unless the
-- policy says otherwise; never while it is paused or retired); the quarters of an hour are refreshed every 15 minutes, as far back
-- as the retention; and maintain_partitions() runs every day, which drops what is expired: TimescaleDB's own retention would not
-- wait for the roll-up, nor tell it what is gone.
WITH rule AS (
    SELECT coalesce(p.compress_after, interval '7 days') AS compress_after, coalesce(p.status = 'active', true) AS is_active,
           CASE WHEN p.status = 'active' THEN p.retention END AS retention
    FROM (VALUES (1)) AS one (row)
    LEFT JOIN sop_ml.sop_time_series_compression_policies AS p
        ON p.restaurant_id = '00000000-0000-0000-0000-000000000000' AND p.relation_name = 'sop_time_series_data'
        AND p.metric_name = ''
), api AS (
    SELECT n.nspname AS name
    FROM pg_catalog.pg_extension AS e
    JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'timescaledb'
), wanted (kind, setting, statement) AS (
    SELECT 'compression', r.compress_after, format($1, r.compress_after) FROM rule AS r WHERE r.is_active
    UNION ALL
    SELECT 'refresh', r.retention,
           format('SELECT %I.add_continuous_aggregate_policy(%L::pg_catalog.regclass, start_offset => %L::pg_catalog.interval, '
                  'end_offset => %L::pg_catalog.interval, schedule_interval => %L::pg_catalog.interval%s)',
                  api.name, 'sop_ml_storage.sop_time_series_15_minutes', r.retention, '15 minutes', '15 minutes', $2::text)
    FROM rule AS r, api
    UNION ALL
    SELECT 'maintenance', NULL, format('SELECT %I.add_job(%L::pg_catalog.regproc, %L::pg_catalog.interval)', api.name,
                                       'sop_ml_storage.maintain_time_series', '1 day')
    FROM api
), present (kind, setting, job_id) AS (
    SELECT 'compression', coalesce(j.config ->> 'compress_after', j.config ->> 'after')::interval, j.job_id
    FROM timescaledb_information.jobs AS j
    WHERE j.hypertable_schema = 'sop_ml_storage' AND j.hypertable_name = 'sop_time_series_data'
      AND j.config ?| ARRAY['compress_after', 'after']
    UNION ALL
    SELECT 'refresh', (j.config ->> 'start_offset')::interval, j.job_id
    FROM timescaledb_information.continuous_aggregates AS a
    JOIN timescaledb_information.jobs AS j
        ON j.hypertable_name IN (a.materialization_hypertable_name, a.view_name) AND j.config ? 'start_offset'
    WHERE a.view_schema = 'sop_ml_storage' AND a.view_name = 'sop_time_series_15_minutes'
    UNION ALL
    SELECT 'maintenance', NULL, j.job_id
    FROM timescaledb_information.jobs AS j
    WHERE j.proc_schema = 'sop_ml_storage' AND j.proc_name = 'maintain_time_series'
)
SELECT format('SELECT %I.delete_job(%s)', api.name, p.job_id)
FROM present AS p, api
WHERE NOT EXISTS (SELECT FROM wanted AS w WHERE w.kind = p.kind AND w.setting IS NOT DISTINCT FROM p.setting)
UNION ALL
SELECT w.statement
FROM wanted AS w
WHERE NOT EXISTS (SELECT FROM present AS p WHERE p.kind = w.kind AND p.setting IS NOT DISTINCT FROM w.setting)
