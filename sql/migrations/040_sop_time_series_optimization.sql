-- 040 time series: observations, what is learnt from them (patterns, forecasts, anomalies), and how long they are kept.

CREATE TABLE sop_ml.sop_time_series_data (
    restaurant_id uuid NOT NULL,
    metric_name   text NOT NULL,
    sop_id        uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    source        text NOT NULL DEFAULT '',
    observed_at   timestamptz NOT NULL,
    value         float8,
    dimensions    jsonb,
    unit          text,
    quality_flag  text,
    recorded_by   uuid,
    batch_id      uuid,
    ingested_at   timestamptz NOT NULL DEFAULT now(),
    replaced_at   timestamptz,
    CONSTRAINT sop_time_series_data_pkey PRIMARY KEY (restaurant_id, metric_name, sop_id, source, observed_at),
    CONSTRAINT sop_time_series_data_metric_name_check CHECK (metric_name <> '' AND length(metric_name) <= 200),
    CONSTRAINT sop_time_series_data_observed_at_check CHECK (isfinite(observed_at)),
    CONSTRAINT sop_time_series_data_dimensions_check CHECK (jsonb_typeof(dimensions) = 'object'),
    CONSTRAINT sop_time_series_data_quality_flag_check CHECK (quality_flag IN ('good', 'suspect', 'bad', 'imputed'))
) PARTITION BY RANGE (observed_at);
CREATE TABLE sop_ml_storage.sop_time_series_data_default PARTITION OF sop_ml.sop_time_series_data DEFAULT
    WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
-- Roll-ups read an hour or a day of every metric: rows arrive nearly in time order, so a block-range index does it.
CREATE INDEX sop_time_series_data_observed_brin ON sop_ml.sop_time_series_data
    USING brin (observed_at) WITH (pages_per_range = 32, autosummarize = on);

-- What each named batch came to: a device that sends one again, because it never saw the answer, gets the same answer.
CREATE TABLE sop_ml.sop_time_series_batches (
    restaurant_id uuid NOT NULL,
    batch_id      uuid NOT NULL,
    source        text NOT NULL DEFAULT '',
    inserted      bigint NOT NULL,
    updated       bigint NOT NULL,
    unchanged     bigint NOT NULL,
    rejected      bigint NOT NULL,
    n             bigint GENERATED ALWAYS AS (inserted + updated + unchanged + rejected) STORED,
    reasons       jsonb NOT NULL DEFAULT '{}',
    ingested_by   text NOT NULL DEFAULT current_user,
    ingested_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_time_series_batches_pkey PRIMARY KEY (restaurant_id, batch_id),
    CONSTRAINT sop_time_series_batches_counts_check
        CHECK (least(inserted, updated, unchanged, rejected) >= 0),
    CONSTRAINT sop_time_series_batches_reasons_check CHECK (jsonb_typeof(reasons) = 'object')
);
CREATE INDEX sop_time_series_batches_ingested_idx ON sop_ml.sop_time_series_batches (restaurant_id, ingested_at);

-- Times whose raw rows have left the tables. Buckets that were made of them stay as they are: what is still there, or comes
-- late, is not the whole truth.
CREATE TABLE sop_ml.sop_retired_periods (
    restaurant_id     uuid NOT NULL,
    relation_name     text NOT NULL,
    metric_name       text NOT NULL DEFAULT '',
    from_time         timestamptz NOT NULL,
    to_time           timestamptz NOT NULL,
    action            text NOT NULL,
    n                 bigint,
    bytes_before      bigint,
    bytes_after       bigint,
    compression_ratio float8 GENERATED ALWAYS AS (bytes_before::float8 / nullif(bytes_after, 0)) STORED,
    retired_by        text NOT NULL DEFAULT current_user,
    retired_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_retired_periods_pkey PRIMARY KEY (restaurant_id, relation_name, metric_name, from_time, action),
    CONSTRAINT sop_retired_periods_relation_name_check CHECK (relation_name <> ''),
    CONSTRAINT sop_retired_periods_times_check CHECK (from_time < to_time),
    CONSTRAINT sop_retired_periods_action_check CHECK (action IN ('archived', 'dropped', 'detached')),
    CONSTRAINT sop_retired_periods_n_check CHECK (n >= 0)
);

