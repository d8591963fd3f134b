//! `capabilities()`: which extensions were found that `sop_ml` can work with, what is used, and why.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::PgResult;
use crate::timescaledb::Extension;
use crate::{sql, tenancy};

const EXTENSIONS: &str = include_str!("../sql/queries/capabilities_extensions.sql");
const CRON: &str = include_str!("../sql/queries/capabilities_cron.sql");
const CRON_HOME: &str = include_str!("../sql/queries/capabilities_cron_home.sql");

/// An extension that `sop_ml` can work with.
struct Found {
    name: String,
    installed: Option<String>,
    available: Option<String>,
    is_preloaded: Option<bool>,
}

impl Found {
    /// Why it is not in this database, for one that is not.
    fn absence(&self) -> &'static str {
        match (&self.available, self.is_preloaded) {
            (None, _) => "not on this server",
            (Some(_), Some(false)) => {
                "on this server, not in this database, and not in shared_preload_libraries"
            }
            (Some(_), _) => "on this server, not in this database",
        }
    }
}

/// What was found, what is used and why.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn capabilities() -> Result<
    TableIterator<
        'static,
        (
            name!(capability, String),
            name!(is_available, bool),
            name!(is_used, bool),
            name!(version, Option<String>),
            name!(detail, String),
        ),
    >,
    ErrorReport,
> {
    let rows = found()?
        .into_iter()
        .map(|extension| {
            let (is_used, detail) = match extension.name.as_str() {
                "timescaledb" => timescaledb(&extension)?,
                "pg_cron" => pg_cron(&extension)?,
                "vector" => (false, vector(&extension)),
                _ => (false, citus(&extension)),
            };
            let name = match extension.name.as_str() {
                "vector" => "pgvector".to_owned(),
                _ => extension.name,
            };
            let is_available = extension.installed.is_some() || extension.available.is_some();
            let version = extension.installed.or(extension.available);
            Ok((name, is_available, is_used, version, detail))
        })
        .collect::<PgResult<Vec<_>>>()?;
    Ok(TableIterator::new(rows))
}

extension_sql!(
    r#"
ALTER FUNCTION sop_ml.capabilities() ROWS 4;
COMMENT ON FUNCTION sop_ml.capabilities() IS
'The extensions that sop_ml can work with (timescaledb, pgvector, pg_cron, citus): whether the server has it (is_available), whether sop_ml uses it (is_used), the version that is in this database or could be made here, and why (detail). Example: SELECT * FROM sop_ml.capabilities();';
"#,
    name = "comment_capabilities",
    requires = [capabilities]
);

/// What the server loads at its start is for superusers to see; which of four names is among it harms nobody.
fn found() -> PgResult<Vec<Found>> {
    tenancy::privileged(|| {
        sql::select(EXTENSIONS, &[], |row| {
            Ok(Found {
                name: row.required(1)?,
                installed: row.get(2)?,
                available: row.get(3)?,
                is_preloaded: row.get(4)?,
            })
        })
    })
}

fn timescaledb(found: &Found) -> PgResult<(bool, String)> {
    if found.installed.is_none() {
        let detail = format!(
            "{}: time series are a table partitioned by month",
            found.absence()
        );
        return Ok((false, detail));
    }
    let extension = Extension::find()?;
    if !extension.is_loaded {
        let detail = "in this database, but its library is not in shared_preload_libraries";
        return Ok((false, detail.to_owned()));
    }
    let edition = extension.edition();
    if extension.is_used()? {
        let obstacle = extension
            .obstacle()?
            .map(|obstacle| format!("; update it: {obstacle}"));
        let detail = format!(
            "{edition}: time series are a hypertable in mode {}{}",
            extension.mode(),
            obstacle.unwrap_or_default()
        );
        return Ok((true, detail));
    }
    let detail = format!(
        "{edition}, not used: time series are a table partitioned by month until enable_timescaledb() is called"
    );
    Ok((false, detail))
}

fn pg_cron(found: &Found) -> PgResult<(bool, String)> {
    if found.installed.is_none() {
        let home =
            tenancy::privileged(|| sql::select_one(CRON_HOME, &[], |row| row.get::<String>(1)))?
                .flatten();
        let detail = match home {
            Some(home) => {
                format!("works from database {home}: schedule_jobs() says what to run there")
            }
            None => format!("{}: any scheduler calls run_jobs()", found.absence()),
        };
        return Ok((false, detail));
    }
    let is_used =
        tenancy::privileged(|| sql::select_one(CRON, &[], |row| row.required(1)))?.unwrap_or(false);
    let detail = if is_used {
        "calls run_jobs()"
    } else {
        "in this database, not used: schedule_jobs() makes the entry"
    };
    Ok((is_used, detail.to_owned()))
}

fn vector(found: &Found) -> String {
    let place = match found.installed {
        Some(_) => "in this database, not used",
        None => found.absence(),
    };
    format!("{place}: embeddings are arrays that are compared exactly, restaurant by restaurant")
}

fn citus(found: &Found) -> String {
    let place = match found.installed {
        Some(_) => "in this database, not used",
        None => found.absence(),
    };
    format!("{place}: all tables are on this node")
}
