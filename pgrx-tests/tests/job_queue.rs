//! The job queue: enqueued with the transaction, run once as the submitter, retried, buried, resumed after a kill.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::thread;
use std::time::Instant;

use sop_ml_e2e::process::wait_for;
use sop_ml_e2e::{Cluster, Database, describe, effort, shared, sqlstate, tokens};

const ONE: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const TWO: &str = "bbbbbbbb-0000-4000-8000-000000000002";
/// What the roll-up locks (src/aggregation/mod.rs): whoever holds it makes such a job wait.
const HOLD_ROLL_UP: &str = "SELECT pg_advisory_lock(x'736f7061'::bigint)";

/// Two restaurants with a manager each, and an operator.
fn filled(database: &Database) {
    database.run(&format!(
        "DO $$ BEGIN
             CREATE ROLE job_one LOGIN; CREATE ROLE job_two LOGIN; CREATE ROLE job_operator LOGIN BYPASSRLS;
             GRANT sop_ml_manager TO job_one, job_two; GRANT sop_ml_operator TO job_operator;
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
         INSERT INTO sop_ml.sop_restaurants (restaurant_id, name) VALUES ('{ONE}', 'One'), ('{TWO}', 'Two');
         INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
         VALUES ('{ONE}', 'job_one', 'manager'), ('{TWO}', 'job_two', 'manager')"
    ));
}

fn database(name: &str) -> Database {
    let database = shared().database_with_extension(name);
    filled(&database);
    database
}

fn text(database: &Database, role: &str, statement: &str) -> String {
    database
        .connect(role)
        .query_one(statement, &[])
        .unwrap_or_else(|error| panic!("{role}: {statement}: {}", describe(&error)))
        .get::<_, Option<String>>(0)
        .unwrap_or_default()
}

/// `succeeded/failed` of one call.
fn run_jobs(database: &Database, arguments: &str) -> String {
    let row = database
        .connect("job_operator")
        .query_one(&format!("CALL sop_ml.run_jobs({arguments})"), &[])
        .unwrap_or_else(|error| panic!("run_jobs: {}", describe(&error)));
    format!("{}/{}", row.get::<_, i64>(0), row.get::<_, i64>(1))
}

const BASELINES: &str = "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines')::text";

#[test]
fn a_job_exists_when_its_transaction_commits_and_once_per_key() {
    let database = database("jobs_enqueue");
    let mut client = database.connect("job_one");
    let mut transaction = client.transaction().unwrap();
    transaction.query_one(BASELINES, &[]).unwrap();
    transaction.rollback().unwrap();
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.sop_job_queue"),
        0
    );

    let keyed = "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines', '{}', '{\"unique_key\": \"k\"}')::text";
    let first = text(&database, "job_one", keyed);
    assert_eq!(text(&database, "job_one", keyed), first);
    // The key is the restaurant's own.
    assert_ne!(text(&database, "job_two", keyed), first);
    assert_eq!(run_jobs(&database, ""), "2/0");
    assert_ne!(
        text(&database, "job_one", keyed),
        first,
        "the first one is finished"
    );

    // Many at the same moment: one job.
    let ids: Vec<String> = thread::scope(|scope| {
        let callers: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| text(&database, "job_two", keyed)))
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    for (statement, state) in [
        (
            "SELECT sop_ml.enqueue_job(NULL, 'drop_everything')",
            "22023",
        ),
        (
            "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines', '{\"sql\": \"x\"}')",
            "22023",
        ),
        (
            "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines', '{}', '{\"max_attempts\": 0}')",
            "22023",
        ),
        (
            "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines', '{}', '{\"schedule_interval\": \"-1 day\"}')",
            "22023",
        ),
        (
            "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines', '{}', '{\"run_at\": \"soon\"}')",
            "22023",
        ),
        (
            "SELECT sop_ml.enqueue_job(NULL, 'maintain_partitions')",
            "42501",
        ),
        (
            "SELECT sop_ml.enqueue_job('bbbbbbbb-0000-4000-8000-000000000002', 'compute_baselines')",
            "42501",
        ),
        ("SELECT * FROM sop_ml.claim_job()", "42501"),
        ("CALL sop_ml.run_jobs()", "42501"),
    ] {
        let error = database
            .connect("job_one")
            .batch_execute(statement)
            .unwrap_err();
        assert_eq!(sqlstate(&error), state, "{statement}: {}", describe(&error));
    }
}

