//! `kill -9` of backends and of the whole server at random points of what writes much: every statement is done as a whole
//! or not at all, no row is lost or doubled, storage stays sound, and the next run completes.
//!
//! The server runs with `fsync = off`: what a killed process has written is in the operating system's cache and stays there.
//! Only a machine that loses its memory needs `fsync`, and that is the disk's promise, not this extension's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod write_paths;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use postgres::NoTls;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sop_ml_e2e::effort::{figure, seed};
use sop_ml_e2e::fixture::TENANTS;
use sop_ml_e2e::integrity::{State, check_storage, differing_rows};
use sop_ml_e2e::strike::{Victim, strike};
use sop_ml_e2e::{Cluster, Database, describe, sqlstate};
use write_paths::{Start, WRITE_PATHS, WritePath};

/// A write path with what it does when nobody disturbs it.
struct Reference {
    path: &'static WritePath,
    /// When it ran: what is running then, and how much of it is over, is said by the hour.
    hour: u64,
    duration: Duration,
    before: State,
    after: State,
    undisturbed: Database,
}

impl Reference {
    fn of(cluster: &Cluster, path: &'static WritePath) -> Self {
        let hour = hour_with_time_left();
        let before = State::of(&cluster.existing_database(path.start.template()));
        let undisturbed = cluster.copy(&format!("{}_after", path.name), path.start.template());
        let mut client = undisturbed.superuser();
        let started = Instant::now();
        client
            .simple_query(path.statement)
            .unwrap_or_else(|error| panic!("{}: {}", path.name, describe(&error)));
        let duration = started.elapsed();
        drop(client);
        (path.check)(&undisturbed);
        Self {
            path,
            hour,
            duration,
            before,
            after: State::of(&undisturbed),
            undisturbed,
        }
    }
}

/// Hours since 1970; waits for the next one where the present one is about to end.
fn hour_with_time_left() -> u64 {
    const HOUR: u64 = 3600;
    const NEEDED: u64 = 60;
    let seconds = || {
        SystemTime::UNIX_EPOCH
            .elapsed()
            .expect("a clock after 1970")
            .as_secs()
    };
    let left = HOUR - seconds() % HOUR;
    if left < NEEDED {
        std::thread::sleep(Duration::from_secs(left));
    }
    seconds() / HOUR
}

/// What all rounds together have seen.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    servers: usize,
    interrupted: usize,
    indexes: usize,
    tables: usize,
}

impl Tally {
    fn check(&mut self, database: &Database) {
        let (indexes, tables) = check_storage(database);
        self.indexes += indexes;
        self.tables += tables;
    }
}

/// Kills the statement once or twice, then lets it run to its end.
fn round(
    cluster: &Cluster,
    reference: &mut Reference,
    victim: Victim,
    random: &mut ChaCha8Rng,
    tally: &mut Tally,
) {
    let path = reference.path;
    if reference.hour != hour_with_time_left() {
        cluster.drop_database(&reference.undisturbed.name);
        *reference = Reference::of(cluster, path);
    }
    let is_full = figure(0, 1) == 1;
    let database = cluster.copy("round", path.start.template());
    let mut is_done = false;
    for _ in 0..if random.random_bool(0.25) { 2 } else { 1 } {
        if is_done && !path.is_repeatable {
            break;
        }
        let share: f64 = random.random();
        let context = format!(
            "{}, {victim:?} killed after {share:.4} of the run",
            path.name
        );
        let struck = strike(
            cluster,
            &database,
            path.statement,
            reference.duration.mul_f64(share),
            victim,
        );
        tally.kills += 1;
        tally.servers += usize::from(matches!(victim, Victim::Server));
        tally.interrupted += usize::from(struck.interrupted);
        let state = State::of(&database);
        is_done |= struck.acknowledged || state == reference.after;
        let expected = if is_done {
            &reference.after
        } else {
            &reference.before
        };
        assert!(
            state == *expected,
            "{context}: neither done nor undone:\n{}\n{}",
            expected.differences(&state),
            differing_rows(&reference.undisturbed, &database)
        );
        if is_full {
            tally.check(&database);
        }
    }
    if !is_done || path.is_repeatable {
        let mut client = database.superuser();
        let started = Instant::now();
        client
            .simple_query(path.statement)
            .unwrap_or_else(|error| panic!("{}: the next run: {}", path.name, describe(&error)));
        if !is_done {
            // The machine may be busier or idler than before: later points are spread over what a run takes now.
            reference.duration = started.elapsed();
        }
    }
    let state = State::of(&database);
    assert!(
        state == reference.after,
        "{}: after the next run:\n{}\n{}",
        path.name,
        reference.after.differences(&state),
        differing_rows(&reference.undisturbed, &database)
    );
    (path.check)(&database);
    tally.check(&database);
    drop(database);
    cluster.drop_database("round");
}

