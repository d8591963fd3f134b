//! TimescaleDB: the time series as a hypertable, and back to partitions.
//!
//! A conversion makes a table of the same name with everything that the old one had. What that is comes from the
//! catalogues through `sql/queries/timescale_*.sql`, which quote it; nothing here puts SQL together.

use pgrx::datum::{DatumWithOid, Interval};
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::{PgResult, internal, invalid_parameter, prerequisite, with_code};
use crate::{install, partitions, sql};

const EXTENSION: &str = include_str!("../sql/queries/timescale_extension.sql");
const IS_HYPERTABLE: &str = include_str!("../sql/queries/timescale_is_hypertable.sql");
const API: &str = include_str!("../sql/queries/timescale_api.sql");
const CHUNK_DAYS: &str = include_str!("../sql/queries/timescale_interval.sql");
const LOCK: &str = include_str!("../sql/queries/timescale_lock.sql");
const OBSTACLES: &str = include_str!("../sql/queries/timescale_obstacles.sql");
const JOBS: &str = include_str!("../sql/queries/timescale_jobs.sql");
const DEFINITION: &str = include_str!("../sql/queries/timescale_definition.sql");
const UNBIND: &str = include_str!("../sql/queries/timescale_unbind.sql");
const SET_ASIDE: &str = include_str!("../sql/queries/timescale_set_aside.sql");
const MAKE_TABLE: &str = include_str!("../sql/queries/timescale_make_table.sql");
const GRANTS: &str = include_str!("../sql/queries/timescale_grants.sql");
const RIGHTS: &str = include_str!("../sql/idempotent/415_hypertable_rights.sql");
const MONTHS: &str = include_str!("../sql/queries/timescale_months.sql");
const MOVE: &str = include_str!("../sql/queries/timescale_move.sql");
const COUNT: &str = include_str!("../sql/queries/timescale_count.sql");
const DROP_OLD: &str = include_str!("../sql/queries/timescale_drop_old.sql");
const ANALYZE: &str = include_str!("../sql/queries/timescale_analyze.sql");
const EXPIRED: &str = include_str!("../sql/queries/timescale_expired.sql");

const TABLE: &str = "sop_time_series_data";
/// What a chunk holds where nothing else is known.
const USUAL_CHUNK_DAYS: i32 = 7;
/// Months that get a partition before they come, as `maintain_partitions()` makes them.
const MONTHS_AHEAD: i32 = 3;
/// Stages of [`DEFINITION`]: while the old table is there, and when it is gone.
const WITH_THE_OLD: i32 = 1;
const WITHOUT_THE_OLD: i32 = 2;

/// What was done: action, rows moved, and how.
type Done = (String, i64, String);

/// TimescaleDB as this database has it.
pub(crate) struct Extension {
    pub(crate) is_here: bool,
    pub(crate) is_loaded: bool,
    license: String,
    version: String,
    relation_kind: String,
}

impl Extension {
    pub(crate) fn find() -> PgResult<Self> {
        sql::select_one(EXTENSION, &[], |row| {
            Ok(Self {
                is_here: row.required(1)?,
                is_loaded: row.required(2)?,
                license: row.required(3)?,
                version: row.required(4)?,
                relation_kind: row.required(5)?,
            })
        })?
        .ok_or_else(|| internal("TimescaleDB cannot be looked for"))
    }

    pub(crate) fn is_community(&self) -> bool {
        self.license != "apache"
    }

