-- 037 ML training data: data sets and their lineage, features, trained model versions, training jobs, the serving log.

CREATE TABLE sop_ml.sop_training_datasets (
    restaurant_id       uuid NOT NULL,
    dataset_id          uuid NOT NULL DEFAULT gen_random_uuid(),
    name                text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    kind                text NOT NULL DEFAULT 'custom',
    description         text NOT NULL DEFAULT '',
    status              text NOT NULL DEFAULT 'ready',
    query_text          text NOT NULL DEFAULT '',
    parameters          jsonb NOT NULL DEFAULT '{}',
    seed                bigint NOT NULL DEFAULT 0,
    content_hash        text,
    row_count           bigint,
    positive_count      bigint,
    negative_count      bigint,
    user_count          bigint,
    sop_count           bigint,
    split_counts        jsonb NOT NULL DEFAULT '{}',
    feature_names       text[] NOT NULL DEFAULT '{}',
    feature_versions    jsonb NOT NULL DEFAULT '{}',
    label_name          text,
    label_mean          float8,
    label_stddev        float8,
    profile             jsonb NOT NULL DEFAULT '{}',
    quality_score       float8,
    quality_run_id      uuid,
    leakage_score       float8,
    parent_dataset_id   uuid,
    from_time           timestamptz,
    to_time             timestamptz,
    size_bytes          bigint,
    build_ms            float8,
    retention_until     timestamptz,
    created_by          text NOT NULL DEFAULT current_user,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_training_datasets_pkey PRIMARY KEY (restaurant_id, dataset_id),
    CONSTRAINT sop_training_datasets_name_version_key UNIQUE (restaurant_id, name, version),
    CONSTRAINT sop_training_datasets_restaurant_fkey FOREIGN KEY (restaurant_id)
        REFERENCES sop_ml.sop_restaurants (restaurant_id),
    CONSTRAINT sop_training_datasets_parent_fkey FOREIGN KEY (restaurant_id, parent_dataset_id)
        REFERENCES sop_ml.sop_training_datasets (restaurant_id, dataset_id),
    CONSTRAINT sop_training_datasets_name_check CHECK (name <> ''),
    CONSTRAINT sop_training_datasets_version_check CHECK (version >= 1),
    CONSTRAINT sop_training_datasets_kind_check CHECK (kind IN ('recommendation', 'feature_matrix', 'performance',
        'time_series', 'classification', 'regression', 'experiment', 'custom')),
    CONSTRAINT sop_training_datasets_status_check
        CHECK (status IN ('building', 'ready', 'stale', 'failed', 'archived')),
    CONSTRAINT sop_training_datasets_parameters_check CHECK (jsonb_typeof(parameters) = 'object'),
    CONSTRAINT sop_training_datasets_counts_check CHECK (row_count >= 0 AND positive_count >= 0 AND negative_count >= 0
        AND user_count >= 0 AND sop_count >= 0 AND size_bytes >= 0),
    CONSTRAINT sop_training_datasets_split_counts_check CHECK (jsonb_typeof(split_counts) = 'object'),
    CONSTRAINT sop_training_datasets_feature_versions_check CHECK (jsonb_typeof(feature_versions) = 'object'),
    CONSTRAINT sop_training_datasets_profile_check CHECK (jsonb_typeof(profile) = 'object'),
    CONSTRAINT sop_training_datasets_quality_score_check CHECK (quality_score BETWEEN 0 AND 100),
    CONSTRAINT sop_training_datasets_leakage_score_check CHECK (leakage_score BETWEEN 0 AND 1),
    CONSTRAINT sop_training_datasets_label_stddev_check CHECK (label_stddev >= 0),
    CONSTRAINT sop_training_datasets_range_check CHECK (to_time >= from_time),
    CONSTRAINT sop_training_datasets_build_ms_check CHECK (build_ms >= 0),
    CONSTRAINT sop_training_datasets_parent_check CHECK (parent_dataset_id <> dataset_id)
);

CREATE INDEX sop_training_datasets_parent_idx ON sop_ml.sop_training_datasets (restaurant_id, parent_dataset_id)
    WHERE parent_dataset_id IS NOT NULL;
