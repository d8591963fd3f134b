-- Compares buckets of one grain with the period before, with the same period of last year and with what is usual, adjusts
-- the p-values, finds the words, and prices the difference where a current baseline or target says what a unit is worth.
-- $1 restaurants and $2 first local dates of what was recomputed, $3 grain. What these periods are a reference for is compared
-- anew. Each series is read once, in order, and handed over as arrays; rows are written by key (INSERT … ON CONFLICT; every
-- row exists), because joins would be planned from statistics that a first load does not have yet. Rows whose answer
-- is what they already hold are not written.
WITH reach AS (
    SELECT back.step, ahead.main, ahead.again_from, ahead.again_to, back.window_back
    FROM (VALUES ('day', interval '0', interval '28 days'), ('week', interval '7 days', interval '84 days'),
                 ('month', interval '1 month', interval '12 months'), ('quarter', interval '3 months', interval '24 months'),
                 ('year', interval '1 year', interval '10 years')) AS back (grain, step, window_back)
    -- Longer periods that last year's is a reference for lie within the window.
    JOIN (VALUES ('day', interval '28 days', interval '364 days', interval '364 days'),
                 ('week', interval '84 days', interval '357 days', interval '371 days'),
                 ('month', interval '12 months', interval '0', interval '0'),
                 ('quarter', interval '24 months', interval '0', interval '0'),
                 ('year', interval '10 years', interval '0', interval '0')) AS ahead (grain, main, again_from, again_to)
        ON ahead.grain = back.grain
    WHERE back.grain = $3
), scope AS MATERIALIZED (
    SELECT c.restaurant_id,
           pg_catalog.range_agg(pg_catalog.daterange((c.local_date - r.step)::date, (c.local_date + r.main)::date, '[]'))
               + pg_catalog.range_agg(pg_catalog.daterange((c.local_date + r.again_from)::date, (c.local_date + r.again_to)::date,
                                                           '[]')) AS wanted
    FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::date[])) AS c (restaurant_id, local_date)
    CROSS JOIN reach AS r
    GROUP BY c.restaurant_id
), reading AS MATERIALIZED (
    -- A week has its partner of last year 357 to 371 days before, a day 364.
    -- Of a running period so much is over as whole hours are: runs within one hour say the same.
    SELECT s.restaurant_id, s.wanted, span.days, span.from_time, span.to_time,
           least(pg_catalog.date_trunc('hour', pg_catalog.now(), 'UTC'), newest.ends_at) AS data_end
    FROM scope AS s
    CROSS JOIN LATERAL (
        SELECT pg_catalog.range_agg(near.days) + pg_catalog.range_agg(far.days) AS days
        FROM pg_catalog.unnest(s.wanted) AS w (days)
        CROSS JOIN reach AS r
        CROSS JOIN LATERAL (SELECT pg_catalog.daterange((lower(w.days) - r.window_back)::date, upper(w.days))) AS near (days)
        CROSS JOIN LATERAL (SELECT CASE $3 WHEN 'day' THEN pg_catalog.daterange(lower(w.days) - 364, upper(w.days) - 364)
            WHEN 'week' THEN pg_catalog.daterange(lower(w.days) - 371, upper(w.days) - 357) ELSE near.days END) AS far (days)
    ) AS u
    CROSS JOIN LATERAL (
        SELECT part.days, lower(part.days)::timestamp AT TIME ZONE 'UTC' - interval '1 day',
               upper(part.days)::timestamp AT TIME ZONE 'UTC' + interval '1 day'
        FROM pg_catalog.unnest(u.days) AS part (days)
    ) AS span (days, from_time, to_time)
    CROSS JOIN LATERAL (
        SELECT pg_catalog.max(d.ends_at) AS ends_at
        FROM sop_ml.sop_performance_days AS d
        WHERE d.restaurant_id = s.restaurant_id AND d.starts_at <= pg_catalog.now()
    ) AS newest
), bucket AS (
    SELECT a.restaurant_id, a.metric_name, a.sop_id, a.segment, a.local_date, a.bucket_start, a.bucket_end, a.n, a.total, a.mean,
           a.stddev, a.numerator, a.denominator, a.is_closed, r.data_end, judged.is_wanted,
           a.bucket_end > r.data_end AS is_running,
           pg_catalog.date_part('epoch', least(a.bucket_end, greatest(r.data_end, a.bucket_start)) - a.bucket_start) / 86400 AS days,
           days.stddev AS days_stddev, days.autocorrelation AS days_autocorrelation, days.n AS days_n,
           CASE WHEN judged.is_wanted THEN pg_catalog.hash_record_extended(ROW(
               a.previous_mean, a.previous_difference, a.previous_percent, a.previous_low, a.previous_high, a.previous_p_value,
               a.previous_adjusted_p_value, a.previous_effect_size, a.previous_verdict,
               a.last_year_mean, a.last_year_difference, a.last_year_percent, a.last_year_low, a.last_year_high,
               a.last_year_p_value, a.last_year_adjusted_p_value, a.last_year_effect_size, a.last_year_verdict,
               a.baseline_mean, a.baseline_difference, a.baseline_percent, a.baseline_low, a.baseline_high, a.baseline_p_value,
               a.baseline_adjusted_p_value, a.baseline_effect_size, a.baseline_verdict, a.baseline_n, a.baseline_stddev,
               a.baseline_autocorrelation, a.business_impact, a.impact_currency, a.roi), 0) ELSE 0 END AS held
    FROM reading AS r
    -- OFFSET 0: each range through the index. A join would read the whole history of the restaurants.
    CROSS JOIN LATERAL (
        SELECT h.*
        FROM sop_ml.sop_performance_aggregates AS h
        WHERE h.restaurant_id = r.restaurant_id AND h.grain = $3 AND h.bucket_start >= r.from_time AND h.bucket_start < r.to_time
          AND h.local_date <@ r.days
        OFFSET 0
    ) AS a
    CROSS JOIN LATERAL (SELECT a.local_date <@ r.wanted AND NOT a.is_closed) AS judged (is_wanted)
    -- What the spread of days was at the end of a longer period: the comparison of days has found it.
    LEFT JOIN LATERAL (
        SELECT d.baseline_stddev, d.baseline_autocorrelation, d.baseline_n
        FROM sop_ml.sop_performance_aggregates AS d
        WHERE $3 <> 'day' AND judged.is_wanted AND d.restaurant_id = a.restaurant_id AND d.metric_name = a.metric_name
          AND d.sop_id = a.sop_id AND d.grain = 'day' AND d.bucket_start >= a.bucket_start AND d.bucket_start < a.bucket_end
          AND d.segment = a.segment AND d.baseline_n IS NOT NULL
        ORDER BY d.bucket_start DESC
        LIMIT 1
    ) AS days (stddev, autocorrelation, n) ON true
    ORDER BY a.restaurant_id, a.metric_name, a.sop_id, a.segment, a.local_date, a.bucket_start
), series AS MATERIALIZED (
    SELECT b.restaurant_id, b.metric_name, b.sop_id, b.segment,
           pg_catalog.array_agg(b.bucket_start) AS starts, pg_catalog.array_agg(b.bucket_end) AS ends,
           pg_catalog.array_agg(b.local_date - date '2000-01-01') AS first_days, pg_catalog.array_agg(b.days) AS days,
           pg_catalog.array_agg(b.n::float8) AS n, pg_catalog.array_agg(b.total) AS total, pg_catalog.array_agg(b.mean) AS mean,
           pg_catalog.array_agg(b.stddev) AS stddev, pg_catalog.array_agg(b.numerator) AS numerator,
           pg_catalog.array_agg(b.denominator) AS denominator, pg_catalog.array_agg(b.is_closed) AS closed,
           pg_catalog.array_agg(coalesce(b.is_running, false)) AS running, pg_catalog.array_agg(b.is_wanted) AS wanted,
           pg_catalog.array_agg(b.days_stddev) AS days_stddev,
           pg_catalog.array_agg(b.days_autocorrelation) AS days_autocorrelation,
           pg_catalog.array_agg(b.days_n::float8) AS days_n, pg_catalog.array_agg(b.held) AS held
    FROM bucket AS b
    GROUP BY b.restaurant_id, b.metric_name, b.sop_id, b.segment
    HAVING pg_catalog.bool_or(b.is_wanted)
), compared AS MATERIALIZED (
    SELECT s.restaurant_id, s.metric_name, s.sop_id, s.segment, s.starts[c.place] AS bucket_start, s.ends[c.place] AS bucket_end,
           date '2000-01-01' + s.first_days[c.place] AS local_date, s.held[c.place] AS held,
           CASE WHEN s.mean[c.place] IS NULL AND s.denominator[c.place] IS NULL THEN 1
                ELSE coalesce(s.denominator[c.place], s.n[c.place]) END AS concerned,
           known.*, c.*,
           CASE WHEN c.previous_standing > 0 THEN c.previous_p_value END AS previous_p,
           CASE WHEN c.last_year_standing > 0 THEN c.last_year_p_value END AS last_year_p,
           CASE WHEN c.baseline_standing > 0 THEN c.baseline_p_value END AS baseline_p
    FROM series AS s
    CROSS JOIN LATERAL (
        SELECT pg_catalog.bool_or(b.higher_is_better) AS higher_is_better,
               pg_catalog.max(b.value_per_unit) FILTER (WHERE b.grain = $3) AS value_per_unit,
               pg_catalog.max(b.intervention_cost) FILTER (WHERE b.grain = $3) AS intervention_cost,
               pg_catalog.max(b.impact_currency) FILTER (WHERE b.grain = $3) AS priced_in
        FROM sop_ml.sop_performance_baselines AS b
        WHERE b.restaurant_id = s.restaurant_id AND b.metric_name = s.metric_name AND b.sop_id = s.sop_id AND b.is_current
    ) AS known
    CROSS JOIN LATERAL sop_ml.compare_bucket_series($3, s.first_days, s.days, s.n, s.total, s.mean, s.stddev, s.numerator,
        s.denominator, s.closed, s.running, s.wanted, s.days_stddev, s.days_autocorrelation, s.days_n) AS c
), placed AS (
    -- The family of a p-value: all series of the restaurant in the same period, chosen dimensions on their own.
    SELECT c.*, c.segment = '' AS is_whole,
           pg_catalog.row_number() OVER (PARTITION BY c.restaurant_id, c.local_date, c.segment = '' ORDER BY c.previous_p) AS previous_place,
           pg_catalog.row_number() OVER (PARTITION BY c.restaurant_id, c.local_date, c.segment = '' ORDER BY c.last_year_p) AS last_year_place,
           pg_catalog.row_number() OVER (PARTITION BY c.restaurant_id, c.local_date, c.segment = '' ORDER BY c.baseline_p) AS baseline_place,
           pg_catalog.count(c.previous_p) OVER family AS previous_tests, pg_catalog.count(c.last_year_p) OVER family AS last_year_tests,
           pg_catalog.count(c.baseline_p) OVER family AS baseline_tests
    FROM compared AS c
    WINDOW family AS (PARTITION BY c.restaurant_id, c.local_date, c.segment = '')
), adjusted AS (
    SELECT p.*,
           CASE WHEN p.previous_p IS NOT NULL THEN least(1, pg_catalog.min(p.previous_p * p.previous_tests / p.previous_place) OVER (
               PARTITION BY p.restaurant_id, p.local_date, p.is_whole ORDER BY p.previous_place DESC ROWS UNBOUNDED PRECEDING)) END
               AS previous_adjusted,
           CASE WHEN p.last_year_p IS NOT NULL THEN least(1, pg_catalog.min(p.last_year_p * p.last_year_tests / p.last_year_place) OVER (
               PARTITION BY p.restaurant_id, p.local_date, p.is_whole ORDER BY p.last_year_place DESC ROWS UNBOUNDED PRECEDING)) END
               AS last_year_adjusted,
           CASE WHEN p.baseline_p IS NOT NULL THEN least(1, pg_catalog.min(p.baseline_p * p.baseline_tests / p.baseline_place) OVER (
               PARTITION BY p.restaurant_id, p.local_date, p.is_whole ORDER BY p.baseline_place DESC ROWS UNBOUNDED PRECEDING)) END
               AS baseline_adjusted
    FROM placed AS p
), worded AS (
    SELECT a.*, money.impact, CASE WHEN money.impact IS NOT NULL THEN a.priced_in END AS currency,
           (money.impact - a.intervention_cost) / nullif(a.intervention_cost, 0) AS return_on_cost,
           sop_ml.comparison_verdict(a.previous_standing, a.previous_difference, a.previous_adjusted, a.higher_is_better)
               AS previous_word,
           sop_ml.comparison_verdict(a.last_year_standing, a.last_year_difference, a.last_year_adjusted, a.higher_is_better)
               AS last_year_word,
           sop_ml.comparison_verdict(a.baseline_standing, a.baseline_difference, a.baseline_adjusted, a.higher_is_better)
               AS baseline_word
    FROM adjusted AS a
    -- A difference of means concerns every measurement, one of rates every trial, one of counts itself.
    CROSS JOIN LATERAL (SELECT a.baseline_difference * a.value_per_unit * a.concerned) AS money (impact)
)
INSERT INTO sop_ml.sop_performance_aggregates AS stored (
    restaurant_id, metric_name, sop_id, grain, segment, bucket_start, bucket_end, local_date,
    previous_mean, previous_difference, previous_percent, previous_low, previous_high, previous_p_value, previous_adjusted_p_value,
    previous_effect_size, previous_verdict,
    last_year_mean, last_year_difference, last_year_percent, last_year_low, last_year_high, last_year_p_value,
    last_year_adjusted_p_value, last_year_effect_size, last_year_verdict,
    baseline_mean, baseline_difference, baseline_percent, baseline_low, baseline_high, baseline_p_value, baseline_adjusted_p_value,
    baseline_effect_size, baseline_verdict, baseline_n, baseline_stddev, baseline_autocorrelation,
    business_impact, impact_currency, roi)
