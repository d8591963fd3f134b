-- What the nightly run found, for people who run restaurants: each table is preceded by one sentence that is made from the
-- same rows. Run it with psql as superuser after the nightly run:
--
--     psql -X -v day=2026-06-28 -f demo/report.sql
--
-- Without -v day the day of the latest run is taken. Nothing depends on today's date.
\set QUIET on
\pset footer off
\pset null ''
\pset pager off
\timing off
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = sop_ml, pg_catalog;
\if :{?day}
\else
SELECT coalesce(max(day), current_date - 1) AS day FROM sop_ml.sop_job_runs WHERE job_name = 'run_daily_ml_aggregation' \gset
\endif

-- Names of procedures for the tables below; a metric without one belongs to the whole restaurant.
CREATE TEMPORARY VIEW named_procedure AS
SELECT restaurant_id, sop_id, title FROM sop_ml.sop_content_features;
-- The generated group; the restaurants with real data have names that begin so.
CREATE TEMPORARY VIEW generated_restaurant AS
SELECT restaurant_id, name, time_zone FROM sop_ml.sop_restaurants WHERE name NOT LIKE 'real: %';

\echo
\echo '== 1. The nightly run'
CREATE TEMPORARY TABLE nightly AS
SELECT r.step_number, r.step, r.status, sum(r.restaurants) AS restaurants, sum(r.rows_in) AS rows_in,
       sum(r.rows_out) AS rows_out, sum(r.elapsed_ms) AS elapsed_ms, string_agg(DISTINCT r.detail, '; ') AS detail
FROM sop_ml.sop_job_runs AS r
WHERE r.run_id = (SELECT run_id FROM sop_ml.sop_job_runs
                  WHERE job_name = 'run_daily_ml_aggregation' AND day = :'day'
                  ORDER BY started_at DESC LIMIT 1)
GROUP BY r.step_number, r.step, r.status;
SELECT CASE count(*) WHEN 0 THEN format('There is no nightly run for %s.', :'day')
       ELSE format('The nightly run for %s took %s s: %s of %s steps succeeded%s.', :'day',
                   round((sum(elapsed_ms) / 1000)::numeric, 1), count(*) FILTER (WHERE status = 'succeeded'), count(*),
                   coalesce('; look at ' || string_agg(step, ', ') FILTER (WHERE status <> 'succeeded'), '')) END AS sentence
FROM nightly \gset
\echo :sentence
SELECT step, restaurants, rows_in, rows_out, round(elapsed_ms) AS ms, status, detail FROM nightly ORDER BY step_number;

\echo '== 2. The day against what is usual'
CREATE TEMPORARY TABLE unusual AS
SELECT r.name AS restaurant, coalesce(p.title, '(whole restaurant)') AS procedure, a.metric_name AS metric,
       coalesce(a.rate, a.mean, a.total) AS value, a.baseline_mean AS usual, a.baseline_percent AS percent,
       a.baseline_verdict AS verdict, a.baseline_p_value AS p_value, abs(a.baseline_effect_size) AS size
FROM sop_ml.sop_performance_aggregates AS a
JOIN generated_restaurant AS r USING (restaurant_id)
LEFT JOIN named_procedure AS p USING (restaurant_id, sop_id)
WHERE a.grain = 'day' AND a.segment = '' AND a.local_date = :'day' AND a.baseline_verdict IS NOT NULL
  AND a.baseline_verdict <> 'insufficient_data' AND a.n >= 5;
SELECT CASE count(*) WHEN 0 THEN format('Nothing was measured on %s that could be compared.', :'day')
       ELSE format('On %s, %s of %s series with five or more measurements differed from their last four weeks (about %s would by '
                   'chance)%s.', :'day', count(*) FILTER (WHERE verdict <> 'no_difference'), count(*), round(0.05 * count(*)),
                   (SELECT format('; the furthest was "%s" at %s: %s %s instead of the usual %s', u.procedure, u.restaurant,
                                  replace(u.metric, '_', ' '), round(u.value::numeric, 2), round(u.usual::numeric, 2))
                    FROM unusual AS u WHERE u.verdict <> 'no_difference' ORDER BY u.p_value, u.size DESC LIMIT 1)) END AS sentence
FROM unusual \gset
\echo :sentence
SELECT restaurant, procedure, metric, round(value::numeric, 2) AS value, round(usual::numeric, 2) AS usual,
       round(percent::numeric, 1) AS percent, verdict
