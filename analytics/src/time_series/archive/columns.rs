//! The rows of a bundle of time series, column by column.

use std::sync::Arc;

use super::ArchiveError;
use super::dictionary::Dictionary;
use super::integers::{Input, unzigzag, varint_length, write_integers, zigzag};
use super::values::{predecessors, read_values, write_values};
use crate::budget::Budget;

/// The bytes of a uuid.
pub type Uuid = [u8; 16];

/// One row of a time series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeSeriesRow<'a> {
    /// When it was observed, in microseconds.
    pub observed_at: i64,
    /// The procedure that it belongs to.
    pub sop_id: Uuid,
    /// The sensor or system that reported it.
    pub source: &'a str,
    /// What was measured; kept to the last bit, with the payload of a NaN and the sign of zero.
    pub value: Option<f64>,
    /// Further dimensions as the text of a JSON object, kept as it is.
    pub dimensions: Option<&'a str>,
    /// The unit of the value.
    pub unit: Option<&'a str>,
    /// How good the value is.
    pub quality_flag: Option<&'a str>,
    /// Who recorded it.
    pub recorded_by: Option<Uuid>,
    /// The load that brought it.
    pub batch_id: Option<Uuid>,
    /// When it was stored, in microseconds.
    pub ingested_at: i64,
    /// When a later reading took the place of the first, in microseconds.
    pub replaced_at: Option<i64>,
}

/// Rows of time series in the order in which they were pushed, repeated texts and uuids kept once.
///
/// Any order will do. Rows in order of time pack best; rows of several procedures and sources may come in turns.
#[derive(Debug, Clone, Default)]
pub struct TimeSeriesColumns {
    observed_at: Vec<i64>,
    sop_id: Dictionary<Uuid>,
    source: Dictionary<Arc<str>>,
    value: Vec<Option<f64>>,
    dimensions: Dictionary<Arc<str>>,
    unit: Dictionary<Arc<str>>,
    quality_flag: Dictionary<Arc<str>>,
    recorded_by: Dictionary<Uuid>,
    batch_id: Dictionary<Uuid>,
    ingested_at: Vec<i64>,
    replaced_at: Dictionary<i64>,
}

/// What a row takes in [`TimeSeriesColumns`], beside the distinct texts and uuids.
pub(super) const ROW_BYTES: usize = 64;

impl TimeSeriesColumns {
    /// No rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row at the end.
    pub fn push(&mut self, row: TimeSeriesRow<'_>) {
        self.observed_at.push(row.observed_at);
        self.sop_id.push(Some(&row.sop_id));
        self.source.push(Some(row.source));
        self.value.push(row.value);
        self.dimensions.push(row.dimensions);
        self.unit.push(row.unit);
        self.quality_flag.push(row.quality_flag);
        self.recorded_by.push(row.recorded_by.as_ref());
        self.batch_id.push(row.batch_id.as_ref());
        self.ingested_at.push(row.ingested_at);
        self.replaced_at.push(row.replaced_at.as_ref());
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.observed_at.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.observed_at.is_empty()
    }

    /// How much memory the rows take, distinct texts and uuids included, somewhat above the truth.
    ///
    /// Who collects rows under a bound compares it after each row; [`super::decode_time_series`] keeps to the same measure.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.len() * ROW_BYTES
            + self.sop_id.entry_bytes()
            + self.source.entry_bytes()
            + self.dimensions.entry_bytes()
            + self.unit.entry_bytes()
            + self.quality_flag.entry_bytes()
            + self.recorded_by.entry_bytes()
            + self.batch_id.entry_bytes()
            + self.replaced_at.entry_bytes()
    }

    /// The row at a place, from 0.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<TimeSeriesRow<'_>> {
        Some(TimeSeriesRow {
            observed_at: *self.observed_at.get(row)?,
            sop_id: *self.sop_id.get(row)?,
            source: self.source.get(row)?,
            value: *self.value.get(row)?,
            dimensions: self.dimensions.get(row).map(AsRef::as_ref),
            unit: self.unit.get(row).map(AsRef::as_ref),
            quality_flag: self.quality_flag.get(row).map(AsRef::as_ref),
            recorded_by: self.recorded_by.get(row).copied(),
            batch_id: self.batch_id.get(row).copied(),
            ingested_at: *self.ingested_at.get(row)?,
            replaced_at: self.replaced_at.get(row).copied(),
        })
    }

    /// All rows in order.
    pub fn rows(&self) -> impl Iterator<Item = TimeSeriesRow<'_>> {
        (0..self.len()).filter_map(|row| self.get(row))
    }

    /// The sensor of each row.
    fn tracks(&self) -> impl Iterator<Item = (u32, u32)> {
        let (sops, sources) = (self.sop_id.rows(), self.source.rows());
        sops.iter().copied().zip(sources.iter().copied())
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.sop_id.write(&mut out);
        self.source.write(&mut out);
        let before = predecessors(self.tracks());
        write_integers(&mut out, &times_to_codes(&self.observed_at, &before));
        write_ingested(&mut out, &self.ingested_at, &self.observed_at, &before);
        self.dimensions.write(&mut out);
        self.unit.write(&mut out);
        self.quality_flag.write(&mut out);
        self.recorded_by.write(&mut out);
        self.batch_id.write(&mut out);
        self.replaced_at.write(&mut out);
        write_values(&mut out, &self.value, self.tracks());
        out
    }

    pub(super) fn read(columns: &[u8], rows: usize, budget: Budget) -> Result<Self, ArchiveError> {
        let mut input = Input::new(columns, budget);
        input.charge(rows.saturating_mul(ROW_BYTES))?;
        let mut found = Self {
            sop_id: Dictionary::read_required(&mut input, rows)?,
            source: Dictionary::read_required(&mut input, rows)?,
            ..Self::default()
        };
        let tracks: Vec<(u32, u32)> = found.tracks().collect();
        let before = predecessors(tracks.iter().copied());
        found.observed_at = codes_to_times(&input.integers(rows)?, &before);
        found.ingested_at = read_ingested(&mut input, &found.observed_at, &before)?;
        found.dimensions = Dictionary::read(&mut input, rows)?;
        found.unit = Dictionary::read(&mut input, rows)?;
        found.quality_flag = Dictionary::read(&mut input, rows)?;
        found.recorded_by = Dictionary::read(&mut input, rows)?;
        found.batch_id = Dictionary::read(&mut input, rows)?;
        found.replaced_at = Dictionary::read(&mut input, rows)?;
        found.value = read_values(&mut input, &tracks)?;
        input.close()?;
        Ok(found)
    }
}

