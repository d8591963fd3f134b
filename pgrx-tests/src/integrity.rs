//! Whether a database is whole: `amcheck` of every index and table, and a state that can be compared with another one.

use std::collections::BTreeSet;

use postgres::Client;

use crate::{Database, catalogue, describe};

/// Columns that say when something was done or in which run, or that are drawn anew: two runs that do the same work differ
/// in them.
const MOVING: [&str; 14] = [
    "feature_id",
    "valid_from",
    "valid_until",
    "run_id",
    "computed_at",
    "measured_at",
    "detected_at",
    "applied_at",
    "created_at",
    "updated_at",
    "logged_at",
    "archived_at",
    "retired_at",
    "last_run_at",
];

/// Relations that a run writes about itself, so that two of them differ.
const JOURNALS: [&str; 1] = ["sop_job_runs"];

/// What a database holds and how it is made, with one line for each relation's rows and for each definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    lines: Vec<String>,
}

impl State {
    /// The present state of both schemas. Rows count where they are stored: moving one to another partition is a change.
    ///
    /// # Panics
    /// When something cannot be read.
    #[must_use]
    pub fn of(database: &Database) -> Self {
        let mut client = database.superuser();
        let mut lines: Vec<String> = catalogue::relations(database)
            .iter()
            .filter(|relation| {
                matches!(relation.kind.as_str(), "r" | "m")
                    && !JOURNALS.contains(&relation.name.as_str())
            })
            .map(|relation| rows(&mut client, &relation.qualified()))
            .collect();
        lines.extend(catalogue::definitions(database));
        Self { lines }
    }

    /// The lines that only one of the two states has, for the message of a failed test.
    #[must_use]
    pub fn differences(&self, other: &Self) -> String {
        let (left, right): (BTreeSet<_>, BTreeSet<_>) =
            (self.lines.iter().collect(), other.lines.iter().collect());
        left.difference(&right)
            .map(|line| format!("  - {line}"))
            .chain(right.difference(&left).map(|line| format!("  + {line}")))
            .take(40)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// The first rows of two databases' relations that differ, without what moves: for the message of a failed test.
///
/// # Panics
/// When something cannot be read.
#[must_use]
pub fn differing_rows(expected: &Database, found: &Database) -> String {
    let read = |database: &Database, relation: &str| -> BTreeSet<String> {
        database
            .superuser()
            .query(
                &format!("SELECT (to_jsonb(t) - $1::text[])::text FROM {relation} AS t"),
                &[&MOVING.as_slice()],
            )
            .unwrap_or_else(|error| panic!("{relation}: {}", describe(&error)))
            .iter()
            .map(|row| row.get(0))
            .collect()
    };
    let mut text = Vec::new();
    for relation in catalogue::relations(found) {
        if !matches!(relation.kind.as_str(), "r" | "m")
            || JOURNALS.contains(&relation.name.as_str())
        {
            continue;
        }
        let relation = relation.qualified();
        let (expected, found) = (read(expected, &relation), read(found, &relation));
        let (missing, new) = (expected.difference(&found), found.difference(&expected));
        text.extend(missing.take(3).map(|row| format!("{relation} - {row}")));
        text.extend(new.take(3).map(|row| format!("{relation} + {row}")));
    }
    text.join("\n")
}

/// Number and checksum of a relation's rows without what moves.
fn rows(client: &mut Client, relation: &str) -> String {
    client
        .query_one(
            &format!(
                "SELECT format('rows of %s: %s %s', $2::text, count(*), md5(string_agg(line, '' ORDER BY line)))
                   FROM (SELECT md5((to_jsonb(t) - $1::text[])::text) FROM {relation} AS t) AS hashed (line)"
            ),
            &[&MOVING.as_slice(), &relation],
        )
        .unwrap_or_else(|error| panic!("{relation}: {}", describe(&error)))
        .get(0)
}

/// Checks every btree index (order, and that it has an entry for each row) and every table (line pointers, tuples, TOAST) of
/// both schemas and of the catalogue; returns how many indexes and tables there were. Needs the extension `amcheck`.
///
/// # Panics
/// When one of them is damaged.
#[must_use]
pub fn check_storage(database: &Database) -> (usize, usize) {
    let mut client = database.superuser();
    let of_interest = "c.relnamespace IN (to_regnamespace('sop_ml'), to_regnamespace('sop_ml_storage'), 'pg_catalog'::regnamespace)
                       AND c.relpersistence <> 't'";
    let indexes = client
        .query(
            &format!(
                "SELECT c.oid::regclass::text, bt_index_check(c.oid, heapallindexed => true)::text
                   FROM pg_catalog.pg_class c
                   JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
                   JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'
                  WHERE {of_interest} AND c.relkind = 'i' AND i.indisvalid AND i.indisready"
            ),
            &[],
        )
        .unwrap_or_else(|error| panic!("{}: a damaged index: {}", database.name, describe(&error)));
    let tables = client
        .query(
            &format!(
                "SELECT c.oid::regclass::text,
                        (SELECT string_agg(format('block %s offset %s: %s', damage.blkno, damage.offnum, damage.msg), '; ')
                           FROM verify_heapam(c.oid) AS damage)
                   FROM pg_catalog.pg_class c
                  WHERE {of_interest} AND c.relkind IN ('r', 'm')"
            ),
            &[],
        )
        .unwrap_or_else(|error| panic!("{}: a damaged table: {}", database.name, describe(&error)));
    let damaged: Vec<String> = tables
        .iter()
        .filter_map(|row| {
            let damage: Option<String> = row.get(1);
            damage.map(|damage| format!("{}: {damage}", row.get::<_, String>(0)))
        })
        .collect();
    assert!(
        damaged.is_empty(),
        "{}: damaged tables: {}",
        database.name,
        damaged.join("\n")
    );
    (indexes.len(), tables.len())
}
