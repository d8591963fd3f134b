-- 043 operations: alerts, audit, jobs, outbox, privacy, quality reports, and the log of buckets to recompute.

CREATE TABLE sop_ml.sop_alerts (
    restaurant_id    uuid NOT NULL,
    alert_id         uuid NOT NULL DEFAULT gen_random_uuid(),
    source           text NOT NULL,
    severity         text NOT NULL,
    title            text NOT NULL,
    description      text,
    evidence         jsonb NOT NULL DEFAULT '{}',
    status           text NOT NULL DEFAULT 'open',
    dedup_key        text NOT NULL DEFAULT gen_random_uuid()::text,
    raised_at        timestamptz NOT NULL DEFAULT now(),
    last_raised_at   timestamptz NOT NULL DEFAULT now(),
    raise_count      bigint NOT NULL DEFAULT 1,
    relation_name    text,
    subject_id       uuid,
    metric_name      text,
    assigned_to      uuid,
    acknowledged_by  text,
    acknowledged_at  timestamptz,
    resolved_by      text,
    resolved_at      timestamptz,
    resolution_note  text,
    announced_at     timestamptz NOT NULL DEFAULT now(),
    suppressed_until timestamptz,
    business_impact  float8,
    impact_currency  text,
    run_id           uuid,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_alerts_pkey PRIMARY KEY (restaurant_id, alert_id),
    CONSTRAINT sop_alerts_source_check CHECK (source IN ('quality', 'drift', 'anomaly', 'experiment', 'job', 'custom')),
    CONSTRAINT sop_alerts_severity_check CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')),
    CONSTRAINT sop_alerts_title_check CHECK (title <> ''),
    CONSTRAINT sop_alerts_status_check CHECK (status IN ('open', 'acknowledged', 'resolved')),
    CONSTRAINT sop_alerts_raise_count_check CHECK (raise_count > 0)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX sop_alerts_unresolved_key ON sop_ml.sop_alerts (restaurant_id, dedup_key) WHERE status <>
    'resolved';
CREATE INDEX sop_alerts_open_idx ON sop_ml.sop_alerts (restaurant_id, severity, raised_at DESC) WHERE status = 'open';
-- "Was this cause announced lately?", also when it was resolved meanwhile.
CREATE INDEX sop_alerts_suppressed_idx ON sop_ml.sop_alerts (restaurant_id, dedup_key, suppressed_until)
    WHERE suppressed_until IS NOT NULL;
CREATE INDEX sop_alerts_raised_idx ON sop_ml.sop_alerts (restaurant_id, raised_at DESC);

-- The tables of earlier migrations that point at alerts.
ALTER TABLE sop_ml.sop_time_series_anomalies ADD CONSTRAINT sop_time_series_anomalies_alert_fkey FOREIGN KEY
    (restaurant_id, alert_id)
    REFERENCES sop_ml.sop_alerts (restaurant_id, alert_id) ON DELETE SET NULL (alert_id);
CREATE INDEX sop_time_series_anomalies_alert_idx ON sop_ml.sop_time_series_anomalies (restaurant_id, alert_id)
    WHERE alert_id IS NOT NULL;
ALTER TABLE sop_ml.sop_ab_monitoring ADD CONSTRAINT sop_ab_monitoring_alert_fkey FOREIGN KEY (restaurant_id, alert_id)
    REFERENCES sop_ml.sop_alerts (restaurant_id, alert_id) ON DELETE SET NULL (alert_id);
CREATE INDEX sop_ab_monitoring_alert_idx ON sop_ml.sop_ab_monitoring (restaurant_id, alert_id)
    WHERE alert_id IS NOT NULL;

CREATE TABLE sop_ml.sop_audit_log (
    restaurant_id    uuid NOT NULL,
    entry_number     bigint NOT NULL,
    occurred_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    action           text NOT NULL,
    relation_name    text,
    row_key          jsonb,
    row_count        bigint,
    old_values       jsonb,
    new_values       jsonb,
    changed_columns  text[],
    actor_role       text NOT NULL DEFAULT current_user,
    session_role     text NOT NULL DEFAULT session_user,
    actor_user_id    uuid,
    access_level     text,
    application_name text DEFAULT current_setting('application_name', true),
    client_address   inet DEFAULT inet_client_addr(),
    backend_pid      integer DEFAULT pg_backend_pid(),
    transaction_id   xid8 DEFAULT pg_current_xact_id(),
    reason           text,
    outcome          text NOT NULL DEFAULT 'done',
    hash_version     integer NOT NULL DEFAULT 1,
    previous_hash    bytea,
    entry_hash       bytea,
    CONSTRAINT sop_audit_log_pkey PRIMARY KEY (restaurant_id, entry_number),
    CONSTRAINT sop_audit_log_entry_number_check CHECK (entry_number > 0),
    CONSTRAINT sop_audit_log_action_check
        CHECK (action IN ('insert', 'update', 'delete', 'truncate', 'select', 'export', 'erase', 'deploy', 'grant',
            'login', 'refused', 'configure')),
    CONSTRAINT sop_audit_log_row_count_check CHECK (row_count >= 0),
    CONSTRAINT sop_audit_log_outcome_check CHECK (outcome IN ('done', 'refused', 'failed')),
    CONSTRAINT sop_audit_log_hash_version_check CHECK (hash_version > 0)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX sop_audit_log_occurred_brin ON sop_ml.sop_audit_log
    USING brin (occurred_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX sop_audit_log_relation_idx ON sop_ml.sop_audit_log (restaurant_id, relation_name, occurred_at DESC)
    WHERE relation_name IS NOT NULL;

-- The end of each restaurant's chain: its row lock makes the numbers gapless, and it tells when the last entries are gone.
CREATE TABLE sop_ml_storage.audit_heads (
    restaurant_id uuid NOT NULL,
    entry_number  bigint NOT NULL,
    entry_hash    bytea,
    CONSTRAINT audit_heads_pkey PRIMARY KEY (restaurant_id),
    CONSTRAINT audit_heads_entry_number_check CHECK (entry_number >= 0)
) WITH (fillfactor = 50);

CREATE TABLE sop_ml.sop_job_queue (
    restaurant_id       uuid NOT NULL,
    job_id              uuid NOT NULL DEFAULT gen_random_uuid(),
    job_name            text NOT NULL,
    parameters          jsonb NOT NULL DEFAULT '{}',
    status              text NOT NULL DEFAULT 'queued',
    priority            integer NOT NULL DEFAULT 0,
    run_at              timestamptz NOT NULL DEFAULT now(),
    schedule_interval   interval,
    schedule_local_time time,
    unique_key          text,
    depends_on          uuid[] NOT NULL DEFAULT '{}',
    attempts            integer NOT NULL DEFAULT 0,
    max_attempts        integer NOT NULL DEFAULT 5,
    lease_owner         text,
    lease_until         timestamptz,
    fencing_token       bigint NOT NULL DEFAULT 0,
    last_error          text,
    last_sqlstate       text,
    result              jsonb,
    run_id              uuid,
    submitted_by        text NOT NULL DEFAULT current_user,
    app_user_id         uuid,
    access_level        text,
    identity_source     text,
    created_at          timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    finished_at         timestamptz,
    retain_until        timestamptz,
    CONSTRAINT sop_job_queue_pkey PRIMARY KEY (restaurant_id, job_id),
    CONSTRAINT sop_job_queue_job_name_check CHECK (job_name <> ''),
    CONSTRAINT sop_job_queue_parameters_check CHECK (jsonb_typeof(parameters) = 'object'),
    CONSTRAINT sop_job_queue_status_check
        CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'dead', 'cancelled')),
    CONSTRAINT sop_job_queue_schedule_interval_check CHECK (schedule_interval > interval '0'),
    CONSTRAINT sop_job_queue_attempts_check CHECK (attempts >= 0),
    CONSTRAINT sop_job_queue_max_attempts_check CHECK (max_attempts > 0),
    CONSTRAINT sop_job_queue_access_level_check
        CHECK (access_level IN ('viewer', 'staff', 'analyst', 'manager', 'owner')),
    CONSTRAINT sop_job_queue_identity_source_check
        CHECK (identity_source IN ('token', 'gateway', 'membership', 'unrestricted'))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200,
    autovacuum_analyze_scale_factor = 0.05);
-- Fair fetch: for each restaurant the next job.
CREATE INDEX sop_job_queue_ready_idx ON sop_ml.sop_job_queue (restaurant_id, priority DESC, run_at)
    WHERE status IN ('queued', 'failed');
-- Whose turn it is: the restaurant that was served longest ago.
CREATE INDEX sop_job_queue_started_idx ON sop_ml.sop_job_queue (restaurant_id, started_at DESC)
    WHERE started_at IS NOT NULL;
CREATE INDEX sop_job_queue_retained_idx ON sop_ml.sop_job_queue (retain_until) WHERE retain_until IS NOT NULL;
CREATE INDEX sop_job_queue_leases_idx ON sop_ml.sop_job_queue (lease_until) WHERE status = 'running';
CREATE UNIQUE INDEX sop_job_queue_unique_key ON sop_ml.sop_job_queue (restaurant_id, job_name, unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('queued', 'running', 'failed');

CREATE TABLE sop_ml.sop_job_runs (
    restaurant_id     uuid NOT NULL,
    run_id            uuid NOT NULL,
    step              text NOT NULL,
    step_number       integer NOT NULL DEFAULT 1,
    job_name          text NOT NULL,
    job_id            uuid,
    day               date,
    status            text NOT NULL,
    restaurants       bigint,
    rows_in           bigint,
    rows_out          bigint,
    started_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at       timestamptz,
    elapsed_ms        float8,
    detail            text,
    sqlstate          text,
    hint              text,
    parameters        jsonb NOT NULL DEFAULT '{}',
    metrics           jsonb NOT NULL DEFAULT '{}',
    memory_bytes      bigint,
    attempt           integer NOT NULL DEFAULT 1,
    role_name         text NOT NULL DEFAULT current_user,
    backend_pid       integer DEFAULT pg_backend_pid(),
    extension_version text,
    CONSTRAINT sop_job_runs_pkey PRIMARY KEY (restaurant_id, run_id, step),
    CONSTRAINT sop_job_runs_step_number_check CHECK (step_number > 0),
    CONSTRAINT sop_job_runs_status_check CHECK (status IN ('running', 'succeeded', 'failed', 'skipped')),
    CONSTRAINT sop_job_runs_restaurants_check CHECK (restaurants >= 0),
    CONSTRAINT sop_job_runs_rows_in_check CHECK (rows_in >= 0),
    CONSTRAINT sop_job_runs_rows_out_check CHECK (rows_out >= 0),
    CONSTRAINT sop_job_runs_elapsed_ms_check CHECK (elapsed_ms >= 0),
    CONSTRAINT sop_job_runs_memory_bytes_check CHECK (memory_bytes >= 0),
    CONSTRAINT sop_job_runs_attempt_check CHECK (attempt > 0)
) WITH (fillfactor = 90);
CREATE INDEX sop_job_runs_recent_idx ON sop_ml.sop_job_runs (restaurant_id, job_name, started_at DESC);
CREATE INDEX sop_job_runs_started_brin ON sop_ml.sop_job_runs
    USING brin (started_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE sop_ml.sop_event_outbox (
    restaurant_id    uuid NOT NULL,
    event_id         uuid NOT NULL DEFAULT gen_random_uuid(),
    topic            text NOT NULL,
    event_version    integer NOT NULL DEFAULT 1,
    ordering_key     text NOT NULL DEFAULT '',
    subject_relation text,
    subject_id       uuid,
    payload          jsonb NOT NULL,
    headers          jsonb NOT NULL DEFAULT '{}',
    destination      text,
    status           text NOT NULL DEFAULT 'pending',
    attempts         integer NOT NULL DEFAULT 0,
    max_attempts     integer NOT NULL DEFAULT 12,
    next_attempt_at  timestamptz NOT NULL DEFAULT now(),
    lease_owner      text,
    lease_until      timestamptz,
    last_error       text,
    response_code    integer,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at     timestamptz,
    expires_at       timestamptz,
    retain_until     timestamptz,
    CONSTRAINT sop_event_outbox_pkey PRIMARY KEY (restaurant_id, event_id),
    CONSTRAINT sop_event_outbox_topic_check CHECK (topic <> ''),
    CONSTRAINT sop_event_outbox_event_version_check CHECK (event_version > 0),
    CONSTRAINT sop_event_outbox_headers_check CHECK (jsonb_typeof(headers) = 'object'),
    CONSTRAINT sop_event_outbox_status_check CHECK (status IN ('pending', 'delivering', 'delivered', 'failed', 'dead')),
    CONSTRAINT sop_event_outbox_attempts_check CHECK (attempts >= 0),
    CONSTRAINT sop_event_outbox_max_attempts_check CHECK (max_attempts > 0)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);
CREATE INDEX sop_event_outbox_due_idx ON sop_ml.sop_event_outbox (next_attempt_at)
    WHERE status IN ('pending', 'failed', 'delivering');
CREATE INDEX sop_event_outbox_ordering_idx ON sop_ml.sop_event_outbox (restaurant_id, ordering_key, created_at)
    WHERE status IN ('pending', 'failed', 'delivering');

CREATE TABLE sop_ml.sop_privacy_preferences (
    restaurant_id   uuid NOT NULL,
    user_id         uuid NOT NULL,
    purpose         text NOT NULL,
    state           text NOT NULL,
    since           timestamptz NOT NULL DEFAULT now(),
    source          text NOT NULL DEFAULT 'user',
    previous_state  text,
    legal_basis     text,
    policy_version  text,
    notice_language text,
    evidence        jsonb,
    request_id      uuid,
    recorded_by     text NOT NULL DEFAULT current_user,
    note            text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_privacy_preferences_pkey PRIMARY KEY (restaurant_id, user_id, purpose),
    CONSTRAINT sop_privacy_preferences_restaurant_fkey FOREIGN KEY (restaurant_id)
        REFERENCES sop_ml.sop_restaurants (restaurant_id),
    CONSTRAINT sop_privacy_preferences_purpose_check
        CHECK (purpose IN ('personalisation', 'training', 'experimentation', 'cross_restaurant')),
    CONSTRAINT sop_privacy_preferences_state_check CHECK (state IN ('allowed', 'denied')),
    CONSTRAINT sop_privacy_preferences_source_check CHECK (source IN ('user', 'manager', 'contract', 'import', 'law')),
    CONSTRAINT sop_privacy_preferences_previous_state_check CHECK (previous_state IN ('allowed', 'denied'))
) WITH (fillfactor = 90);
CREATE INDEX sop_privacy_preferences_denied_idx ON sop_ml.sop_privacy_preferences (restaurant_id, purpose, user_id)
    WHERE state = 'denied';

CREATE TABLE sop_ml.sop_pii_columns (
    restaurant_id  uuid NOT NULL,
    relation_name  text NOT NULL,
    column_name    text NOT NULL,
    category       text NOT NULL,
    sensitivity    text NOT NULL DEFAULT 'medium',
    subject_column text,
    erasure_action text NOT NULL,
    keep_reason    text,
    mask_method    text NOT NULL DEFAULT 'redact',
    is_exported    boolean NOT NULL DEFAULT true,
    purpose        text,
    legal_basis    text,
    retention      interval,
    status         text NOT NULL DEFAULT 'active',
    detected_by    text NOT NULL DEFAULT 'registry',
    confidence     float8,
    verified_by    text,
    verified_at    timestamptz,
    note           text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_pii_columns_pkey PRIMARY KEY (restaurant_id, relation_name, column_name),
    CONSTRAINT sop_pii_columns_category_check
        CHECK (category IN ('identifier', 'contact', 'employment', 'behaviour', 'performance', 'free_text', 'derived',
            'technical')),
    CONSTRAINT sop_pii_columns_sensitivity_check CHECK (sensitivity IN ('low', 'medium', 'high', 'special')),
    CONSTRAINT sop_pii_columns_erasure_action_check
        CHECK (erasure_action IN ('delete_row', 'set_null', 'pseudonymise', 'generalise', 'keep')),
    CONSTRAINT sop_pii_columns_mask_method_check
        CHECK (mask_method IN ('none', 'redact', 'hash', 'generalise', 'noise')),
    CONSTRAINT sop_pii_columns_retention_check CHECK (retention > interval '0'),
    CONSTRAINT sop_pii_columns_status_check CHECK (status IN ('proposed', 'active', 'retired')),
    CONSTRAINT sop_pii_columns_detected_by_check CHECK (detected_by IN ('registry', 'scan', 'person')),
    CONSTRAINT sop_pii_columns_confidence_check CHECK (confidence BETWEEN 0 AND 1)
);

CREATE TABLE sop_ml.sop_quality_reports (
    restaurant_id uuid NOT NULL,
    report_id     uuid NOT NULL,
    check_id      uuid NOT NULL DEFAULT gen_random_uuid(),
    run_id        uuid,
    relation      text NOT NULL,
    check_name    text NOT NULL,
    dimension     text NOT NULL,
    column_name   text,
    severity      text NOT NULL,
    status        text NOT NULL,
    rule          jsonb NOT NULL DEFAULT '{}',
    rule_version  integer NOT NULL DEFAULT 1,
    rows_checked  bigint,
    rows_failed   bigint,
    rate          float8,
    rate_low      float8,
    rate_high     float8,
    threshold     float8,
    previous_rate float8,
    sample_keys   jsonb,
    score         float8,
    overall_score float8,
    details       jsonb NOT NULL DEFAULT '{}',
    alert_id      uuid,
    window_start  timestamptz,
    window_end    timestamptz,
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    checked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    retain_until  timestamptz,
    CONSTRAINT sop_quality_reports_pkey PRIMARY KEY (restaurant_id, report_id, check_id),
    CONSTRAINT sop_quality_reports_alert_fkey FOREIGN KEY (restaurant_id, alert_id)
        REFERENCES sop_ml.sop_alerts (restaurant_id, alert_id) ON DELETE SET NULL (alert_id),
    CONSTRAINT sop_quality_reports_severity_check CHECK (severity IN ('info', 'warn', 'fail')),
    CONSTRAINT sop_quality_reports_status_check CHECK (status IN ('passed', 'failed', 'skipped')),
    CONSTRAINT sop_quality_reports_rule_version_check CHECK (rule_version > 0),
    CONSTRAINT sop_quality_reports_rows_checked_check CHECK (rows_checked >= 0),
    CONSTRAINT sop_quality_reports_rows_failed_check CHECK (rows_failed >= 0),
    CONSTRAINT sop_quality_reports_rate_check CHECK (rate BETWEEN 0 AND 1),
    CONSTRAINT sop_quality_reports_score_check CHECK (score BETWEEN 0 AND 100),
    CONSTRAINT sop_quality_reports_overall_score_check CHECK (overall_score BETWEEN 0 AND 100)
);
CREATE INDEX sop_quality_reports_alert_idx ON sop_ml.sop_quality_reports (restaurant_id, alert_id) WHERE alert_id IS
    NOT NULL;
CREATE INDEX sop_quality_reports_history_idx ON sop_ml.sop_quality_reports (restaurant_id, relation, check_name,
    checked_at DESC);

CREATE TABLE sop_ml_storage.dirty_buckets (
    restaurant_id uuid NOT NULL,
    source        text NOT NULL,
    bucket_start  timestamptz NOT NULL,
    logged_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dirty_buckets_source_check CHECK (source IN ('time_series', 'interactions'))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX dirty_buckets_restaurant_idx ON sop_ml_storage.dirty_buckets (restaurant_id, source, bucket_start);

-- The first monthly partitions of every partitioned table: this month and the next two, in UTC.
-- sop_ml.maintain_partitions() makes the later ones. Row-level security is forced on partitions without any policy:
-- rows are reached through the parent alone.
DO $partitions$
DECLARE
    this_month CONSTANT timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    month timestamp;
    parent record;
    partition text;
BEGIN
    FOR parent IN
        SELECT p.relname AS name, d.relname AS default_name, array_to_string(d.reloptions, ', ') AS storage_options
        FROM pg_catalog.pg_partitioned_table AS t
        JOIN pg_catalog.pg_class AS p ON p.oid = t.partrelid AND p.relnamespace = 'sop_ml'::regnamespace
        JOIN pg_catalog.pg_class AS d ON d.oid = t.partdefid
        ORDER BY p.relname
    LOOP
        FOR ahead IN 0..2 LOOP
            month := this_month + make_interval(months => ahead);
            partition := parent.name || to_char(month, '"_y"YYYY"m"MM');
            EXECUTE format(
                'CREATE TABLE sop_ml_storage.%I PARTITION OF sop_ml.%I FOR VALUES FROM (%L) TO (%L) WITH (%s)',
                partition, parent.name, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC',
                coalesce(parent.storage_options, 'fillfactor = 100'));
            EXECUTE format('ALTER TABLE sop_ml_storage.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                partition);
        END LOOP;
        EXECUTE format('ALTER TABLE sop_ml_storage.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
            parent.default_name);
    END LOOP;
END
$partitions$;
