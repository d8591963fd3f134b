//! Dumps and restores in every form that a DBA may choose, and what has to be the same afterwards.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::catalogue::{
    assert_same_lines, contents, definitions, members, privileges, relations, sequences,
};
use crate::{Database, Output};

/// A form of dump, and the restore that belongs to it. docs/dump_and_restore.md has the recipes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A script for `psql`.
    Plain,
    /// `-Fc`.
    Custom,
    /// `-Fd -j 2`, restored with two jobs.
    Directory,
    /// A script of INSERT statements.
    Inserts,
    /// The schema first, then the data with `--disable-triggers`, as PostgreSQL's manual says.
    SchemaThenData,
    /// The same without `--disable-triggers`: the triggers of sop_ml have to leave the rows alone.
    SchemaThenDataWithTriggers,
    /// The same, and rows of partitions go through their table, where the statement triggers are.
    SchemaThenDataThroughRoot,
    /// One dump restored in three steps: pre-data, data, post-data.
    Sections,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Plain,
        Self::Custom,
        Self::Directory,
        Self::Inserts,
        Self::SchemaThenData,
        Self::SchemaThenDataWithTriggers,
        Self::SchemaThenDataThroughRoot,
        Self::Sections,
    ];

    /// Dumps `source` and restores into the empty database `target`, step by step as the recipe says.
    ///
    /// # Panics
    /// When a step fails.
    pub fn transfer(self, source: &Database, target: &Database) {
        let files = Files::new();
        match self {
            Self::Plain => {
                let file = files.dump(source, &["--format=plain"]);
                run_script(target, &file);
            }
            Self::Inserts => {
                let file = files.dump(source, &["--format=plain", "--inserts"]);
                run_script(target, &file);
            }
            Self::Custom => {
                let file = files.dump(source, &["--format=custom"]);
                restore(target, &file, &[]);
            }
            Self::Directory => {
                let file = files.dump(source, &["--format=directory", "--jobs=2"]);
                restore(target, &file, &["--jobs=2"]);
            }
            Self::SchemaThenData => {
                schema_then_data(&files, source, target, &[], &["--disable-triggers"]);
            }
            Self::SchemaThenDataWithTriggers => {
                schema_then_data(&files, source, target, &[], &[]);
            }
            Self::SchemaThenDataThroughRoot => {
                schema_then_data(&files, source, target, &["--load-via-partition-root"], &[]);
            }
            Self::Sections => {
                let file = files.dump(source, &["--format=custom"]);
                for section in ["pre-data", "data", "post-data"] {
                    restore(target, &file, &[&format!("--section={section}")]);
                }
            }
        }
    }
}

fn schema_then_data(
    files: &Files,
    source: &Database,
    target: &Database,
    dump_options: &[&str],
    restore_options: &[&str],
) {
    let schema = files.dump(source, &["--format=custom", "--schema-only"]);
    restore(target, &schema, &[]);
    let mut options = vec!["--format=custom", "--data-only"];
    options.extend(dump_options);
    let data = files.dump(source, &options);
    restore(target, &data, restore_options);
    // A dump of the data alone refreshes no materialized view, and --disable-triggers leaves a trigger that was enabled
    // ALWAYS enabled in ordinary sessions only.
    target.run("SELECT sop_ml.install(); SELECT sop_ml.refresh_performance_summaries();");
    for view in unpopulated(target) {
        target.run(&format!("REFRESH MATERIALIZED VIEW {view}"));
    }
}

/// Materialized views without contents; those of sop_ml must not be among them.
fn unpopulated(database: &Database) -> Vec<String> {
    let views = database.texts(
        "SELECT oid::regclass::text FROM pg_catalog.pg_class WHERE relkind = 'm' AND NOT relispopulated ORDER BY 1",
    );
    assert!(
        views.iter().all(|view| !view.starts_with("sop_ml")),
        "{views:?}"
    );
    views
}

/// Dump files of one transfer; removed when dropped.
struct Files {
    directory: PathBuf,
}

