//! Random statements of many tenants against a model of their rows; and proof that the fuzzer can fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use sop_ml_e2e::effort::{figure, seed};
use sop_ml_e2e::fuzz::{Fuzzer, prepare};
use sop_ml_e2e::{Cluster, Database, shared};

fn prepared(cluster: &Cluster, name: &str) -> Database {
    let database = cluster.database_with_extension(name);
    prepare(&database);
    database
}

#[test]
fn tenants_see_and_change_what_the_model_says() {
    let database = prepared(shared(), "fuzz");
    let (seed, statements) = (seed(), figure(20_000, 1_000_000));
    let mut fuzzer = Fuzzer::new(&database, seed);
    if let Err(problem) = fuzzer.run(statements) {
        panic!("SOP_ML_SEED={seed}: {problem}");
    }
    let report = &fuzzer.report;
    assert!(
        report.kinds.len() >= 25,
        "only these kinds: {:?}",
        report.kinds
    );
    assert!(
        report.rows > statements,
        "only {} rows were seen",
        report.rows
    );
    assert!(report.errors.contains_key("42501"), "nothing was refused");
    println!("fuzz: seed {seed}, {report}");
}

/// Each planted fault must be found soon.
#[test]
fn the_fuzzer_finds_planted_faults() {
    let faults = [
        "ALTER TABLE sop_ml.sop_content_features DISABLE ROW LEVEL SECURITY",
        "DROP POLICY sop_ml_select ON sop_ml.sop_training_records",
        "CREATE POLICY wide ON sop_ml.sop_user_interactions FOR SELECT USING (true)",
        "CREATE POLICY wide ON sop_ml.sop_time_series_data FOR INSERT WITH CHECK (true)",
        "DROP POLICY sop_ml_update ON sop_ml.sop_ab_feature_flags;
         CREATE POLICY sop_ml_update ON sop_ml.sop_ab_feature_flags FOR UPDATE USING (true) WITH CHECK (true)",
        "ALTER ROLE fuzz_tenant_3 BYPASSRLS",
        "INSERT INTO sop_ml.sop_content_features (restaurant_id, sop_id, title)
         SELECT restaurant_id, gen_random_uuid(), 'canary_07_told' FROM sop_ml.sop_restaurants",
    ];
    // Roles belong to a whole server, and one of the faults is a role's.
    let cluster = Cluster::start("faults");
    for (number, fault) in faults.into_iter().enumerate() {
        let database = prepared(&cluster, &format!("fuzz_fault_{number}"));
        let mut fuzzer = Fuzzer::new(&database, seed());
        fuzzer
            .run(200)
            .unwrap_or_else(|problem| panic!("before the fault: {problem}"));
        database.run(fault);
        let found = fuzzer.run(1_500);
        database.run("ALTER ROLE fuzz_tenant_3 NOBYPASSRLS");
        let problem = found.expect_err(&format!("not found: {fault}"));
        assert!(problem.contains("the last statements:"), "{problem}");
        println!(
            "fuzz: found after {} statements: {}",
            fuzzer.report.statements - 200,
            fault
                .split_whitespace()
                .take(6)
                .collect::<Vec<_>>()
                .join(" ")
        );
    }
}