SELECT w.restaurant_id, w.metric_name, w.sop_id, $3, w.segment, w.bucket_start, w.bucket_end, w.local_date,
       w.previous_mean, w.previous_difference, w.previous_percent, w.previous_low, w.previous_high, w.previous_p_value,
       w.previous_adjusted, w.previous_effect_size, w.previous_word,
       w.last_year_mean, w.last_year_difference, w.last_year_percent, w.last_year_low, w.last_year_high, w.last_year_p_value,
       w.last_year_adjusted, w.last_year_effect_size, w.last_year_word,
       w.baseline_mean, w.baseline_difference, w.baseline_percent, w.baseline_low, w.baseline_high, w.baseline_p_value,
       w.baseline_adjusted, w.baseline_effect_size, w.baseline_word, w.usual_n, w.usual_stddev, w.usual_autocorrelation,
       w.impact, w.currency, w.return_on_cost
FROM worded AS w
WHERE w.held <> pg_catalog.hash_record_extended(ROW(
       w.previous_mean, w.previous_difference, w.previous_percent, w.previous_low, w.previous_high, w.previous_p_value,
       w.previous_adjusted, w.previous_effect_size, w.previous_word,
       w.last_year_mean, w.last_year_difference, w.last_year_percent, w.last_year_low, w.last_year_high, w.last_year_p_value,
       w.last_year_adjusted, w.last_year_effect_size, w.last_year_word,
       w.baseline_mean, w.baseline_difference, w.baseline_percent, w.baseline_low, w.baseline_high, w.baseline_p_value,
       w.baseline_adjusted, w.baseline_effect_size, w.baseline_word, w.usual_n, w.usual_stddev, w.usual_autocorrelation,
       w.impact, w.currency, w.return_on_cost), 0)
