//! Months of raw rows, packed into bundles that leave the tables and brought back.
//!
//! A month of a restaurant is one subtransaction: its rows are deleted and its bundles stored together, so that every
//! snapshot, a dump's too, sees each row once. What was rolled up stays: the roll-up leaves retired days alone.

mod records;
mod time_series;

use pgrx::Uuid;
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Deserialize;

use crate::arguments::required;
use crate::error::{PgResult, insufficient_privilege, invalid_parameter};
use crate::jsonb::JsonB;
use crate::subtransaction::{Failure, isolated};
use crate::{aggregation, options, settings, sql, tenancy, timescaledb};

const STATEMENTS: &str = include_str!("../sql/queries/archive_statements.sql");
const NOT_ROLLED_UP: &str = include_str!("../sql/queries/archive_not_rolled_up.sql");
const STORE: &str = include_str!("../sql/queries/archive_store.sql");
const RETIRE: &str = include_str!("../sql/queries/archive_retire.sql");
const PERIODS: &str = include_str!("../sql/queries/archive_periods.sql");
const TAKE_BUNDLE: &str = include_str!("../sql/queries/archive_take_bundle.sql");
const RETURN: &str = include_str!("../sql/queries/archive_return.sql");

/// The table whose rows have a layout of their own.
pub(crate) const TIME_SERIES: &str = "sop_time_series_data";
/// The tables whose rows can be archived.
const ARCHIVABLE: [&str; 5] = [
    TIME_SERIES,
    "sop_user_interactions",
    "sop_ml_predictions",
    "sop_model_predictions",
    "sop_ab_events",
];
pub(crate) const DONE: &str = "done";
pub(crate) const NOT_ROLLED_UP_YET: &str = "skipped: not rolled up yet";

/// What `archive_time_series` and `restore_archive` accept.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ArchiveOptions {
    relations: Option<Vec<String>>,
}

impl ArchiveOptions {
    fn check(self) -> PgResult<Vec<String>> {
        let relations = self
            .relations
            .unwrap_or_else(|| vec![TIME_SERIES.to_owned()]);
        match relations
            .iter()
            .find(|name| !ARCHIVABLE.contains(&name.as_str()))
        {
            None => Ok(relations),
            Some(other) => Err(invalid_parameter(format!(
                "invalid options: rows of \"{other}\" cannot be archived"
            ))
            .set_hint(format!("relations are of {}.", ARCHIVABLE.join(", ")))),
        }
    }
}

/// A month of a restaurant whose rows are in a table, or in bundles.
#[derive(Debug, Clone)]
pub(crate) struct Month {
    pub(crate) restaurant: Uuid,
    pub(crate) relation: String,
    pub(crate) from: TimestampWithTimeZone,
    pub(crate) to: TimestampWithTimeZone,
}

/// How many rows left a table, and how large they were there and are in bundles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) rows: i64,
    pub(crate) bytes_before: i64,
    pub(crate) bytes_after: i64,
}

impl std::ops::AddAssign for Volume {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes_before += other.bytes_before;
        self.bytes_after += other.bytes_after;
    }
}

/// What became of a month.
pub(crate) struct Done {
    pub(crate) month: Month,
    pub(crate) status: String,
    pub(crate) volume: Volume,
}

/// How rows that were brought back fared.
#[derive(Debug, Clone, Copy, Default)]
struct Restored {
    rows: i64,
    /// Their keys were taken by rows that came later.
    kept: i64,
}

impl std::ops::AddAssign for Restored {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.kept += other.kept;
    }
}

/// The statements that the catalogue gives for a table.
pub(crate) struct Statements {
    months: String,
    take: String,
    put: String,
    remove: String,
}

/// Packs the whole months before a time into bundles and takes their rows out of the tables.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn archive_time_series(
    restaurant_id: Option<Uuid>,
    before: Option<TimestampWithTimeZone>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(restaurant_id, Uuid),
            name!(relation_name, String),
            name!(from_time, TimestampWithTimeZone),
            name!(to_time, TimestampWithTimeZone),
            name!(status, String),
            name!(n, i64),
            name!(bytes_before, i64),
            name!(bytes_after, i64),
        ),
    >,
    ErrorReport,
