//! `install()`: the migration runner that makes tables, policies, views and grants as ordinary objects.
//!
//! Objects that belong to an extension lose rows and DDL in a dump (docs/decisions/0002-install-outside-membership.md).
//! So the extension script makes only native functions and types, and this runner makes everything else while
//! PostgreSQL believes that no extension is being created.

use pgrx::pg_sys;
use pgrx::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::{PgResult, insufficient_privilege, prerequisite};
use crate::sql;

mod files {
    include!(concat!(env!("OUT_DIR"), "/sql_files.rs"));
}

/// Class of the advisory lock that serialises concurrent `install()` calls: the letters "sopi".
const INSTALL_LOCK: i64 = 0x736f_7069;

const ENSURE_REGISTER: &str = include_str!("../sql/queries/install_ensure_register.sql");
const APPLIED: &str = include_str!("../sql/queries/install_applied.sql");
const RECORD: &str = include_str!("../sql/queries/install_record.sql");

/// While it lives, new objects do not become members of the extension whose script is running.
struct OutsideMembership {
    saved: bool,
}

impl OutsideMembership {
    fn enter() -> Self {
        // SAFETY: a plain flag of this single-threaded backend; `Drop` puts it back, also when an error unwinds.
        let saved = unsafe {
            let saved = pg_sys::creating_extension;
            pg_sys::creating_extension = false;
            saved
        };
        Self { saved }
    }
}

impl Drop for OutsideMembership {
    fn drop(&mut self) {
        // SAFETY: as in `enter`.
        unsafe { pg_sys::creating_extension = self.saved };
    }
}

/// Brings tables, policies, views and grants to the state of this version of the code.
///
/// Applies each file of `sql/migrations` that `sop_schema_migrations` does not list yet, then runs every file of
/// `sql/idempotent` again; one transaction, one run at a time. Superuser or owner of the extension only.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn install() -> Result<
    TableIterator<'static, (name!(file, String), name!(action, String))>,
    pg_sys::panic::ErrorReport,
> {
    require_owner("install()")?;
    sql::require_writable(c"install()");
    require_no_strangers()?;
    let _outside = OutsideMembership::enter();
    run_script("SELECT pg_catalog.set_config('client_min_messages', 'warning', true)")?;
    sql::execute(
        "SELECT pg_catalog.pg_advisory_xact_lock($1)",
        &[INSTALL_LOCK.into()],
    )?;
    run_script(ENSURE_REGISTER)?;
    let mut actions = Vec::new();
    for (name, text) in files::MIGRATIONS {
        let action = match recorded_checksum(name)? {
            None => {
                run_script(text)?;
                record(name, &checksum(text))?;
                "applied"
            }
            Some(recorded) if recorded == checksum(text) => "already applied",
            Some(_) => return Err(changed_migration(name)),
        };
        actions.push(((*name).to_owned(), action.to_owned()));
    }
    for (name, text) in files::IDEMPOTENT {
        run_script(text)?;
        actions.push(((*name).to_owned(), "refreshed".to_owned()));
    }
    Ok(TableIterator::new(actions))
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.install() IS
'Makes or upgrades the tables, policies, views and grants of sop_ml; returns each file and what was done with it. Runs as part of CREATE EXTENSION; run it by hand after restoring a dump under newer code: SELECT * FROM sop_ml.install();';
"#,
    name = "comment_install",
    requires = [install]
);

/// For functions that change tables: superusers and the owner of the extension.
pub(crate) fn require_owner(function: &str) -> PgResult<()> {
    let owner = sql::select_one(
        include_str!("../sql/queries/install_extension_owner.sql"),
        &[],
        |row| row.required::<bool>(1),
    )?;
    if owner == Some(true) {
        return Ok(());
    }
    Err(insufficient_privilege(format!(
        "{function} is for superusers and the owner of extension sop_ml"
    ))
    .set_hint("Ask your database administrator to call it."))
}

/// Whoever owned a table here could have this function run a trigger of his with the rights of its caller, and would keep
/// the rows in his hands.
pub(crate) fn require_no_strangers() -> PgResult<()> {
    let strangers = sql::select(
        include_str!("../sql/queries/install_strangers.sql"),
        &[],
        |row| row.required::<String>(1),
    )?;
    if strangers.is_empty() {
        return Ok(());
    }
    Err(prerequisite(format!(
        "schema sop_ml or sop_ml_storage holds what belongs to other roles: {}",
        strangers.join(", ")
    ))
    .set_hint("Look at what it is; then drop it, or make it yours with ALTER … OWNER TO."))
}

/// Runs a file of several statements; errors carry the server's own SQLSTATE and message.
fn run_script(text: &str) -> PgResult<()> {
    sql::execute(text, &[]).map(|_| ())
}

fn recorded_checksum(name: &str) -> PgResult<Option<String>> {
    sql::modify(APPLIED, &[version(name).into()], |row| row.required(1))
        .map(|rows| rows.into_iter().next())
}

fn record(name: &str, checksum: &str) -> PgResult<()> {
    sql::execute(
        RECORD,
        &[version(name).into(), name.into(), checksum.into()],
    )
    .map(|_| ())
}

/// `036_tenancy` is version 36.
fn version(name: &str) -> i32 {
    name.split('_')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Name and checksum of each migration that this version of the code has.
pub(crate) fn migrations() -> impl Iterator<Item = (String, String)> {
    files::MIGRATIONS
        .iter()
        .map(|(name, text)| ((*name).to_owned(), checksum(text)))
}

fn changed_migration(name: &str) -> pg_sys::panic::ErrorReport {
    prerequisite(format!(
        "migration sql/migrations/{name}.sql was applied with another content than this version of the code has"
    ))
    .set_hint(
        "Install the version of sop_ml that made this database, or restore the row of sop_ml.sop_schema_migrations.",
    )
}

extension_sql_file!("../sql/extension/roles.sql", name = "roles", bootstrap);
extension_sql_file!("../sql/extension/finish.sql", name = "finish", finalize);
