-- Experiments: plan, assignment, events, read-outs, monitoring, and the feature flags that deliver the variants.

CREATE TABLE sop_ml.sop_ab_experiments (
    restaurant_id uuid NOT NULL,
    experiment_id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL CHECK (name <> ''),
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'scheduled', 'running', 'paused', 'completed', 'stopped', 'archived')),
    allocation_method text NOT NULL DEFAULT 'random' CHECK (allocation_method IN ('random', 'stratified', 'matched_pairs', 'cluster', 'switchback', 'bandit')),
    variants jsonb NOT NULL CHECK (jsonb_typeof(variants) = 'array'),
    primary_metric text NOT NULL,
    metric_kind text NOT NULL DEFAULT 'mean' CHECK (metric_kind IN ('mean', 'proportion', 'ratio', 'count', 'quantile')),
    metric_direction text NOT NULL DEFAULT 'increase' CHECK (metric_direction IN ('increase', 'decrease')),
    hypothesis text,
    description text,
    version integer NOT NULL DEFAULT 1 CHECK (version > 0),
    unit text NOT NULL DEFAULT 'user' CHECK (unit IN ('user', 'station', 'shift', 'session', 'restaurant')),
    salt text NOT NULL DEFAULT gen_random_uuid()::text,
    traffic_fraction float8 NOT NULL DEFAULT 1 CHECK (traffic_fraction BETWEEN 0 AND 1),
    holdout_fraction float8 NOT NULL DEFAULT 0 CHECK (holdout_fraction BETWEEN 0 AND 1),
    strata text[] NOT NULL DEFAULT '{}',
    eligibility jsonb NOT NULL DEFAULT '{}',
    exclusion_group text,
    secondary_metrics jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(secondary_metrics) = 'array'),
    guardrail_metrics jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(guardrail_metrics) = 'array'),
    alpha float8 NOT NULL DEFAULT 0.05 CHECK (alpha > 0 AND alpha < 1),
    power float8 NOT NULL DEFAULT 0.8 CHECK (power > 0 AND power < 1),
    minimum_effect float8,
    analysis_method text NOT NULL DEFAULT 'frequentist' CHECK (analysis_method IN ('frequentist', 'bayesian', 'sequential')),
    correction_method text NOT NULL DEFAULT 'holm' CHECK (correction_method IN ('none', 'bonferroni', 'holm', 'hommel', 'hochberg', 'benjamini_hochberg', 'benjamini_yekutieli')),
    variance_reduction text NOT NULL DEFAULT 'none' CHECK (variance_reduction IN ('none', 'cuped', 'post_stratification')),
    pre_exposure_days integer NOT NULL DEFAULT 14 CHECK (pre_exposure_days >= 0),
    planned_sample_size bigint CHECK (planned_sample_size > 0),
    planned_looks integer CHECK (planned_looks > 0),
    baseline_value float8,
    baseline_stddev float8,
    starts_at timestamptz,
    ends_at timestamptz,
    started_at timestamptz,
    stopped_at timestamptz,
    stop_reason text,
    decision text CHECK (decision IN ('ship', 'roll_back', 'iterate', 'inconclusive')),
    winner_variant text,
    decided_by uuid,
    decided_at timestamptz,
    value_per_unit float8,
    impact_currency text,
    experiment_cost float8,
    owner_user_id uuid,
    tags text[] NOT NULL DEFAULT '{}',
    created_by text NOT NULL DEFAULT current_user,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, experiment_id),
    UNIQUE (restaurant_id, name),
    CHECK (starts_at < ends_at),
    CHECK (stopped_at IS NULL OR stopped_at >= started_at)
);
CREATE INDEX sop_ab_experiments_active ON sop_ml.sop_ab_experiments (restaurant_id, starts_at)
    WHERE status IN ('scheduled', 'running', 'paused');
CREATE INDEX sop_ab_experiments_exclusion ON sop_ml.sop_ab_experiments (restaurant_id, exclusion_group)
    WHERE exclusion_group IS NOT NULL;

