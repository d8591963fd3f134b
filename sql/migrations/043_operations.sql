-- Running the system: alerts, audit, jobs, outbox, privacy, quality reports, and the log of buckets to recompute.

CREATE TABLE sop_ml.sop_alerts (
    restaurant_id uuid NOT NULL,
    alert_id uuid NOT NULL DEFAULT gen_random_uuid(),
    source text NOT NULL CHECK (source IN ('quality', 'drift', 'anomaly', 'experiment', 'job')),
    severity text NOT NULL CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')),
    title text NOT NULL CHECK (title <> ''),
    description text,
    evidence jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'resolved')),
    dedup_key text NOT NULL DEFAULT gen_random_uuid()::text,
    raised_at timestamptz NOT NULL DEFAULT now(),
    last_raised_at timestamptz NOT NULL DEFAULT now(),
    raise_count bigint NOT NULL DEFAULT 1 CHECK (raise_count > 0),
    relation_name text,
    subject_id uuid,
    metric_name text,
    assigned_to uuid,
    acknowledged_by text,
    acknowledged_at timestamptz,
    resolved_by text,
    resolved_at timestamptz,
    resolution_note text,
    suppressed_until timestamptz,
    business_impact float8,
    impact_currency text,
    run_id uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, alert_id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX sop_alerts_unresolved ON sop_ml.sop_alerts (restaurant_id, dedup_key) WHERE status <> 'resolved';
CREATE INDEX sop_alerts_open ON sop_ml.sop_alerts (restaurant_id, severity, raised_at DESC) WHERE status = 'open';
CREATE INDEX sop_alerts_raised ON sop_ml.sop_alerts (restaurant_id, raised_at DESC);

-- The tables of earlier migrations that point at alerts.
ALTER TABLE sop_ml.sop_time_series_anomalies ADD FOREIGN KEY (restaurant_id, alert_id)
    REFERENCES sop_ml.sop_alerts (restaurant_id, alert_id) ON DELETE SET NULL (alert_id);
CREATE INDEX sop_time_series_anomalies_alert ON sop_ml.sop_time_series_anomalies (restaurant_id, alert_id)
    WHERE alert_id IS NOT NULL;
ALTER TABLE sop_ml.sop_ab_monitoring ADD FOREIGN KEY (restaurant_id, alert_id)
    REFERENCES sop_ml.sop_alerts (restaurant_id, alert_id) ON DELETE SET NULL (alert_id);
CREATE INDEX sop_ab_monitoring_alert ON sop_ml.sop_ab_monitoring (restaurant_id, alert_id)
    WHERE alert_id IS NOT NULL;