impl Files {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = std::env::temp_dir().join(format!(
            "sop_ml_dump-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir(&directory).expect("a directory for dumps");
        Self { directory }
    }

    fn dump(&self, source: &Database, options: &[&str]) -> PathBuf {
        let file = self.directory.join(options.join(""));
        let mut arguments = options.to_vec();
        let name = file.to_string_lossy();
        arguments.extend(["--file", &name]);
        succeeded(
            "pg_dump",
            &arguments,
            &source.program("pg_dump", &arguments, None),
        );
        file
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn succeeded(program: &str, arguments: &[&str], output: &Output) {
    assert!(
        output.success,
        "{program} {}: {}",
        arguments.join(" "),
        output.text
    );
}

fn run_script(target: &Database, file: &Path) {
    let name = file.to_string_lossy();
    let arguments = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", &name];
    succeeded(
        "psql",
        &arguments,
        &target.program("psql", &arguments, None),
    );
}

fn restore(target: &Database, file: &Path, options: &[&str]) {
    let name = file.to_string_lossy();
    let mut arguments = vec!["--exit-on-error", "--dbname", &target.name];
    arguments.extend(options);
    arguments.push(&name);
    succeeded(
        "pg_restore",
        &arguments,
        &target.program("pg_restore", &arguments, None),
    );
}

/// Everything that a restore has to keep.
#[derive(Debug)]
pub struct Picture {
    contents: Vec<String>,
    definitions: Vec<String>,
    privileges: Vec<String>,
    members: Vec<String>,
    sequences: Vec<String>,
    schema: Vec<String>,
}

impl Picture {
    /// Of a database as it is.
    #[must_use]
    pub fn take(database: &Database) -> Self {
        Self {
            contents: rows(database),
            definitions: definitions(database),
            privileges: privileges(database),
            members: members(database),
            sequences: sequences(database),
            schema: schema_script(database),
        }
    }

    /// How many relations hold rows in it.
    #[must_use]
    pub fn relations_with_rows(&self) -> usize {
        self.contents
            .iter()
            .filter(|line| !line.contains(": 0 rows"))
            .count()
    }

    /// How many sequences it shows: those of users, since sop_ml has none.
    #[must_use]
    pub fn sequences(&self) -> usize {
        self.sequences.len()
    }

    /// # Panics
    /// With what differs.
    pub fn assert_same(&self, other: &Self, what: &str) {
        assert_eq!(self.sequences, other.sequences, "{what}: sequences");
        for (part, left, right) in [
            ("contents", &self.contents, &other.contents),
            ("definitions", &self.definitions, &other.definitions),
            ("privileges", &self.privileges, &other.privileges),
            ("members", &self.members, &other.members),
            ("schema", &self.schema, &other.schema),
        ] {
            assert_same_lines(&format!("{what}: {part}"), left, right);
        }
    }

    /// As [`Picture::assert_same`], where the owner of the restored tables is another one: who owns what is left out.
    ///
    /// # Panics
    /// With what differs.
    pub fn assert_same_but_owners(&self, other: &Self, what: &str) {
        assert_eq!(self.sequences, other.sequences, "{what}: sequences");
        for (part, left, right) in [
            ("contents", &self.contents, &other.contents),
            ("privileges", &self.privileges, &other.privileges),
            ("members", &self.members, &other.members),
        ] {
            assert_same_lines(&format!("{what}: {part}"), left, right);
        }
        let without_owner = |lines: &[String]| -> Vec<String> {
            lines
                .iter()
                .map(|line| {
                    line.split_once(" owner ").map_or_else(
                        || line.clone(),
                        |(before, after)| {
                            let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
                            format!("{before} {rest}")
                        },
                    )
                })
                .collect()
        };
        assert_same_lines(
            &format!("{what}: definitions"),
            &without_owner(&self.definitions),
            &without_owner(&other.definitions),
        );
    }
}

/// Rows and checksum of every relation of sop_ml and of the users' own tables and materialized views.
fn rows(database: &Database) -> Vec<String> {
    let mut lines: Vec<String> = contents(database)
        .into_iter()
        .map(|(name, rows, checksum)| format!("{name}: {rows} rows {checksum}"))
        .collect();
    assert!(lines.len() > 40, "only {} relations", lines.len());
    let known = relations(database).len();
    assert!(known >= lines.len(), "{known} relations");
    for name in database.texts(
        "SELECT c.oid::regclass::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'sop_ml', 'sop_ml_storage')
          ORDER BY 1",
    ) {
        lines.extend(database.texts(&format!(
            "SELECT '{name}: ' || count(*) || ' rows ' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '')
               FROM {name} AS t"
        )));
    }
    lines.sort();
    lines
}

/// What `pg_dump --schema-only` says, line by line: whatever it knows, users' objects of any kind included. The order of
/// objects and the parentheses of expressions that were read again may differ.
fn schema_script(database: &Database) -> Vec<String> {
    let output = database.program("pg_dump", &["--schema-only"], None);
    assert!(output.success, "{}", output.text);
    let mut lines: Vec<String> = output
        .text
        .lines()
        .filter(|line| {
            !line.trim().is_empty()
                && ![r"\restrict", r"\unrestrict", "--"]
                    .iter()
                    .any(|start| line.starts_with(start))
        })
        .map(|line| {
            line.chars()
                .filter(|character| !matches!(character, '(' | ')'))
                .collect()
        })
        .collect();
    lines.sort();
    lines
}
