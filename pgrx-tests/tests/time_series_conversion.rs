//! Conversions of the time series to a hypertable and back: nothing is lost, neither of the table nor of what is written
//! meanwhile, and what cannot be converted is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::sync::atomic::{AtomicBool, Ordering};

use sop_ml_e2e::effort::figure;
use sop_ml_e2e::series::{
    DEFINITION, RESTAURANT, add_people, backend, community_database, compress, database, disable,
    enable, enable_vault, is_apache, parts, start_refused_timescale, timescale,
};
use sop_ml_e2e::{Cluster, Database, blocks, describe, shared, sqlstate};

/// Everything else: the conditions of the policies, and which rights stand on the table and which on columns.
const EXACTLY: &str = "
SELECT format('%s %s', policyname, qual) FROM pg_policies WHERE schemaname = 'sop_ml' AND tablename = 'sop_time_series_data'
UNION ALL SELECT format('%s', acl) FROM pg_class, unnest(relacl) AS acl WHERE oid = 'sop_ml.sop_time_series_data'::regclass
UNION ALL SELECT format('%s %s', attname, attacl) FROM pg_attribute
WHERE attrelid = 'sop_ml.sop_time_series_data'::regclass AND attacl <> '{}' ORDER BY 1";

/// What users add to the table is theirs after a conversion too.
const ADDITIONS: &str = "
CREATE INDEX user_index ON sop_ml.sop_time_series_data (restaurant_id, recorded_by) WHERE recorded_by IS NOT NULL;
COMMENT ON INDEX sop_ml.user_index IS 'who recorded';
CREATE FUNCTION public.user_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER user_trigger BEFORE INSERT ON sop_ml.sop_time_series_data FOR EACH ROW EXECUTE FUNCTION public.user_trigger();
COMMENT ON TRIGGER user_trigger ON sop_ml.sop_time_series_data IS 'does nothing';
CREATE POLICY user_policy ON sop_ml.sop_time_series_data AS RESTRICTIVE FOR SELECT TO sop_ml_viewer USING (source <> 'secret');
ALTER TABLE sop_ml.sop_time_series_data ADD CONSTRAINT user_check CHECK (unit <> 'furlongs');
ALTER TABLE sop_ml.sop_time_series_data ALTER COLUMN source SET STATISTICS 300;
CREATE STATISTICS public.user_statistics (dependencies) ON metric_name, source FROM sop_ml.sop_time_series_data;
ALTER TABLE sop_ml.sop_time_series_data REPLICA IDENTITY FULL;
CREATE ROLE series_user; GRANT SELECT ON sop_ml.sop_time_series_data TO series_user WITH GRANT OPTION;
GRANT UPDATE (unit) ON sop_ml.sop_time_series_data TO series_user;";

