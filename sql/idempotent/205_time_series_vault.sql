-- Mode vault: the rows of the time series lie in a hypertable that no tenant may touch, sop_ml_storage.sop_time_series_data, and the
-- name is a view that shows and takes what policies would. TimescaleDB refuses compression and continuous aggregates on tables
-- with row-level security (docs/decisions/0003-two-storage-modes.md). What policies say about writing, the type of restaurant_id
-- (105_recorded_restaurant.sql) and two triggers (155_time_series_triggers.sql) say here.
-- Run at every install and by the conversion; does nothing in the other modes.
DO $vault$
DECLARE
    owner_name CONSTANT name := (SELECT c.relowner::regrole::name FROM pg_catalog.pg_class AS c
                                 WHERE c.oid = to_regclass('sop_ml_storage.sop_time_series_data'));
    time_bucket CONSTANT text := (SELECT format('%I.time_bucket', n.nspname) FROM pg_catalog.pg_extension AS e
                                  JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb');
BEGIN
    IF owner_name IS NULL THEN
        RETURN;
    END IF;
    CREATE OR REPLACE VIEW sop_ml.sop_time_series_data WITH (security_barrier = true) AS
    SELECT s.*
    FROM sop_ml_storage.sop_time_series_data AS s
    WHERE s.restaurant_id = ANY ((SELECT sop_ml.visible_restaurants())::uuid[])
    WITH CASCADED CHECK OPTION;

    -- Buckets of local time come from the roll-up: these are in UTC, and there within a quarter of an hour.
    IF to_regclass('sop_ml_storage.sop_time_series_15_minutes') IS NULL THEN
        EXECUTE format($aggregate$
            CREATE MATERIALIZED VIEW sop_ml_storage.sop_time_series_15_minutes
            WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
            SELECT s.restaurant_id::uuid AS restaurant_id, s.metric_name, s.sop_id, %s('15 minutes', s.observed_at) AS bucket_start,
                   count(*) AS n, sum(s.value) AS total, avg(s.value) AS mean, min(s.value) AS minimum, max(s.value) AS maximum,
                   sop_ml.stats_agg(s.value) AS stats
            FROM sop_ml_storage.sop_time_series_data AS s
            WHERE s.value > '-Infinity' AND s.value < 'Infinity' AND s.quality_flag IS DISTINCT FROM 'bad'
            GROUP BY 1, 2, 3, 4
            WITH NO DATA$aggregate$, time_bucket);
    END IF;
    CREATE OR REPLACE VIEW sop_ml.sop_time_series_15_minutes WITH (security_barrier = true) AS
    SELECT a.restaurant_id, a.metric_name, a.sop_id, a.bucket_start, a.n, a.total, a.mean, a.minimum, a.maximum, a.stats
    FROM sop_ml_storage.sop_time_series_15_minutes AS a
    WHERE a.restaurant_id = ANY ((SELECT sop_ml.visible_restaurants())::uuid[]);
    COMMENT ON VIEW sop_ml.sop_time_series_15_minutes IS
    'Readings in buckets of 15 minutes (UTC), from a continuous aggregate of TimescaleDB that is read in real time; only in mode vault. NaN, infinite and missing values and rows flagged bad are left out.';

    EXECUTE format('ALTER VIEW sop_ml.sop_time_series_data OWNER TO %I', owner_name);
    EXECUTE format('ALTER VIEW sop_ml.sop_time_series_15_minutes OWNER TO %I', owner_name);
    EXECUTE format('ALTER MATERIALIZED VIEW sop_ml_storage.sop_time_series_15_minutes OWNER TO %I', owner_name);
END
$vault$;
