-- Trends of every series: Mann-Kendall with the variance of Yue and Wang, which holds under autocorrelation, and Theil-Sen
-- over the open days (56) or the complete weeks (26) up to a local day.
-- Which way a series goes is decided at 5 % after Benjamini and Hochberg's adjustment over the series of a restaurant, so
-- that looking at many series does not find trends that are none.
-- $1 restaurants, $2 last local days, $3 grain (day or week), $4 run. Returns the number of trends, and the earliest and
-- the latest end of a span.
WITH span AS MATERIALIZED (
    SELECT r.restaurant_id, last_start.local_date AS last_date, last_start.local_date - (shape.periods - 1) * shape.days
               AS first_date, shape.days,
           (last_start.local_date - (shape.periods - 1) * shape.days)::timestamp AT TIME ZONE r.time_zone AS period_start,
           (last_start.local_date + shape.days)::timestamp AT TIME ZONE r.time_zone AS period_end
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[])) AS t (restaurant_id, local_date)
    JOIN sop_ml.sop_restaurants AS r ON r.restaurant_id = t.restaurant_id
    CROSS JOIN LATERAL (SELECT CASE $3 WHEN 'day' THEN 1 ELSE 7 END AS days, CASE $3 WHEN 'day' THEN 56 ELSE 26 END AS periods)
        AS shape
    -- The last week is the one that ends with or before the day.
    CROSS JOIN LATERAL (SELECT CASE $3 WHEN 'day' THEN t.local_date
        ELSE pg_catalog.date_trunc('week', (t.local_date + 1)::timestamp)::date - 7 END AS local_date) AS last_start
), series AS (
    SELECT s.restaurant_id, a.metric_name, a.sop_id, s.period_start, s.period_end,
           ((s.last_date - s.first_date) / s.days + 1) AS periods,
           pg_catalog.array_agg(level.value ORDER BY a.local_date) AS observed,
           pg_catalog.array_agg(((a.local_date - s.first_date) / s.days)::float8 ORDER BY a.local_date) AS positions,
           pg_catalog.avg(level.value ORDER BY a.local_date) AS mean_level
    FROM span AS s
    JOIN sop_ml.sop_performance_aggregates AS a
        ON a.restaurant_id = s.restaurant_id AND a.grain = $3 AND a.segment = '' AND a.local_date BETWEEN s.first_date AND s.last_date
       AND a.bucket_start >= s.period_start - interval '1 day' AND a.bucket_start < s.period_end
       AND NOT a.is_closed
    CROSS JOIN LATERAL (SELECT CASE WHEN a.denominator IS NULL THEN coalesce(a.mean, a.total) ELSE a.rate END) AS level (value)
    WHERE level.value IS NOT NULL
    GROUP BY s.restaurant_id, a.metric_name, a.sop_id, s.period_start, s.period_end, s.last_date, s.first_date, s.days
    HAVING pg_catalog.count(*) >= 3
), tested AS (
    SELECT s.restaurant_id, s.metric_name, s.sop_id, s.period_start, s.period_end, s.periods, s.mean_level,
           s.observed[1] AS first_level, s.observed[pg_catalog.cardinality(s.observed)] AS last_level, t.*,
           pg_catalog.row_number() OVER (PARTITION BY s.restaurant_id ORDER BY t.p_value) AS place,
           pg_catalog.count(*) OVER (PARTITION BY s.restaurant_id) AS tests
    FROM series AS s
    -- Two periods without a value after the last one tell the function that neighbours are one period apart, also where no
    -- two buckets follow each other.
    CROSS JOIN LATERAL sop_ml.trend_test(s.observed || '{NULL,NULL}'::float8[], 'yue_wang',
        positions => s.positions || ARRAY[s.periods, s.periods + 1]::float8[]) AS t
), adjusted AS (
    SELECT t.*, least(1, pg_catalog.min(t.p_value * t.tests / t.place) OVER (
               PARTITION BY t.restaurant_id ORDER BY t.place DESC ROWS UNBOUNDED PRECEDING)) AS adjusted_p_value
    FROM tested AS t
), judged AS (
    SELECT t.*, CASE WHEN t.adjusted_p_value >= 0.05 THEN 'no_trend' WHEN t.statistic > 0 THEN 'increasing'
                     ELSE 'decreasing' END AS verified,
           (SELECT pg_catalog.bool_or(b.higher_is_better)
            FROM sop_ml.sop_performance_baselines AS b
            WHERE b.restaurant_id = t.restaurant_id AND b.metric_name = t.metric_name AND b.sop_id = t.sop_id
              AND b.is_current) AS higher_is_better
    FROM adjusted AS t
), stored AS (
    INSERT INTO sop_ml.sop_performance_trends AS known (
        restaurant_id, metric_name, sop_id, grain, period_start, method, period_end, n, n_missing, direction, slope, slope_low,
        slope_high, intercept, tau, statistic, p_value, adjusted_p_value, r2, autocorrelation, mean_level, first_level,
        last_level, percent_per_period, significance, verdict, run_id)
    SELECT j.restaurant_id, j.metric_name, j.sop_id, $3, j.period_start, j.method, j.period_end, j.n, j.periods - j.n,
           j.verified, j.slope, j.slope_low, j.slope_high, j.intercept, j.tau, j.statistic, j.p_value, j.adjusted_p_value, j.r2,
           j.autocorrelation, j.mean_level, j.first_level, j.last_level,
           100 * j.slope / nullif(pg_catalog.abs(j.mean_level), 0),
           CASE WHEN j.adjusted_p_value < 0.001 THEN 'strong' WHEN j.adjusted_p_value < 0.01 THEN 'moderate'
                WHEN j.adjusted_p_value < 0.05 THEN 'weak' ELSE 'none' END,
           CASE WHEN j.verified = 'no_trend' THEN 'stable' WHEN j.higher_is_better IS NULL THEN 'unknown'
                WHEN (j.verified = 'increasing') = j.higher_is_better THEN 'improving' ELSE 'worsening' END,
           $4
    FROM judged AS j
    ON CONFLICT (restaurant_id, metric_name, sop_id, grain, period_start, method) DO UPDATE
    SET period_end = excluded.period_end, n = excluded.n, n_missing = excluded.n_missing, direction = excluded.direction,
        slope = excluded.slope, slope_low = excluded.slope_low, slope_high = excluded.slope_high,
        intercept = excluded.intercept, tau = excluded.tau, statistic = excluded.statistic, p_value = excluded.p_value,
        adjusted_p_value = excluded.adjusted_p_value, r2 = excluded.r2, autocorrelation = excluded.autocorrelation,
        mean_level = excluded.mean_level, first_level = excluded.first_level, last_level = excluded.last_level,
        percent_per_period = excluded.percent_per_period, significance = excluded.significance, verdict = excluded.verdict,
        computed_at = excluded.computed_at, run_id = excluded.run_id
    RETURNING known.period_end
)
SELECT pg_catalog.count(*), pg_catalog.min(period_end), pg_catalog.max(period_end) FROM stored
