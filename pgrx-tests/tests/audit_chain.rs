//! The audit log under attack and under load: tampering is found at the right entry, writers leave no gap, crashes no break.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, Transaction};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sop_ml_e2e::{Cluster, Database, describe, effort, shared, sqlstate};

const RESTAURANT: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const OTHER: &str = "bbbbbbbb-0000-4000-8000-000000000002";
const ENTRIES: i64 = 40;

/// A restaurant whose chain has [`ENTRIES`] entries, and another one beside it.
fn filled(database: &Database) {
    database.run(&format!(
        "INSERT INTO sop_ml.sop_restaurants (restaurant_id, name) VALUES ('{RESTAURANT}', 'One'), ('{OTHER}', 'Two');
         INSERT INTO sop_ml.sop_ab_feature_flags (restaurant_id, flag_key, description)
         SELECT r.restaurant_id, 'flag' || n, 'first' FROM sop_ml.sop_restaurants AS r, generate_series(1, {ENTRIES} / 2) AS n;
         UPDATE sop_ml.sop_ab_feature_flags SET description = flag_key || ' changed', is_enabled = true"
    ));
}

/// Number of entries and the first break of a restaurant's chain.
fn verify(client: &mut impl postgres::GenericClient, restaurant: &str) -> (i64, Option<i64>) {
    let row = client
        .query_one(
            "SELECT entries, first_break FROM sop_ml.verify_audit($1::text::uuid)",
            &[&restaurant],
        )
        .unwrap_or_else(|error| panic!("verify_audit: {}", describe(&error)));
    (row.get(0), row.get(1))
}

/// Columns of the log and a value that an entry does not have there.
const EDITS: [(&str, &str); 20] = [
    ("occurred_at", "occurred_at + interval '1 microsecond'"),
    (
        "action",
        "CASE WHEN action = 'select' THEN 'export' ELSE 'select' END",
    ),
    ("relation_name", "relation_name || 'x'"),
    ("row_key", "row_key || '{\"x\": 1}'"),
    ("row_count", "coalesce(row_count, 0) + 1"),
    ("old_values", "coalesce(old_values, '{}') || '{\"x\": 1}'"),
    (
        "new_values",
        "coalesce(new_values, '{}') || '{\"is_enabled\": null}'",
    ),
    ("changed_columns", "changed_columns || 'x'::text"),
    ("actor_role", "actor_role || 'x'"),
    ("session_role", "session_role || 'x'"),
    ("actor_user_id", "gen_random_uuid()"),
    ("access_level", "coalesce(access_level, '') || 'owner'"),
    ("application_name", "coalesce(application_name, '') || 'x'"),
    ("client_address", "'10.0.0.1'"),
    ("backend_pid", "backend_pid + 1"),
    ("transaction_id", "'1'::xid8"),
    ("reason", "'because'"),
    ("outcome", "'refused'"),
    ("entry_hash", "sha256(entry_hash)"),
    ("previous_hash", "sha256(coalesce(previous_hash, ''))"),
];

