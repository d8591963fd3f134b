//! 32 writers against a running roll-up, with `kill -9` of backends and of the server in between: after one last run the
//! aggregates are those of a fresh computation from the raw rows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sop_ml_e2e::effort::{figure, seed};
use sop_ml_e2e::{Cluster, Database, describe, sqlstate};

const WRITERS: usize = 32;

/// Restaurants whose clocks change within the days that are written: by an hour, by half an hour, never but with an offset
/// of three quarters of an hour.
const RESTAURANTS: [(&str, &str); 3] = [
    ("c0000000-0000-4000-8000-000000000001", "Europe/Berlin"),
    (
        "c0000000-0000-4000-8000-000000000002",
        "Australia/Lord_Howe",
    ),
    ("c0000000-0000-4000-8000-000000000003", "Asia/Kathmandu"),
];

/// Three days each that are written: clocks go forward on Lord Howe on 2025-10-05 and back in Berlin on 2025-10-26. Few days,
/// so that runs find nearly all of them changed and still come to their ends.
const FIRST: [&str; 2] = ["2025-10-04 00:00+00", "2025-10-25 00:00+00"];
const DAYS: i64 = 3;

/// Everything that the roll-up itself decides. Comparisons are made later and look at other days too.
const COLUMNS: &str = "restaurant_id, metric_name, sop_id, grain, segment, bucket_start, bucket_end, local_date, n, total, mean, \
    stddev, minimum, maximum, p50, p90, p95, p99, mean_low, mean_high, numerator, denominator, rate, rate_low, rate_high, \
    distinct_users, stats_state, percentile_state, users_state, is_closed, quality_score";

fn prepare(database: &Database) {
    for (number, (id, zone)) in RESTAURANTS.iter().enumerate() {
        // The second one is closed on Sundays; the first one watches a dimension with more values than it may have.
        let hours = if number == 1 {
            r#"[{"weekday":1,"opens":"08:00","closes":"22:00"},{"weekday":2,"opens":"08:00","closes":"22:00"},
                {"weekday":3,"opens":"08:00","closes":"22:00"},{"weekday":4,"opens":"08:00","closes":"22:00"},
                {"weekday":5,"opens":"08:00","closes":"01:00"},{"weekday":6,"opens":"08:00","closes":"01:00"}]"#
        } else {
            "[]"
        };
        let dimensions = if number == 0 {
            r#"[{"metric":"wait","keys":["shift"],"limit":2}]"#
        } else {
            "[]"
        };
        database.run(&format!(
            "INSERT INTO sop_ml.sop_restaurants (restaurant_id, name, time_zone, opening_hours, rollup_dimensions)
             VALUES ('{id}', '{zone}', '{zone}', '{hours}', '{dimensions}')"
        ));
    }
}

/// A moment on a grid of two minutes, so that an hour of a series has few enough rows to be kept exactly: then equal rows give
/// equal bytes, wherever they lie in the table.
fn moment(random: &mut ChaCha8Rng) -> String {
    let minutes = 2 * random.random_range(0..DAYS * 24 * 30);
    let first = FIRST[random.random_range(0..FIRST.len())];
    format!("(timestamptz '{first}' + interval '{minutes} minutes')")
}

fn restaurant(random: &mut ChaCha8Rng) -> &'static str {
    RESTAURANTS[random.random_range(0..RESTAURANTS.len())].0
}

/// Values are eighths, so that their sums are exact in any order.
fn observation(random: &mut ChaCha8Rng) -> String {
    let value = match random.random_range(0..20) {
        0 => "'NaN'".to_owned(),
        1 => "NULL".to_owned(),
        _ => format!("{}::float8 / 8", random.random_range(-400..4000)),
    };
    format!(
        "('{}', '{}', md5('sop {}')::uuid, '{}', {}, {value}, '{{\"shift\": \"{}\"}}', {}, md5('person {}')::uuid)",
        restaurant(random),
        ["wait", "covers"][random.random_range(0..2)],
        random.random_range(0..2),
        ["", "till"][random.random_range(0..2)],
        moment(random),
        ["early", "late", "night", "none"][random.random_range(0..4)],
        ["NULL", "'good'", "'bad'"][random.random_range(0..3)],
        random.random_range(0..4),
    )
}

