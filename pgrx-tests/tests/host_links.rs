//! Links to a made-up host application: orphans are reported, the keys hold from both sides, and nothing is half-done.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postgres::Client;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sop_ml_e2e::catalogue::{assert_same_lines, definitions};
use sop_ml_e2e::effort::{figure, seed};
use sop_ml_e2e::fixture::{TENANTS, fill};
use sop_ml_e2e::{Database, describe, shared, sqlstate};
use uuid::Uuid;

const NIL: &str = "00000000-0000-0000-0000-000000000000";
const UNKNOWN: &str = "99999999-0000-4000-8000-000000000009";
const STRANGER: &str = "88888888-0000-4000-8000-000000000008";

/// A kind of link and its two ends.
struct Kind {
    name: &'static str,
    host: &'static str,
    table: &'static str,
    column: &'static str,
    constraint: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "restaurants",
        host: "host_app.restaurants",
        table: "sop_ml.sop_restaurants",
        column: "restaurant_id",
        constraint: "sop_restaurants_host_fkey",
    },
    Kind {
        name: "documents",
        host: "host_app.documents",
        table: "sop_ml.sop_content_features",
        column: "sop_id",
        constraint: "sop_content_features_host_fkey",
    },
    Kind {
        name: "users",
        host: "host_app.users",
        table: "sop_ml.sop_user_profiles",
        column: "user_id",
        constraint: "sop_user_profiles_host_fkey",
    },
    Kind {
        name: "training_modules",
        host: "host_app.training_modules",
        table: "sop_ml.sop_training_records",
        column: "module_id",
        constraint: "sop_training_records_host_fkey",
    },
];

impl Kind {
    /// A row here that points at `id`.
    fn insert(&self, id: &str) -> String {
        let restaurant = TENANTS[0].restaurant_id;
        match self.name {
            "restaurants" => {
                format!(
                    "INSERT INTO {} (restaurant_id, name) VALUES ('{id}', 'New')",
                    self.table
                )
            }
            "training_modules" => format!(
                "INSERT INTO {} (restaurant_id, user_id, module_id) VALUES ('{restaurant}', gen_random_uuid(), '{id}')",
                self.table
            ),
            _ => format!(
                "INSERT INTO {} (restaurant_id, {}) VALUES ('{restaurant}', '{id}')",
                self.table, self.column
            ),
        }
    }

    fn link(&self) -> String {
        format!(
            "SELECT * FROM sop_ml.link_host_table('{}', '{}')",
            self.name, self.host
        )
    }

    fn unlink(&self) -> String {
        format!("SELECT * FROM sop_ml.unlink_host_table('{}')", self.name)
    }

    /// The identifiers that rows here have, nil ones apart.
    fn identifiers(&self, database: &Database) -> Vec<Uuid> {
        let (table, column) = (self.table, self.column);
        database
            .query(&format!(
                "SELECT DISTINCT {column} FROM {table} WHERE {column} <> '{NIL}' ORDER BY 1"
            ))
            .iter()
            .map(|row| row.get(0))
            .collect()
    }
}

/// What `link_host_table` answered.
#[derive(Debug, PartialEq)]
struct Linked {
    status: String,
    orphans: i64,
    sample: Vec<Uuid>,
}

fn link(client: &mut Client, kind: &Kind) -> Result<Linked, postgres::Error> {
    let row = client.query_one(&kind.link(), &[])?;
    assert_eq!(row.get::<_, &str>("kind"), kind.name);
    assert_eq!(row.get::<_, &str>("constraint_name"), kind.constraint);
    Ok(Linked {
        status: row.get("status"),
        orphans: row.get("orphans"),
        sample: row.get("sample"),
    })
}

/// Both tenants with a row in every table, and a host application whose tables have rows that nothing here points at.
fn with_host(name: &str) -> Database {
    let database = shared().database_with_extension(name);
    fill(&database);
    database.run(
        "CREATE SCHEMA host_app;
         CREATE TABLE host_app.restaurants (id uuid PRIMARY KEY, name text);
         CREATE TABLE host_app.documents (id uuid PRIMARY KEY, name text);
         CREATE TABLE host_app.users (id uuid PRIMARY KEY, name text);
         CREATE TABLE host_app.training_modules (id uuid PRIMARY KEY, name text);",
    );
    for kind in &KINDS {
        database.run(&format!(
            "INSERT INTO {} (id) SELECT gen_random_uuid() FROM generate_series(1, 5)",
            kind.host
        ));
    }
    database
}