#[test]
fn a_job_runs_as_its_submitter_and_cannot_be_forged() {
    let database = database("jobs_identity");
    // Claims to be somebody else are overwritten, and the row cannot be changed afterwards.
    let mut one = database.connect("job_one");
    one.batch_execute(&format!(
        "INSERT INTO sop_ml.sop_job_queue (restaurant_id, job_name, submitted_by, access_level, identity_source)
         VALUES ('{ONE}', 'maintain_partitions', 'postgres', 'owner', 'unrestricted')"
    ))
    .unwrap();
    for change in [
        "submitted_by = 'postgres'",
        "job_name = 'compute_baselines'",
        "parameters = '{\"day\": \"2026-01-01\"}'",
        "identity_source = 'token'",
        "access_level = 'owner'",
    ] {
        let error = one
            .batch_execute(&format!("UPDATE sop_ml.sop_job_queue SET {change}"))
            .unwrap_err();
        assert_eq!(sqlstate(&error), "55000", "{change}: {}", describe(&error));
    }
    assert_eq!(run_jobs(&database, ""), "0/1");
    let failed = "SELECT submitted_by || ' ' || last_sqlstate || ' ' || last_error FROM sop_ml.sop_job_queue";
    assert_eq!(
        text(&database, "postgres", failed),
        "job_one 42501 job \"maintain_partitions\" is for operators"
    );
    database.run("DELETE FROM sop_ml.sop_job_queue");

    // What a job writes is written as its submitter, whose restaurant it is.
    database.run(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT r.restaurant_id, 'covers', now() - n * interval '1 hour', n
           FROM sop_ml.sop_restaurants AS r, generate_series(1, 48) AS n",
    );
    text(
        &database,
        "job_one",
        "SELECT sop_ml.enqueue_job(NULL, 'aggregate_performance',
            jsonb_build_object('from_time', now() - interval '3 days', 'to_time', now()))::text",
    );
    assert_eq!(run_jobs(&database, ""), "1/0");
    let whose = "SELECT string_agg(DISTINCT restaurant_id::text, ',') FROM sop_ml.sop_performance_aggregates";
    assert_eq!(text(&database, "postgres", whose), ONE);
    let role = "SELECT string_agg(DISTINCT role_name, ',') FROM sop_ml.sop_job_runs WHERE status = 'succeeded'";
    assert_eq!(text(&database, "postgres", role), "job_one");

    // Membership that ended between submission and run.
    text(&database, "job_one", BASELINES);
    database.run(
        "UPDATE sop_ml.sop_restaurant_members SET status = 'revoked' WHERE role_name = 'job_one'",
    );
    assert_eq!(run_jobs(&database, ""), "0/1");
    let state = format!(
        "SELECT last_sqlstate FROM sop_ml.sop_job_queue WHERE restaurant_id = '{ONE}' AND status = 'failed'"
    );
    assert_eq!(text(&database, "postgres", &state), "42501");
}