> {
    let relations = options::parse::<ArchiveOptions>(options)?.check()?;
    let before = required("before", before)?;
    let restaurant = begin(c"archive_time_series()", restaurant_id)?;
    let mut rows = Vec::new();
    for relation in &relations {
        rows.extend(archive(restaurant, relation, before)?);
    }
    Ok(TableIterator::new(rows.into_iter().map(|done| {
        let Done {
            month,
            status,
            volume,
        } = done;
        (
            month.restaurant,
            month.relation,
            month.from,
            month.to,
            status,
            volume.rows,
            volume.bytes_before,
            volume.bytes_after,
        )
    })))
}

/// Brings archived months back into the tables.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn restore_archive(
    restaurant_id: Option<Uuid>,
    from_time: Option<TimestampWithTimeZone>,
    to_time: Option<TimestampWithTimeZone>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(restaurant_id, Uuid),
            name!(relation_name, String),
            name!(from_time, TimestampWithTimeZone),
            name!(to_time, TimestampWithTimeZone),
            name!(status, String),
            name!(n, i64),
            name!(kept, i64),
        ),
    >,
    ErrorReport,
> {
    let relations = options::parse::<ArchiveOptions>(options)?.check()?;
    let from_time = required("from_time", from_time)?;
    let to_time = required("to_time", to_time)?;
    if from_time >= to_time {
        return Err(invalid_parameter("from_time must be before to_time"));
    }
    let restaurant = begin(c"restore_archive()", restaurant_id)?;
    let mut rows = Vec::new();
    for month in archived_months(restaurant, from_time, to_time, relations)? {
        pgrx::check_for_interrupts!();
        let (status, restored) = match isolated(|| bring_back(&month)) {
            Ok(restored) => ("restored".to_owned(), restored),
            Err(failure) => (failed(&month, &failure), Restored::default()),
        };
        rows.push((
            month.restaurant,
            month.relation,
            month.from,
            month.to,
            status,
            restored.rows,
            restored.kept,
        ));
    }
    Ok(TableIterator::new(rows))
}

extension_sql!(
    r#"
-- Records are packed as texts: no setting of the caller's may round them. Intervals of 32 days are counted in UTC.
ALTER FUNCTION sop_ml.archive_time_series(uuid, timestamptz, jsonb) SET extra_float_digits = 1;
ALTER FUNCTION sop_ml.archive_time_series(uuid, timestamptz, jsonb) SET timezone = 'UTC';
ALTER FUNCTION sop_ml.archive_time_series(uuid, timestamptz, jsonb) SET intervalstyle = 'postgres';
ALTER FUNCTION sop_ml.restore_archive(uuid, timestamptz, timestamptz, jsonb) SET timezone = 'UTC';
ALTER FUNCTION sop_ml.restore_archive(uuid, timestamptz, timestamptz, jsonb) SET intervalstyle = 'postgres';
COMMENT ON FUNCTION sop_ml.archive_time_series(uuid, timestamptz, jsonb) IS
'Packs the whole local months before a time into compressed, checksummed bundles, one for each restaurant, metric and month, and takes their rows out of the tables in the same transaction. Months of which hours still wait for the roll-up are skipped; buckets that were made of archived rows stay as they are, also when rows come late. restaurant_id NULL: all restaurants. Options: relations (["sop_time_series_data"]; also sop_user_interactions, sop_ml_predictions, sop_model_predictions, sop_ab_events). Answers a row per month: what became of it, how many rows, how many bytes they took and take. For operators. Example: SELECT * FROM sop_ml.archive_time_series(NULL, now() - interval ''13 months'');';
COMMENT ON FUNCTION sop_ml.restore_archive(uuid, timestamptz, timestamptz, jsonb) IS
'Brings back the archived months that [from_time, to_time) touches: n rows are in their table again; kept is how many were not needed, because a row with their key had come later. The next roll-up recomputes these months. A damaged bundle is found before its rows are written, and its month stays archived. restaurant_id NULL: all restaurants. Options: relations, as for archive_time_series. For operators. Example: SELECT * FROM sop_ml.restore_archive(NULL, ''2025-01-01'', ''2025-02-01'');';
"#,
    name = "comment_archive",
    requires = [archive_time_series, restore_archive]
);

