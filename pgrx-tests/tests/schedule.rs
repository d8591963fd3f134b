//! `schedule_jobs()`: what it does where pg_cron is in the database, in another one, and nowhere; and that the entry fires.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::time::{Duration, Instant};

use sop_ml_e2e::{Cluster, Database, shared, sqlstate};

/// Name, status and statement of each row.
fn schedule(database: &Database, argument: &str) -> Vec<(String, String, Option<String>)> {
    database
        .query(&format!("SELECT * FROM sop_ml.schedule_jobs({argument})"))
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

fn statuses(rows: &[(String, String, Option<String>)]) -> Vec<&str> {
    rows.iter().map(|(_, status, _)| status.as_str()).collect()
}

fn standing_jobs(database: &Database) -> Vec<String> {
    database.texts(
        "SELECT format('%s %s %s', job_name, unique_key, status) FROM sop_ml.sop_job_queue
          WHERE unique_key IN ('nightly', 'partitions', 'policies') ORDER BY 1",
    )
}

#[test]
fn without_pg_cron_it_says_what_to_run_and_queues_what_always_runs() {
    let database = shared().database_with_extension("schedule_without");
    let rows = schedule(&database, "");
    assert!(rows[0].1.starts_with("pg_cron is not loaded"), "{rows:?}");
    assert_eq!(rows[0].2.as_deref(), Some("CALL sop_ml.run_jobs();"));
    assert_eq!(statuses(&rows[1..]), ["queued", "queued", "queued"]);
    assert_eq!(
        standing_jobs(&database),
        [
            "apply_time_series_policies policies queued",
            "maintain_partitions partitions queued",
            "run_daily_ml_aggregation nightly queued"
        ]
    );
    assert_eq!(
        statuses(&schedule(&database, "")[1..]),
        ["unchanged", "unchanged", "unchanged"]
    );
    assert_eq!(standing_jobs(&database).len(), 3);
    // Nothing to remove, and nothing left to run.
    let removed = schedule(&database, "NULL");
    assert_eq!((statuses(&removed), &removed[0].2), (vec!["absent"], &None));
    let mut client = database.superuser();
    for (statement, state) in [
        ("SELECT sop_ml.schedule_jobs('')", "22023"),
        (
            "SET ROLE sop_ml_owner; SELECT sop_ml.schedule_jobs()",
            "42501",
        ),
    ] {
        let error = client.batch_execute(statement).unwrap_err();
        assert_eq!(sqlstate(&error), state, "{statement}");
    }
}

#[test]
fn with_pg_cron_the_entry_is_kept_as_asked_and_fires() {
    let is_packaged = shared()
        .existing_database("postgres")
        .count("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'");
    if is_packaged == 0 {
        println!("SKIPPED: pg_cron is not installed for this server");
        return;
    }
    let cluster = Cluster::start_with(
        "schedule",
        &[
            "shared_preload_libraries=pg_cron",
            "cron.database_name=home",
            "cron.use_background_workers=on",
            "max_worker_processes=20",
            "fsync=off",
        ],
    );
    let home = cluster.database("home");
    home.run("CREATE EXTENSION sop_ml; CREATE EXTENSION pg_cron");
    // An entry of sop_ml_operator's could not log in: it is told what a superuser has to run.
    let mut operator = home.superuser();
    operator.batch_execute("SET ROLE sop_ml_operator").unwrap();
    let row = operator
        .query_one(
            "SELECT * FROM sop_ml.schedule_jobs() WHERE job_name = 'run_jobs'",
            &[],
        )
        .unwrap();
    assert_eq!(row.get::<_, &str>(1), "run the statement as superuser");
    assert_eq!(home.count("SELECT count(*) FROM cron.job"), 0);
    home.run(row.get(2));
    assert_eq!(statuses(&schedule(&home, "NULL")), ["removed"]);
    assert_eq!(statuses(&schedule(&home, ""))[0], "scheduled");
    assert_eq!(statuses(&schedule(&home, ""))[0], "unchanged");
    assert_eq!(
        statuses(&schedule(&home, "'*/5 * * * *'"))[0],
        "rescheduled"
    );
    assert_eq!(
        home.texts("SELECT jobname || ' ' || schedule || ' ' || command FROM cron.job"),
        ["sop_ml run_jobs home */5 * * * * CALL sop_ml.run_jobs()"]
    );
    assert_eq!(statuses(&schedule(&home, "NULL")), ["removed"]);
    assert_eq!(statuses(&schedule(&home, "NULL")), ["absent"]);

    // From another database: the statement, run at home, makes an entry for it.
    let other = cluster.database_with_extension("other");
    let rows = schedule(&other, "'* * * * *'");
    assert_eq!(rows[0].1, "run the statement in database home");
    home.run(rows[0].2.as_deref().unwrap());
    other.run(
        "INSERT INTO sop_ml.sop_restaurants (restaurant_id, name) VALUES ('00000000-0000-0000-0000-0000000a5001', 'Scheduled');
         SELECT sop_ml.enqueue_job('00000000-0000-0000-0000-0000000a5001', 'compute_baselines')",
    );
    let started = Instant::now();
    let runs = loop {
        let runs = other.texts(
            "SELECT job_name || ' ' || status FROM sop_ml.sop_job_runs WHERE job_name = 'compute_baselines'",
        );
        if !runs.is_empty() || started.elapsed() > Duration::from_secs(150) {
            break runs;
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    assert_eq!(
        runs,
        ["compute_baselines succeeded"],
        "what pg_cron says: {:?}",
        home.texts("SELECT coalesce(status, '') || ' ' || coalesce(return_message, '') FROM cron.job_run_details")
    );
    let rows = schedule(&other, "NULL");
    home.run(rows[0].2.as_deref().unwrap());
    assert_eq!(home.count("SELECT count(*) FROM cron.job"), 0);
}
