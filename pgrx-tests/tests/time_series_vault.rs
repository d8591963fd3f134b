//! Mode vault (TimescaleDB, Community edition): who reaches what behind the view, what stands for the policies that a compressed
//! hypertable cannot have, and what TimescaleDB's scheduler is told. That answers are those of every other backend is
//! `time_series_backends.rs`' affair, and how statements over the view are planned that of `time_series_vault_plans.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use sop_ml_e2e::series::{
    DEFINITION, OTHER, RESTAURANT, backend, community_database, compress, database, disable,
    enable_vault, start_timescale, vault,
};
use sop_ml_e2e::{Database, describe, sqlstate};

/// What a statement of a role answers: how many rows it touched, or its SQLSTATE.
fn outcome(database: &Database, role: &str, statement: &str) -> Result<u64, String> {
    database
        .connect(role)
        .execute(statement, &[])
        .map_err(|error| sqlstate(&error).to_owned())
}

fn refused(state: &str) -> Result<u64, String> {
    Err(state.to_owned())
}

#[test]
fn nothing_behind_the_view_can_be_named() {
    let Some(database) = vault("vault_closed") else {
        return;
    };
    database.run(
        "CALL refresh_continuous_aggregate('sop_ml_storage.sop_time_series_15_minutes', NULL, NULL)",
    );
    // An upgrade gives rights anew.
    database.run("SELECT sop_ml.install()");
    let behind = database.texts(
        "WITH RECURSIVE held (oid) AS (
             SELECT 'sop_ml_storage.sop_time_series_data'::regclass::oid
             UNION SELECT 'sop_ml_storage.sop_time_series_15_minutes'::regclass::oid
             UNION SELECT to_regclass(format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name))
                   FROM timescaledb_information.continuous_aggregates
             UNION SELECT i.inhrelid FROM held JOIN pg_inherits AS i ON i.inhparent = held.oid
         )
         SELECT oid::regclass::text FROM held
         UNION SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = '_ts_meta_count'
         UNION SELECT c.oid::regclass::text FROM pg_class AS c
               WHERE c.relkind IN ('r', 'v') AND c.relnamespace::regnamespace::text ~ '^_timescaledb'
                 AND c.relname ~ '^(compress_hyper|_compressed|_partial_view|_direct_view|_materialized)'",
    );
    assert!(behind.len() >= 15, "{behind:?}");
    for relation in &behind {
        for role in [
            "series_viewer_a",
            "series_analyst_a",
            "series_manager_a",
            "series_group_reader",
            "series_operator",
        ] {
            let read = outcome(&database, role, &format!("SELECT FROM {relation} LIMIT 1"));
            // TimescaleDB itself cannot read the (always empty) parent of the compressed chunks.
            let is_parent = relation.contains("_compressed_hypertable_");
            let state = if is_parent { "XX000" } else { "42501" };
            assert_eq!(read, refused(state), "{role}: {relation}");
            // Views over aggregates take no DELETE from anybody.
            let deleted = outcome(&database, role, &format!("DELETE FROM {relation}"));
            assert!(
                deleted == refused("42501")
                    || deleted == refused("55000")
                    || is_parent && deleted.is_err(),
                "{role}: {relation}: {deleted:?}"
            );
        }
    }
    println!(
        "{} relations behind the view, each closed to 5 roles",
        behind.len()
    );
    let statistics = "SELECT count(*) FROM pg_stats WHERE schemaname ~ '^_timescaledb' OR schemaname = 'sop_ml_storage' OR tablename ~ 'time_series_data'";
    let seen: i64 = database
        .connect("series_analyst_a")
        .query_one(statistics, &[])
        .unwrap()
        .get(0);
    assert_eq!(seen, 0);
    // A right that somebody gives away by mistake is found.
    let broken =
        "SELECT count(*) FROM sop_ml.self_check() WHERE status <> 'ok' AND rule = 'storage_closed'";
    assert_eq!(database.count(broken), 0);
    database.run("GRANT SELECT ON sop_ml_storage.sop_time_series_data TO sop_ml_viewer");
    assert!(database.count(broken) > 0);
}

