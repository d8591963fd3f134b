//! Statements: one way to read and one to write through SPI, always as the caller, always with parameters.

use std::ffi::{CStr, CString, c_char};

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{SpiCursor, SpiHeapTupleData};

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
    // SAFETY: reads a counter of this backend.
    if unsafe { pg_sys::IsInParallelMode() } {
        return select_in_parallel_mode(statement, arguments, row);
    }
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

/// Under a parallel plan no statement may begin a command of its own. pgrx begins one as soon as the transaction has
/// written (`CREATE TABLE … AS` with a parallel plan), so SPI is called directly, as for a function marked `stable`.
fn select_in_parallel_mode<T>(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
    mut row: impl FnMut(&Row<'_>) -> PgResult<T>,
) -> PgResult<Vec<T>> {
    let text = CString::new(statement).map_err(|error| internal(error.to_string()))?;
    let mut types: Vec<pg_sys::Oid> = arguments.iter().map(DatumWithOid::oid).collect();
    let (mut values, nulls): (Vec<pg_sys::Datum>, Vec<c_char>) = arguments
        .iter()
        .map(|argument| match argument.datum() {
            Some(datum) => (datum.sans_lifetime(), b' '.cast_signed()),
            None => (pg_sys::Datum::null(), b'n'.cast_signed()),
        })
        .unzip();
    let count = i32::try_from(arguments.len()).map_err(|error| internal(error.to_string()))?;
    Spi::connect(|_client| {
        // SAFETY: connected to SPI; the arrays have `count` entries and outlive the call.
        let (status, table, rows) = unsafe {
            let status = pg_sys::SPI_execute_with_args(
                text.as_ptr(),
                count,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_ptr(),
                true,
                0,
            );
            (status, pg_sys::SPI_tuptable, pg_sys::SPI_processed)
        };
        if status != pg_sys::SPI_OK_SELECT as i32 || table.is_null() {
            return Err(internal(format!("statement failed: SPI status {status}")));
        }
        let rows = usize::try_from(rows).map_err(|error| internal(error.to_string()))?;
        (0..rows)
            .map(|number| {
                // SAFETY: SPI has put `rows` tuples there, described by `tupdesc`; they live until SPI is finished.
                let tuple =
                    unsafe { SpiHeapTupleData::new((*table).tupdesc, *(*table).vals.add(number)) };
                let tuple = tuple
                    .map_err(from_spi)?
                    .ok_or_else(|| internal("a row of an internal statement is missing"))?;
                row(&Row(tuple))
            })
            .collect()
    })
}

/// How many rows [`for_each`] holds at a time.
const FETCH_ROWS: std::ffi::c_long = 10_000;

/// Runs a reading statement through a cursor and visits each row; like [`select`], but for results that must not be in
/// memory as a whole.
pub(crate) fn for_each(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
    row: impl FnMut(&Row<'_>) -> PgResult<()>,
) -> PgResult<()> {
    Spi::connect(|client| {
        let cursor = client
            .try_open_cursor(statement, arguments)
            .map_err(from_spi)?;
        visit(cursor, row)
    })
}

/// As [`for_each`], for a writing statement that returns rows: it is over before the first row is visited, and its rows
/// beyond what memory is for lie on disk.
pub(crate) fn for_each_written(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
    row: impl FnMut(&Row<'_>) -> PgResult<()>,
) -> PgResult<()> {
    Spi::connect_mut(|client| {
        let cursor = client
            .try_open_cursor_mut(statement, arguments)
            .map_err(from_spi)?;
        visit(cursor, row)
    })
}

fn visit(mut cursor: SpiCursor<'_>, mut row: impl FnMut(&Row<'_>) -> PgResult<()>) -> PgResult<()> {
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
}

/// Runs a reading statement that returns at most one row.
pub(crate) fn select_one<T>(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
    row: impl FnMut(&Row<'_>) -> PgResult<T>,
) -> PgResult<Option<T>> {
    Ok(select(statement, arguments, row)?.into_iter().next())
}

/// Raises 25006 where nothing can be written: on a hot standby and in a READ ONLY transaction. For functions that would
/// otherwise work for a while before their first write fails, or report that failure as one of a step.
pub(crate) fn require_writable(function: &CStr) {
    // SAFETY: reads a variable of this backend; the name is copied into the message.
    unsafe { pg_sys::PreventCommandIfReadOnly(function.as_ptr()) }
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

/// As [`modify`], for a statement that always answers with one row.
pub(crate) fn modify_one<T>(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
    row: impl FnMut(&Row<'_>) -> PgResult<T>,
) -> PgResult<T> {
    modify(statement, arguments, row)?
        .pop()
        .ok_or_else(|| internal("a statement of one row answered with none"))
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
