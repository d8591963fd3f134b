//! Faults that timescaledb-toolkit's aggregates had, each as a test over every aggregate or type of ours.
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
use sop_ml_e2e::hostile::{DECLARED, reasonable, values};
use sop_ml_e2e::{Database, describe, golden, shared, sqlstate};

const PARALLEL: &str = "SET max_parallel_workers_per_gather = 3; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
    SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off; SET enable_partitionwise_aggregate = on";

fn scene() -> &'static (Database, Vec<Aggregate>) {
    static SCENE: OnceLock<(Database, Vec<Aggregate>)> = OnceLock::new();
    SCENE.get_or_init(|| {
        let database = shared().database_with_extension("aggregate_bugs");
        let found = aggregates::read(&database);
        assert!(found.len() >= 9);
        (database, found)
    })
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

/// toolkit #811: stats_agg answered garbage under parallel plans.
#[test]
fn stats_agg_is_no_garbage_under_parallel_plans() {
    let (database, _) = scene();
    database.run(
        "CREATE TABLE measured WITH (parallel_workers = 3) AS
         SELECT g % 7 AS grp, (g * 7919 % 100003)::float8 / 17 AS value FROM generate_series(1, 60000) AS g;
         ANALYZE measured",
    );
    let mut client = connect(database);
    client.batch_execute(PARALLEL).unwrap();
    let query = "SELECT grp, num_vals(s), n, average(s), mean, stddev(s), sd, skewness(s), min_val(s), least, max_val(s), greatest
           FROM (SELECT grp, stats_agg(value) AS s, count(*) AS n, avg(value) AS mean, pg_catalog.stddev(value) AS sd,
                        min(value) AS least, max(value) AS greatest FROM measured GROUP BY grp) AS q";
    let plan = client.query(&format!("EXPLAIN {query}"), &[]).unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    assert!(plan.iter().any(|line| line.contains("Partial")), "{plan:?}");
    for _ in 0..5 {
        let rows = client.query(query, &[]).unwrap();
        assert_eq!(rows.len(), 7);
        for row in rows {
            assert_eq!(row.get::<_, i64>(1), row.get::<_, i64>(2));
            let close = |found: usize, expected: usize| {
                let (found, expected): (f64, f64) = (row.get(found), row.get(expected));
                assert!(
                    (found - expected).abs() <= 1e-11 * expected.abs(),
                    "{found} {expected}"
                );
            };
            close(3, 4);
            close(5, 6);
            close(8, 9);
            close(10, 11);
            assert!(row.get::<_, f64>(7).abs() < 0.1);
        }
    }
}

/// timescaledb #10146: a group that FILTER emptied in one worker made freq_agg panic in another.
#[test]
fn a_group_that_filter_empties_survives_parallel_plans() {
    let (database, found) = scene();
    let (mut parallel, mut serial) = (connect(database), connect(database));
    parallel.batch_execute(PARALLEL).unwrap();
    serial
        .batch_execute("SET max_parallel_workers_per_gather = 0")
        .unwrap();
    for aggregate in found {
        // Emptied everywhere, in all partitions but one, and for all groups but one row.
        for filter in [
            "false",
            "id < 0",
            "part = 1",
            "id = 30",
            "grp <> 2 AND part <> 0",
        ] {
            let query = format!(
                "SELECT grp, {} FILTER (WHERE {filter}) FROM {} GROUP BY grp",
                aggregate.call(""),
                aggregate.relation
            );
            let expected = aggregate.ask(&mut serial, &query);
            assert_eq!(expected.len(), 5);
            for _ in 0..3 {
                let found = aggregate.ask(&mut parallel, &query);
                assert_eq!(
                    difference(&found, &expected),
                    None,
                    "{}, {filter}",
                    aggregate.label
                );
            }
        }
    }
}

