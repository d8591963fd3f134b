-- 039 predictive modelling: what to train (definitions and feature pipelines), planned predictions with a horizon,
-- measured performance and drift, what-if scenarios.

-- Feature pipelines: ordered steps from raw features to model inputs, and the state fitted on a data set.
CREATE TABLE sop_ml.sop_feature_engineering (
    restaurant_id       uuid NOT NULL,
    pipeline_id         uuid NOT NULL DEFAULT gen_random_uuid(),
    name                text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    description         text NOT NULL DEFAULT '',
    entity              text NOT NULL DEFAULT 'sop',
    status              text NOT NULL DEFAULT 'draft',
    input_features      text[] NOT NULL DEFAULT '{}',
    output_features     text[] NOT NULL DEFAULT '{}',
    selected_features   text[] NOT NULL DEFAULT '{}',
    steps               jsonb NOT NULL DEFAULT '[]',
    definition_hash     text,
    missing_policy      text NOT NULL DEFAULT 'impute_median',
    unseen_policy       text NOT NULL DEFAULT 'other',
    scaling             text NOT NULL DEFAULT 'none',
    selection_method    text,
    importance          jsonb NOT NULL DEFAULT '{}',
    fitted_state        bytea,
    fitted_dataset_id   uuid,
    fitted_at           timestamptz,
    fit_ms              float8,
    rows_in             bigint,
    rows_out            bigint,
    null_rate_before    float8,
    null_rate_after     float8,
    explained_variance  float8,
    leakage_findings    jsonb NOT NULL DEFAULT '[]',
    parent_pipeline_id  uuid,
    retention_until     timestamptz,
    created_by          text NOT NULL DEFAULT current_user,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_feature_engineering_pkey PRIMARY KEY (restaurant_id, pipeline_id),
    CONSTRAINT sop_feature_engineering_name_version_key UNIQUE (restaurant_id, name, version),
    CONSTRAINT sop_feature_engineering_fitted_dataset_fkey FOREIGN KEY (restaurant_id, fitted_dataset_id)
        REFERENCES sop_ml.sop_training_datasets (restaurant_id, dataset_id),
    CONSTRAINT sop_feature_engineering_parent_fkey FOREIGN KEY (restaurant_id, parent_pipeline_id)
        REFERENCES sop_ml.sop_feature_engineering (restaurant_id, pipeline_id),
    CONSTRAINT sop_feature_engineering_name_check CHECK (name <> ''),
    CONSTRAINT sop_feature_engineering_version_check CHECK (version >= 1),
    CONSTRAINT sop_feature_engineering_entity_check CHECK (entity IN ('sop', 'user', 'user_sop', 'restaurant')),
    CONSTRAINT sop_feature_engineering_status_check
        CHECK (status IN ('draft', 'active', 'deprecated', 'archived')),
    CONSTRAINT sop_feature_engineering_steps_check CHECK (jsonb_typeof(steps) = 'array'),
    CONSTRAINT sop_feature_engineering_missing_policy_check CHECK (missing_policy
        IN ('keep', 'error', 'drop_row', 'impute_mean', 'impute_median', 'impute_mode', 'impute_zero')),
    CONSTRAINT sop_feature_engineering_unseen_policy_check CHECK (unseen_policy IN ('other', 'missing', 'error')),
    CONSTRAINT sop_feature_engineering_scaling_check
        CHECK (scaling IN ('none', 'standard', 'min_max', 'max_abs', 'robust', 'quantile')),
    CONSTRAINT sop_feature_engineering_selection_method_check CHECK (selection_method IN ('none', 'variance',
        'mutual_information', 'anova_f', 'minimum_redundancy', 'permutation', 'manual')),
    CONSTRAINT sop_feature_engineering_rows_check CHECK (rows_in >= 0 AND rows_out >= 0),
    CONSTRAINT sop_feature_engineering_fit_ms_check CHECK (fit_ms >= 0),
    CONSTRAINT sop_feature_engineering_null_rate_check
        CHECK (null_rate_before BETWEEN 0 AND 1 AND null_rate_after BETWEEN 0 AND 1),
    CONSTRAINT sop_feature_engineering_explained_variance_check CHECK (explained_variance BETWEEN 0 AND 1),
    CONSTRAINT sop_feature_engineering_parent_check CHECK (parent_pipeline_id <> pipeline_id)
);

