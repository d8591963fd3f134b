//! A hostile member of a peer group tries to learn what one other restaurant has; and readers of the summaries do not wait
//! for their refresh.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use sop_ml_e2e::fixture::{TENANTS, Tenant};
use sop_ml_e2e::{Database, shared, sqlstate};

/// The restaurant whose value the attacker wants.
const VICTIM: Tenant = TENANTS[1];
const ATTACKER: Tenant = TENANTS[0];

/// A group of `others` restaurants beside the attacker, the victim among them, with a month of data and its figures.
fn group(name: &str, others: usize) -> Database {
    let database = shared().database_with_extension(name);
    for tenant in [ATTACKER, VICTIM] {
        database.run(&format!(
            "DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
             GRANT sop_ml_owner TO {role};
             INSERT INTO sop_ml.sop_restaurants (restaurant_id, name, kind, cross_restaurant_opt_in, opt_in_changed_at)
             VALUES ('{id}', '{role}', 'grill', true, '2026-01-05');
             INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
             VALUES ('{id}', '{role}', 'owner');",
            role = tenant.role,
            id = tenant.restaurant_id
        ));
    }
    database.run(&format!(
        "INSERT INTO sop_ml.sop_restaurants (restaurant_id, name, kind, cross_restaurant_opt_in, opt_in_changed_at)
         SELECT md5(r::text)::uuid, 'peer ' || r, 'grill', true, '2026-01-05' FROM generate_series(2, {others}) AS r;
         INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT r.restaurant_id, 'wait', '2026-01-06 12:00+00'::timestamptz + make_interval(days => d),
                CASE WHEN r.restaurant_id = '{victim}' THEN 987.654 ELSE 20 + r.number * 1.37 END
         FROM (SELECT restaurant_id, row_number() OVER (ORDER BY name) AS number FROM sop_ml.sop_restaurants) AS r,
              generate_series(0, 9) AS d;",
        victim = VICTIM.restaurant_id
    ));
    night(&database, "2026-02-03");
    database
}

fn night(database: &Database, day: &str) {
    let failed = database.texts(&format!(
        "SELECT step || ': ' || coalesce(detail, '') FROM sop_ml.run_daily_ml_aggregation(NULL, '{day}') WHERE status = 'failed'"
    ));
    assert_eq!(failed, Vec::<String>::new());
}

/// Everything that the attacker is told, as text.
fn told(database: &Database, day: &str) -> Vec<String> {
    database
        .connect(ATTACKER.role)
        .query(
            &format!(
                "SELECT b::text FROM sop_ml.benchmark_against_peers(NULL, NULL, '{day}') AS b"
            ),
            &[],
        )
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[test]
fn fewer_than_five_others_are_no_group() {
    let database = group("peers_few", 4);
    assert_eq!(told(&database, "2026-02-10"), ["(,too_few_peers,,,,,,,,)"]);
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.sop_peer_benchmarks"),
        0
    );
    let database = group("peers_enough", 5);
    let answer = told(&database, "2026-02-10");
    assert!(
        answer[0].starts_with("(wait,ranked,2026-01-01,"),
        "{answer:?}"
    );
}

