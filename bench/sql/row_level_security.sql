-- What row-level security costs: the same query as a tenant (policies apply) and as a superuser (they do not), on 2 M
-- observations of 20 restaurants; with the restaurant named in the query, and bare. Median of five after one warm-up.
\set QUIET on
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;

INSERT INTO sop_ml.sop_restaurants (restaurant_id, name)
    SELECT md5('restaurant ' || i)::uuid, 'Restaurant ' || i FROM generate_series(1, 20) AS i;
CREATE ROLE bench_tenant LOGIN;
GRANT sop_ml_owner TO bench_tenant;
INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
    VALUES (md5('restaurant 7')::uuid, 'bench_tenant', 'owner');
INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
    SELECT md5('restaurant ' || r)::uuid, 'bench', timestamptz '2020-01-01' + i * interval '1 second', i % 97
    FROM generate_series(1, 100000) AS i, generate_series(1, 20) AS r;
VACUUM ANALYZE sop_ml.sop_time_series_data;

CREATE FUNCTION pg_temp.median_ms(statement text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    times float8[] := '{}';
    started timestamptz;
BEGIN
    FOR round IN 0..5 LOOP
        started := clock_timestamp();
        EXECUTE statement;
        IF round > 0 THEN
            times := times || extract(epoch FROM clock_timestamp() - started)::float8 * 1000;
        END IF;
    END LOOP;
    RETURN (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times) AS t);
END
$$;
\set named 'SELECT sum(value) FROM sop_ml.sop_time_series_data WHERE restaurant_id = md5(''restaurant 7'')::uuid'
\set bare 'SELECT sum(value) FROM sop_ml.sop_time_series_data'

-- pg_temp functions belong to the session, so the tenant is played by SET ROLE in it.
SELECT pg_temp.median_ms(:'named') AS named_off \gset
SET ROLE bench_tenant;
SELECT pg_temp.median_ms(:'named') AS named_on, pg_temp.median_ms(:'bare') AS bare_on \gset
RESET ROLE;

SELECT question, round(off_ms::numeric, 1) AS "policy off, ms", round(on_ms::numeric, 1) AS "policy on, ms",
       round((on_ms / off_ms)::numeric, 2) AS "on/off"
FROM (VALUES
    ('restaurant named in the query', :named_off::float8, :named_on::float8),
    ('bare query against the predicate by hand', :named_off::float8, :bare_on::float8)
) AS figure (question, off_ms, on_ms);
