//! A dump and its restore keep every row, every right and every definition; dropping the extension keeps the rows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::path::PathBuf;

use sop_ml_e2e::catalogue::{assert_same_lines, contents, definitions, privileges, relations};
use sop_ml_e2e::fixture::{TENANTS, fill};
use sop_ml_e2e::{Cluster, Database, shared, sqlstate};

const BYSTANDER: &str = "DO $$ BEGIN CREATE ROLE bystander LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";

/// A database with rows in every table and materialized view.
fn filled_database(name: &str) -> Database {
    let database = shared().database_with_extension(name);
    fill(&database);
    database.run(BYSTANDER);
    database
}

fn dump_file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sop_ml_{name}_{}.dump", std::process::id()))
}

/// Restores a dump of `source` into `target` and compares everything.
fn restore_and_compare(source: &Database, target: &Database, file: &str) {
    let file = dump_file(file);
    let dumped = source.dump(&file);
    assert!(dumped.success, "{}", dumped.text);
    let restored = target.restore(&file);
    std::fs::remove_file(&file).unwrap();
    assert!(restored.success, "{}", restored.text);

    let (before, after) = (contents(source), contents(target));
    assert!(
        before.len() > 40,
        "only {} relations to compare",
        before.len()
    );
    for ((name, rows, checksum), (other, other_rows, other_checksum)) in before.iter().zip(&after) {
        assert_eq!(name, other);
        assert_eq!(
            (rows, checksum),
            (other_rows, other_checksum),
            "content of {name}"
        );
    }
    assert_eq!(before.len(), after.len());
    assert_same_lines("definitions", &definitions(source), &definitions(target));
    assert_same_lines("privileges", &privileges(source), &privileges(target));

    for tenant in TENANTS {
        let rows: i64 = target
            .connect(tenant.role)
            .query_one("SELECT count(*) FROM sop_ml.sop_restaurants", &[])
            .unwrap()
            .get(0);
        assert_eq!(
            rows, 1,
            "restaurants that {} sees after the restore",
            tenant.role
        );
    }
}

#[test]
fn restore_into_the_same_cluster_and_a_fresh_one() {
    let source = filled_database("dump_source");
    for (name, rows, _) in contents(&source) {
        // A month's partitions beyond the rows' months are empty by nature.
        let partition = relations(&source)
            .iter()
            .any(|relation| relation.qualified() == name && relation.is_partition);
        assert!(
            rows > 0 || partition,
            "{name} is empty: the test would prove nothing about it"
        );
    }
    restore_and_compare(&source, &shared().database("dump_target"), "same");

    let other = Cluster::start("fresh");
    // Logins are the administrator's, not the dump's.
    other.database("logins").run(&format!(
        "{BYSTANDER}; CREATE ROLE sop_ml_owner NOLOGIN; DROP ROLE sop_ml_owner; CREATE ROLE tenant_a LOGIN; CREATE ROLE tenant_b LOGIN"
    ));
    let target = other.database("dump_target");
    // The restore makes the roles of sop_ml; memberships of logins are granted afterwards, as an administrator would.
    let file = dump_file("fresh");
    assert!(source.dump(&file).success);
    let restored = target.restore(&file);
    std::fs::remove_file(&file).unwrap();
    assert!(restored.success, "{}", restored.text);
    target.run("GRANT sop_ml_owner TO tenant_a, tenant_b");
    assert_eq!(contents(&source), contents(&target));
    assert_same_lines("definitions", &definitions(&source), &definitions(&target));
    assert_same_lines("privileges", &privileges(&source), &privileges(&target));

    // Code and schema agree: there is nothing left to install, and doing it again changes nothing.
    let applied = target.texts("SELECT file FROM sop_ml.install() WHERE action = 'applied'");
    assert_eq!(applied, Vec::<String>::new());
    assert_same_lines("definitions", &definitions(&source), &definitions(&target));
}

#[test]
fn dropping_the_extension_keeps_rows_and_denies_by_default() {
    let database = filled_database("drop_extension");
    let tables = |database: &Database| -> Vec<(String, i64, String)> {
        contents(database)
            .into_iter()
            .filter(|(name, ..)| !name.contains("summary") && !name.contains("weekly"))
            .collect()
    };
    let (rows, before, rights) = (
        tables(&database),
        definitions(&database),
        privileges(&database),
    );

    let error = database
        .superuser()
        .batch_execute("DROP EXTENSION sop_ml")
        .unwrap_err();
    assert_eq!(sqlstate(&error), "2BP01", "{error:?}");

    database.run("DROP EXTENSION sop_ml CASCADE");
    assert_eq!(rows, tables(&database));
    let mut tenant = database.connect(TENANTS[0].role);
    for relation in relations(&database) {
        if relation.schema != "sop_ml" || !relation.has_restaurant {
            continue;
        }
        let name = relation.qualified();
        // Either no right at all, or no row: nothing is shown without a policy.
        match tenant.query_one(&format!("SELECT count(*) FROM {name}"), &[]) {
            Ok(row) => assert_eq!(
                row.get::<_, i64>(0),
                0,
                "{name} shows rows without the extension"
            ),
            Err(error) => assert_eq!(sqlstate(&error), "42501", "{name}: {error:?}"),
        }
    }
    drop(tenant);

    database.run("CREATE EXTENSION sop_ml");
    assert_eq!(rows, tables(&database));
    assert_same_lines("definitions", &before, &definitions(&database));
    assert_same_lines("privileges", &rights, &privileges(&database));
}