-- The archived rows: a bundle for each metric and month, more where one would need too much memory or rows came late.
CREATE TABLE sop_ml_storage.archive_bundles (
    restaurant_id uuid NOT NULL,
    relation_name text NOT NULL,
    from_time     timestamptz NOT NULL,
    metric_name   text NOT NULL DEFAULT '',
    part          integer NOT NULL,
    n             bigint NOT NULL,
    bytes_before  bigint NOT NULL,
    bundle        bytea NOT NULL,
    archived_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT archive_bundles_pkey PRIMARY KEY (restaurant_id, relation_name, from_time, metric_name, part),
    CONSTRAINT archive_bundles_part_check CHECK (part > 0),
    CONSTRAINT archive_bundles_n_check CHECK (n > 0)
);
-- Compressed already.
ALTER TABLE sop_ml_storage.archive_bundles ALTER COLUMN bundle SET STORAGE EXTERNAL;

CREATE TABLE sop_ml.sop_time_series_patterns (
    restaurant_id       uuid NOT NULL,
    pattern_id          uuid NOT NULL DEFAULT gen_random_uuid(),
    metric_name         text NOT NULL,
    sop_id              uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    source              text NOT NULL DEFAULT '',
    grain               text NOT NULL,
    kind                text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    status              text NOT NULL DEFAULT 'candidate',
    period_length       interval,
    period_steps        float8,
    strength            float8,
    amplitude           float8,
    phase               float8,
    slope               float8,
    change_at           timestamptz,
    level_before        float8,
    level_after         float8,
    effect_size         float8,
    statistic           float8,
    p_value             float8,
    confidence          float8,
    method              text NOT NULL,
    parameters          jsonb NOT NULL DEFAULT '{}',
    profile             jsonb,
    n                   bigint,
    window_start        timestamptz NOT NULL,
    window_end          timestamptz NOT NULL,
    previous_pattern_id uuid,
    description         text,
    run_id              uuid,
    detected_at         timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_time_series_patterns_pkey PRIMARY KEY (restaurant_id, pattern_id),
    CONSTRAINT sop_time_series_patterns_natural_key UNIQUE (restaurant_id, metric_name, sop_id, source, grain, kind,
        version),
    CONSTRAINT sop_time_series_patterns_previous_pattern_fkey FOREIGN KEY (restaurant_id, previous_pattern_id)
        REFERENCES sop_ml.sop_time_series_patterns (restaurant_id, pattern_id) ON DELETE SET NULL (previous_pattern_id),
    CONSTRAINT sop_time_series_patterns_grain_check
        CHECK (grain IN ('raw', 'hour', 'day', 'week', 'month', 'quarter', 'year')),
    CONSTRAINT sop_time_series_patterns_kind_check
        CHECK (kind IN ('seasonality', 'trend', 'cycle', 'level_shift', 'change_point', 'calendar', 'intermittency',
            'stationarity')),
    CONSTRAINT sop_time_series_patterns_version_check CHECK (version > 0),
    CONSTRAINT sop_time_series_patterns_status_check
        CHECK (status IN ('candidate', 'confirmed', 'superseded', 'rejected')),
    CONSTRAINT sop_time_series_patterns_period_steps_check CHECK (period_steps > 0),
    CONSTRAINT sop_time_series_patterns_strength_check CHECK (strength BETWEEN 0 AND 1),
    CONSTRAINT sop_time_series_patterns_p_value_check CHECK (p_value BETWEEN 0 AND 1),
    CONSTRAINT sop_time_series_patterns_confidence_check CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT sop_time_series_patterns_n_check CHECK (n >= 0),
    CONSTRAINT sop_time_series_patterns_window_check CHECK (window_start <= window_end)
);
CREATE INDEX sop_time_series_patterns_previous_idx ON sop_ml.sop_time_series_patterns (restaurant_id,
    previous_pattern_id)
    WHERE previous_pattern_id IS NOT NULL;
CREATE INDEX sop_time_series_patterns_current_idx ON sop_ml.sop_time_series_patterns (restaurant_id, kind,
    detected_at DESC)
    WHERE status IN ('candidate', 'confirmed');

