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
use sop_ml_e2e::series::{
    add_people, backend, community_database, compress, database, disable, enable, enable_vault,
    parts, timescale,
};
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

/// What can be done to tables only: the block, what is done to a view instead, and what that answers there (`or` stands between what
/// older and newer versions say).
const OF_TABLES_ONLY: [(&str, &str, &str); 7] = [
    (
        "copy in",
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value) VALUES
             ('a0000000-0000-4000-8000-000000000001', 'copied', '2025-02-01 00:00+00', 1),
             ('a0000000-0000-4000-8000-000000000001', 'copied', '2025-09-01 00:00+00', 2),
             ('b0000000-0000-4000-8000-000000000002', 'copied', '2025-02-01 00:00+00', 3);\n",
        "INSERT 0 3",
    ),
    (
        "replace, naming the constraint",
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 12:15+00', 8.5)
         ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) DO UPDATE SET value = excluded.value - 0.5 RETURNING value;\n",
        "value\n8\n(1 row)\nINSERT 0 1",
    ),
    // From 2.29 on TimescaleDB's refusal comes before the trigger's, on compressed chunks.
    (
        "the time never changes",
        "UPDATE sop_ml.sop_time_series_data SET observed_at = observed_at + interval '1 minute' WHERE metric_name = 'wait_minutes';\n",
        "ERROR:  55000 or ERROR:  0A000",
    ),
    // The domain's refusal comes before the trigger's.
    (
        "nor the restaurant",
        "UPDATE sop_ml.sop_time_series_data SET restaurant_id = 'b0000000-0000-4000-8000-000000000002' WHERE metric_name = 'wait_minutes';\n",
        "ERROR:  42501",
    ),
    (
        "merge",
        "DELETE FROM sop_ml.sop_time_series_data WHERE metric_name = 'wait_minutes' AND observed_at = '2025-03-01 12:00+00';
         UPDATE sop_ml.sop_time_series_data SET value = 2 WHERE metric_name = 'wait_minutes' AND observed_at = '2025-03-01 12:05+00';
         INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         VALUES ('a0000000-0000-4000-8000-000000000001', 'wait_minutes', '2025-03-01 15:00+00', 3);\n",
        "DELETE 1\nUPDATE 1\nINSERT 0 1",
    ),
    (
        "tenants do not truncate",
        "TRUNCATE sop_ml.sop_time_series_data;\n",
        "ERROR:  42809",
    ),
    (
        "operators do",
        "WITH gone AS (DELETE FROM sop_ml.sop_time_series_data RETURNING 1) SELECT count(*) > 0 AS gone FROM gone;\n",
        "gone\nt\n(1 row)",
    ),
];

/// The answers of one part in mode vault: what a view cannot do is replaced, and answered for the comparison as a table would.
fn answers_of_view(database: &Database, mut part: Vec<Block>) -> Vec<String> {
    let expected = std::fs::read_to_string(workspace().join(EXPECTED)).unwrap();
    let expected = blocks::parse(&expected);
    let mut replaced = Vec::new();
    for (place, block) in part.iter_mut().enumerate() {
        if let Some((_, sql, there)) = OF_TABLES_ONLY.iter().find(|only| only.0 == block.name) {
            (*sql).clone_into(&mut block.sql);
            replaced.push((place, *there));
        }
    }
    let mut answers = blocks::run(database, &part);
    for (place, there) in replaced {
        let name = &part[place].name;
        let answer = answers[place].trim_end();
        assert!(
            there.split(" or ").any(|there| there == answer),
            "{name}: {answer}"
        );
        let of_table = expected.iter().find(|block| block.name == *name).unwrap();
        of_table.sql.trim_end().clone_into(&mut answers[place]);
    }
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

#[test]
fn a_vault_converted_empty_answers_alike() {
    let Some(database) = community_database("vault_empty") else {
        return;
    };
    assert_eq!(enable_vault(&database).0, "converted");
    assert_eq!(backend(&database), "timescale_community vault");
    let (before, after) = parts();
    let mut got = answers_of_view(&database, before);
    assert!(compress(&database) > 10);
    got.extend(answers_of_view(&database, after));
    compare("vault, empty", &got);
}

#[test]
fn a_vault_converted_filled_answers_alike() {
    let Some(database) = community_database("vault_filled") else {
        return;
    };
    let (before, after) = parts();
    let mut got = blocks::run(&database, &before);
    let rows = database.count("SELECT count(*) FROM sop_ml.sop_time_series_data");
    let (action, moved, detail) = enable_vault(&database);
    assert_eq!((action.as_str(), moved), ("converted", rows));
    assert!(detail.ends_with("mode vault, 7 days a chunk"), "{detail}");
    assert!(compress(&database) > 10);
    got.extend(answers_of_view(&database, after));
    compare("vault, filled", &got);
    assert_eq!(backend(&database), "timescale_community vault");
}

#[test]
fn a_vault_converted_back_answers_alike() {
    let Some(database) = community_database("vault_back") else {
        return;
    };
    enable_vault(&database);
    let (before, after) = parts();
    let mut got = answers_of_view(&database, before);
    assert!(compress(&database) > 10);
    assert_eq!(disable(&database).0, "converted");
    assert_eq!(backend(&database), "native rls");
    got.extend(blocks::run(&database, &after));
    compare("vault, converted back", &got);
}