CREATE INDEX sop_feature_engineering_fitted_dataset_idx
    ON sop_ml.sop_feature_engineering (restaurant_id, fitted_dataset_id) WHERE fitted_dataset_id IS NOT NULL;
CREATE INDEX sop_feature_engineering_parent_idx
    ON sop_ml.sop_feature_engineering (restaurant_id, parent_pipeline_id) WHERE parent_pipeline_id IS NOT NULL;

-- What to train, how and when; each training result is a version in sop_ml_models.
CREATE TABLE sop_ml.sop_predictive_models (
    restaurant_id           uuid NOT NULL,
    predictive_model_id     uuid NOT NULL DEFAULT gen_random_uuid(),
    name                    text NOT NULL,
    version                 integer NOT NULL DEFAULT 1,
    description             text NOT NULL DEFAULT '',
    task                    text NOT NULL,
    algorithm               text NOT NULL,
    status                  text NOT NULL DEFAULT 'draft',
    entity                  text NOT NULL DEFAULT 'sop',
    target_metric           text NOT NULL,
    target_definition       jsonb NOT NULL DEFAULT '{}',
    feature_names           text[] NOT NULL DEFAULT '{}',
    pipeline_restaurant_id  uuid,
    pipeline_id             uuid,
    hyperparameters         jsonb NOT NULL DEFAULT '{}',
    search_space            jsonb NOT NULL DEFAULT '{}',
    search_method           text NOT NULL DEFAULT 'none',
    split_method            text NOT NULL DEFAULT 'time',
    split_parameters        jsonb NOT NULL DEFAULT '{}',
    history_length          interval NOT NULL DEFAULT '365 days',
    horizon                 interval,
    primary_metric          text NOT NULL DEFAULT 'mae',
    minimum_gain            float8 NOT NULL DEFAULT 0,
    confidence_level        float8 NOT NULL DEFAULT 0.95,
    retrain_policy          text NOT NULL DEFAULT 'manual',
    retrain_every           interval,
    drift_threshold         float8,
    minimum_rows            bigint NOT NULL DEFAULT 100,
    budget_seconds          float8,
    is_pooled               boolean NOT NULL DEFAULT false,
    current_model_restaurant_id uuid,
    current_model_id        uuid,
    last_trained_at         timestamptz,
    next_training_at        timestamptz,
    expected_impact         float8,
    realised_impact         float8,
    running_cost            float8,
    impact_currency         text,
    keep_versions           integer NOT NULL DEFAULT 10,
    retention_days          integer NOT NULL DEFAULT 730,
    owner_name              text NOT NULL DEFAULT current_user,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_predictive_models_pkey PRIMARY KEY (restaurant_id, predictive_model_id),
    CONSTRAINT sop_predictive_models_name_version_key UNIQUE (restaurant_id, name, version),
    CONSTRAINT sop_predictive_models_pipeline_fkey FOREIGN KEY (pipeline_restaurant_id, pipeline_id)
        REFERENCES sop_ml.sop_feature_engineering (restaurant_id, pipeline_id),
    CONSTRAINT sop_predictive_models_pipeline_check CHECK (num_nonnulls(pipeline_restaurant_id, pipeline_id) IN (0, 2)),
    CONSTRAINT sop_predictive_models_pipeline_tenant_check CHECK (pipeline_restaurant_id
        IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_predictive_models_current_model_check
        CHECK (num_nonnulls(current_model_restaurant_id, current_model_id) IN (0, 2)),
    CONSTRAINT sop_predictive_models_current_model_tenant_check CHECK (current_model_restaurant_id
        IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_predictive_models_name_check CHECK (name <> '' AND position('@' IN name) = 0),
    CONSTRAINT sop_predictive_models_version_check CHECK (version >= 1),
    CONSTRAINT sop_predictive_models_task_check CHECK (task IN ('regression', 'classification', 'ranking',
        'recommendation', 'forecasting', 'anomaly_detection', 'clustering')),
    CONSTRAINT sop_predictive_models_status_check
        CHECK (status IN ('draft', 'active', 'paused', 'deprecated', 'archived')),
    CONSTRAINT sop_predictive_models_entity_check CHECK (entity IN ('sop', 'user', 'user_sop', 'restaurant')),
    CONSTRAINT sop_predictive_models_target_definition_check CHECK (jsonb_typeof(target_definition) = 'object'),
    CONSTRAINT sop_predictive_models_hyperparameters_check CHECK (jsonb_typeof(hyperparameters) = 'object'),
    CONSTRAINT sop_predictive_models_search_method_check
        CHECK (search_method IN ('none', 'grid', 'random', 'successive_halving', 'tree_parzen')),
    CONSTRAINT sop_predictive_models_split_method_check
        CHECK (split_method IN ('time', 'random', 'stratified', 'grouped', 'purged_k_fold')),
    CONSTRAINT sop_predictive_models_history_length_check CHECK (history_length > interval '0'),
    CONSTRAINT sop_predictive_models_horizon_check CHECK (horizon > interval '0'),
    CONSTRAINT sop_predictive_models_minimum_gain_check CHECK (minimum_gain >= 0),
    CONSTRAINT sop_predictive_models_confidence_level_check CHECK (confidence_level > 0 AND confidence_level < 1),
    CONSTRAINT sop_predictive_models_retrain_policy_check
        CHECK (retrain_policy IN ('manual', 'schedule', 'drift', 'schedule_or_drift')),
    CONSTRAINT sop_predictive_models_retrain_every_check CHECK (retrain_every > interval '0'),
    CONSTRAINT sop_predictive_models_minimum_rows_check CHECK (minimum_rows >= 1),
    CONSTRAINT sop_predictive_models_budget_seconds_check CHECK (budget_seconds > 0),
    CONSTRAINT sop_predictive_models_running_cost_check CHECK (running_cost >= 0),
    CONSTRAINT sop_predictive_models_impact_currency_check CHECK (impact_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT sop_predictive_models_retention_check CHECK (keep_versions >= 1 AND retention_days > 0)
);

CREATE INDEX sop_predictive_models_pipeline_idx
    ON sop_ml.sop_predictive_models (pipeline_restaurant_id, pipeline_id) WHERE pipeline_id IS NOT NULL;
CREATE INDEX sop_predictive_models_current_model_idx
    ON sop_ml.sop_predictive_models (current_model_restaurant_id, current_model_id)
    WHERE current_model_id IS NOT NULL;
-- What is due for training, over all restaurants.
CREATE INDEX sop_predictive_models_due_idx ON sop_ml.sop_predictive_models (next_training_at)
    WHERE status = 'active' AND next_training_at IS NOT NULL;

-- The trained versions and jobs of 037 point at their definition. The definition's current_model_id points back without
-- a foreign key: a circle of keys cannot be restored table by table.
ALTER TABLE sop_ml.sop_ml_models ADD CONSTRAINT sop_ml_models_predictive_model_fkey
    FOREIGN KEY (predictive_model_restaurant_id, predictive_model_id)
    REFERENCES sop_ml.sop_predictive_models (restaurant_id, predictive_model_id);
ALTER TABLE sop_ml.sop_ml_training_jobs ADD CONSTRAINT sop_ml_training_jobs_predictive_model_fkey
    FOREIGN KEY (predictive_model_restaurant_id, predictive_model_id)
    REFERENCES sop_ml.sop_predictive_models (restaurant_id, predictive_model_id);

-- What-if scenarios: changed assumptions, the outcome they lead to, and what that is worth.
CREATE TABLE sop_ml.sop_prediction_scenarios (
    restaurant_id          uuid NOT NULL,
    scenario_id            uuid NOT NULL DEFAULT gen_random_uuid(),
    name                   text NOT NULL,
    version                integer NOT NULL DEFAULT 1,
    description            text NOT NULL DEFAULT '',
    status                 text NOT NULL DEFAULT 'draft',
    predictive_model_restaurant_id uuid,
    predictive_model_id    uuid,
    model_restaurant_id    uuid,
    model_id               uuid,
    baseline_scenario_id   uuid,
    metric_name            text NOT NULL,
    sop_ids                uuid[] NOT NULL DEFAULT '{}',
    assumptions            jsonb NOT NULL DEFAULT '{}',
    changes                jsonb NOT NULL DEFAULT '{}',
    from_time              timestamptz NOT NULL,
    to_time                timestamptz NOT NULL,
    n_paths                integer NOT NULL DEFAULT 1000,
    seed                   bigint NOT NULL DEFAULT 0,
    baseline_value         float8,
    scenario_value         float8,
    difference             float8,
    difference_low         float8,
    difference_high        float8,
    difference_percent     float8,
    probability_better     float8,
    confidence_level       float8 NOT NULL DEFAULT 0.95,
    sensitivity            jsonb NOT NULL DEFAULT '{}',
    results                jsonb NOT NULL DEFAULT '{}',
    expected_impact        float8,
    implementation_cost    float8,
    roi                    float8,
    payback_days           float8,
    impact_currency        text,
    realised_difference    float8,
    decision               text,
    decided_by             text,
    decided_at             timestamptz,
    computed_at            timestamptz,
    retention_until        timestamptz,
    created_by             text NOT NULL DEFAULT current_user,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_prediction_scenarios_pkey PRIMARY KEY (restaurant_id, scenario_id),
    CONSTRAINT sop_prediction_scenarios_name_version_key UNIQUE (restaurant_id, name, version),
    CONSTRAINT sop_prediction_scenarios_restaurant_fkey FOREIGN KEY (restaurant_id)
        REFERENCES sop_ml.sop_restaurants (restaurant_id),
    CONSTRAINT sop_prediction_scenarios_predictive_model_fkey
        FOREIGN KEY (predictive_model_restaurant_id, predictive_model_id)
        REFERENCES sop_ml.sop_predictive_models (restaurant_id, predictive_model_id),
    CONSTRAINT sop_prediction_scenarios_model_fkey FOREIGN KEY (model_restaurant_id, model_id)
        REFERENCES sop_ml.sop_ml_models (restaurant_id, model_id),
    CONSTRAINT sop_prediction_scenarios_baseline_fkey FOREIGN KEY (restaurant_id, baseline_scenario_id)
        REFERENCES sop_ml.sop_prediction_scenarios (restaurant_id, scenario_id),
    CONSTRAINT sop_prediction_scenarios_name_check CHECK (name <> ''),
    CONSTRAINT sop_prediction_scenarios_version_check CHECK (version >= 1),
    CONSTRAINT sop_prediction_scenarios_status_check
        CHECK (status IN ('draft', 'computed', 'accepted', 'rejected', 'realised', 'archived')),
    CONSTRAINT sop_prediction_scenarios_predictive_model_check
        CHECK (num_nonnulls(predictive_model_restaurant_id, predictive_model_id) IN (0, 2)),
    CONSTRAINT sop_prediction_scenarios_predictive_model_tenant_check CHECK (predictive_model_restaurant_id
        IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_prediction_scenarios_model_check CHECK (num_nonnulls(model_restaurant_id, model_id) IN (0, 2)),
    CONSTRAINT sop_prediction_scenarios_model_tenant_check
        CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_prediction_scenarios_baseline_check CHECK (baseline_scenario_id <> scenario_id),
    CONSTRAINT sop_prediction_scenarios_json_check
        CHECK (jsonb_typeof(assumptions) = 'object' AND jsonb_typeof(changes) = 'object'),
    CONSTRAINT sop_prediction_scenarios_range_check CHECK (to_time > from_time),
    CONSTRAINT sop_prediction_scenarios_n_paths_check CHECK (n_paths >= 1),
    CONSTRAINT sop_prediction_scenarios_difference_check CHECK (difference_high >= difference_low),
    CONSTRAINT sop_prediction_scenarios_probability_better_check CHECK (probability_better BETWEEN 0 AND 1),
    CONSTRAINT sop_prediction_scenarios_confidence_level_check CHECK (confidence_level > 0 AND confidence_level < 1),
    CONSTRAINT sop_prediction_scenarios_cost_check CHECK (implementation_cost >= 0 AND payback_days >= 0),
    CONSTRAINT sop_prediction_scenarios_impact_currency_check CHECK (impact_currency ~ '^[A-Z]{3}$')
);

CREATE INDEX sop_prediction_scenarios_predictive_model_idx
    ON sop_ml.sop_prediction_scenarios (predictive_model_restaurant_id, predictive_model_id)
    WHERE predictive_model_id IS NOT NULL;
CREATE INDEX sop_prediction_scenarios_model_idx
    ON sop_ml.sop_prediction_scenarios (model_restaurant_id, model_id) WHERE model_id IS NOT NULL;
CREATE INDEX sop_prediction_scenarios_baseline_idx
    ON sop_ml.sop_prediction_scenarios (restaurant_id, baseline_scenario_id) WHERE baseline_scenario_id IS NOT NULL;

-- Planned predictions with a horizon, validated when the outcome arrives. As the serving log, it has no foreign key.
CREATE TABLE sop_ml.sop_model_predictions (
    restaurant_id       uuid NOT NULL,
    prediction_id       uuid NOT NULL DEFAULT gen_random_uuid(),
    predicted_at        timestamptz NOT NULL DEFAULT now(),
    target_time         timestamptz NOT NULL,
    horizon             interval NOT NULL,
    horizon_steps       integer NOT NULL DEFAULT 1,
    predictive_model_restaurant_id uuid,
    predictive_model_id uuid,
    model_restaurant_id uuid NOT NULL,
    model_id            uuid NOT NULL,
    scenario_id         uuid,
    metric_name         text NOT NULL,
    sop_id              uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    entity_kind         text NOT NULL DEFAULT 'sop',
    entity_id           uuid,
    features            jsonb NOT NULL DEFAULT '{}',
    predicted_value     float8,
    predicted_low       float8,
    predicted_high      float8,
    confidence_level    float8 NOT NULL DEFAULT 0.95,
    predicted_label     text,
    probability         float8,
    explanation         jsonb,
    status              text NOT NULL DEFAULT 'pending',
    actual_value        float8,
    actual_label        text,
    validated_at        timestamptz,
    absolute_error      float8,
    percentage_error    float8,
    scaled_error        float8,
    is_within_interval  boolean,
    expected_impact     float8,
    realised_impact     float8,
    impact_currency     text,
    run_id              uuid,
    CONSTRAINT sop_model_predictions_pkey PRIMARY KEY (restaurant_id, prediction_id, predicted_at),
    CONSTRAINT sop_model_predictions_target_time_check CHECK (target_time >= predicted_at),
    CONSTRAINT sop_model_predictions_horizon_check CHECK (horizon >= interval '0' AND horizon_steps >= 0),
    CONSTRAINT sop_model_predictions_predictive_model_check
        CHECK (num_nonnulls(predictive_model_restaurant_id, predictive_model_id) IN (0, 2)),
    CONSTRAINT sop_model_predictions_predictive_model_tenant_check CHECK (predictive_model_restaurant_id
        IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_model_predictions_model_tenant_check
        CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_model_predictions_entity_kind_check
        CHECK (entity_kind IN ('sop', 'user', 'user_sop', 'restaurant')),
    CONSTRAINT sop_model_predictions_interval_check CHECK (predicted_high >= predicted_low),
    CONSTRAINT sop_model_predictions_confidence_level_check CHECK (confidence_level > 0 AND confidence_level < 1),
    CONSTRAINT sop_model_predictions_probability_check CHECK (probability BETWEEN 0 AND 1),
    CONSTRAINT sop_model_predictions_status_check CHECK (status IN ('pending', 'validated', 'expired', 'cancelled')),
    CONSTRAINT sop_model_predictions_error_check CHECK (absolute_error >= 0),
    CONSTRAINT sop_model_predictions_impact_currency_check CHECK (impact_currency ~ '^[A-Z]{3}$')
) PARTITION BY RANGE (predicted_at);

CREATE TABLE sop_ml_storage.sop_model_predictions_default PARTITION OF sop_ml.sop_model_predictions DEFAULT
    WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.1);

CREATE INDEX sop_model_predictions_model_idx
    ON sop_ml.sop_model_predictions (restaurant_id, model_id, predicted_at DESC) INCLUDE (target_time, predicted_value);
CREATE INDEX sop_model_predictions_metric_idx
    ON sop_ml.sop_model_predictions (restaurant_id, metric_name, sop_id, target_time);
-- Predictions whose outcome is still to come: small, and walked by the validation step every night.
CREATE INDEX sop_model_predictions_pending_idx
    ON sop_ml.sop_model_predictions (restaurant_id, target_time) WHERE status = 'pending';
CREATE INDEX sop_model_predictions_time_brin ON sop_ml.sop_model_predictions USING brin (predicted_at)
    WITH (pages_per_range = 32, autosummarize = on);

-- Measured drift and realised performance: one row per subject and metric of a comparison.
CREATE TABLE sop_ml.sop_model_performance_tracking (
    restaurant_id       uuid NOT NULL,
    tracking_id         uuid NOT NULL DEFAULT gen_random_uuid(),
    model_restaurant_id uuid NOT NULL,
    model_id            uuid NOT NULL,
    model_name          text NOT NULL,
    model_version       integer NOT NULL,
    subject_kind        text NOT NULL,
    subject             text NOT NULL,
    metric              text NOT NULL,
    method              text NOT NULL DEFAULT '',
    value               float8,
    value_low           float8,
    value_high          float8,
    statistic           float8,
    p_value             float8,
    adjusted_p_value    float8,
    threshold           float8,
    severity            text NOT NULL DEFAULT 'none',
    previous_value      float8,
    training_value      float8,
    reference_from      timestamptz,
    reference_to        timestamptz,
    current_from        timestamptz,
    current_to          timestamptz,
    reference_n         bigint,
    current_n           bigint,
    importance          float8,
    contribution        float8,
    estimated_impact    float8,
    impact_currency     text,
    details             jsonb NOT NULL DEFAULT '{}',
    run_id              uuid,
    measured_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_model_performance_tracking_pkey PRIMARY KEY (restaurant_id, tracking_id),
    CONSTRAINT sop_model_performance_tracking_model_fkey FOREIGN KEY (model_restaurant_id, model_id)
        REFERENCES sop_ml.sop_ml_models (restaurant_id, model_id),
    CONSTRAINT sop_model_performance_tracking_model_tenant_check
        CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_model_performance_tracking_subject_kind_check
        CHECK (subject_kind IN ('feature', 'prediction', 'target')),
    CONSTRAINT sop_model_performance_tracking_severity_check
        CHECK (severity IN ('none', 'low', 'medium', 'high', 'critical')),
    CONSTRAINT sop_model_performance_tracking_interval_check CHECK (value_high >= value_low),
    CONSTRAINT sop_model_performance_tracking_p_value_check
        CHECK (p_value BETWEEN 0 AND 1 AND adjusted_p_value BETWEEN 0 AND 1),
    CONSTRAINT sop_model_performance_tracking_range_check
        CHECK (reference_to >= reference_from AND current_to >= current_from),
    CONSTRAINT sop_model_performance_tracking_n_check CHECK (reference_n >= 0 AND current_n >= 0),
    CONSTRAINT sop_model_performance_tracking_details_check CHECK (jsonb_typeof(details) = 'object'),
    CONSTRAINT sop_model_performance_tracking_impact_currency_check CHECK (impact_currency ~ '^[A-Z]{3}$')
);

CREATE INDEX sop_model_performance_tracking_model_idx
    ON sop_ml.sop_model_performance_tracking (model_restaurant_id, model_id);
-- One metric of one subject over time; a repeated run finds and replaces its own rows here.
CREATE INDEX sop_model_performance_tracking_series_idx
    ON sop_ml.sop_model_performance_tracking (restaurant_id, model_id, subject, metric, current_to DESC)
    INCLUDE (value, severity);
CREATE INDEX sop_model_performance_tracking_severe_idx
    ON sop_ml.sop_model_performance_tracking (restaurant_id, measured_at DESC) WHERE severity IN ('high', 'critical');
CREATE INDEX sop_model_performance_tracking_time_brin
    ON sop_ml.sop_model_performance_tracking USING brin (measured_at)
    WITH (pages_per_range = 32, autosummarize = on);