#[test]
fn nothing_of_the_table_is_lost() {
    let Some(cluster) = timescale() else { return };
    let database = database(cluster, "series_definition");
    database.run(ADDITIONS);
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT '{RESTAURANT}', 'kept', now() - i * interval '5 hours', i FROM generate_series(1, 2000) AS i;
         INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         VALUES ('{RESTAURANT}', 'kept', '0001-01-01 00:00+00', 0), ('{RESTAURANT}', 'kept', '9999-12-31 00:00+00', 0)"
    ));
    let _ = database.query("SELECT * FROM sop_ml.maintain_partitions()");
    let parts = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'sop_ml.sop_time_series_data'::regclass ORDER BY 1";
    let before = (
        database.texts(DEFINITION),
        database.texts(EXACTLY),
        database.texts(parts),
    );
    let rows = "SELECT md5(string_agg(d::text, ',' ORDER BY d.observed_at)) FROM sop_ml.sop_time_series_data AS d";
    let content = database.texts(rows);

    assert_eq!(enable(&database).1, 2002);
    assert_eq!(database.texts(DEFINITION), before.0);
    assert_eq!(database.texts(rows), content);
    assert_eq!(enable(&database).0, "unchanged");
    let members = "SELECT count(*) FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'sop_ml'
                   JOIN pg_class AS c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e' AND c.relkind IN ('r', 'p')";
    assert_eq!(database.count(members), 0);
    // A right that is granted later reaches the chunks that are there; install() takes it back from them.
    database.run("GRANT SELECT ON sop_ml.sop_time_series_data TO series_viewer_a");
    let open = "SELECT count(*) FROM sop_ml.self_check() WHERE status <> 'ok'";
    assert!(database.count(open) > 0);
    database.run("REVOKE SELECT ON sop_ml.sop_time_series_data FROM series_viewer_a");
    database.run("SELECT sop_ml.install()");
    assert_eq!(database.count(open), 0);

    assert_eq!(disable(&database).1, 2002);
    assert_eq!(database.texts(DEFINITION), before.0);
    assert_eq!(database.texts(EXACTLY), before.1);
    assert_eq!(database.texts(parts), before.2);
    assert_eq!(database.texts(rows), content);
    assert_eq!(disable(&database).0, "unchanged");
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.self_check() WHERE status <> 'ok'"),
        0
    );
}

#[test]
fn writers_wait_and_lose_nothing() {
    let Some(cluster) = timescale() else { return };
    writers_through_conversions(&database(cluster, "series_writers"), enable);
}

#[test]
fn writers_wait_and_lose_nothing_in_mode_vault() {
    let Some(database) = community_database("vault_writers") else {
        return;
    };
    writers_through_conversions(&database, enable_vault);
}

fn writers_through_conversions(
    database: &Database,
    enable: fn(&Database) -> (String, i64, String),
) {
    let writers = figure(4, 16);
    let done = AtomicBool::new(false);
    let written: i64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                let done = &done;
                scope.spawn(move || {
                    let mut client = database.connect("series_staff_a");
                    let statement = client
                        .prepare(
                            "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, source, observed_at, value)
                             VALUES ('a0000000-0000-4000-8000-000000000001', 'written', $1, timestamptz '2025-01-01 00:00+00' + $2::float8 * interval '1 hour', 1)",
                        )
                        .unwrap();
                    let source = format!("writer {writer}");
                    let mut written = 0_i64;
                    while !done.load(Ordering::Relaxed) || written < 100 {
                        // Prepared before the conversion, and planned anew by every second one.
                        let hour = written as f64;
                        let result = if written % 2 == 0 {
                            client.execute(&statement, &[&source, &hour])
                        } else {
                            client.execute(
                                &format!(
                                    "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, source, observed_at, value)
                                     VALUES ('{RESTAURANT}', 'written', '{source}', timestamptz '2025-01-01 00:00+00' + {hour} * interval '1 hour', 1)"
                                ),
                                &[],
                            )
                        };
                        result.unwrap_or_else(|error| panic!("writer {writer}, row {written}: {}", describe(&error)));
                        written += 1;
                    }
                    written
                })
            })
            .collect();
        let wait = || std::thread::sleep(std::time::Duration::from_millis(700));
        for _ in 0..2 {
            wait();
            assert_eq!(enable(database).0, "converted");
            wait();
            assert_eq!(disable(database).0, "converted");
        }
        wait();
        enable(database);
        wait();
        done.store(true, Ordering::Relaxed);
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    println!("{written} rows by {writers} writers through five conversions");
    assert_eq!(
        database.count(
            "SELECT count(*) FROM sop_ml.sop_time_series_data WHERE metric_name = 'written'"
        ),
        written
    );
    // Every hour of a row is in the log.
    assert_eq!(
        database.count(
            "SELECT count(DISTINCT date_trunc('hour', d.observed_at)) FROM sop_ml.sop_time_series_data AS d
             WHERE NOT EXISTS (SELECT FROM sop_ml_storage.dirty_buckets AS b
                               WHERE b.restaurant_id = d.restaurant_id AND b.bucket_start = date_trunc('hour', d.observed_at))"
        ),
        0
    );
}