    pub(crate) fn edition(&self) -> &'static str {
        if self.is_community() {
            "Community edition"
        } else {
            "Apache edition"
        }
    }

    /// Whether it keeps the time series.
    pub(crate) fn is_used(&self) -> PgResult<bool> {
        if !self.is_here {
            return Ok(false);
        }
        Ok(sql::select_one(IS_HYPERTABLE, &[], |row| row.required(1))?.unwrap_or(false))
    }
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
    let mode = if extension.relation_kind == "v" {
        "vault"
    } else {
        "rls"
    };
    Ok(TableIterator::once((backend.to_owned(), mode.to_owned())))
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
'Turns sop_time_series_data into a hypertable of the same name, with all its rows, keys, indexes, triggers, policies, rights and remarks, in one transaction; others wait meanwhile and lose nothing. Answers with action (converted, unchanged), rows_moved and detail. compression: the Apache edition has none and says so; on the Community edition pass false. What depends on the table (views, publications, foreign keys) has to go first: 55000 names it. For superusers and the owner of the extension. Example: SELECT * FROM sop_ml.enable_timescaledb(compression => false);';
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
        return Ok(unchanged("sop_time_series_data is a hypertable already"));
    }
    require_usable(&extension)?;
    // Before everybody has to wait.
    create_hypertable(&extension, USUAL_CHUNK_DAYS)?;
    if compression && extension.is_community() {
        return Err(with_code(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "compression needs storage mode vault, which this version of sop_ml does not have",
        )
        .set_hint("SELECT * FROM sop_ml.enable_timescaledb(compression => false);"));
    }
    sql::execute(LOCK, &[])?;
    if is_hypertable_now()? {
        return Ok(unchanged("somebody else has just converted it"));
    }
    require_nothing_depends(false, Vec::new())?;
    let days = sql::modify_one(CHUNK_DAYS, &[], |row| row.required::<i32>(1))?;
    let create = create_hypertable(&extension, days)?;
    let moved = replace_table(false, || run(&create))?;
    let compression = match (compression, extension.is_community()) {
        (true, _) => "; without compression, which this edition does not have",
        (false, true) => "; without compression",
        (false, false) => "",
    };
    Ok((
        "converted".to_owned(),
        moved,
        format!(
            "hypertable of TimescaleDB {}, {}, mode rls, {days} days a chunk{compression}",
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
    let jobs = sql::modify(JOBS, &[], |row| row.required::<String>(1))?;
    require_nothing_depends(true, jobs)?;
    let moved = replace_table(true, || {
        let months = sql::modify(MONTHS, &[], |row| {
            Ok((
                row.required::<TimestampWithTimeZone>(1)?,
                row.required::<i64>(2)?,
            ))
        })?;
        partitions::make_empty(TABLE, MONTHS_AHEAD, months)
    })?;
    Ok((
        "converted".to_owned(),
        moved,
        "table partitioned by month, mode rls".to_owned(),
    ))
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

/// The statement that makes the empty table a hypertable.
fn create_hypertable(extension: &Extension, days: i32) -> PgResult<String> {
    let known = sql::modify(API, &[days.into()], |row| {
        Ok((row.required::<String>(1)?, row.required::<bool>(2)?))
    })?
    .pop();
    let obstacle = match known {
        Some((statement, false)) => return Ok(statement),
        Some((_, true)) => {
            "lets tenants insert into chunks of schemas only that are open to them (2.23 to 2.28 do)"
        }
        None => "has no create_hypertable() that sop_ml knows",
    };
    Err(with_code(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("TimescaleDB {} {obstacle}", extension.version),
    )
    .set_hint("docs/support.md names the versions of TimescaleDB that sop_ml works with."))
}

/// With a snapshot of its own: who held the lock before may have converted the table.
fn is_hypertable_now() -> PgResult<bool> {
    sql::modify_one(IS_HYPERTABLE, &[], |row| row.required(1))
}

fn require_nothing_depends(is_partitioned: bool, further: Vec<String>) -> PgResult<()> {
    let mut obstacles = sql::modify(OBSTACLES, &[is_partitioned.into()], |row| {
        row.required::<String>(1)
    })?;
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

/// Puts a new table in the place of the old one: made, furnished by `prepare`, filled, and given what the old one had.
fn replace_table(is_partitioned: bool, prepare: impl FnOnce() -> PgResult<()>) -> PgResult<i64> {
    let definition = sql::modify(DEFINITION, &[is_partitioned.into()], |row| {
        Ok((row.required::<i32>(1)?, row.required::<String>(2)?))
    })?;
    run(UNBIND)?;
    run(SET_ASIDE)?;
    run(&text(MAKE_TABLE, &[is_partitioned.into()])?)?;
    prepare()?;
    // Before there are chunks: to those that are there, a GRANT on columns is handed on.
    for statement in sql::modify(GRANTS, &[], |row| row.required::<String>(2))? {
        run(&statement)?;
    }
    run(RIGHTS)?;
    let moved = move_rows()?;
    apply(&definition, WITH_THE_OLD)?;
    run(DROP_OLD)?;
    apply(&definition, WITHOUT_THE_OLD)?;
    run(ANALYZE)?;
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
    let moved = sql::execute(&text(MOVE, &[])?, &[])?;
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

/// Runs a query that answers with one statement.
fn text(query: &str, arguments: &[DatumWithOid<'_>]) -> PgResult<String> {
    sql::modify_one(query, arguments, |row| row.required(1))
}

/// Runs statements that the queries above put together.
fn run(statements: &str) -> PgResult<()> {
    sql::execute(statements, &[]).map(|_| ())
}