#[test]
fn keys_of_others_do_not_show() {
    let Some(database) = vault("vault_oracle") else {
        return;
    };
    // A key that the other restaurant has in a compressed chunk, one that it has beside the compressed ones, and one that is free.
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         VALUES ('{OTHER}', 'temperature', '2025-03-05 10:00:01+00', 1)"
    ));
    for at in [
        "2025-03-05 10:00+00",
        "2025-03-05 10:00:01+00",
        "2025-03-05 10:00:02+00",
    ] {
        let insert = format!(
            "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value) VALUES ('{OTHER}', 'temperature', '{at}', 7)"
        );
        for conflict in [
            "",
            " ON CONFLICT DO NOTHING",
            " ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) DO UPDATE SET value = excluded.value",
        ] {
            assert_eq!(
                outcome(
                    &database,
                    "series_analyst_a",
                    &format!("{insert}{conflict}")
                ),
                refused("42501"),
                "{at}{conflict}"
            );
        }
        let update = format!(
            "UPDATE sop_ml.sop_time_series_data SET value = 7 WHERE restaurant_id = '{OTHER}' AND observed_at = '{at}'"
        );
        assert_eq!(outcome(&database, "series_analyst_a", &update), Ok(0));
        let delete = format!(
            "DELETE FROM sop_ml.sop_time_series_data WHERE restaurant_id = '{OTHER}' AND observed_at = '{at}'"
        );
        assert_eq!(outcome(&database, "series_analyst_a", &delete), Ok(0));
    }
    assert_eq!(
        database.count(&format!("SELECT count(*) FROM sop_ml.sop_time_series_data WHERE restaurant_id = '{OTHER}' AND value <> 7")),
        4321
    );
}

#[test]
fn levels_count_as_policies_say() {
    let Some(database) = vault("vault_levels") else {
        return;
    };
    // The database role may do everything, its member of the restaurant is a viewer.
    database.run("GRANT sop_ml_manager TO series_viewer_a");
    let one = format!(
        "restaurant_id = '{RESTAURANT}' AND metric_name = 'temperature' AND observed_at = '2025-03-05 10:00+00'"
    );
    let update = format!("UPDATE sop_ml.sop_time_series_data SET value = 7 WHERE {one}");
    let delete = format!("DELETE FROM sop_ml.sop_time_series_data WHERE {one}");
    let insert = format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value) VALUES ('{RESTAURANT}', 'new', '2025-03-05 10:00+00', 1)"
    );
    assert_eq!(
        outcome(&database, "series_viewer_a", &update),
        refused("42501")
    );
    assert_eq!(outcome(&database, "series_viewer_a", &delete), Ok(0));
    assert_eq!(
        outcome(&database, "series_viewer_a", &insert),
        refused("42501")
    );
    assert_eq!(outcome(&database, "series_staff_a", &insert), Ok(1));
    assert_eq!(
        outcome(&database, "series_staff_a", &update),
        refused("42501")
    );
    assert_eq!(outcome(&database, "series_analyst_a", &update), Ok(1));
    assert_eq!(outcome(&database, "series_analyst_a", &delete), Ok(1));
    assert_eq!(
        outcome(&database, "series_nobody", &insert),
        refused("42501")
    );
    // Superusers and operators write for every restaurant that exists.
    let for_nobody = insert.replace(RESTAURANT, "c0000000-0000-4000-8000-000000000003");
    for role in ["postgres", "series_operator"] {
        assert_eq!(
            outcome(&database, role, &for_nobody),
            refused("23503"),
            "{role}"
        );
    }
    let for_other = insert.replace(RESTAURANT, OTHER);
    assert_eq!(outcome(&database, "series_operator", &for_other), Ok(1));
    // What comes from the view is of the domain already; and a group reader sees more restaurants than he writes to.
    let copy = |from: &str| {
        format!(
            "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
             SELECT restaurant_id, 'copied', observed_at, value FROM sop_ml.sop_time_series_data
             WHERE restaurant_id = '{from}' AND observed_at = '2025-03-06 10:00+00' ON CONFLICT DO NOTHING"
        )
    };
    assert_eq!(
        outcome(&database, "series_viewer_a", &copy(RESTAURANT)),
        refused("42501")
    );
    database.run(&format!(
        "GRANT sop_ml_manager TO series_group_reader;
         UPDATE sop_ml.sop_restaurant_members SET access_level = 'manager' WHERE role_name = 'series_group_reader';
         ALTER ROLE series_group_reader IN DATABASE vault_levels SET sop_ml.restaurant_id = '{RESTAURANT}'"
    ));
    let group = "series_group_reader";
    assert_eq!(
        outcome(
            &database,
            group,
            &format!(
                "SELECT FROM sop_ml.sop_time_series_data WHERE restaurant_id = '{OTHER}' AND observed_at < '2025-03-02'"
            )
        ),
        Ok(144)
    );
    assert_eq!(outcome(&database, group, &copy(OTHER)), refused("42501"));
    assert_eq!(outcome(&database, group, &copy(RESTAURANT)), Ok(1));
    let upsert = copy(OTHER).replace(
        "ON CONFLICT DO NOTHING",
        "ON CONFLICT (restaurant_id, metric_name, sop_id, source, observed_at) DO UPDATE SET value = 0",
    );
    assert_eq!(outcome(&database, group, &upsert), refused("42501"));
    for restaurant in [OTHER, RESTAURANT] {
        let one = format!(
            "WHERE restaurant_id = '{restaurant}' AND observed_at = '2025-03-06 10:00+00' AND metric_name = 'temperature'"
        );
        let touched = Ok(u64::from(restaurant == RESTAURANT));
        for statement in [
            format!("UPDATE sop_ml.sop_time_series_data SET value = 7 {one}"),
            format!("DELETE FROM sop_ml.sop_time_series_data {one}"),
        ] {
            assert_eq!(
                outcome(&database, group, &statement),
                touched,
                "{statement}"
            );
        }
    }
    database.run(
        "REVOKE sop_ml_manager FROM series_group_reader;
         DELETE FROM sop_ml.sop_time_series_data WHERE metric_name = 'copied'",
    );
    // A whole segment at once, which TimescaleDB could drop without looking at its rows.
    database.run("DELETE FROM sop_ml_storage.dirty_buckets");
    let all = "DELETE FROM sop_ml.sop_time_series_data WHERE metric_name = 'temperature'";
    assert_eq!(outcome(&database, "series_viewer_a", all), Ok(0));
    assert_eq!(outcome(&database, "series_analyst_a", all), Ok(4318));
    assert_eq!(
        database.texts("SELECT format('%s %s', count(*), count(DISTINCT bucket_start)) FROM sop_ml_storage.dirty_buckets"),
        ["720 720"]
    );
    assert_eq!(
        database.texts("SELECT format('%s %s', metric_name, count(*)) FROM sop_ml.sop_time_series_data GROUP BY metric_name ORDER BY 1"),
        ["new 2", "temperature 4320"]
    );
}

