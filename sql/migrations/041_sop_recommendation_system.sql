-- What people do with SOPs, what SOPs and people are like, and what is recommended to whom with which effect.

CREATE TABLE sop_ml.sop_user_interactions (
    restaurant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    sop_id uuid NOT NULL,
    interaction_type text NOT NULL CHECK (interaction_type IN ('view', 'start', 'complete', 'skip', 'bookmark', 'share', 'rate', 'search', 'feedback')),
    occurred_at timestamptz NOT NULL CHECK (isfinite(occurred_at)),
    interaction_id uuid NOT NULL DEFAULT gen_random_uuid(),
    rating float8,
    duration_seconds float8,
    session_id uuid,
    outcome text CHECK (outcome IN ('success', 'partial', 'failed', 'abandoned')),
    completion_fraction float8,
    quality_score float8,
    error_count integer,
    device_type text,
    language text,
    recommendation_id uuid,
    recommendation_position integer,
    experiment_id uuid,
    variant text,
    search_text text,
    context jsonb CHECK (jsonb_typeof(context) = 'object'),
    ingested_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, user_id, sop_id, interaction_type, occurred_at, interaction_id)
) PARTITION BY RANGE (occurred_at);
CREATE TABLE sop_ml_storage.sop_user_interactions_default PARTITION OF sop_ml.sop_user_interactions DEFAULT
    WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX sop_user_interactions_sop ON sop_ml.sop_user_interactions (restaurant_id, sop_id, occurred_at);
-- Training windows and roll-ups read time ranges; rows arrive nearly in time order.
CREATE INDEX sop_user_interactions_occurred_brin ON sop_ml.sop_user_interactions
    USING brin (occurred_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE sop_ml.sop_content_features (
    restaurant_id uuid NOT NULL,
    sop_id uuid NOT NULL,
    title text,
    body text,
    category text,
    language text,
    tags text[] NOT NULL DEFAULT '{}',
    difficulty float8,
    required_certifications text[] NOT NULL DEFAULT '{}',
    embedding real[],
    embedding_model text,
    embedding_updated_at timestamptz,
    version integer NOT NULL DEFAULT 1 CHECK (version > 0),
    content_hash text,
    status text NOT NULL DEFAULT 'published' CHECK (status IN ('draft', 'published', 'retired')),
    is_mandatory boolean NOT NULL DEFAULT false,
    job_roles text[] NOT NULL DEFAULT '{}',
    station text,
    equipment text[] NOT NULL DEFAULT '{}',
    prerequisite_sop_ids uuid[] NOT NULL DEFAULT '{}',
    step_count integer CHECK (step_count >= 0),
    word_count integer CHECK (word_count >= 0),
    estimated_minutes float8 CHECK (estimated_minutes >= 0),
    risk_level text CHECK (risk_level IN ('low', 'medium', 'high')),
    interaction_count bigint NOT NULL DEFAULT 0 CHECK (interaction_count >= 0),
    completion_rate float8 CHECK (completion_rate BETWEEN 0 AND 1),
    average_rating float8,
    popularity_score float8,
    quality_score float8 CHECK (quality_score BETWEEN 0 AND 100),
    last_interaction_at timestamptz,
    published_at timestamptz,
    retired_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, sop_id)
) WITH (fillfactor = 85);
CREATE INDEX sop_content_features_category ON sop_ml.sop_content_features (restaurant_id, category)
    WHERE status = 'published';

CREATE TABLE sop_ml.sop_user_profiles (
    restaurant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    job_role text,
    skill_level float8,
    certifications text[] NOT NULL DEFAULT '{}',
    preferred_language text,
    personalization_opt_out boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'erased')),
    department text,
    station text,
    shift_pattern text,
    experience_months float8 CHECK (experience_months >= 0),
    hired_on date,
    preferred_categories text[] NOT NULL DEFAULT '{}',
    preferred_difficulty float8,
    learning_speed float8,
    segment text,
    interaction_count bigint NOT NULL DEFAULT 0 CHECK (interaction_count >= 0),
    completion_rate float8 CHECK (completion_rate BETWEEN 0 AND 1),
    average_rating_given float8,
    engagement_score float8,
    is_cold_start boolean NOT NULL DEFAULT true,
    embedding real[],
    embedding_model text,
    features jsonb NOT NULL DEFAULT '{}',
    last_active_at timestamptz,
    features_computed_at timestamptz,
    retain_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, user_id)
) WITH (fillfactor = 80);
CREATE INDEX sop_user_profiles_role ON sop_ml.sop_user_profiles (restaurant_id, job_role) WHERE status = 'active';
CREATE INDEX sop_user_profiles_opted_out ON sop_ml.sop_user_profiles (restaurant_id, user_id) WHERE personalization_opt_out;