/// Tampers with the log; returns what was done and the entry where the chain has to break.
fn tamper(transaction: &mut Transaction<'_>, random: &mut ChaCha8Rng) -> (String, i64) {
    let log = format!("sop_ml.sop_audit_log WHERE restaurant_id = '{RESTAURANT}' AND entry_number");
    let number = random.random_range(1..=ENTRIES);
    match random.random_range(0..4) {
        0 => {
            let (column, value) = EDITS[random.random_range(0..EDITS.len())];
            run(
                transaction,
                &format!(
                    "UPDATE sop_ml.sop_audit_log SET {column} = {value}
                      WHERE restaurant_id = '{RESTAURANT}' AND entry_number = {number}"
                ),
            );
            (format!("edit of {column}"), number)
        }
        1 => {
            let last = number + random.random_range(0..3);
            run(
                transaction,
                &format!("DELETE FROM {log} BETWEEN {number} AND {last}"),
            );
            ("delete".to_owned(), number)
        }
        2 => {
            let mut second = random.random_range(1..=ENTRIES);
            while second == number {
                second = random.random_range(1..=ENTRIES);
            }
            run(
                transaction,
                &format!(
                    "UPDATE sop_ml.sop_audit_log SET entry_number = -1 * entry_number + 1000 WHERE restaurant_id = '{RESTAURANT}' AND entry_number IN ({number}, {second});
                     UPDATE sop_ml.sop_audit_log SET entry_number = CASE entry_number WHEN 1000 - {number} THEN {second} ELSE {number} END
                      WHERE restaurant_id = '{RESTAURANT}' AND entry_number > 500"
                ),
            );
            ("swap".to_owned(), number.min(second))
        }
        _ => {
            // A well-formed entry, copied from another place, put in before the others or behind the end.
            let place = random.random_range(1..=ENTRIES + 1);
            run(
                transaction,
                &format!(
                    "UPDATE sop_ml.sop_audit_log SET entry_number = entry_number + 1000 WHERE restaurant_id = '{RESTAURANT}' AND entry_number >= {place};
                     UPDATE sop_ml.sop_audit_log SET entry_number = entry_number - 999 WHERE restaurant_id = '{RESTAURANT}' AND entry_number > 999;
                     INSERT INTO sop_ml.sop_audit_log (restaurant_id, entry_number, action, relation_name, previous_hash, entry_hash)
                     SELECT restaurant_id, {place}, action, relation_name, previous_hash, entry_hash
                       FROM sop_ml.sop_audit_log
                      WHERE restaurant_id = '{RESTAURANT}' AND entry_number <> {place} ORDER BY entry_number LIMIT 1"
                ),
            );
            ("insert".to_owned(), place)
        }
    }
}

fn run(transaction: &mut Transaction<'_>, statements: &str) {
    transaction
        .batch_execute(statements)
        .unwrap_or_else(|error| panic!("{statements}: {}", describe(&error)));
}