#[test]
fn a_job_of_a_token_has_the_level_of_that_token() {
    let database = database("jobs_token");
    let keys = tokens::key_set(&tokens::signers());
    database.run(&format!(
        "ALTER DATABASE jobs_token SET sop_ml.jwks = '{keys}';
         DO $$ BEGIN CREATE ROLE job_web LOGIN; GRANT sop_ml_owner TO job_web;
               EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    ));
    let [ed, ..] = tokens::signers();
    let mut web = database.connect("job_web");
    for (level, allowed) in [("analyst", false), ("manager", true)] {
        let token = ed.sign(&tokens::claims(ONE, level, 600));
        web.batch_execute(&format!("SET sop_ml.jwt = '{token}'"))
            .unwrap();
        let outcome = web.query_one(BASELINES, &[]);
        assert_eq!(outcome.is_ok(), allowed, "{level}");
    }
    // An analyst may insert a row, but the job then has an analyst's rights.
    let token = ed.sign(&tokens::claims(ONE, "analyst", 600));
    web.batch_execute(&format!(
        "SET sop_ml.jwt = '{token}';
         INSERT INTO sop_ml.sop_job_queue (restaurant_id, job_name) VALUES ('{ONE}', 'compute_baselines')"
    ))
    .unwrap();
    assert_eq!(run_jobs(&database, ""), "1/1");
    let how = "SELECT string_agg(identity_source || ' ' || access_level || ' ' || status, ', ' ORDER BY access_level)
                 FROM sop_ml.sop_job_queue";
    assert_eq!(
        text(&database, "postgres", how),
        "token analyst failed, token manager succeeded"
    );
}

#[test]
fn a_failing_job_is_retried_later_and_later_then_buried_with_an_alert() {
    let database = database("jobs_retry");
    // from_time is missing: it fails every time.
    text(
        &database,
        "job_one",
        "SELECT sop_ml.enqueue_job(NULL, 'aggregate_performance', '{}', '{\"max_attempts\": 3}')::text",
    );
    let mut waits = Vec::new();
    for attempt in 1..=3 {
        assert_eq!(run_jobs(&database, ""), "0/1", "attempt {attempt}");
        assert_eq!(run_jobs(&database, ""), "0/0", "not due again at once");
        waits.push(database.count(
            "SELECT round(extract(epoch FROM run_at - finished_at))::bigint FROM sop_ml.sop_job_queue",
        ));
        database.run("UPDATE sop_ml.sop_job_queue SET run_at = now()");
    }
    assert_eq!(waits[..2], [10, 20]);
    let end = "SELECT status || ' ' || attempts || ' ' || last_sqlstate FROM sop_ml.sop_job_queue";
    assert_eq!(text(&database, "postgres", end), "dead 3 22023");
    assert_eq!(run_jobs(&database, ""), "0/0", "a dead job stays dead");
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.sop_job_runs WHERE status = 'failed'"),
        3
    );
    let alert = "SELECT source || ' ' || severity || ' ' || title FROM sop_ml.sop_alerts";
    assert_eq!(
        text(&database, "job_one", alert),
        "job high Job aggregate_performance was given up"
    );
}

#[test]
fn several_workers_run_every_job_once_and_restaurants_take_turns() {
    let database = database("jobs_workers");
    let jobs = effort::figure(60, 2_000);
    database
        .connect("job_one")
        .batch_execute(&format!(
            "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines') FROM generate_series(1, {jobs})"
        ))
        .unwrap();
    text(&database, "job_two", BASELINES);
    let started = Instant::now();
    let done: i64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let answer = run_jobs(&database, "max_jobs => 100000, budget => '10 minutes'");
                    answer.split('/').next().unwrap().parse::<i64>().unwrap()
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    let seconds = started.elapsed().as_secs_f64();
    let all = i64::try_from(jobs).unwrap() + 1;
    assert_eq!(done, all);
    assert_eq!(
        database.count(
            "SELECT count(*) FROM sop_ml.sop_job_queue WHERE status = 'succeeded' AND attempts = 1 AND fencing_token = 1"
        ),
        all
    );
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.sop_job_runs WHERE step = 'job'"),
        all
    );
    // The other restaurant's single job did not wait for all of these.
    let place = database.count(&format!(
        "SELECT place FROM (SELECT restaurant_id, row_number() OVER (ORDER BY started_at) AS place FROM sop_ml.sop_job_queue) AS q
          WHERE restaurant_id = '{TWO}'"
    ));
    assert!(
        place <= 6,
        "the job of the second restaurant was number {place}"
    );
    println!(
        "job queue: {all} jobs by 4 workers, each once, {:.0} jobs/s",
        all as f64 / seconds
    );
}

