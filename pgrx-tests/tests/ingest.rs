//! `ingest_observations` under concurrency: a batch that several senders deliver at once is taken once, and writers of the same
//! readings agree on what is there and on who brought it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::sync::Barrier;

use sop_ml_e2e::effort::figure;
use sop_ml_e2e::fixture::{TENANTS, fill};
use sop_ml_e2e::{Database, shared};

fn database(name: &str) -> Database {
    let database = shared().database_with_extension(name);
    fill(&database);
    database
}

/// Inserted, updated, unchanged and rejected, and whether the batch was known.
type Answer = (i64, i64, i64, i64, bool);

/// All clients at once; what each was answered, in the order of clients.
fn at_once(
    database: &Database,
    clients: usize,
    statement: impl Fn(usize) -> String + Sync,
) -> Vec<Answer> {
    let barrier = Barrier::new(clients);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|client| {
                let (barrier, statement) = (&barrier, &statement);
                scope.spawn(move || {
                    let mut connection = database.connect(TENANTS[client % TENANTS.len()].role);
                    barrier.wait();
                    let row = connection.query_one(&statement(client), &[]).unwrap();
                    (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// Half of the senders begin at the other end: without an order of their own they would wait for each other in a circle.
fn call(rows: usize, value: usize, options: &str) -> String {
    let direction = if (value / TENANTS.len()).is_multiple_of(2) {
        1
    } else {
        -1
    };
    format!(
        "SELECT r.inserted, r.updated, r.unchanged, r.rejected, r.is_repeat
           FROM (SELECT array_agg('fridge ' || i % 3 ORDER BY i * {direction}) AS names,
                        array_agg('2026-03-01 00:00+00'::timestamptz + i * interval '1 minute' ORDER BY i * {direction}) AS at,
                        array_agg({value}::float8) AS observed FROM generate_series(1, {rows}) AS i) AS s,
                sop_ml.ingest_observations(NULL, s.names, NULL, s.at, s.observed, '{options}') AS r"
    )
}

#[test]
fn a_batch_that_is_sent_at_once_by_many_is_taken_once_for_each_restaurant() {
    let database = database("ingest_batch");
    let clients = figure(16, 64);
    let answers = at_once(&database, clients, |client| {
        call(
            500,
            client,
            r#"{"source": "race", "batch_id": "00000000-0000-0000-0000-00000000ba01"}"#,
        )
    });
    assert_eq!(
        answers.iter().filter(|answer| !answer.4).count(),
        TENANTS.len()
    );
    for answer in answers {
        assert_eq!((answer.0, answer.1, answer.2, answer.3), (500, 0, 0, 0));
    }
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.sop_time_series_batches WHERE source = 'race'"),
        2
    );
    // Of one sender each: no reading of another one came between.
    assert_eq!(
        database.count(
            "SELECT count(DISTINCT (restaurant_id, value)) FROM sop_ml.sop_time_series_data WHERE source = 'race'"
        ),
        2
    );
}

#[test]
fn writers_of_the_same_readings_add_up() {
    let database = database("ingest_writers");
    let clients = figure(16, 64);
    let rows = 500;
    // Everybody says something else: one inserts each reading, all others replace it.
    let answers = at_once(&database, clients, |client| {
        call(rows, client, r#"{"source": "race"}"#)
    });
    let sum = |of: fn(&Answer) -> i64| answers.iter().map(of).sum::<i64>();
    let expected = (rows * TENANTS.len()) as i64;
    assert_eq!(sum(|answer| answer.0), expected);
    assert_eq!(sum(|answer| answer.1), (rows * clients) as i64 - expected);
    assert_eq!(sum(|answer| answer.2 + answer.3), 0);
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.sop_time_series_data WHERE source = 'race'"),
        expected
    );
    assert_eq!(
        database
            .count("SELECT count(*) FROM sop_ml.sop_time_series_data WHERE source = 'race' AND replaced_at IS NULL"),
        0
    );
    // Who comes late and gives way changes nothing.
    let answers = at_once(&database, clients, |client| {
        call(
            rows,
            clients + client,
            r#"{"source": "race", "on_conflict": "ignore"}"#,
        )
    });
    for answer in answers {
        assert_eq!((answer.0, answer.1, answer.2), (0, 0, rows as i64));
    }
}
