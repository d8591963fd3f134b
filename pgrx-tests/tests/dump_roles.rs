//! Who can dump and restore, and what `row_security` does to it: exactly what docs/dump_and_restore.md says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::path::PathBuf;

use sop_ml_e2e::catalogue::{contents, relations};
use sop_ml_e2e::dump::Picture;
use sop_ml_e2e::fixture::{TENANTS, fill};
use sop_ml_e2e::{Database, Output, shared, sqlstate, user_objects};

/// A database with rows of both tenants, summaries refreshed.
fn source(name: &str) -> Database {
    let database = shared().database_with_extension(name);
    database.run(user_objects::BYSTANDER);
    fill(&database);
    database
}

/// A login of the test's own.
fn login(database: &Database, name: &str, attributes: &str) {
    database.run(&format!("CREATE ROLE {name} LOGIN {attributes}"));
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sop_ml_{name}_{}.dump", std::process::id()))
}

fn dump_as(database: &Database, role: &str, options: &[&str], file: &std::path::Path) -> Output {
    let name = file.to_string_lossy();
    let mut arguments = vec!["--username", role, "--format=custom", "--file", &name];
    arguments.extend(options);
    database.program("pg_dump", &arguments, None)
}

/// How many lines of the restore's output are errors.
fn errors(output: &Output) -> Vec<&str> {
    output
        .text
        .lines()
        .filter(|line| line.contains("ERROR:"))
        .collect()
}

fn lines_of_copy(script: &str) -> Vec<&str> {
    script
        .lines()
        .skip_while(|line| !line.starts_with("COPY "))
        .skip(1)
        .take_while(|line| *line != "\\.")
        .collect()
}

#[test]
fn a_backup_role_needs_bypassrls_and_read_rights() {
    let database = source("roles_backup");
    let picture = Picture::take(&database);
    let file = file("backup");
    login(&database, "backup_reader", "IN ROLE pg_read_all_data");
    let refused = dump_as(&database, "backup_reader", &[], &file);
    assert!(!refused.success);
    assert!(
        refused
            .text
            .contains("query would be affected by row-level security policy"),
        "{}",
        refused.text
    );

    login(&database, "backup", "BYPASSRLS IN ROLE pg_read_all_data");
    let dumped = dump_as(&database, "backup", &[], &file);
    assert!(dumped.success, "{}", dumped.text);
    let target = shared().database("roles_backup_restored");
    let restored = target.restore(&file);
    std::fs::remove_file(&file).unwrap();
    assert!(restored.success, "{}", restored.text);
    picture.assert_same(&Picture::take(&target), "dumped by a backup role");
}

#[test]
fn the_owner_of_the_database_cannot_dump_it() {
    let database = source("roles_owner");
    let file = file("owner");
    login(&database, "database_owner", "");
    database.run("ALTER DATABASE roles_owner OWNER TO database_owner");
    let refused = dump_as(&database, "database_owner", &[], &file);
    assert!(!refused.success);
    assert!(
        refused.text.contains("permission denied for schema sop_ml"),
        "{}",
        refused.text
    );
    let _ = std::fs::remove_file(&file);
}

#[test]
fn enable_row_security_dumps_only_what_the_role_sees() {
    let database = source("roles_rls");
    let file = file("rls");
    // It may read everything, has no restaurant, and is told of no error: the dump has no row of any tenant.
    login(&database, "rls_reader", "IN ROLE pg_read_all_data");
    let dumped = dump_as(&database, "rls_reader", &["--enable-row-security"], &file);
    assert!(dumped.success, "{}", dumped.text);
    let name = file.to_string_lossy();
    let script = database.program(
        "pg_restore",
        &["--data-only", "--schema=sop_ml", "--file=-", &name],
        None,
    );
    assert!(script.success, "{}", script.text);
    for tenant in TENANTS {
        assert!(
            !script.text.contains(tenant.restaurant_id),
            "rows of {}",
            tenant.role
        );
    }
    std::fs::remove_file(&file).unwrap();

    // A tenant cannot dump the database, whatever the option.
    let tenant = TENANTS[0];
    for options in [&[][..], &["--enable-row-security"][..]] {
        let refused = dump_as(&database, tenant.role, options, &file);
        assert!(!refused.success, "{options:?}");
        assert!(
            refused
                .text
                .contains("permission denied for schema sop_ml_storage"),
            "{}",
            refused.text
        );
    }
    let _ = std::fs::remove_file(&file);

    // One plain table: an error without the option, the own rows with it.
    let table = |options: &[&str]| {
        let mut arguments = vec![
            "--username",
            tenant.role,
            "--data-only",
            "--table=sop_ml.sop_restaurants",
        ];
        arguments.extend(options);
        database.program("pg_dump", &arguments, None)
    };
    let refused = table(&[]);
    assert!(
        !refused.success && refused.text.contains("row-level security"),
        "{}",
        refused.text
    );
    let own = table(&["--enable-row-security"]);
    assert!(own.success, "{}", own.text);
    let rows = lines_of_copy(&own.text);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].starts_with(tenant.restaurant_id));
}

