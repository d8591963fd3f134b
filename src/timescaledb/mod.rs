//! TimescaleDB: the time series as a hypertable, and back to partitions.
//!
//! A conversion makes a table of the same name with everything that the old one had. What that is comes from the
//! catalogues through `sql/queries/timescale_*.sql`, which quote it; nothing here puts SQL together. In mode vault the table is
//! closed afterwards and a view stands before it ([`vault`]).

mod barrier;
mod extension;
mod vault;
mod writing;

use pgrx::datum::{DatumWithOid, Interval};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

pub(crate) use self::barrier::register;
use self::extension::Api;
pub(crate) use self::extension::Extension;
use crate::error::{PgResult, internal, invalid_parameter, prerequisite};
use crate::{install, partitions, sql};

const IS_HYPERTABLE: &str = include_str!("../../sql/queries/timescale_is_hypertable.sql");
const CHUNK_DAYS: &str = include_str!("../../sql/queries/timescale_interval.sql");
const LOCK: &str = include_str!("../../sql/queries/timescale_lock.sql");
const OBSTACLES: &str = include_str!("../../sql/queries/timescale_obstacles.sql");
const JOBS: &str = include_str!("../../sql/queries/timescale_jobs.sql");
const DEFINITION: &str = include_str!("../../sql/queries/timescale_definition.sql");
const UNBIND: &str = include_str!("../../sql/queries/timescale_unbind.sql");
const SET_ASIDE: &str = include_str!("../../sql/queries/timescale_set_aside.sql");
const MAKE_TABLE: &str = include_str!("../../sql/queries/timescale_make_table.sql");
const GRANTS: &str = include_str!("../../sql/queries/timescale_grants.sql");
const REVOKE: &str = include_str!("../../sql/queries/timescale_revoke.sql");
const RIGHTS: &str = include_str!("../../sql/idempotent/415_hypertable_rights.sql");
const MONTHS: &str = include_str!("../../sql/queries/timescale_months.sql");
const MOVE: &str = include_str!("../../sql/queries/timescale_move.sql");
const COUNT: &str = include_str!("../../sql/queries/timescale_count.sql");
const DROP_OLD: &str = include_str!("../../sql/queries/timescale_drop_old.sql");
const ANALYZE: &str = include_str!("../../sql/queries/timescale_analyze.sql");
const EXPIRED: &str = include_str!("../../sql/queries/timescale_expired.sql");

const TABLE: &str = "sop_time_series_data";
const NAME: &str = "sop_ml.sop_time_series_data";
/// What a chunk holds where nothing else is known.
const USUAL_CHUNK_DAYS: i32 = 7;
/// More days than this are one chunk only where there would be very many chunks.
const LONGEST_CHUNK_DAYS: i32 = 28;
/// Months that get a partition before they come, as `maintain_partitions()` makes them.
const MONTHS_AHEAD: i32 = 3;
/// Stages of [`DEFINITION`]: while the old table is there, and when it is gone.
const WITH_THE_OLD: i32 = 1;
const WITHOUT_THE_OLD: i32 = 2;

/// What was done: action, rows moved, and how.
type Done = (String, i64, String);

/// What a conversion makes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A table partitioned by month.
    Partitioned,
    /// A hypertable with policies.
    Hypertable,
    /// A hypertable that no tenant may touch, behind a view.
    Vault,
}

/// What keeps the time series.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn time_series_backend()
-> Result<TableIterator<'static, (name!(backend, String), name!(mode, String))>, ErrorReport> {
    let extension = Extension::find()?;
    let backend = match extension.is_used()? {
        false => "native",
        true if extension.is_community() => "timescale_community",
        true => "timescale_apache",
    };
    Ok(TableIterator::once((
        backend.to_owned(),
        extension.mode().to_owned(),
    )))
}

/// Turns the time series into a hypertable.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn enable_timescaledb(
    compression: default!(Option<bool>, true),
) -> Result<
    TableIterator<
        'static,
        (
            name!(action, String),
            name!(rows_moved, i64),
            name!(detail, String),
        ),
    >,
    ErrorReport,
