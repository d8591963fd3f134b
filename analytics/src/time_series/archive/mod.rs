//! Bundles: rows packed so that they are small, for good.
//!
//! A bundle holds the rows of a month, say, of one metric of one restaurant. It outlives the code that wrote it and the disk it
//! lies on: its layout is ours and versioned, no damaged bit goes unnoticed, and reading never takes more memory than the
//! caller allows, whoever made the bytes.
//!
//! # Layout of version 1
//!
//! Numbers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `SOPB` |
//! | 1 | version |
//! | 1 | kind: 0 time series, 1 records |
//! | 8 | rows |
//! | 8 | length of the uncompressed columns |
//! | 32 | SHA-256 of the 22 bytes before and the uncompressed columns |
//! | … | the columns as one zstd frame |
//! | 8 | XXH64 of all bytes before |
//!
//! The checksum at the end is looked at before anything is decompressed; the digest tells which rows they are, whatever
//! release of zstd packed them.
//!
//! A *varint* has seven bits a byte, lowest first; the highest bit says that more follow. *Zigzag* maps 0, -1, 1, -2 to 0, 1,
//! 2, 3. An *integer column* is the byte 0 and varints, or the number of planes (1 to 8) and all lowest bytes, all second
//! bytes, and so on. A *repeated column* is the byte 0 and an integer column, or the byte 1 and runs, each the number and how
//! often it follows itself as varints. A *dictionary* is the number of distinct values as varint, the values in order of
//! appearance (a uuid is 16 bytes, an instant 8; a text its length as varint and UTF-8), and a repeated column: 0 is NULL, 1 the
//! next value not seen before, k + 2 the k-th value from 0. Differences wrap around. A row's *predecessor* is the last row
//! before it with the same `sop_id` and `source`.
//!
//! Columns of time series, in this order:
//!
//! 1. `sop_id`, `source`: dictionaries without NULL.
//! 2. `observed_at`: an integer column of the zigzag of the difference to the predecessor's time plus the predecessor's own
//!    step (0 for the first of its `sop_id` and `source`); without predecessor, to the row before, or to 0.
//! 3. `ingested_at`: the byte 0 and an integer column of the zigzag of the delay after `observed_at` less the delay of the
//!    predecessor (or 0); or the byte 1 and one of the difference to the row before (or 0).
//! 4. `dimensions`, `unit`, `quality_flag`, `recorded_by`, `batch_id`, `replaced_at`: dictionaries.
//! 5. `value`: lengths of runs of rows with and without a value in turns as varints, then of those with a value: the number of
//!    decimals (0 to 6), the number of exceptions, each the distance from the one before and its 8 bytes, and an integer column
//!    of the others times a power of ten, the zigzag of the difference to the predecessor among them (or 0); or the byte 255 and
//!    an integer column of bits, exclusive-or with those of the predecessor with a value (or 0).
//!
//! Columns of records: the lengths of all texts as varints, then the texts, sorted.

mod bundle;
mod columns;
mod dictionary;
mod error;
mod integers;
mod records;
mod values;

pub use bundle::{BundleInfo, BundleKind, inspect};
pub use columns::{TimeSeriesColumns, TimeSeriesRow, Uuid};
pub use error::ArchiveError;
pub use records::{decode_records, encode_records};

use crate::budget::Budget;

/// Packs rows of time series into a bundle.
///
/// Equal rows in equal order make equal columns. Some milliseconds for ten thousand rows, in one go: a caller that can be
/// interrupted asks between bundles.
///
/// # Errors
/// [`ArchiveError::Compression`] when zstd has no memory.
///
/// # Example
/// ```
/// use sop_analytics::time_series::archive::{
///     TimeSeriesColumns, TimeSeriesRow, decode_time_series, encode_time_series,
/// };
///
/// let mut columns = TimeSeriesColumns::new();
/// for minute in 0..3 {
///     columns.push(TimeSeriesRow {
///         observed_at: minute * 60_000_000,
///         sop_id: [7; 16],
///         source: "fridge 1",
///         value: Some(4.1),
///         dimensions: None,
///         unit: Some("°C"),
///         quality_flag: None,
///         recorded_by: None,
///         batch_id: None,
///         ingested_at: minute * 60_000_000 + 1_500,
///         replaced_at: None,
///     });
/// }
/// let bundle = encode_time_series(&columns)?;
/// let back = decode_time_series(&bundle, 1 << 20)?;
/// assert!(back.rows().eq(columns.rows()));
/// # Ok::<(), sop_analytics::time_series::archive::ArchiveError>(())
/// ```
pub fn encode_time_series(columns: &TimeSeriesColumns) -> Result<Vec<u8>, ArchiveError> {
    bundle::seal(BundleKind::TimeSeries, columns.len(), &columns.write())
}

/// The rows of a bundle of time series, in the order in which they were packed.
///
/// `max_bytes` bounds the uncompressed columns as well as [`TimeSeriesColumns::bytes`] of the answer. While decoding, columns,
/// answer and the tables between them may together take four times as much.
///
/// # Errors
/// [`ArchiveError`] for bytes that are not an undamaged bundle of time series, or one that needs more memory.
pub fn decode_time_series(
    bundle: &[u8],
    max_bytes: usize,
) -> Result<TimeSeriesColumns, ArchiveError> {
    let (rows, columns) = bundle::open(
        bundle,
        BundleKind::TimeSeries,
        columns::ROW_BYTES,
        max_bytes,
    )?;
    TimeSeriesColumns::read(&columns, rows, Budget::new(max_bytes))
}

#[cfg(test)]
mod tests;
