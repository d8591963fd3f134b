//! Readings, column by column.

use pgrx::Uuid;
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use sop_analytics::time_series::archive::{
    TimeSeriesColumns, TimeSeriesRow, decode_time_series, encode_time_series,
};

use super::{Month, Restored, Volume, store};
use crate::error::{PgResult, from_analytics, internal, prerequisite};
use crate::sql::Row;
use crate::{settings, sql};

const UNKNOWN_COLUMNS: &str = include_str!("../../sql/queries/archive_unknown_columns.sql");
const TAKE: &str = include_str!("../../sql/queries/archive_take_time_series.sql");
const PUT: &str = include_str!("../../sql/queries/archive_put_time_series.sql");

/// So many rows are written by one statement.
const ROWS_AT_ONCE: usize = 10_000;

/// Readings of one metric that wait to be packed.
#[derive(Default)]
struct Waiting {
    metric: String,
    columns: TimeSeriesColumns,
    bytes_before: i64,
}

pub(super) fn pack(month: &Month) -> PgResult<Volume> {
    require_known_columns()?;
    let most = super::most_bytes();
    let mut waiting = Waiting::default();
    let mut packed = Volume::default();
    sql::for_each_written(
        TAKE,
        &[month.restaurant.into(), month.from.into(), month.to.into()],
        |row| {
            let metric: String = row.required(1)?;
            if metric != waiting.metric || waiting.columns.bytes() >= most {
                let next = Waiting {
                    metric,
                    ..Waiting::default()
                };
                packed += seal(month, &std::mem::replace(&mut waiting, next))?;
            }
            waiting.push(row)
        },
    )?;
    packed += seal(month, &waiting)?;
    Ok(packed)
}

/// A column that somebody added would be lost with its table's rows.
fn require_known_columns() -> PgResult<()> {
    let unknown = sql::modify(UNKNOWN_COLUMNS, &[], |row| row.required::<String>(1))?;
    if unknown.is_empty() {
        return Ok(());
    }
    Err(prerequisite(format!(
        "sop_time_series_data has columns that archives have no place for: {}",
        unknown.join(", ")
    ))
    .set_hint("Keep further values in dimensions, or in a table of your own."))
}

impl Waiting {
    fn push(&mut self, row: &Row<'_>) -> PgResult<()> {
        let texts = [5, 6, 7].map(|column| row.get::<String>(column + 1));
        let [dimensions, unit, quality_flag] = texts;
        let (dimensions, unit, quality_flag) = (dimensions?, unit?, quality_flag?);
        let source: String = row.required(4)?;
        let uuid = |column| {
            row.get::<Uuid>(column)
                .map(|id| id.map(|id| *id.as_bytes()))
        };
        let micros = |column| {
            row.get::<TimestampWithTimeZone>(column)
                .map(|at| at.map(TimestampWithTimeZone::into_inner))
        };
        self.columns.push(TimeSeriesRow {
            observed_at: row.required::<TimestampWithTimeZone>(2)?.into_inner(),
            sop_id: *row.required::<Uuid>(3)?.as_bytes(),
            source: &source,
            value: row.get(5)?,
            dimensions: dimensions.as_deref(),
            unit: unit.as_deref(),
            quality_flag: quality_flag.as_deref(),
            recorded_by: uuid(9)?,
            batch_id: uuid(10)?,
            ingested_at: row.required::<TimestampWithTimeZone>(11)?.into_inner(),
            replaced_at: micros(12)?,
        });
        self.bytes_before += row.required::<i64>(13)?;
        Ok(())
    }
}

fn seal(month: &Month, waiting: &Waiting) -> PgResult<Volume> {
    if waiting.columns.is_empty() {
        return Ok(Volume::default());
    }
    let bundle = encode_time_series(&waiting.columns).map_err(from_analytics)?;
    let volume = Volume {
        rows: waiting.columns.len() as i64,
        bytes_before: waiting.bytes_before,
        bytes_after: bundle.len() as i64,
    };
    store(month, &waiting.metric, volume, bundle)?;
    Ok(volume)
}

pub(super) fn bring_back(month: &Month, metric: &str, bundle: &[u8]) -> PgResult<Restored> {
    let columns =
        decode_time_series(bundle, settings::max_state_bytes()).map_err(from_analytics)?;
    let mut restored = Restored::default();
    let mut rows = columns.rows();
    loop {
        pgrx::check_for_interrupts!();
        let some: Vec<TimeSeriesRow<'_>> = rows.by_ref().take(ROWS_AT_ONCE).collect();
        if some.is_empty() {
            return Ok(restored);
        }
        let written = put(month, metric, &some)?;
        restored += Restored {
            rows: written,
            kept: some.len() as i64 - written,
        };
    }
}

fn put(month: &Month, metric: &str, rows: &[TimeSeriesRow<'_>]) -> PgResult<i64> {
    let id = |id: [u8; 16]| Uuid::from_bytes(id);
    let arguments: [DatumWithOid<'_>; 13] = [
        month.restaurant.into(),
        metric.into(),
        column(rows, |row| instant(row.observed_at))?.into(),
        column(rows, |row| Ok(id(row.sop_id)))?.into(),
        column(rows, |row| Ok(row.source))?.into(),
        column(rows, |row| Ok(row.value))?.into(),
        column(rows, |row| Ok(row.dimensions))?.into(),
        column(rows, |row| Ok(row.unit))?.into(),
        column(rows, |row| Ok(row.quality_flag))?.into(),
        column(rows, |row| Ok(row.recorded_by.map(id)))?.into(),
        column(rows, |row| Ok(row.batch_id.map(id)))?.into(),
        column(rows, |row| instant(row.ingested_at))?.into(),
        column(rows, |row| row.replaced_at.map(instant).transpose())?.into(),
    ];
    sql::modify_one(PUT, &arguments, |row| row.required(1))
}

fn column<'a, T>(
    rows: &[TimeSeriesRow<'a>],
    value: impl Fn(&TimeSeriesRow<'a>) -> PgResult<T>,
) -> PgResult<Vec<T>> {
    rows.iter().map(value).collect()
}

fn instant(micros: i64) -> PgResult<TimestampWithTimeZone> {
    TimestampWithTimeZone::try_from(micros).map_err(|error| internal(error.to_string()))
}