#[test]
fn an_old_claim_does_nothing() {
    let database = database("jobs_fencing");
    text(&database, "job_one", BASELINES);
    let claim = "SELECT fencing_token FROM sop_ml.claim_job()";
    let mut operator = database.connect("job_operator");
    let first: i64 = operator.query_one(claim, &[]).unwrap().get(0);
    assert!(
        operator.query(claim, &[]).unwrap().is_empty(),
        "claimed already"
    );
    database.run("UPDATE sop_ml.sop_job_queue SET lease_until = now() - interval '1 second'");
    let second: i64 = operator.query_one(claim, &[]).unwrap().get(0);
    assert!(second > first);
    let mut execute = |token: i64| -> String {
        operator
            .query_one(
                "SELECT sop_ml.execute_job(restaurant_id, job_id, $1) FROM sop_ml.sop_job_queue",
                &[&token],
            )
            .unwrap()
            .get(0)
    };
    assert_eq!(execute(first), "lost");
    assert_eq!(execute(second), "succeeded");
    assert_eq!(execute(second), "lost", "it is finished");
}

#[test]
fn dependencies_and_schedules_are_kept() {
    let database = database("jobs_order");
    let first = text(
        &database,
        "job_one",
        "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines', '{}', '{\"run_at\": \"2099-01-01 00:00:00+00\"}')::text",
    );
    let after = |id: &str| {
        text(
            &database,
            "job_one",
            &format!(
                "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines', '{{}}', '{{\"depends_on\": [\"{id}\"]}}')::text"
            ),
        )
    };
    let second = after(&first);
    let third = after(&second);
    assert_eq!(run_jobs(&database, ""), "0/0");
    database.run(&format!(
        "UPDATE sop_ml.sop_job_queue SET run_at = now() WHERE job_id = '{first}'"
    ));
    assert_eq!(run_jobs(&database, ""), "3/0");
    let order =
        "SELECT string_agg(job_id::text, ',' ORDER BY started_at) FROM sop_ml.sop_job_queue";
    assert_eq!(
        text(&database, "postgres", order),
        format!("{first},{second},{third}")
    );

    // What depends on a job that was taken back is taken back too.
    let first = text(
        &database,
        "job_one",
        "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines', '{}', '{\"run_at\": \"2099-01-01 00:00:00+00\"}')::text",
    );
    let second = after(&first);
    assert_eq!(
        text(
            &database,
            "job_one",
            &format!("SELECT sop_ml.cancel_job(NULL, '{first}')")
        ),
        "queued"
    );
    assert_eq!(run_jobs(&database, ""), "0/0");
    let status = format!("SELECT status FROM sop_ml.sop_job_queue WHERE job_id = '{second}'");
    assert_eq!(text(&database, "postgres", &status), "cancelled");

    // A job with a schedule is queued again, in the future, however late it ran.
    text(
        &database,
        "job_one",
        "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines', '{}',
            '{\"schedule_interval\": \"1 hour\", \"unique_key\": \"hourly\", \"run_at\": \"2020-01-01 00:00:00+00\"}')::text",
    );
    text(
        &database,
        "job_two",
        "SELECT sop_ml.enqueue_job(NULL, 'compute_baselines', '{}', '{\"schedule_local_time\": \"03:30\"}')::text",
    );
    assert_eq!(run_jobs(&database, "max_jobs => 1"), "1/0");
    let next = "SELECT status || ' ' || (run_at > now() - interval '1 minute') || ' ' || attempts FROM sop_ml.sop_job_queue WHERE unique_key = 'hourly'";
    assert_eq!(text(&database, "postgres", next), "queued true 0");
    let daily = format!(
        "SELECT run_at::time || ' ' || (run_at >= now()) || ' ' || (run_at < now() + interval '1 day') FROM sop_ml.sop_job_queue
          WHERE restaurant_id = '{TWO}'"
    );
    assert_eq!(text(&database, "postgres", &daily), "03:30:00 true true");
}

