-- 041 recommendation: what people do with SOPs, what both are like, what is recommended to whom with which effect.

CREATE TABLE sop_ml.sop_user_interactions (
    restaurant_id           uuid NOT NULL,
    user_id                 uuid NOT NULL,
    sop_id                  uuid NOT NULL,
    interaction_type        text NOT NULL,
    occurred_at             timestamptz NOT NULL,
    interaction_id          uuid NOT NULL DEFAULT gen_random_uuid(),
    rating                  float8,
    duration_seconds        float8,
    session_id              uuid,
    outcome                 text,
    completion_fraction     float8,
    quality_score           float8,
    error_count             integer,
    device_type             text,
    language                text,
    recommendation_id       uuid,
    recommendation_position integer,
    experiment_id           uuid,
    variant                 text,
    search_text             text,
    context                 jsonb,
    ingested_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_user_interactions_pkey PRIMARY KEY (restaurant_id, user_id, sop_id, interaction_type, occurred_at,
        interaction_id),
    CONSTRAINT sop_user_interactions_interaction_type_check
        CHECK (interaction_type IN ('view', 'start', 'complete', 'skip', 'bookmark', 'share', 'rate', 'search',
            'feedback')),
    CONSTRAINT sop_user_interactions_occurred_at_check CHECK (isfinite(occurred_at)),
    CONSTRAINT sop_user_interactions_outcome_check CHECK (outcome IN ('success', 'partial', 'failed', 'abandoned')),
    CONSTRAINT sop_user_interactions_context_check CHECK (jsonb_typeof(context) = 'object')
) PARTITION BY RANGE (occurred_at);
CREATE TABLE sop_ml_storage.sop_user_interactions_default PARTITION OF sop_ml.sop_user_interactions DEFAULT
    WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX sop_user_interactions_sop_idx ON sop_ml.sop_user_interactions (restaurant_id, sop_id, occurred_at);