/// Gives every row of a kind its host row.
fn complete(database: &Database, kind: &Kind) {
    database.run(&format!(
        "INSERT INTO {} (id) SELECT DISTINCT {} FROM {} ON CONFLICT DO NOTHING",
        kind.host, kind.column, kind.table
    ));
}

fn error_of(client: &mut Client, statement: &str) -> postgres::Error {
    client
        .batch_execute(statement)
        .expect_err(&format!("was not refused: {statement}"))
}

fn assert_refused(client: &mut Client, statement: &str, expected: &str) {
    let error = error_of(client, statement);
    // PostgreSQL 18 tells a key that says RESTRICT from others.
    let says_restrict = describe(&error).contains("violates RESTRICT setting");
    let expected = match expected {
        "23503" if says_restrict => "23001",
        other => other,
    };
    assert_eq!(
        sqlstate(&error),
        expected,
        "{statement}: {}",
        describe(&error)
    );
}

/// Waits until a session of this database waits for a lock, and returns its process id.
fn wait_for_waiter(database: &Database) -> i32 {
    let give_up = Instant::now() + Duration::from_secs(20);
    let mut client = database.superuser();
    while Instant::now() < give_up {
        let waiting = client
            .query_opt(
                "SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname = current_database()
                    AND wait_event_type = 'Lock' AND query LIKE '%link_host_table%' AND pid <> pg_backend_pid() LIMIT 1",
                &[],
            )
            .unwrap();
        if let Some(row) = waiting {
            return row.get(0);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("nobody came to wait for a lock");
}

#[test]
fn orphans_are_reported_and_the_key_is_validated_when_they_are_gone() {
    let database = with_host("host_orphans");
    let before = definitions(&database);
    let mut client = database.superuser();
    for kind in &KINDS {
        let identifiers = kind.identifiers(&database);
        assert!(identifiers.len() > 1, "{}: nothing to link", kind.name);
        // All but the first are orphans.
        database.run(&format!(
            "INSERT INTO {} (id) VALUES ('{}')",
            kind.host, identifiers[0]
        ));
        let rows = database.count(&format!(
            "SELECT count(*) FROM {} WHERE {} <> '{}'",
            kind.table, kind.column, identifiers[0]
        ));
        let linked = link(&mut client, kind).unwrap();
        let expected = Linked {
            status: "not_validated".to_owned(),
            orphans: rows,
            sample: identifiers[1..].iter().copied().take(10).collect(),
        };
        assert_eq!(linked, expected, "{}", kind.name);

        // The key holds for what comes, from both sides, although the orphans are still there.
        assert_refused(&mut client, &kind.insert(UNKNOWN), "23503");
        let delete = format!("DELETE FROM {} WHERE id = '{}'", kind.host, identifiers[0]);
        assert_refused(&mut client, &delete, "23503");

        complete(&database, kind);
        for _ in 0..2 {
            let linked = link(&mut client, kind).unwrap();
            assert_eq!((linked.status.as_str(), linked.orphans), ("validated", 0));
        }
        let delete = format!("DELETE FROM {} WHERE id = '{}'", kind.host, identifiers[1]);
        assert_refused(&mut client, &delete, "23503");
        let change = format!(
            "UPDATE {} SET id = gen_random_uuid() WHERE id = '{}'",
            kind.host, identifiers[1]
        );
        assert_refused(&mut client, &change, "23503");
        client
            .batch_execute(&format!(
                "INSERT INTO {} (id) VALUES ('{UNKNOWN}'); BEGIN; {}; ROLLBACK",
                kind.host,
                kind.insert(UNKNOWN)
            ))
            .unwrap();
    }
    let statuses = database.texts("SELECT status || ' ' || host_relation || '.' || host_column || ' ' || delete_rule FROM sop_ml.host_links()");
    let expected: Vec<String> = KINDS
        .iter()
        .map(|kind| format!("validated {}.id restrict", kind.host))
        .collect();
    assert_eq!(statuses, expected);

    // A key without an index would make every deletion in the host's table read the whole table here.
    let unindexed = database.texts(
        "SELECT k.conname::text FROM pg_catalog.pg_constraint k WHERE k.conname LIKE '%host_fkey' AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = k.conrelid AND i.indkey[0] = k.conkey[1])",
    );
    assert_eq!(unindexed, Vec::<String>::new());

    database.run("CREATE TABLE host_app.elsewhere (id uuid PRIMARY KEY)");
    for kind in &KINDS {
        let elsewhere = format!(
            "SELECT * FROM sop_ml.link_host_table('{}', 'host_app.elsewhere')",
            kind.name
        );
        let error = error_of(&mut client, &elsewhere);
        assert_eq!(sqlstate(&error), "55000", "{}", describe(&error));
        let hint = error.as_db_error().unwrap().hint().unwrap().to_owned();
        assert!(hint.contains("unlink_host_table"), "{hint}");
        let status = |client: &mut Client| -> String {
            client.query_one(&kind.unlink(), &[]).unwrap().get("status")
        };
        assert_eq!(status(&mut client), "unlinked");
        assert_eq!(status(&mut client), "not_linked");
        client
            .batch_execute(&format!("BEGIN; {}; ROLLBACK", kind.insert(STRANGER)))
            .unwrap();
    }
    assert_same_lines("definitions", &before, &definitions(&database));
}

#[test]
fn nil_rows_need_no_host_row() {
    let database = with_host("host_nil");
    let mut client = database.superuser();
    for kind in &KINDS[1..] {
        database.run(&kind.insert(NIL));
        complete(&database, kind);
        database.run(&format!("DELETE FROM {} WHERE id = '{NIL}'", kind.host));
        let linked = link(&mut client, kind).unwrap();
        assert_eq!(
            (linked.status.as_str(), linked.orphans),
            ("validated", 0),
            "{}",
            kind.name
        );
        // A row that stops being nil needs its host row from then on.
        let change = format!(
            "UPDATE {} SET {} = '{UNKNOWN}' WHERE {1} = '{NIL}'",
            kind.table, kind.column
        );
        assert_refused(&mut client, &change, "23503");
    }
    // Rows of the shared tenant cannot exist in these tables while their own key to sop_restaurants is there.
    database.run(&format!(
        "ALTER TABLE sop_ml.sop_content_features DROP CONSTRAINT sop_content_features_restaurant_fkey;
         INSERT INTO sop_ml.sop_content_features (restaurant_id, sop_id) VALUES ('{NIL}', '{UNKNOWN}')"
    ));
}

#[test]
fn what_cannot_be_linked_is_refused_with_its_sqlstate() {
    let database = with_host("host_arguments");
    database.run(
        "CREATE TABLE host_app.odd (id uuid, code text UNIQUE, often uuid, late uuid UNIQUE DEFERRABLE, part uuid,
                                    a uuid, b uuid, UNIQUE (a, b));
         CREATE UNIQUE INDEX ON host_app.odd (part) WHERE part IS NOT NULL;
         CREATE VIEW host_app.seen AS SELECT * FROM host_app.users",
    );
    let before = definitions(&database);
    let mut client = database.superuser();
    for (arguments, expected) in [
        ("'planets', 'host_app.users'", "22023"),
        ("NULL, 'host_app.users'", "22023"),
        ("'users', NULL", "22023"),
        ("'users', 'host_app.users', NULL", "22023"),
        ("'users', 'host_app.nothing'", "42P01"),
        ("'users', 4294967295::oid::regclass", "42P01"),
        (
            "'users', 'sop_ml.sop_restaurants', 'restaurant_id'",
            "22023",
        ),
        (
            "'users', 'sop_ml_storage.sop_user_interactions_default', 'user_id'",
            "22023",
        ),
        ("'users', 'host_app.seen'", "42809"),
        ("'users', 'host_app.users_pkey'", "42809"),
        ("'users', 'host_app.users', 'identity'", "42703"),
        ("'users', 'host_app.users', 'ctid'", "42703"),
        ("'users', 'host_app.odd', 'code'", "42804"),
        ("'users', 'host_app.odd', 'often'", "42830"),
        ("'users', 'host_app.odd', 'late'", "42830"),
        ("'users', 'host_app.odd', 'part'", "42830"),
        ("'users', 'host_app.odd', 'a'", "42830"),
        (
            "'users', 'host_app.users', options => '{\"speed\": 1}'",
            "22023",
        ),
        (
            "'users', 'host_app.users', options => '{\"delete_rule\": \"cascade\"}'",
            "22023",
        ),
        (
            "'users', 'host_app.users', options => '{\"lock_timeout_ms\": 0}'",
            "22023",
        ),
        (
            "'users', 'host_app.users', options => '{\"lock_timeout_ms\": -1}'",
            "22023",
        ),
        ("'users', 'host_app.users', options => '[]'", "22023"),
    ] {
        let statement = format!("SELECT * FROM sop_ml.link_host_table({arguments})");
        assert_refused(&mut client, &statement, expected);
    }
    for (arguments, expected) in [
        ("'planets'", "22023"),
        ("NULL", "22023"),
        ("'users', '{\"delete_rule\": \"restrict\"}'", "22023"),
    ] {
        let statement = format!("SELECT * FROM sop_ml.unlink_host_table({arguments})");
        assert_refused(&mut client, &statement, expected);
    }
    assert_same_lines("definitions", &before, &definitions(&database));

    // Without validation, and with the milder of the two rules: a row may be replaced within one statement.
    complete(&database, &KINDS[2]);
    let row = client
        .query_one(
            "SELECT status, orphans FROM sop_ml.link_host_table('users', 'host_app.users', 'id', '{\"validate\": false, \"delete_rule\": \"no action\"}')",
            &[],
        )
        .unwrap();
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, i64>(1)),
        ("not_validated", 0)
    );
    let stricter = "SELECT sop_ml.link_host_table('users', 'host_app.users', options => '{\"delete_rule\": \"restrict\"}')";
    assert_refused(&mut client, stricter, "55000");
    assert_refused(
        &mut client,
        "DELETE FROM host_app.users WHERE id IN (SELECT user_id FROM sop_ml.sop_user_profiles)",
        "23503",
    );
    assert_eq!(link(&mut client, &KINDS[2]).unwrap().status, "validated");
}