FROM unusual WHERE verdict <> 'no_difference' ORDER BY p_value, size DESC LIMIT 8;

\echo '== 3. Trends'
CREATE TEMPORARY TABLE trend AS
SELECT r.name AS restaurant, coalesce(p.title, '(whole restaurant)') AS procedure, t.metric_name AS metric, t.direction, t.n,
       t.slope, t.mean_level, t.percent_per_period * 7 AS percent_per_week, t.adjusted_p_value AS p_value, t.significance
FROM sop_ml.sop_performance_trends AS t
JOIN generated_restaurant AS r USING (restaurant_id)
LEFT JOIN named_procedure AS p USING (restaurant_id, sop_id)
WHERE t.grain = 'day' AND t.method = 'yue_wang'
  AND (t.period_end AT TIME ZONE r.time_zone)::date = date :'day' + 1;
SELECT format('Of %s series looked at, %s have moved in one direction over the last weeks%s.', count(*),
              count(*) FILTER (WHERE direction <> 'no_trend'),
              (SELECT format('; the clearest: %s of "%s" at %s is %s by about %s %% a week', replace(t.metric, '_', ' '),
                             t.procedure, t.restaurant, t.direction, round(abs(t.percent_per_week)::numeric, 1))
               FROM trend AS t WHERE t.direction <> 'no_trend' ORDER BY t.p_value, t.metric DESC LIMIT 1)) AS sentence
FROM trend \gset
\echo :sentence
SELECT restaurant, procedure, metric, direction, n AS days, round(mean_level::numeric, 2) AS level,
       round(percent_per_week::numeric, 2) AS percent_per_week, to_char(p_value, '0.9EEEE') AS adjusted_p, significance
FROM trend WHERE direction <> 'no_trend' ORDER BY p_value, metric DESC LIMIT 8;

\echo '== 4. Do the models still see the world they were trained on?'
CREATE TEMPORARY TABLE drift AS
SELECT DISTINCT ON (d.restaurant_id, d.model_id, d.subject_kind, d.subject)
       r.name AS restaurant, d.model_name || '@' || d.model_version AS model, d.subject_kind, d.subject, d.metric, d.value,
       d.threshold, d.severity, array_position(ARRAY['none', 'low', 'medium', 'high', 'critical'], d.severity) AS rank
FROM sop_ml.sop_model_performance_tracking AS d
JOIN sop_ml.sop_restaurants AS r USING (restaurant_id)
WHERE (d.current_to AT TIME ZONE r.time_zone)::date = date :'day' + 1
ORDER BY d.restaurant_id, d.model_id, d.subject_kind, d.subject,
         array_position(ARRAY['none', 'low', 'medium', 'high', 'critical'], d.severity) DESC, d.metric = 'psi' DESC, d.measured_at DESC,
         d.metric;
SELECT format('%s of %s models in use should be looked at%s.', count(DISTINCT model) FILTER (WHERE rank >= 4), count(DISTINCT model),
              (SELECT format(': what %s sees has moved most in %s (%s, %s)', d.model,
                             CASE d.subject_kind WHEN 'feature' THEN d.subject ELSE 'its ' || d.subject_kind || 's' END,
                             d.metric, d.severity)
               FROM drift AS d WHERE d.rank >= 4 ORDER BY d.rank DESC, d.subject_kind, d.value DESC LIMIT 1)) AS sentence
FROM drift \gset
\echo :sentence
SELECT restaurant, model, subject_kind, subject, metric, round(value::numeric, 3) AS value,
       round(threshold::numeric, 3) AS threshold, severity
FROM drift ORDER BY rank DESC, model, subject_kind, value DESC LIMIT 12;

\echo '== 5. Predictions that should not be trusted'
CREATE TEMPORARY TABLE predicted AS
SELECT r.name AS restaurant, m.name AS model, p.prediction_id, a.score, a.severity, a.reason
FROM sop_ml.sop_ml_predictions AS p
JOIN sop_ml.sop_restaurants AS r USING (restaurant_id)
JOIN sop_ml.sop_ml_models AS m ON m.restaurant_id = p.model_restaurant_id AND m.model_id = p.model_id
LEFT JOIN sop_ml.sop_time_series_anomalies AS a
    ON a.restaurant_id = p.restaurant_id AND a.prediction_id = p.prediction_id AND a.kind = 'prediction'
   AND a.status <> 'false_positive'
WHERE p.predicted_at >= (date :'day')::timestamp AT TIME ZONE r.time_zone
  AND p.predicted_at < (date :'day' + 1)::timestamp AT TIME ZONE r.time_zone;
