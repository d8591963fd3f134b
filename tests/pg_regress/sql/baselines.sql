-- Comparisons, baselines and peers, on data small enough to check by hand.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
\set VERBOSITY terse
\set SHOW_CONTEXT never
\set house '''00000000-0000-0000-0000-0000000bb001'''
\set sop '''00000000-0000-0000-0000-0000000bb101'''

INSERT INTO sop_restaurants (restaurant_id, name, kind) VALUES (:house, 'House', 'regress bistro');

-- Sixty weeks. Waiting: twelve a day, level by weekday, some noise. Checks: 47 of 50 starts are completed.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
SELECT :house, 'wait', '2025-01-06 08:00Z'::timestamptz + make_interval(days => d, mins => i),
       20 + 2 * (d % 7) + ((d * 37 + i * 11) % 13) * 0.5
FROM generate_series(0, 419) AS d, generate_series(1, 12) AS i;
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at)
SELECT :house, md5(i::text)::uuid, :sop, what, '2026-01-05 09:00Z'::timestamptz + make_interval(days => d, mins => i)
FROM generate_series(0, 54) AS d, generate_series(1, 20) AS i, unnest(ARRAY['start', 'complete']) AS what
WHERE what = 'start' OR (i + d) % 10 <> 0;
-- The last day, 2026-03-01: the wait is twice as long; one start, and it is not completed.
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at)
VALUES (:house, md5('1')::uuid, :sop, 'start', '2026-03-01 09:00Z');
UPDATE sop_time_series_data SET value = value * 2 WHERE restaurant_id = :house AND observed_at >= '2026-03-01';
INSERT INTO sop_performance_baselines (restaurant_id, metric_name, grain, method, baseline_value, is_target, higher_is_better, unit)
VALUES (:house, 'wait', 'day', 'target', 25, true, false, 'minutes');

SELECT step, status FROM run_daily_ml_aggregation(:house, '2026-03-01') WHERE step IN ('roll_up', 'compare', 'baselines');

-- One start of one day is not "lower than usual".
SELECT metric_name, n, round(baseline_mean::numeric, 3) AS usual, baseline_n, round(baseline_difference::numeric, 3) AS difference,
       baseline_verdict, previous_verdict, last_year_verdict
FROM sop_performance_aggregates
WHERE restaurant_id = :house AND grain = 'day' AND local_date = '2026-03-01' ORDER BY 1;
-- The wait: against the day before, the same weekday of last year, and what is usual; worse by the target's direction.
SELECT round(previous_mean::numeric, 3) AS previous, round(last_year_mean::numeric, 3) AS last_year, round(baseline_mean::numeric, 3) AS usual,
       previous_difference BETWEEN previous_low AND previous_high AS previous_inside,
       baseline_difference BETWEEN baseline_low AND baseline_high AS baseline_inside,
       baseline_p_value <= baseline_adjusted_p_value AS adjusted, baseline_adjusted_p_value < 0.05 AS certain,
       round(baseline_stddev::numeric, 3) AS spread
FROM sop_performance_aggregates
WHERE restaurant_id = :house AND grain = 'day' AND local_date = '2026-03-01' AND metric_name = 'wait';
SELECT l.local_date, round(l.mean::numeric, 6) = round(a.last_year_mean::numeric, 6) AS is_last_year
FROM sop_performance_aggregates AS a
JOIN sop_performance_aggregates AS l ON l.restaurant_id = a.restaurant_id AND l.metric_name = a.metric_name AND l.grain = 'day'
 AND l.local_date = a.local_date - 364
WHERE a.restaurant_id = :house AND a.grain = 'day' AND a.local_date = '2026-03-01' AND a.metric_name = 'wait';
-- Longer periods: the month, quarter and ISO week of last year.
SELECT a.grain, a.local_date, l.local_date AS last_year, round(a.last_year_percent::numeric, 2) AS percent, a.last_year_verdict, a.previous_verdict,
       a.baseline_n
FROM sop_performance_aggregates AS a
LEFT JOIN sop_performance_aggregates AS l ON l.restaurant_id = a.restaurant_id AND l.metric_name = a.metric_name AND l.grain = a.grain
 AND l.mean = a.last_year_mean AND l.local_date < a.local_date - 300
