//! Monthly partitions: the coming ones are made, rows that landed in the default partition move to theirs, expired ones go.
//!
//! Every statement comes from `sql/queries/partitions_*.sql`, which read names and bounds from the catalogue and quote
//! them; nothing here puts SQL together.

use std::ffi::CStr;

use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::archive::NOT_ROLLED_UP_YET;
use crate::error::{PgResult, insufficient_privilege, internal, invalid_parameter};
use crate::sql;
use crate::subtransaction::{Failure, isolated};
use crate::timescaledb;

const RELATIONS: &str = include_str!("../sql/queries/partitions_relations.sql");
const DEFAULT_MONTHS: &str = include_str!("../sql/queries/partitions_default_months.sql");
const DUE: &str = include_str!("../sql/queries/partitions_due.sql");
const LOCK: &str = include_str!("../sql/queries/partitions_lock.sql");
const STATEMENTS: &str = include_str!("../sql/queries/partitions_statements.sql");
const GUARD: &str = include_str!("../sql/queries/partitions_guard.sql");
const EXPIRED: &str = include_str!("../sql/queries/partitions_expired.sql");
const POLICY_DONE: &str = include_str!("../sql/queries/partitions_policy_done.sql");

const TIME_SERIES: &str = "sop_time_series_data";
const OPERATOR: &CStr = c"sop_ml_operator";
/// Ten years ahead is more than any plan needs; every partition costs planning time.
const MAX_MONTHS_AHEAD: i32 = 120;
/// 1000 years, in microseconds: what is older than that has no date to compare with.
const LONGEST_RETENTION: i128 = 365_250 * 86_400_000_000;
/// Months back whose rows always get a partition.
const RECENT_MONTHS: i32 = 60;
/// Rows that make an older month worth a partition.
const ROWS_OF_OLD_MONTH: i64 = 10_000;

/// What was done: relation, partition, action, rows moved.
type Action = (String, Option<String>, String, i64);

struct Relation {
    name: String,
    oid: pg_sys::Oid,
    default_partition: pg_sys::Oid,
}

struct Month {
    starts: TimestampWithTimeZone,
    ends: TimestampWithTimeZone,
}

struct Statements {
    partition: String,
    create: String,
    move_rows: String,
    attach: String,
    condition: String,
    analyze: String,
}

/// Makes coming partitions, moves rows out of the default partitions, and retires expired partitions.
#[pg_extern(volatile, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn maintain_partitions(
    months_ahead: default!(Option<i32>, 3),
    retention: default!(Option<Interval>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(relation, String),
            name!(partition, Option<String>),
            name!(action, String),
            name!(rows_moved, i64),
        ),
    >,
    ErrorReport,
> {
    require_operator()?;
    let months_ahead = months_ahead
        .filter(|months| (0..=MAX_MONTHS_AHEAD).contains(months))
        .ok_or_else(|| {
            invalid_parameter(format!(
                "months_ahead must be between 0 and {MAX_MONTHS_AHEAD}, not {}",
                months_ahead.map_or_else(|| "NULL".to_owned(), |months| months.to_string())
            ))
        })?;
    if retention.is_some_and(|retention| retention.as_micros() <= 0) {
        return Err(
            invalid_parameter("retention must be longer than nothing").set_hint(
                "Pass an interval such as '24 months', or NULL to follow sop_time_series_compression_policies.",
            ),
        );
    }
    sql::require_writable(c"maintain_partitions()");
    if retention.is_some_and(|retention| retention.as_micros() > LONGEST_RETENTION) {
        return Err(invalid_parameter("retention must be at most 1000 years"));
    }
    let mut actions = Vec::new();
    for relation in relations()? {
        pgrx::check_for_interrupts!();
        let made = isolated(|| make_partitions(&relation, months_ahead));
        report(&relation.name, made, &mut actions);
        let retired = isolated(|| retire_partitions(&relation, retention));
        report(&relation.name, retired, &mut actions);
    }
    let retired = isolated(|| retire_chunks(retention));
    report(TIME_SERIES, retired, &mut actions);
    let renewed = isolated(renew_jobs);
    report(TIME_SERIES, renewed, &mut actions);
    Ok(TableIterator::new(actions))
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.maintain_partitions(integer, interval) IS
'Keeps the tables that are partitioned by month in order: makes the partitions of this month and months_ahead more, moves rows out of the default partition into partitions of their month, and removes partitions older than retention (NULL: as sop_time_series_compression_policies says for the shared tenant; no policy, no removal). A table that is busy is reported as skipped and done by the next run. Operators only; run it in a transaction of its own, since its locks last until the end. Example: SELECT * FROM sop_ml.maintain_partitions(months_ahead => 3);';
-- Shorter than deadlock_timeout (1 s by default): when a session stands in the way, this function gives up, not the session.
ALTER FUNCTION sop_ml.maintain_partitions(integer, interval) SET lock_timeout = '800ms';
"#,
    name = "comment_partitions",
    requires = [maintain_partitions]
);