SELECT format('%s of the %s predictions of %s are far from what their models usually say%s.',
              count(DISTINCT prediction_id) FILTER (WHERE severity IS NOT NULL), count(DISTINCT prediction_id), :'day',
              (SELECT format('; decide without %s for those', string_agg(DISTINCT p.model, ' and '))
               FROM predicted AS p WHERE p.severity IS NOT NULL HAVING count(*) > 0)) AS sentence
FROM predicted \gset
\echo :sentence
SELECT restaurant, model, reason, severity, count(*) AS predictions, round(max(abs(score))::numeric, 1) AS largest_score
FROM predicted WHERE severity IS NOT NULL GROUP BY restaurant, model, reason, severity ORDER BY predictions DESC, reason;

\echo '== 6. Can the data be trusted?'
CREATE TEMPORARY TABLE finding AS
SELECT r.name AS restaurant, checked.relation, c.*
FROM generated_restaurant AS r
CROSS JOIN (VALUES ('sop_time_series_data'), ('sop_user_interactions')) AS checked (relation)
CROSS JOIN LATERAL sop_ml.validate_ml_training_data_quality(
    r.restaurant_id, ('sop_ml.' || checked.relation)::regclass, NULL) AS c
-- The days of the demo are fixed, so its data are not fresh.
WHERE c."check" <> 'fresh';
SELECT CASE WHEN count(*) FILTER (WHERE rows_failed > 0 AND severity <> 'info') = 0 THEN 'No check found rows to worry about.'
       ELSE format('%s of %s restaurants have rows that would mislead a model; most are at %s.',
                   count(DISTINCT restaurant) FILTER (WHERE rows_failed > 0 AND severity <> 'info'), count(DISTINCT restaurant),
                   (SELECT f.restaurant || format(' (%s rows)', sum(f.rows_failed))
                    FROM finding AS f WHERE f.rows_failed > 0 AND f.severity <> 'info'
                    GROUP BY f.restaurant ORDER BY sum(f.rows_failed) DESC LIMIT 1))
       END AS sentence
FROM finding \gset
\echo :sentence
SELECT restaurant, relation, "check", column_name, severity, rows_checked, rows_failed,
       round((100 * rate)::numeric, 4) AS percent_failed
FROM finding WHERE rows_failed > 0 AND severity <> 'info'
ORDER BY array_position(ARRAY['fail', 'warn', 'info'], severity), rows_failed DESC LIMIT 12;

\echo '== 7. What a recommender would learn from'
CREATE TEMPORARY TABLE training AS
SELECT r.restaurant_id, r.name AS restaurant, t.*
FROM generated_restaurant AS r
CROSS JOIN LATERAL sop_ml.prepare_sop_recommendation_training_data(
    r.restaurant_id, (date :'day' - 119)::timestamp AT TIME ZONE r.time_zone,
    (date :'day' + 1)::timestamp AT TIME ZONE r.time_zone, NULL) AS t;
SELECT format('%s staff give %s examples of what they do and %s of what they do not; the %s who opted out are in none of them.',
              (SELECT count(DISTINCT (restaurant_id, user_id)) FROM training),
              count(*) FILTER (WHERE label > 0), count(*) FILTER (WHERE label <= 0),
              (SELECT count(DISTINCT (p.restaurant_id, p.user_id)) FROM sop_ml.sop_privacy_preferences AS p
               JOIN generated_restaurant USING (restaurant_id)
               WHERE p.state = 'denied' AND NOT EXISTS (SELECT FROM training AS t
                   WHERE (t.restaurant_id, t.user_id) = (p.restaurant_id, p.user_id)))) AS sentence
FROM training \gset
\echo :sentence
SELECT restaurant, count(DISTINCT user_id) AS staff, count(DISTINCT sop_id) AS procedures,
       count(*) FILTER (WHERE label > 0) AS positive, count(*) FILTER (WHERE label <= 0) AS negative,
       count(*) FILTER (WHERE split = 'train') AS train, count(*) FILTER (WHERE split <> 'train') AS held_out
FROM training GROUP BY restaurant ORDER BY restaurant;

\echo '== 8. Experiments'
CREATE TEMPORARY TABLE experiment AS
SELECT e.name AS experiment, arm.guests, arm.control, arm.treatment, t.difference / arm.control * 100 AS lift_percent,
       t.lower / arm.control * 100 AS lift_low, t.upper / arm.control * 100 AS lift_high, t.p_value
