//! Mode vault: the hypertable is closed, and the name is a view.

use pgrx::pg_sys;

use super::extension::Api;
use super::{NAME, give, run, texts};
use crate::error::PgResult;
use crate::sql;

const PROBE: &str = include_str!("../../sql/queries/vault_probe.sql");
const STRANGERS: &str = include_str!("../../sql/queries/vault_strangers.sql");
const CLOSE: &str = include_str!("../../sql/queries/vault_close.sql");
const OPEN: &str = include_str!("../../sql/queries/vault_open.sql");
const COMPRESS: &str = include_str!("../../sql/queries/vault_compress.sql");
const BUCKET_RIGHTS: &str = include_str!("../../sql/queries/vault_bucket_rights.sql");
const JOBS: &str = include_str!("../../sql/queries/vault_jobs.sql");
const FORGET_JOBS: &str = include_str!("../../sql/queries/vault_forget_jobs.sql");
const WRITE_LIMIT: &str = include_str!("../../sql/queries/vault_write_limit.sql");
const TRIGGERS: &str = include_str!("../../sql/idempotent/155_time_series_triggers.sql");
const VIEWS: &str = include_str!("../../sql/idempotent/205_time_series_vault.sql");
const COMMENTS: &str = include_str!("../../sql/idempotent/520_comments_040.sql");

/// How many compressed rows a statement may unpack.
const LIMIT: &std::ffi::CStr = c"timescaledb.max_tuples_decompressed_per_dml_transaction";
const BUCKETS: &str = "sop_ml.sop_time_series_15_minutes";

/// Fails where this TimescaleDB would lose changes of compressed rows.
pub(super) fn require_working_updates() -> PgResult<()> {
    run(PROBE)
}

/// What a closed table has no place for.
pub(super) fn strangers() -> PgResult<Vec<String>> {
    texts(STRANGERS, &[])
}

/// Closes the hypertable, compresses it from now on, and puts the views before it, with the rights that the table had.
pub(super) fn close(api: &Api, rights: &[String]) -> PgResult<()> {
    run(CLOSE)?;
    run(TRIGGERS)?;
    run_all(&texts(COMPRESS, &[])?)?;
    run(VIEWS)?;
    give(NAME, rights)?;
    give(BUCKETS, &texts(BUCKET_RIGHTS, &[])?)?;
    run(COMMENTS)?;
    renew_jobs(api).map(|_| ())
}

/// Takes the views away, so that the hypertable is there under its name.
pub(super) fn open() -> PgResult<()> {
    run_all(&texts(FORGET_JOBS, &[])?)?;
    run(OPEN)
}

/// The triggers that another mode has.
pub(super) fn restore_triggers() -> PgResult<()> {
    run(TRIGGERS)
}

/// The jobs of TimescaleDB's scheduler as the policy of the table says; answers how many statements that took.
pub(super) fn renew_jobs(api: &Api) -> PgResult<usize> {
    let arguments = [
        api.add_compression.as_deref().into(),
        api.refresh_options.as_str().into(),
    ];
    let statements = texts(JOBS, &arguments)?;
    run_all(&statements)?;
    Ok(statements.len())
}

/// Most servers have no TimescaleDB, and those who write a reading at a time should not pay for a statement.
pub(super) fn lift_write_limit() -> PgResult<()> {
    // SAFETY: a look-up by name, which may fail; the text is not read.
    let limit = unsafe { pg_sys::GetConfigOption(LIMIT.as_ptr(), true, false) };
    if limit.is_null() {
        return Ok(());
    }
    sql::execute(WRITE_LIMIT, &[]).map(|_| ())
}

fn run_all(statements: &[String]) -> PgResult<()> {
    statements.iter().try_for_each(|statement| run(statement))
}
