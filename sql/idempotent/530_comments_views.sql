-- What the views show. A column that comes straight from a table has that column's comment.
COMMENT ON MATERIALIZED VIEW sop_ml_storage.sop_daily_performance_summary IS
'Daily performance of every restaurant, metric and SOP, refreshed by the nightly run; read it through sop_ml.sop_daily_performance_summary.';
COMMENT ON MATERIALIZED VIEW sop_ml_storage.sop_weekly_performance_trends IS
'The newest trend of every series in each local week, refreshed by the nightly run; read it through sop_ml.sop_weekly_performance_trends.';
COMMENT ON VIEW sop_ml.sop_daily_performance_summary IS
'Daily performance per metric and SOP over 400 days, with the comparison to the baseline and to the previous day. As of the last nightly run.';
COMMENT ON VIEW sop_ml.sop_weekly_performance_trends IS
'Trend per metric, SOP and week over 104 weeks: direction, slope with interval, significance. As of the last nightly run.';
COMMENT ON VIEW sop_ml.sop_open_alerts IS
'Alerts that are not resolved, worst first, with the name of the restaurant and how long they have been open.';
COMMENT ON VIEW sop_ml.sop_latest_performance IS
'Where each metric of each SOP stands: its latest open day with observations, against the baseline and the day before.';
COMMENT ON VIEW sop_ml.sop_performance_day_status IS
'Every local day that was rolled up with the number of its series: measured, closed, or missing (open, but without data). For example the days whose data never came: SELECT local_date FROM sop_ml.sop_performance_day_status WHERE status = ''missing'' ORDER BY local_date;';
COMMENT ON VIEW sop_ml.performance_vs_baseline IS
'The latest finished open bucket of every series that has a current baseline, against the one that counts: a target first, then weekday_hour and weekday, then shrunken, ewma, rolling_median, rolling_mean, previous_year, fixed_window, and peer_quantile last.';
COMMENT ON VIEW sop_ml.sop_performance_aggregate_states IS
'The mergeable states of sop_performance_aggregates as typed values, for rollup() and the accessors.';
COMMENT ON VIEW sop_ml.sop_performance_baseline_states IS
'The mergeable states of sop_performance_baselines as typed values, for rollup() and the accessors.';
COMMENT ON VIEW sop_ml.sop_ab_result_states IS
'The mergeable states of sop_ab_results as typed values, for rollup() and the accessors.';

DO $columns$
DECLARE
    view_column record;
BEGIN
    FOR view_column IN
        SELECT v.oid::pg_catalog.regclass AS view, a.attname AS name, d.description
        FROM (VALUES
            ('sop_ml_storage.sop_daily_performance_summary', 'sop_performance_aggregates'),
            ('sop_ml.sop_daily_performance_summary',         'sop_performance_aggregates'),
            ('sop_ml_storage.sop_weekly_performance_trends', 'sop_performance_trends'),
            ('sop_ml.sop_weekly_performance_trends',         'sop_performance_trends'),
            ('sop_ml.sop_open_alerts',                       'sop_alerts'),
            ('sop_ml.sop_latest_performance',                'sop_performance_aggregates'),
            ('sop_ml.sop_performance_day_status',            'sop_performance_days'),
            ('sop_ml.performance_vs_baseline',               'sop_performance_aggregates'),
            ('sop_ml.performance_vs_baseline',               'sop_performance_baselines'),
            ('sop_ml.sop_performance_aggregate_states', 'sop_performance_aggregates'),
            ('sop_ml.sop_performance_baseline_states', 'sop_performance_baselines'),
            ('sop_ml.sop_ab_result_states',                  'sop_ab_results')
        ) AS origin (view_name, table_name)
        JOIN pg_catalog.pg_class AS v ON v.oid = origin.view_name::pg_catalog.regclass
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_catalog.pg_class AS t
            ON t.relname = origin.table_name AND t.relnamespace = 'sop_ml'::pg_catalog.regnamespace
        JOIN pg_catalog.pg_attribute AS b ON b.attrelid = t.oid AND b.attname = a.attname
        JOIN pg_catalog.pg_description AS d
            ON d.objoid = t.oid AND d.objsubid = b.attnum AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
        -- Where two tables have a column of this name, the aggregates explain it last.
        ORDER BY v.oid, a.attnum, t.relname DESC
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', view_column.view, view_column.name, view_column.description);
    END LOOP;