#[test]
fn a_partitioned_host_table_can_be_linked() {
    let database = with_host("host_partitioned");
    let before = definitions(&database);
    database.run(
        "DROP TABLE host_app.users;
         CREATE TABLE host_app.users (id uuid PRIMARY KEY, name text) PARTITION BY HASH (id);
         CREATE TABLE host_app.users_0 PARTITION OF host_app.users FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE host_app.users_1 PARTITION OF host_app.users FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    );
    let kind = &KINDS[2];
    let mut client = database.superuser();
    assert_eq!(link(&mut client, kind).unwrap().status, "not_validated");
    complete(&database, kind);
    assert_eq!(link(&mut client, kind).unwrap().status, "validated");
    assert_refused(&mut client, &kind.insert(UNKNOWN), "23503");
    assert_refused(&mut client, "DELETE FROM host_app.users", "23503");
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml.host_links()"),
        4
    );
    client.batch_execute(&kind.unlink()).unwrap();
    assert_same_lines("definitions", &before, &definitions(&database));
}

#[test]
fn tenants_write_through_a_link_to_tables_that_they_cannot_see() {
    let database = with_host("host_tenants");
    let kind = &KINDS[2];
    complete(&database, kind);
    // The host's owner is no superuser, its policies show nothing to anybody, and tenants may not even enter its schema.
    database.run(&format!(
        "DO $$ BEGIN CREATE ROLE host_owner NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         ALTER SCHEMA host_app OWNER TO host_owner;
         ALTER TABLE host_app.users OWNER TO host_owner;
         ALTER TABLE host_app.users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         INSERT INTO host_app.users (id) VALUES ('{UNKNOWN}')"
    ));
    assert_eq!(
        link(&mut database.superuser(), kind).unwrap().status,
        "validated"
    );
    let mut tenant = database.connect(TENANTS[0].role);
    assert_refused(&mut tenant, "SELECT * FROM host_app.users", "42501");
    tenant.batch_execute(&kind.insert(UNKNOWN)).unwrap();
    let stranger = kind.insert(STRANGER);
    let error = error_of(&mut tenant, &stranger);
    assert_eq!(sqlstate(&error), "23503", "{}", describe(&error));
    // The owner of the host's table is refused too, whatever its policies show.
    let delete = format!(
        "SET ROLE host_owner; ALTER TABLE host_app.users NO FORCE ROW LEVEL SECURITY; DELETE FROM host_app.users WHERE id = '{UNKNOWN}'"
    );
    assert_refused(&mut database.superuser(), &delete, "23503");
}