#[test]
fn many_compressed_rows_can_be_changed_by_the_functions() {
    let Some(database) = vault("vault_limit") else {
        return;
    };
    database.run("ALTER DATABASE vault_limit SET timescaledb.max_tuples_decompressed_per_dml_transaction = 10");
    let by_hand = format!(
        "UPDATE sop_ml.sop_time_series_data SET value = 1 WHERE restaurant_id = '{RESTAURANT}' AND observed_at < '2025-03-03'"
    );
    assert_eq!(
        outcome(&database, "series_analyst_a", &by_hand),
        refused("53400")
    );
    let ingested: (i64, i64) = {
        let row = database
            .connect("series_analyst_a")
            .query_one(
                "SELECT f.inserted, f.updated
                 FROM (SELECT array_agg(timestamptz '2025-03-01 00:00+00' + i * interval '6 hours') AS times, array_agg(99.0::float8) AS observed,
                              array_agg('temperature'::text) AS metrics FROM generate_series(0, 119) AS i) AS s,
                      sop_ml.ingest_observations(NULL, s.metrics, NULL, s.times, s.observed) AS f",
                &[],
            )
            .unwrap();
        (row.get(0), row.get(1))
    };
    assert_eq!(ingested, (0, 120));
    // The limit holds again after the function.
    let of_other = by_hand.replace(RESTAURANT, OTHER);
    assert_eq!(
        outcome(&database, "series_analyst_b", &of_other),
        refused("53400")
    );
    database.run("DELETE FROM sop_ml_storage.dirty_buckets");
    compress_again(&database);
    let rows = "SELECT md5(string_agg(d::text, ',' ORDER BY d.restaurant_id, d.observed_at)) FROM sop_ml.sop_time_series_data AS d";
    let before = database.texts(rows);
    let archived = database.texts(
        "SELECT format('%s %s %s', status, count(*), sum(n)) FROM sop_ml.archive_time_series(NULL, '2025-04-01') GROUP BY status",
    );
    // Berlin's March, and what of New York's February is in UTC's March.
    assert_eq!(archived, ["done 2 4350"], "{archived:?}");
    let restored = database.texts(
        "SELECT format('%s %s', sum(n), sum(kept)) FROM sop_ml.restore_archive(NULL, '2025-01-01', '2025-05-01')",
    );
    assert_eq!(restored, ["4350 0"]);
    assert_eq!(database.texts(rows), before);
}