CREATE TABLE sop_ml.sop_recommendation_models (
    restaurant_id uuid NOT NULL,
    model_id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL CHECK (name <> ''),
    version integer NOT NULL CHECK (version > 0),
    algorithm text NOT NULL CHECK (algorithm IN ('popularity', 'item_knn', 'user_knn', 'ease', 'als', 'bpr', 'content', 'hybrid', 'bandit')),
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'training', 'trained', 'validated', 'deployed', 'archived', 'failed')),
    aliases text[] NOT NULL DEFAULT '{}',
    hyperparameters jsonb NOT NULL DEFAULT '{}',
    seed bigint NOT NULL DEFAULT 0,
    dataset_id uuid,
    parent_model_id uuid,
    training_from timestamptz,
    training_to timestamptz,
    user_count bigint CHECK (user_count >= 0),
    item_count bigint CHECK (item_count >= 0),
    interaction_count bigint CHECK (interaction_count >= 0),
    opted_out_count bigint CHECK (opted_out_count >= 0),
    artifact bytea,
    artifact_hash text,
    artifact_bytes bigint CHECK (artifact_bytes >= 0),
    ndcg_at_10 float8 CHECK (ndcg_at_10 BETWEEN 0 AND 1),
    precision_at_10 float8 CHECK (precision_at_10 BETWEEN 0 AND 1),
    recall_at_10 float8 CHECK (recall_at_10 BETWEEN 0 AND 1),
    map_at_10 float8 CHECK (map_at_10 BETWEEN 0 AND 1),
    mean_reciprocal_rank float8 CHECK (mean_reciprocal_rank BETWEEN 0 AND 1),
    catalogue_coverage float8 CHECK (catalogue_coverage BETWEEN 0 AND 1),
    diversity float8,
    novelty float8,
    gini float8 CHECK (gini BETWEEN 0 AND 1),
    baseline_ndcg_at_10 float8 CHECK (baseline_ndcg_at_10 BETWEEN 0 AND 1),
    metrics jsonb NOT NULL DEFAULT '{}',
    progress float8 NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    training_seconds float8 CHECK (training_seconds >= 0),
    peak_memory_bytes bigint CHECK (peak_memory_bytes >= 0),
    serving_p99_ms float8,
    error_message text,
    trained_at timestamptz,
    deployed_at timestamptz,
    archived_at timestamptz,
    created_by text NOT NULL DEFAULT current_user,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, model_id),
    UNIQUE (restaurant_id, name, version),
    FOREIGN KEY (restaurant_id, dataset_id) REFERENCES sop_ml.sop_training_datasets (restaurant_id, dataset_id) ON DELETE SET NULL (dataset_id),
    FOREIGN KEY (restaurant_id, parent_model_id) REFERENCES sop_ml.sop_recommendation_models (restaurant_id, model_id) ON DELETE SET NULL (parent_model_id)
);
CREATE INDEX sop_recommendation_models_dataset ON sop_ml.sop_recommendation_models (restaurant_id, dataset_id)
    WHERE dataset_id IS NOT NULL;
CREATE INDEX sop_recommendation_models_parent ON sop_ml.sop_recommendation_models (restaurant_id, parent_model_id)
    WHERE parent_model_id IS NOT NULL;
-- At most one version of a name serves at a time.
CREATE UNIQUE INDEX sop_recommendation_models_deployed ON sop_ml.sop_recommendation_models (restaurant_id, name)
    WHERE status = 'deployed';

