//! `kill -9` of backends and of the whole server at random points of conversions to a hypertable and back: each is done as a
//! whole or not at all, no row is lost or doubled, and the next run completes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sop_ml_e2e::effort::{figure, seed};
use sop_ml_e2e::integrity::check_storage;
use sop_ml_e2e::series::{
    DEFINITION, RESTAURANT, backend, database, disable, enable, enable_vault, is_apache,
    start_timescale,
};
use sop_ml_e2e::strike::{Victim, strike};
use sop_ml_e2e::{Cluster, Database};

/// A way to convert, and where it leads from.
struct Conversion {
    from_native: bool,
    statement: &'static str,
    duration: Duration,
}

/// What no conversion may change.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    rows: Vec<String>,
    definition: Vec<String>,
    broken_rules: Vec<String>,
    set_aside: i64,
}

impl Content {
    fn of(database: &Database) -> Self {
        Self {
            rows: database.texts(
                "SELECT format('%s rows, %s', count(*), md5(string_agg(d::text, ',' ORDER BY d.metric_name, d.observed_at)))
                   FROM sop_ml.sop_time_series_data AS d
                  UNION ALL SELECT format('%s hours in the log', count(*)) FROM sop_ml_storage.dirty_buckets",
            ),
            // Of a view it says something else.
            definition: if backend(database).ends_with("vault") {
                Vec::new()
            } else {
                database.texts(DEFINITION)
            },
            broken_rules: database.texts(
                "SELECT rule || ' ' || object_name FROM sop_ml.self_check() WHERE status <> 'ok' ORDER BY 1",
            ),
            set_aside: database.count(
                "SELECT count(*) FROM pg_class AS c WHERE relnamespace = 'sop_ml_storage'::regnamespace AND relkind IN ('r', 'p')
                    AND relname ~ 'sop_time_series_data'
                    AND NOT EXISTS (SELECT FROM pg_class AS v WHERE v.relname = c.relname AND v.relkind = 'v')
                    AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)",
            ),
        }
    }
}

fn is_native(database: &Database) -> bool {
    backend(database) == "native rls"
}

/// The same content, whatever the mode; the definition only where there is one.
fn assert_unchanged(database: &Database, content: &Content, context: &str) {
    let mut now = Content::of(database);
    if now.definition.is_empty() {
        now.definition.clone_from(&content.definition);
    }
    assert_eq!(now, *content, "{context}");
}

#[test]
fn killed_at_random_points_a_conversion_is_whole_or_undone() {
    let Some(cluster) = start_timescale("conversion_crash") else {
        return;
    };
    let database = database(&cluster, "conversion_crash");
    kill_conversions(
        &cluster,
        &database,
        "SELECT * FROM sop_ml.enable_timescaledb(compression => false)",
        enable,
    );
}

#[test]
fn killed_at_random_points_a_conversion_to_a_vault_is_whole_or_undone() {
    let Some(cluster) = start_timescale("vault_crash") else {
        return;
    };
    let database = database(&cluster, "vault_crash");
    if is_apache(&database) {
        println!("SKIPPED: the Apache edition has no compression");
        return;
    }
    kill_conversions(
        &cluster,
        &database,
        "SELECT * FROM sop_ml.enable_timescaledb()",
        enable_vault,
    );
}

fn kill_conversions(
    cluster: &Cluster,
    database: &Database,
    statement: &'static str,
    enable: fn(&Database) -> (String, i64, String),
) {
    let (points, seed) = (figure(8, 100), seed());
    println!("kill -9 of conversions: {points} points, SOP_ML_SEED={seed}");
    database.run("CREATE EXTENSION amcheck");
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT '{RESTAURANT}', metric, now() - i * interval '30 minutes', i
           FROM generate_series(1, 6000) AS i, unnest(ARRAY['temperature', 'humidity']) AS metric"
    ));
    let _ = database.query("SELECT * FROM sop_ml.maintain_partitions()");
    let content = Content::of(database);
    assert_eq!(content.set_aside, 0);
    assert_eq!(content.broken_rules, Vec::<String>::new());

    let undisturbed = |convert: fn(&Database) -> (String, i64, String)| {
        let started = Instant::now();
        assert_eq!(convert(database).1, 12_000);
        started.elapsed()
    };
    let mut conversions = [
        Conversion {
            from_native: true,
            statement,
            duration: undisturbed(enable),
        },
        Conversion {
            from_native: false,
            statement: "SELECT * FROM sop_ml.disable_timescaledb()",
            duration: undisturbed(disable),
        },
    ];

    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut kills, mut interrupted, mut undone) = (0, 0, [0, 0]);
    while interrupted < points {
        let native_before = is_native(database);
        let conversion = &mut conversions[usize::from(!native_before)];
        assert_eq!(conversion.from_native, native_before);
        let victim = if kills % 2 == 0 {
            Victim::Backend
        } else {
            Victim::Server
        };
        let share: f64 = random.random();
        let struck = strike(
            cluster,
            database,
            conversion.statement,
            conversion.duration.mul_f64(share),
            victim,
        );
        kills += 1;
        interrupted += usize::from(struck.interrupted);
        let is_done = is_native(database) != native_before;
        let context = format!(
            "{}, {victim:?} killed after {share:.4} of the run, done: {is_done}",
            conversion.statement
        );
        assert!(is_done || !struck.acknowledged, "{context}");
        assert_unchanged(database, &content, &context);
        let _ = check_storage(database);
        if !is_done {
            undone[usize::from(!native_before)] += 1;
            let started = Instant::now();
            database.run(conversion.statement);
            // The machine may be busier or idler than before: later points are spread over what a run takes now.
            conversion.duration = started.elapsed();
            assert_ne!(
                is_native(database),
                native_before,
                "{context}: the next run"
            );
            assert_unchanged(database, &content, &format!("{context}: the next run"));
        }
        assert!(
            kills < 2 * points + 20,
            "{interrupted} of {kills} kills came before the answer: too few"
        );
    }
    assert!(undone.iter().all(|&count| count > 0), "{undone:?}");
    println!(
        "kill -9 at {interrupted} points before the answer ({kills} kills in all): {statement}: enable_timescaledb {} times undone ({} ms a run), \
         disable_timescaledb {} times ({} ms), 0 of 12000 rows lost or doubled, amcheck clean, every next run completed",
        undone[0],
        conversions[0].duration.as_millis(),
        undone[1],
        conversions[1].duration.as_millis()
    );
}
