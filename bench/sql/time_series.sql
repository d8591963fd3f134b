-- Raw readings of nine months: planning time over 12 and 120 partitions, a dashboard of one restaurant's last 30 days and a detail view
-- of its last day, and retention of a month; beside a plain table with the same rows, key and no partitions where that can be said.
-- The bars: planning at most 2 ms with literal bounds, the dashboard below 20 ms at 100 million rows, a month gone in less than 1 s.
-- 10 million rows in 10 restaurants by default: psql -v rows=100000000 -f time_series.sql takes about 60 GB; with -v plain=off, which
-- leaves the plain table out, half of that.
\if :{?rows}
\else
\set rows 10000000
\endif
\if :{?plain}
\else
\set plain on
\endif
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = sop_ml, public;

INSERT INTO sop_restaurants (restaurant_id, name, created_at)
SELECT md5('restaurant ' || r)::uuid, 'Restaurant ' || r, '2020-01-01' FROM generate_series(0, 9) AS r;
SELECT md5('restaurant 3')::uuid AS sample \gset
CREATE ROLE bench_viewer LOGIN;
GRANT sop_ml_viewer TO bench_viewer;
INSERT INTO sop_restaurant_members (restaurant_id, role_name, access_level) VALUES (:'sample', 'bench_viewer', 'viewer');
-- Twelve months: nine before this one and the two to come, so that rows are loaded into their month.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, source, observed_at, value)
SELECT :'sample', 'metric 0', 'first of a month', date_trunc('month', now()) - make_interval(months => m), 1 FROM generate_series(1, 9) AS m;
SELECT count(*) AS partitions_made FROM maintain_partitions(0) WHERE relation = 'sop_time_series_data';
-- Eight metrics of five sources, in the order of time, as rows arrive; up to an hour ago.
\timing on
INSERT INTO sop_time_series_data (restaurant_id, metric_name, source, observed_at, value)
SELECT md5('restaurant ' || g % 10)::uuid, 'metric ' || g / 10 % 8, 'probe ' || g / 80 % 5, s.first_at + g * s.step, g % 997 / 10.0
FROM (SELECT now() - interval '270 days' AS first_at, interval '269 days 23 hours' / :rows AS step) AS s,
     generate_series(0, :rows - 1) AS g;
\timing off
CREATE TABLE public.plain (LIKE sop_time_series_data INCLUDING DEFAULTS);
INSERT INTO public.plain SELECT * FROM sop_time_series_data WHERE :'plain'::boolean;
ALTER TABLE public.plain ADD PRIMARY KEY (restaurant_id, metric_name, sop_id, source, observed_at);
VACUUM (ANALYZE) sop_time_series_data, public.plain;
-- The dashboard reads what the nightly run has made of the last 31 days of this restaurant.
SELECT aggregate_performance(:'sample', now() - interval '31 days', now()) AS buckets;
SELECT count(*) AS summaries FROM refresh_performance_summaries();
GRANT SELECT ON public.plain TO bench_viewer;
VACUUM (ANALYZE) sop_performance_aggregates;

CREATE TABLE public.bench_queries (position int, query text, statement text);
INSERT INTO public.bench_queries VALUES
    (1, 'dashboard: 30 days, every metric, by day', $$SELECT metric_name, local_date, n, mean, p95 FROM sop_ml.sop_daily_performance_summary
        WHERE restaurant_id = %1$L AND local_date >= current_date - 30 ORDER BY 1, 2$$),
    (2, 'last reading of each source', $$SELECT DISTINCT ON (source) source, observed_at, value FROM %2$s
        WHERE restaurant_id = %1$L AND metric_name = 'metric 1' AND observed_at >= now() - interval '1 day' ORDER BY source, observed_at DESC$$),
    (3, 'one day of a metric, by hour', $$SELECT date_bin('1 hour', observed_at, '2000-01-01'), count(*), avg(value) FROM %2$s
        WHERE restaurant_id = %1$L AND metric_name = 'metric 2' AND observed_at >= now() - interval '1 day' GROUP BY 1 ORDER BY 1$$),
    (4, '30 days of a metric, by day', $$SELECT date_bin('1 day', observed_at, '2000-01-01'), count(*), avg(value) FROM %2$s
        WHERE restaurant_id = %1$L AND metric_name = 'metric 2' AND observed_at >= now() - interval '30 days' GROUP BY 1 ORDER BY 1$$);
GRANT SELECT ON public.bench_queries TO bench_viewer;

-- Median of 21 runs, milliseconds, as the viewer of one restaurant; planning without execution from EXPLAIN.
CREATE FUNCTION public.median_ms(statement text, OUT planning numeric, OUT execution numeric) LANGUAGE plpgsql AS $$
DECLARE
    plan json;
    plannings float8[];
    executions float8[];
BEGIN
    FOR round IN 1..21 LOOP
        EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, SUMMARY, FORMAT JSON) ' || statement INTO plan;
        plannings := plannings || (plan -> 0 ->> 'Planning Time')::float8;
        executions := executions || (plan -> 0 ->> 'Execution Time')::float8;
    END LOOP;
    SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY p)::numeric, 3), round(percentile_cont(0.5) WITHIN GROUP (ORDER BY e)::numeric, 3)
    INTO planning, execution FROM unnest(plannings, executions) AS t (p, e);
END
$$;
SET ROLE bench_viewer;
SELECT q.query, ours.execution AS ours_ms, CASE WHEN :'plain'::boolean THEN plain.execution END AS plain_ms,
       ours.planning AS planning_ms, CASE WHEN :'plain'::boolean THEN plain.planning END AS plain_planning_ms
FROM public.bench_queries AS q, public.median_ms(format(q.statement, :'sample', 'sop_ml.sop_time_series_data')) AS ours,
     public.median_ms(format(q.statement, :'sample', 'public.plain')) AS plain
ORDER BY q.position;

-- Planning with literal bounds within one month; only the partitions grow.
CREATE TEMP TABLE planning (partitions bigint, planning_ms numeric);
SELECT format($$SELECT avg(value) FROM sop_ml.sop_time_series_data WHERE restaurant_id = %L AND metric_name = 'metric 1'
    AND observed_at >= %L AND observed_at < %L$$, :'sample', now() - interval '2 days', now() - interval '1 day') AS literal \gset
INSERT INTO planning SELECT (SELECT count(*) FROM pg_inherits WHERE inhparent = 'sop_ml.sop_time_series_data'::regclass), m.planning
FROM public.median_ms(:'literal') AS m;
RESET ROLE;
SELECT count(*) AS partitions_made FROM maintain_partitions(110) WHERE relation = 'sop_time_series_data';
SET ROLE bench_viewer;
INSERT INTO planning SELECT (SELECT count(*) FROM pg_inherits WHERE inhparent = 'sop_ml.sop_time_series_data'::regclass), m.planning
FROM public.median_ms(:'literal') AS m;
SELECT * FROM planning ORDER BY partitions;
RESET ROLE;

-- Retention: the oldest month, beside DELETE of the same rows.
SELECT date_trunc('month', min(observed_at)) + interval '1 month' AS oldest_end FROM sop_time_series_data \gset
SELECT now() - timestamptz :'oldest_end' AS retention \gset
\timing on
SELECT relation, partition, action FROM maintain_partitions(retention => :'retention') WHERE action = 'dropped';
DELETE FROM public.plain WHERE observed_at < :'oldest_end';
\timing off