> {
    let compression = compression
        .ok_or_else(|| invalid_parameter("compression must be true or false, not NULL"))?;
    begin(c"enable_timescaledb()")?;
    enable(compression).map(TableIterator::once)
}

/// Turns a hypertable back into monthly partitions.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn disable_timescaledb() -> Result<
    TableIterator<
        'static,
        (
            name!(action, String),
            name!(rows_moved, i64),
            name!(detail, String),
        ),
    >,
    ErrorReport,
> {
    begin(c"disable_timescaledb()")?;
    disable().map(TableIterator::once)
}

extension_sql!(
    r#"
ALTER FUNCTION sop_ml.time_series_backend() ROWS 1;
ALTER FUNCTION sop_ml.enable_timescaledb(boolean) ROWS 1;
ALTER FUNCTION sop_ml.disable_timescaledb() ROWS 1;
COMMENT ON FUNCTION sop_ml.time_series_backend() IS
'What keeps sop_time_series_data: backend native (a table partitioned by month), timescale_apache or timescale_community (a hypertable, by the edition that the server runs); mode rls (policies on the table) or vault (a view before a closed table). Example: SELECT * FROM sop_ml.time_series_backend();';
COMMENT ON FUNCTION sop_ml.enable_timescaledb(boolean) IS
'Turns sop_time_series_data into a hypertable of the same name, with all its rows, keys, indexes, triggers, policies, rights and remarks, in one transaction; others wait meanwhile and lose nothing. Answers with action (converted, unchanged), rows_moved and detail. compression true, on the Community edition: mode vault, in which the hypertable lies closed behind a view, old chunks are compressed, and sop_time_series_15_minutes is a continuous aggregate; the Apache edition has none and says so. What depends on the table (views, publications, foreign keys) has to go first: 55000 names it. For superusers and the owner of the extension. Example: SELECT * FROM sop_ml.enable_timescaledb();';
COMMENT ON FUNCTION sop_ml.disable_timescaledb() IS
'Turns a hypertable back into sop_time_series_data partitioned by month, likewise complete; answers as enable_timescaledb does. For superusers and the owner of the extension. Example: SELECT * FROM sop_ml.disable_timescaledb();';
"#,
    name = "comment_timescaledb",
    requires = [time_series_backend, enable_timescaledb, disable_timescaledb]
);

/// What both conversions ask of their caller.
fn begin(function: &std::ffi::CStr) -> PgResult<()> {
    let name = function.to_string_lossy();
    install::require_owner(&name)?;
    sql::require_writable(function);
    install::require_no_strangers()?;
    // SAFETY: reads a variable of this backend.
    let isolation = unsafe { pg_sys::XactIsoLevel };
    if isolation > pg_sys::XACT_READ_COMMITTED as i32 {
        return Err(prerequisite(format!(
            "{name} needs isolation level READ COMMITTED: an older snapshot does not see every row"
        ))
        .set_hint("Call it outside of BEGIN ISOLATION LEVEL …."));
    }
    Ok(())
}