/// What is known of the rows before a row when its time is written.
#[derive(Default)]
struct Course {
    times: Vec<i64>,
    /// From the row before of the same track; 0 for the first of a track.
    steps: Vec<i64>,
}

impl Course {
    /// The time that the next row has if its track goes on in equal steps.
    fn expected(&self, before: Option<usize>) -> i64 {
        let known = |at: usize| Some((*self.times.get(at)?, *self.steps.get(at)?));
        match before.and_then(known) {
            Some((time, step)) => time.wrapping_add(step),
            None => self.times.last().copied().unwrap_or(0),
        }
    }

    fn push(&mut self, time: i64, before: Option<usize>) {
        let step = before
            .and_then(|at| self.times.get(at))
            .map_or(0, |&before| time.wrapping_sub(before));
        self.times.push(time);
        self.steps.push(step);
    }
}

/// Differences of differences within each track.
fn times_to_codes(times: &[i64], before: &[Option<usize>]) -> Vec<u64> {
    let mut course = Course::default();
    times
        .iter()
        .zip(before)
        .map(|(&time, &before)| {
            let expected = course.expected(before);
            course.push(time, before);
            zigzag(time.wrapping_sub(expected))
        })
        .collect()
}

fn codes_to_times(codes: &[u64], before: &[Option<usize>]) -> Vec<i64> {
    let mut course = Course::default();
    for (&code, &before) in codes.iter().zip(before) {
        let time = unzigzag(code).wrapping_add(course.expected(before));
        course.push(time, before);
    }
    course.times
}

/// Single readings are stored some delay after each was observed, of which the change is written.
const DELAYS: u8 = 0;
/// Rows of one load are stored at one time, so that the change from row to row is written.
const LOADS: u8 = 1;

fn write_ingested(out: &mut Vec<u8>, ingested: &[i64], observed: &[i64], before: &[Option<usize>]) {
    let delays: Vec<i64> = ingested
        .iter()
        .zip(observed)
        .map(|(ingested, observed)| ingested.wrapping_sub(*observed))
        .collect();
    let delay = |at: Option<usize>| at.and_then(|at| delays.get(at)).copied().unwrap_or(0);
    let by_delay: Vec<u64> = delays
        .iter()
        .zip(before)
        .map(|(now, &before)| zigzag(now.wrapping_sub(delay(before))))
        .collect();
    let mut last = 0;
    let by_load: Vec<u64> = ingested
        .iter()
        .map(|&now| zigzag(now.wrapping_sub(std::mem::replace(&mut last, now))))
        .collect();
    let length = |codes: &[u64]| -> usize { codes.iter().map(|&code| varint_length(code)).sum() };
    if length(&by_load) < length(&by_delay) {
        out.push(LOADS);
        write_integers(out, &by_load);
    } else {
        out.push(DELAYS);
        write_integers(out, &by_delay);
    }
}

fn read_ingested(
    input: &mut Input<'_>,
    observed: &[i64],
    before: &[Option<usize>],
) -> Result<Vec<i64>, ArchiveError> {
    match input.byte()? {
        LOADS => {
            let mut last = 0_i64;
            Ok(input
                .integers(observed.len())?
                .into_iter()
                .map(|code| {
                    last = last.wrapping_add(unzigzag(code));
                    last
                })
                .collect())
        }
        DELAYS => {
            let mut delays: Vec<i64> = Vec::with_capacity(observed.len());
            for (code, before) in input.integers(observed.len())?.into_iter().zip(before) {
                let delay = before.and_then(|at| delays.get(at)).copied().unwrap_or(0);
                delays.push(delay.wrapping_add(unzigzag(code)));
            }
            Ok(observed
                .iter()
                .zip(delays)
                .map(|(observed, delay)| observed.wrapping_add(delay))
                .collect())
        }
        _ => Err(ArchiveError::Layout("a column has an unknown form")),
    }
}
