//! What TimescaleDB is here, and what it can be asked for.

use pgrx::pg_sys::errcodes::PgSqlErrorCode;

use super::{IS_HYPERTABLE, USUAL_CHUNK_DAYS};
use crate::error::{PgResult, internal, with_code};
use crate::sql;

const EXTENSION: &str = include_str!("../../sql/queries/timescale_extension.sql");
const API: &str = include_str!("../../sql/queries/timescale_api.sql");

/// TimescaleDB as this database has it.
pub(crate) struct Extension {
    pub(crate) is_here: bool,
    pub(crate) is_loaded: bool,
    license: String,
    pub(super) version: String,
    /// Of the name: p partitioned, r a hypertable, v a view.
    pub(super) relation_kind: String,
}

impl Extension {
    pub(crate) fn find() -> PgResult<Self> {
        sql::select_one(EXTENSION, &[], Self::of)?
            .ok_or_else(|| internal("TimescaleDB cannot be looked for"))
    }

    /// With a snapshot of its own: somebody else may have converted the table meanwhile.
    pub(super) fn find_now() -> PgResult<Self> {
        sql::modify_one(EXTENSION, &[], Self::of)
    }

    fn of(row: &sql::Row<'_>) -> PgResult<Self> {
        Ok(Self {
            is_here: row.required(1)?,
            is_loaded: row.required(2)?,
            license: row.required(3)?,
            version: row.required(4)?,
            relation_kind: row.required(5)?,
        })
    }

    /// Whether a view stands before the hypertable.
    pub(crate) fn is_vault(&self) -> bool {
        self.relation_kind == "v"
    }

    pub(crate) fn mode(&self) -> &'static str {
        if self.is_vault() { "vault" } else { "rls" }
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

    /// Why this version cannot be worked with, for one that came by an update after the conversion.
    pub(crate) fn obstacle(&self) -> PgResult<Option<String>> {
        let found = Api::look_up(USUAL_CHUNK_DAYS)?;
        Ok(found
            .err()
            .map(|obstacle| format!("TimescaleDB {} {obstacle}", self.version)))
    }

    /// Whether it keeps the time series.
    pub(crate) fn is_used(&self) -> PgResult<bool> {
        if !self.is_here {
            return Ok(false);
        }
        Ok(sql::select_one(IS_HYPERTABLE, &[], |row| row.required(1))?.unwrap_or(false))
    }
}

/// What the version of TimescaleDB that is here is asked with.
pub(super) struct Api {
    /// Makes the empty table a hypertable.
    pub(super) create_hypertable: String,
    /// Registers compression; none where there is none.
    pub(super) add_compression: Option<String>,
    /// Further arguments of what registers the refreshing of a continuous aggregate.
    pub(super) refresh_options: String,
}

impl Api {
    /// For chunks of some days.
    pub(super) fn find(extension: &Extension, days: i32) -> PgResult<Self> {
        Self::look_up(days)?.map_err(|obstacle| {
            with_code(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                format!("TimescaleDB {} {obstacle}", extension.version),
            )
            .set_hint("docs/support.md names the versions of TimescaleDB that sop_ml works with.")
        })
    }

    /// The same, or why this version cannot be worked with.
    fn look_up(days: i32) -> PgResult<Result<Self, &'static str>> {
        let known = sql::select_one(API, &[days.into()], |row| {
            let opens_chunks_by_name: bool = row.required(2)?;
            Ok((
                Self {
                    create_hypertable: row.required(1)?,
                    add_compression: row.get(3)?,
                    refresh_options: row.required(4)?,
                },
                opens_chunks_by_name,
            ))
        })?;
        Ok(match known {
            Some((api, false)) => Ok(api),
            Some((_, true)) => Err(
                "lets tenants insert into chunks of schemas only that are open to them (2.23 to 2.28 do)",
            ),
            None => Err("has no create_hypertable() that sop_ml knows"),
        })
    }
}