fn interaction(random: &mut ChaCha8Rng) -> String {
    let kind = ["start", "complete", "rate", "view"][random.random_range(0..4)];
    format!(
        "('{}', md5('person {}')::uuid, md5('sop {}')::uuid, '{kind}', {}, md5('one')::uuid, {}::float8 / 8, {}, {})",
        restaurant(random),
        random.random_range(0..2),
        random.random_range(0..2),
        moment(random),
        random.random_range(0..8000),
        if kind == "rate" {
            random.random_range(1..6).to_string()
        } else {
            "NULL".to_owned()
        },
        ["NULL", "'success'", "'failed'"][random.random_range(0..3)],
    )
}

fn rows(random: &mut ChaCha8Rng, row: fn(&mut ChaCha8Rng) -> String) -> String {
    let mut rows: Vec<String> = (0..random.random_range(1..40))
        .map(|_| row(random))
        .collect();
    // In one order: writers that wait for each other's keys do not wait in a circle.
    rows.sort_unstable();
    rows.join(", ")
}

const OBSERVATIONS: &str = "INSERT INTO sop_ml.sop_time_series_data AS t \
    (restaurant_id, metric_name, sop_id, source, observed_at, value, dimensions, quality_flag, recorded_by) VALUES ";
const INTERACTIONS: &str = "INSERT INTO sop_ml.sop_user_interactions AS t \
    (restaurant_id, user_id, sop_id, interaction_type, occurred_at, interaction_id, duration_seconds, rating, outcome) VALUES ";

/// One statement that changes raw rows.
fn change(random: &mut ChaCha8Rng) -> String {
    let id = restaurant(random);
    let from = moment(random);
    match random.random_range(0..9) {
        0 | 1 => format!("{OBSERVATIONS}{} ON CONFLICT DO NOTHING", rows(random, observation)),
        2 => {
            // A row may be affected once only.
            format!(
                "{OBSERVATIONS}{} ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at)
                 DO UPDATE SET value = excluded.value, quality_flag = excluded.quality_flag, dimensions = excluded.dimensions",
                observation(random)
            )
        }
        3 | 4 => format!("{INTERACTIONS}{} ON CONFLICT DO NOTHING", rows(random, interaction)),
        5 => format!(
            "UPDATE sop_ml.sop_time_series_data SET value = value + 1
             WHERE restaurant_id = '{id}' AND observed_at >= {from} AND observed_at < {from} + interval '20 minutes'"
        ),
        6 => format!(
            "UPDATE sop_ml.sop_user_interactions SET occurred_at = occurred_at + interval '36 hours', interaction_id = gen_random_uuid()
             WHERE restaurant_id = '{id}' AND occurred_at = {from}"
        ),
        7 => format!(
            "DELETE FROM sop_ml.sop_time_series_data
             WHERE restaurant_id = '{id}' AND observed_at >= {from} AND observed_at < {from} + interval '40 minutes'"
        ),
        _ => format!(
            "MERGE INTO sop_ml.sop_time_series_data AS t
             USING (SELECT '{id}'::uuid AS id, {from} AS at, 16::float8 AS value) AS s
             ON t.restaurant_id = s.id AND t.metric_name = 'merged' AND t.sop_id = md5('sop 0')::uuid AND t.source = ''
                AND t.observed_at = s.at
             WHEN MATCHED AND t.value > 20 THEN DELETE
             WHEN MATCHED THEN UPDATE SET value = t.value + s.value
             WHEN NOT MATCHED THEN INSERT (restaurant_id, metric_name, sop_id, source, observed_at, value)
                VALUES (s.id, 'merged', md5('sop 0')::uuid, '', s.at, s.value)"
        ),
    }
}

/// What one writer does at a time: a statement, or a transaction with savepoints of which a part or all is undone, or one
/// that commits long after its rows were written.
fn work(client: &mut Client, random: &mut ChaCha8Rng) -> Result<(), postgres::Error> {
    match random.random_range(0..8) {
        0 => {
            let mut transaction = client.transaction()?;
            transaction.batch_execute(&change(random))?;
            let mut part = transaction.savepoint("part")?;
            part.batch_execute(&change(random))?;
            if random.random_bool(0.7) {
                part.rollback()?;
            } else {
                part.commit()?;
            }
            transaction.batch_execute(&change(random))?;
            if random.random_bool(0.2) {
                transaction.rollback()
            } else {
                transaction.commit()
            }
        }
        1 => {
            let mut transaction = client.transaction()?;
            transaction.batch_execute(&change(random))?;
            std::thread::sleep(Duration::from_millis(random.random_range(0..400)));
            transaction.commit()
        }
        _ => client.batch_execute(&change(random)),
    }
}