#[test]
fn linking_is_for_owners_who_see_every_row() {
    let database = with_host("host_refused");
    let before = definitions(&database);
    let mut tenant = database.connect(TENANTS[0].role);
    let calls = [KINDS[2].link(), KINDS[2].unlink()];
    for call in &calls {
        assert_refused(&mut tenant, call, "42501");
    }
    // Neither does a careless GRANT open the door.
    database.run("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sop_ml TO tenant_a; GRANT USAGE ON SCHEMA host_app TO tenant_a; GRANT ALL ON host_app.users TO tenant_a");
    for call in &calls {
        assert_refused(&mut tenant, call, "42501");
    }
    assert_same_lines("definitions", &before, &definitions(&database));
    assert_eq!(
        tenant
            .query("SELECT * FROM sop_ml.host_links()", &[])
            .unwrap()
            .len(),
        4
    );

    // An owner whom FORCE ROW LEVEL SECURITY binds would count no orphan and validate nothing.
    let owned = shared().database("host_owned");
    owned.run("CREATE ROLE link_owner LOGIN SUPERUSER");
    let mut owner = owned.connect("link_owner");
    owner.batch_execute("CREATE EXTENSION sop_ml").unwrap();
    owned.run(&format!(
        "CREATE TABLE public.users (id uuid PRIMARY KEY);
         GRANT REFERENCES, SELECT ON public.users TO link_owner;
         INSERT INTO sop_ml.sop_restaurants (restaurant_id, name) VALUES ('{0}', 'Old Mill');
         INSERT INTO sop_ml.sop_user_profiles (restaurant_id, user_id) VALUES ('{0}', '{UNKNOWN}');
         ALTER ROLE link_owner NOSUPERUSER",
        TENANTS[0].restaurant_id
    ));
    drop(owner);
    let mut owner = owned.connect("link_owner");
    let call = "SELECT status, orphans FROM sop_ml.link_host_table('users', 'public.users')";
    let error = error_of(&mut owner, call);
    assert_eq!(sqlstate(&error), "42501", "{}", describe(&error));
    assert!(
        error
            .as_db_error()
            .unwrap()
            .message()
            .contains("hides rows"),
        "{}",
        describe(&error)
    );
    owned.run("ALTER ROLE link_owner BYPASSRLS");
    let row = owner.query_one(call, &[]).unwrap();
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, i64>(1)),
        ("not_validated", 1)
    );
}

