-- What restaurants produce in three months, loaded, rolled up and asked for: 10 restaurants with a million readings, 100,000
-- interactions and 50,000 experiment events a month each, and 10,000 predictions a day of one model each. Then the nightly run of
-- the last day and the ten queries that screens and services ask most, as a viewer of one restaurant (median of 21).
-- A smaller one: psql -v share=0.1
\if :{?share}
\else
\set share 1
\endif
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = sop_ml, public;
SET jit = off;
SELECT (1000000 * :share)::int AS points, (100000 * :share)::int AS interactions, (10000 * :share)::int AS predictions,
       (50000 * :share)::int AS events, date_trunc('day', now()) - interval '90 days' AS first_at, date_trunc('day', now()) AS last_at \gset
SELECT md5('restaurant 3')::uuid AS sample \gset
INSERT INTO sop_restaurants (restaurant_id, name, time_zone, created_at)
SELECT md5('restaurant ' || r)::uuid, 'Restaurant ' || r, CASE r % 2 WHEN 0 THEN 'UTC' ELSE 'Europe/Berlin' END, '2020-01-01' FROM generate_series(0, 9) AS r;
CREATE ROLE bench_viewer LOGIN;
GRANT sop_ml_viewer TO bench_viewer;
INSERT INTO sop_restaurant_members (restaurant_id, role_name, access_level) VALUES (:'sample', 'bench_viewer', 'viewer');
INSERT INTO sop_content_features (restaurant_id, sop_id, title, category, language)
SELECT r.restaurant_id, md5('sop ' || s)::uuid, 'Procedure ' || s, (ARRAY['cleaning', 'cooking', 'opening'])[1 + s % 3], 'en'
FROM sop_restaurants AS r, generate_series(0, 99) AS s;
-- A row in each month, so that what follows is loaded into partitions.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, source, observed_at, value)
SELECT :'sample', 'first', '', date_trunc('month', :'first_at'::timestamptz) + make_interval(months => m), 1 FROM generate_series(0, 3) AS m;
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at)
SELECT :'sample', md5('first')::uuid, md5('sop 0')::uuid, 'view', date_trunc('month', :'first_at'::timestamptz) + make_interval(months => m) FROM generate_series(0, 3) AS m;
INSERT INTO sop_ml_predictions (restaurant_id, model_restaurant_id, model_id, predicted_at)
SELECT :'sample', :'sample', md5('model')::uuid, date_trunc('month', :'first_at'::timestamptz) + make_interval(months => m) FROM generate_series(0, 3) AS m;
INSERT INTO sop_ab_events (restaurant_id, experiment_id, user_id, variant, event_name, occurred_at)
SELECT :'sample', md5('experiment')::uuid, md5('first')::uuid, 'control', 'first', date_trunc('month', :'first_at'::timestamptz) + make_interval(months => m) FROM generate_series(0, 3) AS m;
SELECT count(*) FILTER (WHERE action = 'created') AS partitions_made FROM maintain_partitions(1);

CREATE TABLE public.loaded (what text, rows bigint, seconds numeric);
CREATE PROCEDURE public.load(what text, statement text) LANGUAGE plpgsql SET search_path = sop_ml, public AS $$
DECLARE
    started timestamptz := clock_timestamp();
    n bigint;
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS n = ROW_COUNT;
    INSERT INTO public.loaded VALUES (what, n, round(extract(epoch FROM clock_timestamp() - started), 1));
END
$$;
CALL public.load('readings', format($$INSERT INTO sop_time_series_data (restaurant_id, metric_name, sop_id, source, observed_at, value, recorded_by)
    SELECT md5('restaurant ' || g %% 10)::uuid, 'metric ' || g / 10 %% 12, md5('sop ' || g / 120 %% 5)::uuid, 'probe ' || g / 600 %% 4,
           %1$L::timestamptz + g * (interval '90 days' / (30 * %2$s)), 20 + g %% 13 + 3 * sin(g / 5000.0), CASE WHEN g %% 20 = 0 THEN md5('person ' || g / 20 %% 40)::uuid END
    FROM generate_series(0, 30 * %2$s::bigint - 1) AS g$$, :'first_at', :points));