-- "Has this very content been registered before?"
CREATE INDEX sop_training_datasets_content_idx ON sop_ml.sop_training_datasets (restaurant_id, content_hash)
    INCLUDE (dataset_id, name, version) WHERE content_hash IS NOT NULL;
CREATE INDEX sop_training_datasets_kind_idx ON sop_ml.sop_training_datasets (restaurant_id, kind, created_at DESC);

-- Feature definitions; the shared tenant holds those that ship with the extension.
CREATE TABLE sop_ml.sop_ml_features (
    restaurant_id          uuid NOT NULL,
    feature_id             uuid NOT NULL DEFAULT gen_random_uuid(),
    name                   text NOT NULL,
    version                integer NOT NULL DEFAULT 1,
    description            text NOT NULL DEFAULT '',
    entity                 text NOT NULL DEFAULT 'sop',
    value_type             text NOT NULL DEFAULT 'float8',
    unit                   text NOT NULL DEFAULT '',
    source_relation        text NOT NULL DEFAULT '',
    aggregation            text NOT NULL DEFAULT 'last',
    window_length          interval,
    time_to_live           interval,
    definition             jsonb NOT NULL DEFAULT '{}',
    expression_hash        text,
    default_value          float8,
    status                 text NOT NULL DEFAULT 'active',
    is_personal_data       boolean NOT NULL DEFAULT false,
    tags                   text[] NOT NULL DEFAULT '{}',
    importance_score       float8,
    importance_method      text,
    importance_measured_at timestamptz,
    n_observed             bigint,
    null_rate              float8,
    distinct_count         bigint,
    mean                   float8,
    stddev                 float8,
    minimum                float8,
    maximum                float8,
    statistics             jsonb NOT NULL DEFAULT '{}',
    distribution_state     bytea,
    statistics_at          timestamptz,
    replaced_by_feature_id uuid,
    created_by             text NOT NULL DEFAULT current_user,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_ml_features_pkey PRIMARY KEY (restaurant_id, feature_id),
    CONSTRAINT sop_ml_features_name_version_key UNIQUE (restaurant_id, name, version),
    CONSTRAINT sop_ml_features_replaced_by_fkey FOREIGN KEY (restaurant_id, replaced_by_feature_id)
        REFERENCES sop_ml.sop_ml_features (restaurant_id, feature_id),
    CONSTRAINT sop_ml_features_name_check CHECK (name <> ''),
    CONSTRAINT sop_ml_features_version_check CHECK (version >= 1),
    CONSTRAINT sop_ml_features_entity_check CHECK (entity IN ('sop', 'user', 'user_sop', 'restaurant')),
    CONSTRAINT sop_ml_features_value_type_check
        CHECK (value_type IN ('float8', 'bigint', 'boolean', 'text', 'timestamptz', 'interval')),
    CONSTRAINT sop_ml_features_window_length_check CHECK (window_length > interval '0'),
    CONSTRAINT sop_ml_features_time_to_live_check CHECK (time_to_live > interval '0'),
    CONSTRAINT sop_ml_features_definition_check CHECK (jsonb_typeof(definition) = 'object'),
    CONSTRAINT sop_ml_features_status_check CHECK (status IN ('draft', 'active', 'deprecated', 'archived')),
    CONSTRAINT sop_ml_features_null_rate_check CHECK (null_rate BETWEEN 0 AND 1),
    CONSTRAINT sop_ml_features_counts_check CHECK (n_observed >= 0 AND distinct_count >= 0),
    CONSTRAINT sop_ml_features_stddev_check CHECK (stddev >= 0),
    CONSTRAINT sop_ml_features_statistics_check CHECK (jsonb_typeof(statistics) = 'object')
);

CREATE INDEX sop_ml_features_replaced_by_idx ON sop_ml.sop_ml_features (restaurant_id, replaced_by_feature_id)
    WHERE replaced_by_feature_id IS NOT NULL;
-- The catalogue of what can be asked for, by entity.
CREATE INDEX sop_ml_features_active_idx ON sop_ml.sop_ml_features (restaurant_id, entity, name)
    INCLUDE (version, aggregation, window_length) WHERE status = 'active';