fn refusal(database: &Database, role: &str, statements: &str) -> (String, String) {
    let error = database
        .connect(role)
        .batch_execute(statements)
        .expect_err(statements);
    (sqlstate(&error).to_owned(), describe(&error))
}

#[test]
fn what_cannot_be_converted_is_refused() {
    const ENABLE: &str = "SELECT sop_ml.enable_timescaledb(compression => false)";
    let native = shared().database_with_extension("series_refused");
    add_people(&native);
    let (state, message) = refusal(&native, "postgres", ENABLE);
    assert_eq!(state, "55000");
    assert!(
        message.contains("TimescaleDB is not in this database")
            && message.contains("shared_preload_libraries"),
        "{message}"
    );
    assert_eq!(disable(&native).0, "unchanged");
    for role in ["series_operator", "series_manager_a"] {
        assert_eq!(refusal(&native, role, ENABLE).0, "42501", "{role}");
        assert_eq!(
            refusal(&native, role, "SELECT sop_ml.disable_timescaledb()").0,
            "42501",
            "{role}"
        );
    }
    let (state, _) = refusal(
        &native,
        "postgres",
        "SELECT sop_ml.enable_timescaledb(NULL)",
    );
    assert_eq!(state, "22023");

    let Some(cluster) = timescale() else { return };
    let database = database(cluster, "series_dependents");
    let old_snapshot = format!("BEGIN ISOLATION LEVEL REPEATABLE READ; {ENABLE}");
    assert_eq!(refusal(&database, "postgres", &old_snapshot).0, "55000");
    database.run(
        "CREATE VIEW public.user_view AS SELECT * FROM sop_ml.sop_time_series_data;
         CREATE FUNCTION public.user_function(sop_ml.sop_time_series_data) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE TABLE public.user_table (of_row_type sop_ml.sop_time_series_data);
         CREATE PUBLICATION user_publication FOR TABLE sop_ml.sop_time_series_data;
         ALTER TABLE sop_ml.sop_time_series_data DISABLE TRIGGER sop_ml_dirty_truncate",
    );
    let refused = |statement: &str| {
        let (state, message) = refusal(&database, "postgres", statement);
        assert_eq!(state, "55000", "{message}");
        for dependent in [
            "view user_view",
            "user_function",
            "table user_table",
            "publication user_publication",
            "trigger sop_ml_dirty_truncate",
        ] {
            assert!(
                message.replace("public.", "").contains(dependent),
                "{dependent}: {message}"
            );
        }
    };
    refused(ENABLE);
    assert_eq!(backend(&database), "native rls");
    database.run("DROP VIEW public.user_view; DROP FUNCTION public.user_function; DROP TABLE public.user_table; DROP PUBLICATION user_publication;
         ALTER TABLE sop_ml.sop_time_series_data ENABLE TRIGGER sop_ml_dirty_truncate");
    let (_, _, detail) = enable(&database);
    assert!(detail.starts_with("hypertable of TimescaleDB"), "{detail}");
    database.run("CREATE VIEW public.user_view AS SELECT * FROM sop_ml.sop_time_series_data");
    assert!(
        refusal(&database, "postgres", "SELECT sop_ml.disable_timescaledb()")
            .1
            .contains("view")
    );
    database.run("DROP VIEW public.user_view");
    assert_eq!(disable(&database).0, "converted");

    if is_apache(&database) {
        // The default asks for compression, which this edition does not have: it converts and says so.
        let row = &database.query("SELECT * FROM sop_ml.enable_timescaledb()")[0];
        assert_eq!(row.get::<_, &str>(0), "converted");
        assert!(
            row.get::<_, &str>(2)
                .contains("without compression, which this edition does not have")
        );
        assert_eq!(backend(&database), "timescale_apache rls");
    } else {
        assert_eq!(enable_vault(&database).0, "converted");
        assert_eq!(backend(&database), "timescale_community vault");
    }
}

#[test]
fn a_version_that_opens_chunks_by_name_is_refused() {
    let Some(cluster) = start_refused_timescale("series_by_name") else {
        println!("SKIPPED: needs TimescaleDB 2.23 to 2.28");
        return;
    };
    let database = database(&cluster, "series_by_name");
    for compression in ["true", "false"] {
        let (state, message) = refusal(
            &database,
            "postgres",
            &format!("SELECT sop_ml.enable_timescaledb({compression})"),
        );
        assert_eq!(state, "0A000");
        assert!(message.contains("TimescaleDB 2."), "{message}");
    }
    assert_eq!(backend(&database), "native rls");
}

/// Name, availability, use and detail.
fn capabilities(database: &Database, role: &str) -> Vec<(String, bool, bool, String)> {
    database
        .connect(role)
        .query("SELECT * FROM sop_ml.capabilities()", &[])
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(4)))
        .collect()
}