FROM sop_ml.sop_ab_experiments AS e
JOIN generated_restaurant AS r USING (restaurant_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS guests, avg(g.value) FILTER (WHERE g.variant = 'control') AS control,
           avg(g.value) FILTER (WHERE g.variant = 'treatment') AS treatment,
           sop_ml.stats_agg(g.value) FILTER (WHERE g.variant = 'treatment') AS treated,
           sop_ml.stats_agg(g.value) FILTER (WHERE g.variant = 'control') AS untreated
    FROM (SELECT v.user_id, v.variant, avg(v.event_value) AS value FROM sop_ml.sop_ab_events AS v
          WHERE v.restaurant_id = e.restaurant_id AND v.experiment_id = e.experiment_id AND v.event_name = e.primary_metric
          GROUP BY v.user_id, v.variant) AS g
) AS arm
CROSS JOIN LATERAL sop_ml.welch_t_test(arm.treated, arm.untreated) AS t;
SELECT format('%s of %s running experiments change what guests spend%s.', count(*) FILTER (WHERE p_value < 0.05), count(*),
              (SELECT format(': "%s" brings %s %% (95 %% interval %s to %s)', e.experiment, round(e.lift_percent::numeric, 1),
                             round(e.lift_low::numeric, 1), round(e.lift_high::numeric, 1))
               FROM experiment AS e WHERE e.p_value < 0.05 ORDER BY e.p_value LIMIT 1)) AS sentence
FROM experiment \gset
\echo :sentence
SELECT experiment, guests, round(control::numeric, 2) AS control, round(treatment::numeric, 2) AS treatment,
       round(lift_percent::numeric, 1) AS lift_percent, round(lift_low::numeric, 1) AS low, round(lift_high::numeric, 1) AS high,
       to_char(p_value, '0.9EEEE') AS p_value
FROM experiment ORDER BY p_value;

\echo '== 9. Data of others: health inspections of 20 businesses, 2000-2019'
CREATE TEMPORARY TABLE inspected AS
WITH yearly AS (
    SELECT substr(r.name, 7) AS business, date_part('year', a.local_date) AS year, a.n, a.mean
    FROM sop_ml.sop_performance_aggregates AS a
    JOIN sop_ml.sop_restaurants AS r USING (restaurant_id)
    WHERE r.kind = 'inspected' AND r.name LIKE 'real: %' AND a.metric_name = 'inspection_score' AND a.grain = 'year' AND a.segment = ''
      AND a.n > 0
), series AS (
    SELECT business, count(*) AS years, sum(n) AS inspections, array_agg(mean ORDER BY year) AS means,
           array_agg(year ORDER BY year) AS at
    FROM yearly GROUP BY business HAVING count(*) >= 3
    UNION ALL
    SELECT '(all together)', count(*), sum(n), array_agg(mean ORDER BY year), array_agg(year ORDER BY year)
    FROM (SELECT year, sum(n) AS n, avg(mean) AS mean FROM yearly GROUP BY year) AS every HAVING count(*) >= 3
), tested AS (
    SELECT s.*, t.slope * 10 AS per_decade, t.p_value, s.business = '(all together)' AS is_total
    FROM series AS s CROSS JOIN LATERAL sop_ml.trend_test(s.means, positions => s.at) AS t
), placed AS (
    SELECT t.*, row_number() OVER looks AS place, count(*) OVER (PARTITION BY is_total) AS tests
    FROM tested AS t WINDOW looks AS (PARTITION BY is_total ORDER BY p_value)
)
-- Benjamini and Hochberg: who looks at twenty businesses finds one with a trend by chance.
SELECT p.business, p.is_total, p.years, p.inspections, p.means[1] AS first_score, p.means[p.years] AS last_score,
       p.per_decade, p.p_value,
       least(1, min(p.p_value * p.tests / p.place) OVER (PARTITION BY p.is_total ORDER BY p.place DESC)) AS adjusted_p_value
FROM placed AS p;
SELECT coalesce((SELECT format('Taken together, inspection scores moved by %s points per decade (p = %s)',
                               round(i.per_decade::numeric, 1), round(i.p_value::numeric, 4))
                 FROM inspected AS i WHERE i.is_total), 'There are no inspections')
       || format('; of %s businesses, %s clearly rose and %s clearly fell.', count(*) FILTER (WHERE NOT is_total),
                 count(*) FILTER (WHERE NOT is_total AND adjusted_p_value < 0.05 AND per_decade > 0),
                 count(*) FILTER (WHERE NOT is_total AND adjusted_p_value < 0.05 AND per_decade < 0)) AS sentence
