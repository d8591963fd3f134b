//! Values of our types that are stored: golden ones of every version, empty ones, full ones, and faults that
//! timescaledb-toolkit had with them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::sync::OnceLock;

use postgres::Client;
use sop_ml_e2e::aggregates::{self, Aggregate, difference};
use sop_ml_e2e::golden::{self, Golden};
use sop_ml_e2e::hostile::{DECLARED, malformed};
use sop_ml_e2e::{Database, describe, shared, sqlstate};

fn scene() -> &'static (Database, Vec<Aggregate>) {
    static SCENE: OnceLock<(Database, Vec<Aggregate>)> = OnceLock::new();
    SCENE.get_or_init(|| {
        let database = shared().database_with_extension("stored_states");
        let found = aggregates::read(&database);
        assert!(found.len() >= 9);
        (database, found)
    })
}

fn base_types(database: &Database) -> Vec<String> {
    let found = database.texts(
        "SELECT format_type(oid, NULL) FROM pg_type
          WHERE typnamespace = 'sop_ml'::regnamespace AND typtype = 'b' AND typelem = 0 ORDER BY 1",
    );
    assert!(found.len() >= 3, "{found:?}");
    found
}

/// A connection that finds the extension's names.
fn connect(database: &Database) -> Client {
    let mut client = database.superuser();
    client
        .batch_execute("SET search_path = sop_ml, public")
        .unwrap();
    client
}

/// The SQLSTATE of a query's error; nothing where it answers.
fn refused(client: &mut Client, query: &str) -> Option<String> {
    client.query(query, &[]).err().map(|error| {
        let state = sqlstate(&error).to_owned();
        assert!(
            DECLARED.iter().any(|declared| state.starts_with(declared)),
            "{query:.300}: {}",
            describe(&error)
        );
        state
    })
}

/// toolkit: empty states were not serialised, or not read back.
#[test]
fn golden_and_empty_states_travel_in_every_form() {
    let (database, _) = scene();
    let mut client = connect(database);
    let golden = golden::read();
    let mut newest = std::collections::BTreeMap::new();
    for value in &golden {
        let version = newest.entry(value.kind.clone()).or_insert(0);
        *version = value.version.max(*version);
    }
    let known: Vec<String> = newest.keys().cloned().collect();
    assert_eq!(known, base_types(database), "each type has golden values");
    for golden in golden {
        let is_current = golden.version == newest[&golden.kind];
        let Golden {
            kind,
            name,
            bytes,
            text,
            ..
        } = golden;
        let row = client
            .query_one(
                &format!(
                    "SELECT s::bytea = '\\x{bytes}'::bytea, s::text = $1, s::text::{kind} = s, s <> s, s::bytea::{kind} = $1::text::{kind}
                       FROM (SELECT '\\x{bytes}'::bytea::{kind}) AS q (s)"
                ),
                &[&text],
            )
            .unwrap_or_else(|error| panic!("{kind}, {name}: {}", describe(&error)));
        let found: Vec<bool> = (0..5).map(|at| row.get(at)).collect();
        // An older layout comes out as today's.
        assert_eq!(found[2..], [true, false, true], "{kind}, {name}");
        assert!(!is_current || (found[0] && found[1]), "{kind}, {name}");
        // The client's binary format: COPY calls the receive function.
        client
            .batch_execute(&format!("CREATE TEMP TABLE received (s {kind})"))
            .unwrap();
        let raw: Vec<u8> = client
            .query_one(&format!("SELECT '\\x{bytes}'::bytea"), &[])
            .unwrap()
            .get(0);
        let mut writer = client
            .copy_in("COPY received FROM STDIN (FORMAT binary)")
            .unwrap();
        std::io::Write::write_all(&mut writer, &malformed::copied(&raw)).unwrap();
        assert_eq!(writer.finish().unwrap(), 1);
        let same = client.query_one(
            &format!("SELECT s = '\\x{bytes}'::bytea::{kind} FROM received"),
            &[],
        );
        assert!(same.unwrap().get::<_, bool>(0), "{kind}, {name}");
        client.batch_execute("DROP TABLE received").unwrap();
    }
}

