-- Summaries for reports. Materialized views cannot have row-level security: they lie in sop_ml_storage, and the view of
-- the same name in sop_ml shows of them what the caller may see. Views over tables run with the caller's rights.

-- Keyed by bucket_start, not by the local day: a restaurant whose time zone is corrected has one day twice. The window ends
-- at each restaurant's newest finished day, so that one whose data stops keeps its last picture; days after tomorrow are
-- mistakes and do not move it.
CREATE MATERIALIZED VIEW IF NOT EXISTS sop_ml_storage.sop_daily_performance_summary AS
SELECT a.restaurant_id, a.metric_name, a.sop_id, a.local_date, a.bucket_start, a.bucket_end, a.is_closed,
       a.n, a.total, a.mean, a.mean_low, a.mean_high, a.stddev, a.minimum, a.maximum, a.p50, a.p95,
       a.numerator, a.denominator, a.rate, a.rate_low, a.rate_high, a.distinct_users,
       a.previous_mean, a.previous_difference, a.previous_percent, a.previous_low, a.previous_high, a.previous_p_value,
       a.previous_adjusted_p_value, a.previous_effect_size, a.previous_verdict,
       a.last_year_mean, a.last_year_difference, a.last_year_percent, a.last_year_low, a.last_year_high,
       a.last_year_p_value, a.last_year_adjusted_p_value, a.last_year_effect_size, a.last_year_verdict,
       a.baseline_mean, a.baseline_difference, a.baseline_percent, a.baseline_low, a.baseline_high, a.baseline_p_value,
       a.baseline_adjusted_p_value, a.baseline_effect_size, a.baseline_verdict, a.baseline_n, a.baseline_stddev,
       a.business_impact, a.impact_currency, a.roi, a.quality_score, a.computed_at
FROM sop_ml.sop_performance_aggregates AS a
JOIN (
    SELECT d.restaurant_id, max(d.local_date) AS newest_day
    FROM sop_ml.sop_performance_aggregates AS d
    WHERE d.grain = 'day' AND d.segment = '' AND d.bucket_start < now() + interval '1 day'
    GROUP BY d.restaurant_id
) AS newest ON newest.restaurant_id = a.restaurant_id AND a.local_date > newest.newest_day - 400
WHERE a.grain = 'day' AND a.segment = ''
WITH DATA;
CREATE UNIQUE INDEX IF NOT EXISTS sop_daily_performance_summary_key
    ON sop_ml_storage.sop_daily_performance_summary (restaurant_id, metric_name, sop_id, bucket_start);
CREATE INDEX IF NOT EXISTS sop_daily_performance_summary_day_idx
    ON sop_ml_storage.sop_daily_performance_summary (restaurant_id, local_date);
ALTER MATERIALIZED VIEW sop_ml_storage.sop_daily_performance_summary OWNER TO sop_ml_operator;

-- The newest trend of each series in each local week. A time zone that the server does not know counts as UTC, so that
-- one restaurant's mistake does not stop the refresh for all.
CREATE MATERIALIZED VIEW IF NOT EXISTS sop_ml_storage.sop_weekly_performance_trends AS
SELECT DISTINCT ON (t.restaurant_id, t.metric_name, t.sop_id, t.week_start, t.grain, t.method)
       t.restaurant_id, t.metric_name, t.sop_id, t.week_start, t.grain, t.method, t.period_start, t.period_end, t.n,
       t.direction, t.significance, t.slope, t.slope_low, t.slope_high, t.percent_per_period, t.tau, t.statistic,
       t.p_value, t.adjusted_p_value, t.r2, t.mean_level, t.verdict, t.computed_at
FROM (
    SELECT s.*, date_trunc('week', (s.period_end - interval '1 microsecond') AT TIME ZONE coalesce(z.name, 'UTC'))::date
                    AS week_start
    FROM sop_ml.sop_performance_trends AS s
    LEFT JOIN sop_ml.sop_restaurants AS r ON r.restaurant_id = s.restaurant_id
    LEFT JOIN pg_catalog.pg_timezone_names AS z ON z.name = r.time_zone
    JOIN (
        SELECT e.restaurant_id, max(e.period_end) AS newest_end
        FROM sop_ml.sop_performance_trends AS e
        WHERE e.period_end < now() + interval '1 week'
        GROUP BY e.restaurant_id
    ) AS newest ON newest.restaurant_id = s.restaurant_id AND s.period_end > newest.newest_end - interval '104 weeks'
) AS t
ORDER BY t.restaurant_id, t.metric_name, t.sop_id, t.week_start, t.grain, t.method, t.period_end DESC,
         t.period_start DESC