#[test]
fn every_kind_of_job_runs_for_the_installation() {
    let database = database("jobs_kinds");
    let as_operator = |statement: &str| {
        let mut client = database.connect("job_operator");
        client.batch_execute("SET ROLE sop_ml_operator").unwrap();
        client
            .batch_execute(statement)
            .unwrap_or_else(|error| panic!("{statement}: {}", describe(&error)));
    };
    // Twice: a summary is refreshed in another way once it is populated.
    for _ in 0..2 {
        for kind in [
            "run_daily_ml_aggregation",
            "refresh_performance_summaries",
            "maintain_partitions",
        ] {
            as_operator(&format!("SELECT sop_ml.enqueue_job(NULL, '{kind}')"));
        }
        as_operator(&format!(
            "SELECT sop_ml.enqueue_job('{ONE}', 'validate_ml_training_data_quality', '{{\"relation\": \"sop_ml.sop_user_interactions\"}}')"
        ));
        as_operator("CALL sop_ml.run_jobs()");
    }
    let outcome = "SELECT string_agg(DISTINCT status || coalesce(': ' || last_error, ''), ', ') FROM sop_ml.sop_job_queue";
    assert_eq!(text(&database, "postgres", outcome), "succeeded");
    let failed = "SELECT coalesce(string_agg(step || ': ' || detail, ', '), 'none') FROM sop_ml.sop_job_runs WHERE status <> 'succeeded'";
    assert_eq!(text(&database, "postgres", failed), "none");
}

#[test]
fn a_job_whose_process_was_killed_is_resumed() {
    let cluster = Cluster::start("jobs-crash");
    let database = cluster.database_with_extension("jobs_crash");
    filled(&database);
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT '{ONE}', 'covers', now() - n * interval '1 hour', n FROM generate_series(1, 48) AS n"
    ));
    text(
        &database,
        "job_one",
        "SELECT sop_ml.enqueue_job(NULL, 'aggregate_performance',
            jsonb_build_object('from_time', now() - interval '3 days', 'to_time', now()))::text",
    );
    // The job begins and waits for a lock; then its process is killed.
    let mut holder = database.superuser();
    holder.batch_execute(HOLD_ROLL_UP).unwrap();
    let mut worker = database.connect("job_operator");
    let pid: i32 = worker
        .query_one("SELECT pg_backend_pid()", &[])
        .unwrap()
        .get(0);
    let running = thread::spawn(move || worker.query_one("CALL sop_ml.run_jobs()", &[]).is_err());
    let mut watcher = database.superuser();
    wait_for("the job waits for the lock", || {
        let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock')";
        watcher.query_one(waits, &[&pid]).unwrap().get(0)
    });
    // While it lives nobody else gets the job, even when the lease is over.
    watcher.batch_execute("SET lock_timeout = '200ms'").unwrap();
    assert!(
        watcher
            .query("SELECT * FROM sop_ml.claim_job()", &[])
            .unwrap()
            .is_empty()
    );
    cluster.kill_backend(u32::try_from(pid).unwrap());
    assert!(running.join().unwrap(), "the call ends with its process");
    cluster.wait_until_ready();
    let mut client = database.superuser();
    let state: String = client
        .query_one(
            "SELECT status || ' ' || attempts FROM sop_ml.sop_job_queue",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(state, "running 1", "the attempt is on record");
    assert_eq!(run_jobs(&database, ""), "0/0", "its lease holds");
    client
        .batch_execute("UPDATE sop_ml.sop_job_queue SET lease_until = now()")
        .unwrap();
    assert_eq!(run_jobs(&database, ""), "1/0");
    let state: String = client
        .query_one(
            "SELECT status || ' ' || attempts FROM sop_ml.sop_job_queue",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(state, "succeeded 2");
    assert!(database.count("SELECT count(*) FROM sop_ml.sop_performance_aggregates") > 0);
}