WHERE a.restaurant_id = :house AND a.metric_name = 'wait'
  AND (a.grain, a.local_date) IN (('week', '2026-02-16'), ('month', '2026-02-01'), ('quarter', '2026-01-01'), ('year', '2026-01-01'))
ORDER BY array_position(ARRAY['week', 'month', 'quarter', 'year'], a.grain);
-- Benjamini and Hochberg over the series of one day.
SELECT count(*) AS days, bool_and(abs(baseline_adjusted_p_value - least(1, expected)) < 1e-12) AS as_expected
FROM (
    SELECT baseline_adjusted_p_value, min(baseline_p_value * tests / place) OVER (PARTITION BY local_date ORDER BY place DESC) AS expected
    FROM (
        SELECT local_date, baseline_p_value, baseline_adjusted_p_value,
               row_number() OVER (PARTITION BY local_date ORDER BY baseline_p_value) AS place, count(*) OVER (PARTITION BY local_date) AS tests
        FROM sop_performance_aggregates
        WHERE restaurant_id = :house AND grain = 'day' AND baseline_adjusted_p_value IS NOT NULL
    ) AS ranked
) AS adjusted;
-- Recomputing an old stretch changes nothing that follows, and rows whose comparisons stay what they were are not written.
CREATE TEMP VIEW content AS
SELECT md5(string_agg((to_jsonb(a) - 'computed_at' - 'run_id')::text, '' ORDER BY metric_name, sop_id, grain, bucket_start)) AS md5
FROM sop_performance_aggregates AS a WHERE restaurant_id = :house;
SELECT md5 AS before FROM content \gset
CREATE TEMP TABLE place AS
SELECT ctid AS at, metric_name, sop_id, bucket_start FROM sop_performance_aggregates
WHERE restaurant_id = :house AND grain = 'day' AND local_date NOT BETWEEN '2025-06-10' AND '2025-06-12';
SELECT aggregate_performance(:house, '2025-06-10', '2025-06-12') > 0 AS recomputed;
SELECT md5 = :'before' AS unchanged FROM content;
SELECT count(*) FILTER (WHERE a.ctid = p.at) > 400 AS in_place, count(*) FILTER (WHERE a.ctid <> p.at) AS written
FROM place AS p JOIN sop_performance_aggregates AS a USING (metric_name, sop_id, bucket_start)
WHERE a.restaurant_id = :house AND a.grain = 'day';

-- Every method. Weekdays differ by two minutes each; the last day counts doubly, so the medians are not moved.
SELECT method, compute_baselines(:house, method, '2026-03-01', options::jsonb) AS versions
FROM (VALUES ('rolling_median', NULL), ('rolling_mean', NULL), ('ewma', '{"half_life_days": 14}'), ('weekday', NULL), ('weekday_hour', NULL),
             ('previous_year', NULL), ('fixed_window', '{"first_day": "2026-02-01"}'), ('shrunken', '{"window_days": 56}'),
             ('peer_quantile', NULL)) AS m (method, options);
SELECT method, segment, round(baseline_value::numeric, 4) AS value, round(lower_bound::numeric, 3) AS lower, round(upper_bound::numeric, 3) AS upper,
       round(stddev::numeric, 4) AS stddev, n, parameters, reason
FROM sop_performance_baselines
WHERE restaurant_id = :house AND metric_name = 'wait' AND is_current AND method <> 'target' AND segment IN ('', '1', '7', '1:8')
ORDER BY method, segment;
-- Against numpy: the exponentially weighted mean of the daily means.
SELECT abs(b.baseline_value - e.value) < 1e-9 AS as_expected
FROM sop_performance_baselines AS b,
     (SELECT sum(mean * w) / sum(w) AS value
      FROM sop_performance_aggregates, LATERAL (SELECT power(0.5, ('2026-03-01' - local_date) / 14.0)) AS weight (w)
      WHERE restaurant_id = :house AND metric_name = 'wait' AND grain = 'day' AND local_date > date '2026-03-01' - 84) AS e
