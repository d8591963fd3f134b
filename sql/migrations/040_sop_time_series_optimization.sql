-- Observations over time and what is learnt from them: patterns, forecasts, anomalies, and how long data is kept.

CREATE TABLE sop_ml.sop_time_series_data (
    restaurant_id uuid NOT NULL,
    metric_name text NOT NULL CHECK (metric_name <> '' AND length(metric_name) <= 200),
    sop_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    source text NOT NULL DEFAULT '',
    observed_at timestamptz NOT NULL CHECK (isfinite(observed_at)),
    value float8,
    dimensions jsonb CHECK (jsonb_typeof(dimensions) = 'object'),
    unit text,
    quality_flag text CHECK (quality_flag IN ('good', 'suspect', 'bad', 'imputed')),
    recorded_by uuid,
    batch_id uuid,
    ingested_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, metric_name, sop_id, source, observed_at)
) PARTITION BY RANGE (observed_at);
CREATE TABLE sop_ml_storage.sop_time_series_data_default PARTITION OF sop_ml.sop_time_series_data DEFAULT
    WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
-- Roll-ups read an hour or a day of every metric: rows arrive nearly in time order, so a block-range index does it.
CREATE INDEX sop_time_series_data_observed_brin ON sop_ml.sop_time_series_data
    USING brin (observed_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE sop_ml.sop_time_series_patterns (
    restaurant_id uuid NOT NULL,
    pattern_id uuid NOT NULL DEFAULT gen_random_uuid(),
    metric_name text NOT NULL,
    sop_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    source text NOT NULL DEFAULT '',
    grain text NOT NULL CHECK (grain IN ('raw', 'hour', 'day', 'week', 'month', 'quarter', 'year')),
    kind text NOT NULL CHECK (kind IN ('seasonality', 'trend', 'cycle', 'level_shift', 'change_point', 'calendar', 'intermittency', 'stationarity')),
    version integer NOT NULL DEFAULT 1 CHECK (version > 0),
    status text NOT NULL DEFAULT 'candidate' CHECK (status IN ('candidate', 'confirmed', 'superseded', 'rejected')),
    period_length interval,
    period_steps float8 CHECK (period_steps > 0),
    strength float8 CHECK (strength BETWEEN 0 AND 1),
    amplitude float8,
    phase float8,
    slope float8,
    change_at timestamptz,
    level_before float8,
    level_after float8,
    effect_size float8,
    statistic float8,
    p_value float8 CHECK (p_value BETWEEN 0 AND 1),
    confidence float8 CHECK (confidence BETWEEN 0 AND 1),
    method text NOT NULL,
    parameters jsonb NOT NULL DEFAULT '{}',
    profile jsonb,
    n bigint CHECK (n >= 0),
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL,
    previous_pattern_id uuid,
    description text,
    run_id uuid,
    detected_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, pattern_id),
    UNIQUE (restaurant_id, metric_name, sop_id, source, grain, kind, version),
    FOREIGN KEY (restaurant_id, previous_pattern_id) REFERENCES sop_ml.sop_time_series_patterns (restaurant_id, pattern_id) ON DELETE SET NULL (previous_pattern_id),
    CHECK (window_start <= window_end)
);
CREATE INDEX sop_time_series_patterns_previous ON sop_ml.sop_time_series_patterns (restaurant_id, previous_pattern_id)
    WHERE previous_pattern_id IS NOT NULL;
CREATE INDEX sop_time_series_patterns_current ON sop_ml.sop_time_series_patterns (restaurant_id, kind, detected_at DESC)
    WHERE status IN ('candidate', 'confirmed');

CREATE TABLE sop_ml.sop_time_series_forecasts (
    restaurant_id uuid NOT NULL,
    forecast_id uuid NOT NULL DEFAULT gen_random_uuid(),
    target_at timestamptz NOT NULL,
    metric_name text NOT NULL,
    sop_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    source text NOT NULL DEFAULT '',
    grain text NOT NULL CHECK (grain IN ('hour', 'day', 'week', 'month', 'quarter', 'year')),
    horizon_step integer NOT NULL CHECK (horizon_step > 0),
    origin_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'superseded', 'validated', 'expired')),
    method text NOT NULL,
    model_restaurant_id uuid CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    model_id uuid,
    scenario_id uuid,
    predicted_value float8 NOT NULL,
    lower_80 float8,
    upper_80 float8,
    lower_95 float8,
    upper_95 float8,
    interval_method text CHECK (interval_method IN ('analytic', 'conformal', 'bootstrap', 'none')),
    components jsonb,
    actual_value float8,
    error float8 GENERATED ALWAYS AS (actual_value - predicted_value) STORED,
    scaled_error float8,
    is_covered_95 boolean,
    validated_at timestamptz,
    training_from timestamptz,
    training_n bigint CHECK (training_n >= 0),
    backtest_mase float8,
    backtest_smape float8,
    backtest_coverage_95 float8 CHECK (backtest_coverage_95 BETWEEN 0 AND 1),
    trace jsonb,
    run_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    retain_until timestamptz,
    PRIMARY KEY (restaurant_id, forecast_id, target_at),
    CHECK ((model_restaurant_id IS NULL) = (model_id IS NULL)),
    FOREIGN KEY (model_restaurant_id, model_id) REFERENCES sop_ml.sop_ml_models (restaurant_id, model_id) ON DELETE SET NULL
) WITH (fillfactor = 90);
CREATE INDEX sop_time_series_forecasts_model ON sop_ml.sop_time_series_forecasts (model_restaurant_id, model_id)
    WHERE model_id IS NOT NULL;