fn enable(compression: bool) -> PgResult<Done> {
    let extension = Extension::find()?;
    if extension.is_used()? {
        return Ok(unchanged(
            if compression && extension.is_community() && !extension.is_vault() {
                "sop_time_series_data is a hypertable already; for compression call disable_timescaledb() before"
            } else {
                "sop_time_series_data is a hypertable already"
            },
        ));
    }
    require_usable(&extension)?;
    // Before everybody has to wait.
    let api = Api::find(&extension, USUAL_CHUNK_DAYS)?;
    let form = match (compression, &api.add_compression) {
        (true, Some(_)) if extension.is_community() => Form::Vault,
        _ => Form::Hypertable,
    };
    if form == Form::Vault {
        vault::require_working_updates()?;
    }
    sql::execute(LOCK, &[])?;
    if is_hypertable_now()? {
        return Ok(unchanged("somebody else has just converted it"));
    }
    let further = match form {
        Form::Vault => vault::strangers()?,
        _ => Vec::new(),
    };
    require_nothing_depends(false, further)?;
    // What is to be compressed is a chunk that is over.
    let longest = if form == Form::Vault {
        USUAL_CHUNK_DAYS
    } else {
        LONGEST_CHUNK_DAYS
    };
    let days = sql::modify_one(CHUNK_DAYS, &[longest.into()], |row| row.required::<i32>(1))?;
    let api = Api::find(&extension, days)?;
    let rights = texts(GRANTS, &[])?;
    let definition = definition(form, false)?;
    run(UNBIND)?;
    set_aside(form)?;
    run(&api.create_hypertable)?;
    if form == Form::Hypertable {
        // Before there are chunks: to those that are there, a GRANT on columns is handed on.
        give(NAME, &rights)?;
        run(RIGHTS)?;
    }
    let moved = fill(&definition)?;
    if form == Form::Vault {
        vault::close(&api, &rights)?;
    }
    run(ANALYZE)?;
    let (mode, compression) = match (form, compression) {
        (Form::Vault, _) => ("vault", ""),
        (_, true) => (
            "rls",
            "; without compression, which this edition does not have",
        ),
        (_, false) => ("rls", "; without compression"),
    };
    Ok((
        "converted".to_owned(),
        moved,
        format!(
            "hypertable of TimescaleDB {}, {}, mode {mode}, {days} days a chunk{compression}",
            extension.version,
            extension.edition()
        ),
    ))
}

fn disable() -> PgResult<Done> {
    let extension = Extension::find()?;
    if !extension.is_used()? {
        return Ok(unchanged("sop_time_series_data is not a hypertable"));
    }
    require_loaded(&extension)?;
    sql::execute(LOCK, &[])?;
    if !is_hypertable_now()? {
        return Ok(unchanged("somebody else has just converted it"));
    }
    let extension = Extension::find_now()?;
    let rights = texts(GRANTS, &[])?;
    if extension.is_vault() {
        require_nothing_depends(true, Vec::new())?;
        vault::open()?;
    }
    require_nothing_depends(true, texts(JOBS, &[])?)?;
    let definition = definition(Form::Partitioned, extension.is_vault())?;
    if !extension.is_vault() {
        run(UNBIND)?;
    }
    set_aside(Form::Partitioned)?;
    make_partitions()?;
    give(NAME, &rights)?;
    let moved = fill(&definition)?;
    if extension.is_vault() {
        vault::restore_triggers()?;
    }
    run(ANALYZE)?;
    Ok((
        "converted".to_owned(),
        moved,
        "table partitioned by month, mode rls".to_owned(),
    ))
}

fn make_partitions() -> PgResult<()> {
    let months = sql::modify(MONTHS, &[], |row| {
        Ok((
            row.required::<TimestampWithTimeZone>(1)?,
            row.required::<i64>(2)?,
        ))
    })?;
    partitions::make_empty(TABLE, MONTHS_AHEAD, months)
}

fn unchanged(detail: &str) -> Done {
    ("unchanged".to_owned(), 0, detail.to_owned())
}

fn require_usable(extension: &Extension) -> PgResult<()> {
    if extension.relation_kind != "p" {
        return Err(prerequisite(
            "sop_ml.sop_time_series_data is not the partitioned table that install() makes",
        )
        .set_hint("Run SELECT * FROM sop_ml.install(); or put the table back that was there."));
    }
    if !extension.is_here {
        return Err(prerequisite("TimescaleDB is not in this database").set_hint(
            "Install its package for this server, add timescaledb to shared_preload_libraries, restart, and CREATE EXTENSION timescaledb.",
        ));
    }
    require_loaded(extension)
}

fn require_loaded(extension: &Extension) -> PgResult<()> {
    if extension.is_loaded {
        return Ok(());
    }
    Err(prerequisite("the library of TimescaleDB is not loaded")
        .set_hint("Add timescaledb to shared_preload_libraries and restart the server."))
}

/// With a snapshot of its own: who held the lock before may have converted the table.
fn is_hypertable_now() -> PgResult<bool> {
    sql::modify_one(IS_HYPERTABLE, &[], |row| row.required(1))
}