#[test]
fn a_busy_table_is_waited_for_and_then_left_as_it_was() {
    let database = with_host("host_busy");
    let kind = &KINDS[2];
    complete(&database, kind);
    let before = definitions(&database);
    let impatient = |verb: &str, arguments: &str| {
        format!(
            "SELECT * FROM sop_ml.{verb}({arguments}, options => '{{\"lock_timeout_ms\": 300}}')"
        )
    };
    let (link_now, unlink_now) = (
        impatient("link_host_table", "'users', 'host_app.users'"),
        impatient("unlink_host_table", "'users'"),
    );
    let mut client = database.superuser();
    for (table, writing) in [
        (kind.table, kind.insert(NIL)),
        (
            kind.host,
            format!("INSERT INTO {} (id) VALUES (gen_random_uuid())", kind.host),
        ),
    ] {
        let mut writer = database.superuser();
        let mut transaction = writer.transaction().unwrap();
        transaction.batch_execute(&writing).unwrap();
        assert_refused(&mut client, &link_now, "55P03");
        assert_same_lines(table, &before, &definitions(&database));
        transaction.rollback().unwrap();
    }
    let setting: String = client.query_one("SHOW lock_timeout", &[]).unwrap().get(0);
    assert_eq!(setting, "0", "the caller's own setting");

    client.batch_execute(&link_now).unwrap();
    let linked = definitions(&database);
    let mut writer = database.superuser();
    let mut transaction = writer.transaction().unwrap();
    transaction.batch_execute(&kind.insert(NIL)).unwrap();
    assert_refused(&mut client, &unlink_now, "55P03");
    assert_same_lines("definitions", &linked, &definitions(&database));
    transaction.rollback().unwrap();
}