/// A tenant who keeps inserting numbered rows while servers die.
struct Bystander {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(BTreeSet<i64>, BTreeSet<i64>)>,
}

impl Bystander {
    fn start(database: &Database) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (database, stopped) = (database.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let (mut acknowledged, mut doubtful) = (BTreeSet::new(), BTreeSet::new());
            let mut number = 0_i64;
            while !stopped.load(Ordering::Relaxed) {
                let Ok(mut client) = database.config(TENANTS[0].role).connect(NoTls) else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                while !stopped.load(Ordering::Relaxed) {
                    number += 1;
                    let inserted = client.execute(
                        "INSERT INTO sop_ml.sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at, duration_seconds)
                         VALUES (sop_ml.current_restaurant(), md5('bystander')::uuid, md5('sop')::uuid, 'complete', now(), $1::bigint)",
                        &[&number],
                    );
                    if let Err(error) = inserted {
                        // Only the end of the server may keep a row out.
                        assert!(
                            error.as_db_error().is_none() || sqlstate(&error).starts_with("57P"),
                            "{}",
                            describe(&error)
                        );
                        doubtful.insert(number);
                        break;
                    }
                    acknowledged.insert(number);
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            (acknowledged, doubtful)
        });
        Self { stop, thread }
    }

    /// Every acknowledged row is there once, and of the others at most those that were on their way when the server died.
    fn finish(self, database: &Database) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let (acknowledged, doubtful) = self.thread.join().unwrap();
        let rows = database.query(
            "SELECT duration_seconds::bigint FROM sop_ml.sop_user_interactions WHERE user_id = md5('bystander')::uuid",
        );
        let stored: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(rows.len(), stored.len(), "rows that are there twice");
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "acknowledged rows that are lost: {lost:?}");
        let invented: Vec<_> = stored
            .iter()
            .filter(|number| !acknowledged.contains(number) && !doubtful.contains(number))
            .collect();
        assert!(invented.is_empty(), "rows that nobody wrote: {invented:?}");
        assert!(!acknowledged.is_empty(), "nothing was written meanwhile");
        acknowledged.len()
    }
}

#[test]
fn killed_at_random_points_nothing_is_lost_and_the_next_run_completes() {
    let (points, seed) = (figure(16, 320), seed());
    println!("kill -9: {points} points, SOP_ML_SEED={seed}");
    // A partition that autovacuum is busy with is skipped until the next run: not what is looked at here.
    let cluster = Cluster::start_with(
        "crash",
        &[
            "fsync=off",
            "full_page_writes=on",
            "autovacuum=off",
            "max_connections=20",
        ],
    );
    for start in Start::ALL {
        start.make(&cluster);
    }
    let mut references: Vec<Reference> = WRITE_PATHS
        .iter()
        .map(|path| Reference::of(&cluster, path))
        .collect();
    for reference in &references {
        assert_eq!(
            reference.path.name == "install_over_rows",
            reference.before == reference.after,
            "{} changes what it should not, or nothing, and there would be nothing to interrupt:\n{}",
            reference.path.name,
            reference.before.differences(&reference.after)
        );
    }
    let meanwhile = cluster.copy("meanwhile", Start::Filled.template());
    let bystander = Bystander::start(&meanwhile);

    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    let mut number = 0;
    // A kill after the answer is looked at like the others, but is no point in the work.
    while tally.interrupted < points {
        let victim = if (number / WRITE_PATHS.len()).is_multiple_of(2) {
            Victim::Server
        } else {
            Victim::Backend
        };
        round(
            &cluster,
            &mut references[number % WRITE_PATHS.len()],
            victim,
            &mut random,
            &mut tally,
        );
        number += 1;
        assert!(
            tally.kills < 2 * points + 20,
            "{} of {} kills came before the answer: too few",
            tally.interrupted,
            tally.kills
        );
    }
    assert!(tally.indexes > 0 && tally.tables > 0);
    let acknowledged = bystander.finish(&meanwhile);
    let durations: Vec<String> = references
        .iter()
        .map(|reference| {
            format!(
                "{} {} ms",
                reference.path.name,
                reference.duration.as_millis()
            )
        })
        .collect();
    println!(
        "kill -9 at {} points before the answer ({} kills in all, {} of the server, {} of a backend) of {}: 0 rows lost or \
         doubled, {acknowledged} rows acknowledged meanwhile all there, amcheck clean ({} indexes, {} tables looked at)",
        tally.interrupted,
        tally.kills,
        tally.servers,
        tally.kills - tally.servers,
        durations.join(", "),
        tally.indexes,
        tally.tables
    );
}
