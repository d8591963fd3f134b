//! A streaming standby answers what the primary answers and refuses writes cleanly; promotion.rs is about its taking over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::sync::OnceLock;

use sop_ml_e2e::calls::{Answer, answer, calls};
use sop_ml_e2e::catalogue::{Relation, relations};
use sop_ml_e2e::fixture::TENANTS;
use sop_ml_e2e::{Cluster, Database, describe, history, sqlstate};

/// What the server raises for every write where nothing can be written.
const READ_ONLY: &str = "25006";

/// Causes that a function may find before it comes to write; docs/errors.md says what they mean.
const DECLARED: [&str; 7] = [
    "02000", "22004", "22023", "42501", "42P01", "54000", "55000",
];

const OPERATOR: &str = "standby_operator";
const GROUP_READER: &str = "standby_group_reader";

/// Settings that make PostgreSQL use parallel workers and one plan for all values wherever it can.
const PARALLEL: &str = "SET plan_cache_mode = force_generic_plan;
     SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
     SET min_parallel_index_scan_size = 0; SET max_parallel_workers_per_gather = 2;
     SELECT set_config(name, CASE WHEN name = 'force_parallel_mode' THEN 'on' ELSE 'regress' END, false)
       FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')";

/// A primary with months of rows and a nightly run behind it, and its standby.
struct Pair {
    primary: Cluster,
    standby: Cluster,
}

impl Pair {
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Pair> = OnceLock::new();
        SHARED.get_or_init(|| {
            let primary = Cluster::start_with(
                "primary",
                &["fsync=on", "wal_level=replica", "max_connections=40"],
            );
            let standby = primary.standby("standby", &["hot_standby=on"]);
            let database = primary.database_with_extension("restaurants");
            history::fill(&database);
            let [a, b] = TENANTS;
            database.run(&format!(
                "CREATE ROLE {OPERATOR} LOGIN; GRANT sop_ml_operator TO {OPERATOR}; ALTER ROLE {OPERATOR} BYPASSRLS;
                 CREATE ROLE {GROUP_READER} LOGIN; GRANT sop_ml_group_reader TO {GROUP_READER};
                 INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
                 VALUES ('{}', '{GROUP_READER}', 'viewer'), ('{}', '{GROUP_READER}', 'viewer');
                 DO $$ BEGIN PERFORM sop_ml.run_daily_ml_aggregation(); END $$",
                a.restaurant_id, b.restaurant_id
            ));
            let pair = Self { primary, standby };
            pair.standby.wait_until_replayed(&pair.primary);
            pair
        })
    }

    fn databases(&self) -> (Database, Database) {
        (
            self.primary.existing_database("restaurants"),
            self.standby.existing_database("restaurants"),
        )
    }
}

#[test]
fn every_read_function_answers_as_on_the_primary() {
    let (primary, standby) = Pair::shared().databases();
    let reading: Vec<_> = calls(&primary)
        .into_iter()
        .filter(|call| call.volatility != "v")
        .collect();
    assert!(reading.len() > 40, "only {} functions", reading.len());
    let mut asked = 0;
    let mut unanswered: Vec<&str> = reading.iter().map(|call| call.signature.as_str()).collect();
    for role in [TENANTS[0].role, GROUP_READER, OPERATOR] {
        for settings in ["SELECT 1", PARALLEL] {
            let (mut there, mut here) = (primary.connect(role), standby.connect(role));
            there.batch_execute(settings).unwrap();
            here.batch_execute(settings).unwrap();
            for call in &reading {
                let expected: Answer = answer(&mut there, &call.statement);
                let got = answer(&mut here, &call.statement);
                assert_eq!(got, expected, "{role} {settings}: {}", call.statement);
                match got {
                    Ok(rows) if !rows.is_empty() => {
                        unanswered.retain(|name| *name != call.signature)
                    }
                    Ok(_) => {}
                    Err((state, message)) => assert!(
                        DECLARED.contains(&state.as_str()),
                        "{role}: {}: {state} {message}",
                        call.statement
                    ),
                }
                asked += 1;
            }
        }
    }
    assert_eq!(
        unanswered,
        Vec::<&str>::new(),
        "functions that gave no row to anybody: `calls` has to learn what to ask them"
    );
    println!(
        "standby: {asked} calls of {} read functions answered as on the primary",
        reading.len()
    );
}

#[test]
fn every_relation_shows_a_tenant_the_same_rows() {
    let (primary, standby) = Pair::shared().databases();
    let mut rows = 0;
    for role in [TENANTS[0].role, TENANTS[1].role, GROUP_READER, OPERATOR] {
        let (mut there, mut here) = (primary.connect(role), standby.connect(role));
        for relation in api(&primary) {
            // How long an alert has been open is another answer at every moment.
            let statement = format!(
                "SELECT count(*) || ' ' || coalesce(md5(string_agg(line, '' ORDER BY line)), '')
                   FROM (SELECT (to_jsonb(t) - 'open_for')::text FROM {} AS t) AS lines (line)",
                relation.qualified()
            );
            let expected = answer(&mut there, &statement);
            assert_eq!(
                answer(&mut here, &statement),
                expected,
                "{role}: {statement}"
            );
            if let Ok(counted) = expected {
                rows += counted[0]
                    .split(' ')
                    .next()
                    .unwrap()
                    .parse::<u64>()
                    .unwrap();
            }
        }
    }
    assert!(rows > 5000, "only {rows} rows were compared");
}