CREATE INDEX sop_ml_features_tags_idx ON sop_ml.sop_ml_features USING gin (tags);

-- Every immutable trained version of a model; `name@alias` and `name@7` resolve here.
CREATE TABLE sop_ml.sop_ml_models (
    restaurant_id          uuid NOT NULL,
    model_id               uuid NOT NULL DEFAULT gen_random_uuid(),
    name                   text NOT NULL,
    version                integer NOT NULL DEFAULT 1,
    description            text NOT NULL DEFAULT '',
    task                   text NOT NULL,
    algorithm              text NOT NULL,
    status                 text NOT NULL DEFAULT 'draft',
    aliases                text[] NOT NULL DEFAULT '{}',
    tags                   text[] NOT NULL DEFAULT '{}',
    target_name            text,
    feature_names          text[] NOT NULL DEFAULT '{}',
    class_labels           text[] NOT NULL DEFAULT '{}',
    hyperparameters        jsonb NOT NULL DEFAULT '{}',
    preprocessing          jsonb NOT NULL DEFAULT '{}',
    metrics                jsonb NOT NULL DEFAULT '{}',
    baseline_metrics       jsonb NOT NULL DEFAULT '{}',
    primary_metric         text,
    primary_metric_value   float8,
    primary_metric_low     float8,
    primary_metric_high    float8,
    feature_importance     jsonb NOT NULL DEFAULT '{}',
    calibration            jsonb NOT NULL DEFAULT '{}',
    reference_profile      jsonb NOT NULL DEFAULT '{}',
    reference_state        bytea,
    fairness               jsonb NOT NULL DEFAULT '{}',
    predictive_model_restaurant_id uuid,
    predictive_model_id    uuid,
    training_dataset_id    uuid,
    validation_dataset_id  uuid,
    training_from          timestamptz,
    training_to            timestamptz,
    training_rows          bigint,
    feature_versions       jsonb NOT NULL DEFAULT '{}',
    parent_model_id        uuid,
    seed                   bigint NOT NULL DEFAULT 0,
    code_version           text NOT NULL DEFAULT '',
    artifact_format        text,
    artifact               bytea,
    artifact_hash          text,
    artifact_bytes         bigint,
    trained_at             timestamptz,
    training_ms            float8,
    validated_at           timestamptz,
    approved_by            text,
    approved_at            timestamptz,
    deployment_mode        text NOT NULL DEFAULT 'none',
    traffic_percent        float8 NOT NULL DEFAULT 0,
    deployed_at            timestamptz,
    retired_at             timestamptz,
    expected_impact        float8,
    realised_impact        float8,
    impact_currency        text,
    retention_until        timestamptz,
    created_by             text NOT NULL DEFAULT current_user,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_ml_models_pkey PRIMARY KEY (restaurant_id, model_id),
    CONSTRAINT sop_ml_models_name_version_key UNIQUE (restaurant_id, name, version),
    CONSTRAINT sop_ml_models_training_dataset_fkey FOREIGN KEY (restaurant_id, training_dataset_id)
        REFERENCES sop_ml.sop_training_datasets (restaurant_id, dataset_id),
    CONSTRAINT sop_ml_models_validation_dataset_fkey FOREIGN KEY (restaurant_id, validation_dataset_id)
        REFERENCES sop_ml.sop_training_datasets (restaurant_id, dataset_id),
    CONSTRAINT sop_ml_models_parent_fkey FOREIGN KEY (restaurant_id, parent_model_id)
        REFERENCES sop_ml.sop_ml_models (restaurant_id, model_id),
    -- '@' separates the name from its alias or version.
    CONSTRAINT sop_ml_models_name_check CHECK (name <> '' AND position('@' IN name) = 0),
    CONSTRAINT sop_ml_models_version_check CHECK (version >= 1),
    CONSTRAINT sop_ml_models_task_check CHECK (task IN ('regression', 'classification', 'ranking', 'recommendation',
        'forecasting', 'anomaly_detection', 'clustering')),
    CONSTRAINT sop_ml_models_status_check CHECK (status IN ('draft', 'training', 'trained', 'validated', 'approved',
        'deployed', 'deprecated', 'archived', 'failed')),
    CONSTRAINT sop_ml_models_hyperparameters_check CHECK (jsonb_typeof(hyperparameters) = 'object'),
    CONSTRAINT sop_ml_models_metrics_check CHECK (jsonb_typeof(metrics) = 'object'),
    CONSTRAINT sop_ml_models_feature_versions_check CHECK (jsonb_typeof(feature_versions) = 'object'),
    CONSTRAINT sop_ml_models_primary_metric_check CHECK (primary_metric_high >= primary_metric_low),
    CONSTRAINT sop_ml_models_predictive_model_check
        CHECK (num_nonnulls(predictive_model_restaurant_id, predictive_model_id) IN (0, 2)),
    CONSTRAINT sop_ml_models_predictive_model_tenant_check CHECK (predictive_model_restaurant_id
        IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_ml_models_training_range_check CHECK (training_to >= training_from),
    CONSTRAINT sop_ml_models_training_rows_check CHECK (training_rows >= 0),
    CONSTRAINT sop_ml_models_training_ms_check CHECK (training_ms >= 0),
    CONSTRAINT sop_ml_models_parent_check CHECK (parent_model_id <> model_id),
    CONSTRAINT sop_ml_models_artifact_bytes_check CHECK (artifact_bytes >= 0),
    CONSTRAINT sop_ml_models_deployment_mode_check
        CHECK (deployment_mode IN ('none', 'champion', 'challenger', 'canary', 'shadow')),
    CONSTRAINT sop_ml_models_traffic_percent_check CHECK (traffic_percent BETWEEN 0 AND 100),
    CONSTRAINT sop_ml_models_impact_currency_check CHECK (impact_currency ~ '^[A-Z]{3}$')
) WITH (fillfactor = 90);

-- Model artifacts are compressed by their own format: storing them uncompressed makes a slice read cheap.
ALTER TABLE sop_ml.sop_ml_models ALTER COLUMN artifact SET STORAGE EXTERNAL;

CREATE INDEX sop_ml_models_training_dataset_idx ON sop_ml.sop_ml_models (restaurant_id, training_dataset_id)
    WHERE training_dataset_id IS NOT NULL;
CREATE INDEX sop_ml_models_validation_dataset_idx ON sop_ml.sop_ml_models (restaurant_id, validation_dataset_id)
    WHERE validation_dataset_id IS NOT NULL;
CREATE INDEX sop_ml_models_parent_idx ON sop_ml.sop_ml_models (restaurant_id, parent_model_id)
    WHERE parent_model_id IS NOT NULL;
CREATE INDEX sop_ml_models_predictive_model_idx
    ON sop_ml.sop_ml_models (predictive_model_restaurant_id, predictive_model_id)
    WHERE predictive_model_id IS NOT NULL;
-- What serves now.
CREATE INDEX sop_ml_models_deployed_idx ON sop_ml.sop_ml_models (restaurant_id, name, deployment_mode)
    INCLUDE (model_id, version, traffic_percent) WHERE status = 'deployed';
-- Only one champion per name at a time.
CREATE UNIQUE INDEX sop_ml_models_champion_key ON sop_ml.sop_ml_models (restaurant_id, name)
    WHERE status = 'deployed' AND deployment_mode = 'champion';

CREATE TABLE sop_ml.sop_ml_training_jobs (
    restaurant_id     uuid NOT NULL,
    job_id            uuid NOT NULL DEFAULT gen_random_uuid(),
    model_name        text NOT NULL,
    task              text NOT NULL,
    algorithm         text NOT NULL,
    status            text NOT NULL DEFAULT 'queued',
    trigger_reason    text NOT NULL DEFAULT 'manual',
    priority          smallint NOT NULL DEFAULT 5,
    predictive_model_restaurant_id uuid,
    predictive_model_id uuid,
    dataset_id        uuid,
    model_id          uuid,
    parent_job_id     uuid,
    trial_number      integer,
    hyperparameters   jsonb NOT NULL DEFAULT '{}',
    search_space      jsonb NOT NULL DEFAULT '{}',
    budget_seconds    float8,
    seed              bigint NOT NULL DEFAULT 0,
    progress          float8 NOT NULL DEFAULT 0,
    current_step      text NOT NULL DEFAULT '',
    steps_done        bigint NOT NULL DEFAULT 0,
    steps_total       bigint,
    step_metrics      jsonb NOT NULL DEFAULT '[]',
    metrics           jsonb NOT NULL DEFAULT '{}',
    best_metric       float8,
    rows_read         bigint,
    cpu_seconds       float8,
    peak_memory_mb    float8,
    queued_at         timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    heartbeat_at      timestamptz,
    finished_at       timestamptz,
    attempt           integer NOT NULL DEFAULT 1,
    max_attempts      integer NOT NULL DEFAULT 3,
    backend_pid       integer,
    error_sqlstate    text,
    error_message     text,
    requested_by      text NOT NULL DEFAULT current_user,
    retention_until   timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_ml_training_jobs_pkey PRIMARY KEY (restaurant_id, job_id),
    CONSTRAINT sop_ml_training_jobs_dataset_fkey FOREIGN KEY (restaurant_id, dataset_id)
        REFERENCES sop_ml.sop_training_datasets (restaurant_id, dataset_id),
    CONSTRAINT sop_ml_training_jobs_model_fkey FOREIGN KEY (restaurant_id, model_id)
        REFERENCES sop_ml.sop_ml_models (restaurant_id, model_id),
    CONSTRAINT sop_ml_training_jobs_parent_fkey FOREIGN KEY (restaurant_id, parent_job_id)
        REFERENCES sop_ml.sop_ml_training_jobs (restaurant_id, job_id),
    CONSTRAINT sop_ml_training_jobs_status_check
        CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    CONSTRAINT sop_ml_training_jobs_trigger_reason_check
        CHECK (trigger_reason IN ('manual', 'schedule', 'drift', 'new_data', 'search', 'rollback')),
    CONSTRAINT sop_ml_training_jobs_priority_check CHECK (priority BETWEEN 1 AND 9),
    CONSTRAINT sop_ml_training_jobs_predictive_model_check
        CHECK (num_nonnulls(predictive_model_restaurant_id, predictive_model_id) IN (0, 2)),
    CONSTRAINT sop_ml_training_jobs_predictive_model_tenant_check CHECK (predictive_model_restaurant_id
        IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_ml_training_jobs_trial_number_check CHECK (trial_number >= 1),
    CONSTRAINT sop_ml_training_jobs_hyperparameters_check CHECK (jsonb_typeof(hyperparameters) = 'object'),
    CONSTRAINT sop_ml_training_jobs_step_metrics_check CHECK (jsonb_typeof(step_metrics) = 'array'),
    CONSTRAINT sop_ml_training_jobs_budget_seconds_check CHECK (budget_seconds > 0),
    CONSTRAINT sop_ml_training_jobs_progress_check CHECK (progress BETWEEN 0 AND 1),
    CONSTRAINT sop_ml_training_jobs_steps_check CHECK (steps_done >= 0 AND steps_total >= 0),
    CONSTRAINT sop_ml_training_jobs_resources_check
        CHECK (rows_read >= 0 AND cpu_seconds >= 0 AND peak_memory_mb >= 0),
    CONSTRAINT sop_ml_training_jobs_attempt_check CHECK (attempt BETWEEN 1 AND max_attempts),
    CONSTRAINT sop_ml_training_jobs_started_check CHECK (status <> 'running' OR started_at IS NOT NULL),
    CONSTRAINT sop_ml_training_jobs_finished_check CHECK (finished_at >= started_at)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
-- Progress and heartbeat are rewritten every few seconds: room on the page keeps those updates heap-only.

CREATE INDEX sop_ml_training_jobs_dataset_idx ON sop_ml.sop_ml_training_jobs (restaurant_id, dataset_id)
    WHERE dataset_id IS NOT NULL;
CREATE INDEX sop_ml_training_jobs_model_idx ON sop_ml.sop_ml_training_jobs (restaurant_id, model_id)
    WHERE model_id IS NOT NULL;
CREATE INDEX sop_ml_training_jobs_parent_idx
    ON sop_ml.sop_ml_training_jobs (restaurant_id, parent_job_id, trial_number) WHERE parent_job_id IS NOT NULL;
CREATE INDEX sop_ml_training_jobs_predictive_model_idx
    ON sop_ml.sop_ml_training_jobs (predictive_model_restaurant_id, predictive_model_id)
    WHERE predictive_model_id IS NOT NULL;
-- The worker's queue, over all restaurants.
CREATE INDEX sop_ml_training_jobs_queue_idx ON sop_ml.sop_ml_training_jobs (priority, queued_at)
    WHERE status = 'queued';
CREATE INDEX sop_ml_training_jobs_history_idx
    ON sop_ml.sop_ml_training_jobs (restaurant_id, model_name, queued_at DESC);

-- The serving log: one row per prediction served, completed by feedback when the outcome is known. It outlives retired
-- models and is written on the hot path, so it carries no foreign key: no model row is locked for a prediction, and
-- partitions can be attached and detached without touching sop_ml_models.
CREATE TABLE sop_ml.sop_ml_predictions (
    restaurant_id       uuid NOT NULL,
    prediction_id       uuid NOT NULL DEFAULT gen_random_uuid(),
    predicted_at        timestamptz NOT NULL DEFAULT now(),
    model_restaurant_id uuid NOT NULL,
    model_id            uuid NOT NULL,
    model_version       integer,
    entity_kind         text NOT NULL DEFAULT 'sop',
    entity_id           uuid,
    user_id             uuid,
    sop_id              uuid,
    request_id          uuid,
    features            jsonb NOT NULL DEFAULT '{}',
    predicted_value     float8,
    predicted_label     text,
    class_probabilities jsonb,
    confidence          float8,
    predicted_low       float8,
    predicted_high      float8,
    explanation         jsonb,
    deployment_mode     text NOT NULL DEFAULT 'champion',
    experiment_id       uuid,
    latency_ms          float8,
    actual_value        float8,
    actual_label        text,
    actual_at           timestamptz,
    feedback_score      float8,
    feedback_text       text,
    feedback_by         uuid,
    feedback_at         timestamptz,
    CONSTRAINT sop_ml_predictions_pkey PRIMARY KEY (restaurant_id, prediction_id, predicted_at),
    CONSTRAINT sop_ml_predictions_model_tenant_check
        CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_ml_predictions_entity_kind_check CHECK (entity_kind IN ('sop', 'user', 'user_sop', 'restaurant')),
    CONSTRAINT sop_ml_predictions_features_check CHECK (jsonb_typeof(features) = 'object'),
    CONSTRAINT sop_ml_predictions_confidence_check CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT sop_ml_predictions_interval_check CHECK (predicted_high >= predicted_low),
    CONSTRAINT sop_ml_predictions_deployment_mode_check
        CHECK (deployment_mode IN ('none', 'champion', 'challenger', 'canary', 'shadow')),
    CONSTRAINT sop_ml_predictions_latency_ms_check CHECK (latency_ms >= 0),
    CONSTRAINT sop_ml_predictions_feedback_score_check CHECK (feedback_score BETWEEN 0 AND 1)
) PARTITION BY RANGE (predicted_at);

-- Feedback arrives on most rows once: leave room for a heap-only update.
CREATE TABLE sop_ml_storage.sop_ml_predictions_default PARTITION OF sop_ml.sop_ml_predictions DEFAULT
    WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.1);

-- Drift and anomaly windows of one model. No feedback column is indexed, so feedback stays heap-only.
CREATE INDEX sop_ml_predictions_model_idx
    ON sop_ml.sop_ml_predictions (restaurant_id, model_id, predicted_at) INCLUDE (predicted_value, confidence);
CREATE INDEX sop_ml_predictions_entity_idx
    ON sop_ml.sop_ml_predictions (restaurant_id, entity_id, predicted_at DESC) WHERE entity_id IS NOT NULL;
-- Erasure of a person's data.
CREATE INDEX sop_ml_predictions_user_idx ON sop_ml.sop_ml_predictions (restaurant_id, user_id)
    WHERE user_id IS NOT NULL;
CREATE INDEX sop_ml_predictions_time_brin ON sop_ml.sop_ml_predictions USING brin (predicted_at)
    WITH (pages_per_range = 32, autosummarize = on);