#[test]
fn capabilities_say_what_is_there_and_what_is_used() {
    let database = shared().database_with_extension("series_capabilities");
    add_people(&database);
    let found = capabilities(&database, "series_viewer_a");
    assert_eq!(found, capabilities(&database, "postgres"));
    let names: Vec<&str> = found.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(names, ["timescaledb", "pgvector", "pg_cron", "citus"]);
    for (name, is_available, is_used, detail) in &found {
        let extension = if name == "pgvector" {
            "vector"
        } else {
            name.as_str()
        };
        let packaged = database.count(&format!(
            "SELECT count(*) FROM pg_available_extensions WHERE name = '{extension}'"
        )) == 1;
        assert_eq!((*is_available, *is_used), (packaged, false), "{name}");
        let place = if packaged {
            "on this server, not in this database"
        } else {
            "not on this server"
        };
        assert!(detail.starts_with(place), "{name}: {detail}");
    }
    if found[1].1 {
        database.run("CREATE EXTENSION vector");
        let detail = &capabilities(&database, "series_viewer_a")[1].3;
        assert!(detail.starts_with("in this database, not used"), "{detail}");
    }

    let Some(cluster) = timescale() else { return };
    let database = sop_ml_e2e::series::database(cluster, "series_capable");
    let edition = if is_apache(&database) {
        "Apache edition"
    } else {
        "Community edition"
    };
    let timescaledb = |role: &str| capabilities(&database, role)[0].clone();
    let (_, is_available, is_used, detail) = timescaledb("series_viewer_a");
    assert!(
        is_available && !is_used && detail.starts_with(&format!("{edition}, not used")),
        "{detail}"
    );
    enable(&database);
    let (_, _, is_used, detail) = timescaledb("series_viewer_a");
    assert!(
        is_used && detail == format!("{edition}: time series are a hypertable in mode rls"),
        "{detail}"
    );
    let version = database
        .texts("SELECT version FROM sop_ml.capabilities() WHERE capability = 'timescaledb'");
    assert_eq!(
        version,
        database.texts("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    );
}

#[test]
fn a_converted_database_can_be_dumped_and_restored() {
    let Some(cluster) = timescale() else { return };
    let database = database(cluster, "series_dumped");
    let (before, _) = parts();
    let _ = blocks::run(&database, &before);
    enable(&database);
    dump_and_restore(cluster, &database, "series_restored", &[]);
}

#[test]
fn a_vault_can_be_dumped_and_restored() {
    let Some(database) = community_database("vault_dumped") else {
        return;
    };
    let Some(cluster) = timescale() else { return };
    let (before, _) = parts();
    let _ = blocks::run(&database, &before);
    enable_vault(&database);
    assert!(compress(&database) > 10);
    // Some rows beside the compressed ones, and buckets that are kept beside those that are computed.
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         VALUES ('{RESTAURANT}', 'beside', '2025-03-02 10:00+00', 1)"
    ));
    database.run(
        "CALL refresh_continuous_aggregate('sop_ml_storage.sop_time_series_15_minutes', NULL, '2025-06-01')",
    );
    let buckets = "SELECT md5(string_agg(b::text, ',' ORDER BY b::text)) FROM sop_ml.sop_time_series_15_minutes AS b";
    let jobs = "SELECT proc_name || ' ' || coalesce(config - 'hypertable_id' - 'mat_hypertable_id', '{}')::text
                FROM timescaledb_information.jobs WHERE job_id >= 1000 ORDER BY 1";
    assert_eq!(database.texts(jobs).len(), 3);
    dump_and_restore(cluster, &database, "vault_restored", &[buckets, jobs]);
}