WITH DATA;
CREATE UNIQUE INDEX IF NOT EXISTS sop_weekly_performance_trends_key
    ON sop_ml_storage.sop_weekly_performance_trends (restaurant_id, metric_name, sop_id, week_start, grain, method);
CREATE INDEX IF NOT EXISTS sop_weekly_performance_trends_week_idx
    ON sop_ml_storage.sop_weekly_performance_trends (restaurant_id, week_start) WHERE direction <> 'no_trend';
ALTER MATERIALIZED VIEW sop_ml_storage.sop_weekly_performance_trends OWNER TO sop_ml_operator;

CREATE OR REPLACE VIEW sop_ml.sop_daily_performance_summary WITH (security_barrier = true) AS
SELECT s.restaurant_id, s.metric_name, s.sop_id, s.local_date, s.bucket_start, s.bucket_end, s.is_closed,
       s.n, s.total, s.mean, s.mean_low, s.mean_high, s.stddev, s.minimum, s.maximum, s.p50, s.p95,
       s.numerator, s.denominator, s.rate, s.rate_low, s.rate_high, s.distinct_users,
       s.previous_mean, s.previous_difference, s.previous_percent, s.previous_low, s.previous_high, s.previous_p_value,
       s.previous_adjusted_p_value, s.previous_effect_size, s.previous_verdict,
       s.last_year_mean, s.last_year_difference, s.last_year_percent, s.last_year_low, s.last_year_high,
       s.last_year_p_value, s.last_year_adjusted_p_value, s.last_year_effect_size, s.last_year_verdict,
       s.baseline_mean, s.baseline_difference, s.baseline_percent, s.baseline_low, s.baseline_high, s.baseline_p_value,
       s.baseline_adjusted_p_value, s.baseline_effect_size, s.baseline_verdict, s.baseline_n, s.baseline_stddev,
       s.business_impact, s.impact_currency, s.roi, s.quality_score, s.computed_at
FROM sop_ml_storage.sop_daily_performance_summary AS s
WHERE s.restaurant_id = ANY ((SELECT sop_ml.visible_restaurants())::uuid[]);

CREATE OR REPLACE VIEW sop_ml.sop_weekly_performance_trends WITH (security_barrier = true) AS
SELECT s.restaurant_id, s.metric_name, s.sop_id, s.week_start, s.grain, s.method, s.period_start, s.period_end, s.n,
       s.direction, s.significance, s.slope, s.slope_low, s.slope_high, s.percent_per_period, s.tau, s.statistic,
       s.p_value, s.adjusted_p_value, s.r2, s.mean_level, s.verdict, s.computed_at
FROM sop_ml_storage.sop_weekly_performance_trends AS s
WHERE s.restaurant_id = ANY ((SELECT sop_ml.visible_restaurants())::uuid[]);

-- What needs a look now, worst first.
CREATE OR REPLACE VIEW sop_ml.sop_open_alerts WITH (security_invoker = true) AS
SELECT a.restaurant_id, r.name AS restaurant_name, a.alert_id, a.source, a.severity, a.title, a.description, a.status,
       a.raised_at, a.last_raised_at, a.raise_count, now() - a.raised_at AS open_for, a.relation_name, a.subject_id,
       a.metric_name, a.assigned_to, a.acknowledged_by, a.acknowledged_at, a.business_impact, a.impact_currency,
       a.evidence
FROM sop_ml.sop_alerts AS a
LEFT JOIN sop_ml.sop_restaurants AS r ON r.restaurant_id = a.restaurant_id
WHERE a.status <> 'resolved'
ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low', 'info'], a.severity), a.raised_at DESC;

