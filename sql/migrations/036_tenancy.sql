-- 036 tenancy: the tenants, who may act for them, and the staff's training records.
--
-- Rules that hold for every migration:
--   * restaurant_id comes first in every primary, unique and foreign key (fast row security, no existence oracle,
--     ready to be distributed by tenant). The nil uuid is the shared tenant and has no row in sop_restaurants.
--   * Only relations, constraints, indexes and storage settings live here. Whatever depends on a function or type of
--     the extension (policy, view, trigger) is made by the scripts in sql/idempotent.
--   * Key tables that may be linked to a table of the host application (link_host_table) carry the linked identifier in a
--     generated column host_…_id, which is NULL for rows that need no host row: of the shared tenant, or with a nil
--     identifier. A foreign key lets NULL through and nothing else, on both sides and under concurrency; triggers
--     would have to get that right again. sop_restaurants has no such rows and is linked by restaurant_id itself.
--   * States and kinds are text with a CHECK, never enums: text equality is leakproof, so an index on it stays usable
--     under row security.

-- Partitions, materialized views and logs: nothing here is granted to tenants.
CREATE SCHEMA sop_ml_storage;

CREATE TABLE sop_ml.sop_restaurants (
    restaurant_id           uuid NOT NULL DEFAULT gen_random_uuid(),
    name                    text NOT NULL,
    external_ref            text,
    region                  text NOT NULL DEFAULT '',
    country_code            text,
    kind                    text NOT NULL DEFAULT 'restaurant',
    time_zone               text NOT NULL DEFAULT 'UTC',
    currency                text NOT NULL DEFAULT 'USD',
    default_language        text NOT NULL DEFAULT 'en',
    opening_hours           jsonb NOT NULL DEFAULT '[]',
    closures                jsonb NOT NULL DEFAULT '[]',
    rollup_dimensions       jsonb NOT NULL DEFAULT '[]',
    first_day_of_week       smallint NOT NULL DEFAULT 1,
    seat_count              integer,
    staff_count             integer,
    labour_cost_per_hour    float8,
    average_daily_revenue   float8,
    opened_on               date,
    cross_restaurant_opt_in boolean NOT NULL DEFAULT false,
    opt_in_changed_at       timestamptz,
    retention_days          integer NOT NULL DEFAULT 1095,
    settings                jsonb NOT NULL DEFAULT '{}',
    status                  text NOT NULL DEFAULT 'active',
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_restaurants_pkey PRIMARY KEY (restaurant_id),
    CONSTRAINT sop_restaurants_not_shared_check
        CHECK (restaurant_id <> '00000000-0000-0000-0000-000000000000'),
    CONSTRAINT sop_restaurants_name_check CHECK (name <> ''),
    CONSTRAINT sop_restaurants_country_code_check CHECK (country_code ~ '^[A-Z]{2}$'),
    CONSTRAINT sop_restaurants_time_zone_check CHECK (time_zone <> ''),
    CONSTRAINT sop_restaurants_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT sop_restaurants_opening_hours_check CHECK (jsonb_typeof(opening_hours) = 'array'),
    CONSTRAINT sop_restaurants_closures_check CHECK (jsonb_typeof(closures) = 'array'),
    -- Each entry: a metric, one to four keys, and how many combinations of their values get buckets of their own.
    CONSTRAINT sop_restaurants_rollup_dimensions_check CHECK (CASE jsonb_typeof(rollup_dimensions) WHEN 'array' THEN
        jsonb_array_length(rollup_dimensions) <= 50 AND NOT jsonb_path_exists(rollup_dimensions, '$[*] ? (!(
            @.type() == "object" && @.metric.type() == "string" && @.keys.type() == "array" && @.keys.size() >= 1
            && @.keys.size() <= 4 && !exists(@.keys[*] ? (@.type() != "string"))
            && (!exists(@.limit) || (@.limit.type() == "number" && @.limit >= 1 && @.limit <= 200 && @.limit.floor() == @.limit))
            && !exists(@.keyvalue() ? (@.key != "metric" && @.key != "keys" && @.key != "limit"))))')
        ELSE false END),
    CONSTRAINT sop_restaurants_settings_check CHECK (jsonb_typeof(settings) = 'object'),
    CONSTRAINT sop_restaurants_first_day_of_week_check CHECK (first_day_of_week BETWEEN 1 AND 7),
    CONSTRAINT sop_restaurants_seat_count_check CHECK (seat_count >= 0),
    CONSTRAINT sop_restaurants_staff_count_check CHECK (staff_count >= 0),
    CONSTRAINT sop_restaurants_labour_cost_per_hour_check CHECK (labour_cost_per_hour >= 0),
    CONSTRAINT sop_restaurants_average_daily_revenue_check CHECK (average_daily_revenue >= 0),
    CONSTRAINT sop_restaurants_retention_days_check CHECK (retention_days > 0),
    CONSTRAINT sop_restaurants_status_check CHECK (status IN ('onboarding', 'active', 'suspended', 'closed'))
) WITH (fillfactor = 90);

-- Peer groups (region and kind) of the restaurants that share what they learn.
CREATE INDEX sop_restaurants_peers_idx ON sop_ml.sop_restaurants (region, kind)
    INCLUDE (restaurant_id) WHERE cross_restaurant_opt_in AND status = 'active';

