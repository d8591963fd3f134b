//! `sop_time_series_data` behind one name: the same statements give the same answers on plain PostgreSQL, on a hypertable of
//! TimescaleDB that was converted empty or filled, and on a table that was converted back.
//!
//! Where the server has no TimescaleDB the native answers alone are compared with those that are stored;
//! `UPDATE_QUERIES=1` stores them anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use sop_ml_e2e::blocks::{self, Block};
use sop_ml_e2e::series::{add_people, backend, database, disable, enable, parts, timescale};
use sop_ml_e2e::{Database, shared, workspace};

const EXPECTED: &str = "pgrx-tests/queries/time_series.expected";

/// All answers, with `midway` done between the two parts.
fn answers(database: &Database, midway: impl FnOnce()) -> Vec<String> {
    let (before, after) = parts();
    let mut answers = blocks::run(database, &before);
    midway();
    answers.extend(blocks::run(database, &after));
    answers
}

fn compare(what: &str, got: &[String]) {
    let (before, after) = parts();
    let all: Vec<Block> = before.into_iter().chain(after).collect();
    assert!(all.len() >= 100, "{} queries", all.len());
    assert_eq!(got.len(), all.len());
    let listing = blocks::listing(&all, got);
    let file = workspace().join(EXPECTED);
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if listing == expected {
        println!("{what}: {} queries", all.len());
        return;
    }
    let wanted: Vec<String> = blocks::parse(&expected)
        .into_iter()
        .map(|block| block.sql.trim_end().to_owned())
        .collect();
    panic!("{what}:\n{}", blocks::differences(&all, &wanted, got));
}

#[test]
fn plain_postgresql_answers_as_expected() {
    let database = shared().database_with_extension("series_native");
    add_people(&database);
    assert_eq!(backend(&database), "native rls");
    let got = answers(&database, || ());
    if std::env::var_os("UPDATE_QUERIES").is_some_and(|value| value == "1") {
        let (before, after) = parts();
        let all: Vec<Block> = before.into_iter().chain(after).collect();
        std::fs::write(workspace().join(EXPECTED), blocks::listing(&all, &got)).unwrap();
    }
    compare("native", &got);
}

#[test]
fn a_hypertable_converted_empty_answers_alike() {
    let Some(cluster) = timescale() else { return };
    let database = database(cluster, "series_empty");
    assert_eq!(enable(&database).0, "converted");
    assert!(backend(&database).starts_with("timescale_"));
    compare("converted empty", &answers(&database, || ()));
}

#[test]
fn a_hypertable_converted_filled_answers_alike() {
    let Some(cluster) = timescale() else { return };
    let database = database(cluster, "series_filled");
    let got = answers(&database, || {
        let rows = database.count("SELECT count(*) FROM sop_ml.sop_time_series_data");
        let (action, moved, detail) = enable(&database);
        assert_eq!((action.as_str(), moved), ("converted", rows));
        assert!(detail.contains("mode rls, 7 days a chunk"), "{detail}");
    });
    compare("converted filled", &got);
    assert!(backend(&database).starts_with("timescale_"));
}

#[test]
fn a_table_converted_back_answers_alike() {
    let Some(cluster) = timescale() else { return };
    let database = database(cluster, "series_back");
    enable(&database);
    let got = answers(&database, || {
        assert_eq!(disable(&database).0, "converted");
        assert_eq!(backend(&database), "native rls");
    });
    compare("converted back", &got);
}