CREATE TABLE sop_ml.sop_time_series_forecasts (
    restaurant_id        uuid NOT NULL,
    forecast_id          uuid NOT NULL DEFAULT gen_random_uuid(),
    target_at            timestamptz NOT NULL,
    metric_name          text NOT NULL,
    sop_id               uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    source               text NOT NULL DEFAULT '',
    grain                text NOT NULL,
    horizon_step         integer NOT NULL,
    origin_at            timestamptz NOT NULL,
    status               text NOT NULL DEFAULT 'active',
    method               text NOT NULL,
    model_restaurant_id  uuid,
    model_id             uuid,
    scenario_id          uuid,
    predicted_value      float8 NOT NULL,
    lower_80             float8,
    upper_80             float8,
    lower_95             float8,
    upper_95             float8,
    interval_method      text,
    components           jsonb,
    actual_value         float8,
    error                float8 GENERATED ALWAYS AS (actual_value - predicted_value) STORED,
    scaled_error         float8,
    is_covered_95        boolean,
    validated_at         timestamptz,
    training_from        timestamptz,
    training_n           bigint,
    backtest_mase        float8,
    backtest_smape       float8,
    backtest_coverage_95 float8,
    trace                jsonb,
    run_id               uuid,
    created_at           timestamptz NOT NULL DEFAULT now(),
    retain_until         timestamptz,
    CONSTRAINT sop_time_series_forecasts_pkey PRIMARY KEY (restaurant_id, forecast_id, target_at),
    CONSTRAINT sop_time_series_forecasts_model_fkey FOREIGN KEY (model_restaurant_id, model_id)
        REFERENCES sop_ml.sop_ml_models (restaurant_id, model_id) ON DELETE SET NULL,
    CONSTRAINT sop_time_series_forecasts_scenario_fkey FOREIGN KEY (restaurant_id, scenario_id)
        REFERENCES sop_ml.sop_prediction_scenarios (restaurant_id, scenario_id) ON DELETE SET NULL (scenario_id),
    CONSTRAINT sop_time_series_forecasts_grain_check
        CHECK (grain IN ('hour', 'day', 'week', 'month', 'quarter', 'year')),
    CONSTRAINT sop_time_series_forecasts_horizon_step_check CHECK (horizon_step > 0),
    CONSTRAINT sop_time_series_forecasts_status_check
        CHECK (status IN ('active', 'superseded', 'validated', 'expired')),
    CONSTRAINT sop_time_series_forecasts_model_restaurant_id_check
        CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_time_series_forecasts_interval_method_check
        CHECK (interval_method IN ('analytic', 'conformal', 'bootstrap', 'none')),
    CONSTRAINT sop_time_series_forecasts_training_n_check CHECK (training_n >= 0),
    CONSTRAINT sop_time_series_forecasts_backtest_coverage_95_check CHECK (backtest_coverage_95 BETWEEN 0 AND 1),
    CONSTRAINT sop_time_series_forecasts_model_pair_check CHECK ((model_restaurant_id IS NULL) = (model_id IS NULL))
) WITH (fillfactor = 90);
CREATE INDEX sop_time_series_forecasts_scenario_idx ON sop_ml.sop_time_series_forecasts (restaurant_id, scenario_id)
    WHERE scenario_id IS NOT NULL;
CREATE INDEX sop_time_series_forecasts_model_idx ON sop_ml.sop_time_series_forecasts (model_restaurant_id, model_id)
    WHERE model_id IS NOT NULL;
-- The forecast in force for a series, read without touching the table.
CREATE INDEX sop_time_series_forecasts_active_idx ON sop_ml.sop_time_series_forecasts
    (restaurant_id, metric_name, sop_id, source, grain, target_at)
    INCLUDE (predicted_value, lower_95, upper_95) WHERE status = 'active';
-- Steps whose outcome is due.
CREATE INDEX sop_time_series_forecasts_unvalidated_idx ON sop_ml.sop_time_series_forecasts (restaurant_id, target_at)
    WHERE actual_value IS NULL;