/// Chunks that were written to since.
fn compress_again(database: &Database) {
    database.run(
        "SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', false);
         SELECT compress_chunk(c) FROM show_chunks('sop_ml_storage.sop_time_series_data') AS c",
    );
}

#[test]
fn quarters_of_an_hour_are_read_in_real_time() {
    let Some(database) = vault("vault_buckets") else {
        return;
    };
    database.run(
        "CALL refresh_continuous_aggregate('sop_ml_storage.sop_time_series_15_minutes', NULL, '2025-03-20')",
    );
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value, quality_flag) VALUES
             ('{RESTAURANT}', 'temperature', '2025-04-10 10:01+00', 'NaN', NULL), ('{RESTAURANT}', 'temperature', '2025-04-10 10:02+00', 5, 'bad'),
             ('{RESTAURANT}', 'temperature', '2025-04-10 10:03+00', NULL, NULL), ('{RESTAURANT}', 'temperature', '2025-04-10 10:04+00', 6, NULL)"
    ));
    let computed = "SELECT format('%s %s %s %s %s %s %s %s', restaurant_id, metric_name, bucket_start, n, total, minimum, maximum, mean)
                    FROM (SELECT restaurant_id, metric_name, sop_id, date_bin('15 minutes', observed_at, '2000-01-01 00:00+00') AS bucket_start,
                                 count(*) AS n, sum(value) AS total, avg(value) AS mean, min(value) AS minimum, max(value) AS maximum
                          FROM sop_ml.sop_time_series_data
                          WHERE value > '-Infinity' AND value < 'Infinity' AND quality_flag IS DISTINCT FROM 'bad' GROUP BY 1, 2, 3, 4) AS b
                    ORDER BY 1";
    let kept = "SELECT format('%s %s %s %s %s %s %s %s', restaurant_id, metric_name, bucket_start, n, total, minimum, maximum, mean)
                FROM sop_ml.sop_time_series_15_minutes ORDER BY 1";
    for role in [
        "postgres",
        "series_viewer_a",
        "series_analyst_b",
        "series_group_reader",
        "series_operator",
        "series_nobody",
    ] {
        let texts = |query: &str| -> Vec<String> {
            let rows = database.connect(role).query(query, &[]).unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        };
        let buckets = texts(kept);
        assert_eq!(buckets, texts(computed), "{role}");
        assert_eq!(
            buckets.is_empty(),
            role == "series_nobody",
            "{role}: {}",
            buckets.len()
        );
    }
    // Late: a bucket that is kept is renewed by the next refresh.
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         VALUES ('{RESTAURANT}', 'temperature', '2025-03-02 10:01+00', 500)"
    ));
    run_job(&database, "policy_refresh_continuous_aggregate");
    assert_eq!(database.texts(kept), database.texts(computed));
    assert_eq!(
        database.texts("SELECT sop_ml.num_vals(sop_ml.rollup(stats))::text FROM sop_ml.sop_time_series_15_minutes"),
        database.texts("SELECT sum(n)::text FROM sop_ml.sop_time_series_15_minutes")
    );
}

/// Runs a job of TimescaleDB here and now.
fn run_job(database: &Database, name: &str) {
    let job = database.count(&format!(
        "SELECT job_id::bigint FROM timescaledb_information.jobs WHERE proc_name = '{name}'"
    ));
    database.run(&format!("CALL run_job({job})"));
}

/// The jobs of TimescaleDB that sop_ml has registered.
fn jobs(database: &Database) -> Vec<String> {
    database.texts(
        "SELECT concat_ws(' ', proc_name, schedule_interval, config ->> 'compress_after', config ->> 'start_offset')
         FROM timescaledb_information.jobs WHERE job_id >= 1000 ORDER BY 1",
    )
}