CALL public.load('interactions', format($$INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, rating, occurred_at, duration_seconds, outcome)
    SELECT md5('restaurant ' || g %% 10)::uuid, md5('person ' || g / 10 %% 40)::uuid, md5('sop ' || (g * 7919 / 13 %% 100))::uuid, k.kind,
           CASE k.kind WHEN 'rate' THEN 1 + g %% 5 END, %1$L::timestamptz + g * (interval '90 days' / (30 * %2$s)),
           CASE k.kind WHEN 'complete' THEN 200 + g %% 400 END, CASE k.kind WHEN 'complete' THEN CASE WHEN g %% 10 < 9 THEN 'success' ELSE 'failed' END END
    FROM generate_series(0, 30 * %2$s::bigint - 1) AS g,
         LATERAL (SELECT (ARRAY['view', 'start', 'complete', 'complete', 'rate'])[1 + g / 10 * 7 %% 5] AS kind) AS k$$, :'first_at', :interactions));
CALL public.load('predictions', format($$INSERT INTO sop_ml_predictions (restaurant_id, model_restaurant_id, model_id, predicted_at, user_id, sop_id, features, predicted_value, confidence)
    SELECT r, r, md5('model')::uuid, %1$L::timestamptz + g * (interval '90 days' / (900 * %2$s)), md5('person ' || g / 10 %% 40)::uuid,
           md5('sop ' || g / 10 %% 100)::uuid, jsonb_build_object('hour', g %% 24, 'load', g %% 100 / 10.0), g %% 1000 / 10.0, 0.5 + g %% 50 / 100.0
    FROM generate_series(0, 900 * %2$s::bigint - 1) AS g, LATERAL (SELECT md5('restaurant ' || g %% 10)::uuid) AS t (r)$$, :'first_at', :predictions));
CALL public.load('experiment events', format($$INSERT INTO sop_ab_events (restaurant_id, experiment_id, user_id, variant, event_name, event_value, occurred_at)
    SELECT md5('restaurant ' || g %% 10)::uuid, md5('experiment')::uuid, md5('person ' || g / 10 %% 2000)::uuid, CASE g / 10 %% 2 WHEN 0 THEN 'control' ELSE 'variant' END,
           (ARRAY['completed', 'rated'])[1 + g / 20 %% 2], g %% 50, %1$L::timestamptz + g * (interval '90 days' / (30 * %2$s))
    FROM generate_series(0, 30 * %2$s::bigint - 1) AS g$$, :'first_at', :events));
SELECT *, round(rows / nullif(seconds, 0)) AS rows_per_second FROM public.loaded;
VACUUM (ANALYZE) sop_time_series_data, sop_user_interactions, sop_ml_predictions, sop_ab_events;
SELECT relation, pg_size_pretty(sum(pg_table_size(i.inhrelid))) AS rows, pg_size_pretty(sum(pg_indexes_size(i.inhrelid))) AS indexes
FROM unnest('{sop_time_series_data,sop_user_interactions,sop_ml_predictions,sop_ab_events}'::text[]) AS relation
JOIN pg_inherits AS i ON i.inhparent = relation::regclass GROUP BY relation ORDER BY relation;

-- The first run rolls all of it up; then the run of a new day, which finds one day's rows in the log.
SELECT step, rows_in, rows_out, round(elapsed_ms) AS ms, status FROM run_daily_ml_aggregation(NULL, :'last_at'::date - 2);
INSERT INTO sop_ml_storage.dirty_buckets (restaurant_id, source, bucket_start)
SELECT r.restaurant_id, s.source, h FROM sop_restaurants AS r, unnest('{time_series,interactions}'::text[]) AS s (source),
       generate_series(:'last_at'::timestamptz - interval '1 day', :'last_at'::timestamptz - interval '1 hour', '1 hour') AS h;
SELECT step, rows_in, rows_out, round(elapsed_ms) AS ms, status FROM run_daily_ml_aggregation(NULL, :'last_at'::date - 1);
VACUUM (ANALYZE) sop_performance_aggregates;

