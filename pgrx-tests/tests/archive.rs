//! Archiving while others read, write and dump: every snapshot has each row once, in its table or in a bundle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use postgres::IsolationLevel;
use sop_ml_e2e::effort::figure;
use sop_ml_e2e::fixture::TENANTS;
use sop_ml_e2e::{Database, describe, history, shared, sqlstate};

const RELATIONS: &str = r#"{"relations": ["sop_time_series_data", "sop_user_interactions", "sop_ml_predictions", "sop_model_predictions", "sop_ab_events"]}"#;

/// Months of rows of two restaurants, rolled up.
fn database(name: &str) -> Database {
    let database = shared().database_with_extension(name);
    history::fill(&database);
    database.run("SELECT * FROM sop_ml.run_daily_ml_aggregation()");
    database
}

fn archive(database: &Database) -> i64 {
    database.count(&format!(
        "SELECT coalesce(sum(n), 0)::bigint FROM sop_ml.archive_time_series(NULL, now(), '{RELATIONS}')"
    ))
}

/// The roll-up follows, so that the months may be archived again.
fn bring_back(database: &Database) -> i64 {
    let rows = database.count(&format!(
        "SELECT coalesce(sum(n), 0)::bigint FROM sop_ml.restore_archive(NULL, '-infinity', 'infinity', '{RELATIONS}')"
    ));
    database.run("SELECT * FROM sop_ml.run_daily_ml_aggregation()");
    rows
}

/// Archives and brings back in turns until told to stop; how many rows went each way.
fn go_round(database: &Database, stop: &AtomicBool) -> (i64, i64) {
    let mut rows = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        rows.0 += archive(database);
        rows.1 += bring_back(database);
    }
    rows
}

/// Tells the other threads to stop, also when this one fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Checksums of the rows of the tables that can be archived, whatever their order.
fn contents(database: &Database) -> Vec<String> {
    ["sop_time_series_data", "sop_user_interactions", "sop_ml_predictions", "sop_model_predictions", "sop_ab_events"]
        .map(|relation| {
            database
                .texts(&format!(
                    "SELECT format('{relation} %s %s', count(*), md5(string_agg(line, '' ORDER BY line)))
                       FROM (SELECT md5(t::text) FROM sop_ml.{relation} AS t) AS hashed (line)"
                ))
                .remove(0)
        })
        .to_vec()
}

#[test]
fn a_dump_that_runs_meanwhile_has_each_row_once() {
    let source = database("archive_dump");
    let before = contents(&source);
    let stop = AtomicBool::new(false);
    let folder = std::env::temp_dir();
    let mut with_bundles = 0;
    let (archived, restored) = std::thread::scope(|scope| {
        let busy = scope.spawn(|| go_round(&source, &stop));
        let _stop = StopAtEnd(&stop);
        for number in 0..figure(4, 40) {
            let file = folder.join(format!(
                "sop_ml_archive_{}_{number}.dump",
                std::process::id()
            ));
            let dumped = source.dump(&file);
            assert!(dumped.success, "{dumped:?}");
            let target = shared().database(&format!("archive_dump_{number}"));
            let loaded = target.restore(&file);
            std::fs::remove_file(&file).unwrap();
            assert!(loaded.success, "{loaded:?}");
            let bundles = target.count("SELECT count(*) FROM sop_ml_storage.archive_bundles");
            with_bundles += usize::from(bundles > 0);
            target.run(&format!(
                "SELECT * FROM sop_ml.restore_archive(NULL, '-infinity', 'infinity', '{RELATIONS}')"
            ));
            assert_eq!(
                contents(&target),
                before,
                "dump {number}, {bundles} bundles"
            );
            let name = target.name.clone();
            drop(target);
            shared().drop_database(&name);
        }
        drop(_stop);
        busy.join().unwrap()
    });
    println!(
        "{with_bundles} dumps had bundles; {archived} rows were archived, {restored} brought back"
    );
    assert!(
        archived > 0 && archived == restored,
        "{archived} {restored}"
    );
    assert_eq!(contents(&source), before);
}