CREATE TABLE sop_ml.sop_ab_participants (
    restaurant_id uuid NOT NULL,
    experiment_id uuid NOT NULL,
    user_id uuid NOT NULL,
    variant text NOT NULL,
    stratum text NOT NULL DEFAULT '',
    assigned_at timestamptz NOT NULL DEFAULT now(),
    assignment_method text NOT NULL DEFAULT 'random' CHECK (assignment_method IN ('random', 'stratified', 'matched_pairs', 'cluster', 'switchback', 'bandit', 'forced')),
    experiment_version integer NOT NULL DEFAULT 1 CHECK (experiment_version > 0),
    bucket float8 CHECK (bucket >= 0 AND bucket < 1),
    propensity float8 CHECK (propensity > 0 AND propensity <= 1),
    pair_id uuid,
    cluster_id uuid,
    pre_exposure_value float8,
    covariates jsonb,
    first_exposed_at timestamptz,
    last_exposed_at timestamptz,
    exposure_count bigint NOT NULL DEFAULT 0 CHECK (exposure_count >= 0),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'left', 'excluded')),
    left_at timestamptz,
    exclusion_reason text,
    source text,
    PRIMARY KEY (restaurant_id, experiment_id, user_id),
    FOREIGN KEY (restaurant_id, experiment_id) REFERENCES sop_ml.sop_ab_experiments (restaurant_id, experiment_id) ON DELETE CASCADE
) WITH (fillfactor = 85, autovacuum_analyze_scale_factor = 0.02);
-- Counts per variant and stratum (sample ratio test) without touching the table.
CREATE INDEX sop_ab_participants_variant ON sop_ml.sop_ab_participants (restaurant_id, experiment_id, variant, stratum)
    WHERE status = 'active';
CREATE INDEX sop_ab_participants_user ON sop_ml.sop_ab_participants (restaurant_id, user_id);

CREATE TABLE sop_ml.sop_ab_events (
    restaurant_id uuid NOT NULL,
    experiment_id uuid NOT NULL,
    user_id uuid NOT NULL,
    variant text NOT NULL,
    event_name text NOT NULL CHECK (event_name <> ''),
    event_value float8,
    occurred_at timestamptz NOT NULL CHECK (isfinite(occurred_at)),
    event_id uuid NOT NULL DEFAULT gen_random_uuid(),
    denominator float8,
    stratum text,
    segment text,
    sop_id uuid,
    session_id uuid,
    is_exposure boolean NOT NULL DEFAULT false,
    is_excluded boolean NOT NULL DEFAULT false,
    source text,
    context jsonb CHECK (jsonb_typeof(context) = 'object'),
    ingested_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, experiment_id, event_name, user_id, occurred_at, event_id)
) PARTITION BY RANGE (occurred_at);
CREATE TABLE sop_ml_storage.sop_ab_events_default PARTITION OF sop_ml.sop_ab_events DEFAULT
    WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX sop_ab_events_user ON sop_ml.sop_ab_events (restaurant_id, user_id, occurred_at);