CREATE TABLE sop_ml.sop_time_series_anomalies (
    restaurant_id       uuid NOT NULL,
    anomaly_id          uuid NOT NULL DEFAULT gen_random_uuid(),
    kind                text NOT NULL,
    dedup_key           text NOT NULL,
    metric_name         text,
    sop_id              uuid,
    source              text NOT NULL DEFAULT '',
    observed_at         timestamptz NOT NULL,
    ended_at            timestamptz,
    value               float8,
    expected            float8,
    expected_low        float8,
    expected_high       float8,
    score               float8,
    p_value             float8,
    severity            text NOT NULL,
    reason              text,
    method              text NOT NULL,
    method_version      integer NOT NULL DEFAULT 1,
    parameters          jsonb NOT NULL DEFAULT '{}',
    model_restaurant_id uuid,
    model_id            uuid,
    prediction_id       uuid,
    status              text NOT NULL DEFAULT 'open',
    feedback_by         uuid,
    feedback_at         timestamptz,
    feedback_note       text,
    resolved_at         timestamptz,
    alert_id            uuid,
    business_impact     float8,
    impact_currency     text,
    evidence            jsonb NOT NULL DEFAULT '{}',
    run_id              uuid,
    detected_at         timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_time_series_anomalies_pkey PRIMARY KEY (restaurant_id, anomaly_id),
    CONSTRAINT sop_time_series_anomalies_natural_key UNIQUE (restaurant_id, kind, dedup_key),
    CONSTRAINT sop_time_series_anomalies_model_fkey FOREIGN KEY (model_restaurant_id, model_id)
        REFERENCES sop_ml.sop_ml_models (restaurant_id, model_id) ON DELETE SET NULL,
    CONSTRAINT sop_time_series_anomalies_kind_check
        CHECK (kind IN ('point', 'prediction', 'level_shift', 'trend_shift', 'missing', 'pattern')),
    CONSTRAINT sop_time_series_anomalies_p_value_check CHECK (p_value BETWEEN 0 AND 1),
    CONSTRAINT sop_time_series_anomalies_severity_check
        CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')),
    CONSTRAINT sop_time_series_anomalies_method_version_check CHECK (method_version > 0),
    CONSTRAINT sop_time_series_anomalies_model_restaurant_id_check
        CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_time_series_anomalies_status_check
        CHECK (status IN ('open', 'acknowledged', 'resolved', 'false_positive')),
    CONSTRAINT sop_time_series_anomalies_model_pair_check CHECK ((model_restaurant_id IS NULL) = (model_id IS NULL))
) WITH (fillfactor = 90);
CREATE INDEX sop_time_series_anomalies_model_idx ON sop_ml.sop_time_series_anomalies (model_restaurant_id, model_id)
    WHERE model_id IS NOT NULL;
CREATE INDEX sop_time_series_anomalies_series_idx ON sop_ml.sop_time_series_anomalies
    (restaurant_id, metric_name, sop_id, observed_at DESC);
CREATE INDEX sop_time_series_anomalies_open_idx ON sop_ml.sop_time_series_anomalies (restaurant_id, severity,
    observed_at DESC)
    WHERE status IN ('open', 'acknowledged');

CREATE TABLE sop_ml.sop_time_series_compression_policies (
    restaurant_id     uuid NOT NULL,
    policy_id         uuid NOT NULL DEFAULT gen_random_uuid(),
    relation_name     text NOT NULL,
    metric_name       text NOT NULL DEFAULT '',
    version           integer NOT NULL DEFAULT 1,
    status            text NOT NULL DEFAULT 'active',
    retention         interval,
    expiry_action     text NOT NULL DEFAULT 'drop',
    compress_after    interval,
    chunk_interval    interval,
    segment_by        text[],
    order_by          text[],
    downsample_to     text,
    legal_basis       text,
    last_run_at       timestamptz,
    last_action       text,
    last_rows         bigint,
    bytes_before      bigint,
    bytes_after       bigint,
    compression_ratio float8 GENERATED ALWAYS AS (bytes_before::float8 / nullif(bytes_after, 0)) STORED,
    next_run_at       timestamptz,
    created_by        text NOT NULL DEFAULT current_user,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_time_series_compression_policies_pkey PRIMARY KEY (restaurant_id, policy_id),
    CONSTRAINT sop_time_series_compression_policies_natural_key UNIQUE (restaurant_id, relation_name, metric_name),
    CONSTRAINT sop_time_series_compression_policies_relation_name_check CHECK (relation_name <> ''),
    CONSTRAINT sop_time_series_compression_policies_version_check CHECK (version > 0),
    CONSTRAINT sop_time_series_compression_policies_status_check CHECK (status IN ('active', 'paused', 'retired')),
    CONSTRAINT sop_time_series_compression_policies_retention_check CHECK (retention > interval '0'),
    CONSTRAINT sop_time_series_compression_policies_expiry_action_check
        CHECK (expiry_action IN ('drop', 'archive', 'detach')),
    CONSTRAINT sop_time_series_compression_policies_compress_after_check CHECK (compress_after > interval '0'),
    CONSTRAINT sop_time_series_compression_policies_chunk_interval_check CHECK (chunk_interval > interval '0'),
    CONSTRAINT sop_time_series_compression_policies_downsample_to_check
        CHECK (downsample_to IN ('hour', 'day', 'week', 'month')),
    CONSTRAINT sop_time_series_compression_policies_last_rows_check CHECK (last_rows >= 0),
    CONSTRAINT sop_time_series_compression_policies_bytes_before_check CHECK (bytes_before >= 0),
    CONSTRAINT sop_time_series_compression_policies_bytes_after_check CHECK (bytes_after >= 0)
);
CREATE INDEX sop_time_series_compression_policies_due_idx ON sop_ml.sop_time_series_compression_policies (next_run_at)
    WHERE status = 'active';