WHERE b.restaurant_id = :house AND b.metric_name = 'wait' AND b.method = 'ewma' AND b.is_current;
-- Asked again, nothing is new.
SELECT compute_baselines(:house, 'weekday', '2026-03-01') AS again;
-- The nightly run refreshes the methods that are in use, and keeps their parameters.
SELECT status FROM run_daily_ml_aggregation(:house, '2026-03-02') WHERE step = 'baselines';
SELECT method, max(version) AS version, count(*) FILTER (WHERE is_current) AS current, min(parameters::text) AS parameters
FROM sop_performance_baselines WHERE restaurant_id = :house AND metric_name = 'wait' AND segment = '' GROUP BY method ORDER BY 1;

-- Three SOPs of one metric, one of them with two days only: it is drawn to the others.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, sop_id, observed_at, value)
SELECT :house, 'plating', md5(s::text)::uuid, '2026-02-01 08:00Z'::timestamptz + make_interval(days => d), 10 + s + ((d * 5 + s) % 7) * 0.4
FROM generate_series(1, 4) AS s, generate_series(0, 27) AS d WHERE s < 4 OR d > 25;
SELECT aggregate_performance(:house, '2026-02-01', '2026-03-02') > 0 AS rolled_up;
SELECT compute_baselines(:house, 'shrunken', '2026-02-28') > 0 AS computed;
SELECT n, round(baseline_value::numeric, 3) AS value, round(shrinkage::numeric, 4) AS shrinkage
FROM sop_performance_baselines WHERE restaurant_id = :house AND metric_name = 'plating' AND method = 'shrunken' AND is_current ORDER BY 1, 2;

-- The baseline that counts: a target first, then the weekday's.
SELECT metric_name, grain, local_date, method, segment, is_target, baseline_value, difference > 0 AS above, verdict
FROM performance_vs_baseline WHERE restaurant_id = :house AND metric_name = 'wait' ORDER BY grain;
UPDATE sop_performance_baselines SET is_current = false WHERE restaurant_id = :house AND method = 'target';
SELECT metric_name, grain, method, segment, verdict FROM performance_vs_baseline
WHERE restaurant_id = :house AND metric_name = 'wait' ORDER BY grain;

-- Bad input.
SELECT compute_baselines(:house, 'target');
SELECT compute_baselines(:house, 'ewma', NULL, '{"half_life_days": 0}');
SELECT compute_baselines(:house, 'rolling_mean', NULL, '{"quantile": 0.5}');
SELECT compute_baselines(:house, 'rolling_mean', NULL, '{"window_days": 1}');
SELECT compute_baselines(:house, 'fixed_window', '2026-03-01', '{"first_day": "soon"}');
SELECT compute_baselines(:house, 'fixed_window', '2026-03-01');
SELECT compute_baselines(:house, 'peer_quantile', NULL, '{"quantile": 0.95}');
SELECT compute_baselines(:house, 'ewma', NULL, '{"half_life": 3}');
SELECT * FROM compare_bucket_series('hour', '{1}', '{1}', '{1}', '{1}', '{1}', '{1}', '{1}', '{1}', '{f}', '{f}', '{t}', '{1}', '{1}', '{1}');
SELECT * FROM compare_bucket_series('day', '{1}', '{1}', '{1,2}', '{1}', '{1}', '{1}', '{1}', '{1}', '{f}', '{f}', '{t}', '{1}', '{1}', '{1}');
SELECT place, previous_mean, baseline_standing FROM compare_bucket_series('day', '{2,1}', '{1,1}', '{1,2}', '{1,1}', '{1,1}', '{1,1}',
    '{NULL,NULL}', '{NULL,NULL}', '{f,f}', '{f,f}', '{t,t}', '{1,1}', '{1,1}', '{1,1}');
SELECT place, previous_mean, previous_difference, previous_verdict
FROM compare_bucket_series('day', '{1,2}', '{1,1}', '{1,2}', '{1,NULL}', '{1,3}', '{1,1}', '{NULL,NULL}', '{NULL,NULL}', '{f,f}', '{f,f}', '{f,t}',
    '{1,1}', '{1,1}', '{1,1}') AS c, LATERAL comparison_verdict(previous_standing, previous_difference, previous_p_value, NULL) AS v (previous_verdict);