#[test]
fn an_application_is_never_the_victim_whichever_table_it_locks_first() {
    let database = with_host("host_order");
    let kind = &KINDS[2];
    complete(&database, kind);
    let host = format!("INSERT INTO host_app.users (id) VALUES ('{UNKNOWN}')");
    for (first, second) in [
        (host.clone(), kind.insert(UNKNOWN)),
        (kind.insert(NIL), host.replace(UNKNOWN, STRANGER)),
    ] {
        let mut application = database.superuser();
        let mut transaction = application.transaction().unwrap();
        transaction.batch_execute(&first).unwrap();
        let linker = std::thread::spawn({
            let database = database.clone();
            move || {
                database
                    .superuser()
                    .query_one(
                        "SELECT status FROM sop_ml.link_host_table('users', 'host_app.users', options => '{\"lock_timeout_ms\": 60000}')",
                        &[],
                    )
                    .map(|row| row.get::<_, String>(0))
            }
        });
        wait_for_waiter(&database);
        // Whatever the linker holds by now, it has to give way.
        transaction
            .batch_execute(&second)
            .unwrap_or_else(|error| panic!("{second}: {}", describe(&error)));
        transaction.commit().unwrap();
        assert_eq!(linker.join().unwrap().unwrap(), "validated");
        database.run(&kind.unlink());
    }
}

#[test]
fn a_killed_session_leaves_nothing_half_done() {
    let database = with_host("host_killed");
    let kind = &KINDS[2];
    complete(&database, kind);
    let before = definitions(&database);
    let kill = |pid: i32| database.run(&format!("SELECT pg_terminate_backend({pid}, 20000)"));

    // After the work, before the commit.
    let mut session = database.superuser();
    let pid: i32 = session
        .query_one("SELECT pg_backend_pid()", &[])
        .unwrap()
        .get(0);
    session
        .batch_execute(&format!("BEGIN; {}", kind.link()))
        .unwrap();
    kill(pid);
    assert_same_lines("before the commit", &before, &definitions(&database));

    // While it waits for the host's table, with ours locked.
    let mut writer = database.superuser();
    let mut transaction = writer.transaction().unwrap();
    transaction
        .batch_execute("LOCK TABLE host_app.users IN ROW EXCLUSIVE MODE")
        .unwrap();
    let victim = std::thread::spawn({
        let (database, call) = (database.clone(), kind.link());
        move || database.superuser().batch_execute(&call).is_err()
    });
    kill(wait_for_waiter(&database));
    assert!(victim.join().unwrap(), "the session was not killed");
    transaction.rollback().unwrap();
    assert_same_lines("while waiting", &before, &definitions(&database));

    // At random moments: linked or not, never between.
    database.run(
        "INSERT INTO sop_ml.sop_user_profiles (restaurant_id, user_id)
         SELECT r.restaurant_id, gen_random_uuid() FROM sop_ml.sop_restaurants r, generate_series(1, 5000)",
    );
    complete(&database, kind);
    let started = Instant::now();
    assert_eq!(
        link(&mut database.superuser(), kind).unwrap().status,
        "validated"
    );
    let longest = u64::try_from(started.elapsed().as_micros()).unwrap() * 3 / 2;
    let after = definitions(&database);
    database.run(&kind.unlink());
    let seed = seed();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (rounds, mut undone) = (figure(12, 200), 0);
    for _ in 0..rounds {
        let mut session = database.superuser();
        let pid: i32 = session
            .query_one("SELECT pg_backend_pid()", &[])
            .unwrap()
            .get(0);
        let call = kind.link();
        let victim = std::thread::spawn(move || session.batch_execute(&call).is_err());
        std::thread::sleep(Duration::from_micros(random.random_range(0..longest)));
        kill(pid);
        let failed = victim.join().unwrap();
        let now = definitions(&database);
        if now == before {
            assert!(failed, "a link that was reported as made is gone");
            undone += 1;
        } else {
            assert_same_lines("after a kill", &after, &now);
            database.run(&kind.unlink());
        }
    }
    println!(
        "host_links: {rounds} kills at random moments, {undone} undone, {} done; seed {seed}",
        rounds - undone
    );
}