#[test]
fn every_snapshot_has_each_row_once() {
    let database = database("archive_snapshots");
    let stop = AtomicBool::new(false);
    let count = |client: &mut postgres::Transaction<'_>| -> (i64, i64) {
        // Two statements of one snapshot: what leaves the table between them is not yet in a bundle for them.
        let raw = client
            .query_one(
                "SELECT (SELECT count(*) FROM sop_ml.sop_time_series_data) + (SELECT count(*) FROM sop_ml.sop_user_interactions)
                      + (SELECT count(*) FROM sop_ml.sop_ab_events)",
                &[],
            )
            .unwrap()
            .get(0);
        let bundled = client
            .query_one(
                "SELECT coalesce(sum(n), 0)::bigint FROM sop_ml_storage.archive_bundles
                  WHERE relation_name IN ('sop_time_series_data', 'sop_user_interactions', 'sop_ab_events')",
                &[],
            )
            .unwrap()
            .get(0);
        (raw, bundled)
    };
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| go_round(&database, &stop));
        let stop = StopAtEnd(&stop);
        let mut client = database.superuser();
        let end = Instant::now() + Duration::from_secs(figure(8, 120) as u64);
        while Instant::now() < end {
            let mut snapshot = client
                .build_transaction()
                .isolation_level(IsolationLevel::RepeatableRead)
                .start()
                .unwrap();
            seen.push(count(&mut snapshot));
            snapshot.rollback().unwrap();
        }
        drop(stop);
        let (archived, restored) = busy.join().unwrap();
        assert!(
            archived > 0 && archived == restored,
            "{archived} {restored}"
        );
    });
    let totals: std::collections::BTreeSet<i64> =
        seen.iter().map(|(raw, bundled)| raw + bundled).collect();
    assert_eq!(totals.len(), 1, "{totals:?}");
    assert!(
        seen.iter().any(|(_, bundled)| *bundled > 0),
        "no snapshot saw a bundle"
    );
    assert!(
        seen.iter().any(|(_, bundled)| *bundled == 0),
        "no snapshot saw all rows in their tables"
    );
}

#[test]
fn writers_lose_nothing() {
    let database = database("archive_writers");
    let before = database.count("SELECT count(*) FROM sop_ml.sop_time_series_data");
    let (stop, written) = (AtomicBool::new(false), AtomicI64::new(0));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (database, stop, written) = (&database, &stop, &written);
            scope.spawn(move || {
                let mut client = database.connect(TENANTS[writer % TENANTS.len()].role);
                let mut number = 0_i64;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    // All over the last hundred days.
                    written.fetch_add(
                        client
                            .execute(
                                &format!(
                                    "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, source, observed_at, value)
                                     SELECT sop_ml.current_restaurant(), 'written', 'writer {writer}',
                                            now() - (i * 37 % 144000) * interval '1 minute' - $1 * interval '1 microsecond', i
                                       FROM generate_series(1, 20) AS i"
                                ),
                                &[&(number as f64)],
                            )
                            .unwrap_or_else(|error| panic!("{}", describe(&error)))
                            as i64,
                        Ordering::Relaxed,
                    );
                }
            });
        }
        let _stop = StopAtEnd(&stop);
        for _ in 0..figure(3, 40) {
            archive(&database);
            bring_back(&database);
        }
        archive(&database);
    });
    let written = written.load(Ordering::Relaxed);
    assert!(written > 100, "{written}");
    let raw = database.count("SELECT count(*) FROM sop_ml.sop_time_series_data");
    let bundled = database.count(
        "SELECT coalesce(sum(n), 0)::bigint FROM sop_ml_storage.archive_bundles WHERE relation_name = 'sop_time_series_data'",
    );
    assert_eq!(raw + bundled, before + written);
    database.run("SELECT * FROM sop_ml.restore_archive(NULL, '-infinity', 'infinity')");
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.sop_time_series_data"),
        before + written
    );
}

