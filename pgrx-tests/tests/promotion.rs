//! A standby that is promoted while tenants write has a prefix of what was acknowledged, and does the nightly run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sop_ml_e2e::effort::{figure, seed};
use sop_ml_e2e::fixture::{self, TENANTS};
use sop_ml_e2e::integrity::check_storage;
use sop_ml_e2e::process::{self, wait_for};
use sop_ml_e2e::{Cluster, Database, describe};

const WRITERS: usize = 4;

const NIGHTLY_RUN: &str = "SELECT step, status, detail FROM sop_ml.run_daily_ml_aggregation()";

/// A row that a writer has sent. Tickets are drawn from one counter before sending and after the acknowledgement, so that
/// `acknowledged < other.sent` means that this row was safe before the other one was begun.
struct Sent {
    number: i64,
    sent: usize,
    acknowledged: Option<usize>,
}

/// Tenants' connections that insert numbered rows until the server dies.
struct Writers {
    acknowledged: Vec<Arc<AtomicI64>>,
    threads: Vec<JoinHandle<Vec<Sent>>>,
}

impl Writers {
    fn start(database: &Database, settings: &'static str) -> Self {
        let tickets = Arc::new(AtomicUsize::new(0));
        let acknowledged: Vec<Arc<AtomicI64>> = (0..WRITERS).map(|_| Arc::default()).collect();
        let threads = acknowledged
            .iter()
            .enumerate()
            .map(|(writer, acknowledged)| {
                let mut client = database.connect(TENANTS[writer % 2].role);
                client.batch_execute(settings).unwrap();
                let (tickets, acknowledged) = (Arc::clone(&tickets), Arc::clone(acknowledged));
                std::thread::spawn(move || {
                    let statement = client
                        .prepare(
                            "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
                             VALUES (sop_ml.current_restaurant(), 'writer_' || $1::int,
                                     date_trunc('day', now(), 'UTC') - interval '1 day' + $2::bigint * interval '1 second', $2)",
                        )
                        .unwrap();
                    let mut rows = Vec::new();
                    for number in 1.. {
                        let sent = tickets.fetch_add(1, Ordering::SeqCst);
                        let written = client.execute(&statement, &[&i32::try_from(writer).unwrap(), &number]);
                        let ticket = written.is_ok().then(|| tickets.fetch_add(1, Ordering::SeqCst));
                        rows.push(Sent {
                            number,
                            sent,
                            acknowledged: ticket,
                        });
                        if ticket.is_none() {
                            break;
                        }
                        acknowledged.store(number, Ordering::SeqCst);
                    }
                    rows
                })
            })
            .collect();
        Self {
            acknowledged,
            threads,
        }
    }

    fn so_far(&self) -> Vec<i64> {
        self.acknowledged
            .iter()
            .map(|number| number.load(Ordering::SeqCst))
            .collect()
    }
}

/// A tenant who reads from the standby all the time and does not notice the promotion.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Reader {
    fn start(database: &Database) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut client = database.connect(TENANTS[0].role);
        let thread = std::thread::spawn(move || {
            let (mut reads, mut last) = (0, 0_i64);
            while !stopped.load(Ordering::Relaxed) {
                let row = client
                    .query_one(
                        "SELECT count(*), bool_and(restaurant_id = sop_ml.current_restaurant()) FROM sop_ml.sop_time_series_data",
                        &[],
                    )
                    .unwrap_or_else(|error| panic!("read {reads}: {}", describe(&error)));
                let rows: i64 = row.get(0);
                assert!(rows >= last, "{last} rows, then {rows}");
                assert_eq!(row.get::<_, Option<bool>>(1), Some(true));
                last = rows;
                reads += 1;
            }
            reads
        });
        Self { stop, thread }
    }
}

/// What one promotion kept, for the closing line.
#[derive(Default)]
struct Kept {
    acknowledged: usize,
    survived: usize,
    reads: usize,
}