ON CONFLICT (restaurant_id, metric_name, sop_id, grain, bucket_start, segment) DO UPDATE
SET previous_mean = excluded.previous_mean, previous_difference = excluded.previous_difference,
    previous_percent = excluded.previous_percent, previous_low = excluded.previous_low, previous_high = excluded.previous_high,
    previous_p_value = excluded.previous_p_value, previous_adjusted_p_value = excluded.previous_adjusted_p_value,
    previous_effect_size = excluded.previous_effect_size, previous_verdict = excluded.previous_verdict,
    last_year_mean = excluded.last_year_mean, last_year_difference = excluded.last_year_difference,
    last_year_percent = excluded.last_year_percent, last_year_low = excluded.last_year_low, last_year_high = excluded.last_year_high,
    last_year_p_value = excluded.last_year_p_value, last_year_adjusted_p_value = excluded.last_year_adjusted_p_value,
    last_year_effect_size = excluded.last_year_effect_size, last_year_verdict = excluded.last_year_verdict,
    baseline_mean = excluded.baseline_mean, baseline_difference = excluded.baseline_difference,
    baseline_percent = excluded.baseline_percent, baseline_low = excluded.baseline_low, baseline_high = excluded.baseline_high,
    baseline_p_value = excluded.baseline_p_value, baseline_adjusted_p_value = excluded.baseline_adjusted_p_value,
    baseline_effect_size = excluded.baseline_effect_size, baseline_verdict = excluded.baseline_verdict,
    baseline_n = excluded.baseline_n, baseline_stddev = excluded.baseline_stddev,
    baseline_autocorrelation = excluded.baseline_autocorrelation, business_impact = excluded.business_impact,
    impact_currency = excluded.impact_currency, roi = excluded.roi
