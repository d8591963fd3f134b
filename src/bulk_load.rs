//! Readings from a staging table: COPY fills it with what a file holds, one call takes the rows.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Deserialize;
use sop_analytics::ingest::NotFinite;

use crate::arguments::required;
use crate::error::{PgResult, insufficient_privilege, invalid_parameter, with_code};
use crate::ingest::{OnConflict, max_future_minutes};
use crate::jsonb::JsonB;
use crate::regclass::RegClass;
use crate::{options, sql, tenancy, timescaledb};

const STATEMENT: &str = include_str!("../sql/queries/bulk_load_statement.sql");

/// What `load_observations` accepts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LoadOptions {
    on_conflict: OnConflict,
    not_finite: NotFinite,
    max_future_minutes: Option<f64>,
}

/// Takes the rows of a staging table into `sop_time_series_data`.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn load_observations(
    staging: Option<RegClass>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(inserted, i64),
            name!(updated, i64),
            name!(unchanged, i64),
            name!(rejected, i64),
            name!(reasons, JsonB),
        ),
    >,
    ErrorReport,
> {
    let options = options::parse::<LoadOptions>(options)?;
    let max_future = max_future_minutes(options.max_future_minutes)?;
    let staging = required("staging", staging)?;
    sql::require_writable(c"load_observations()");
    if !tenancy::may_see_all()? {
        return Err(
            insufficient_privilege("load_observations() is for operators")
                .set_hint("SET ROLE sop_ml_operator, or use ingest_observations()."),
        );
    }
    let statement = statement(staging, options.on_conflict)?;
    timescaledb::lift_write_limit()?;
    let arguments = [max_future.into(), options.not_finite.as_str().into()];
    let outcome = sql::modify(&statement, &arguments, |row| {
        let (inserted, updated): (i64, i64) = (row.required(1)?, row.required(2)?);
        let good: i64 = row.required(3)?;
        Ok((
            inserted,
            updated,
            good - inserted - updated,
            row.required::<i64>(4)?,
            row.required::<JsonB>(5)?,
        ))
    })?;
    Ok(TableIterator::new(outcome))
}

extension_sql!(
    r#"
ALTER FUNCTION sop_ml.load_observations(regclass, jsonb) ROWS 1;
COMMENT ON FUNCTION sop_ml.load_observations(regclass, jsonb) IS
'Takes the rows of a staging table into sop_time_series_data, in one statement. The table has columns restaurant_id, metric_name, observed_at and value, and may have sop_id, source, dimensions, unit, quality_flag, recorded_by, batch_id and ingested_at, of the same types; other columns are not looked at, and it is left as it is. Answers how many readings were inserted, updated, unchanged (there already, or overtaken by a later row of the same key) and rejected, and how many for which reason (restaurant_id, metric_name, observed_at, future, not_finite, quality_flag, dimensions). Options, as for ingest_observations: on_conflict, not_finite, max_future_minutes. For operators. Example: SELECT * FROM sop_ml.load_observations(''public.staged_readings'');';
"#,
    name = "comment_bulk_load",
    requires = [load_observations]
);

/// The statement that the catalogue gives for a staging table.
fn statement(staging: RegClass, on_conflict: OnConflict) -> PgResult<String> {
    let replaces = on_conflict == OnConflict::Update;
    let found = sql::select_one(STATEMENT, &[staging.oid().into(), replaces.into()], |row| {
        Ok((row.get::<String>(1)?, row.required::<String>(2)?))
    })?;
    match found {
        Some((None, statement)) => Ok(statement),
        Some((Some(complaint), _)) => Err(invalid_parameter(format!(
            "the staging table cannot be loaded: {complaint}"
        ))
        .set_hint(
            "Make one with CREATE UNLOGGED TABLE … (LIKE sop_ml.sop_time_series_data INCLUDING DEFAULTS).",
        )),
        None => Err(with_code(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            "there is no such staging table",
        )),
    }
}
