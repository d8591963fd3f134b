-- The nightly run, on data small enough to check by hand.
SET client_min_messages = warning;
SET search_path = sop_ml, public;
SET timezone = 'UTC';
\set VERBOSITY terse
\set SHOW_CONTEXT never
\set berlin '''00000000-0000-0000-0000-0000000a0001'''
\set bangkok '''00000000-0000-0000-0000-0000000a0002'''
\set kathmandu '''00000000-0000-0000-0000-0000000a0003'''
\set mars '''00000000-0000-0000-0000-0000000a0004'''
\set sop '''00000000-0000-0000-0000-0000000a0101'''

INSERT INTO sop_restaurants (restaurant_id, name, time_zone, opening_hours, closures) VALUES
    (:berlin, 'Berlin', 'Europe/Berlin', '[]', '[]'),
    -- 2025-10-26 is a Sunday: not open, but Saturday goes on until two.
    (:bangkok, 'Bangkok', 'Asia/Bangkok',
     '[{"weekday": 5, "opens": "10:00", "closes": "22:00"}, {"weekday": 6, "opens": "17:00", "closes": "02:00"}]',
     '[{"from": "2025-10-24", "to": "2025-10-24", "reason": "holiday"}]'),
    (:kathmandu, 'Kathmandu', 'Asia/Kathmandu', '[]', '[]');

-- Berlin, clocks go back on 2025-10-26: a reading of 1 every half hour from local midnight to midnight, 25 hours.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
SELECT :berlin, 'covers', t, 1
FROM generate_series('2025-10-25 22:00Z', '2025-10-26 22:30Z', interval '30 minutes') AS t;
-- Bangkok: one reading before local midnight of the 26th, two after; one of them is not usable, nor is a flagged one.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value, quality_flag) VALUES
    (:bangkok, 'fridge_temperature', '2025-10-25 16:59Z', 3, NULL),
    (:bangkok, 'fridge_temperature', '2025-10-25 17:00Z', 5, 'good'),
    (:bangkok, 'fridge_temperature', '2025-10-25 17:30Z', 'NaN', NULL),
    (:bangkok, 'fridge_temperature', '2025-10-26 06:00Z', 7, NULL),
    (:bangkok, 'fridge_temperature', '2025-10-26 06:10Z', 99, 'bad');
INSERT INTO sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, duration_seconds, rating)
SELECT :bangkok, ('00000000-0000-0000-0000-0000000a020' || who)::uuid, :sop, what, '2025-10-26 03:00Z'::timestamptz + at,
       seconds, stars
FROM (VALUES
    (1, 'view', interval '0 minutes', NULL, NULL),
    (1, 'start', '1 minute', NULL, NULL), (1, 'complete', '3 minutes', 60, NULL), (1, 'rate', '4 minutes', NULL, 4),
    (2, 'start', '5 minutes', NULL, NULL), (2, 'complete', '9 minutes', 120, 5),
    (1, 'start', '65 minutes', NULL, NULL), (1, 'complete', '70 minutes', 180, NULL),
    (2, 'start', '75 minutes', NULL, NULL)
) AS v (who, what, at, seconds, stars);
-- An offset of 5:45: local midnight is 18:15 UTC.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value) VALUES
    (:kathmandu, 'covers', '2025-10-25 18:14:59Z', 1), (:kathmandu, 'covers', '2025-10-25 18:15Z', 10);

SELECT step, restaurants, rows_in, rows_out, status FROM run_daily_ml_aggregation(:berlin, '2025-10-26');
SELECT step, restaurants, rows_in, rows_out, status FROM run_daily_ml_aggregation(:bangkok, '2025-10-26');
SELECT step, restaurants, rows_in, rows_out, status FROM run_daily_ml_aggregation(:kathmandu, '2025-10-26')
WHERE step = 'roll_up';

-- The day of 25 hours: 50 readings, and the hour after two o'clock is there twice.
SELECT grain, bucket_start, bucket_end - bucket_start AS length, local_date, n, total, mean, stddev
FROM sop_performance_aggregates
WHERE restaurant_id = :berlin AND grain <> 'hour' ORDER BY bucket_end - bucket_start;
SELECT count(*), sum(n) AS n, count(*) FILTER (WHERE to_char(bucket_start AT TIME ZONE 'Europe/Berlin', 'HH24') = '02') AS at_two
FROM sop_performance_aggregates WHERE restaurant_id = :berlin AND grain = 'hour';

-- Local midnight divides the days; unusable readings lower the quality score and nothing else.
SELECT grain, bucket_start, local_date, n, mean, p50, is_closed, round(quality_score::numeric, 2) AS quality
FROM sop_performance_aggregates
WHERE restaurant_id = :bangkok AND metric_name = 'fridge_temperature' AND grain IN ('hour', 'day') ORDER BY 1, 2;
SELECT restaurant_id, bucket_start, local_date, n, total FROM sop_performance_aggregates
WHERE restaurant_id = :kathmandu AND grain IN ('hour', 'day') ORDER BY grain, bucket_start;