-- Training windows and roll-ups read time ranges; rows arrive nearly in time order.
CREATE INDEX sop_user_interactions_occurred_brin ON sop_ml.sop_user_interactions
    USING brin (occurred_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE sop_ml.sop_content_features (
    restaurant_id           uuid NOT NULL,
    sop_id                  uuid NOT NULL,
    title                   text,
    body                    text,
    category                text,
    language                text,
    tags                    text[] NOT NULL DEFAULT '{}',
    difficulty              float8,
    required_certifications text[] NOT NULL DEFAULT '{}',
    embedding               real[],
    embedding_model         text,
    embedding_updated_at    timestamptz,
    version                 integer NOT NULL DEFAULT 1,
    content_hash            text,
    status                  text NOT NULL DEFAULT 'published',
    is_mandatory            boolean NOT NULL DEFAULT false,
    job_roles               text[] NOT NULL DEFAULT '{}',
    station                 text,
    equipment               text[] NOT NULL DEFAULT '{}',
    prerequisite_sop_ids    uuid[] NOT NULL DEFAULT '{}',
    step_count              integer,
    word_count              integer,
    estimated_minutes       float8,
    risk_level              text,
    interaction_count       bigint NOT NULL DEFAULT 0,
    completion_rate         float8,
    average_rating          float8,
    popularity_score        float8,
    quality_score           float8,
    last_interaction_at     timestamptz,
    published_at            timestamptz,
    retired_at              timestamptz,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    host_document_id        uuid GENERATED ALWAYS AS (
        CASE WHEN restaurant_id <> '00000000-0000-0000-0000-000000000000'
              AND sop_id <> '00000000-0000-0000-0000-000000000000' THEN sop_id END) STORED,
    CONSTRAINT sop_content_features_pkey PRIMARY KEY (restaurant_id, sop_id),
    CONSTRAINT sop_content_features_restaurant_fkey FOREIGN KEY (restaurant_id)
        REFERENCES sop_ml.sop_restaurants (restaurant_id),
    CONSTRAINT sop_content_features_version_check CHECK (version > 0),
    CONSTRAINT sop_content_features_status_check CHECK (status IN ('draft', 'published', 'retired')),
    CONSTRAINT sop_content_features_step_count_check CHECK (step_count >= 0),
    CONSTRAINT sop_content_features_word_count_check CHECK (word_count >= 0),
    CONSTRAINT sop_content_features_estimated_minutes_check CHECK (estimated_minutes >= 0),
    CONSTRAINT sop_content_features_risk_level_check CHECK (risk_level IN ('low', 'medium', 'high')),
    CONSTRAINT sop_content_features_interaction_count_check CHECK (interaction_count >= 0),
    CONSTRAINT sop_content_features_completion_rate_check CHECK (completion_rate BETWEEN 0 AND 1),
    CONSTRAINT sop_content_features_quality_score_check CHECK (quality_score BETWEEN 0 AND 100)
) WITH (fillfactor = 85);
CREATE INDEX sop_content_features_category_idx ON sop_ml.sop_content_features (restaurant_id, category)
    WHERE status = 'published';

CREATE TABLE sop_ml.sop_user_profiles (
    restaurant_id           uuid NOT NULL,
    user_id                 uuid NOT NULL,
    job_role                text,
    skill_level             float8,
    certifications          text[] NOT NULL DEFAULT '{}',
    preferred_language      text,
    personalization_opt_out boolean NOT NULL DEFAULT false,
    status                  text NOT NULL DEFAULT 'active',
    department              text,
    station                 text,
    shift_pattern           text,
    experience_months       float8,
    hired_on                date,
    preferred_categories    text[] NOT NULL DEFAULT '{}',
    preferred_difficulty    float8,
    learning_speed          float8,
    segment                 text,
    interaction_count       bigint NOT NULL DEFAULT 0,
    completion_rate         float8,
    average_rating_given    float8,
    engagement_score        float8,
    is_cold_start           boolean NOT NULL DEFAULT true,
    embedding               real[],
    embedding_model         text,
    features                jsonb NOT NULL DEFAULT '{}',
    last_active_at          timestamptz,
    features_computed_at    timestamptz,
    retain_until            timestamptz,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    host_user_id            uuid GENERATED ALWAYS AS (
        CASE WHEN restaurant_id <> '00000000-0000-0000-0000-000000000000'
              AND user_id <> '00000000-0000-0000-0000-000000000000' THEN user_id END) STORED,
    CONSTRAINT sop_user_profiles_pkey PRIMARY KEY (restaurant_id, user_id),
    CONSTRAINT sop_user_profiles_restaurant_fkey FOREIGN KEY (restaurant_id)
        REFERENCES sop_ml.sop_restaurants (restaurant_id),
    CONSTRAINT sop_user_profiles_status_check CHECK (status IN ('active', 'inactive', 'erased')),
    CONSTRAINT sop_user_profiles_experience_months_check CHECK (experience_months >= 0),
    CONSTRAINT sop_user_profiles_interaction_count_check CHECK (interaction_count >= 0),
    CONSTRAINT sop_user_profiles_completion_rate_check CHECK (completion_rate BETWEEN 0 AND 1)
) WITH (fillfactor = 80);
-- The few people whose data no training may read (view sop_training_exclusions).
CREATE INDEX sop_user_profiles_excluded_idx ON sop_ml.sop_user_profiles (restaurant_id, user_id)
    WHERE personalization_opt_out OR status = 'erased';
CREATE INDEX sop_user_profiles_role_idx ON sop_ml.sop_user_profiles (restaurant_id, job_role) WHERE status = 'active';

CREATE TABLE sop_ml.sop_recommendation_models (
    restaurant_id        uuid NOT NULL,
    model_id             uuid NOT NULL DEFAULT gen_random_uuid(),
    name                 text NOT NULL,
    version              integer NOT NULL,
    algorithm            text NOT NULL,
    status               text NOT NULL DEFAULT 'draft',
    aliases              text[] NOT NULL DEFAULT '{}',
    hyperparameters      jsonb NOT NULL DEFAULT '{}',
    seed                 bigint NOT NULL DEFAULT 0,
    dataset_id           uuid,
    parent_model_id      uuid,
    training_from        timestamptz,
    training_to          timestamptz,
    user_count           bigint,
    item_count           bigint,
    interaction_count    bigint,
    opted_out_count      bigint,
    artifact             bytea,
    artifact_hash        text,
    artifact_bytes       bigint,
    ndcg_at_10           float8,
    precision_at_10      float8,
    recall_at_10         float8,
    map_at_10            float8,
    mean_reciprocal_rank float8,
    catalogue_coverage   float8,
    diversity            float8,
    novelty              float8,
    gini                 float8,
    baseline_ndcg_at_10  float8,
    metrics              jsonb NOT NULL DEFAULT '{}',
    progress             float8 NOT NULL DEFAULT 0,
    training_seconds     float8,
    peak_memory_bytes    bigint,
    serving_p99_ms       float8,
    error_message        text,
    trained_at           timestamptz,
    deployed_at          timestamptz,
    archived_at          timestamptz,
    created_by           text NOT NULL DEFAULT current_user,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_recommendation_models_pkey PRIMARY KEY (restaurant_id, model_id),
    CONSTRAINT sop_recommendation_models_natural_key UNIQUE (restaurant_id, name, version),
    CONSTRAINT sop_recommendation_models_dataset_fkey FOREIGN KEY (restaurant_id, dataset_id)
        REFERENCES sop_ml.sop_training_datasets (restaurant_id, dataset_id) ON DELETE SET NULL (dataset_id),
    CONSTRAINT sop_recommendation_models_parent_model_fkey FOREIGN KEY (restaurant_id, parent_model_id)
        REFERENCES sop_ml.sop_recommendation_models (restaurant_id, model_id) ON DELETE SET NULL (parent_model_id),
    CONSTRAINT sop_recommendation_models_name_check CHECK (name <> ''),
    CONSTRAINT sop_recommendation_models_version_check CHECK (version > 0),
    CONSTRAINT sop_recommendation_models_algorithm_check
        CHECK (algorithm IN ('popularity', 'item_knn', 'user_knn', 'ease', 'als', 'bpr', 'content', 'hybrid',
            'bandit')),
    CONSTRAINT sop_recommendation_models_status_check
        CHECK (status IN ('draft', 'training', 'trained', 'validated', 'deployed', 'archived', 'failed')),
    CONSTRAINT sop_recommendation_models_user_count_check CHECK (user_count >= 0),
    CONSTRAINT sop_recommendation_models_item_count_check CHECK (item_count >= 0),
    CONSTRAINT sop_recommendation_models_interaction_count_check CHECK (interaction_count >= 0),
    CONSTRAINT sop_recommendation_models_opted_out_count_check CHECK (opted_out_count >= 0),
    CONSTRAINT sop_recommendation_models_artifact_bytes_check CHECK (artifact_bytes >= 0),
    CONSTRAINT sop_recommendation_models_ndcg_at_10_check CHECK (ndcg_at_10 BETWEEN 0 AND 1),
    CONSTRAINT sop_recommendation_models_precision_at_10_check CHECK (precision_at_10 BETWEEN 0 AND 1),
    CONSTRAINT sop_recommendation_models_recall_at_10_check CHECK (recall_at_10 BETWEEN 0 AND 1),
    CONSTRAINT sop_recommendation_models_map_at_10_check CHECK (map_at_10 BETWEEN 0 AND 1),
    CONSTRAINT sop_recommendation_models_mean_reciprocal_rank_check CHECK (mean_reciprocal_rank BETWEEN 0 AND 1),
    CONSTRAINT sop_recommendation_models_catalogue_coverage_check CHECK (catalogue_coverage BETWEEN 0 AND 1),
    CONSTRAINT sop_recommendation_models_gini_check CHECK (gini BETWEEN 0 AND 1),
    CONSTRAINT sop_recommendation_models_baseline_ndcg_at_10_check CHECK (baseline_ndcg_at_10 BETWEEN 0 AND 1),
    CONSTRAINT sop_recommendation_models_progress_check CHECK (progress BETWEEN 0 AND 1),
    CONSTRAINT sop_recommendation_models_training_seconds_check CHECK (training_seconds >= 0),
    CONSTRAINT sop_recommendation_models_peak_memory_bytes_check CHECK (peak_memory_bytes >= 0)
);
CREATE INDEX sop_recommendation_models_dataset_idx ON sop_ml.sop_recommendation_models (restaurant_id, dataset_id)
    WHERE dataset_id IS NOT NULL;
CREATE INDEX sop_recommendation_models_parent_idx ON sop_ml.sop_recommendation_models (restaurant_id, parent_model_id)
    WHERE parent_model_id IS NOT NULL;
-- At most one version of a name serves at a time.
CREATE UNIQUE INDEX sop_recommendation_models_deployed_key ON sop_ml.sop_recommendation_models (restaurant_id, name)
    WHERE status = 'deployed';

CREATE TABLE sop_ml.sop_generated_recommendations (
    restaurant_id       uuid NOT NULL,
    recommendation_id   uuid NOT NULL DEFAULT gen_random_uuid(),
    list_id             uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id             uuid NOT NULL,
    sop_id              uuid NOT NULL,
    position            integer NOT NULL,
    score               float8 NOT NULL,
    confidence          float8,
    method              text NOT NULL,
    model_restaurant_id uuid,
    model_id            uuid,
    reason              text,
    explanation         jsonb,
    propensity          float8,
    is_exploration      boolean NOT NULL DEFAULT false,
    is_cold_start       boolean NOT NULL DEFAULT false,
    context             jsonb,
    experiment_id       uuid,
    variant             text,
    status              text NOT NULL DEFAULT 'generated',
    generated_at        timestamptz NOT NULL DEFAULT now(),
    shown_at            timestamptz,
    clicked_at          timestamptz,
    completed_at        timestamptz,
    dismissed_at        timestamptz,
    feedback_score      float8,
    feedback_note       text,
    latency_ms          float8,
    expires_at          timestamptz,
    retain_until        timestamptz,
    CONSTRAINT sop_generated_recommendations_pkey PRIMARY KEY (restaurant_id, recommendation_id),
    CONSTRAINT sop_generated_recommendations_model_fkey FOREIGN KEY (model_restaurant_id, model_id)
        REFERENCES sop_ml.sop_recommendation_models (restaurant_id, model_id) ON DELETE SET NULL,
    CONSTRAINT sop_generated_recommendations_position_check CHECK (position > 0),
    CONSTRAINT sop_generated_recommendations_confidence_check CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT sop_generated_recommendations_model_restaurant_id_check
        CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_generated_recommendations_propensity_check CHECK (propensity > 0 AND propensity <= 1),
    CONSTRAINT sop_generated_recommendations_status_check
        CHECK (status IN ('generated', 'shown', 'clicked', 'accepted', 'completed', 'dismissed', 'expired')),
    CONSTRAINT sop_generated_recommendations_latency_ms_check CHECK (latency_ms >= 0),
    CONSTRAINT sop_generated_recommendations_model_pair_check CHECK ((model_restaurant_id IS NULL) = (model_id IS NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX sop_generated_recommendations_model_idx ON sop_ml.sop_generated_recommendations (model_restaurant_id,
    model_id)
    WHERE model_id IS NOT NULL;
-- The lists of a person, newest first, without touching the table.
CREATE INDEX sop_generated_recommendations_user_idx ON sop_ml.sop_generated_recommendations
    (restaurant_id, user_id, generated_at DESC) INCLUDE (sop_id, position, score);
CREATE INDEX sop_generated_recommendations_sop_idx ON sop_ml.sop_generated_recommendations (restaurant_id, sop_id,
    generated_at);
CREATE INDEX sop_generated_recommendations_generated_brin ON sop_ml.sop_generated_recommendations
    USING brin (generated_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE sop_ml.sop_recommendation_analytics (
    restaurant_id            uuid NOT NULL,
    model_restaurant_id      uuid NOT NULL,
    model_id                 uuid NOT NULL,
    grain                    text NOT NULL,
    period_start             timestamptz NOT NULL,
    segment                  text NOT NULL DEFAULT '',
    period_end               timestamptz NOT NULL,
    lists_made               bigint NOT NULL DEFAULT 0,
    shown_count              bigint NOT NULL DEFAULT 0,
    clicked_count            bigint NOT NULL DEFAULT 0,
    completed_count          bigint NOT NULL DEFAULT 0,
    dismissed_count          bigint NOT NULL DEFAULT 0,
    distinct_users           bigint NOT NULL DEFAULT 0,
    click_rate               float8,
    click_rate_low           float8,
    click_rate_high          float8,
    completion_rate          float8,
    completion_rate_low      float8,
    completion_rate_high     float8,
    baseline_completion_rate float8,
    lift                     float8,
    lift_low                 float8,
    lift_high                float8,
    p_value                  float8,
    previous_completion_rate float8,
    ndcg_at_10               float8,
    catalogue_coverage       float8,
    diversity                float8,
    novelty                  float8,
    gini                     float8,
    cold_start_share         float8,
    mean_feedback            float8,
    latency_p50_ms           float8,
    latency_p95_ms           float8,
    latency_p99_ms           float8,
    minutes_saved            float8,
    business_impact          float8,
    impact_currency          text,
    roi                      float8,
    computed_at              timestamptz NOT NULL DEFAULT now(),
    run_id                   uuid,
    CONSTRAINT sop_recommendation_analytics_pkey PRIMARY KEY (restaurant_id, model_restaurant_id, model_id, grain,
        period_start, segment),
    CONSTRAINT sop_recommendation_analytics_model_fkey FOREIGN KEY (model_restaurant_id, model_id)
        REFERENCES sop_ml.sop_recommendation_models (restaurant_id, model_id) ON DELETE CASCADE,
    CONSTRAINT sop_recommendation_analytics_model_restaurant_id_check
        CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT sop_recommendation_analytics_grain_check CHECK (grain IN ('day', 'week', 'month', 'quarter', 'year')),
    CONSTRAINT sop_recommendation_analytics_lists_made_check CHECK (lists_made >= 0),
    CONSTRAINT sop_recommendation_analytics_shown_count_check CHECK (shown_count >= 0),
    CONSTRAINT sop_recommendation_analytics_clicked_count_check CHECK (clicked_count >= 0),
    CONSTRAINT sop_recommendation_analytics_completed_count_check CHECK (completed_count >= 0),
    CONSTRAINT sop_recommendation_analytics_dismissed_count_check CHECK (dismissed_count >= 0),
    CONSTRAINT sop_recommendation_analytics_distinct_users_check CHECK (distinct_users >= 0),
    CONSTRAINT sop_recommendation_analytics_click_rate_check CHECK (click_rate BETWEEN 0 AND 1),
    CONSTRAINT sop_recommendation_analytics_completion_rate_check CHECK (completion_rate BETWEEN 0 AND 1),
    CONSTRAINT sop_recommendation_analytics_p_value_check CHECK (p_value BETWEEN 0 AND 1)
);
CREATE INDEX sop_recommendation_analytics_model_idx ON sop_ml.sop_recommendation_analytics (model_restaurant_id,
    model_id);
CREATE INDEX sop_recommendation_analytics_period_idx ON sop_ml.sop_recommendation_analytics (restaurant_id, grain,
    period_start DESC);