#[test]
fn no_figure_is_the_victims_and_none_changes_with_who_is_there() {
    let database = group("peers_differencing", 5);
    let before = told(&database, "2026-02-10");
    assert!(before[0].contains("ranked"), "{before:?}");
    // The victim's value is far beyond the others': bounded and mixed, it is in no figure.
    let figures = database.query(
        "SELECT quartile_1, median, quartile_3 FROM sop_ml.sop_peer_benchmarks WHERE metric_name = 'wait' LIMIT 1",
    );
    for column in 0..3 {
        let figure: f64 = figures[0].get(column);
        assert!(figure < 100.0, "{figure}");
    }

    let mut attacker = database.connect(ATTACKER.role);
    let own = ATTACKER.restaurant_id;
    // Leaving and joining again, another kind, other rows of its own, a date of its own choice; and the victim leaves.
    for statement in [
        format!(
            "UPDATE sop_ml.sop_restaurants SET cross_restaurant_opt_in = false WHERE restaurant_id = '{own}';
             UPDATE sop_ml.sop_restaurants SET cross_restaurant_opt_in = true, opt_in_changed_at = '2000-01-01'
              WHERE restaurant_id = '{own}'"
        ),
        format!("UPDATE sop_ml.sop_restaurants SET kind = 'bar' WHERE restaurant_id = '{own}'"),
        format!(
            "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
             VALUES ('{own}', 'wait', '2026-01-20 12:00+00', 500)"
        ),
    ] {
        attacker.batch_execute(&statement).unwrap();
        night(&database, "2026-02-04");
        assert_eq!(told(&database, "2026-02-10"), before, "{statement}");
    }
    let dated_back = database.count(&format!(
        "SELECT count(*) FROM sop_ml.sop_restaurants WHERE restaurant_id = '{own}' AND opt_in_changed_at < now() - interval '1 day'"
    ));
    assert_eq!(dated_back, 0, "a tenant dates its opt-in back");
    database.run(&format!(
        "UPDATE sop_ml.sop_restaurants SET cross_restaurant_opt_in = false WHERE restaurant_id = '{}'",
        VICTIM.restaurant_id
    ));
    night(&database, "2026-02-05");
    assert_eq!(told(&database, "2026-02-10"), before, "the victim left");
    // Whoever does not share does not see.
    attacker
        .batch_execute(&format!(
            "UPDATE sop_ml.sop_restaurants SET cross_restaurant_opt_in = false WHERE restaurant_id = '{own}'"
        ))
        .unwrap();
    assert_eq!(told(&database, "2026-02-10"), ["(,not_sharing,,,,,,,,)"]);
}

#[test]
fn a_tenant_sees_its_own_row_alone_and_writes_none() {
    let database = group("peers_rows", 6);
    let mut attacker = database.connect(ATTACKER.role);
    let rows = attacker
        .query(
            "SELECT restaurant_id::text FROM sop_ml.sop_peer_benchmarks",
            &[],
        )
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, String>(0), ATTACKER.restaurant_id);
    for statement in [
        format!(
            "SELECT * FROM sop_ml.benchmark_against_peers('{}')",
            VICTIM.restaurant_id
        ),
        "UPDATE sop_ml.sop_peer_benchmarks SET value = 0".to_owned(),
        "DELETE FROM sop_ml.sop_peer_benchmarks".to_owned(),
        format!(
            "INSERT INTO sop_ml.sop_peer_benchmarks (restaurant_id, metric_name, month, kind, measures, value, percentile_rank,
                 peers, quartile_1, median, quartile_3)
             VALUES ('{}', 'wait', '2025-12-01', 'grill', 'rate', 1, 50, 5, 1, 1, 1)",
            ATTACKER.restaurant_id
        ),
        format!(
            "SELECT sop_ml.compute_baselines('{}', 'peer_quantile')",
            VICTIM.restaurant_id
        ),
        "SELECT * FROM sop_ml.run_daily_ml_aggregation(NULL, '2026-02-03')".to_owned(),
    ] {
        let error = attacker.query(&statement, &[]).unwrap_err();
        assert_eq!(sqlstate(&error), "42501", "{statement}");
    }
    // A run of its own makes no figures.
    database.run("DELETE FROM sop_ml.sop_peer_benchmarks");
    attacker
        .query(
            &format!(
                "SELECT * FROM sop_ml.run_daily_ml_aggregation('{}', '2026-02-03')",
                ATTACKER.restaurant_id
            ),
            &[],
        )
        .unwrap();
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.sop_peer_benchmarks"),
        0
    );
}

#[test]
fn readers_do_not_wait_for_a_refresh() {
    let database = group("peers_refresh", 5);
    let mut refreshing = database.superuser();
    let mut transaction = refreshing.transaction().unwrap();
    let refreshed = transaction
        .query("SELECT * FROM sop_ml.refresh_performance_summaries()", &[])
        .unwrap();
    assert_eq!(refreshed.len(), 2);
    // Its locks are held until the end of the transaction.
    let mut reader = database.connect(ATTACKER.role);
    reader
        .batch_execute("SET lock_timeout = '2s'; SET statement_timeout = '10s'")
        .unwrap();
    for view in [
        "sop_daily_performance_summary",
        "sop_weekly_performance_trends",
    ] {
        let rows: i64 = reader
            .query_one(&format!("SELECT count(*) FROM sop_ml.{view}"), &[])
            .unwrap()
            .get(0);
        assert!(rows > 0 || view.contains("weekly"), "{view}");
    }
    transaction.rollback().unwrap();
}