/// The function runs as its owner, who owns the tables, so it asks for the role of the one who called.
fn require_operator() -> PgResult<()> {
    // SAFETY: catalogue look-ups by name and oid inside a transaction.
    let allowed = unsafe {
        let caller = pg_sys::GetOuterUserId();
        let operator = pg_sys::get_role_oid(OPERATOR.as_ptr(), true);
        pg_sys::superuser_arg(caller)
            || (operator != pg_sys::InvalidOid && pg_sys::has_privs_of_role(caller, operator))
    };
    if allowed {
        return Ok(());
    }
    Err(
        insufficient_privilege("maintain_partitions() is for operators")
            .set_hint("Ask for the role sop_ml_operator, or let the scheduled job do it."),
    )
}

fn relations() -> PgResult<Vec<Relation>> {
    sql::select(RELATIONS, &[], |row| {
        Ok(Relation {
            name: row.required(1)?,
            oid: row.required(2)?,
            default_partition: row.required(3)?,
        })
    })
}

/// Adds what was done; a failure undid the work on this relation and is told instead.
fn report(relation: &str, done: Result<Vec<Action>, Failure>, actions: &mut Vec<Action>) {
    match done {
        Ok(done) => actions.extend(done),
        Err(failure) => {
            let action = match failure.sqlstate.as_str() {
                "55P03" => "skipped: lock timeout".to_owned(),
                "40P01" => "skipped: deadlock".to_owned(),
                _ => failure.warn(&format!("maintain_partitions: {relation}")),
            };
            actions.push((relation.to_owned(), None, action, 0));
        }
    }
}

fn make_partitions(relation: &Relation, months_ahead: i32) -> PgResult<Vec<Action>> {
    if relation.default_partition == pg_sys::InvalidOid {
        return Ok(vec![(
            relation.name.clone(),
            None,
            "skipped: no default partition".to_owned(),
            0,
        )]);
    }
    // Look before locking: most runs find nothing to do.
    if months_due(relation, months_ahead)?.is_empty() {
        return Ok(Vec::new());
    }
    run(&text(LOCK, &parent_and_default(relation))?)?;
    let months = months_due(relation, months_ahead)?;
    let statements = months
        .iter()
        .map(|month| statements(relation, month))
        .collect::<PgResult<Vec<_>>>()?;
    let mut actions = Vec::with_capacity(statements.len());
    for month in &statements {
        pgrx::check_for_interrupts!();
        run(&month.create)?;
        let moved = sql::execute(&month.move_rows, &[])?;
        actions.push((
            relation.name.clone(),
            Some(month.partition.clone()),
            "created".to_owned(),
            moved,
        ));
    }
    let conditions: Vec<&str> = statements.iter().map(|s| s.condition.as_str()).collect();
    let (add_guard, drop_guard) = guard(relation, conditions)?;
    run(&add_guard)?;
    for (month, (_, _, _, moved)) in statements.iter().zip(&actions) {
        run(&month.attach)?;
        if *moved > 0 {
            // The planner would take a table that was never analysed for a small one.
            run(&month.analyze)?;
        }
    }
    run(&drop_guard)?;
    Ok(actions)
}

/// Makes and attaches the partitions of a table without rows: those of the coming months, and those that its rows will need
/// (months and how many rows each has).
pub(crate) fn make_empty(
    table: &str,
    months_ahead: i32,
    months: Vec<(TimestampWithTimeZone, i64)>,
) -> PgResult<()> {
    let relation = relations()?
        .into_iter()
        .find(|relation| relation.name == table)
        .ok_or_else(|| internal(format!("{table} is not partitioned")))?;
    for month in months_to_make(&relation, months_ahead, months)? {
        pgrx::check_for_interrupts!();
        let statements = statements(&relation, &month)?;
        run(&statements.create)?;
        run(&statements.attach)?;
    }
    Ok(())
}

/// Reads through [`sql::modify`] for a snapshot of its own: after the lock it must see what others did meanwhile.
fn months_due(relation: &Relation, months_ahead: i32) -> PgResult<Vec<Month>> {
    let count = text(DEFAULT_MONTHS, &parent_and_default(relation))?;
    let counts = sql::modify(&count, &[], |row| {
        Ok((
            row.required::<TimestampWithTimeZone>(1)?,
            row.required::<i64>(2)?,
        ))
    })?;
    months_to_make(relation, months_ahead, counts)
}

fn months_to_make(
    relation: &Relation,
    months_ahead: i32,
    counts: Vec<(TimestampWithTimeZone, i64)>,
) -> PgResult<Vec<Month>> {
    let (months, rows): (Vec<_>, Vec<_>) = counts.into_iter().unzip();
    sql::modify(
        DUE,
        &[
            relation.oid.into(),
            months_ahead.into(),
            months.into(),
            rows.into(),
            RECENT_MONTHS.into(),
            ROWS_OF_OLD_MONTH.into(),
        ],
        |row| {
            Ok(Month {
                starts: row.required(1)?,
                ends: row.required(2)?,
            })
        },
    )
}