FROM inspected \gset
\echo :sentence
SELECT business, inspections, years, round(first_score::numeric, 1) AS first_year, round(last_score::numeric, 1) AS last_year,
       round(per_decade::numeric, 1) AS points_per_decade, round(p_value::numeric, 4) AS p_value,
       round(adjusted_p_value::numeric, 3) AS adjusted_p
FROM inspected ORDER BY is_total DESC, p_value LIMIT 8;

\echo '== 10. Data of others: 10,012 deliveries by the hour'
CREATE TEMPORARY TABLE delivered AS
SELECT date_part('hour', a.bucket_start AT TIME ZONE r.time_zone)::int AS hour, sum(a.n) AS deliveries,
       sop_ml.average(sop_ml.rollup(a.stats_state::sop_ml.stats_summary)) AS minutes,
       sop_ml.approx_percentile(0.9, sop_ml.rollup(a.percentile_state::sop_ml.percentile_sketch)) AS p90
FROM sop_ml.sop_performance_aggregates AS a
JOIN sop_ml.sop_restaurants AS r USING (restaurant_id)
WHERE r.name = 'real: deliveries' AND a.metric_name = 'step_duration_minutes' AND a.grain = 'hour' AND a.segment = ''
GROUP BY 1;
SELECT coalesce(format('Promise guests %s minutes at %s o''clock and %s minutes at %s o''clock: nine of ten deliveries keep it.',
              (SELECT ceil(d.p90::numeric) FROM delivered AS d ORDER BY d.minutes LIMIT 1),
              (SELECT d.hour FROM delivered AS d ORDER BY d.minutes LIMIT 1),
              (SELECT ceil(d.p90::numeric) FROM delivered AS d ORDER BY d.minutes DESC LIMIT 1),
              (SELECT d.hour FROM delivered AS d ORDER BY d.minutes DESC LIMIT 1)), 'No deliveries.') AS sentence \gset
\echo :sentence
SELECT hour, deliveries, round(minutes::numeric, 1) AS mean_minutes, round(p90::numeric, 1) AS nine_of_ten_within,
       repeat('#', round(minutes)::int) AS mean
FROM delivered ORDER BY hour;

\echo '== 11. Data of others: a year of a pizza place (published as synthetic)'
-- One interaction is one sort of pizza in one order.
CREATE TEMPORARY TABLE pizza AS
SELECT a.local_date, p.title, sum(a.n) AS prepared
FROM sop_ml.sop_performance_aggregates AS a
JOIN sop_ml.sop_restaurants AS r USING (restaurant_id)
JOIN named_procedure AS p USING (restaurant_id, sop_id)
WHERE r.name = 'real: pizza place' AND a.metric_name = 'interactions' AND a.grain = 'day' AND a.segment = ''
GROUP BY a.local_date, p.title;
CREATE TEMPORARY TABLE pizza_weekday AS
SELECT date_part('isodow', local_date)::int AS number, trim(to_char(local_date, 'Day')) AS weekday,
       count(DISTINCT local_date) AS open_days, sum(prepared) / count(DISTINCT local_date) AS per_day
FROM pizza GROUP BY 1, 2;
SELECT coalesce(format('On a %s the kitchen prepares %s pizzas, on a %s %s; the year''s favourite: %s.',
              (SELECT w.weekday FROM pizza_weekday AS w ORDER BY w.per_day DESC LIMIT 1),
              (SELECT round(max(w.per_day)) FROM pizza_weekday AS w),
              (SELECT w.weekday FROM pizza_weekday AS w ORDER BY w.per_day LIMIT 1),
              (SELECT round(min(w.per_day)) FROM pizza_weekday AS w),
              (SELECT lower(substr(p.title, 9)) FROM pizza AS p GROUP BY p.title ORDER BY sum(p.prepared) DESC LIMIT 1)),
       'No orders.') AS sentence \gset
\echo :sentence
SELECT weekday, open_days, round(per_day, 1) AS pizzas_per_day, repeat('#', round(per_day / 5)::int) AS mean
FROM pizza_weekday ORDER BY number;
SELECT to_char(local_date, 'YYYY-MM') AS month, count(DISTINCT local_date) AS open_days,
       round(sum(prepared) / count(DISTINCT local_date), 1) AS pizzas_per_day
FROM pizza GROUP BY 1 ORDER BY 1;
