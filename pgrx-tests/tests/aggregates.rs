//! Whatever plan the server chooses, an aggregate gives one answer. Every aggregate of the catalogue, on rows of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::sync::OnceLock;

use postgres::Client;
use sop_ml_e2e::aggregates::{self, Aggregate, Answers, difference, force_parallel};
use sop_ml_e2e::{Database, describe, shared, sqlstate};

/// One plan after the other, with nothing else in the way.
const SERIAL: &str = "SET max_parallel_workers_per_gather = 0; SET enable_partitionwise_aggregate = off; SET jit = off";
const PARALLEL: &str = "SET max_parallel_workers_per_gather = 3; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
    SET min_parallel_table_scan_size = 0; SET jit = off";

/// The sample is made once and only read.
fn scene() -> &'static (Database, Vec<Aggregate>) {
    static SCENE: OnceLock<(Database, Vec<Aggregate>)> = OnceLock::new();
    SCENE.get_or_init(|| {
        let database = shared().database_with_extension("aggregates");
        let found = aggregates::read(&database);
        println!("{} aggregates: {:?}", found.len(), labels(&found));
        (database, found)
    })
}

fn labels(aggregates: &[Aggregate]) -> Vec<&str> {
    aggregates.iter().map(|a| a.label.as_str()).collect()
}

fn session(settings: &str) -> Client {
    let mut client = scene().0.superuser();
    client.batch_execute(settings).unwrap();
    client
}