fn statements(relation: &Relation, month: &Month) -> PgResult<Statements> {
    sql::select_one(
        STATEMENTS,
        &[
            relation.oid.into(),
            relation.default_partition.into(),
            month.starts.into(),
            month.ends.into(),
        ],
        |row| {
            Ok(Statements {
                partition: row.required(1)?,
                create: row.required(2)?,
                move_rows: row.required(3)?,
                attach: row.required(4)?,
                condition: row.required(5)?,
                analyze: row.required(6)?,
            })
        },
    )?
    .ok_or_else(|| internal(format!("{} is no longer partitioned", relation.name)))
}

fn guard(relation: &Relation, conditions: Vec<&str>) -> PgResult<(String, String)> {
    sql::select_one(
        GUARD,
        &[relation.default_partition.into(), conditions.into()],
        |row| Ok((row.required(1)?, row.required(2)?)),
    )?
    .ok_or_else(|| internal("no statement for the guard of a default partition"))
}

/// A partition, or chunk, whose rows have outlived their retention.
pub(crate) struct Expired {
    name: String,
    /// drop, detach, archive (drop when it is empty), wait
    action: String,
    statement: String,
    has_rows: String,
}

impl Expired {
    /// A row of the queries that find them.
    pub(crate) fn of(row: &sql::Row<'_>) -> PgResult<Self> {
        Ok(Self {
            name: row.required(1)?,
            action: row.required(2)?,
            statement: row.required(3)?,
            has_rows: row.required(4)?,
        })
    }

    /// Does what is to happen to it.
    fn retire(&self) -> PgResult<&'static str> {
        pgrx::check_for_interrupts!();
        let done = match self.action.as_str() {
            "wait" => return Ok(NOT_ROLLED_UP_YET),
            "keep" => return Ok("skipped: a chunk cannot be detached"),
            "archive" if self.has_rows()? => return Ok("skipped: not archived yet"),
            "detach" => "detached",
            _ => "dropped",
        };
        run(&self.statement)?;
        Ok(done)
    }

    fn has_rows(&self) -> PgResult<bool> {
        sql::modify_one(&self.has_rows, &[], |row| row.required(1))
    }
}

/// Reads through [`sql::modify`] to see the partitions that this run has made.
fn retire_partitions(relation: &Relation, retention: Option<Interval>) -> PgResult<Vec<Action>> {
    let expired = sql::modify(
        EXPIRED,
        &[relation.oid.into(), retention.into()],
        Expired::of,
    )?;
    retire(&relation.name, &expired)
}

/// The same for the time series where they are a hypertable, which is none of the partitioned tables.
fn retire_chunks(retention: Option<Interval>) -> PgResult<Vec<Action>> {
    let expired = timescaledb::expired_chunks(retention)?;
    if expired.is_empty() {
        return Ok(Vec::new());
    }
    retire(TIME_SERIES, &expired)
}

/// What TimescaleDB's own scheduler does follows the policy.
fn renew_jobs() -> PgResult<Vec<Action>> {
    Ok(match timescaledb::renew_jobs()? {
        0 => Vec::new(),
        _ => vec![(
            TIME_SERIES.to_owned(),
            None,
            "jobs of TimescaleDB renewed".to_owned(),
            0,
        )],
    })
}

fn retire(relation: &str, expired: &[Expired]) -> PgResult<Vec<Action>> {
    let mut actions = Vec::with_capacity(expired.len());
    let mut waiting = 0_usize;
    for partition in expired {
        let action = partition.retire()?;
        waiting += usize::from(action.starts_with("skipped"));
        actions.push((
            relation.to_owned(),
            Some(partition.name.clone()),
            action.to_owned(),
            0,
        ));
    }
    let summary = format!(
        "partitions retired: {}; waiting: {waiting}",
        actions.len() - waiting
    );
    sql::execute(POLICY_DONE, &[relation.into(), summary.as_str().into()])?;
    Ok(actions)
}

fn parent_and_default(relation: &Relation) -> [pgrx::datum::DatumWithOid<'static>; 2] {
    [relation.oid.into(), relation.default_partition.into()]
}

/// Runs a query that answers with one text: a statement for [`run`] or for reading.
fn text(query: &str, arguments: &[pgrx::datum::DatumWithOid<'_>]) -> PgResult<String> {
    sql::select_one(query, arguments, |row| row.required(1))?
        .ok_or_else(|| internal("a query for a statement answered with no row"))
}

/// Runs statements that the queries above put together.
fn run(statements: &str) -> PgResult<()> {
    sql::execute(statements, &[]).map(|_| ())
}