/// What both functions, and the policies, begin with: the restaurant, or all. No run replaces buckets meanwhile.
pub(crate) fn begin(
    function: &std::ffi::CStr,
    restaurant_id: Option<Uuid>,
) -> PgResult<Option<Uuid>> {
    sql::require_writable(function);
    if !tenancy::may_see_all()? {
        return Err(insufficient_privilege(format!(
            "{} is for operators",
            function.to_string_lossy()
        ))
        .set_hint("SET ROLE sop_ml_operator, or call it as superuser."));
    }
    let restaurant = restaurant_id
        .map(|restaurant| tenancy::resolve(Some(restaurant)))
        .transpose()?;
    aggregation::exclude_runs()?;
    timescaledb::lift_write_limit()?;
    Ok(restaurant)
}

/// Archives the whole months of a table before a time, each on its own.
pub(crate) fn archive(
    restaurant: Option<Uuid>,
    relation: &str,
    before: TimestampWithTimeZone,
) -> PgResult<Vec<Done>> {
    let statements = Statements::of(relation)?;
    each_month(restaurant, relation, &statements, before, |month| {
        pack(month, &statements)
    })
}

/// Deletes the whole months of a table before a time, each on its own.
pub(crate) fn remove(
    restaurant: Option<Uuid>,
    relation: &str,
    metric: &str,
    before: TimestampWithTimeZone,
) -> PgResult<Vec<Done>> {
    let statements = Statements::of(relation)?;
    each_month(restaurant, relation, &statements, before, |month| {
        let volume = sql::modify_one(
            &statements.remove,
            &[
                month.restaurant.into(),
                month.from.into(),
                month.to.into(),
                metric.into(),
            ],
            |row| {
                Ok(Volume {
                    rows: row.required(1)?,
                    bytes_before: row.required(2)?,
                    bytes_after: 0,
                })
            },
        )?;
        retire(month, metric, "dropped", volume)?;
        Ok(volume)
    })
}

fn each_month(
    restaurant: Option<Uuid>,
    relation: &str,
    statements: &Statements,
    before: TimestampWithTimeZone,
    work: impl Fn(&Month) -> PgResult<Volume>,
) -> PgResult<Vec<Done>> {
    let months = months(relation, statements, restaurant, before)?;
    // All are looked at before the first is touched: what leaves one month notes an hour that may reach into the next.
    let waits = months
        .iter()
        .map(not_rolled_up)
        .collect::<PgResult<Vec<_>>>()?;
    let mut done = Vec::with_capacity(months.len());
    for (month, waits) in months.into_iter().zip(waits) {
        pgrx::check_for_interrupts!();
        let (status, volume) = if waits {
            (NOT_ROLLED_UP_YET.to_owned(), Volume::default())
        } else {
            match isolated(|| work(&month)) {
                Ok(volume) => (DONE.to_owned(), volume),
                Err(failure) => (failed(&month, &failure), Volume::default()),
            }
        };
        done.push(Done {
            month,
            status,
            volume,
        });
    }
    Ok(done)
}

fn months(
    relation: &str,
    statements: &Statements,
    restaurant: Option<Uuid>,
    before: TimestampWithTimeZone,
) -> PgResult<Vec<Month>> {
    sql::modify(
        &statements.months,
        &[restaurant.into(), before.into()],
        |row| {
            Ok(Month {
                restaurant: row.required(1)?,
                relation: relation.to_owned(),
                from: row.required(2)?,
                to: row.required(3)?,
            })
        },
    )
}

fn archived_months(
    restaurant: Option<Uuid>,
    from_time: TimestampWithTimeZone,
    to_time: TimestampWithTimeZone,
    relations: Vec<String>,
) -> PgResult<Vec<Month>> {
    sql::modify(
        PERIODS,
        &[
            restaurant.into(),
            from_time.into(),
            to_time.into(),
            relations.into(),
        ],
        |row| {
            Ok(Month {
                restaurant: row.required(1)?,
                relation: row.required(2)?,
                from: row.required(3)?,
                to: row.required(4)?,
            })
        },
    )
}