CREATE TABLE sop_ml.sop_restaurant_members (
    restaurant_id uuid NOT NULL,
    member_id     uuid NOT NULL DEFAULT gen_random_uuid(),
    role_name     text,
    app_user_id   uuid,
    display_name  text NOT NULL DEFAULT '',
    access_level  text NOT NULL DEFAULT 'viewer',
    status        text NOT NULL DEFAULT 'active',
    is_primary    boolean NOT NULL DEFAULT false,
    valid_from    timestamptz NOT NULL DEFAULT now(),
    valid_until   timestamptz,
    granted_by    text NOT NULL DEFAULT current_user,
    grant_reason  text NOT NULL DEFAULT '',
    revoked_by    text,
    revoked_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sop_restaurant_members_pkey PRIMARY KEY (restaurant_id, member_id),
    CONSTRAINT sop_restaurant_members_restaurant_fkey FOREIGN KEY (restaurant_id)
        REFERENCES sop_ml.sop_restaurants (restaurant_id),
    CONSTRAINT sop_restaurant_members_identity_check CHECK (num_nonnulls(role_name, app_user_id) = 1),
    CONSTRAINT sop_restaurant_members_role_name_check CHECK (role_name <> ''),
    CONSTRAINT sop_restaurant_members_access_level_check
        CHECK (access_level IN ('viewer', 'staff', 'analyst', 'manager', 'owner')),
    CONSTRAINT sop_restaurant_members_status_check CHECK (status IN ('active', 'revoked')),
    CONSTRAINT sop_restaurant_members_revoked_check CHECK (status <> 'active' OR revoked_at IS NULL),
    CONSTRAINT sop_restaurant_members_validity_check CHECK (valid_until > valid_from)
) WITH (fillfactor = 90);

-- One living membership per identity and restaurant; a revoked one stays as history.
CREATE UNIQUE INDEX sop_restaurant_members_role_key ON sop_ml.sop_restaurant_members (restaurant_id, role_name)
    WHERE status = 'active' AND role_name IS NOT NULL;
CREATE UNIQUE INDEX sop_restaurant_members_app_user_key ON sop_ml.sop_restaurant_members (restaurant_id, app_user_id)
    WHERE status = 'active' AND app_user_id IS NOT NULL;
-- The tenant context asks "which restaurants has this role (this user)?" before any restaurant is known.
CREATE INDEX sop_restaurant_members_role_idx ON sop_ml.sop_restaurant_members (role_name)
    INCLUDE (restaurant_id, access_level, valid_from, valid_until) WHERE status = 'active' AND role_name IS NOT NULL;
CREATE INDEX sop_restaurant_members_app_user_idx ON sop_ml.sop_restaurant_members (app_user_id)
    INCLUDE (restaurant_id, access_level, valid_from, valid_until) WHERE status = 'active' AND app_user_id IS NOT NULL;

CREATE TABLE sop_ml.sop_training_records (
    restaurant_id    uuid NOT NULL,
    record_id        uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id          uuid NOT NULL,
    module_id        uuid NOT NULL,
    module_name      text NOT NULL DEFAULT '',
    module_version   text NOT NULL DEFAULT '',
    certification    text,
    attempt          integer NOT NULL DEFAULT 1,
    status           text NOT NULL DEFAULT 'assigned',
    is_mandatory     boolean NOT NULL DEFAULT false,
    assigned_at      timestamptz NOT NULL DEFAULT now(),
    due_at           timestamptz,
    started_at       timestamptz,
    completed_at     timestamptz,
    expires_at       timestamptz,
    duration_seconds float8,
    score            float8,
    passing_score    float8,
    trainer_id       uuid,
    source           text NOT NULL DEFAULT '',
    evidence         jsonb NOT NULL DEFAULT '{}',
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    host_module_id   uuid GENERATED ALWAYS AS (
        CASE WHEN restaurant_id <> '00000000-0000-0000-0000-000000000000'
              AND module_id <> '00000000-0000-0000-0000-000000000000' THEN module_id END) STORED,
    CONSTRAINT sop_training_records_pkey PRIMARY KEY (restaurant_id, record_id),
    CONSTRAINT sop_training_records_attempt_key UNIQUE (restaurant_id, user_id, module_id, attempt),
    CONSTRAINT sop_training_records_restaurant_fkey FOREIGN KEY (restaurant_id)
        REFERENCES sop_ml.sop_restaurants (restaurant_id),
    CONSTRAINT sop_training_records_attempt_check CHECK (attempt >= 1),
    CONSTRAINT sop_training_records_status_check
        CHECK (status IN ('assigned', 'in_progress', 'completed', 'failed', 'waived', 'revoked')),
    CONSTRAINT sop_training_records_completed_check CHECK (status <> 'completed' OR completed_at IS NOT NULL),
    CONSTRAINT sop_training_records_order_check CHECK (completed_at >= started_at),
    CONSTRAINT sop_training_records_expires_check CHECK (expires_at > completed_at),
    CONSTRAINT sop_training_records_duration_seconds_check CHECK (duration_seconds >= 0),
    CONSTRAINT sop_training_records_score_check CHECK (score BETWEEN 0 AND 100),
    CONSTRAINT sop_training_records_passing_score_check CHECK (passing_score BETWEEN 0 AND 100),
    CONSTRAINT sop_training_records_evidence_check CHECK (jsonb_typeof(evidence) = 'object')
) WITH (fillfactor = 90);

-- "Is this person certified right now?" answered from the index alone.
CREATE INDEX sop_training_records_certified_idx
    ON sop_ml.sop_training_records (restaurant_id, certification, user_id)
    INCLUDE (completed_at, expires_at) WHERE status = 'completed' AND certification IS NOT NULL;
-- Certificates that run out next.
CREATE INDEX sop_training_records_expiry_idx ON sop_ml.sop_training_records (restaurant_id, expires_at)
    WHERE status = 'completed' AND expires_at IS NOT NULL;
-- Open assignments by module, for the completion rate of a module.
CREATE INDEX sop_training_records_module_idx ON sop_ml.sop_training_records (restaurant_id, module_id, status);
