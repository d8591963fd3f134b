//! A made-up earlier version of the extension, 0.0.9, to upgrade from.
//!
//! Migrations and idempotent scripts are compiled into the library, so an earlier script alone would still make today's
//! schema. The earlier version is therefore made from both ends: its script is today's without two capabilities, with one
//! function that differs and one that no longer exists; and the last migration is undone in the database, along with some
//! of what the idempotent scripts make. Then `ALTER EXTENSION sop_ml UPDATE` has to do what a real one does: add, replace
//! and drop members, apply a migration to tables that hold rows, and refresh policies, grants and comments.

use std::fmt::Write as _;
use std::path::Path;

use crate::{Cluster, Database, workspace};

/// The earlier version.
pub const VERSION: &str = "0.0.9";
/// Source files whose functions it does not have.
const LATER_CAPABILITIES: [&str; 2] = ["src/partitions.rs", "src/anomalies.rs"];
/// A function that costs something else in it.
const CHANGED_FUNCTION: &str = "compute_baselines";
const BEGIN: &str = "/* <begin connected objects> */";
const RETIRED: &str = "CREATE FUNCTION sop_ml.retired_function() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';";

/// Writes `sop_ml--0.0.9.sql` and the upgrade script beside the installed script in a private extension directory.
///
/// # Panics
/// When the installed script does not have what is left out or changed.
pub fn write_scripts(extensions: &Path) {
    let current = env!("CARGO_PKG_VERSION");
    let installed = extensions.join(format!("sop_ml--{current}.sql"));
    let script = std::fs::read_to_string(&installed)
        .unwrap_or_else(|error| panic!("{}: {error}", installed.display()));
    for (name, text) in [
        (format!("sop_ml--{VERSION}.sql"), earlier_script(&script)),
        (
            format!("sop_ml--{VERSION}--{current}.sql"),
            upgrade_script(&script),
        ),
    ] {
        std::fs::write(extensions.join(&name), text)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn blocks(script: &str) -> impl Iterator<Item = &str> {
    script.split(BEGIN)
}

fn is_later(block: &str) -> bool {
    LATER_CAPABILITIES
        .iter()
        .any(|file| block.contains(&format!("-- {file}:")))
}

fn earlier_script(script: &str) -> String {
    for file in LATER_CAPABILITIES {
        assert!(
            blocks(script).any(|block| block.contains(&format!("-- {file}:"))
                && block.contains("CREATE  FUNCTION")),
            "the script has no function of {file}"
        );
    }
    let kept: Vec<&str> = blocks(script).filter(|block| !is_later(block)).collect();
    let kept = kept.join(BEGIN);
    let body = format!("AS 'MODULE_PATHNAME', '{CHANGED_FUNCTION}_wrapper';");
    let changed = kept.replace(&body, &format!("COST 7\n{body}"));
    assert_ne!(kept, changed, "the script has no {CHANGED_FUNCTION}");
    // Before the last block, which calls install().
    let (members, finish) = changed
        .rsplit_once(BEGIN)
        .expect("the script has several blocks");
    assert!(finish.contains("sop_ml.install()"), "{finish}");
    format!("{members}{RETIRED}\n{BEGIN}{finish}")
}

/// As design and docs/upgrading.md say: make what is new, replace what may have changed, drop what is gone, `install()`.
fn upgrade_script(script: &str) -> String {
    let mut text = String::from("DROP FUNCTION sop_ml.retired_function();\n");
    for block in blocks(script) {
        // Types, operators, casts and aggregates are what they were.
        let unchanged = [
            "CREATE TYPE",
            "CREATE AGGREGATE",
            "CREATE OPERATOR",
            "CREATE CAST",
        ]
        .iter()
        .any(|statement| block.contains(statement));
        if is_later(block) {
            text.push_str(block);
        } else if !unchanged {
            text.push_str(
                &block
                    .replace("CREATE  FUNCTION", "CREATE OR REPLACE FUNCTION")
                    .replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"),
            );
        } else {
            // Their functions were replaced above, which took back the number of rows that the planner is told.
            for line in block.lines() {
                if line.starts_with("ALTER FUNCTION") {
                    let _ = writeln!(text, "{line}");
                }
            }
        }
    }
    text
}

/// Takes the last migration, and some of what idempotent scripts make, out of a database of the earlier version.
///
/// What the last migration made is found by running the migrations with and without it in two scratch databases, so that
/// this holds for later migrations too; what it missed makes the upgrade fail, because the migration finds it there.
///
/// # Panics
/// When a statement fails or the last migration made nothing.
pub fn undo_last_migration(cluster: &Cluster, database: &Database) {
    let mut migrations: Vec<_> = std::fs::read_dir(workspace().join("sql/migrations"))
        .expect("sql/migrations")
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    migrations.sort();
    let last = migrations.pop().expect("there are migrations");
    let mut script = String::from("CREATE SCHEMA sop_ml;\n");
    for path in &migrations {
        script.push_str(&std::fs::read_to_string(path).expect("a migration"));
    }
    let scratch = cluster.database(&format!("{}_without_last", database.name));
    scratch.run(&script);
    let before = removals(&scratch);
    scratch.run(&std::fs::read_to_string(&last).expect("a migration"));
    let mut undo = String::new();
    for statement in removals(&scratch) {
        if !before.contains(&statement) {
            let _ = writeln!(undo, "{statement};");
        }
    }
    assert!(!undo.is_empty(), "{} made nothing", last.display());
    let version: i32 = last
        .file_name()
        .and_then(|name| name.to_string_lossy().split('_').next()?.parse().ok())
        .unwrap_or_else(|| panic!("{} has no number", last.display()));
    let _ = writeln!(
        undo,
        "DELETE FROM sop_ml.sop_schema_migrations WHERE version = {version};
         DROP POLICY sop_ml_delete ON sop_ml.sop_ml_models;
         REVOKE SELECT ON sop_ml.sop_restaurants FROM sop_ml_viewer;
         GRANT DELETE ON sop_ml.sop_restaurants TO sop_ml_viewer;
         COMMENT ON TABLE sop_ml.sop_restaurants IS 'what an earlier version said';"
    );
    database.run(&undo);
}

/// Statements that remove each object of the two schemas, in an order in which they can run.
fn removals(database: &Database) -> Vec<String> {
    database.texts(
        "WITH relation AS (
            SELECT c.oid, c.relkind, c.relispartition, format('%I.%I', n.nspname, c.relname) AS name
              FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname IN ('sop_ml', 'sop_ml_storage'))
         SELECT statement FROM (
         SELECT 1, name, format('DROP TABLE IF EXISTS %s CASCADE', name) FROM relation WHERE relkind IN ('r', 'p')
         UNION ALL
         SELECT 2, name, format('DROP INDEX IF EXISTS %s', name) FROM relation r
          WHERE relkind IN ('i', 'I') AND NOT relispartition
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = r.oid)
         UNION ALL
         SELECT 3, name, format('ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %I CASCADE', name, k.conname)
           FROM relation r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid AND k.coninhcount = 0
         UNION ALL
         SELECT 4, name, format('ALTER TABLE IF EXISTS %s DROP COLUMN IF EXISTS %I CASCADE', name, a.attname)
           FROM relation r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
            AND a.attinhcount = 0
          WHERE r.relkind IN ('r', 'p')
         UNION ALL
         SELECT 5, f.oid::regprocedure::text, format('DROP FUNCTION IF EXISTS %s CASCADE', f.oid::regprocedure)
           FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
          WHERE n.nspname IN ('sop_ml', 'sop_ml_storage')
         ) AS statements (step, name, statement)
         ORDER BY step, name",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_reduced_and_completed() {
        let block = |file: &str, name: &str| {
            format!(
                "{BEGIN}\n-- {file}:1\nCREATE  FUNCTION \"{name}\"()\nAS 'MODULE_PATHNAME', '{name}_wrapper';\n"
            )
        };
        let script = [
            block("src/partitions.rs", "maintain_partitions"),
            block("src/anomalies.rs", "detect_prediction_anomalies"),
            block("src/aggregation/mod.rs", CHANGED_FUNCTION),
            format!("{BEGIN}\nCREATE TYPE kept;\nCREATE FUNCTION kept_in();\n"),
            format!("{BEGIN}\nSELECT sop_ml.install();\n"),
        ]
        .concat();
        let earlier = earlier_script(&script);
        assert!(!earlier.contains("maintain_partitions") && !earlier.contains("anomalies"));
        assert!(earlier.contains("COST 7") && earlier.contains("CREATE TYPE kept"));
        assert!(earlier.find("retired_function") < earlier.find("install()"));
        let upgrade = upgrade_script(&script);
        assert!(upgrade.contains("CREATE  FUNCTION \"maintain_partitions\""));
        assert!(upgrade.contains(&format!(
            "CREATE OR REPLACE FUNCTION \"{CHANGED_FUNCTION}\""
        )));
        assert!(!upgrade.contains("kept") && upgrade.ends_with("SELECT sop_ml.install();\n"));
    }
}