CREATE INDEX sop_ab_events_occurred_brin ON sop_ml.sop_ab_events
    USING brin (occurred_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE sop_ml.sop_ab_results (
    restaurant_id uuid NOT NULL,
    experiment_id uuid NOT NULL,
    analysis_id uuid NOT NULL,
    metric_name text NOT NULL,
    variant text NOT NULL,
    segment text NOT NULL DEFAULT '',
    metric_role text NOT NULL DEFAULT 'primary' CHECK (metric_role IN ('primary', 'secondary', 'guardrail', 'exploratory')),
    metric_kind text NOT NULL CHECK (metric_kind IN ('mean', 'proportion', 'ratio', 'count', 'quantile')),
    control_variant text NOT NULL,
    data_until timestamptz NOT NULL,
    look_number integer NOT NULL DEFAULT 1 CHECK (look_number > 0),
    n bigint NOT NULL CHECK (n >= 0),
    numerator float8,
    denominator float8,
    mean float8,
    stddev float8,
    mean_low float8,
    mean_high float8,
    control_n bigint CHECK (control_n >= 0),
    control_mean float8,
    difference float8,
    difference_low float8,
    difference_high float8,
    relative_lift float8,
    relative_lift_low float8,
    relative_lift_high float8,
    test_method text NOT NULL,
    statistic float8,
    p_value float8 CHECK (p_value BETWEEN 0 AND 1),
    adjusted_p_value float8 CHECK (adjusted_p_value BETWEEN 0 AND 1),
    sequential_p_value float8 CHECK (sequential_p_value BETWEEN 0 AND 1),
    alpha_spent float8 CHECK (alpha_spent BETWEEN 0 AND 1),
    effect_size float8,
    achieved_power float8 CHECK (achieved_power BETWEEN 0 AND 1),
    probability_best float8 CHECK (probability_best BETWEEN 0 AND 1),
    expected_loss float8,
    variance_reduction_ratio float8,
    is_significant boolean,
    verdict text CHECK (verdict IN ('better', 'worse', 'no_difference', 'undecided', 'insufficient_data')),
    stats_state bytea,
    details jsonb NOT NULL DEFAULT '{}',
    business_impact float8,
    impact_currency text,
    roi float8,
    computed_at timestamptz NOT NULL DEFAULT now(),
    run_id uuid,
    PRIMARY KEY (restaurant_id, experiment_id, analysis_id, metric_name, variant, segment),
    FOREIGN KEY (restaurant_id, experiment_id) REFERENCES sop_ml.sop_ab_experiments (restaurant_id, experiment_id) ON DELETE CASCADE
);
CREATE INDEX sop_ab_results_latest ON sop_ml.sop_ab_results (restaurant_id, experiment_id, computed_at DESC)
    WHERE metric_role = 'primary' AND segment = '';

CREATE TABLE sop_ml.sop_ab_monitoring (
    restaurant_id uuid NOT NULL,
    monitoring_id uuid NOT NULL DEFAULT gen_random_uuid(),
    experiment_id uuid NOT NULL,
    check_name text NOT NULL CHECK (check_name IN ('sample_ratio', 'guardrail', 'sample_progress', 'covariate_balance', 'event_lag', 'novelty', 'spill_over', 'duplicate_exposure', 'stale')),
    metric_name text,
    variant text,
    segment text NOT NULL DEFAULT '',
    status text NOT NULL CHECK (status IN ('ok', 'warn', 'fail', 'skipped')),
    severity text NOT NULL DEFAULT 'info' CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')),
    value float8,
    expected_value float8,
    threshold float8,
    statistic float8,
    p_value float8 CHECK (p_value BETWEEN 0 AND 1),
    observed_counts jsonb,
    expected_counts jsonb,
    n bigint CHECK (n >= 0),
    required_n bigint CHECK (required_n >= 0),
    progress float8,
    days_running float8 CHECK (days_running >= 0),
    estimated_end_at timestamptz,
    action text NOT NULL DEFAULT 'none' CHECK (action IN ('none', 'alert', 'pause', 'stop', 'roll_back')),
    alert_id uuid,
    details jsonb NOT NULL DEFAULT '{}',
    checked_at timestamptz NOT NULL DEFAULT now(),
    run_id uuid,
    PRIMARY KEY (restaurant_id, monitoring_id),
    FOREIGN KEY (restaurant_id, experiment_id) REFERENCES sop_ml.sop_ab_experiments (restaurant_id, experiment_id) ON DELETE CASCADE
);
CREATE INDEX sop_ab_monitoring_experiment ON sop_ml.sop_ab_monitoring (restaurant_id, experiment_id, check_name, checked_at DESC);

CREATE TABLE sop_ml.sop_ab_feature_flags (
    restaurant_id uuid NOT NULL,
    flag_id uuid NOT NULL DEFAULT gen_random_uuid(),
    flag_key text NOT NULL CHECK (flag_key ~ '^[A-Za-z0-9_.:-]{1,200}$'),
    description text,
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'active', 'archived')),
    is_enabled boolean NOT NULL DEFAULT false,
    is_killed boolean NOT NULL DEFAULT false,
    version integer NOT NULL DEFAULT 1 CHECK (version > 0),
    value_type text NOT NULL DEFAULT 'boolean' CHECK (value_type IN ('boolean', 'string', 'number', 'json')),
    default_value jsonb NOT NULL DEFAULT 'false',
    variants jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(variants) = 'array'),
    rules jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(rules) = 'array'),
    rollout_fraction float8 NOT NULL DEFAULT 0 CHECK (rollout_fraction BETWEEN 0 AND 1),
    salt text NOT NULL DEFAULT gen_random_uuid()::text,
    hash_method text NOT NULL DEFAULT 'murmur3' CHECK (hash_method IN ('murmur3', 'growthbook_v2', 'unleash', 'flagd')),
    bucket_by text NOT NULL DEFAULT 'user_id',
    prerequisites jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(prerequisites) = 'array'),
    schedule jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(schedule) = 'array'),
    starts_at timestamptz,
    ends_at timestamptz,
    experiment_id uuid,
    owner_user_id uuid,
    approved_by uuid,
    approved_at timestamptz,
    stale_after interval,
    evaluation_count bigint NOT NULL DEFAULT 0 CHECK (evaluation_count >= 0),
    last_evaluated_at timestamptz,
    tags text[] NOT NULL DEFAULT '{}',
    created_by text NOT NULL DEFAULT current_user,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, flag_id),
    UNIQUE (restaurant_id, flag_key),
    FOREIGN KEY (restaurant_id, experiment_id) REFERENCES sop_ml.sop_ab_experiments (restaurant_id, experiment_id) ON DELETE SET NULL (experiment_id)
) WITH (fillfactor = 80);
CREATE INDEX sop_ab_feature_flags_experiment ON sop_ml.sop_ab_feature_flags (restaurant_id, experiment_id)
    WHERE experiment_id IS NOT NULL;

-- Partitions of this month and the next two; sop_ml.maintain_partitions() makes the later ones. Row-level security is
-- forced on them without any policy: rows are reached through the parent alone.
DO $partitions$
DECLARE
    parent CONSTANT text := 'sop_ab_events';
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