fn api(database: &Database) -> Vec<Relation> {
    relations(database)
        .into_iter()
        .filter(|relation| relation.schema == "sop_ml" && relation.kind != "S")
        .collect()
}

#[test]
fn checks_that_store_nothing_run_on_a_standby() {
    let (primary, standby) = Pair::shared().databases();
    let mut there = primary.connect(TENANTS[0].role);
    let mut here = standby.connect(TENANTS[0].role);
    for statement in [
        "SELECT (v.\"check\", v.rows_checked, v.rows_failed, v.score)::text
           FROM sop_ml.validate_ml_training_data_quality(NULL, 'sop_ml.sop_user_interactions', '{\"store\": false}') AS v",
        "SELECT count(*)::text FROM sop_ml.detect_prediction_anomalies(
            NULL, (SELECT name FROM sop_ml.sop_ml_models LIMIT 1), now() - interval '30 days', '{\"store\": false}')",
    ] {
        let expected = answer(&mut there, statement);
        assert!(matches!(&expected, Ok(rows) if !rows.is_empty()), "{statement}: {expected:?}");
        assert_eq!(answer(&mut here, statement), expected, "{statement}");
    }
}

#[test]
fn a_revoked_membership_reaches_a_running_transaction_on_the_standby() {
    let pair = Pair::shared();
    let (primary, standby) = pair.databases();
    let restaurant = TENANTS[1].restaurant_id;
    primary.run(&format!(
        "CREATE ROLE standby_guest LOGIN; GRANT sop_ml_viewer TO standby_guest;
         INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
         VALUES ('{restaurant}', 'standby_guest', 'viewer')"
    ));
    pair.standby.wait_until_replayed(&pair.primary);
    let mut guest = standby.connect("standby_guest");
    let mut transaction = guest.transaction().unwrap();
    let mut seen = || -> i64 {
        transaction
            .query_one("SELECT count(*) FROM sop_ml.sop_user_interactions", &[])
            .unwrap()
            .get(0)
    };
    assert!(seen() > 0);
    primary.run(
        "UPDATE sop_ml.sop_restaurant_members SET status = 'revoked', revoked_at = now() WHERE role_name = 'standby_guest'",
    );
    pair.standby.wait_until_replayed(&pair.primary);
    assert_eq!(seen(), 0, "rows that a revoked member still sees");
}

#[test]
fn writes_are_refused_cleanly() {
    let pair = Pair::shared();
    let (primary, standby) = pair.databases();
    let (postmaster, started) = (pair.standby.postmaster(), start_time(&standby));
    let writing: Vec<_> = calls(&primary)
        .into_iter()
        .filter(|call| call.volatility == "v")
        .collect();
    let mut refused = 0;
    for (server, database) in [("standby", &standby), ("read-only primary", &primary)] {
        for role in ["postgres", OPERATOR, TENANTS[0].role] {
            let mut client = database.connect(role);
            client
                .batch_execute("SET default_transaction_read_only = on")
                .unwrap();
            for call in &writing {
                let context = format!("{server}, {role}: {}", call.statement);
                let Err((state, message)) = answer(&mut client, &call.statement) else {
                    panic!("{context} was not refused")
                };
                assert!(
                    state == READ_ONLY || DECLARED.contains(&state.as_str()),
                    "{context}: {state} {message}"
                );
                refused += usize::from(state == READ_ONLY);
            }
        }
    }
    assert!(
        refused >= 2 * writing.len(),
        "{refused} of the calls of {} functions ended with {READ_ONLY}",
        writing.len()
    );
    let statements = statements_refused(&standby);
    assert_eq!(pair.standby.postmaster(), postmaster);
    assert_eq!(start_time(&standby), started, "the standby has restarted");
    for trouble in ["PANIC", "was terminated by signal", "panicked at"] {
        assert!(!pair.standby.log().contains(trouble), "{trouble}");
    }
    println!(
        "standby: {refused} calls of {} writing functions and {statements} statements refused with {READ_ONLY}",
        writing.len()
    );
}

fn start_time(database: &Database) -> Vec<String> {
    database.texts("SELECT pg_postmaster_start_time()::text || pg_is_in_recovery()")
}

/// Writes to every table as superuser, operator and tenant; returns how many there were.
fn statements_refused(standby: &Database) -> usize {
    let mut count = 0;
    for role in ["postgres", OPERATOR, TENANTS[0].role] {
        let mut client = standby.connect(role);
        for relation in api(standby) {
            let name = relation.qualified();
            let mut statements = vec![
                format!("INSERT INTO {name} DEFAULT VALUES"),
                format!("DELETE FROM {name}"),
            ];
            if relation.kind != "v" {
                statements.extend([
                    format!("TRUNCATE {name}"),
                    format!("SELECT FROM {name} FOR UPDATE"),
                    format!("DROP TABLE {name}"),
                ]);
            }
            for statement in statements {
                let error = client.batch_execute(&statement).expect_err(&statement);
                // Who lacks the right may be told so first, and a view of a join has no rows to write to.
                let others: &[&str] = if relation.kind == "v" {
                    &["42501", "55000"]
                } else {
                    &["42501"]
                };
                assert!(
                    sqlstate(&error) == READ_ONLY || others.contains(&sqlstate(&error)),
                    "{role}: {statement}: {}",
                    describe(&error)
                );
                count += usize::from(sqlstate(&error) == READ_ONLY);
            }
        }
    }
    count
}
