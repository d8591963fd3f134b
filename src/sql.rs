//! Statements: one way to read and one to write through SPI, always as the caller, always with parameters.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;

use crate::error::{PgResult, from_spi, internal};

/// Runs a reading statement and maps each row.
///
/// Assigns no transaction id and takes the snapshot of the calling query, so functions marked `stable` may use it, also
/// in parallel workers and on a hot standby.
pub(crate) fn select<T>(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
    mut row: impl FnMut(&Row<'_>) -> PgResult<T>,
) -> PgResult<Vec<T>> {
    Spi::connect(|client| {
        let table = client
            .select(statement, None, arguments)
            .map_err(from_spi)?;
        let mut rows = Vec::new();
        rows.try_reserve(table.len())
            .map_err(|error| internal(error.to_string()))?;
        for tuple in table {
            pgrx::check_for_interrupts!();
            rows.push(row(&Row(tuple))?);
        }
        Ok(rows)
    })
}

/// How many rows [`for_each`] holds at a time.
const FETCH_ROWS: std::ffi::c_long = 10_000;

/// Runs a reading statement through a cursor and visits each row; like [`select`], but for results that must not be in
/// memory as a whole.
pub(crate) fn for_each(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
    mut row: impl FnMut(&Row<'_>) -> PgResult<()>,
) -> PgResult<()> {
    Spi::connect(|client| {
        let mut cursor = client
            .try_open_cursor(statement, arguments)
            .map_err(from_spi)?;
        loop {
            let batch = cursor.fetch(FETCH_ROWS).map_err(from_spi)?;
            // SAFETY: reads a variable of this single-threaded backend that the fetch has just set.
            let table = unsafe { pgrx::pg_sys::SPI_tuptable };
            if batch.is_empty() {
                return Ok(());
            }
            for tuple in batch {
                pgrx::check_for_interrupts!();
                row(&Row(tuple))?;
            }
            // SAFETY: the rows of this fetch have been dropped and nothing else refers to their table.
            unsafe { pgrx::pg_sys::SPI_freetuptable(table) };
        }
    })
}

/// Runs a reading statement that returns at most one row.
pub(crate) fn select_one<T>(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
    row: impl FnMut(&Row<'_>) -> PgResult<T>,
) -> PgResult<Option<T>> {
    Ok(select(statement, arguments, row)?.into_iter().next())
}

/// Runs a writing statement and maps each row that it returns (`RETURNING`); only for functions marked `volatile`.
pub(crate) fn modify<T>(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
    mut row: impl FnMut(&Row<'_>) -> PgResult<T>,
) -> PgResult<Vec<T>> {
    Spi::connect_mut(|client| {
        let table = client
            .update(statement, None, arguments)
            .map_err(from_spi)?;
        let mut rows = Vec::new();
        for tuple in table {
            rows.push(row(&Row(tuple))?);
        }
        Ok(rows)
    })
}

/// Runs a writing statement for its effect and returns how many rows it touched; only for functions marked `volatile`.
pub(crate) fn execute(statement: &str, arguments: &[DatumWithOid<'_>]) -> PgResult<i64> {
    Spi::connect_mut(|client| {
        let table = client
            .update(statement, None, arguments)
            .map_err(from_spi)?;
        i64::try_from(table.len()).map_err(|error| internal(error.to_string()))
    })
}

/// One result row, read by column position (from 1).
pub(crate) struct Row<'conn>(SpiHeapTupleData<'conn>);

impl Row<'_> {
    /// A column that may be NULL.
    pub(crate) fn get<T: FromDatum + IntoDatum>(&self, column: usize) -> PgResult<Option<T>> {
        self.0.get::<T>(column).map_err(from_spi)
    }

    /// A column that the statement guarantees to be present.
    pub(crate) fn required<T: FromDatum + IntoDatum>(&self, column: usize) -> PgResult<T> {
        self.get(column)?
            .ok_or_else(|| internal(format!("column {column} of an internal statement is NULL")))
    }
}