CREATE TABLE sop_ml.sop_audit_log (
    restaurant_id uuid NOT NULL,
    entry_number bigint NOT NULL CHECK (entry_number > 0),
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    action text NOT NULL CHECK (action IN ('insert', 'update', 'delete', 'truncate', 'select', 'export', 'erase', 'deploy', 'grant', 'login', 'refused', 'configure')),
    relation_name text,
    row_key jsonb,
    row_count bigint CHECK (row_count >= 0),
    old_values jsonb,
    new_values jsonb,
    changed_columns text[],
    actor_role text NOT NULL DEFAULT current_user,
    session_role text NOT NULL DEFAULT session_user,
    actor_user_id uuid,
    access_level text,
    application_name text DEFAULT current_setting('application_name', true),
    client_address inet DEFAULT inet_client_addr(),
    backend_pid integer DEFAULT pg_backend_pid(),
    transaction_id xid8 DEFAULT pg_current_xact_id(),
    reason text,
    outcome text NOT NULL DEFAULT 'done' CHECK (outcome IN ('done', 'refused', 'failed')),
    hash_version integer NOT NULL DEFAULT 1 CHECK (hash_version > 0),
    previous_hash bytea,
    entry_hash bytea,
    PRIMARY KEY (restaurant_id, entry_number)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX sop_audit_log_occurred_brin ON sop_ml.sop_audit_log
    USING brin (occurred_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX sop_audit_log_relation ON sop_ml.sop_audit_log (restaurant_id, relation_name, occurred_at DESC)
    WHERE relation_name IS NOT NULL;

CREATE TABLE sop_ml.sop_job_queue (
    restaurant_id uuid NOT NULL,
    job_id uuid NOT NULL DEFAULT gen_random_uuid(),
    job_name text NOT NULL CHECK (job_name <> ''),
    parameters jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'dead', 'cancelled')),
    priority integer NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL DEFAULT now(),
    schedule_interval interval CHECK (schedule_interval > interval '0'),
    schedule_local_time time,
    unique_key text,
    depends_on uuid[] NOT NULL DEFAULT '{}',
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    max_attempts integer NOT NULL DEFAULT 5 CHECK (max_attempts > 0),
    lease_owner text,
    lease_until timestamptz,
    fencing_token bigint NOT NULL DEFAULT 0,
    heartbeat_at timestamptz,
    progress float8 NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    timeout interval CHECK (timeout > interval '0'),
    cancel_requested boolean NOT NULL DEFAULT false,
    last_error text,
    last_sqlstate text,
    result jsonb,
    run_id uuid,
    submitted_by text NOT NULL DEFAULT current_user,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    retain_until timestamptz,
    PRIMARY KEY (restaurant_id, job_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200, autovacuum_analyze_scale_factor = 0.05);
-- Fair fetch: for each restaurant the next job.
CREATE INDEX sop_job_queue_ready ON sop_ml.sop_job_queue (restaurant_id, priority DESC, run_at)
    WHERE status IN ('queued', 'failed');
CREATE INDEX sop_job_queue_leases ON sop_ml.sop_job_queue (lease_until) WHERE status = 'running';
CREATE UNIQUE INDEX sop_job_queue_unique_key ON sop_ml.sop_job_queue (restaurant_id, job_name, unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('queued', 'running', 'failed');

CREATE TABLE sop_ml.sop_job_runs (
    restaurant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    step text NOT NULL,
    step_number integer NOT NULL DEFAULT 1 CHECK (step_number > 0),
    job_name text NOT NULL,
    job_id uuid,
    day date,
    status text NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'skipped')),
    restaurants bigint CHECK (restaurants >= 0),
    rows_in bigint CHECK (rows_in >= 0),
    rows_out bigint CHECK (rows_out >= 0),
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    elapsed_ms float8 CHECK (elapsed_ms >= 0),
    detail text,
    sqlstate text,
    hint text,
    parameters jsonb NOT NULL DEFAULT '{}',
    metrics jsonb NOT NULL DEFAULT '{}',
    memory_bytes bigint CHECK (memory_bytes >= 0),
    attempt integer NOT NULL DEFAULT 1 CHECK (attempt > 0),
    role_name text NOT NULL DEFAULT current_user,
    backend_pid integer DEFAULT pg_backend_pid(),
    extension_version text,
    PRIMARY KEY (restaurant_id, run_id, step)
) WITH (fillfactor = 90);
CREATE INDEX sop_job_runs_recent ON sop_ml.sop_job_runs (restaurant_id, job_name, started_at DESC);
CREATE INDEX sop_job_runs_started_brin ON sop_ml.sop_job_runs
    USING brin (started_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE sop_ml.sop_event_outbox (
    restaurant_id uuid NOT NULL,
    event_id uuid NOT NULL DEFAULT gen_random_uuid(),
    topic text NOT NULL CHECK (topic <> ''),
    event_version integer NOT NULL DEFAULT 1 CHECK (event_version > 0),
    ordering_key text NOT NULL DEFAULT '',
    subject_relation text,
    subject_id uuid,
    payload jsonb NOT NULL,
    headers jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(headers) = 'object'),
    destination text,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivering', 'delivered', 'failed', 'dead')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    max_attempts integer NOT NULL DEFAULT 12 CHECK (max_attempts > 0),
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    lease_owner text,
    lease_until timestamptz,
    last_error text,
    response_code integer,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at timestamptz,
    expires_at timestamptz,
    retain_until timestamptz,
    PRIMARY KEY (restaurant_id, event_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);
CREATE INDEX sop_event_outbox_due ON sop_ml.sop_event_outbox (next_attempt_at)
    WHERE status IN ('pending', 'failed', 'delivering');
CREATE INDEX sop_event_outbox_ordering ON sop_ml.sop_event_outbox (restaurant_id, ordering_key, created_at)
    WHERE status IN ('pending', 'failed', 'delivering');

CREATE TABLE sop_ml.sop_privacy_preferences (
    restaurant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('personalisation', 'training', 'experimentation', 'cross_restaurant')),
    state text NOT NULL CHECK (state IN ('allowed', 'denied')),
    since timestamptz NOT NULL DEFAULT now(),
    source text NOT NULL DEFAULT 'user' CHECK (source IN ('user', 'manager', 'contract', 'import', 'law')),
    previous_state text CHECK (previous_state IN ('allowed', 'denied')),
    legal_basis text,
    policy_version text,
    notice_language text,
    evidence jsonb,
    request_id uuid,
    recorded_by text NOT NULL DEFAULT current_user,
    note text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, user_id, purpose)
) WITH (fillfactor = 90);
CREATE INDEX sop_privacy_preferences_denied ON sop_ml.sop_privacy_preferences (restaurant_id, purpose, user_id)
    WHERE state = 'denied';

