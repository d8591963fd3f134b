//! How statements over the view of mode vault are planned: as over its table where that shows nobody anything, by itself where a
//! condition could tell what it saw, and with the indexes of compressed chunks either way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use sop_ml_e2e::describe;
use sop_ml_e2e::series::{RESTAURANT, vault};

/// A function that says what it sees, and fails when it sees what it must not. As cheap as can be: the planner calls it first.
const LEAK: &str = "
CREATE FUNCTION pg_temp.leak(uuid) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0000001 AS $$
BEGIN
    IF $1 <> 'a0000000-0000-4000-8000-000000000001' THEN RAISE EXCEPTION 'leak: %', $1; END IF;
    RETURN true;
END $$;
CREATE VIEW pg_temp.above AS SELECT * FROM sop_ml.sop_time_series_data;
CREATE FUNCTION pg_temp.inlined(uuid) RETURNS TABLE (l boolean) LANGUAGE sql STABLE AS 'SELECT pg_temp.leak($1)';
CREATE FUNCTION pg_temp.inlined_condition(uuid) RETURNS TABLE (l int) LANGUAGE sql STABLE AS 'SELECT 1 WHERE pg_temp.leak($1)';
CREATE VIEW pg_temp.column_above AS SELECT pg_temp.leak(restaurant_id) AS l, * FROM sop_ml.sop_time_series_data;
CREATE VIEW pg_temp.leaky_above AS SELECT * FROM sop_ml.sop_time_series_data WHERE pg_temp.leak(restaurant_id);";