/// Restored, everything is as it was, and can be converted back.
fn dump_and_restore(cluster: &Cluster, database: &Database, name: &str, further: &[&str]) {
    let file = std::env::temp_dir().join(format!("sop_ml_{name}_{}.dump", std::process::id()));
    let dump = database.dump(&file);
    assert!(dump.success, "{}", dump.text);
    let restored = cluster.database(name);
    restored.run("CREATE EXTENSION timescaledb");
    restored.run("SELECT timescaledb_pre_restore()");
    let restore = restored.restore(&file);
    assert!(restore.success, "{}", restore.text);
    restored.run("SELECT timescaledb_post_restore()");
    std::fs::remove_file(&file).unwrap();
    let rows = "SELECT md5(string_agg(d::text, ',' ORDER BY d::text)) FROM sop_ml.sop_time_series_data AS d";
    let log = "SELECT format('%s', count(*)) FROM sop_ml_storage.dirty_buckets";
    for query in [DEFINITION, EXACTLY, rows, log].iter().chain(further) {
        assert_eq!(restored.texts(query), database.texts(query));
    }
    assert_eq!(backend(&restored), backend(database));
    assert_eq!(
        restored.texts(
            "SELECT rule || ' ' || object_name FROM sop_ml.self_check() WHERE status <> 'ok'"
        ),
        Vec::<String>::new()
    );
    assert_eq!(disable(&restored).0, "converted");
    assert_eq!(restored.texts(rows), database.texts(rows));
}

#[test]
fn retention_drops_chunks() {
    let Some(cluster) = timescale() else { return };
    let database = database(cluster, "series_retention");
    database.run(&format!(
        "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, observed_at, value)
         SELECT '{RESTAURANT}', 'kept', now() - i * interval '1 day', i FROM generate_series(0, 300) AS i"
    ));
    enable(&database);
    let retire = |arguments: &str| -> i64 {
        database.count(&format!(
            "SELECT count(*) FROM sop_ml.maintain_partitions({arguments}) WHERE relation = 'sop_time_series_data' AND action = 'dropped'"
        ))
    };
    assert_eq!(retire(""), 0);
    database.run(
        "INSERT INTO sop_ml.sop_time_series_compression_policies (restaurant_id, relation_name, retention)
         VALUES ('00000000-0000-0000-0000-000000000000', 'sop_time_series_data', '100 days')",
    );
    let dropped = retire("");
    assert!((27..=30).contains(&dropped), "{dropped}");
    let oldest = database.count("SELECT extract(day FROM now() - min(observed_at))::bigint FROM sop_ml.sop_time_series_data");
    assert!((100..=107).contains(&oldest), "{oldest}");
    assert_eq!(retire(""), 0);
    assert_eq!(
        database.texts("SELECT last_action FROM sop_ml.sop_time_series_compression_policies WHERE relation_name = 'sop_time_series_data'"),
        [format!("partitions retired: {dropped}; waiting: 0")]
    );
    assert!(retire("retention => '50 days'") > 5);
}