#[test]
fn the_scheduler_is_told_what_the_policy_says() {
    let Some(database) = community_database("vault_jobs") else {
        return;
    };
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT '{RESTAURANT}', 'temperature', now() - i * interval '2 hours', i FROM generate_series(0, 2399) AS i"
    ));
    enable_vault(&database);
    assert_eq!(
        jobs(&database),
        [
            "maintain_time_series 1 day",
            "policy_compression 12:00:00 7 days",
            "policy_refresh_continuous_aggregate 00:15:00"
        ]
    );
    let maintain = || -> Vec<String> {
        database.texts("SELECT action FROM sop_ml.maintain_partitions() WHERE relation = 'sop_time_series_data' ORDER BY 1")
    };
    assert_eq!(maintain(), Vec::<String>::new());
    database.run(
        "INSERT INTO sop_ml.sop_time_series_compression_policies (restaurant_id, relation_name, retention, compress_after)
         VALUES ('00000000-0000-0000-0000-000000000000', 'sop_time_series_data', '100 days', '30 days')",
    );
    // 200 days are there.
    let actions = maintain();
    let dropped = actions.iter().filter(|action| *action == "dropped").count();
    assert!((13..=15).contains(&dropped), "{actions:?}");
    assert_eq!(actions.last().unwrap(), "jobs of TimescaleDB renewed");
    assert_eq!(
        jobs(&database),
        [
            "maintain_time_series 1 day",
            "policy_compression 12:00:00 30 days",
            "policy_refresh_continuous_aggregate 00:15:00 100 days"
        ]
    );
    assert_eq!(maintain(), Vec::<String>::new());
    // Each of them does what it is there for.
    let compressed = "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_schema = 'sop_ml_storage' AND is_compressed";
    assert_eq!(database.count(compressed), 0);
    run_job(&database, "policy_compression");
    assert!((8..=11).contains(&database.count(compressed)));
    let size = "SELECT (before_compression_total_bytes / after_compression_total_bytes)::bigint FROM hypertable_compression_stats('sop_ml_storage.sop_time_series_data')";
    assert!(database.count(size) >= 1);
    run_job(&database, "policy_refresh_continuous_aggregate");
    database.run("UPDATE sop_ml.sop_time_series_compression_policies SET retention = '50 days', compress_after = NULL");
    run_job(&database, "maintain_time_series");
    let oldest = database.count("SELECT extract(day FROM now() - min(observed_at))::bigint FROM sop_ml.sop_time_series_data");
    assert!((50..=57).contains(&oldest), "{oldest}");
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.sop_retired_periods WHERE relation_name = 'sop_time_series_data' AND action = 'dropped'") as usize,
        dropped + 7
    );
    database.run("UPDATE sop_ml.sop_time_series_compression_policies SET status = 'paused'");
    maintain();
    assert_eq!(
        jobs(&database),
        [
            "maintain_time_series 1 day",
            "policy_refresh_continuous_aggregate 00:15:00"
        ]
    );
    // They go with the hypertable.
    disable(&database);
    assert_eq!(jobs(&database), Vec::<String>::new());
}

#[test]
fn the_way_there_and_back_loses_nothing() {
    let Some(database) = community_database("vault_definition") else {
        return;
    };
    database.run(
        "CREATE INDEX user_index ON sop_ml.sop_time_series_data (restaurant_id, recorded_by) WHERE recorded_by IS NOT NULL;
         CREATE FUNCTION public.user_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER user_trigger BEFORE INSERT ON sop_ml.sop_time_series_data FOR EACH ROW EXECUTE FUNCTION public.user_trigger();
         ALTER TABLE sop_ml.sop_time_series_data ADD CONSTRAINT user_check CHECK (unit <> 'furlongs');
         CREATE STATISTICS public.user_statistics (dependencies) ON metric_name, source FROM sop_ml.sop_time_series_data;
         CREATE ROLE vault_user; GRANT SELECT ON sop_ml.sop_time_series_data TO vault_user WITH GRANT OPTION;
         GRANT UPDATE (unit) ON sop_ml.sop_time_series_data TO vault_user",
    );
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value, dimensions)
         SELECT '{RESTAURANT}', 'kept', now() - i * interval '5 hours', i, '{{\"shift\": \"late\"}}' FROM generate_series(1, 2000) AS i"
    ));
    let _ = database.query("SELECT * FROM sop_ml.maintain_partitions()");
    let policies = "SELECT format('%s %s %s', policyname, qual, with_check) FROM pg_policies WHERE tablename = 'sop_time_series_data' ORDER BY 1";
    let rights = "SELECT format('%s', acl) FROM pg_class, unnest(relacl) AS acl WHERE oid = 'sop_ml.sop_time_series_data'::regclass
                  UNION ALL SELECT format('%s %s', attname, attacl) FROM pg_attribute
                  WHERE attrelid = 'sop_ml.sop_time_series_data'::regclass AND attacl <> '{}' ORDER BY 1";
    let rows = "SELECT md5(string_agg(d::text, ',' ORDER BY d.observed_at)) FROM sop_ml.sop_time_series_data AS d";
    let open = "SELECT rule || ' ' || object_name FROM sop_ml.self_check() WHERE status <> 'ok'";
    let before = [DEFINITION, policies, rights, rows].map(|query| database.texts(query));
    for _ in 0..2 {
        assert_eq!(enable_vault(&database).1, 2000);
        assert!(compress(&database) > 50);
        assert_eq!(database.texts(rights), before[2]);
        assert_eq!(database.texts(rows), before[3]);
        assert_eq!(database.texts(open), Vec::<String>::new());
        assert_eq!(enable_vault(&database).0, "unchanged");
        database.run("SELECT sop_ml.install()");
        assert_eq!(database.texts(rights), before[2]);
        assert_eq!(database.texts(open), Vec::<String>::new());
        assert_eq!(disable(&database).1, 2000);
        let after = [DEFINITION, policies, rights, rows].map(|query| database.texts(query));
        assert_eq!(after, before);
        assert_eq!(database.texts(open), Vec::<String>::new());
    }
}