#[test]
fn conditions_see_rows_that_their_caller_may_see() {
    let Some(database) = vault("vault_leaks") else {
        return;
    };
    let mut analyst = database.connect("series_analyst_a");
    analyst.batch_execute(LEAK).unwrap();
    // The library is loaded from here on, and plans.
    let rows = "SELECT count(*) FROM sop_ml.sop_time_series_data";
    let own: i64 = analyst.query_one(rows, &[]).unwrap().get(0);
    assert_eq!(own, 4320);
    let mut tried = 0;
    for settings in [
        "RESET ALL",
        "SET enable_hashjoin = off; SET enable_mergejoin = off",
        "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off",
        "SET timescaledb.enable_chunk_append = off; SET timescaledb.enable_transparent_decompression = on",
    ] {
        analyst.batch_execute(settings).unwrap();
        for statement in [
            "SELECT count(*) FROM sop_ml.sop_time_series_data WHERE pg_temp.leak(restaurant_id)",
            "SELECT count(*) FROM sop_ml.sop_time_series_data WHERE metric_name = 'temperature' AND pg_temp.leak(restaurant_id) AND observed_at >= '2025-03-10'",
            "SELECT count(*) FROM sop_ml.sop_time_series_15_minutes WHERE pg_temp.leak(restaurant_id)",
            "SELECT count(*) FROM sop_ml.sop_time_series_data AS d JOIN generate_series(1, 2) AS g ON pg_temp.leak(d.restaurant_id)",
            "SELECT count(*) FROM generate_series(1, 2) AS g LEFT JOIN sop_ml.sop_time_series_data AS d ON pg_temp.leak(d.restaurant_id)",
            "SELECT count(*) FROM sop_ml.sop_time_series_data AS d CROSS JOIN LATERAL pg_temp.leak(d.restaurant_id) AS l",
            "SELECT count(*) FROM sop_ml.sop_time_series_data AS d, LATERAL (SELECT pg_temp.leak(d.restaurant_id) AS l OFFSET 0) AS l WHERE l.l",
            "SELECT restaurant_id FROM sop_ml.sop_time_series_data GROUP BY restaurant_id HAVING pg_temp.leak(restaurant_id)",
            "SELECT count(*) FROM sop_ml.sop_time_series_data AS d WHERE EXISTS (SELECT WHERE pg_temp.leak(d.restaurant_id))",
            "SELECT count(*) FROM sop_ml.sop_time_series_data AS d WHERE (SELECT pg_temp.leak(d.restaurant_id))",
            "SELECT pg_temp.leak(restaurant_id) FROM sop_ml.sop_time_series_data ORDER BY pg_temp.leak(restaurant_id), observed_at LIMIT 3",
            "SELECT count(*) FILTER (WHERE pg_temp.leak(restaurant_id)) FROM sop_ml.sop_time_series_data",
            "SELECT count(*) OVER (PARTITION BY pg_temp.leak(restaurant_id)) FROM sop_ml.sop_time_series_data LIMIT 1",
            "SELECT count(*) FROM pg_temp.above WHERE pg_temp.leak(restaurant_id)",
            "SELECT count(*) FROM pg_temp.leaky_above WHERE metric_name = 'temperature'",
            "SELECT count(*) FROM (SELECT * FROM pg_temp.above OFFSET 0) AS a WHERE pg_temp.leak(restaurant_id)",
            "SELECT count(*) FROM (SELECT DISTINCT restaurant_id FROM sop_ml.sop_time_series_data) AS a WHERE pg_temp.leak(restaurant_id)",
            "SELECT count(*) FROM (SELECT restaurant_id FROM pg_temp.above UNION ALL SELECT restaurant_id FROM sop_ml.sop_time_series_data) AS u WHERE pg_temp.leak(restaurant_id)",
            "WITH a AS NOT MATERIALIZED (SELECT * FROM sop_ml.sop_time_series_data) SELECT count(*) FROM a WHERE pg_temp.leak(restaurant_id)",
            "WITH a AS MATERIALIZED (SELECT * FROM sop_ml.sop_time_series_data WHERE pg_temp.leak(restaurant_id)) SELECT count(*) FROM a",
            "SELECT count(*) FROM sop_ml.sop_time_series_data AS a JOIN sop_ml.sop_time_series_data AS b USING (restaurant_id, metric_name, observed_at) WHERE pg_temp.leak(b.restaurant_id)",
            "SELECT count(*) FROM sop_ml.sop_time_series_data WHERE CASE WHEN value > -1 THEN pg_temp.leak(restaurant_id) END",
            "SELECT count(*) FROM sop_ml.sop_time_series_data WHERE restaurant_id::text LIKE 'a%' AND 1 / (CASE WHEN restaurant_id = 'a0000000-0000-4000-8000-000000000001' THEN 1 ELSE 0 END) = 1",
            // What a condition names may be a column of a query further in, which the planner puts in its place.
            "SELECT count(*) FROM (SELECT pg_temp.leak(restaurant_id) AS l, * FROM sop_ml.sop_time_series_data) AS s WHERE s.l",
            "SELECT count(*) FROM pg_temp.column_above WHERE l AND metric_name = 'temperature'",
            "SELECT * FROM (SELECT pg_temp.leak(restaurant_id) AS l, count(*) FROM sop_ml.sop_time_series_data GROUP BY 1) AS s WHERE s.l",
            "WITH a AS (SELECT pg_temp.leak(restaurant_id) AS l FROM sop_ml.sop_time_series_data) SELECT count(*) FROM a WHERE l",
            "SELECT count(*) FROM (SELECT pg_temp.leak(restaurant_id) AS l FROM sop_ml.sop_time_series_data) AS a JOIN (VALUES (true)) AS v (l) USING (l)",
            "SELECT count(*) FROM (SELECT pg_temp.leak(restaurant_id) AS l FROM pg_temp.above UNION ALL SELECT true) AS u WHERE l",
            "SELECT count(*) FROM sop_ml.sop_time_series_data AS d, LATERAL (SELECT 1 WHERE pg_temp.leak(d.restaurant_id)) AS l",
            "SELECT count(*) FROM sop_ml.sop_time_series_data AS d, LATERAL (SELECT pg_temp.leak(d.restaurant_id) AS l) AS l WHERE l.l",
            "SELECT count(*) FROM sop_ml.sop_time_series_data AS d, LATERAL (VALUES (pg_temp.leak(d.restaurant_id))) AS v (l) WHERE v.l",
            "SELECT count(*) FROM sop_ml.sop_time_series_data AS d, pg_temp.inlined(d.restaurant_id) AS f WHERE f.l",
            "SELECT count(*) FROM sop_ml.sop_time_series_data AS d, pg_temp.inlined_condition(d.restaurant_id) AS f",
            "UPDATE sop_ml.sop_time_series_data SET unit = 'C' WHERE pg_temp.leak(restaurant_id) AND observed_at < '2025-03-01 01:00+00'",
            "DELETE FROM sop_ml.sop_time_series_data WHERE pg_temp.leak(restaurant_id) AND observed_at < '2025-03-01 00:10+00'",
            "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
             SELECT restaurant_id, 'copy', observed_at, value FROM sop_ml.sop_time_series_data WHERE pg_temp.leak(restaurant_id) AND metric_name = 'temperature'
             ON CONFLICT DO NOTHING",
        ] {
            // As it is, and with a plan that is made for all parameters.
            for statement in [
                statement.to_owned(),
                format!("SET plan_cache_mode = force_generic_plan; DEALLOCATE ALL; PREPARE kept AS {statement}; EXECUTE kept"),
            ] {
                analyst
                    .batch_execute(&statement)
                    .unwrap_or_else(|error| panic!("{settings}: {statement}: {}", describe(&error)));
                tried += 1;
            }
        }
    }
    println!("{tried} statements, none of which saw a row of the other restaurant");
}

