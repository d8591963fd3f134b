//! `CREATE EXTENSION` and `install()`: what they make, who owns it, and what happens when they run again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::sync::{Arc, Mutex};

use postgres::NoTls;
use sop_ml_e2e::catalogue::{assert_same_lines, definitions, privileges, relations};
use sop_ml_e2e::{Database, shared, sqlstate};

/// The 33 tables of the machine-learning data layer, and those of migrations 036 and 043 around them.
const TABLES: [&str; 46] = [
    // 037 training data
    "sop_ml_models",
    "sop_training_datasets",
    "sop_ml_features",
    "sop_ml_training_jobs",
    "sop_ml_predictions",
    // 038 performance aggregates
    "sop_performance_aggregates",
    "sop_performance_days",
    "sop_performance_trends",
    "sop_performance_baselines",
    "sop_peer_benchmarks",
    // 039 predictive modelling
    "sop_predictive_models",
    "sop_feature_engineering",
    "sop_model_predictions",
    "sop_model_performance_tracking",
    "sop_prediction_scenarios",
    // 040 time series
    "sop_time_series_data",
    "sop_retired_periods",
    "sop_time_series_batches",
    "sop_time_series_patterns",
    "sop_time_series_forecasts",
    "sop_time_series_anomalies",
    "sop_time_series_compression_policies",
    // 041 recommendation
    "sop_user_interactions",
    "sop_content_features",
    "sop_user_profiles",
    "sop_generated_recommendations",
    "sop_recommendation_models",
    "sop_recommendation_analytics",
    // 042 experiments
    "sop_ab_experiments",
    "sop_ab_participants",
    "sop_ab_events",
    "sop_ab_results",
    "sop_ab_monitoring",
    "sop_ab_feature_flags",
    // 036 tenancy
    "sop_restaurants",
    "sop_restaurant_members",
    "sop_training_records",
    "sop_schema_migrations",
    // 043 operations
    "sop_alerts",
    "sop_audit_log",
    "sop_job_queue",
    "sop_job_runs",
    "sop_event_outbox",
    "sop_privacy_preferences",
    "sop_pii_columns",
    "sop_quality_reports",
];
const SUMMARIES: [&str; 2] = [
    "sop_daily_performance_summary",
    "sop_weekly_performance_trends",
];

/// A database with the extension but without what `install()` makes: as a restore leaves it for a moment.
fn without_install(name: &str) -> Database {
    let database = shared().database(name);
    let notices = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&notices);
    let mut config = database.config("postgres");
    config.notice_callback(move |notice| {
        heard.lock().unwrap().push(format!(
            "{}: {} {}",
            notice.severity(),
            notice.message(),
            notice.hint().unwrap_or("")
        ));
    });
    let mut client = config.connect(NoTls).unwrap();
    client
        .batch_execute("SET row_security = off; CREATE EXTENSION sop_ml; RESET row_security")
        .unwrap();
    let notices = notices.lock().unwrap();
    assert!(
        notices
            .iter()
            .any(|notice| notice.starts_with("WARNING") && notice.contains("install()")),
        "no warning that names install(): {notices:?}"
    );
    database
}

#[test]
fn create_extension_makes_every_table_and_summary() {
    let database = shared().database_with_extension("install_everything");
    let found = relations(&database);
    let has = |schema: &str, name: &str, kinds: &str| {
        found.iter().any(|relation| {
            relation.schema == schema && relation.name == name && kinds.contains(&relation.kind)
        })
    };
    for table in TABLES {
        assert!(
            has("sop_ml", table, "rp"),
            "table sop_ml.{table} is missing"
        );
    }
    for summary in SUMMARIES {
        assert!(
            has("sop_ml_storage", summary, "m"),
            "materialized view {summary} is missing"
        );
        assert!(
            has("sop_ml", summary, "v"),
            "view sop_ml.{summary} is missing"
        );
    }
}

#[test]
fn only_native_functions_and_types_are_members() {
    let database = shared().database_with_extension("install_members");
    let members = "FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'sop_ml'
                   WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'";
    assert!(
        database.count(&format!(
            "SELECT count(*) {members} AND d.classid = 'pg_catalog.pg_proc'::regclass"
        )) > 5
    );
    let wrong = database.texts(&format!(
        "SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) {members}
            AND (d.classid IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_namespace'::regclass,
                               'pg_catalog.pg_trigger'::regclass, 'pg_catalog.pg_policy'::regclass)
                 OR EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
                             WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.objid
                               AND p.prokind <> 'a' AND l.lanname <> 'c'))"
    ));
    assert_eq!(wrong, Vec::<String>::new(), "must not be extension members");
    let privileges = database.texts(
        "SELECT pg_catalog.pg_describe_object(i.classoid, i.objoid, i.objsubid) FROM pg_catalog.pg_init_privs i
          WHERE i.privtype = 'e'
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                             WHERE d.classid = i.classoid AND d.objid = i.objoid AND d.deptype = 'e')",
    );
    assert_eq!(
        privileges,
        Vec::<String>::new(),
        "initial privileges of objects that are no members"
    );
}