-- Where each metric of each SOP stands: its latest finished open day against the baseline and the day before.
CREATE OR REPLACE VIEW sop_ml.sop_latest_performance WITH (security_invoker = true) AS
SELECT DISTINCT ON (a.restaurant_id, a.metric_name, a.sop_id)
       a.restaurant_id, r.name AS restaurant_name, a.metric_name, a.sop_id, c.title AS sop_title, a.local_date,
       a.n, a.mean, a.mean_low, a.mean_high, a.p50, a.p95, a.rate, a.rate_low, a.rate_high,
       a.baseline_verdict, a.baseline_mean, a.baseline_difference, a.baseline_percent, a.baseline_p_value,
       a.baseline_effect_size, a.previous_mean, a.previous_difference, a.previous_percent, a.previous_p_value,
       a.business_impact, a.impact_currency, a.roi, a.quality_score, a.computed_at, a.baseline_adjusted_p_value, a.baseline_low,
       a.baseline_high, a.previous_adjusted_p_value, a.previous_verdict, a.last_year_mean, a.last_year_difference,
       a.last_year_percent, a.last_year_p_value, a.last_year_adjusted_p_value, a.last_year_verdict
FROM sop_ml.sop_performance_aggregates AS a
JOIN sop_ml.sop_restaurants AS r ON r.restaurant_id = a.restaurant_id
LEFT JOIN sop_ml.sop_content_features AS c ON c.restaurant_id = a.restaurant_id AND c.sop_id = a.sop_id
WHERE a.grain = 'day' AND a.segment = '' AND a.n > 0 AND NOT a.is_closed
ORDER BY a.restaurant_id, a.metric_name, a.sop_id, a.bucket_start DESC;

-- The latest finished open bucket of every series that has a baseline, against the one that counts: a target set by hand
-- before everything else, then what knows the part of the week, then the own history, then others'.
CREATE OR REPLACE VIEW sop_ml.performance_vs_baseline WITH (security_invoker = true) AS
SELECT known.restaurant_id, known.metric_name, known.sop_id, known.grain, a.local_date, a.bucket_start, a.n,
       CASE WHEN a.denominator IS NULL THEN coalesce(a.mean, a.total) ELSE a.rate END AS level,
       b.method, b.segment, b.version, b.is_target, b.baseline_value, b.lower_bound, b.upper_bound,
       c.difference, c.percent, c.low AS difference_low, c.high AS difference_high, c.p_value, known.higher_is_better, c.verdict
FROM (
    SELECT k.restaurant_id, k.metric_name, k.sop_id, k.grain, bool_or(k.higher_is_better) AS higher_is_better
    FROM sop_ml.sop_performance_baselines AS k
    WHERE k.is_current
    GROUP BY k.restaurant_id, k.metric_name, k.sop_id, k.grain
) AS known
JOIN sop_ml.sop_restaurants AS r ON r.restaurant_id = known.restaurant_id
CROSS JOIN LATERAL (
    SELECT d.*
    FROM sop_ml.sop_performance_aggregates AS d
    WHERE d.restaurant_id = known.restaurant_id AND d.metric_name = known.metric_name AND d.sop_id = known.sop_id
      AND d.grain = known.grain AND d.segment = '' AND d.n > 0 AND NOT d.is_closed AND d.bucket_end <= now()
    ORDER BY d.bucket_start DESC
    LIMIT 1
) AS a
CROSS JOIN LATERAL (
    SELECT o.*
    FROM sop_ml.sop_performance_baselines AS o
    WHERE o.restaurant_id = known.restaurant_id AND o.metric_name = known.metric_name AND o.sop_id = known.sop_id
      AND o.grain = known.grain AND o.is_current AND o.valid_from <= now() AND (o.valid_until IS NULL OR o.valid_until > now())
      AND o.segment IN ('', date_part('isodow', a.local_date)::text,
          CASE known.grain WHEN 'hour' THEN concat(date_part('isodow', a.local_date), ':',
                                                   date_part('hour', a.bucket_start AT TIME ZONE r.time_zone)) END)
    ORDER BY o.is_target DESC, o.segment = '',
             array_position(ARRAY['weekday_hour', 'weekday', 'shrunken', 'ewma', 'rolling_median', 'rolling_mean', 'previous_year',
                                  'fixed_window', 'peer_quantile'], o.method)
    LIMIT 1
) AS b
CROSS JOIN LATERAL sop_ml.compare_with_stored_baseline(a.n, a.total, a.mean, a.stddev, a.numerator, a.denominator,
    b.baseline_value, b.stddev, b.n, known.higher_is_better) AS c;