/// Bundles are packed in one go; everything else is PostgreSQL's own statements, which listen.
#[test]
fn a_cancel_is_heard_and_changes_nothing() {
    let database = database("archive_cancel");
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT '{}', 'long', now() - interval '90 days' + i * interval '10 seconds', sin(i) FROM generate_series(1, 300000) AS i;
         SELECT * FROM sop_ml.run_daily_ml_aggregation()",
        TENANTS[0].restaurant_id
    ));
    let before = contents(&database);
    let statement = format!("SELECT * FROM sop_ml.archive_time_series(NULL, now(), '{RELATIONS}')");
    let started = Instant::now();
    let mut client = database.superuser();
    client
        .batch_execute(&format!("BEGIN; {statement}; ROLLBACK"))
        .unwrap();
    let whole = started.elapsed();
    let (mut cancelled, mut longest) = (0, Duration::ZERO);
    for share in [0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9] {
        let token = client.cancel_token();
        std::thread::scope(|scope| {
            let canceller = scope.spawn(move || {
                std::thread::sleep(whole.mul_f64(share));
                let asked = Instant::now();
                token.cancel_query(postgres::NoTls).unwrap();
                asked
            });
            let answer = client.batch_execute(&format!("BEGIN; {statement}; ROLLBACK"));
            let ended = Instant::now();
            let asked = canceller.join().unwrap();
            if let Err(error) = answer {
                assert_eq!(sqlstate(&error), "57014", "{}", describe(&error));
                cancelled += 1;
                longest = longest.max(ended.saturating_duration_since(asked));
            }
        });
        let _ = client.batch_execute("ROLLBACK");
    }
    println!("of a run of {whole:?}: {cancelled} cancelled, heard within {longest:?}");
    assert!(cancelled >= 3, "{cancelled} cancelled");
    // 200 ms on an idle machine; tests share theirs.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    assert_eq!(contents(&database), before);
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml_storage.archive_bundles WHERE relation_name = 'sop_time_series_data'"),
        0
    );
}

#[test]
fn nobody_but_operators_gets_at_bundles() {
    let database = database("archive_tenants");
    assert!(archive(&database) > 0);
    for tenant in TENANTS {
        let mut client = database.connect(tenant.role);
        for statement in [
            "TABLE sop_ml_storage.archive_bundles",
            "DELETE FROM sop_ml_storage.archive_bundles",
            "UPDATE sop_ml.sop_retired_periods SET to_time = 'infinity'",
            "DELETE FROM sop_ml.sop_retired_periods",
            "INSERT INTO sop_ml.sop_retired_periods (restaurant_id, relation_name, from_time, to_time, action)
             VALUES (sop_ml.current_restaurant(), 'sop_time_series_data', '-infinity', 'infinity', 'dropped')",
            "SELECT * FROM sop_ml.archive_time_series(sop_ml.current_restaurant(), now())",
            "SELECT * FROM sop_ml.restore_archive(sop_ml.current_restaurant(), '-infinity', 'infinity')",
            "SELECT * FROM sop_ml.apply_time_series_policies()",
        ] {
            let error = client.simple_query(statement).expect_err(statement);
            assert_eq!(sqlstate(&error), "42501", "{statement}: {}", describe(&error));
        }
        let own = client
            .query_one("SELECT count(*), count(DISTINCT restaurant_id), min(restaurant_id::text) FROM sop_ml.sop_retired_periods", &[])
            .unwrap();
        assert!(own.get::<_, i64>(0) > 0);
        assert_eq!(own.get::<_, i64>(1), 1);
        assert_eq!(own.get::<_, String>(2), tenant.restaurant_id);
    }
}