fn require_nothing_depends(is_partitioned: bool, further: Vec<String>) -> PgResult<()> {
    let mut obstacles = texts(OBSTACLES, &[is_partitioned.into()])?;
    obstacles.extend(further);
    if obstacles.is_empty() {
        return Ok(());
    }
    Err(prerequisite(format!(
        "these belong to sop_ml.sop_time_series_data and would be lost: {}",
        obstacles.join(", ")
    ))
    .set_hint("Drop them, convert, and make them again."))
}

/// The statements that give a table what the time series have now, and when: see [`DEFINITION`].
fn definition(form: Form, was_vault: bool) -> PgResult<Vec<(i32, String)>> {
    let is_partitioned = form == Form::Partitioned;
    sql::modify(
        DEFINITION,
        &[is_partitioned.into(), was_vault.into()],
        |row| Ok((row.required(1)?, row.required(2)?)),
    )
}

/// Puts an empty table in the place of the old one, which keeps its rows in the storage schema.
fn set_aside(form: Form) -> PgResult<()> {
    run(SET_ASIDE)?;
    let arguments = [
        (form == Form::Partitioned).into(),
        (form == Form::Vault).into(),
    ];
    texts(MAKE_TABLE, &arguments)?
        .iter()
        .try_for_each(|statement| run(statement))
}

/// Gives a relation that was just made these rights and no others.
fn give(relation: &str, rights: &[String]) -> PgResult<()> {
    let by_default = texts(REVOKE, &[relation.into()])?;
    by_default
        .iter()
        .chain(rights)
        .try_for_each(|statement| run(statement))
}

/// Moves the rows of the old table into the new one, gives it what the old one had, and drops that; answers how many rows.
fn fill(definition: &[(i32, String)]) -> PgResult<i64> {
    let moved = move_rows()?;
    apply(definition, WITH_THE_OLD)?;
    run(DROP_OLD)?;
    apply(definition, WITHOUT_THE_OLD)?;
    Ok(moved)
}

fn apply(definition: &[(i32, String)], wanted: i32) -> PgResult<()> {
    for (_, statement) in definition.iter().filter(|(stage, _)| *stage == wanted) {
        pgrx::check_for_interrupts!();
        run(statement)?;
    }
    Ok(())
}

fn move_rows() -> PgResult<i64> {
    let mut moved = 0;
    for statement in texts(MOVE, &[])? {
        moved += sql::execute(&statement, &[])?;
    }
    let (old, new) = sql::modify_one(COUNT, &[], |row| {
        Ok((row.required::<i64>(1)?, row.required::<i64>(2)?))
    })?;
    if old == new && moved == old {
        return Ok(moved);
    }
    // A policy or rule that nobody expects must not cost a row.
    Err(internal(format!(
        "of {old} readings {moved} were moved and {new} arrived; nothing was changed"
    )))
}

/// The chunks that are older than a retention, or than the table's policy says; none where the time series are no hypertable.
pub(crate) fn expired_chunks(retention: Option<Interval>) -> PgResult<Vec<partitions::Expired>> {
    if !Extension::find()?.is_used()? {
        return Ok(Vec::new());
    }
    sql::modify(EXPIRED, &[retention.into()], partitions::Expired::of)
}

/// Lets the function at hand write whatever it has to: in mode vault, TimescaleDB refuses statements that touch many rows.
pub(crate) fn lift_write_limit() -> PgResult<()> {
    vault::lift_write_limit()
}

/// Registers with TimescaleDB's scheduler what the table's policy says now; answers how many jobs changed.
pub(crate) fn renew_jobs() -> PgResult<usize> {
    let extension = Extension::find()?;
    if !extension.is_vault() {
        return Ok(0);
    }
    vault::renew_jobs(&Api::find(&extension, USUAL_CHUNK_DAYS)?)
}

/// Runs a query that answers with statements, or names.
fn texts(query: &str, arguments: &[DatumWithOid<'_>]) -> PgResult<Vec<String>> {
    sql::modify(query, arguments, |row| row.required(1))
}

/// Runs statements that the queries above put together.
fn run(statements: &str) -> PgResult<()> {
    sql::execute(statements, &[]).map(|_| ())
}