fn plan(client: &mut Client, query: &str) -> String {
    let rows = client.query(&format!("EXPLAIN (COSTS OFF) {query}"), &[]);
    let rows = rows.unwrap_or_else(|error| panic!("{query}: {}", describe(&error)));
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

#[track_caller]
fn assert_same(aggregate: &Aggregate, how: &str, found: &Answers, expected: &Answers) {
    assert!(
        !expected.is_empty() || found.is_empty(),
        "{}",
        aggregate.label
    );
    if let Some(difference) = difference(found, expected) {
        panic!("{}, {how}: {difference}", aggregate.label);
    }
}

/// Every way to read the rows of an aggregate: all, few, none, only NULLs, a group that FILTER empties.
fn sources(aggregate: &Aggregate, relation: &str) -> Vec<(&'static str, String, &'static str)> {
    let from = |condition: &str| format!("{relation} AS r WHERE {condition}");
    vec![
        ("all rows", from("true"), ""),
        ("one row", from("id = 12"), ""),
        ("no rows", from("id < 0"), ""),
        ("only NULLs", aggregate.only_nulls(relation), ""),
        (
            "FILTER that empties a group",
            from("true"),
            "FILTER (WHERE grp <> 1)",
        ),
        (
            "FILTER that empties every group",
            from("true"),
            "FILTER (WHERE id < 0)",
        ),
        (
            "FILTER that leaves one row",
            from("true"),
            "FILTER (WHERE id = 12)",
        ),
    ]
}

/// Grouped by what is no partition, not at all, and by the partition.
fn groupings() -> [(&'static str, &'static str); 3] {
    [
        ("grp", "GROUP BY grp"),
        ("0", ""),
        ("part", "GROUP BY part"),
    ]
}

#[test]
fn the_catalogue_has_aggregates_and_each_has_answers() {
    let (_, found) = scene();
    assert!(found.len() >= 9, "{:?}", labels(found));
    for name in [
        "stats_agg",
        "percentile_agg",
        "profile_agg",
        "profile_agg_text",
        "rollup",
    ] {
        assert!(
            found.iter().any(|a| a.name == format!("sop_ml.{name}")),
            "{name} is missing"
        );
    }
    let mut client = session(SERIAL);
    for aggregate in found {
        let query = format!(
            "SELECT grp, {} FROM {} GROUP BY grp",
            aggregate.call(""),
            aggregate.relation
        );
        let answers = aggregate.ask(&mut client, &query);
        assert_eq!(answers.len(), 5, "{}", aggregate.label);
        // One row answers something else than all, or the comparison of plans would see nothing.
        let over = |condition: &str| {
            let call = aggregate.call("");
            format!(
                "SELECT 0, {call} FROM {} WHERE {condition}",
                aggregate.relation
            )
        };
        let all = aggregate.ask(&mut client, &over("true"));
        let one = aggregate.ask(&mut client, &over("id = 1"));
        assert!(
            difference(&all, &one).is_some(),
            "{}: {all:?}",
            aggregate.label
        );
        assert!(
            answers
                .values()
                .all(|group| group.iter().any(Option::is_some))
        );
    }
}

#[test]
fn parallel_and_partitionwise_plans_give_the_serial_answer() {
    let (_, found) = scene();
    let mut serial = session(SERIAL);
    let mut parallel = session(PARALLEL);
    let mut workers_only = session(&format!(
        "{PARALLEL}; SET parallel_leader_participation = off"
    ));
    let mut partitionwise = session(&format!(
        "{SERIAL}; SET enable_partitionwise_aggregate = on"
    ));
    let mut both = session(&format!(
        "{PARALLEL}; SET enable_partitionwise_aggregate = on; SET enable_hashagg = off"
    ));
    let mut forced = session(SERIAL);
    let setting = force_parallel(&mut forced);
    let forced_on = format!("SET max_parallel_workers_per_gather = 2; SET {setting} = on");
    forced.batch_execute(&forced_on).unwrap();
    let (mut partial, mut by_partition) = (0, 0);
    for aggregate in found {
        let plain = format!("{}_plain", aggregate.relation);
        for (relation, is_partitioned) in [(&aggregate.relation, true), (&plain, false)] {
            for (what, from, filter) in sources(aggregate, relation) {
                // What happens to groups matters for all rows; the rest is about rows that are missing.
                let groupings = groupings();
                let groupings = if what == "all rows" {
                    &groupings[..]
                } else {
                    &groupings[..2]
                };
                for (key, grouping) in groupings {
                    let call = aggregate.call("");
                    let query = format!("SELECT {key}, {call} {filter} FROM {from} {grouping}");
                    let expected = aggregate.ask(&mut serial, &query);
                    let clients: Vec<(&str, &mut Client)> = if is_partitioned {
                        vec![
                            ("partition-wise", &mut partitionwise),
                            ("parallel and partition-wise, sorted", &mut both),
                        ]
                    } else {
                        vec![
                            ("parallel", &mut parallel),
                            ("parallel, workers only", &mut workers_only),
                            ("forced", &mut forced),
                        ]
                    };
                    for (how, client) in clients {
                        let how = format!("{how}, {what}, {grouping}, {relation}");
                        assert_same(aggregate, &how, &aggregate.ask(client, &query), &expected);
                    }
                }
            }
        }
        let grouped = |relation: &str, key: &str| {
            format!(
                "SELECT {key}, {} FROM {relation} GROUP BY {key}",
                aggregate.call("")
            )
        };
        let plan_of_parallel = plan(&mut parallel, &grouped(&plain, "grp"));
        let is_partial =
            plan_of_parallel.contains("Partial") && plan_of_parallel.contains("Workers");
        assert_eq!(
            is_partial,
            aggregate.has_combine && aggregate.is_parallel_safe,
            "{}:\n{plan_of_parallel}",
            aggregate.label
        );
        let plan_of_partitions = plan(&mut partitionwise, &grouped(&aggregate.relation, "grp"));
        assert_eq!(
            plan_of_partitions.matches("Partial").count(),
            if aggregate.has_combine { 3 } else { 0 },
            "{}:\n{plan_of_partitions}",
            aggregate.label
        );
        let plan_by_partition = plan(&mut partitionwise, &grouped(&aggregate.relation, "part"));
        by_partition += usize::from(plan_by_partition.matches("Aggregate").count() == 3);
        partial += usize::from(is_partial);
    }
    assert!(
        partial >= 8 && by_partition >= 8,
        "{partial} {by_partition}"
    );
    println!(
        "{partial} of {} aggregates ran in parallel, {by_partition} by partition",
        found.len()
    );
}

#[test]
fn hashed_and_sorted_groups_and_grouping_sets_give_one_answer() {
    let (_, found) = scene();
    let mut hashed = session(&format!(
        "{SERIAL}; SET enable_sort = off; SET enable_incremental_sort = off"
    ));
    let mut sorted = session(&format!("{SERIAL}; SET enable_hashagg = off"));
    let mut spilling = session(&format!(
        "{SERIAL}; SET enable_sort = off; SET work_mem = '64kB'"
    ));
    for aggregate in found {
        let relation = &aggregate.relation;
        let many = format!(
            "SELECT id % 200, {} FROM {relation} GROUP BY id % 200",
            aggregate.call("")
        );
        let expected = aggregate.ask(&mut sorted, &many);
        assert!(plan(&mut sorted, &many).contains("GroupAggregate"));
        if aggregate.has_combine {
            assert!(plan(&mut hashed, &many).contains("HashAggregate"));
        }
        assert_same(
            aggregate,
            "hashed",
            &aggregate.ask(&mut hashed, &many),
            &expected,
        );
        assert_same(
            aggregate,
            "spilling",
            &aggregate.ask(&mut spilling, &many),
            &expected,
        );

        let mut expected = Answers::new();
        for (key, grouping) in [
            ("concat_ws('/', 'both', grp, part)", "GROUP BY grp, part"),
            ("concat_ws('/', 'grp', grp)", "GROUP BY grp"),
            ("concat_ws('/', 'part', part)", "GROUP BY part"),
            ("'all'", ""),
        ] {
            let query = format!(
                "SELECT {key}, {} FROM {relation} {grouping}",
                aggregate.call("")
            );
            expected.extend(aggregate.ask(&mut sorted, &query));
        }
        let sets = format!(
            "SELECT CASE grouping(grp, part) WHEN 0 THEN concat_ws('/', 'both', grp, part) WHEN 1 THEN concat_ws('/', 'grp', grp)
                    WHEN 2 THEN concat_ws('/', 'part', part) ELSE 'all' END, {} FROM {relation} GROUP BY CUBE (grp, part)",
            aggregate.call("")
        );
        assert_same(
            aggregate,
            "CUBE, sorted",
            &aggregate.ask(&mut sorted, &sets),
            &expected,
        );
        assert_same(
            aggregate,
            "CUBE, hashed",
            &aggregate.ask(&mut hashed, &sets),
            &expected,
        );
    }
}

#[test]
fn moving_frames_equal_fresh_aggregates() {
    let (_, found) = scene();
    let mut client = session(SERIAL);
    // The frame, and the first and last row of it relative to the row itself.
    let frames = [
        ("ROWS BETWEEN 5 PRECEDING AND CURRENT ROW", -5, 0),
        ("ROWS BETWEEN 3 PRECEDING AND 2 FOLLOWING", -3, 2),
        ("ROWS BETWEEN 9 PRECEDING AND 6 PRECEDING", -9, -6),
        ("ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING", -1, -1),
        (
            "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            -100_000,
            0,
        ),
        ("RANGE BETWEEN 40 PRECEDING AND CURRENT ROW", -40, 0),
        ("RANGE BETWEEN 12 PRECEDING AND 11 PRECEDING", -12, -11),
        ("GROUPS BETWEEN 2 PRECEDING AND 1 FOLLOWING", -2, 1),
    ];
    for aggregate in found {
        let rows = format!(
            "(SELECT * FROM {}_plain WHERE id <= 70) AS r",
            aggregate.relation
        );
        // ORDER BY within the call is not allowed over a frame, whose rows come in its own order.
        let moving = format!("{}({})", aggregate.name, aggregate.columns().join(", "));
        for (frame, first, last) in frames {
            // Frames that FILTER empties, too, where they are short.
            let filters = ["", "FILTER (WHERE grp <> 2)"];
            for filter in &filters[..1 + usize::from(last - first < 3)] {
                let over =
                    format!("SELECT id, {moving} {filter} OVER (ORDER BY id {frame}) FROM {rows}");
                let fresh = format!(
                    "SELECT o.id, (SELECT {} {filter} FROM {rows} WHERE r.id BETWEEN o.id + {first} AND o.id + {last})
                       FROM (SELECT id FROM {}_plain WHERE id <= 70) AS o",
                    aggregate.call(""),
                    aggregate.relation
                );
                let expected = aggregate.ask(&mut client, &fresh);
                assert_eq!(expected.len(), 70);
                let found = aggregate.ask(&mut client, &over);
                assert_same(aggregate, &format!("{frame} {filter}"), &found, &expected);
            }
        }
    }
}

#[test]
fn order_within_the_aggregate_changes_nothing_where_states_can_be_combined() {
    let (_, found) = scene();
    let mut client = session(SERIAL);
    let mut checked = 0;
    for aggregate in found.iter().filter(|aggregate| aggregate.has_combine) {
        let query = |inside: &str| {
            format!(
                "SELECT grp, {} FROM {} GROUP BY grp",
                aggregate.call(inside),
                aggregate.relation
            )
        };
        let expected = aggregate.ask(&mut client, &query("ORDER BY id"));
        for order in [
            "ORDER BY id DESC",
            "ORDER BY md5(id::text)",
            "ORDER BY id % 7, id",
            "",
        ] {
            let found = aggregate.ask(&mut client, &query(order));
            assert_same(aggregate, order, &found, &expected);
        }
        checked += 1;
    }
    assert!(checked >= 8, "{checked}");
}

#[test]
fn distinct_within_the_aggregate_is_that_of_distinct_rows() {
    let (_, found) = scene();
    let mut client = session(SERIAL);
    let (mut checked, mut refused) = (0, 0);
    for aggregate in found {
        let columns = aggregate.columns().join(", ");
        // An aggregate that needs an order gets it from its last column, by which DISTINCT can sort, too.
        let last = format!("ORDER BY {columns}");
        let order = if aggregate.has_combine { "" } else { &last };
        let call = |distinct: &str| format!("{}({distinct} {columns} {order})", aggregate.name);
        let query = format!(
            "SELECT grp, {} FROM {} GROUP BY grp",
            call("DISTINCT"),
            aggregate.relation
        );
        if let Err(error) = client.query(&format!("EXPLAIN {query}"), &[]) {
            // States have no order, so the server cannot tell which are distinct.
            assert_eq!(
                sqlstate(&error),
                "42883",
                "{}: {}",
                aggregate.label,
                describe(&error)
            );
            assert!(
                aggregate.arguments[0].kind.starts_with("sop_ml."),
                "{}",
                aggregate.label
            );
            refused += 1;
            continue;
        }
        let rows = format!("SELECT DISTINCT grp, {columns} FROM {}", aggregate.relation);
        let expected = format!("SELECT grp, {} FROM ({rows}) AS d GROUP BY grp", call(""));
        let expected = aggregate.ask(&mut client, &expected);
        assert_same(
            aggregate,
            "DISTINCT",
            &aggregate.ask(&mut client, &query),
            &expected,
        );
        checked += 1;
    }
    assert!(checked >= 5 && refused >= 3, "{checked} {refused}");
}

/// A cursor stops and goes on, and a prepared statement runs under its generic plan.
#[test]
fn cursors_and_generic_plans_give_the_same_answer() {
    let (_, found) = scene();
    let mut client = session(PARALLEL);
    for aggregate in found {
        let query = format!(
            "SELECT grp, {} FROM {}_plain GROUP BY grp ORDER BY grp",
            aggregate.call(""),
            aggregate.relation
        );
        let expected = aggregate.ask(&mut client, &query);
        let text = format!("SELECT grp, s::text FROM ({query}) AS q (grp, s)");
        client
            .batch_execute(&format!(
                "SET plan_cache_mode = force_generic_plan;
                 PREPARE one (integer) AS SELECT grp, {} FROM {}_plain WHERE grp >= $1 GROUP BY grp;
                 CREATE TEMP TABLE prepared AS EXECUTE one (0);
                 BEGIN; DECLARE rows CURSOR FOR {text}; CREATE TEMP TABLE fetched (grp integer, s text);",
                aggregate.call(""),
                aggregate.relation
            ))
            .unwrap_or_else(|error| panic!("{}: {}", aggregate.label, describe(&error)));
        let columns: Vec<(i32, Option<String>)> = (0..5)
            .flat_map(|_| client.query("FETCH 1 FROM rows", &[]).unwrap())
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        for (group, state) in &columns {
            client
                .execute("INSERT INTO fetched VALUES ($1, $2)", &[group, state])
                .unwrap();
        }
        assert_eq!(columns.len(), 5, "{}", aggregate.label);
        let fetched = format!("SELECT grp, s::{} FROM fetched", aggregate.result);
        assert_same(
            aggregate,
            "cursor",
            &aggregate.ask(&mut client, &fetched),
            &expected,
        );
        let prepared = aggregate.ask(&mut client, "SELECT * FROM prepared");
        assert_same(aggregate, "generic plan", &prepared, &expected);
        client
            .batch_execute("COMMIT; DEALLOCATE one; DROP TABLE prepared, fetched")
            .unwrap();
    }
}