-- 4 starts, 3 completes of 60, 120 and 180 seconds, ratings 4 and 5, 2 people.
SELECT metric_name, n, total, mean, stddev, minimum, maximum, p50, numerator, denominator, rate,
       round(rate_low::numeric, 6) AS rate_low, round(rate_high::numeric, 6) AS rate_high, distinct_users
FROM sop_performance_aggregates
WHERE restaurant_id = :bangkok AND sop_id = :sop AND grain = 'day' ORDER BY 1;
SELECT metric_name, bucket_start, n, total, rate, distinct_users
FROM sop_performance_aggregates
WHERE restaurant_id = :bangkok AND sop_id = :sop AND grain = 'hour' ORDER BY 1, 2;
-- The stored states can be read.
SELECT metric_name, sop_ml.num_vals(stats), sop_ml.average(stats), sop_ml.approx_percentile(0.5, percentiles)
FROM sop_performance_aggregate_states
WHERE restaurant_id = :bangkok AND sop_id = :sop AND grain = 'week' AND stats IS NOT NULL ORDER BY 1;

-- A second run changes nothing.
CREATE TEMP VIEW content AS
SELECT md5(string_agg((to_jsonb(a) - 'computed_at' - 'run_id')::text, '' ORDER BY restaurant_id, metric_name, sop_id, grain, bucket_start)) AS md5
FROM sop_performance_aggregates AS a
WHERE restaurant_id IN (:berlin, :bangkok, :kathmandu);
SELECT md5 AS before FROM content \gset
SELECT step, rows_out FROM run_daily_ml_aggregation(:bangkok, '2025-10-26') WHERE step IN ('roll_up', 'compare', 'baselines');
SELECT md5 = :'before' AS unchanged FROM content;

-- A late row is found through the log, whatever day is asked for; when it is deleted, its buckets disappear.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
VALUES (:berlin, 'covers', '2025-09-30 23:30Z', 40);
SELECT step, rows_in, detail FROM run_daily_ml_aggregation(:berlin, '2025-10-26') WHERE step = 'roll_up';
SELECT grain, bucket_start, n, total FROM sop_performance_aggregates
WHERE restaurant_id = :berlin AND (total = 40 OR grain IN ('month', 'year')) ORDER BY grain, bucket_start;
DELETE FROM sop_time_series_data WHERE restaurant_id = :berlin AND value = 40;
SELECT step, rows_in, detail FROM run_daily_ml_aggregation(:berlin, '2025-10-26') WHERE step = 'roll_up';
SELECT md5 = :'before' AS as_before FROM content;
SELECT count(*) AS log FROM sop_ml_storage.dirty_buckets WHERE restaurant_id IN (:berlin, :bangkok, :kathmandu);

-- The name of a metric made from interactions is taken.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, sop_id, observed_at, value)
VALUES (:bangkok, 'rating', :sop, '2025-10-26 03:00Z', 1);
SELECT status FROM run_daily_ml_aggregation(:bangkok, '2025-10-26') WHERE step = 'roll_up';
SELECT metric_name, n, mean FROM sop_performance_aggregates
WHERE restaurant_id = :bangkok AND metric_name LIKE '%rating' AND grain = 'day' ORDER BY 1;

-- Sixty days: waiting time rises by half a minute a day, noise does not; the last day is far from its baseline.
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value)
SELECT :kathmandu, metric, '2026-01-01 06:00Z'::timestamptz + d * interval '1 day' + spread * interval '1 minute', value + spread
FROM generate_series(0, 59) AS d, (VALUES (-1), (0), (1)) AS s (spread),
     LATERAL (VALUES ('wait', 10 + 0.5 * d), ('noise', CASE WHEN d = 59 THEN 30 ELSE 10 + (d * 7) % 5 END)) AS m (metric, value);
SELECT step, rows_out, status FROM run_daily_ml_aggregation(:kathmandu, '2026-03-01') WHERE step NOT LIKE '%summary' AND step NOT LIKE '%trends%';
SELECT metric_name, grain, n, n_missing, direction, slope, slope_low, slope_high, round(tau::numeric, 4) AS tau,
       round(p_value::numeric, 4) AS p_value, round(percent_per_period::numeric, 3) AS percent, significance, verdict