/// The message of what is refused.
fn refusal(database: &Database, statement: &str) -> String {
    let error = database
        .superuser()
        .batch_execute(statement)
        .expect_err(statement);
    describe(&error)
}

#[test]
fn what_a_vault_would_lose_is_named() {
    const ENABLE: &str = "SELECT sop_ml.enable_timescaledb()";
    const DISABLE: &str = "SELECT sop_ml.disable_timescaledb()";
    let Some(database) = community_database("vault_refused") else {
        return;
    };
    database.run(
        "CREATE POLICY user_policy ON sop_ml.sop_time_series_data AS RESTRICTIVE FOR SELECT USING (source <> 'secret');
         INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         VALUES ('c0000000-0000-4000-8000-000000000003', 'of nobody', now(), 1)",
    );
    let message = refusal(&database, ENABLE);
    for obstacle in [
        "55000",
        "policy user_policy",
        "readings of restaurant c0000000-0000-4000-8000-000000000003",
    ] {
        assert!(message.contains(obstacle), "{message}");
    }
    assert_eq!(backend(&database), "native rls");
    database.run("DROP POLICY user_policy ON sop_ml.sop_time_series_data; DELETE FROM sop_ml.sop_time_series_data");
    enable_vault(&database);
    // What hangs on the views, or on the hypertable, is not dropped with them.
    for (make, drop, obstacle) in [
        ("CREATE VIEW public.mine AS SELECT * FROM sop_ml.sop_time_series_data", "DROP VIEW public.mine", "view"),
        ("CREATE VIEW public.mine AS SELECT * FROM sop_ml.sop_time_series_15_minutes", "DROP VIEW public.mine", "view"),
        (
            "CREATE MATERIALIZED VIEW public.mine WITH (timescaledb.continuous) AS SELECT time_bucket('1 day', observed_at) AS day, count(*)
             FROM sop_ml_storage.sop_time_series_data GROUP BY 1 WITH NO DATA",
            "DROP MATERIALIZED VIEW public.mine",
            "view",
        ),
    ] {
        database.run(make);
        let message = refusal(&database, DISABLE);
        assert!(message.starts_with("55000") && message.contains(obstacle), "{message}");
        assert_eq!(backend(&database), "timescale_community vault");
        database.run(drop);
    }
    assert_eq!(disable(&database).0, "converted");
    assert_eq!(
        refusal(
            &database,
            "SELECT count(*) FROM sop_ml.sop_time_series_15_minutes"
        )
        .split(' ')
        .next(),
        Some("42P01")
    );
}

#[test]
fn a_version_that_loses_changes_is_refused() {
    let Some(cluster) = start_timescale("vault_probe") else {
        return;
    };
    let database = database(&cluster, "vault_probe");
    let version = database
        .texts("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
        .concat();
    let is_old_server =
        database.count("SELECT current_setting('server_version_num')::bigint") < 170_000;
    let is_community = database.texts("SHOW timescaledb.license") != ["apache"];
    if version.starts_with("2.22.") && is_old_server && is_community {
        let message = refusal(&database, "SELECT sop_ml.enable_timescaledb()");
        assert!(
            message.starts_with("0A000") && message.contains("bitmap scan"),
            "{message}"
        );
        assert_eq!(backend(&database), "native rls");
    } else {
        println!("SKIPPED: TimescaleDB {version} changes what it finds by a bitmap scan");
    }
    assert_eq!(
        database.count("SELECT count(*) FROM pg_class WHERE relname = 'vault_probe'"),
        0
    );
}