#[test]
fn install_again_changes_nothing() {
    let database = shared().database_with_extension("install_twice");
    let before = definitions(&database);
    let actions = database.query("SELECT file, action FROM sop_ml.install()");
    let migrations: Vec<(String, String)> = actions
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .filter(|(file, _): &(String, String)| file.starts_with("03") || file.starts_with("04"))
        .collect();
    assert_eq!(migrations.len(), 8, "{migrations:?}");
    assert!(
        migrations
            .iter()
            .all(|(_, action)| action == "already applied"),
        "{migrations:?}"
    );
    assert_same_lines("definitions", &before, &definitions(&database));
}

#[test]
fn eight_installs_at_once_make_one_complete_install() {
    let complete = shared().database_with_extension("install_reference");
    let database = without_install("install_race");
    let sessions: Vec<_> = (0..8)
        .map(|_| {
            let database = database.clone();
            std::thread::spawn(move || {
                database
                    .superuser()
                    .query(
                        "SELECT file, action FROM sop_ml.install() WHERE action = 'applied'",
                        &[],
                    )
                    .map(|rows| rows.len())
            })
        })
        .collect();
    let mut applied: Vec<usize> = sessions
        .into_iter()
        .map(|session| session.join().unwrap().unwrap())
        .collect();
    applied.sort_unstable();
    assert_eq!(
        applied,
        [0, 0, 0, 0, 0, 0, 0, 8],
        "migrations that each session applied"
    );
    assert_same_lines(
        "definitions",
        &definitions(&complete),
        &definitions(&database),
    );
    shared().database("install_bystander").run(
        "DO $$ BEGIN CREATE ROLE bystander LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
    );
    assert_same_lines("privileges", &privileges(&complete), &privileges(&database));
}

#[test]
fn a_changed_checksum_is_an_error_that_names_the_file() {
    let database = shared().database_with_extension("install_checksum");
    database.run(
        "UPDATE sop_ml.sop_schema_migrations SET checksum = repeat('0', 64) WHERE version = 38",
    );
    let error = database
        .superuser()
        .query("SELECT * FROM sop_ml.install()", &[])
        .unwrap_err();
    assert_eq!(sqlstate(&error), "55000");
    let message = error.as_db_error().unwrap().message();
    assert!(
        message.contains("038_sop_performance_aggregates.sql"),
        "{message}"
    );
}

#[test]
fn install_is_not_for_everybody() {
    let database = shared().database_with_extension("install_refused");
    database.run("DO $$ BEGIN CREATE ROLE bystander LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$");
    let error = database
        .connect("bystander")
        .query("SELECT * FROM sop_ml.install()", &[])
        .unwrap_err();
    assert_eq!(sqlstate(&error), "42501");
}

#[test]
fn databases_of_one_cluster_may_create_the_extension_at_once() {
    // The roles are shared by all databases: a cluster that has none yet, four databases at the same moment.
    let cluster = sop_ml_e2e::Cluster::start("roles");
    let databases: Vec<_> = (0..4)
        .map(|number| cluster.database(&format!("parallel_{number}")))
        .collect();
    let sessions: Vec<_> = databases
        .iter()
        .cloned()
        .map(|database| {
            std::thread::spawn(move || {
                database
                    .superuser()
                    .batch_execute("CREATE EXTENSION sop_ml")
            })
        })
        .collect();
    for session in sessions {
        session.join().unwrap().unwrap();
    }
    let first = definitions(&databases[0]);
    for database in &databases[1..] {
        assert_same_lines("definitions", &first, &definitions(database));
    }
}

#[test]
fn what_another_role_put_there_first_is_not_installed_over() {
    // Whoever may create schemas could make sop_ml before a superuser creates the extension, with a register of migrations
    // whose trigger runs with the superuser's rights.
    let database = shared().database("install_stranger");
    database.run(
        "CREATE ROLE stranger LOGIN; GRANT CREATE ON DATABASE install_stranger TO stranger;
         SET ROLE stranger;
         CREATE SCHEMA sop_ml;
         CREATE TABLE sop_ml.sop_schema_migrations (version int PRIMARY KEY, name text, checksum text,
             applied_at timestamptz DEFAULT now());
         CREATE FUNCTION sop_ml.seize() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN ALTER ROLE stranger SUPERUSER; RETURN NEW; END';
         CREATE TRIGGER seize BEFORE INSERT ON sop_ml.sop_schema_migrations
             FOR EACH ROW EXECUTE FUNCTION sop_ml.seize();",
    );
    let mut client = database.superuser();
    for put_away in [
        "SELECT 1",
        "DROP TABLE sop_ml.sop_schema_migrations",
        "DROP FUNCTION sop_ml.seize()",
    ] {
        client.batch_execute(put_away).unwrap();
        let error = client
            .batch_execute("CREATE EXTENSION sop_ml")
            .expect_err(put_away);
        assert_eq!(sqlstate(&error), "55000", "{put_away}");
        let raised = error.as_db_error().unwrap();
        assert!(
            raised.message().contains("stranger") && raised.hint().is_some(),
            "{}",
            raised.message()
        );
    }
    client
        .batch_execute("ALTER SCHEMA sop_ml OWNER TO CURRENT_USER; CREATE EXTENSION sop_ml")
        .unwrap();
    assert_eq!(
        database.count("SELECT count(*) FROM pg_roles WHERE rolname = 'stranger' AND rolsuper"),
        0
    );
}