END
$columns$;

COMMENT ON COLUMN sop_ml_storage.sop_weekly_performance_trends.week_start IS
'Monday of the local week in which the analysed period ended.';
COMMENT ON COLUMN sop_ml.sop_weekly_performance_trends.week_start IS
'Monday of the local week in which the analysed period ended.';
COMMENT ON COLUMN sop_ml.sop_open_alerts.restaurant_name IS 'Name of the restaurant; NULL for alerts about the installation.';
COMMENT ON COLUMN sop_ml.sop_open_alerts.open_for IS 'Time since the alert was raised first.';
COMMENT ON COLUMN sop_ml.sop_latest_performance.restaurant_name IS 'Name of the restaurant.';
COMMENT ON COLUMN sop_ml.sop_latest_performance.sop_title IS 'Title of the SOP, where its content is known.';
COMMENT ON COLUMN sop_ml.sop_performance_day_status.series IS 'How many metrics of SOPs have a bucket of the day.';
COMMENT ON COLUMN sop_ml.sop_performance_day_status.status IS 'measured: there are buckets; closed: there are none, and the house was closed; missing: there are none although it was open.';
COMMENT ON COLUMN sop_ml.performance_vs_baseline.n IS 'Observations of the bucket, those that are NULL or not finite left out.';
COMMENT ON COLUMN sop_ml.performance_vs_baseline.level IS 'Rate, mean, or total of a count.';
COMMENT ON COLUMN sop_ml.performance_vs_baseline.segment IS 'Part of the week that the baseline holds for; empty for all.';
COMMENT ON COLUMN sop_ml.performance_vs_baseline.difference IS 'level - baseline_value.';
COMMENT ON COLUMN sop_ml.performance_vs_baseline.percent IS 'Difference in percent of the size of the baseline.';
COMMENT ON COLUMN sop_ml.performance_vs_baseline.difference_low IS 'Lower bound of the 95 % interval of the difference.';
COMMENT ON COLUMN sop_ml.performance_vs_baseline.difference_high IS 'Upper bound of that interval.';
COMMENT ON COLUMN sop_ml.performance_vs_baseline.p_value IS 'p value of the difference, 0 to 1, not adjusted: one series looked at on its own.';
COMMENT ON COLUMN sop_ml.performance_vs_baseline.verdict IS 'better or worse where somebody said which direction is good, else higher or lower; no_difference; insufficient_data.';
COMMENT ON COLUMN sop_ml.sop_performance_aggregate_states.stats IS 'Count, moments, minimum and maximum of the values.';
COMMENT ON COLUMN sop_ml.sop_performance_aggregate_states.percentiles IS 'Sketch of the distribution of the values.';
COMMENT ON COLUMN sop_ml.sop_performance_aggregate_states.users IS 'Sketch of the distinct people, for days and longer periods.';
COMMENT ON COLUMN sop_ml.sop_performance_baseline_states.stats IS 'Count, moments, minimum and maximum of the values.';
COMMENT ON COLUMN sop_ml.sop_performance_baseline_states.percentiles IS 'Sketch of the distribution of the values.';
COMMENT ON COLUMN sop_ml.sop_ab_result_states.stats IS 'Count, moments, minimum and maximum of the values.';

COMMENT ON VIEW sop_ml.sop_training_exclusions IS 'People whose data no training and no recommendation reads: they denied training or personalisation, or their profile is erased. Statements that learn from people leave them out by NOT EXISTS; see docs/privacy.md.';
COMMENT ON COLUMN sop_ml.sop_training_exclusions.restaurant_id IS 'Restaurant (tenant key).';
COMMENT ON COLUMN sop_ml.sop_training_exclusions.user_id IS 'Person; listed once per reason.';
COMMENT ON COLUMN sop_ml.sop_training_exclusions.reason IS 'training denied, personalisation denied or erased.';