/// What all have done, by what came of it.
#[derive(Debug, Default)]
struct Tally {
    done: AtomicU64,
    refused: AtomicU64,
    runs: AtomicU64,
    broken_runs: AtomicU64,
}

/// A client's work may fail because the server went away, or because another writer was in the way.
fn is_expected(error: &postgres::Error) -> bool {
    error.as_db_error().is_none()
        || sqlstate(error).starts_with("57P")
        || ["40P01", "40001", "23505", "55P03"].contains(&sqlstate(error))
}

/// Does the same again and again on a connection, and on a new one whenever the server has gone away.
fn repeat(
    database: &Database,
    stop: &Arc<AtomicBool>,
    mut step: impl FnMut(&mut Client) -> Result<(), postgres::Error> + Send + 'static,
    done: impl Fn(bool) + Send + 'static,
) -> JoinHandle<()> {
    let (database, stop) = (database.clone(), Arc::clone(stop));
    std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let Ok(mut client) = database.config("postgres").connect(NoTls) else {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            while !stop.load(Ordering::Relaxed) && !client.is_closed() {
                match step(&mut client) {
                    Ok(()) => done(true),
                    Err(error) => {
                        assert!(is_expected(&error), "{}", describe(&error));
                        done(false);
                        // Ends a transaction that the error has left behind.
                        let _ = client.batch_execute("ROLLBACK");
                    }
                }
            }
        }
    })
}

fn run_once(client: &mut Client) -> Result<(), postgres::Error> {
    let steps = client.query(
        "SELECT step, status, detail FROM sop_ml.run_daily_ml_aggregation(NULL, '2025-10-27')",
        &[],
    )?;
    let failed: Vec<_> = steps
        .iter()
        .filter(|row| row.get::<_, &str>(1) != "succeeded")
        .map(|row| (row.get::<_, String>(0), row.get::<_, Option<String>>(2)))
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    Ok(())
}

/// Buckets that a plain GROUP BY over the raw rows sees differently, or that only one of both has.
fn differences(database: &Database, grain: &str) -> Vec<String> {
    // The clocks of these zones do not change at midnight, so a local day begins with its midnight.
    database.texts(&format!(
        "WITH zoned AS (
             SELECT d.restaurant_id, d.metric_name, d.sop_id, d.observed_at AS at, (d.observed_at AT TIME ZONE r.time_zone)::date AS day,
                    r.time_zone, CASE WHEN d.quality_flag = 'bad' OR d.value = 'NaN' THEN NULL ELSE d.value END AS value, true AS is_measured
               FROM sop_ml.sop_time_series_data d JOIN sop_ml.sop_restaurants r USING (restaurant_id)
             UNION ALL
             SELECT i.restaurant_id, m.metric_name, i.sop_id, i.occurred_at, (i.occurred_at AT TIME ZONE r.time_zone)::date, r.time_zone,
                    m.value, m.metric_name <> 'interactions'
               FROM sop_ml.sop_user_interactions i JOIN sop_ml.sop_restaurants r USING (restaurant_id),
                    LATERAL (VALUES ('interactions', 1::float8),
                                    ('completion_seconds', CASE WHEN i.interaction_type = 'complete' THEN i.duration_seconds END),
                                    ('rating', i.rating)) AS m (metric_name, value)
         ), fresh AS (
             SELECT restaurant_id, metric_name, sop_id, day,
                    CASE '{grain}' WHEN 'day' THEN day::timestamp AT TIME ZONE time_zone
                         ELSE date_bin('1 hour', at, day::timestamp AT TIME ZONE time_zone) END AS bucket_start,
                    count(value) AS n, sum(value) AS total, min(value) FILTER (WHERE is_measured) AS minimum,
                    max(value) FILTER (WHERE is_measured) AS maximum
               FROM zoned GROUP BY 1, 2, 3, 4, 5 HAVING count(value) > 0
         ), stored AS (
             SELECT restaurant_id, metric_name, sop_id, local_date AS day, bucket_start, n, total, minimum, maximum
               FROM sop_ml.sop_performance_aggregates
              WHERE grain = '{grain}' AND segment = '' AND metric_name NOT IN ('completion_rate', 'compliance_rate')
         )
         SELECT 'fresh ' || f::text FROM (TABLE fresh EXCEPT TABLE stored) AS f
         UNION ALL
         SELECT 'stored ' || s::text FROM (TABLE stored EXCEPT TABLE fresh) AS s
         LIMIT 20"
    ))
}

