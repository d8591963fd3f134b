-- 038 performance aggregates: what each metric did per SOP and local period, where it is heading, what it should be.
-- The daily and weekly summaries over these tables are materialized views, made by sql/idempotent/200_views.sql.

-- Whole buckets are deleted and written anew. Most of them are hours, which nothing changes in between; the comparisons
-- of longer grains do, and no measure is indexed so that those updates can stay within their page.
CREATE TABLE sop_ml.sop_performance_aggregates (
    restaurant_id              uuid NOT NULL,
    metric_name                text NOT NULL,
    sop_id                     uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    grain                      text NOT NULL,
    segment                    text NOT NULL DEFAULT '',
    bucket_start               timestamptz NOT NULL,
    bucket_end                 timestamptz NOT NULL,
    local_date                 date NOT NULL,
    n                          bigint NOT NULL DEFAULT 0,
    total                      float8,
    mean                       float8,
    stddev                     float8,
    minimum                    float8,
    maximum                    float8,
    p50                        float8,
    p90                        float8,
    p95                        float8,
    p99                        float8,
    mean_low                   float8,
    mean_high                  float8,
    numerator                  float8,
    denominator                float8,
    rate                       float8,
    rate_low                   float8,
    rate_high                  float8,
    distinct_users             bigint,
    stats_state                bytea,
    percentile_state           bytea,
    users_state                bytea,
    is_closed                  boolean NOT NULL DEFAULT false,
    previous_mean              float8,
    previous_difference        float8,
    previous_percent           float8,
    previous_low               float8,
    previous_high              float8,
    previous_p_value           float8,
    previous_adjusted_p_value  float8,
    previous_effect_size       float8,
    previous_verdict           text,
    last_year_mean             float8,
    last_year_difference       float8,
    last_year_percent          float8,
    last_year_low              float8,
    last_year_high             float8,
    last_year_p_value          float8,
    last_year_adjusted_p_value float8,
    last_year_effect_size      float8,
    last_year_verdict          text,
    baseline_mean              float8,
    baseline_difference        float8,
    baseline_percent           float8,
    baseline_low               float8,
    baseline_high              float8,
    baseline_p_value           float8,
    baseline_adjusted_p_value  float8,
    baseline_effect_size       float8,
    baseline_verdict           text,
    baseline_n                 bigint,
    baseline_stddev            float8,
    baseline_autocorrelation   float8,
    business_impact            float8,
    impact_currency            text,
    roi                        float8,
    quality_score              float8,
    computed_at                timestamptz NOT NULL DEFAULT now(),
    run_id                     uuid,
    CONSTRAINT sop_performance_aggregates_pkey
        PRIMARY KEY (restaurant_id, metric_name, sop_id, grain, bucket_start, segment),
    CONSTRAINT sop_performance_aggregates_metric_name_check CHECK (metric_name <> ''),
    CONSTRAINT sop_performance_aggregates_grain_check
        CHECK (grain IN ('hour', 'day', 'week', 'month', 'quarter', 'year')),
    CONSTRAINT sop_performance_aggregates_segment_check CHECK (CASE segment WHEN '' THEN true
        ELSE jsonb_typeof(segment::jsonb) = 'object' AND octet_length(segment) <= 800 END),
    CONSTRAINT sop_performance_aggregates_bucket_check CHECK (bucket_end > bucket_start),
    CONSTRAINT sop_performance_aggregates_n_check CHECK (n >= 0 AND distinct_users >= 0),
    CONSTRAINT sop_performance_aggregates_stddev_check CHECK (stddev >= 0),
    CONSTRAINT sop_performance_aggregates_rate_check CHECK (rate BETWEEN 0 AND 1 AND rate_low >= 0 AND rate_high <= 1),
    CONSTRAINT sop_performance_aggregates_p_value_check CHECK (previous_p_value BETWEEN 0 AND 1
        AND last_year_p_value BETWEEN 0 AND 1 AND baseline_p_value BETWEEN 0 AND 1
        AND previous_adjusted_p_value BETWEEN 0 AND 1 AND last_year_adjusted_p_value BETWEEN 0 AND 1
        AND baseline_adjusted_p_value BETWEEN 0 AND 1),
    CONSTRAINT sop_performance_aggregates_interval_check CHECK (previous_low <= previous_high
        AND last_year_low <= last_year_high AND baseline_low <= baseline_high),
    CONSTRAINT sop_performance_aggregates_previous_verdict_check CHECK (previous_verdict
        IN ('better', 'worse', 'higher', 'lower', 'no_difference', 'insufficient_data')),
    CONSTRAINT sop_performance_aggregates_last_year_verdict_check CHECK (last_year_verdict
        IN ('better', 'worse', 'higher', 'lower', 'no_difference', 'insufficient_data')),
    CONSTRAINT sop_performance_aggregates_baseline_verdict_check CHECK (baseline_verdict
        IN ('better', 'worse', 'higher', 'lower', 'no_difference', 'insufficient_data')),
    CONSTRAINT sop_performance_aggregates_baseline_spread_check CHECK (baseline_n >= 0 AND baseline_stddev >= 0
        AND baseline_autocorrelation BETWEEN 0 AND 1),
    CONSTRAINT sop_performance_aggregates_impact_currency_check CHECK (impact_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT sop_performance_aggregates_quality_score_check CHECK (quality_score BETWEEN 0 AND 100)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- All SOPs and metrics of a restaurant in one period: the morning's report and the period-over-period comparison.
CREATE INDEX sop_performance_aggregates_period_idx
    ON sop_ml.sop_performance_aggregates (restaurant_id, grain, bucket_start DESC);
-- Calendar look-ups by the restaurant's local day.
CREATE INDEX sop_performance_aggregates_local_day_idx
    ON sop_ml.sop_performance_aggregates (restaurant_id, local_date, metric_name) WHERE grain = 'day';
-- Chosen dimensions are few among the buckets: readers of one dimension, and the roll-up of their longer periods.
CREATE INDEX sop_performance_aggregates_segment_idx
    ON sop_ml.sop_performance_aggregates (restaurant_id, grain, bucket_start DESC) WHERE segment <> '';
-- Retention and the summaries' window over all restaurants.
CREATE INDEX sop_performance_aggregates_time_brin ON sop_ml.sop_performance_aggregates USING brin (bucket_start)
    WITH (pages_per_range = 64, autosummarize = on);

-- The local days that were rolled up. A day without buckets is closed or without data: this table tells which, without
-- buckets of zeros.
CREATE TABLE sop_ml.sop_performance_days (
    restaurant_id uuid NOT NULL,
    local_date    date NOT NULL,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL,
    is_closed     boolean NOT NULL DEFAULT false,
    open_at       tstzmultirange NOT NULL DEFAULT '{}',
    computed_at   timestamptz NOT NULL DEFAULT now(),
    run_id        uuid,
    CONSTRAINT sop_performance_days_pkey PRIMARY KEY (restaurant_id, local_date),
    CONSTRAINT sop_performance_days_bounds_check CHECK (ends_at > starts_at)
);

CREATE TABLE sop_ml.sop_performance_trends (
    restaurant_id          uuid NOT NULL,
    metric_name            text NOT NULL,
    sop_id                 uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    grain                  text NOT NULL,
    period_start           timestamptz NOT NULL,
    method                 text NOT NULL DEFAULT 'mann_kendall',
    period_end             timestamptz NOT NULL,
    n                      bigint NOT NULL DEFAULT 0,
    n_missing              bigint NOT NULL DEFAULT 0,
    direction              text NOT NULL DEFAULT 'no_trend',
    slope                  float8,
    slope_low              float8,
    slope_high             float8,
    intercept              float8,
    tau                    float8,
    statistic              float8,
    p_value                float8,
    adjusted_p_value       float8,
    r2                     float8,
    autocorrelation        float8,
    mean_level             float8,
    first_level            float8,
    last_level             float8,
    percent_per_period     float8,
    confidence_level       float8 NOT NULL DEFAULT 0.95,
    significance           text NOT NULL DEFAULT 'none',
    verdict                text,
    projected_value        float8,
    projected_at           timestamptz,
    business_impact        float8,
    impact_currency        text,
    computed_at            timestamptz NOT NULL DEFAULT now(),
    run_id                 uuid,
    CONSTRAINT sop_performance_trends_pkey
        PRIMARY KEY (restaurant_id, metric_name, sop_id, grain, period_start, method),
    CONSTRAINT sop_performance_trends_metric_name_check CHECK (metric_name <> ''),
    CONSTRAINT sop_performance_trends_grain_check
        CHECK (grain IN ('hour', 'day', 'week', 'month', 'quarter', 'year')),
    CONSTRAINT sop_performance_trends_period_check CHECK (period_end > period_start),
    CONSTRAINT sop_performance_trends_n_check CHECK (n >= 0 AND n_missing >= 0),
    CONSTRAINT sop_performance_trends_direction_check CHECK (direction IN ('increasing', 'decreasing', 'no_trend')),
    CONSTRAINT sop_performance_trends_slope_check CHECK (slope_high >= slope_low),
    CONSTRAINT sop_performance_trends_tau_check CHECK (tau BETWEEN -1 AND 1),
    CONSTRAINT sop_performance_trends_p_value_check
        CHECK (p_value BETWEEN 0 AND 1 AND adjusted_p_value BETWEEN 0 AND 1),
    CONSTRAINT sop_performance_trends_confidence_level_check CHECK (confidence_level > 0 AND confidence_level < 1),
    CONSTRAINT sop_performance_trends_significance_check
        CHECK (significance IN ('none', 'weak', 'moderate', 'strong', 'insufficient_data')),
    CONSTRAINT sop_performance_trends_verdict_check CHECK (verdict IN ('improving', 'worsening', 'stable', 'unknown')),
    CONSTRAINT sop_performance_trends_impact_currency_check CHECK (impact_currency ~ '^[A-Z]{3}$')
) WITH (fillfactor = 80);

-- The newest trends that mean something, for the morning's report.
CREATE INDEX sop_performance_trends_significant_idx
    ON sop_ml.sop_performance_trends (restaurant_id, grain, period_end DESC)
    INCLUDE (metric_name, sop_id, direction) WHERE direction <> 'no_trend';
CREATE INDEX sop_performance_trends_time_brin ON sop_ml.sop_performance_trends USING brin (period_end)
    WITH (pages_per_range = 64, autosummarize = on);

-- Baselines computed from history and targets set by people. Versions are kept: a comparison can be repeated later
-- against the baseline that was valid then.
CREATE TABLE sop_ml.sop_performance_baselines (
    restaurant_id      uuid NOT NULL,
    metric_name        text NOT NULL,
    sop_id             uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    grain              text NOT NULL,
    method             text NOT NULL,
    segment            text NOT NULL DEFAULT '',
    version            integer NOT NULL DEFAULT 1,
    baseline_value     float8 NOT NULL,
    lower_bound        float8,
    upper_bound        float8,
    confidence_level   float8 NOT NULL DEFAULT 0.95,
    stddev             float8,
    n                  bigint,
    stats_state        bytea,
    percentile_state   bytea,
    window_start       timestamptz,
    window_end         timestamptz,
    excluded_buckets   bigint NOT NULL DEFAULT 0,
    shrinkage          float8,
    peer_restaurants   bigint,
    parameters         jsonb NOT NULL DEFAULT '{}',
    is_target          boolean NOT NULL DEFAULT false,
    higher_is_better   boolean,
    unit               text NOT NULL DEFAULT '',
    value_per_unit     float8,
    intervention_cost  float8,
    impact_currency    text,
    set_by             text NOT NULL DEFAULT current_user,
    reason             text NOT NULL DEFAULT '',
    valid_from         timestamptz NOT NULL DEFAULT now(),
    valid_until        timestamptz,
    is_current         boolean NOT NULL DEFAULT true,
    computed_at        timestamptz NOT NULL DEFAULT now(),
    run_id             uuid,
    CONSTRAINT sop_performance_baselines_pkey
        PRIMARY KEY (restaurant_id, metric_name, sop_id, grain, method, segment, version),
    CONSTRAINT sop_performance_baselines_restaurant_fkey FOREIGN KEY (restaurant_id)
        REFERENCES sop_ml.sop_restaurants (restaurant_id),
    CONSTRAINT sop_performance_baselines_metric_name_check CHECK (metric_name <> ''),
    CONSTRAINT sop_performance_baselines_grain_check
        CHECK (grain IN ('hour', 'day', 'week', 'month', 'quarter', 'year')),
    CONSTRAINT sop_performance_baselines_method_check CHECK (method IN ('target', 'rolling_mean', 'rolling_median',
        'weekday', 'weekday_hour', 'ewma', 'previous_year', 'peer_quantile', 'shrunken', 'fixed_window')),
    CONSTRAINT sop_performance_baselines_version_check CHECK (version >= 1),
    CONSTRAINT sop_performance_baselines_bounds_check CHECK (upper_bound >= lower_bound),
    CONSTRAINT sop_performance_baselines_confidence_level_check CHECK (confidence_level > 0 AND confidence_level < 1),
    CONSTRAINT sop_performance_baselines_stddev_check CHECK (stddev >= 0),
    CONSTRAINT sop_performance_baselines_counts_check
        CHECK (n >= 0 AND excluded_buckets >= 0 AND peer_restaurants >= 0),
    CONSTRAINT sop_performance_baselines_window_check CHECK (window_end > window_start),
    CONSTRAINT sop_performance_baselines_shrinkage_check CHECK (shrinkage BETWEEN 0 AND 1),
    CONSTRAINT sop_performance_baselines_parameters_check CHECK (jsonb_typeof(parameters) = 'object'),
    CONSTRAINT sop_performance_baselines_target_check CHECK (is_target = (method = 'target')),
    CONSTRAINT sop_performance_baselines_intervention_cost_check CHECK (intervention_cost >= 0),
    CONSTRAINT sop_performance_baselines_impact_currency_check CHECK (impact_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT sop_performance_baselines_validity_check CHECK (valid_until >= valid_from)
) WITH (fillfactor = 80);

-- One current version per baseline; the comparison reads it from here.
CREATE UNIQUE INDEX sop_performance_baselines_current_key
    ON sop_ml.sop_performance_baselines (restaurant_id, metric_name, sop_id, grain, method, segment)
    INCLUDE (baseline_value, stddev, n) WHERE is_current;

-- Where a restaurant stood among the restaurants of its kind that share what they learn, in one calendar month, and the figures
-- of that group: rounded, made once by the operator's run and never again, so that nobody learns anything from who joins or
-- leaves. Each member has a row of its own, so no tenant ever reads a row of another.
CREATE TABLE sop_ml.sop_peer_benchmarks (
    restaurant_id   uuid NOT NULL,
    metric_name     text NOT NULL,
    month           date NOT NULL,
    kind            text NOT NULL,
    measures        text NOT NULL,
    value           float8 NOT NULL,
    percentile_rank float8 NOT NULL,
    peers           bigint NOT NULL,
    quartile_1      float8 NOT NULL,
    median          float8 NOT NULL,
    quartile_3      float8 NOT NULL,
    computed_at     timestamptz NOT NULL DEFAULT now(),
    run_id          uuid,
    CONSTRAINT sop_peer_benchmarks_pkey PRIMARY KEY (restaurant_id, metric_name, month),
    CONSTRAINT sop_peer_benchmarks_restaurant_fkey FOREIGN KEY (restaurant_id)
        REFERENCES sop_ml.sop_restaurants (restaurant_id),
    CONSTRAINT sop_peer_benchmarks_measures_check CHECK (measures IN ('measurement', 'rate', 'count')),
    CONSTRAINT sop_peer_benchmarks_percentile_rank_check CHECK (percentile_rank BETWEEN 0 AND 100),
    CONSTRAINT sop_peer_benchmarks_peers_check CHECK (peers >= 0)
);
-- Whether a group has its figures already.
CREATE INDEX sop_peer_benchmarks_group_idx ON sop_ml.sop_peer_benchmarks (month, kind, metric_name);