#[test]
fn writers_and_links_at_once_leave_no_orphan_behind_a_valid_key() {
    let database = with_host("host_writers");
    let kind = &KINDS[2];
    complete(&database, kind);
    let stop = AtomicBool::new(false);
    let seed = seed();
    let rounds = figure(6, 100);
    let (mut written, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        // Also when an assertion fails: otherwise the writers would never end.
        let ending = StopOnDrop(&stop);
        let writers: Vec<_> = (0..6)
            .map(|number| {
                let (database, stop) = (&database, &stop);
                scope.spawn(move || write_until(database, kind, stop, seed + number))
            })
            .collect();
        let mut client = database.superuser();
        for round in 0..rounds {
            let linked = client
                .query_one("SELECT status, orphans FROM sop_ml.link_host_table('users', 'host_app.users', options => '{\"lock_timeout_ms\": 60000}')", &[])
                .map(|row| (row.get::<_, String>(0), row.get::<_, i64>(1)))
                .unwrap_or_else(|error| panic!("round {round}: {}", describe(&error)));
            let orphans = client
                .query_one("SELECT count(*) FROM sop_ml.sop_user_profiles p WHERE NOT EXISTS (SELECT FROM host_app.users u WHERE u.id = p.user_id)", &[])
                .unwrap()
                .get::<_, i64>(0);
            assert_eq!(linked.0 == "validated", linked.1 == 0, "{linked:?}");
            assert!(
                orphans <= linked.1,
                "round {round}: {orphans} orphans after {linked:?}"
            );
            client
                .batch_execute(
                    "SELECT sop_ml.unlink_host_table('users', '{\"lock_timeout_ms\": 60000}')",
                )
                .unwrap();
            // What came while nothing was linked goes, so that every other round can validate.
            if round % 2 == 0 {
                client.batch_execute("DELETE FROM sop_ml.sop_user_profiles p WHERE NOT EXISTS (SELECT FROM host_app.users u WHERE u.id = p.user_id)").unwrap();
            }
        }
        drop(ending);
        for writer in writers {
            let (done, not) = writer.join().unwrap();
            written += done;
            refused += not;
        }
    });
    assert!(
        written > 0 && refused > 0,
        "{written} written, {refused} refused: nothing was tried"
    );
    println!(
        "host_links: {rounds} links against 6 writers, {written} transactions, {refused} refused by a key; seed {seed}"
    );
}

/// Tells the writers to stop when it goes.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Inserts people without a host row and with one, host's table first as the key wants it; nothing but the key may refuse.
fn write_until(database: &Database, kind: &Kind, stop: &AtomicBool, seed: u64) -> (usize, usize) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut client = database.superuser();
    let (mut written, mut refused) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let id = Uuid::from_u128(random.random()).to_string();
        let host = format!("INSERT INTO host_app.users (id) VALUES ('{id}')");
        let here = kind.insert(&id);
        let statements = if random.random_bool(0.25) {
            here
        } else {
            format!("BEGIN; {host}; {here}; COMMIT")
        };
        match client.batch_execute(&statements) {
            Ok(()) => written += 1,
            Err(error) => {
                assert_eq!(sqlstate(&error), "23503", "{}", describe(&error));
                refused += 1;
                client.batch_execute("ROLLBACK").unwrap();
            }
        }
    }
    (written, refused)
}

#[test]
fn dumps_and_a_dropped_extension_keep_links() {
    let database = with_host("host_dump");
    let (documents, users) = (&KINDS[1], &KINDS[2]);
    complete(&database, users);
    assert_eq!(
        link(&mut database.superuser(), users).unwrap().status,
        "validated"
    );
    assert_eq!(
        link(&mut database.superuser(), documents).unwrap().status,
        "not_validated"
    );
    let links =
        |database: &Database| database.texts("SELECT host_links::text FROM sop_ml.host_links()");
    let before = links(&database);

    let target = shared().database("host_dump_target");
    let file = std::env::temp_dir().join(format!("sop_ml_host_{}.dump", std::process::id()));
    let dumped = database.dump(&file);
    assert!(dumped.success, "{}", dumped.text);
    let restored = target.restore(&file);
    std::fs::remove_file(&file).unwrap();
    assert!(restored.success, "{}", restored.text);
    assert_eq!(links(&target), before);
    assert_same_lines(
        "definitions",
        &definitions(&database),
        &definitions(&target),
    );

    database.run("DROP EXTENSION sop_ml CASCADE; CREATE EXTENSION sop_ml");
    assert_eq!(links(&database), before);
    for database in [&database, &target] {
        let mut client = database.superuser();
        assert_refused(&mut client, &users.insert(UNKNOWN), "23503");
        assert_refused(&mut client, &documents.insert(UNKNOWN), "23503");
        complete(database, documents);
        assert_eq!(link(&mut client, documents).unwrap().status, "validated");
    }
}