#[test]
fn tampering_is_found_at_the_right_entry() {
    let database = shared().database_with_extension("audit_tampering");
    filled(&database);
    let mut client = database.superuser();
    assert_eq!(verify(&mut client, RESTAURANT), (ENTRIES, None));
    assert_eq!(verify(&mut client, OTHER), (ENTRIES, None));
    // What it takes: somebody who may switch triggers off. Nobody else gets as far.
    client
        .batch_execute("ALTER TABLE sop_ml.sop_audit_log DISABLE TRIGGER USER")
        .unwrap();
    let (seed, wanted) = (effort::seed(), effort::figure(500, 10_000));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..wanted {
        let mut transaction = client.transaction().unwrap();
        let (what, place) = tamper(&mut transaction, &mut random);
        let (_, found) = verify(&mut transaction, RESTAURANT);
        assert_eq!(found, Some(place), "{what} at {place} (seed {seed})");
        assert_eq!(verify(&mut transaction, OTHER), (ENTRIES, None), "{what}");
        transaction.rollback().unwrap();
        *kinds
            .entry(what.split(' ').next().unwrap().to_owned())
            .or_default() += 1;
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    assert_eq!(verify(&mut client, RESTAURANT), (ENTRIES, None));
    println!(
        "audit tampering: {wanted} of {wanted} found at the right entry (seed {seed}): {kinds:?}"
    );
}

#[test]
fn a_rewritten_chain_differs_from_its_anchor() {
    let database = shared().database_with_extension("audit_anchor");
    filled(&database);
    let mut client = database.superuser();
    let anchor: String = client
        .query_one(
            "SELECT head_hash FROM sop_ml.verify_audit($1::text::uuid)",
            &[&RESTAURANT],
        )
        .unwrap()
        .get(0);
    let with_anchor = format!(
        "SELECT first_break FROM sop_ml.verify_audit('{RESTAURANT}', '{{\"anchor_entry\": {ENTRIES}, \"anchor_hash\": \"{anchor}\"}}')"
    );
    assert_eq!(
        client
            .query_one(&with_anchor, &[])
            .unwrap()
            .get::<_, Option<i64>>(0),
        None
    );
    // A superuser rewrites history and every hash after it.
    client
        .batch_execute(&format!(
            "ALTER TABLE sop_ml.sop_audit_log DISABLE TRIGGER USER;
             UPDATE sop_ml.sop_audit_log SET actor_role = 'somebody' WHERE restaurant_id = '{RESTAURANT}' AND entry_number = 7;
             DO $$
             DECLARE
                 entry sop_ml.sop_audit_log;
                 before bytea;
             BEGIN
                 FOR entry IN SELECT * FROM sop_ml.sop_audit_log WHERE restaurant_id = '{RESTAURANT}' ORDER BY entry_number LOOP
                     UPDATE sop_ml.sop_audit_log AS e
                        SET previous_hash = before, entry_hash = sop_ml.audit_hash(before, sop_ml_storage.audit_fields(entry))
                      WHERE e.restaurant_id = entry.restaurant_id AND e.entry_number = entry.entry_number
                     RETURNING e.entry_hash INTO before;
                 END LOOP;
                 UPDATE sop_ml_storage.audit_heads SET entry_hash = before WHERE restaurant_id = '{RESTAURANT}';
             END $$"
        ))
        .unwrap();
    assert_eq!(verify(&mut client, RESTAURANT), (ENTRIES, None));
    let found: Option<i64> = client.query_one(&with_anchor, &[]).unwrap().get(0);
    assert_eq!(found, Some(ENTRIES));
}

#[test]
fn nobody_writes_the_log_by_hand() {
    let database = shared().database_with_extension("audit_rights");
    filled(&database);
    database.run(&format!(
        "CREATE ROLE audit_owner LOGIN; GRANT sop_ml_owner TO audit_owner;
         CREATE ROLE audit_operator LOGIN BYPASSRLS; GRANT sop_ml_operator TO audit_operator;
         INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
         VALUES ('{RESTAURANT}', 'audit_owner', 'owner')"
    ));
    for statement in [
        "UPDATE sop_ml.sop_audit_log SET reason = 'x'".to_owned(),
        "DELETE FROM sop_ml.sop_audit_log".to_owned(),
        "TRUNCATE sop_ml.sop_audit_log".to_owned(),
        "UPDATE sop_ml_storage.audit_heads SET entry_number = 0".to_owned(),
        format!(
            "INSERT INTO sop_ml.sop_audit_log (restaurant_id, entry_number, action) VALUES ('{RESTAURANT}', 999, 'select')"
        ),
    ] {
        let error = database
            .connect("audit_owner")
            .batch_execute(&statement)
            .unwrap_err();
        assert_eq!(
            sqlstate(&error),
            "42501",
            "{statement}: {}",
            describe(&error)
        );
    }
    // An operator may add an entry, but not lie about who, when and where; setting row_security off changes nothing.
    let mut operator = database.connect("audit_operator");
    operator
        .batch_execute(&format!(
            "SET row_security = off;
             INSERT INTO sop_ml.sop_audit_log (restaurant_id, entry_number, action, actor_role, session_role, occurred_at, entry_hash)
             VALUES ('{RESTAURANT}', 999, 'export', 'postgres', 'postgres', '2001-01-01', '\\x00')"
        ))
        .unwrap();
    let row = database
        .superuser()
        .query_one(
            "SELECT entry_number, actor_role, session_role, occurred_at > now() - interval '1 hour'
               FROM sop_ml.sop_audit_log WHERE action = 'export'",
            &[],
        )
        .unwrap();
    assert!(row.get::<_, i64>(0) < 999);
    assert_eq!(
        (
            row.get::<_, String>(1),
            row.get::<_, String>(2),
            row.get::<_, bool>(3)
        ),
        (
            "audit_operator".to_owned(),
            "audit_operator".to_owned(),
            true
        )
    );
    for statement in [
        "UPDATE sop_ml.sop_audit_log SET reason = 'x'",
        "DELETE FROM sop_ml.sop_audit_log",
        "TRUNCATE sop_ml.sop_audit_log",
    ] {
        assert!(operator.batch_execute(statement).is_err(), "{statement}");
        assert!(
            database.superuser().batch_execute(statement).is_err(),
            "a superuser: {statement}"
        );
    }
    assert_eq!(verify(&mut database.superuser(), RESTAURANT).1, None);
}

#[test]
fn concurrent_writers_leave_no_gap() {
    const WRITERS: usize = 64;
    let database = shared().database_with_extension("audit_writers");
    filled(&database);
    let changes = effort::figure(20, 500);
    let started = Instant::now();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let database = &database;
            scope.spawn(move || {
                let mut client = database.superuser();
                for change in 0..changes {
                    // Every third one is rolled back: its number must not be lost.
                    let end = if change % 3 == 0 { "ROLLBACK" } else { "COMMIT" };
                    client
                        .batch_execute(&format!(
                            "BEGIN;
                             UPDATE sop_ml.sop_ab_feature_flags SET description = '{writer} {change}'
                              WHERE restaurant_id = '{RESTAURANT}' AND flag_key = 'flag{}';
                             {end}",
                            writer % 20 + 1
                        ))
                        .unwrap_or_else(|error| panic!("{}", describe(&error)));
                }
            });
        }
    });
    let kept = changes - changes.div_ceil(3);
    let expected = ENTRIES + i64::try_from(WRITERS * kept).unwrap();
    assert_eq!(
        verify(&mut database.superuser(), RESTAURANT),
        (expected, None)
    );
    println!(
        "audit writers: {WRITERS} at once, {expected} entries without gap, {:.0} entries/s",
        (WRITERS * kept) as f64 / started.elapsed().as_secs_f64()
    );
}