FROM sop_performance_trends WHERE restaurant_id = :kathmandu ORDER BY 1, 2;
SELECT metric_name, version, baseline_value, round(lower_bound::numeric, 4) AS lower_bound, round(upper_bound::numeric, 4) AS upper_bound, n, is_current
FROM sop_performance_baselines WHERE restaurant_id = :kathmandu ORDER BY 1, 2;
SELECT metric_name, local_date, mean, previous_difference, round(previous_percent::numeric, 2) AS percent,
       round(previous_p_value::numeric, 4) AS p_value, round(previous_effect_size::numeric, 4) AS effect,
       baseline_mean, baseline_difference, round(baseline_p_value::numeric, 6) AS baseline_p, baseline_verdict
FROM sop_performance_aggregates
WHERE restaurant_id = :kathmandu AND grain = 'day' AND local_date IN ('2026-01-03', '2026-01-20', '2026-03-01') ORDER BY 1, 2;
-- Days later the baseline has a new version, the old one is kept; asked again, nothing is new.
SELECT compute_baselines(:kathmandu, day => '2026-02-20');
SELECT compute_baselines(:kathmandu, day => '2026-02-20');
SELECT metric_name, version, baseline_value, is_current, valid_until IS NOT NULL AS ended
FROM sop_performance_baselines WHERE restaurant_id = :kathmandu ORDER BY 1, 2;
-- A target says which way is better.
INSERT INTO sop_performance_baselines (restaurant_id, metric_name, grain, method, baseline_value, is_target, higher_is_better,
    value_per_unit, impact_currency, intervention_cost)
VALUES (:kathmandu, 'noise', 'day', 'target', 12, true, false, -2, 'NPR', 10);
SELECT status FROM run_daily_ml_aggregation(:kathmandu, '2026-03-01') WHERE step = 'compare';
SELECT baseline_verdict, baseline_difference, business_impact, impact_currency, roi FROM sop_performance_aggregates
WHERE restaurant_id = :kathmandu AND grain = 'day' AND metric_name = 'noise' AND local_date = '2026-03-01';

-- Recomputing a range: as much as the nightly run had made.
SELECT md5 AS before FROM content \gset
SELECT aggregate_performance(:berlin, '2025-10-26 12:00Z', '2025-10-26 13:00Z');
SELECT md5 = :'before' AS unchanged FROM content;
SELECT aggregate_performance(:berlin, '2025-10-26', '2025-10-26');
SELECT aggregate_performance(:berlin, '-infinity', '2025-10-26');
SELECT aggregate_performance(:berlin, NULL, '2025-10-26');

-- One restaurant's mistake is reported and keeps nobody waiting.
INSERT INTO sop_restaurants (restaurant_id, name, time_zone) VALUES (:mars, 'Mars', 'Mars/Olympus');
INSERT INTO sop_time_series_data (restaurant_id, metric_name, observed_at, value) VALUES
    (:mars, 'covers', '2025-10-26 12:00Z', 1), (:berlin, 'covers', '2025-10-27 12:00Z', 1);
CREATE TEMP TABLE report AS SELECT * FROM run_daily_ml_aggregation(NULL, '2025-10-27');
SELECT step, status, detail LIKE '%restaurant ' || :mars || ': time zone "Mars/Olympus" not recognized (SQLSTATE 22023)%' AS named
FROM report WHERE step = 'roll_up';
SELECT n FROM sop_performance_aggregates WHERE restaurant_id = :berlin AND grain = 'day' AND local_date = '2025-10-27';
SELECT count(*) AS kept_in_log FROM sop_ml_storage.dirty_buckets WHERE restaurant_id = :mars;
UPDATE sop_restaurants SET time_zone = 'UTC' WHERE restaurant_id = :mars;
SELECT step, status FROM run_daily_ml_aggregation(:mars, '2025-10-27') WHERE step = 'roll_up';
SELECT n FROM sop_performance_aggregates WHERE restaurant_id = :mars AND grain = 'day';

-- A step that fails is recorded, the others go on.
ALTER MATERIALIZED VIEW sop_ml_storage.sop_daily_performance_summary RENAME TO elsewhere;
SELECT step, status, detail FROM run_daily_ml_aggregation(:mars, '2025-10-27') WHERE step LIKE 'refresh%';
ALTER MATERIALIZED VIEW sop_ml_storage.elsewhere RENAME TO sop_daily_performance_summary;
SELECT step, step_number, day, status, sqlstate, detail FROM sop_job_runs
WHERE restaurant_id = :mars AND status = 'failed' ORDER BY started_at, step_number;
SELECT summary FROM refresh_performance_summaries();
SELECT count(*) FROM sop_daily_performance_summary WHERE restaurant_id = :mars;