/// The segments of a dimension together are the whole, in every grain.
fn segments_that_do_not_add_up(database: &Database) -> i64 {
    database.count(
        "SELECT count(*) FROM (
             SELECT FROM sop_ml.sop_performance_aggregates
              WHERE restaurant_id = 'c0000000-0000-4000-8000-000000000001' AND metric_name = 'wait'
              GROUP BY sop_id, grain, bucket_start
             HAVING sum(n) FILTER (WHERE segment = '') IS DISTINCT FROM sum(n) FILTER (WHERE segment <> '')
                 OR sum(total) FILTER (WHERE segment = '') IS DISTINCT FROM sum(total) FILTER (WHERE segment <> '')) AS wrong",
    )
}

/// A checksum of each grain's buckets, and of the days.
fn content(database: &Database) -> BTreeMap<String, (i64, String)> {
    database
        .query(&format!(
            "SELECT grain, count(*), md5(string_agg(line, '' ORDER BY line))
               FROM (SELECT grain, md5(b::text) FROM (SELECT {COLUMNS} FROM sop_ml.sop_performance_aggregates) AS b
                     UNION ALL
                     SELECT 'calendar', md5((restaurant_id, local_date, starts_at, ends_at, is_closed, open_at)::text)
                       FROM sop_ml.sop_performance_days) AS hashed (grain, line)
              GROUP BY grain"
        ))
        .iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2))))
        .collect()
}

#[test]
fn writers_and_kills_leave_what_a_fresh_computation_gives() {
    let (duration, kills, seed) = (
        Duration::from_secs(figure(10, 240) as u64),
        figure(3, 60),
        seed(),
    );
    println!("{WRITERS} writers for {duration:?}, {kills} kills, SOP_ML_SEED={seed}");
    let cluster = Cluster::start_with(
        "roll_up",
        &["fsync=off", "full_page_writes=on", "max_connections=60"],
    );
    let database = cluster.database_with_extension("roll_up");
    prepare(&database);

    let (stop, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Tally::default()));
    let mut threads: Vec<JoinHandle<()>> = (0..WRITERS)
        .map(|number| {
            let mut random = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1000) + number as u64);
            let tally = Arc::clone(&tally);
            repeat(
                &database,
                &stop,
                move |client| work(client, &mut random),
                move |is_done| {
                    let counter = if is_done { &tally.done } else { &tally.refused };
                    counter.fetch_add(1, Ordering::Relaxed);
                },
            )
        })
        .collect();
    let counted = Arc::clone(&tally);
    let mut number = 0;
    threads.push(repeat(
        &database,
        &stop,
        move |client| {
            number += 1;
            // Rows that move to the partition of their month are the same rows.
            if number % 3 == 2 {
                client.batch_execute("SELECT * FROM sop_ml.maintain_partitions()")?;
            }
            run_once(client)
        },
        move |is_done| {
            let counter = if is_done {
                &counted.runs
            } else {
                &counted.broken_runs
            };
            counter.fetch_add(1, Ordering::Relaxed);
        },
    ));

    let started = Instant::now();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut servers = 0;
    for kill in 0..kills {
        let at = duration.mul_f64((kill as f64 + random.random_range(0.2..0.8)) / kills as f64);
        std::thread::sleep(at.saturating_sub(started.elapsed()));
        let runner: Option<i32> = database
            .config("postgres")
            .connect(NoTls)
            .ok()
            .and_then(|mut client| {
                let who = if kill % 2 == 0 { "run_daily_ml_aggregation" } else { "sop_ml.sop_" };
                client
                    .query_opt(
                        "SELECT pid FROM pg_stat_activity
                          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND strpos(query, $1) > 0
                          ORDER BY state = 'active' DESC LIMIT 1",
                        &[&who],
                    )
                    .ok()
                    .flatten()
                    .map(|row| row.get(0))
            });
        match runner {
            Some(pid) if kill % 3 != 2 => cluster.kill_backend(pid.try_into().unwrap()),
            _ => {
                servers += 1;
                cluster.kill();
                cluster.resume();
            }
        }
        cluster.wait_until_ready();
    }
    std::thread::sleep(duration.saturating_sub(started.elapsed()));
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    let (done, runs) = (
        tally.done.load(Ordering::Relaxed),
        tally.runs.load(Ordering::Relaxed),
    );
    assert!(done > 100, "the writers did next to nothing: {tally:?}");
    assert!(runs > 0, "no run came to its end meanwhile: {tally:?}");

    run_once(&mut database.superuser()).unwrap();
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml_storage.dirty_buckets"),
        0
    );
    for grain in ["hour", "day"] {
        let wrong = differences(&database, grain);
        assert!(wrong.is_empty(), "{grain}:\n{}", wrong.join("\n"));
    }
    assert_eq!(segments_that_do_not_add_up(&database), 0);

    let incremental = content(&database);
    assert!(incremental["hour"].0 > 500, "{incremental:?}");
    // From nothing, whole restaurants at once.
    database.run(
        "DELETE FROM sop_ml.sop_performance_aggregates; DELETE FROM sop_ml.sop_performance_days",
    );
    for (id, _) in RESTAURANTS {
        database.run(&format!(
            "SELECT sop_ml.aggregate_performance('{id}', min(at) - interval '1 day', max(at) + interval '1 day')
               FROM (SELECT observed_at FROM sop_ml.sop_time_series_data WHERE restaurant_id = '{id}'
                     UNION ALL SELECT occurred_at FROM sop_ml.sop_user_interactions WHERE restaurant_id = '{id}') AS raw (at)"
        ));
    }
    let mut fresh = content(&database);
    // The calendar of a range has its first and last day too, of a run those between what was written and what was asked for.
    let calendar = fresh.remove("calendar");
    let mut without_calendar = incremental.clone();
    without_calendar.remove("calendar");
    assert_eq!(without_calendar, fresh);
    assert!(calendar.is_some_and(|(days, _)| days > 0));
    println!(
        "{done} pieces of work done, {} given up, {runs} runs done, {} broken off, {kills} kills ({servers} of the server): \
         {} buckets equal to a fresh computation, bit for bit",
        tally.refused.load(Ordering::Relaxed),
        tally.broken_runs.load(Ordering::Relaxed),
        fresh.values().map(|(buckets, _)| buckets).sum::<i64>()
    );
}