CREATE TABLE sop_ml.sop_generated_recommendations (
    restaurant_id uuid NOT NULL,
    recommendation_id uuid NOT NULL DEFAULT gen_random_uuid(),
    list_id uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL,
    sop_id uuid NOT NULL,
    position integer NOT NULL CHECK (position > 0),
    score float8 NOT NULL,
    confidence float8 CHECK (confidence BETWEEN 0 AND 1),
    method text NOT NULL,
    model_restaurant_id uuid CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    model_id uuid,
    reason text,
    explanation jsonb,
    propensity float8 CHECK (propensity > 0 AND propensity <= 1),
    is_exploration boolean NOT NULL DEFAULT false,
    is_cold_start boolean NOT NULL DEFAULT false,
    context jsonb,
    experiment_id uuid,
    variant text,
    status text NOT NULL DEFAULT 'generated' CHECK (status IN ('generated', 'shown', 'clicked', 'accepted', 'completed', 'dismissed', 'expired')),
    generated_at timestamptz NOT NULL DEFAULT now(),
    shown_at timestamptz,
    clicked_at timestamptz,
    completed_at timestamptz,
    dismissed_at timestamptz,
    feedback_score float8,
    feedback_note text,
    latency_ms float8 CHECK (latency_ms >= 0),
    expires_at timestamptz,
    retain_until timestamptz,
    PRIMARY KEY (restaurant_id, recommendation_id),
    CHECK ((model_restaurant_id IS NULL) = (model_id IS NULL)),
    FOREIGN KEY (model_restaurant_id, model_id) REFERENCES sop_ml.sop_recommendation_models (restaurant_id, model_id) ON DELETE SET NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX sop_generated_recommendations_model ON sop_ml.sop_generated_recommendations (model_restaurant_id, model_id)
    WHERE model_id IS NOT NULL;
-- The lists of a person, newest first, without touching the table.
CREATE INDEX sop_generated_recommendations_user ON sop_ml.sop_generated_recommendations
    (restaurant_id, user_id, generated_at DESC) INCLUDE (sop_id, position, score);
CREATE INDEX sop_generated_recommendations_sop ON sop_ml.sop_generated_recommendations (restaurant_id, sop_id, generated_at);
CREATE INDEX sop_generated_recommendations_generated_brin ON sop_ml.sop_generated_recommendations
    USING brin (generated_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE sop_ml.sop_recommendation_analytics (
    restaurant_id uuid NOT NULL,
    model_restaurant_id uuid NOT NULL CHECK (model_restaurant_id IN (restaurant_id, '00000000-0000-0000-0000-000000000000')),
    model_id uuid NOT NULL,
    grain text NOT NULL CHECK (grain IN ('day', 'week', 'month', 'quarter', 'year')),
    period_start timestamptz NOT NULL,
    segment text NOT NULL DEFAULT '',
    period_end timestamptz NOT NULL,
    lists_made bigint NOT NULL DEFAULT 0 CHECK (lists_made >= 0),
    shown_count bigint NOT NULL DEFAULT 0 CHECK (shown_count >= 0),
    clicked_count bigint NOT NULL DEFAULT 0 CHECK (clicked_count >= 0),
    completed_count bigint NOT NULL DEFAULT 0 CHECK (completed_count >= 0),
    dismissed_count bigint NOT NULL DEFAULT 0 CHECK (dismissed_count >= 0),
    distinct_users bigint NOT NULL DEFAULT 0 CHECK (distinct_users >= 0),
    click_rate float8 CHECK (click_rate BETWEEN 0 AND 1),
    click_rate_low float8,
    click_rate_high float8,
    completion_rate float8 CHECK (completion_rate BETWEEN 0 AND 1),
    completion_rate_low float8,
    completion_rate_high float8,
    baseline_completion_rate float8,
    lift float8,
    lift_low float8,
    lift_high float8,
    p_value float8 CHECK (p_value BETWEEN 0 AND 1),
    previous_completion_rate float8,
    ndcg_at_10 float8,
    catalogue_coverage float8,
    diversity float8,
    novelty float8,
    gini float8,
    cold_start_share float8,
    mean_feedback float8,
    latency_p50_ms float8,
    latency_p95_ms float8,
    latency_p99_ms float8,
    minutes_saved float8,
    business_impact float8,
    impact_currency text,
    roi float8,
    computed_at timestamptz NOT NULL DEFAULT now(),
    run_id uuid,
    PRIMARY KEY (restaurant_id, model_restaurant_id, model_id, grain, period_start, segment),
    FOREIGN KEY (model_restaurant_id, model_id) REFERENCES sop_ml.sop_recommendation_models (restaurant_id, model_id) ON DELETE CASCADE
);
CREATE INDEX sop_recommendation_analytics_model ON sop_ml.sop_recommendation_analytics (model_restaurant_id, model_id);
CREATE INDEX sop_recommendation_analytics_period ON sop_ml.sop_recommendation_analytics (restaurant_id, grain, period_start DESC);

-- Partitions of this month and the next two; sop_ml.maintain_partitions() makes the later ones. Row-level security is
-- forced on them without any policy: rows are reached through the parent alone.
DO $partitions$
DECLARE
    parent CONSTANT text := 'sop_user_interactions';
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