-- The forecast in force for a series, read without touching the table.
CREATE INDEX sop_time_series_forecasts_active ON sop_ml.sop_time_series_forecasts
    (restaurant_id, metric_name, sop_id, source, grain, target_at)
    INCLUDE (predicted_value, lower_95, upper_95) WHERE status = 'active';
-- Steps whose outcome is due.
CREATE INDEX sop_time_series_forecasts_unvalidated ON sop_ml.sop_time_series_forecasts (restaurant_id, target_at)
    WHERE actual_value IS NULL;

CREATE TABLE sop_ml.sop_time_series_anomalies (
    restaurant_id uuid NOT NULL,
    anomaly_id uuid NOT NULL DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (kind IN ('point', 'prediction', 'level_shift', 'trend_shift', 'missing', 'pattern')),
    dedup_key text NOT NULL,
    metric_name text,
    sop_id uuid,
    source text NOT NULL DEFAULT '',
    observed_at timestamptz NOT NULL,
    ended_at timestamptz,
    value float8,
    expected float8,
    expected_low float8,
    expected_high float8,
    score float8,
    p_value float8 CHECK (p_value BETWEEN 0 AND 1),
    severity text NOT NULL CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')),
    reason text,
    method text NOT NULL,
    method_version integer NOT NULL DEFAULT 1 CHECK (method_version > 0),
    parameters jsonb NOT NULL DEFAULT '{}',
    model_restaurant_id uuid CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    model_id uuid,
    prediction_id uuid,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'resolved', 'false_positive')),
    feedback_by uuid,
    feedback_at timestamptz,
    feedback_note text,
    resolved_at timestamptz,
    alert_id uuid,
    business_impact float8,
    impact_currency text,
    evidence jsonb NOT NULL DEFAULT '{}',
    run_id uuid,
    detected_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, anomaly_id),
    UNIQUE (restaurant_id, kind, dedup_key),
    CHECK ((model_restaurant_id IS NULL) = (model_id IS NULL)),
    FOREIGN KEY (model_restaurant_id, model_id) REFERENCES sop_ml.sop_ml_models (restaurant_id, model_id) ON DELETE SET NULL
) WITH (fillfactor = 90);
CREATE INDEX sop_time_series_anomalies_model ON sop_ml.sop_time_series_anomalies (model_restaurant_id, model_id)
    WHERE model_id IS NOT NULL;
CREATE INDEX sop_time_series_anomalies_series ON sop_ml.sop_time_series_anomalies
    (restaurant_id, metric_name, sop_id, observed_at DESC);
CREATE INDEX sop_time_series_anomalies_open ON sop_ml.sop_time_series_anomalies (restaurant_id, severity, observed_at DESC)
    WHERE status IN ('open', 'acknowledged');

CREATE TABLE sop_ml.sop_time_series_compression_policies (
    restaurant_id uuid NOT NULL,
    policy_id uuid NOT NULL DEFAULT gen_random_uuid(),
    relation_name text NOT NULL CHECK (relation_name <> ''),
    metric_name text NOT NULL DEFAULT '',
    version integer NOT NULL DEFAULT 1 CHECK (version > 0),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'retired')),
    retention interval CHECK (retention > interval '0'),
    expiry_action text NOT NULL DEFAULT 'drop' CHECK (expiry_action IN ('drop', 'archive', 'detach')),
    compress_after interval CHECK (compress_after > interval '0'),
    chunk_interval interval CHECK (chunk_interval > interval '0'),
    segment_by text[],
    order_by text[],
    downsample_to text CHECK (downsample_to IN ('hour', 'day', 'week', 'month')),
    legal_basis text,
    last_run_at timestamptz,
    last_action text,
    last_rows bigint CHECK (last_rows >= 0),
    bytes_before bigint CHECK (bytes_before >= 0),
    bytes_after bigint CHECK (bytes_after >= 0),
    compression_ratio float8 GENERATED ALWAYS AS (bytes_before::float8 / nullif(bytes_after, 0)) STORED,
    next_run_at timestamptz,
    created_by text NOT NULL DEFAULT current_user,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, policy_id),
    UNIQUE (restaurant_id, relation_name, metric_name)
);
CREATE INDEX sop_time_series_compression_policies_due ON sop_ml.sop_time_series_compression_policies (next_run_at)
    WHERE status = 'active';

-- Partitions of this month and the next two; sop_ml.maintain_partitions() makes the later ones. Row-level security is
-- forced on them without any policy: rows are reached through the parent alone.
DO $partitions$
DECLARE
    parent CONSTANT text := 'sop_time_series_data';
    this_month CONSTANT timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    month timestamp;
    partition text;
    storage_options text;
BEGIN
    SELECT string_agg(option, ', ') INTO storage_options
    FROM pg_catalog.pg_class AS c, unnest(c.reloptions) AS option
    WHERE c.oid = format('sop_ml_storage.%I', parent || '_default')::regclass;
    FOR ahead IN 0..2 LOOP
        month := this_month + make_interval(months => ahead);
        partition := parent || to_char(month, '"_y"YYYY"m"MM');
        EXECUTE format('CREATE TABLE sop_ml_storage.%I PARTITION OF sop_ml.%I FOR VALUES FROM (%L) TO (%L) WITH (%s)',
            partition, parent, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC', storage_options);
        EXECUTE format('ALTER TABLE sop_ml_storage.%I ENABLE ROW LEVEL SECURITY', partition);
        EXECUTE format('ALTER TABLE sop_ml_storage.%I FORCE ROW LEVEL SECURITY', partition);
    END LOOP;
    EXECUTE format('ALTER TABLE sop_ml_storage.%I ENABLE ROW LEVEL SECURITY', parent || '_default');
    EXECUTE format('ALTER TABLE sop_ml_storage.%I FORCE ROW LEVEL SECURITY', parent || '_default');
END
$partitions$;
