//! `self_check()`: silent on a fresh and on a used database; each rule notices the fault that is planted for it, alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod faults;

use std::collections::BTreeSet;

use faults::FAULTS;
use postgres::{Client, GenericClient};
use sop_ml_e2e::fixture::{TENANTS, fill};
use sop_ml_e2e::{describe, shared, sqlstate};

/// A row of `self_check()`: rule, status, object, detail, hint.
type Finding = (
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn self_check(client: &mut impl GenericClient) -> Vec<Finding> {
    client
        .query(
            "SELECT rule, status, object_name, detail, hint FROM sop_ml.self_check()",
            &[],
        )
        .unwrap_or_else(|error| panic!("self_check(): {}", describe(&error)))
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4)))
        .collect()
}

fn assert_all_ok(client: &mut impl GenericClient, when: &str) {
    let findings = self_check(client);
    assert!(findings.len() >= 25, "{when}: {} rules", findings.len());
    for finding in findings {
        assert_eq!(
            (finding.1.as_str(), &finding.2, &finding.3, &finding.4),
            ("ok", &None, &None, &None),
            "{when}: rule {}",
            finding.0
        );
    }
}

/// Rule and object of what failed.
fn failed(client: &mut impl GenericClient) -> BTreeSet<(String, String)> {
    self_check(client)
        .into_iter()
        .filter(|finding| finding.1 != "ok")
        .map(|(rule, status, object, detail, hint)| {
            assert_eq!(status, "failed", "{rule}");
            assert!(detail.is_some_and(|text| !text.is_empty()), "{rule}");
            assert!(hint.is_some_and(|text| !text.is_empty()), "{rule}");
            (rule, object.unwrap())
        })
        .collect()
}

#[test]
fn every_rule_holds_in_a_fresh_and_in_a_used_database() {
    let database = shared().database_with_extension("self_check_fresh");
    let mut client = database.superuser();
    assert_all_ok(&mut client, "fresh");
    fill(&database);
    database.run(
        "SELECT count(*) FROM sop_ml.maintain_partitions(months_ahead => 2);
         SELECT count(*) FROM sop_ml.run_daily_ml_aggregation();",
    );
    assert_all_ok(&mut client, "after maintenance and the nightly run");
    database.run("SELECT count(*) FROM sop_ml.install()");
    assert_all_ok(&mut client, "after install() once more");
}

#[test]
fn each_rule_notices_the_fault_planted_for_it() {
    let database = shared().database_with_extension("self_check_faults");
    let mut client = database.superuser();
    for (rule, plant, object) in FAULTS {
        let mut transaction = client.transaction().unwrap();
        transaction
            .batch_execute(plant)
            .unwrap_or_else(|error| panic!("{rule}: {plant}: {}", describe(&error)));
        let expected = BTreeSet::from([((*rule).to_owned(), (*object).to_owned())]);
        assert_eq!(failed(&mut transaction), expected, "after {plant}");
        transaction.rollback().unwrap();
    }
    assert_all_ok(&mut client, "when every fault is taken back");
}

#[test]
fn each_rule_has_a_planted_fault() {
    let database = shared().database_with_extension("self_check_rules");
    let rules: BTreeSet<String> = self_check(&mut database.superuser())
        .into_iter()
        .map(|finding| finding.0)
        .collect();
    let planted: BTreeSet<String> = FAULTS.iter().map(|fault| fault.0.to_owned()).collect();
    assert_eq!(rules, planted);
}

#[test]
fn the_keywords_of_rule_argument_name_are_those_that_the_parser_refuses() {
    let database = shared().database_with_extension("self_check_keywords");
    let mut client = database.superuser();
    let keywords = database.query(
        "SELECT word, catcode IN ('C', 'R'), row_number() OVER (ORDER BY word) FROM pg_get_keywords()",
    );
    assert!(keywords.len() > 300, "{} keywords", keywords.len());
    let mut transaction = client.transaction().unwrap();
    let mut expected = BTreeSet::new();
    for row in keywords {
        let (word, refused, number): (String, bool, i64) = (row.get(0), row.get(1), row.get(2));
        transaction
            .batch_execute(&format!(
                "CREATE FUNCTION sop_ml.probe_{number}(\"{word}\" integer) RETURNS integer LANGUAGE sql IMMUTABLE
                     SET search_path = pg_catalog, pg_temp AS 'SELECT $1'"
            ))
            .unwrap();
        let mut attempt = transaction.transaction().unwrap();
        let called = attempt.batch_execute(&format!("SELECT sop_ml.probe_{number}({word} => 1)"));
        assert_eq!(called.is_err(), refused, "{word} => 1: {called:?}");
        attempt.rollback().unwrap();
        if refused {
            expected.insert((
                "argument_name".to_owned(),
                format!("sop_ml.probe_{number}(integer)"),
            ));
        }
    }
    assert_eq!(failed(&mut transaction), expected);
}

#[test]
fn owners_and_operators_may_ask_and_nothing_is_written() {
    let database = shared().database_with_extension("self_check_roles");
    fill(&database);
    let mut client = database.superuser();
    for role in ["sop_ml_owner", "sop_ml_operator", TENANTS[0].role] {
        let mut transaction = client.transaction().unwrap();
        transaction
            .batch_execute(&format!("SET TRANSACTION READ ONLY; SET LOCAL ROLE {role}"))
            .unwrap();
        assert_all_ok(&mut transaction, role);
        let id: Option<String> = transaction
            .query_one("SELECT pg_current_xact_id_if_assigned()::text", &[])
            .unwrap()
            .get(0);
        assert_eq!(id, None, "{role}: a transaction id was assigned");
        transaction.rollback().unwrap();
    }
    for role in ["sop_ml_manager", "sop_ml_group_reader"] {
        assert_refused(&mut client, role);
    }
}

fn assert_refused(client: &mut Client, role: &str) {
    let mut transaction = client.transaction().unwrap();
    transaction
        .batch_execute(&format!("SET LOCAL ROLE {role}"))
        .unwrap();
    let error = transaction
        .query("SELECT * FROM sop_ml.self_check()", &[])
        .expect_err(role);
    assert_eq!(sqlstate(&error), "42501", "{role}");
}