SELECT * FROM compare_with_stored_baseline(50, NULL, NULL, NULL, 40, 50, 0.95, NULL, NULL, true);
SELECT * FROM compare_with_stored_baseline(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT comparison_verdict(NULL, 1, 0.01, true), comparison_verdict(1, 1, 0.01, true), comparison_verdict(2, 1, 0.01, true);

-- Peers. Seven restaurants of one kind share; their completion is 0.80, 0.82, …; the eighth does not share.
INSERT INTO sop_restaurants (restaurant_id, name, kind, cross_restaurant_opt_in, opt_in_changed_at)
SELECT ('00000000-0000-0000-0000-0000000bb2' || lpad(r::text, 2, '0'))::uuid, 'Peer ' || r, 'regress peers', r <= 7, '2026-01-15'
FROM generate_series(1, 8) AS r;
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
SELECT ('00000000-0000-0000-0000-0000000bb2' || lpad(r::text, 2, '0'))::uuid, 'wait', '2026-01-10 08:00Z'::timestamptz + make_interval(days => d), 10 + r
FROM generate_series(1, 8) AS r, generate_series(0, 9) AS d;
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
SELECT ('00000000-0000-0000-0000-0000000bb2' || lpad(r::text, 2, '0'))::uuid, 'rare', '2026-01-10 08:00Z', r FROM generate_series(1, 5) AS r;
\set peer '''00000000-0000-0000-0000-0000000bb203'''
\set outsider '''00000000-0000-0000-0000-0000000bb208'''
SELECT status FROM benchmark_against_peers(:peer, 'wait', '2026-02-10');
SELECT step, status FROM run_daily_ml_aggregation(NULL, '2026-02-10') WHERE step IN ('roll_up', 'baselines');
SELECT * FROM benchmark_against_peers(:peer, NULL, '2026-02-10');
-- Five restaurants are four others: no answer, as where nothing exists.
SELECT metric_name, status FROM benchmark_against_peers(:peer, 'rare', '2026-02-10');
SELECT metric_name, status FROM benchmark_against_peers(:peer, 'nothing', '2026-02-10');
SELECT metric_name, status FROM benchmark_against_peers(:outsider, 'wait', '2026-02-10');
SELECT status FROM benchmark_against_peers(:house, 'wait', '2026-02-10');
-- The kind of a peer baseline: a figure of the group.
SELECT compute_baselines(:peer, 'peer_quantile', '2026-02-02', '{"quantile": 0.75}'), compute_baselines(:outsider, 'peer_quantile', '2026-02-02');
SELECT baseline_value, lower_bound, peer_restaurants, parameters FROM sop_performance_baselines
WHERE restaurant_id = :peer AND method = 'peer_quantile';
-- Somebody leaves, somebody changes a value: the month's figures are what they were.
SELECT * FROM sop_peer_benchmarks WHERE false;
CREATE TEMP TABLE before AS SELECT * FROM benchmark_against_peers(:peer, NULL, '2026-02-10');
UPDATE sop_restaurants SET cross_restaurant_opt_in = false, opt_in_changed_at = '2026-02-11' WHERE restaurant_id = '00000000-0000-0000-0000-0000000bb207';
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES ('00000000-0000-0000-0000-0000000bb201', 'wait', '2026-01-12 18:00Z', 1e9);
SELECT status FROM run_daily_ml_aggregation(NULL, '2026-02-11') WHERE step = 'baselines';
SELECT count(*) AS changed FROM (TABLE before EXCEPT SELECT * FROM benchmark_against_peers(:peer, NULL, '2026-02-11')) AS d;
SELECT status FROM benchmark_against_peers('00000000-0000-0000-0000-0000000bb207', 'wait', '2026-02-11');
SELECT benchmark_against_peers(:peer, 'wait', 'infinity');

-- Readers of the summaries do not wait for their refresh; the window is bounded.
SELECT summary FROM refresh_performance_summaries();
SELECT metric_name, baseline_verdict, baseline_n FROM sop_daily_performance_summary
WHERE restaurant_id = :house AND local_date = '2026-03-01' ORDER BY 1;
SELECT count(*) > 0 AS found, bool_and(adjusted_p_value >= p_value) AS adjusted FROM sop_weekly_performance_trends WHERE restaurant_id = :house;