/// toolkit: tdigest and max_n crashed on empty input.
#[test]
fn empty_input_is_null_and_empty_states_answer() {
    let (database, found) = scene();
    let mut client = connect(database);
    for aggregate in found {
        let call = aggregate.call("");
        for query in [
            format!("SELECT {call} FROM {} WHERE false", aggregate.relation),
            format!("SELECT {call} FROM {} WHERE id < 0", aggregate.relation),
            format!(
                "SELECT (SELECT {call} FROM {} WHERE id < 0 GROUP BY grp)",
                aggregate.relation
            ),
            format!(
                "SELECT {call} FILTER (WHERE false) FROM {}",
                aggregate.relation
            ),
            format!(
                "SELECT {}({}) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING) FROM {} ORDER BY id LIMIT 1",
                aggregate.name,
                aggregate.columns().join(", "),
                aggregate.relation
            ),
        ] {
            let row = client.query_one(&format!("SELECT q.s IS NULL FROM ({query}) AS q (s)"), &[]);
            let row = row.unwrap_or_else(|error| panic!("{query}: {}", describe(&error)));
            assert!(row.get::<_, bool>(0), "{query}");
        }
    }
    // States without a value, as they may be stored: every accessor and aggregate answers.
    let mut asked = 0;
    for golden in golden::read()
        .iter()
        .filter(|golden| golden.name.starts_with("no"))
    {
        let state = format!("'\\x{}'::bytea::{}", golden.bytes, golden.kind);
        for aggregate in found
            .iter()
            .filter(|aggregate| aggregate.result == golden.kind)
        {
            for accessor in &aggregate.answers {
                let query = format!("SELECT {accessor} FROM (SELECT {state}) AS q (s)");
                if let Some(error) = refused(&mut client, &query) {
                    assert_eq!(error, "22023", "{query}");
                }
                asked += 1;
            }
        }
        for aggregate in found.iter().filter(|a| a.arguments[0].kind == golden.kind) {
            let query = format!(
                "SELECT {}(s) FROM (VALUES ({state}), ({state}), (NULL)) AS v (s)",
                aggregate.name
            );
            assert_eq!(refused(&mut client, &query), None);
            asked += 1;
        }
    }
    assert!(asked >= 20, "{asked}");
}

/// toolkit #882 and #974: time_weight and others were wrong under parallel and partition-wise plans. Marking an aggregate as
/// unsafe does not help against the latter, so one that depends on the order has no combine function.
#[test]
fn aggregates_that_depend_on_order_have_no_combine_function() {
    let (database, found) = scene();
    let combined = database.texts(
        "SELECT a.aggfnoid::regprocedure::text FROM pg_aggregate AS a JOIN pg_proc AS p ON p.oid = a.aggfnoid
          WHERE p.pronamespace = 'sop_ml'::regnamespace AND a.aggcombinefn <> 0
            AND p.proargtypes::oid[] && ARRAY['timestamptz', 'timestamp', 'date', 'time', 'timetz']::regtype[]::oid[]",
    );
    assert_eq!(
        combined,
        Vec::<String>::new(),
        "these take a point in time and may be combined"
    );
    let half = database.texts(
        "SELECT a.aggfnoid::regprocedure::text FROM pg_aggregate AS a JOIN pg_proc AS p ON p.oid = a.aggfnoid
          WHERE p.pronamespace = 'sop_ml'::regnamespace AND ((a.aggcombinefn = 0 AND (a.aggserialfn <> 0 OR a.aggdeserialfn <> 0))
             OR (a.aggcombinefn <> 0 AND a.aggtranstype = 'internal'::regtype AND (a.aggserialfn = 0 OR a.aggdeserialfn = 0)))",
    );
    assert_eq!(
        half,
        Vec::<String>::new(),
        "these have some of combine, serialize and deserialize only"
    );
    // What the catalogue cannot tell, the answers do: any order, and any way to put parts together.
    let mut client = connect(database);
    client
        .batch_execute("SET max_parallel_workers_per_gather = 0")
        .unwrap();
    let mut checked = 0;
    for aggregate in found.iter().filter(|aggregate| aggregate.has_combine) {
        let query = |order: &str| {
            format!(
                "SELECT 1, {} FROM {}",
                aggregate.call(order),
                aggregate.relation
            )
        };
        let expected = aggregate.ask(&mut client, &query("ORDER BY id"));
        let reversed = aggregate.ask(&mut client, &query("ORDER BY id DESC"));
        let why = "depends on the order and has a combine function";
        assert_eq!(
            difference(&reversed, &expected),
            None,
            "{} {why}",
            aggregate.label
        );
        checked += 1;
    }
    assert!(checked >= 8);
}

