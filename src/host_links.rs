//! Foreign keys from key tables to the tables of the host application: made, validated, listed and removed.
//!
//! Everything happens in the caller's transaction, so nothing is ever half-done. Statements come from
//! `sql/queries/host_links_*.sql`, which quote every name; nothing here puts SQL together.

mod kinds;
mod locks;

use std::time::Duration;

use crate::jsonb::JsonB;
use pgrx::Uuid;
use pgrx::pg_sys::errcodes::PgSqlErrorCode as Code;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Deserialize;

use self::kinds::{KINDS, Kind};
use self::locks::{Locks, patiently};
use crate::arguments::required;
use crate::error::{
    PgResult, insufficient_privilege, internal, invalid_parameter, prerequisite, with_code,
};
use crate::install::require_owner;
use crate::regclass::RegClass;
use crate::{options, sql};

const HOST: &str = include_str!("../sql/queries/host_links_host.sql");
const LIST: &str = include_str!("../sql/queries/host_links_list.sql");
const STATEMENTS: &str = include_str!("../sql/queries/host_links_statements.sql");
const UNLINK: &str = include_str!("../sql/queries/host_links_unlink.sql");

/// How long to wait for locks, if nothing else is said.
const LOCK_TIMEOUT_MS: u64 = 5_000;
const LOCK_TIMEOUT_LIMIT_MS: u64 = 3_600_000;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LinkOptions {
    lock_timeout_ms: u64,
    delete_rule: Option<DeleteRule>,
    validate: bool,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            lock_timeout_ms: LOCK_TIMEOUT_MS,
            delete_rule: None,
            validate: true,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UnlinkOptions {
    lock_timeout_ms: u64,
}

impl Default for UnlinkOptions {
    fn default() -> Self {
        Self {
            lock_timeout_ms: LOCK_TIMEOUT_MS,
        }
    }
}

/// What the deletion of a host's row does while rows here point at it. Neither deletes anything here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum DeleteRule {
    #[serde(rename = "restrict")]
    Restrict,
    #[serde(rename = "no action")]
    NoAction,
}

impl DeleteRule {
    const fn name(self) -> &'static str {
        match self {
            Self::Restrict => "restrict",
            Self::NoAction => "no action",
        }
    }
}

/// The state of one kind.
struct Link {
    kind: String,
    table: String,
    column: String,
    constraint: String,
    /// The host's table, its name, its column, the delete rule, and whether the constraint is validated.
    host: Option<(pg_sys::Oid, String, String, String, bool)>,
    has_index: bool,
    hides_rows: bool,
}

struct Statements {
    locks: Locks,
    add: String,
    orphans: String,
    validate: String,
}

/// Rows without a host row: how many, and the smallest of their identifiers.
#[derive(Default)]
struct Orphans {
    count: i64,
    sample: Vec<Uuid>,
}

/// Makes or validates the foreign key of a kind.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn link_host_table(
    kind: Option<&str>,
    relation: Option<RegClass>,
    id_column: default!(Option<&str>, "'id'"),
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(kind, String),
            name!(constraint_name, String),
            name!(status, String),
            name!(orphans, i64),
            name!(sample, Vec<Uuid>),
        ),
    >,
    ErrorReport,
> {
    require_owner("link_host_table()")?;
    sql::require_writable(c"link_host_table()");
    let options: LinkOptions = options::parse(options)?;
    let lock_timeout = lock_timeout(options.lock_timeout_ms)?;
    let kind = Kind::named(required("kind", kind)?)?;
    let relation = required("relation", relation)?.oid();
    let id_column = required("id_column", id_column)?;
    check_host(relation, id_column)?;
    let rule = options.delete_rule;
    let link = linkable(kind, relation, id_column, rule)?;
    let is_new = link.host.is_none();
    let (validated, orphans) = match &link.host {
        Some((.., true)) => (true, Orphans::default()),
        _ => {
            let rule = rule.unwrap_or(DeleteRule::Restrict);
            let statements = statements(kind, relation, id_column, rule, is_new)?;
            patiently(lock_timeout, &statements.locks, || {
                attach(&statements, is_new, options.validate)
            })?
        }
    };
    let status = if validated {
        "validated"
    } else {
        "not_validated"
    };
    Ok(TableIterator::once((
        kind.name.to_owned(),
        kind.constraint.to_owned(),
        status.to_owned(),
        orphans.count,
        orphans.sample,
    )))
}

/// Removes the foreign key of a kind.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn unlink_host_table(
    kind: Option<&str>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(kind, String),
            name!(constraint_name, String),
            name!(status, String),
        ),
    >,
    ErrorReport,