-- Deployed models are checked one by one: what is wrong with one keeps nobody waiting.
INSERT INTO sop_ml_models (restaurant_id, model_id, name, version, task, algorithm, status) VALUES
    (:mars, '00000000-0000-0000-0000-0000000a0301', 'sound', 1, 'regression', 'ridge', 'deployed'),
    (:mars, '00000000-0000-0000-0000-0000000a0302', 'broken', 3, 'regression', 'ridge', 'deployed'),
    (:mars, '00000000-0000-0000-0000-0000000a0303', 'idle', 1, 'regression', 'ridge', 'deployed'),
    (:mars, '00000000-0000-0000-0000-0000000a0304', 'young', 1, 'regression', 'ridge', 'deployed'),
    (:mars, '00000000-0000-0000-0000-0000000a0305', 'retired', 1, 'regression', 'ridge', 'deprecated');
INSERT INTO sop_ml_predictions (restaurant_id, prediction_id, predicted_at, model_restaurant_id, model_id, features, predicted_value)
SELECT :mars, md5(format('%s %s %s', model, d, i))::uuid, '2025-11-01 08:00Z'::timestamptz + make_interval(days => d, mins => i), :mars,
       ('00000000-0000-0000-0000-0000000a030' || model)::uuid, jsonb_build_object('guests', i),
       CASE WHEN d = 39 AND i = 12 THEN 1000 ELSE 50 + (i * 7 + d * 3) % 11 END
FROM generate_series(1, 5) AS model, generate_series(0, 39) AS d, generate_series(1, 12) AS i
WHERE model IN (1, 2, 5) OR (model = 4 AND d >= 36);
CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'planted failure'; END $$;
CREATE TRIGGER planted BEFORE INSERT ON sop_time_series_anomalies FOR EACH ROW
    WHEN (NEW.model_id = '00000000-0000-0000-0000-0000000a0302') EXECUTE FUNCTION pg_temp.fail();
SELECT step, rows_in, rows_out > 0 AS found, status, detail FROM run_daily_ml_aggregation(:mars, '2025-12-10')
WHERE step IN ('prediction_anomalies', 'model_drift', 'refresh_daily_summary');
DROP TRIGGER planted ON sop_time_series_anomalies;
SELECT m.name, a.value, a.observed_at FROM sop_time_series_anomalies AS a JOIN sop_ml_models AS m USING (restaurant_id, model_id)
WHERE a.restaurant_id = :mars ORDER BY 1, 2;
SELECT DISTINCT model_name, reference_from, reference_to, current_from, current_to FROM sop_model_performance_tracking
WHERE restaurant_id = :mars ORDER BY 1;
SELECT step, sqlstate FROM sop_job_runs WHERE restaurant_id = :mars AND day = '2025-12-10' AND status = 'failed';

-- Tenants: their own restaurant, as managers; never all of them.
DROP ROLE IF EXISTS sop_ml_regress_aggregation;
CREATE ROLE sop_ml_regress_aggregation;
GRANT sop_ml_manager TO sop_ml_regress_aggregation;
INSERT INTO sop_restaurant_members (restaurant_id, role_name, access_level)
VALUES (:mars, 'sop_ml_regress_aggregation', 'manager');
SET ROLE sop_ml_regress_aggregation;
SELECT step FROM run_daily_ml_aggregation();
\echo :LAST_ERROR_SQLSTATE
SELECT step FROM run_daily_ml_aggregation(:berlin);
\echo :LAST_ERROR_SQLSTATE
SELECT step, restaurants, rows_in, status, detail FROM run_daily_ml_aggregation(:mars, '2025-10-26');
SELECT refresh_performance_summaries();
\echo :LAST_ERROR_SQLSTATE
SELECT aggregate_performance(NULL, '2025-10-26', '2025-10-27');
RESET ROLE;
UPDATE sop_restaurant_members SET access_level = 'analyst' WHERE role_name = 'sop_ml_regress_aggregation';
REVOKE sop_ml_manager FROM sop_ml_regress_aggregation;
GRANT sop_ml_analyst TO sop_ml_regress_aggregation;
SET ROLE sop_ml_regress_aggregation;
SELECT step FROM run_daily_ml_aggregation(:mars);
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
DELETE FROM sop_restaurant_members WHERE role_name = 'sop_ml_regress_aggregation';
DROP ROLE sop_ml_regress_aggregation;

-- The functions below it, on odd input.
SELECT rate_measures(3, 4), rate_measures(0, 0), rate_measures(NULL, 4), rate_measures(5, 4);
SELECT bucket_measures(NULL, NULL), bucket_measures('\x00', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM rolling_median_baseline('{9,10,NULL,11,NaN,10,9}');
SELECT * FROM rolling_median_baseline('{1,2}');
SELECT * FROM rolling_median_baseline(NULL);
SELECT * FROM compare_with_baseline(4, '{3,3,3,3,3,3,3}', false);
SELECT * FROM compare_with_baseline(4, '{3,3}');
SELECT * FROM compare_with_baseline(NULL, '{3,3,3}');
SELECT * FROM compare_with_baseline(4, '{{3,3,3}}');
SELECT compute_baselines(:berlin, 'guess');