/// Kills the primary while tenants write, promotes the standby, and compares what it has with what was acknowledged.
fn promote_under_load(is_synchronous: bool, random: &mut ChaCha8Rng) -> Kept {
    let primary = Cluster::start_with(
        "primary",
        &["fsync=on", "wal_level=replica", "max_connections=40"],
    );
    let database = primary.database_with_extension("restaurants");
    fixture::fill(&database);
    let standby = primary.standby("standby", &["hot_standby=on"]);
    let settings = if is_synchronous {
        database.run("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
        database.run("SELECT pg_reload_conf()");
        wait_for("the standby is synchronous", || {
            database.count("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
                == 1
        });
        "SET synchronous_commit = 'remote_apply'"
    } else {
        "SET synchronous_commit = 'on'"
    };
    let reader = Reader::start(&standby.existing_database("restaurants"));
    let writers = Writers::start(&database, settings);
    wait_for("the writers have written", || {
        writers.so_far().iter().all(|number| *number >= 20)
    });
    // What was acknowledged before the standby has replayed this position is safe whatever the mode.
    let safe = writers.so_far();
    standby.wait_until_replayed(&primary);
    // The night's work is under way when the primary dies.
    let mut operator = database.superuser();
    let night = std::thread::spawn(move || {
        // Done or not: the new primary has the whole of it or nothing.
        let _ = operator.simple_query(NIGHTLY_RUN);
    });
    std::thread::sleep(Duration::from_millis(random.random_range(0..400)));
    if !is_synchronous {
        fall_behind(&database, &writers);
    }
    primary.kill();
    night.join().unwrap();
    let rows: Vec<Vec<Sent>> = writers
        .threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();

    let promoted = standby.existing_database("restaurants");
    assert_eq!(promoted.count("SELECT pg_promote()::int::bigint"), 1);
    assert_eq!(promoted.count("SELECT pg_is_in_recovery()::int::bigint"), 0);
    let survived = survivors(&promoted);
    let acknowledged = compare(&rows, &survived, &safe, is_synchronous);
    nightly_run_works(&promoted, survived.iter().sum());
    reader.stop.store(true, Ordering::Relaxed);
    let survivors: usize = survived.iter().sum::<i64>().try_into().unwrap();
    assert!(
        is_synchronous || survivors < acknowledged,
        "nothing was lost: the test would say nothing about what is"
    );
    let reads = reader.thread.join().unwrap();
    assert!(reads > 0);
    promoted.run("CREATE EXTENSION amcheck");
    let (indexes, tables) = check_storage(&promoted);
    assert!(indexes > 0 && tables > 0);
    Kept {
        acknowledged,
        survived: survivors,
        reads,
    }
}

/// Stops what sends the log to the standby until every writer has gone on: on one machine the standby is otherwise so close
/// behind that nothing would be lost, and nothing would be seen of how it is lost.
fn fall_behind(primary: &Database, writers: &Writers) {
    let sender = primary.count("SELECT pid::bigint FROM pg_stat_replication");
    process::signal("STOP", &[sender.try_into().unwrap()]);
    let before = writers.so_far();
    wait_for("the writers have gone on", || {
        let now = writers.so_far();
        now.iter()
            .zip(&before)
            .all(|(now, before)| *now >= before + 5)
    });
}

/// How many rows each writer has on the new primary; they are its first ones, without a gap.
fn survivors(promoted: &Database) -> Vec<i64> {
    (0..WRITERS)
        .map(|writer| {
            let row = promoted
                .query(&format!(
                    "SELECT count(*), coalesce(max(value)::bigint, 0), count(DISTINCT value), count(DISTINCT restaurant_id)
                       FROM sop_ml.sop_time_series_data WHERE metric_name = 'writer_{writer}'"
                ))
                .remove(0);
            let numbers: [i64; 4] = std::array::from_fn(|column| row.get(column));
            let [rows, last, different, restaurants] = numbers;
            assert_eq!((rows, different, restaurants), (last, last, 1), "writer {writer}: rows are no prefix");
            rows
        })
        .collect()
}

/// Returns how many rows had been acknowledged.
fn compare(rows: &[Vec<Sent>], survived: &[i64], safe: &[i64], is_synchronous: bool) -> usize {
    let mut last_sent = 0;
    for ((rows, survived), safe) in rows.iter().zip(survived).zip(safe) {
        assert!(
            survived >= safe,
            "{survived} rows, {safe} were replayed before the kill"
        );
        assert!(
            *survived <= rows.last().unwrap().number,
            "rows that nobody sent"
        );
        for row in rows.iter().filter(|row| row.number <= *survived) {
            last_sent = last_sent.max(row.sent);
        }
    }
    // A prefix over all writers: what was safe before a surviving row was begun has survived too.
    let mut acknowledged = 0;
    for (rows, survived) in rows.iter().zip(survived) {
        for row in rows {
            let Some(ticket) = row.acknowledged else {
                continue;
            };
            acknowledged += 1;
            assert!(
                row.number <= *survived || (ticket > last_sent && !is_synchronous),
                "row {} was acknowledged ({ticket}) and is lost, while a row sent at {last_sent} is there",
                row.number
            );
        }
    }
    acknowledged
}

/// The new primary does the night's work, and finds in it the rows that survived.
fn nightly_run_works(promoted: &Database, survived: i64) {
    let broken = promoted.count(
        "SELECT count(*) FROM (SELECT FROM sop_ml.sop_job_runs WHERE job_name = 'run_daily_ml_aggregation'
          GROUP BY run_id HAVING count(*) <> 8) AS run",
    );
    assert_eq!(broken, 0, "runs of which only a part is recorded");
    let steps = promoted.query(NIGHTLY_RUN);
    assert_eq!(steps.len(), 8);
    for step in steps {
        let (name, status): (String, String) = (step.get(0), step.get(1));
        assert_eq!(
            status,
            "succeeded",
            "{name}: {:?}",
            step.get::<_, Option<String>>(2)
        );
    }
    let rolled_up = promoted.count(
        "SELECT sum(n)::bigint FROM sop_ml.sop_performance_aggregates WHERE grain = 'hour' AND metric_name LIKE 'writer\\_%'",
    );
    assert_eq!(
        rolled_up, survived,
        "measurements that the nightly run has found"
    );
    let moved = promoted.texts("SELECT action FROM sop_ml.maintain_partitions()");
    assert!(moved.iter().all(|action| action == "created"), "{moved:?}");
}

#[test]
fn a_promotion_under_load_keeps_a_prefix() {
    promotions(false, "asynchronous");
}

#[test]
fn a_promotion_under_load_keeps_everything_with_remote_apply() {
    promotions(true, "remote_apply");
}

fn promotions(is_synchronous: bool, name: &str) {
    let (times, seed) = (figure(1, 20), seed());
    println!("promotion, {name}: {times} times, SOP_ML_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut total = Kept::default();
    for _ in 0..times {
        let kept = promote_under_load(is_synchronous, &mut random);
        total.acknowledged += kept.acknowledged;
        total.survived += kept.survived;
        total.reads += kept.reads;
    }
    println!(
        "promotion under load, {name}: {times} times, {} rows acknowledged, {} survived, {} reads meanwhile without an error",
        total.acknowledged, total.survived, total.reads
    );
}