/// toolkit: lengths in stored bytes were believed and allocated.
#[test]
fn declared_sizes_are_checked_before_they_are_allocated() {
    let (database, _) = scene();
    let mut client = connect(database);
    let (mut tried, mut valid) = (0, 0);
    for golden in golden::read() {
        let bytes = golden.bytes;
        for at in (4..bytes.len().saturating_sub(8).min(400)).step_by(2) {
            for large in ["ffffffff", "ffffff7f", "00000040"] {
                let changed = format!("{}{large}{}", &bytes[..at], &bytes[at + 8..]);
                let query = format!("SELECT '\\x{changed}'::bytea::{}", golden.kind);
                match refused(&mut client, &query) {
                    Some(error) => assert_eq!(error, "22P03", "{query:.200}"),
                    None => valid += 1,
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 1000 && valid < tried, "{valid} of {tried}");
}

/// toolkit: counts beyond 2^53 lost their last digits without a word.
#[test]
fn counts_beyond_2_to_53_are_refused_and_large_integers_stay_apart() {
    let (database, found) = scene();
    let mut client = connect(database);
    let largest = 1_i64 << 53;
    // A summary of as many equal values as fit: one more of them does not.
    let full = format!(
        r#"'{{"version":1,"n":{largest},"sum":0,"sum_low":0,"m2":0,"m3":0,"m4":0,"min":0,"max":0}}'::stats_summary"#
    );
    let text = full.replace(&largest.to_string(), &(largest + 1).to_string());
    assert_eq!(
        refused(&mut client, &format!("SELECT {text}")).as_deref(),
        Some("22P02")
    );
    let n = client
        .query_one(&format!("SELECT num_vals({full})"), &[])
        .unwrap();
    assert_eq!(n.get::<_, i64>(0), largest);
    let profile = format!(
        r#"'{{"kind":"text","version":1,"nulls":{largest},"rest":0,"categories":[]}}'::distribution_profile"#
    );
    for state in [full, profile] {
        let query = format!("SELECT rollup(s) FROM (VALUES ({state}), ({state})) AS v (s)");
        assert_eq!(
            refused(&mut client, &query).as_deref(),
            Some("22003"),
            "{query}"
        );
    }
    // Neighbours that are one double.
    for aggregate in found {
        if aggregate.arguments[0].kind == "bigint" && aggregate.arguments.len() == 1 {
            let query = format!(
                "SELECT g % 1, {}({largest} + g) FROM generate_series(0, 1) AS g GROUP BY 1",
                aggregate.name
            );
            let one = format!(
                "SELECT g % 1, {}({largest} + 0 * g) FROM generate_series(0, 1) AS g GROUP BY 1",
                aggregate.name
            );
            let (two, one) = (
                aggregate.ask(&mut client, &query),
                aggregate.ask(&mut client, &one),
            );
            assert!(difference(&two, &one).is_some(), "{}", aggregate.label);
        }
    }
}

/// toolkit: a continuous aggregate with heartbeat_agg could not be refreshed, for want of an equality operator.
#[test]
fn matviews_with_every_type_are_refreshed_concurrently() {
    let (database, found) = scene();
    let mut client = connect(database);
    let types = base_types(database);
    let (mut columns, mut seen) = (Vec::new(), Vec::new());
    for kind in &types {
        let equality = client.query_one(
            &format!("SELECT count(*) FROM pg_operator WHERE oprname = '=' AND oprleft = '{kind}'::regtype AND oprright = oprleft"),
            &[],
        );
        assert_eq!(equality.unwrap().get::<_, i64>(0), 1, "{kind} has no =");
        let aggregate = found
            .iter()
            .find(|a| a.result == *kind)
            .unwrap_or_else(|| panic!("nothing makes a {kind}"));
        seen.push(aggregate);
        columns.push(format!(
            "(SELECT {} FROM {} AS r WHERE r.grp = o.grp AND r.id <= o.upto) AS s{}",
            aggregate.call(""),
            aggregate.relation,
            columns.len()
        ));
    }
    database.run("CREATE TABLE upto (grp integer PRIMARY KEY, upto integer); INSERT INTO upto SELECT g, 40 FROM generate_series(0, 4) AS g");
    database.run(&format!(
        "CREATE MATERIALIZED VIEW states AS SELECT o.grp, {} FROM upto AS o; CREATE UNIQUE INDEX ON states (grp)",
        columns.join(", ")
    ));
    let ask = |client: &mut Client, at: usize, aggregate: &Aggregate| {
        aggregate.ask(client, &format!("SELECT grp, s{at} FROM states"))
    };
    let before: Vec<_> = seen
        .iter()
        .enumerate()
        .map(|(at, a)| ask(&mut client, at, a))
        .collect();
    client
        .batch_execute("REFRESH MATERIALIZED VIEW CONCURRENTLY states")
        .unwrap();
    for (at, aggregate) in seen.iter().enumerate() {
        assert_eq!(
            ask(&mut client, at, aggregate),
            before[at],
            "{}",
            aggregate.label
        );
    }
    client
        .batch_execute("UPDATE upto SET upto = 200 WHERE grp IN (1, 3); DELETE FROM upto WHERE grp = 4; REFRESH MATERIALIZED VIEW CONCURRENTLY states")
        .unwrap();
    for (at, aggregate) in seen.iter().enumerate() {
        let after = ask(&mut client, at, aggregate);
        assert_eq!(after.len(), 4);
        for (group, answers) in &after {
            let changed = answers != &before[at][group];
            assert_eq!(
                changed,
                group == "1" || group == "3",
                "{}, group {group}",
                aggregate.label
            );
        }
    }
}
