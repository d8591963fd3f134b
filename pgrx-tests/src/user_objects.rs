//! What the users of a database add around the tables of `sop_ml`: a dump, a restore and an upgrade have to keep it.

use crate::Database;

/// A login without any role of sop_ml; the users' GRANTs name it.
pub const BYSTANDER: &str = "DO $$ BEGIN CREATE ROLE bystander LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";

/// A partition made by hand for a month long ago, where the fixture has rows: before the rows, which would land in the
/// default partition.
pub fn add_old_partitions(database: &Database) {
    database.run(
        "DO $$
         DECLARE
             parent name;
         BEGIN
             FOR parent IN
                 SELECT c.relname FROM pg_catalog.pg_class c
                  WHERE c.relnamespace = 'sop_ml'::regnamespace AND c.relkind = 'p'
             LOOP
                 EXECUTE format('CREATE TABLE sop_ml_storage.%I PARTITION OF sop_ml.%I FOR VALUES FROM (%L) TO (%L)',
                                parent || '_by_hand', parent, '2001-02-01 00:00:00+00', '2001-03-01 00:00:00+00');
                 EXECUTE format('ALTER TABLE sop_ml_storage.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                                parent || '_by_hand');
             END LOOP;
         END $$",
    );
}

/// Indexes, a policy, GRANTs, a trigger, statistics, and a schema of the users' own with a view, a materialized view, a
/// table that points at ours and a sequence. Rows whose triggers have something to do are among it.
pub fn add(database: &Database) {
    database.run(BYSTANDER);
    database.run(
        "CREATE INDEX users_shift_idx ON sop_ml.sop_user_interactions (restaurant_id, (context ->> 'shift'));
         COMMENT ON INDEX sop_ml.users_shift_idx IS 'for the shift report';
         CREATE INDEX users_critical_idx ON sop_ml.sop_alerts (restaurant_id) WHERE severity = 'critical';
         CREATE STATISTICS sop_ml.users_statistics ON severity, status FROM sop_ml.sop_alerts;
         CREATE POLICY users_policy ON sop_ml.sop_alerts FOR SELECT TO bystander
             USING (severity = 'critical' AND status <> 'resolved');
         GRANT USAGE ON SCHEMA sop_ml TO bystander;
         GRANT SELECT ON sop_ml.sop_alerts TO bystander;
         GRANT SELECT (restaurant_id, name) ON sop_ml.sop_restaurants TO bystander;
         GRANT EXECUTE ON FUNCTION sop_ml.aggregate_performance(uuid, timestamptz, timestamptz) TO bystander;

         CREATE SCHEMA reports;
         CREATE TABLE reports.notes (
             note_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
             restaurant_id uuid NOT NULL REFERENCES sop_ml.sop_restaurants (restaurant_id),
             body          text NOT NULL);
         INSERT INTO reports.notes (restaurant_id, body) SELECT restaurant_id, name FROM sop_ml.sop_restaurants;
         CREATE SEQUENCE reports.ticket START 4711;
         SELECT pg_catalog.nextval('reports.ticket');
         CREATE VIEW reports.open_alerts WITH (security_invoker = true) AS
             SELECT restaurant_id, severity, pg_catalog.count(*) AS alerts
               FROM sop_ml.sop_alerts WHERE status = 'open' GROUP BY restaurant_id, severity;
         GRANT USAGE ON SCHEMA reports TO bystander;
         GRANT SELECT ON reports.open_alerts TO bystander;
         CREATE MATERIALIZED VIEW reports.days AS
             SELECT restaurant_id, metric_name, pg_catalog.count(*) AS buckets
               FROM sop_ml_storage.sop_daily_performance_summary GROUP BY restaurant_id, metric_name;
         CREATE FUNCTION reports.note_alert() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO reports.notes (restaurant_id, body) VALUES (NEW.restaurant_id, NEW.title); RETURN NULL; END';
         CREATE TRIGGER users_note AFTER UPDATE ON sop_ml.sop_alerts FOR EACH ROW EXECUTE FUNCTION reports.note_alert();",
    );
    add_rows_with_triggers(database);
}

/// Rows whose triggers would add to or change other rows if a restore let them: one statement per table, so that there is
/// something in the log of dirty hours, and a person who refused personalisation and has a profile because of that.
fn add_rows_with_triggers(database: &Database) {
    database.run(
        "INSERT INTO sop_ml.sop_privacy_preferences (restaurant_id, user_id, purpose, state)
         SELECT restaurant_id, pg_catalog.md5(restaurant_id::text)::uuid, 'personalisation', 'denied'
           FROM sop_ml.sop_restaurants;
         INSERT INTO sop_ml.sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at)
         SELECT restaurant_id, pg_catalog.md5(restaurant_id::text)::uuid, pg_catalog.md5('sop')::uuid, 'view',
                timestamptz '2001-02-05 10:00:00+00'
           FROM sop_ml.sop_restaurants;
         INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT restaurant_id, 'users_metric', timestamptz '2001-02-05 10:00:00+00', 1.5 FROM sop_ml.sop_restaurants;",
    );
    assert!(
        database.count(
            "SELECT pg_catalog.count(*) FROM sop_ml.sop_user_profiles WHERE personalization_opt_out"
        ) > 0,
        "no profile followed a preference"
    );
    assert!(
        database.count("SELECT pg_catalog.count(*) FROM sop_ml_storage.dirty_buckets") > 0,
        "no hour was logged"
    );
}

/// Materialized views as a restore makes them: from the rows of that moment.
pub fn refresh(database: &Database) {
    database.run(
        "REFRESH MATERIALIZED VIEW sop_ml_storage.sop_daily_performance_summary;
         REFRESH MATERIALIZED VIEW sop_ml_storage.sop_weekly_performance_trends;
         REFRESH MATERIALIZED VIEW reports.days;",
    );
}