#[test]
fn a_killed_server_process_breaks_no_chain() {
    let cluster = Cluster::start("audit-crash");
    let database = cluster.database_with_extension("audit_crash");
    filled(&database);
    let mut random = ChaCha8Rng::seed_from_u64(effort::seed());
    let rounds = effort::figure(3, 50);
    let mut acknowledged = ENTRIES;
    for round in 0..rounds {
        let mut writer = database.superuser();
        let pid: i32 = writer
            .query_one("SELECT pg_backend_pid()", &[])
            .unwrap()
            .get(0);
        let pause = Duration::from_micros(random.random_range(1_000..60_000));
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(pause);
                cluster.kill_backend(u32::try_from(pid).unwrap());
            });
            acknowledged += write_until_killed(&mut writer, round);
        });
        cluster.wait_until_ready();
        let mut client = database.superuser();
        let (entries, broken) = verify(&mut client, RESTAURANT);
        assert_eq!(broken, None, "round {round}");
        // The last statement may have been committed without anybody having been told.
        assert!(
            entries == acknowledged || entries == acknowledged + 1,
            "{acknowledged} acknowledged, {entries} there"
        );
        acknowledged = entries;
    }
    println!("audit crashes: {rounds} kills, {acknowledged} entries, chain intact");
}

/// How many changes were acknowledged before the connection broke.
fn write_until_killed(writer: &mut Client, round: usize) -> i64 {
    let mut acknowledged = 0;
    loop {
        let change = writer.execute(
            &format!(
                "UPDATE sop_ml.sop_ab_feature_flags SET description = '{round} {acknowledged}'
                  WHERE restaurant_id = '{RESTAURANT}' AND flag_key = 'flag1'"
            ),
            &[],
        );
        match change {
            Ok(rows) => {
                assert_eq!(rows, 1);
                acknowledged += 1;
            }
            Err(_) => return acknowledged,
        }
    }
}