fn not_rolled_up(month: &Month) -> PgResult<bool> {
    sql::modify_one(NOT_ROLLED_UP, &month.arguments(), |row| row.required(1))
}

/// Moves the rows of a month from their table into bundles.
fn pack(month: &Month, statements: &Statements) -> PgResult<Volume> {
    let volume = match month.relation.as_str() {
        TIME_SERIES => time_series::pack(month)?,
        _ => records::pack(month, &statements.take)?,
    };
    retire(month, "", "archived", volume)?;
    Ok(volume)
}

/// Moves the rows of a month from their bundles into the table.
fn bring_back(month: &Month) -> PgResult<Restored> {
    let statements = Statements::of(&month.relation)?;
    let mut restored = Restored::default();
    while let Some((metric, bundle)) = next_bundle(month)? {
        pgrx::check_for_interrupts!();
        restored += match month.relation.as_str() {
            TIME_SERIES => time_series::bring_back(month, &metric, &bundle)?,
            _ => records::bring_back(&bundle, &statements.put)?,
        };
    }
    sql::execute(RETURN, &month.key())?;
    Ok(restored)
}

fn next_bundle(month: &Month) -> PgResult<Option<(String, Vec<u8>)>> {
    let taken = sql::modify(TAKE_BUNDLE, &month.key(), |row| {
        Ok((row.required(1)?, row.required(2)?))
    })?;
    Ok(taken.into_iter().next())
}

/// What rows may take while they are collected for one bundle: packing them is done in one go, and takes more memory than they do.
fn most_bytes() -> usize {
    settings::max_state_bytes() / 4
}

/// Keeps a bundle of a month.
fn store(month: &Month, metric: &str, volume: Volume, bundle: Vec<u8>) -> PgResult<()> {
    let [restaurant, relation, from] = month.key();
    let arguments: [DatumWithOid<'_>; 7] = [
        restaurant,
        relation,
        from,
        metric.into(),
        volume.rows.into(),
        volume.bytes_before.into(),
        bundle.into(),
    ];
    sql::execute(STORE, &arguments).map(|_| ())
}

/// Remembers that the rows of a month have left their table; nothing to remember when there were none.
fn retire(month: &Month, metric: &str, action: &str, volume: Volume) -> PgResult<()> {
    if volume.rows == 0 {
        return Ok(());
    }
    let arguments: [DatumWithOid<'_>; 9] = [
        month.restaurant.into(),
        month.relation.as_str().into(),
        metric.into(),
        month.from.into(),
        month.to.into(),
        action.into(),
        volume.rows.into(),
        volume.bytes_before.into(),
        volume.bytes_after.into(),
    ];
    sql::execute(RETIRE, &arguments).map(|_| ())
}

fn failed(month: &Month, failure: &Failure) -> String {
    failure.warn(&format!(
        "{} of restaurant {} from {}",
        month.relation, month.restaurant, month.from
    ))
}

impl Month {
    /// Restaurant, relation, first instant.
    fn key(&self) -> [DatumWithOid<'_>; 3] {
        [
            self.restaurant.into(),
            self.relation.as_str().into(),
            self.from.into(),
        ]
    }

    /// Restaurant, relation, first instant, end.
    fn arguments(&self) -> [DatumWithOid<'_>; 4] {
        let [restaurant, relation, from] = self.key();
        [restaurant, relation, from, self.to.into()]
    }
}

impl Statements {
    pub(crate) fn of(relation: &str) -> PgResult<Self> {
        sql::select_one(STATEMENTS, &[relation.into()], |row| {
            Ok(Self {
                months: row.required(1)?,
                take: row.required(2)?,
                put: row.required(3)?,
                remove: row.required(4)?,
            })
        })?
        .ok_or_else(|| {
            invalid_parameter(format!(
                "rows of \"{relation}\" can be neither archived nor dropped by restaurant"
            ))
            .set_hint(format!("Relations are {}.", ARCHIVABLE.join(", ")))
        })
    }
}