#[test]
fn a_restore_with_enable_row_security_collides_at_once() {
    let database = source("roles_collide");
    let file = file("collide");
    assert!(database.dump(&file).success);
    let target = shared().database("roles_collide_target");
    let name = file.to_string_lossy();
    let restored = target.program(
        "pg_restore",
        &[
            "--exit-on-error",
            "--enable-row-security",
            "--dbname",
            &target.name,
            &name,
        ],
        None,
    );
    std::fs::remove_file(&file).unwrap();
    assert!(!restored.success);
    // CREATE EXTENSION did not see a restore, and wanted to make what the dump had made already.
    assert!(
        restored
            .text
            .contains("schema \"sop_ml_storage\" already exists"),
        "{}",
        restored.text
    );
    assert_eq!(
        target.count("SELECT count(*) FROM pg_catalog.pg_extension WHERE extname = 'sop_ml'"),
        0
    );
}

/// The steps of the recipe: a superuser makes the extension, the role restores the rest, a superuser ends it.
fn restore_as(target: &Database, role: &str, file: &std::path::Path) -> Output {
    target.run(&format!(
        "ALTER DATABASE \"{database}\" OWNER TO {role};
         SET row_security = off;
         CREATE EXTENSION sop_ml;
         ALTER SCHEMA sop_ml OWNER TO {role};
         GRANT EXECUTE ON FUNCTION sop_ml.members_changed() TO {role};",
        database = target.name
    ));
    let name = file.to_string_lossy();
    let list = target.program("pg_restore", &["--list", &name], None);
    assert!(list.success, "{}", list.text);
    let kept: String = list
        .text
        .lines()
        .filter(|line| !line.contains(" SCHEMA - sop_ml "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(kept.lines().count(), list.text.lines().count());
    let list_file = file.with_extension("list");
    std::fs::write(&list_file, kept).unwrap();
    let restored = target.program(
        "pg_restore",
        &[
            "--username",
            role,
            "--no-owner",
            "--no-comments",
            "--use-list",
            &list_file.to_string_lossy(),
            "--dbname",
            &target.name,
            &name,
        ],
        None,
    );
    std::fs::remove_file(list_file).unwrap();
    restored
}

#[test]
fn an_ordinary_role_restores_after_a_superuser_made_the_extension() {
    let source = source("roles_restore");
    let picture = Picture::take(&source);
    let file = file("restore");
    assert!(source.dump(&file).success);

    // Alone it gets nowhere.
    login(&source, "restorer", "BYPASSRLS");
    let alone = shared().database("roles_restore_alone");
    alone.run("ALTER DATABASE roles_restore_alone OWNER TO restorer");
    let name = file.to_string_lossy();
    let refused = alone.program(
        "pg_restore",
        &[
            "--username",
            "restorer",
            "--exit-on-error",
            "--no-owner",
            "--dbname",
            &alone.name,
            &name,
        ],
        None,
    );
    assert!(!refused.success);
    assert!(
        refused
            .text
            .contains("permission denied to create extension"),
        "{}",
        refused.text
    );

    let with_bypass = shared().database("roles_restore_bypass");
    let restored = restore_as(&with_bypass, "restorer", &file);
    assert!(restored.success, "{}", restored.text);
    finish(&with_bypass, "restorer");
    picture.assert_same_but_owners(
        &Picture::take(&with_bypass),
        "restored by a role with BYPASSRLS",
    );

    // Without BYPASSRLS exactly the two summaries stay empty, and a superuser can fill them.
    login(&source, "plain_restorer", "");
    let plain = shared().database("roles_restore_plain");
    let restored = restore_as(&plain, "plain_restorer", &file);
    let errors = errors(&restored);
    assert_eq!(errors.len(), 2, "{}", restored.text);
    for (error, table) in errors
        .iter()
        .zip(["sop_performance_aggregates", "sop_performance_trends"])
    {
        assert!(
            error.contains("query would be affected by row-level security policy")
                && error.contains(table),
            "{error}"
        );
    }
    finish(&plain, "plain_restorer");
    plain.run("SELECT sop_ml.refresh_performance_summaries()");
    picture.assert_same_but_owners(
        &Picture::take(&plain),
        "restored by a role without BYPASSRLS",
    );
    std::fs::remove_file(&file).unwrap();
}

/// The superuser's last step.
fn finish(target: &Database, role: &str) {
    target.run(&format!(
        "REVOKE EXECUTE ON FUNCTION sop_ml.members_changed() FROM {role};
         REASSIGN OWNED BY {role} TO CURRENT_USER;
         SELECT sop_ml.install();"
    ));
}

#[test]
fn a_tenant_gains_nothing_by_row_security_off() {
    let database = source("roles_tenant");
    let before = contents(&database);
    let mut tenant = database.connect(TENANTS[0].role);
    tenant.batch_execute("SET row_security = off").unwrap();
    let mut tables = 0;
    for relation in relations(&database) {
        if !relation.has_restaurant || !matches!(relation.kind.as_str(), "r" | "p") {
            continue;
        }
        tables += 1;
        let name = relation.qualified();
        for statement in [
            format!("SELECT * FROM {name}"),
            format!("INSERT INTO {name} DEFAULT VALUES"),
            format!(
                "INSERT INTO {name} (restaurant_id) VALUES ('{}') ON CONFLICT DO NOTHING",
                TENANTS[0].restaurant_id
            ),
            format!("UPDATE {name} SET restaurant_id = restaurant_id"),
            format!("DELETE FROM {name}"),
            format!("COPY {name} TO STDOUT"),
            format!("COPY {name} FROM STDIN"),
            format!("TRUNCATE {name}"),
        ] {
            let error = tenant.batch_execute(&statement).unwrap_err();
            assert_eq!(sqlstate(&error), "42501", "{statement}: {error:?}");
        }
    }
    assert!(tables > 40, "{tables} tables");
    assert_eq!(before, contents(&database));
}

#[test]
fn triggers_rest_for_a_superuser_who_restores_and_for_nobody_else() {
    let database = source("roles_triggers");
    login(&database, "nightly", "IN ROLE sop_ml_operator");
    let id = TENANTS[0].restaurant_id;
    let logged = || database.count("SELECT count(*) FROM sop_ml_storage.dirty_buckets");
    let insert = format!(
        "INSERT INTO sop_ml.sop_user_interactions (restaurant_id, user_id, sop_id, interaction_type, occurred_at)
         SELECT '{id}', gen_random_uuid(), gen_random_uuid(), 'view', '2020-01-01 00:00:00+00'::timestamptz;"
    );
    let preference = format!(
        "INSERT INTO sop_ml.sop_privacy_preferences (restaurant_id, user_id, purpose, state)
         VALUES ('{id}', gen_random_uuid(), 'personalisation', 'denied');"
    );
    let profiles = || {
        database
            .count("SELECT count(*) FROM sop_ml.sop_user_profiles WHERE personalization_opt_out")
    };

    // An operator is not bound by row-level security, and all the same every trigger works.
    let (hours, refused) = (logged(), profiles());
    database
        .connect("nightly")
        .batch_execute(&format!(
            "SET ROLE sop_ml_operator; SET row_security = off; {insert} {preference}"
        ))
        .unwrap();
    assert_eq!((logged(), profiles()), (hours + 1, refused + 1));

    // A superuser's function that a tenant calls with row_security off does not pass for a restore either.
    database.run(&format!(
        "CREATE FUNCTION public.record_view() RETURNS void LANGUAGE sql SECURITY DEFINER
             SET search_path = pg_catalog, pg_temp AS $${insert}$$"
    ));
    database
        .connect(TENANTS[0].role)
        .batch_execute("SET row_security = off; SELECT public.record_view()")
        .unwrap();
    assert_eq!(logged(), hours + 2);

    // What pg_restore does.
    database.run(&format!("SET row_security = off; {insert} {preference}"));
    assert_eq!((logged(), profiles()), (hours + 2, refused + 1));
}