#[test]
fn rows_that_commit_after_the_log_was_taken_are_found_by_the_next_run() {
    let cluster = Cluster::start("roll_up_order");
    let database = cluster.database_with_extension("roll_up_order");
    prepare(&database);
    let id = RESTAURANTS[0].0;
    let insert = |minute: i32| {
        format!(
            "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
             VALUES ('{id}', 'wait', timestamptz '2025-10-10 10:00+00' + interval '{minute} minutes', 1)"
        )
    };
    let n = || {
        database.count(
            "SELECT coalesce(sum(n), 0)::bigint FROM sop_ml.sop_performance_aggregates WHERE grain = 'day' AND segment = ''",
        )
    };
    // Written first and committed last, in the same hour as a row that is rolled up meanwhile.
    let mut slow = database.superuser();
    let mut writing = slow.transaction().unwrap();
    writing.batch_execute(&insert(0)).unwrap();
    database.run(&insert(1));
    run_once(&mut database.superuser()).unwrap();
    assert_eq!(n(), 1);
    writing.commit().unwrap();
    run_once(&mut database.superuser()).unwrap();
    assert_eq!(n(), 2);

    // A run that has taken the log and is not committed: what commits meanwhile is not lost with the log's rows.
    let mut runner = database.superuser();
    let mut run = runner.transaction().unwrap();
    database.run(&insert(2));
    run.batch_execute("SELECT * FROM sop_ml.run_daily_ml_aggregation(NULL, '2025-10-27')")
        .unwrap();
    database.run(&insert(3));
    run.commit().unwrap();
    run_once(&mut database.superuser()).unwrap();
    assert_eq!(n(), 4);

    // A run that is undone leaves the log as it was.
    database.run(&insert(4));
    let mut run = runner.transaction().unwrap();
    run.batch_execute("SELECT * FROM sop_ml.run_daily_ml_aggregation(NULL, '2025-10-27')")
        .unwrap();
    run.rollback().unwrap();
    assert_eq!(n(), 4);
    run_once(&mut database.superuser()).unwrap();
    assert_eq!(n(), 5);
}