> {
    require_owner("unlink_host_table()")?;
    sql::require_writable(c"unlink_host_table()");
    let options: UnlinkOptions = options::parse(options)?;
    let lock_timeout = lock_timeout(options.lock_timeout_ms)?;
    let kind = Kind::named(required("kind", kind)?)?;
    let link = current(kind)?;
    if link.host.is_some() || link.has_index {
        let host = link.host.as_ref().map(|(oid, ..)| *oid);
        let arguments = [
            kind.table.into(),
            kind.constraint.into(),
            kind.index.into(),
            host.into(),
        ];
        let (locks, drop) = sql::select_one(UNLINK, &arguments, |row| {
            let locks = Locks {
                host: row.get(1)?,
                own: row.required(2)?,
            };
            Ok((locks, row.required::<String>(3)?))
        })?
        .ok_or_else(|| internal("no statement to undo a link"))?;
        patiently(lock_timeout, &locks, || run(&drop))?;
    }
    let status = if link.host.is_some() {
        "unlinked"
    } else {
        "not_linked"
    };
    Ok(TableIterator::once((
        kind.name.to_owned(),
        kind.constraint.to_owned(),
        status.to_owned(),
    )))
}

/// One row per kind.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn host_links() -> Result<
    TableIterator<
        'static,
        (
            name!(kind, String),
            name!(status, String),
            name!(relation_name, String),
            name!(column_name, String),
            name!(constraint_name, String),
            name!(host_relation, Option<String>),
            name!(host_column, Option<String>),
            name!(delete_rule, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let links = list(&KINDS)?;
    Ok(TableIterator::new(links.into_iter().map(|link| {
        let status = match &link.host {
            None => "not_linked",
            Some((.., false)) => "not_validated",
            Some((.., true)) => "validated",
        };
        let host = link
            .host
            .map(|(_, relation, column, rule, _)| (relation, column, rule));
        let (relation, column, rule) = match host {
            Some((relation, column, rule)) => (Some(relation), Some(column), Some(rule)),
            None => (None, None, None),
        };
        (
            link.kind,
            status.to_owned(),
            format!("sop_ml.{}", link.table),
            link.column,
            link.constraint,
            relation,
            column,
            rule,
        )
    })))
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.link_host_table(text, regclass, text, jsonb) IS
'Makes rows of a key table need a row in a table of the host application. kind: restaurants (sop_restaurants), documents (sop_content_features.sop_id), users (sop_user_profiles.user_id) or training_modules (sop_training_records.module_id). Adds a foreign key for new rows, counts rows without a host row (orphans, with up to ten of their identifiers), and validates the key when there are none; call it again once they are gone. Rows of the shared tenant and nil identifiers need no host row. Options: lock_timeout_ms, delete_rule (restrict, no action), validate. Superusers and the owner of the extension only. Example: SELECT * FROM sop_ml.link_host_table(''users'', ''app.users'', ''id'');';
COMMENT ON FUNCTION sop_ml.unlink_host_table(text, jsonb) IS
'Removes what link_host_table() made for a kind; status unlinked, or not_linked when there was nothing. Options: lock_timeout_ms. Example: SELECT * FROM sop_ml.unlink_host_table(''users'');';
COMMENT ON FUNCTION sop_ml.host_links() IS
'Which tables of the host application the key tables of sop_ml are linked to: one row per kind, status not_linked, not_validated (there were orphans) or validated. Example: SELECT kind, status, host_relation FROM sop_ml.host_links();';
"#,
    name = "comment_host_links",
    requires = [link_host_table, unlink_host_table, host_links]
);

fn lock_timeout(milliseconds: u64) -> PgResult<Duration> {
    if (1..=LOCK_TIMEOUT_LIMIT_MS).contains(&milliseconds) {
        return Ok(Duration::from_millis(milliseconds));
    }
    Err(invalid_parameter(format!(
        "option lock_timeout_ms must lie between 1 and {LOCK_TIMEOUT_LIMIT_MS}, not {milliseconds}"
    )))
}

/// Refuses what a foreign key could not point at, with the SQLSTATE that PostgreSQL itself has for it.
fn check_host(relation: pg_sys::Oid, column: &str) -> PgResult<()> {
    let facts = sql::select_one(HOST, &[relation.into(), column.into()], |row| {
        let fact = |at| row.required::<bool>(at);
        Ok((
            [fact(1)?, fact(2)?, fact(3)?, fact(4)?, fact(5)?, fact(6)?],
            row.required::<String>(7)?,
        ))
    })?;
    let Some((
        [
            is_table,
            is_ours,
            has_column,
            is_uuid,
            is_unique,
            hides_rows,
        ],
        name,
    )) = facts
    else {
        return Err(with_code(
            Code::ERRCODE_UNDEFINED_TABLE,
            format!("relation with oid {} does not exist", relation.to_u32()),
        ));
    };
    if is_ours {
        return Err(invalid_parameter(format!(
            "{name} belongs to sop_ml, not to the host application"
        )));
    }
    if !is_table {
        return Err(with_code(
            Code::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{name} is not a table"),
        ));
    }
    if !has_column {
        return Err(with_code(
            Code::ERRCODE_UNDEFINED_COLUMN,
            format!("{name} has no column \"{column}\""),
        ));
    }
    if !is_uuid {
        return Err(with_code(
            Code::ERRCODE_DATATYPE_MISMATCH,
            format!("column \"{column}\" of {name} is not of type uuid"),
        ));
    }
    if !is_unique {
        return Err(with_code(
            Code::ERRCODE_INVALID_FOREIGN_KEY,
            format!("column \"{column}\" of {name} alone has no primary key or unique index"),
        )
        .set_hint("The index must be valid, not partial and not deferrable."));
    }
    if hides_rows {
        return Err(hidden_rows(&name));
    }
    Ok(())
}

/// An owner whom FORCE ROW LEVEL SECURITY binds sees no row: orphans would not be counted, and PostgreSQL's own check
/// would pass over them.
fn hidden_rows(relation: &str) -> ErrorReport {
    insufficient_privilege(format!(
        "row-level security hides rows of {relation} from you"
    ))
    .set_hint("Link tables as superuser, or as an owner with BYPASSRLS.")
}

fn list(kinds: &[Kind]) -> PgResult<Vec<Link>> {
    let names = |of: fn(&Kind) -> &'static str| kinds.iter().map(of).collect::<Vec<_>>();
    let indexes: Vec<Option<&str>> = kinds.iter().map(|kind| kind.index).collect();
    let arguments = [
        names(|kind| kind.name).into(),
        names(|kind| kind.table).into(),
        names(|kind| kind.column).into(),
        names(|kind| kind.constraint).into(),
        indexes.into(),
    ];
    sql::select(LIST, &arguments, |row| {
        let host = match row.get(5)? {
            None => None,
            Some(oid) => Some((
                oid,
                row.required(6)?,
                row.required(7)?,
                row.required(8)?,
                row.required(9)?,
            )),
        };
        Ok(Link {
            kind: row.required(1)?,
            table: row.required(2)?,
            column: row.required(3)?,
            constraint: row.required(4)?,
            host,
            has_index: row.required(10)?,
            hides_rows: row.required(11)?,
        })
    })
}

fn current(kind: &Kind) -> PgResult<Link> {
    list(std::slice::from_ref(kind))?
        .into_iter()
        .next()
        .ok_or_else(|| {
            with_code(
                Code::ERRCODE_UNDEFINED_TABLE,
                format!("table sop_ml.{} does not exist", kind.table),
            )
            .set_hint("Run SELECT * FROM sop_ml.install().")
        })
}

/// The state of a kind that is not linked yet, or linked in the way asked for.
fn linkable(
    kind: &Kind,
    relation: pg_sys::Oid,
    column: &str,
    rule: Option<DeleteRule>,
) -> PgResult<Link> {
    let link = current(kind)?;
    if link.hides_rows {
        return Err(hidden_rows(&format!("sop_ml.{}", kind.table)));
    }
    if let Some((oid, name, known_column, known_rule, _)) = &link.host
        && (*oid != relation
            || known_column != column
            || rule.is_some_and(|rule| rule.name() != known_rule))
    {
        return Err(prerequisite(format!(
            "{} is linked to {name}.{known_column} (on delete: {known_rule}) already",
            kind.name
        ))
        .set_hint(format!(
            "Undo that first: SELECT * FROM sop_ml.unlink_host_table('{}');",
            kind.name
        )));
    }
    Ok(link)
}

fn statements(
    kind: &Kind,
    relation: pg_sys::Oid,
    column: &str,
    rule: DeleteRule,
    is_new: bool,
) -> PgResult<Statements> {
    sql::select_one(
        STATEMENTS,
        &[
            kind.table.into(),
            kind.column.into(),
            kind.constraint.into(),
            kind.index.into(),
            relation.into(),
            column.into(),
            rule.name().into(),
            is_new.into(),
        ],
        |row| {
            Ok(Statements {
                locks: Locks {
                    host: row.get(1)?,
                    own: row.required(2)?,
                },
                add: row.required(3)?,
                orphans: row.required(4)?,
                validate: row.required(5)?,
            })
        },
    )?
    .ok_or_else(|| internal("no statement for a link"))
}

/// Adds the constraint when it is new, counts orphans, and validates when there are none.
fn attach(statements: &Statements, is_new: bool, validate: bool) -> PgResult<(bool, Orphans)> {
    if is_new {
        run(&statements.add)?;
    }
    // `modify` for a snapshot of its own: it must see what was committed before the locks were granted.
    let orphans = sql::modify(&statements.orphans, &[], |row| {
        Ok(Orphans {
            count: row.required(1)?,
            sample: row.required(2)?,
        })
    })?
    .into_iter()
    .next()
    .ok_or_else(|| internal("orphans were not counted"))?;
    let valid = validate && orphans.count == 0;
    if valid {
        run(&statements.validate)?;
    }
    Ok((valid, orphans))
}

/// Runs statements that the queries above put together.
fn run(statements: &str) -> PgResult<()> {
    sql::execute(statements, &[]).map(|_| ())
}
