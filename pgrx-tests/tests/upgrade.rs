//! `ALTER EXTENSION sop_ml UPDATE` brings an earlier version with rows to what a fresh install is, and so does `install()`
//! after an old dump was restored under newer code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use sop_ml_e2e::catalogue::{
    assert_same_lines, contents, definitions, members, privileges, relations,
};
use sop_ml_e2e::fixture::{TENANTS, fill};
use sop_ml_e2e::releases::{Version, problems, released};
use sop_ml_e2e::{Cluster, Database, PrivateServer, previous_version, user_objects, workspace};

/// A server that knows both versions, and what a fresh install looks like there.
struct Server {
    cluster: Cluster,
    today: Today,
    // After the server: they are dropped in this order.
    _programs: PrivateServer,
}

struct Today {
    definitions: Vec<String>,
    privileges: Vec<String>,
    members: Vec<String>,
    relations: usize,
}

impl Today {
    fn of(database: &Database) -> Self {
        Self {
            definitions: definitions(database),
            privileges: privileges(database),
            members: members(database),
            relations: relations(database).len(),
        }
    }
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let programs = PrivateServer::make();
        previous_version::write_scripts(&programs.extensions);
        let cluster = programs.start("upgrade");
        let database = cluster.database_with_extension("today");
        database.run(user_objects::BYSTANDER);
        user_objects::add_old_partitions(&database);
        Server {
            today: Today::of(&database),
            cluster,
            _programs: programs,
        }
    })
}

/// A database of the earlier version with rows of both tenants.
fn earlier_version(cluster: &Cluster, name: &str) -> Database {
    let database = cluster.database(name);
    database.run(&format!(
        "CREATE EXTENSION sop_ml VERSION '{}'",
        previous_version::VERSION
    ));
    user_objects::add_old_partitions(&database);
    fill(&database);
    previous_version::undo_last_migration(cluster, &database);
    database
}

fn rows(database: &Database) -> BTreeMap<String, (i64, String)> {
    contents(database)
        .into_iter()
        .map(|(name, rows, checksum)| (name, (rows, checksum)))
        .collect()
}

/// Every relation that the earlier version had still has its rows; the register of migrations has one more.
fn assert_rows_kept(before: &BTreeMap<String, (i64, String)>, database: &Database) {
    let after = rows(database);
    assert!(
        before.values().filter(|(rows, _)| *rows > 0).count() > 30,
        "{before:?}"
    );
    for (name, rows) in before {
        if name.contains("sop_schema_migrations") {
            assert_eq!(after[name].0, rows.0 + 1, "{name}");
        } else {
            assert_eq!(&after[name], rows, "{name}");
        }
    }
    assert!(after.len() > before.len(), "no relation was added");
}

fn assert_equals_fresh(database: &Database) {
    let (today, now) = (&server().today, Today::of(database));
    for (what, fresh, upgraded) in [
        ("definitions", &today.definitions, &now.definitions),
        ("privileges", &today.privileges, &now.privileges),
        ("members", &today.members, &now.members),
    ] {
        assert_same_lines(&format!("{what} of {}", database.name), fresh, upgraded);
    }
    for tenant in TENANTS {
        let seen: i64 = database
            .connect(tenant.role)
            .query_one("SELECT count(*) FROM sop_ml.sop_restaurants", &[])
            .unwrap()
            .get(0);
        assert_eq!(seen, 1, "restaurants that {} sees", tenant.role);
    }
}

#[test]
fn an_earlier_version_with_rows_upgrades_to_what_a_fresh_install_is() {
    let cluster = &server().cluster;
    let database = earlier_version(cluster, "upgraded");
    assert_differs_from_today(&database);
    let before = rows(&database);

    database.run("ALTER EXTENSION sop_ml UPDATE");

    assert_eq!(
        database.texts("SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'sop_ml'"),
        [env!("CARGO_PKG_VERSION")]
    );
    assert_rows_kept(&before, &database);
    assert_equals_fresh(&database);
    let again = definitions(&database);
    database.run("SELECT sop_ml.install()");
    assert_same_lines(
        "definitions after install()",
        &again,
        &definitions(&database),
    );
    // The functions that the upgrade brought work.
    assert!(
        database.count("SELECT count(*) FROM sop_ml.maintain_partitions(months_ahead => 4)") > 0
    );
}

/// The test would prove nothing if the earlier version were today's.
fn assert_differs_from_today(database: &Database) {
    let (today, now) = (&server().today, Today::of(database));
    let only = |lines: &[String], others: &[String]| {
        let others: BTreeSet<&String> = others.iter().collect();
        lines.iter().filter(|line| !others.contains(line)).count()
    };
    let lacks = [
        only(&today.members, &now.members),
        only(&today.definitions, &now.definitions),
        only(&today.privileges, &now.privileges),
        today.relations.saturating_sub(now.relations),
    ];
    let has_too_much = [
        only(&now.members, &today.members),
        only(&now.definitions, &today.definitions),
        only(&now.privileges, &today.privileges),
    ];
    println!(
        "{} lacks {lacks:?} members, definitions, rights and relations and has {has_too_much:?} other ones",
        previous_version::VERSION
    );
    assert!(lacks.iter().chain(&has_too_much).all(|count| *count > 0));
}

#[test]
fn an_old_dump_under_newer_code_is_brought_up_by_install() {
    let cluster = &server().cluster;
    let old = earlier_version(cluster, "old");
    let before = rows(&old);
    let file = std::env::temp_dir().join(format!("sop_ml_old_{}.dump", std::process::id()));
    let dumped = old.dump(&file);
    assert!(dumped.success, "{}", dumped.text);
    let restored_database = cluster.database("old_restored");
    let restored = restored_database.restore(&file);
    std::fs::remove_file(&file).unwrap();
    assert!(restored.success, "{}", restored.text);
    assert_eq!(before, rows(&restored_database));

    let applied =
        restored_database.texts("SELECT file FROM sop_ml.install() WHERE action = 'applied'");

    assert_eq!(applied.len(), 1, "{applied:?}");
    assert_rows_kept(&before, &restored_database);
    assert_equals_fresh(&restored_database);
}

#[test]
fn an_upgrade_that_fails_changes_nothing() {
    let cluster = &server().cluster;
    let database = earlier_version(cluster, "failing");
    // What the last migration wants to make is in its way.
    database.run("CREATE TABLE sop_ml.sop_alerts (mine int)");
    let (rows_before, before, members_before) =
        (rows(&database), definitions(&database), members(&database));
    let error = database
        .superuser()
        .batch_execute("ALTER EXTENSION sop_ml UPDATE")
        .unwrap_err();
    assert_eq!(sop_ml_e2e::sqlstate(&error), "42P07", "{error:?}");
    assert_eq!(rows_before, rows(&database));
    assert_same_lines("definitions", &before, &definitions(&database));
    assert_same_lines("members", &members_before, &members(&database));
    database.run("DROP TABLE sop_ml.sop_alerts; ALTER EXTENSION sop_ml UPDATE");
    assert_equals_fresh(&database);
}

#[test]
fn every_adjacent_pair_of_released_versions_has_an_upgrade_script() {
    let changelog = std::fs::read_to_string(workspace().join("CHANGELOG.md")).unwrap();
    assert!(
        changelog.lines().any(|line| line.starts_with("## ")),
        "the changelog has no heading"
    );
    let current = Version::parse(env!("CARGO_PKG_VERSION")).unwrap();
    let found = problems(&workspace().join("sql"), &released(&changelog), current);
    assert_eq!(found, Vec::<String>::new());
}