CREATE TABLE sop_ml.sop_pii_columns (
    restaurant_id uuid NOT NULL,
    relation_name text NOT NULL,
    column_name text NOT NULL,
    category text NOT NULL CHECK (category IN ('identifier', 'contact', 'employment', 'behaviour', 'performance', 'free_text', 'derived', 'technical')),
    sensitivity text NOT NULL DEFAULT 'medium' CHECK (sensitivity IN ('low', 'medium', 'high', 'special')),
    subject_column text,
    erasure_action text NOT NULL CHECK (erasure_action IN ('delete_row', 'set_null', 'pseudonymise', 'generalise', 'keep')),
    keep_reason text,
    mask_method text NOT NULL DEFAULT 'redact' CHECK (mask_method IN ('none', 'redact', 'hash', 'generalise', 'noise')),
    is_exported boolean NOT NULL DEFAULT true,
    purpose text,
    legal_basis text,
    retention interval CHECK (retention > interval '0'),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('proposed', 'active', 'retired')),
    detected_by text NOT NULL DEFAULT 'registry' CHECK (detected_by IN ('registry', 'scan', 'person')),
    confidence float8 CHECK (confidence BETWEEN 0 AND 1),
    verified_by text,
    verified_at timestamptz,
    note text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (restaurant_id, relation_name, column_name)
);

CREATE TABLE sop_ml.sop_quality_reports (
    restaurant_id uuid NOT NULL,
    report_id uuid NOT NULL,
    check_id uuid NOT NULL DEFAULT gen_random_uuid(),
    run_id uuid,
    relation text NOT NULL,
    check_name text NOT NULL,
    dimension text NOT NULL,
    column_name text,
    severity text NOT NULL CHECK (severity IN ('info', 'warn', 'fail')),
    status text NOT NULL CHECK (status IN ('passed', 'failed', 'skipped')),
    rule jsonb NOT NULL DEFAULT '{}',
    rule_version integer NOT NULL DEFAULT 1 CHECK (rule_version > 0),
    rows_checked bigint CHECK (rows_checked >= 0),
    rows_failed bigint CHECK (rows_failed >= 0),
    rate float8 CHECK (rate BETWEEN 0 AND 1),
    rate_low float8,
    rate_high float8,
    threshold float8,
    previous_rate float8,
    sample_keys jsonb,
    score float8 CHECK (score BETWEEN 0 AND 100),
    overall_score float8 CHECK (overall_score BETWEEN 0 AND 100),
    details jsonb NOT NULL DEFAULT '{}',
    alert_id uuid,
    window_start timestamptz,
    window_end timestamptz,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retain_until timestamptz,
    PRIMARY KEY (restaurant_id, report_id, check_id),
    FOREIGN KEY (restaurant_id, alert_id) REFERENCES sop_ml.sop_alerts (restaurant_id, alert_id) ON DELETE SET NULL (alert_id)
);
CREATE INDEX sop_quality_reports_alert ON sop_ml.sop_quality_reports (restaurant_id, alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX sop_quality_reports_history ON sop_ml.sop_quality_reports (restaurant_id, relation, check_name, checked_at DESC);

CREATE TABLE sop_ml_storage.dirty_buckets (
    restaurant_id uuid NOT NULL,
    source text NOT NULL CHECK (source IN ('time_series', 'interactions')),
    bucket_start timestamptz NOT NULL,
    logged_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX dirty_buckets_restaurant ON sop_ml_storage.dirty_buckets (restaurant_id, source, bucket_start);