/// toolkit: overflow panics near the limits of float8.
#[test]
fn the_ends_of_float8_are_answers_or_22003() {
    let (database, found) = scene();
    let mut client = connect(database);
    client.batch_execute(PARALLEL).unwrap();
    database.run(
        "CREATE TABLE ends (i integer, low float8, high float8, opposite float8, tiny float8) PARTITION BY HASH (i);
         CREATE TABLE ends_0 PARTITION OF ends FOR VALUES WITH (MODULUS 2, REMAINDER 0) WITH (parallel_workers = 2);
         CREATE TABLE ends_1 PARTITION OF ends FOR VALUES WITH (MODULUS 2, REMAINDER 1) WITH (parallel_workers = 2);
         INSERT INTO ends SELECT g, -1.7976931348623157e308, 1.7976931348623157e308,
             CASE g % 2 WHEN 0 THEN 1e308 ELSE -1e308 END, CASE g % 2 WHEN 0 THEN 5e-324 ELSE -5e-324 END FROM generate_series(1, 200) AS g;
         ANALYZE ends",
    );
    let mut seen = std::collections::BTreeSet::new();
    for aggregate in found {
        if aggregate.arguments[0].kind != "double precision" {
            continue;
        }
        for column in ["low", "high", "opposite", "tiny"] {
            for count in [1, 2, 200] {
                let arguments: Vec<String> = aggregate
                    .arguments
                    .iter()
                    .map(|argument| {
                        reasonable::argument(&argument.name, &argument.kind).map_or_else(
                            || match argument.kind.as_str() {
                                "double precision" => column.to_owned(),
                                kind => values::ordinary(kind).unwrap(),
                            },
                            ToOwned::to_owned,
                        )
                    })
                    .collect();
                let query = format!(
                    "SELECT {} FROM (SELECT {}({}) AS s FROM ends WHERE i <= {count}) AS q",
                    aggregate.answers.join(", "),
                    aggregate.name,
                    arguments.join(", ")
                );
                if let Some(error) = refused(&mut client, &query) {
                    assert!(error == "22003" || error == "22023", "{query}: {error}");
                    seen.insert(error);
                }
            }
        }
    }
    assert!(seen.contains("22003"), "{seen:?}");
    // Exact extremes also there.
    let row = client.query_one(
        "SELECT min_val(percentile_agg(low)), max_val(percentile_agg(high)) FROM ends",
        &[],
    );
    let row = row.unwrap();
    assert_eq!(
        (row.get::<_, f64>(0), row.get::<_, f64>(1)),
        (f64::MIN, f64::MAX)
    );
}

/// toolkit: asap_smooth aborted the server on a resolution of 0.
#[test]
fn parameters_of_zero_and_beyond_are_answers_or_errors() {
    let (database, found) = scene();
    let mut client = connect(database);
    let extremes = |kind: &str| -> &[&str] {
        match kind {
            "integer" => &["0", "-1", "1", "2147483647", "-2147483648"],
            "bigint" => &[
                "0",
                "-1",
                "1",
                "9223372036854775807",
                "-9223372036854775808",
            ],
            "double precision" => &[
                "0",
                "-1",
                "5e-324",
                "1e308",
                "'NaN'",
                "'Infinity'",
                "'-Infinity'",
            ],
            _ => &[],
        }
    };
    let mut tried = 0;
    // Parameters of aggregates are what comes after the value.
    for aggregate in found {
        for (at, argument) in aggregate.arguments.iter().enumerate().skip(1) {
            for value in extremes(&argument.kind) {
                let mut columns = aggregate.columns();
                columns[at] = format!("({value})::{}", argument.kind);
                let call = format!("{}({} ORDER BY id)", aggregate.name, columns.join(", "));
                refused(
                    &mut client,
                    &format!("SELECT {call} FROM {}", aggregate.relation),
                );
                tried += 1;
            }
        }
    }
    // Parameters of what reads a state, or takes arrays.
    let functions = database.query(
        "SELECT format('%I.%I', n.nspname, p.proname),
                    ARRAY(SELECT format_type(kind, NULL) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (kind, place) ORDER BY place),
                    p.proargnames
               FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
              WHERE n.nspname = 'sop_ml' AND p.prokind = 'f' AND p.provolatile = 'i' AND p.proargnames IS NOT NULL
                AND p.proargtypes::oid[] && ARRAY['integer', 'bigint', 'float8']::regtype[]::oid[]
                AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[])",
    );
    for row in &functions {
        let (name, kinds, names): (String, Vec<String>, Vec<String>) =
            (row.get(0), row.get(1), row.get(2));
        for (at, kind) in kinds.iter().enumerate() {
            for value in extremes(kind) {
                let arguments: Vec<String> = kinds
                    .iter()
                    .zip(&names)
                    .enumerate()
                    .map(|(place, (kind, name))| {
                        if place == at {
                            return format!("({value})::{kind}");
                        }
                        found.iter().find(|a| a.result == *kind).map_or_else(
                            || {
                                reasonable::argument(name, kind)
                                    .map(ToOwned::to_owned)
                                    .or_else(|| values::ordinary(kind))
                                    .unwrap_or_else(|| format!("NULL::{kind}"))
                            },
                            |a| format!("(SELECT {} FROM {})", a.call(""), a.relation),
                        )
                    })
                    .collect();
                refused(
                    &mut client,
                    &format!("SELECT {name}({})", arguments.join(", ")),
                );
                tried += 1;
            }
        }
    }
    assert!(tried >= 60, "{tried}");
}