CREATE TABLE public.hot (position int, query text, statement text);
INSERT INTO public.hot VALUES
    (1, 'last reading of each source of a metric', $$SELECT DISTINCT ON (source) source, observed_at, value FROM sop_ml.sop_time_series_data
        WHERE restaurant_id = %1$L AND metric_name = 'metric 1' AND observed_at >= %2$L::timestamptz - interval '1 day' ORDER BY source, observed_at DESC$$),
    (2, 'one day of a metric, by hour', $$SELECT date_bin('1 hour', observed_at, '2000-01-01'), count(*), avg(value) FROM sop_ml.sop_time_series_data
        WHERE restaurant_id = %1$L AND metric_name = 'metric 2' AND observed_at >= %2$L::timestamptz - interval '1 day' AND observed_at < %2$L GROUP BY 1 ORDER BY 1$$),
    (3, '30 days of a metric, by day, from stored states', $$SELECT local_date, n, mean, p95 FROM sop_ml.sop_performance_aggregates
        WHERE restaurant_id = %1$L AND metric_name = 'metric 2' AND grain = 'day' AND bucket_start >= %2$L::timestamptz - interval '30 days' ORDER BY 1$$),
    (4, 'dashboard: 30 days of every metric', $$SELECT metric_name, local_date, n, mean, p95 FROM sop_ml.sop_daily_performance_summary
        WHERE restaurant_id = %1$L AND local_date >= %2$L::date - 30 ORDER BY 1, 2$$),
    (5, 'trends of the last weeks', $$SELECT * FROM sop_ml.sop_weekly_performance_trends WHERE restaurant_id = %1$L$$),
    (6, 'p95 of a month over all SOPs, merged', $$SELECT metric_name, sop_ml.approx_percentile(0.95, sop_ml.rollup(percentiles)) FROM sop_ml.sop_performance_aggregate_states
        WHERE restaurant_id = %1$L AND grain = 'day' AND segment = '' AND bucket_start >= %2$L::timestamptz - interval '30 days' GROUP BY 1 ORDER BY 1$$),
    (7, 'last actions of a person', $$SELECT occurred_at, sop_id, interaction_type FROM sop_ml.sop_user_interactions
        WHERE restaurant_id = %1$L AND user_id = md5('person 7')::uuid AND occurred_at >= %2$L::timestamptz - interval '30 days' ORDER BY occurred_at DESC LIMIT 50$$),
    (8, 'who did an SOP in the last week', $$SELECT user_id, count(*) FROM sop_ml.sop_user_interactions
        WHERE restaurant_id = %1$L AND sop_id = md5('sop 7')::uuid AND interaction_type = 'complete' AND occurred_at >= %2$L::timestamptz - interval '7 days' GROUP BY 1$$),
    (9, 'predictions of a model in the last day', $$SELECT count(*), avg(predicted_value), avg(confidence) FROM sop_ml.sop_ml_predictions
        WHERE restaurant_id = %1$L AND model_restaurant_id = %1$L AND model_id = md5('model')::uuid AND predicted_at >= %2$L::timestamptz - interval '1 day'$$),
    (10, 'an experiment by variant and event', $$SELECT variant, event_name, count(*), count(DISTINCT user_id), sop_ml.average(sop_ml.stats_agg(event_value)) FROM sop_ml.sop_ab_events
        WHERE restaurant_id = %1$L AND experiment_id = md5('experiment')::uuid AND occurred_at >= %2$L::timestamptz - interval '30 days' GROUP BY 1, 2 ORDER BY 1, 2$$);
GRANT SELECT ON public.hot TO bench_viewer;
CREATE FUNCTION public.median_ms(statement text, OUT rows bigint, OUT milliseconds numeric) LANGUAGE plpgsql AS $$
DECLARE
    started timestamptz;
    times float8[];
BEGIN
    FOR round IN 1..21 LOOP
        started := clock_timestamp();
        EXECUTE statement;
        GET DIAGNOSTICS rows = ROW_COUNT;
        times := times || 1000 * extract(epoch FROM clock_timestamp() - started)::float8;
    END LOOP;
    SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY t)::numeric, 2) INTO milliseconds FROM unnest(times) AS t;
END
$$;
SET ROLE bench_viewer;
SELECT h.position AS no, h.query, m.rows, m.milliseconds AS median_ms FROM public.hot AS h, public.median_ms(format(h.statement, :'sample', :'last_at')) AS m ORDER BY h.position;
RESET ROLE;

-- The oldest month, archived and dropped.
\timing on
SELECT relation_name, count(*) AS months, sum(n) AS rows, pg_size_pretty(sum(bytes_before)) AS rows_took, pg_size_pretty(sum(bytes_after)) AS bundles_take,
       round(sum(bytes_before)::numeric / sum(bytes_after), 1) AS times_smaller
FROM archive_time_series(NULL, :'last_at'::timestamptz - interval '50 days', '{"relations": ["sop_time_series_data", "sop_user_interactions", "sop_ml_predictions", "sop_ab_events"]}')
WHERE status = 'done' GROUP BY 1 ORDER BY 1;
\timing off