#[test]
fn harmless_conditions_are_planned_as_over_the_table() {
    let Some(database) = vault("vault_flat") else {
        return;
    };
    database.run("ANALYZE sop_ml_storage.sop_time_series_data");
    // With the library from the beginning, and from the first call of one of its functions.
    for (preload, is_loaded) in [
        ("SET session_preload_libraries = 'sop_ml'", true),
        ("RESET session_preload_libraries", false),
    ] {
        database.run(&format!("ALTER DATABASE vault_flat {preload}"));
        let mut viewer = database.connect("series_viewer_a");
        let mut owner = database.superuser();
        if !is_loaded {
            for client in [&mut viewer, &mut owner] {
                client
                    .batch_execute("SELECT sop_ml.has_access('viewer')")
                    .unwrap();
            }
        }
        compare_plans(&mut viewer, &mut owner);
    }
}

/// Plans of the view and of the table behind it.
fn compare_plans(viewer: &mut postgres::Client, owner: &mut postgres::Client) {
    let explain = |client: &mut postgres::Client, statement: &str| -> Vec<String> {
        let rows = client
            .query(&format!("EXPLAIN (COSTS OFF) {statement}"), &[])
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    for (statement, is_flat) in [
        (
            "SELECT observed_at, value FROM {} WHERE restaurant_id = '{a}' AND metric_name = 'temperature' ORDER BY observed_at DESC LIMIT 100",
            true,
        ),
        (
            "SELECT date_bin('1 day', observed_at, '2000-01-01'), avg(value) FROM {} WHERE restaurant_id = '{a}' AND observed_at >= '2025-03-10' GROUP BY 1",
            true,
        ),
        (
            "SELECT count(*) FROM {} WHERE restaurant_id = '{a}' AND value > 12.5 AND source IN ('', 'probe') AND unit IS NULL",
            true,
        ),
        (
            "SELECT count(*) FROM {} WHERE restaurant_id = '{a}' AND dimensions ->> 'shift' = 'late'",
            false,
        ),
        (
            "SELECT count(*) FROM {} WHERE restaurant_id = '{a}' AND metric_name LIKE 'temp%'",
            false,
        ),
    ] {
        let of = |relation: &str| statement.replace("{}", relation).replace("{a}", RESTAURANT);
        let view = explain(viewer, &of("sop_ml.sop_time_series_data"));
        let has_subquery = view.iter().any(|line| line.contains("Subquery Scan"));
        assert_eq!(has_subquery, !is_flat, "{}", view.join("\n"));
        if statement.contains("LIMIT") {
            let table = explain(owner, &of("sop_ml_storage.sop_time_series_data"));
            let order =
                |plan: &[String]| plan.iter().filter(|line| line.contains("Order:")).count();
            assert_eq!(order(&view), 1, "{}", view.join("\n"));
            assert_eq!(order(&table), 1, "{}", table.join("\n"));
        }
    }
}

#[test]
fn conditions_reach_the_indexes_of_compressed_chunks() {
    let Some(database) = vault("vault_plans") else {
        return;
    };
    // Beside the compressed chunks, one that is not.
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT '{RESTAURANT}', 'temperature', timestamptz '2025-04-10 00:00+00' + i * interval '1 minute', i FROM generate_series(0, 999) AS i"
    ));
    database.run("ANALYZE sop_ml_storage.sop_time_series_data");
    let mut viewer = database.connect("series_viewer_a");
    viewer
        .batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        .unwrap();
    let mut plan = |statement: &str| -> Vec<String> {
        let rows = viewer
            .query(&format!("EXPLAIN (COSTS OFF) {statement}"), &[])
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let explicit = format!("restaurant_id = '{RESTAURANT}' AND ");
    for restaurant in [explicit.as_str(), ""] {
        for (times, chunks) in [
            (
                "observed_at >= '2025-03-10' AND observed_at < '2025-03-12'",
                1..=2,
            ),
            ("observed_at >= '2025-04-10'", 1..=1),
            ("observed_at >= '2025-03-25'", 2..=3),
        ] {
            let lines = plan(&format!(
                "SELECT avg(value) FROM sop_ml.sop_time_series_data WHERE {restaurant}metric_name = 'temperature' AND {times}"
            ));
            let text = lines.join("\n");
            let conditions: Vec<&String> = lines
                .iter()
                .filter(|line| line.contains("Index Cond"))
                .collect();
            assert!(chunks.contains(&conditions.len()), "{text}");
            for condition in conditions {
                assert!(
                    condition.contains("= ANY (")
                        && condition.contains("metric_name = 'temperature'"),
                    "{text}"
                );
                assert_eq!(
                    condition.contains("restaurant_id)::uuid = 'a0000000"),
                    !restaurant.is_empty(),
                    "{text}"
                );
            }
            assert!(!text.contains("Seq Scan"), "{text}");
        }
    }
}
