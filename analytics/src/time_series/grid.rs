//! A row of buckets, and what was observed in each.

use super::local_bucket::{BucketWidth, LocalClock};
use crate::budget::{Budget, BudgetExceeded};
use crate::error::{Classify, ErrorKind};
use crate::progress::{Interrupted, Progress};

/// Buckets of local time, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    starts: Vec<i64>,
    end: i64,
}

/// Why there is no grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// More buckets than fit in memory.
    #[error(transparent)]
    TooMany(#[from] BudgetExceeded),
    /// The caller asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The span ends before it begins.
    #[error("from_time must be before to_time")]
    Empty,
    /// Times and values do not pair up.
    #[error("{times} times for {values} values")]
    LengthMismatch {
        /// How many times there are.
        times: usize,
        /// How many values there are.
        values: usize,
    },
}

impl Classify for GridError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooMany(error) => error.kind(),
            Self::Interrupted(error) => error.kind(),
            _ => ErrorKind::InvalidParameter,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::TooMany(error) => error.hint(),
            _ => None,
        }
    }
}

/// Readings between two looks at whether the caller wants to stop.
const POLL_EVERY: usize = 4096;

/// What a bucket takes until it is answered: its start, its mean, its count, and the answer's row.
const BYTES_PER_BUCKET: usize = 64;

impl Grid {
    /// The buckets that `[from, to)` touches.
    ///
    /// # Errors
    /// [`GridError::Empty`], and [`GridError::TooMany`] where they do not fit into the budget.
    pub fn new(
        clock: &impl LocalClock,
        width: BucketWidth,
        (from, to): (i64, i64),
        budget: &mut Budget,
    ) -> Result<Self, GridError> {
        if from >= to {
            return Err(GridError::Empty);
        }
        let mut starts = Vec::new();
        let mut end = width.start(clock, from);
        while end < to {
            budget.charge(BYTES_PER_BUCKET)?;
            starts.push(end);
            end = width.end(clock, end);
        }
        Ok(Self { starts, end })
    }

    /// The first instant of each bucket, ascending.
    #[must_use]
    pub fn starts(&self) -> &[i64] {
        &self.starts
    }

    /// The bucket that an instant lies in.
    fn place(&self, at: i64) -> Option<usize> {
        (at < self.end)
            .then(|| self.starts.partition_point(|start| *start <= at))?
            .checked_sub(1)
    }
}

/// The mean of what was observed in each bucket; `None` where nothing was.
///
/// Observations may come in any order; NaN is none, and what lies outside of the grid is left out. The mean is updated
/// observation by observation (Welford), so that it lies within their range whatever their size.
///
/// # Errors
/// [`GridError::LengthMismatch`]; [`GridError::Interrupted`] when the caller asks to stop.
pub fn bucket_means(
    grid: &Grid,
    times: &[i64],
    values: &[f64],
    progress: &mut impl Progress,
) -> Result<Vec<Option<f64>>, GridError> {
    if times.len() != values.len() {
        return Err(GridError::LengthMismatch {
            times: times.len(),
            values: values.len(),
        });
    }
    let mut means = vec![(0.0, 0.0); grid.starts.len()];
    for (position, (at, value)) in times.iter().zip(values).enumerate() {
        if position.is_multiple_of(POLL_EVERY) {
            progress.poll()?;
        }
        if value.is_nan() {
            continue;
        }
        if let Some((mean, n)) = grid.place(*at).and_then(|place| means.get_mut(place)) {
            *n += 1.0;
            // Not (value - mean) / n, which overflows between the ends of the doubles.
            *mean += value / *n - *mean / *n;
        }
    }
    Ok(means
        .into_iter()
        .map(|(mean, n)| (n > 0.0).then_some(mean))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    struct Utc;

    impl LocalClock for Utc {
        fn to_local(&self, instant: i64) -> i64 {
            instant
        }

        fn to_instant(&self, local: i64) -> i64 {
            local
        }
    }

    const HOUR: i64 = 3_600_000_000;

    fn grid(from: i64, to: i64) -> Result<Grid, GridError> {
        let width = BucketWidth::new(0, 0, HOUR).unwrap();
        Grid::new(&Utc, width, (from, to), &mut Budget::new(1 << 20))
    }

    #[test]
    fn a_grid_has_every_bucket_that_the_time_touches() {
        assert_eq!(
            grid(HOUR / 2, 3 * HOUR).unwrap().starts(),
            [0, HOUR, 2 * HOUR]
        );
        assert_eq!(
            grid(HOUR, 3 * HOUR + 1).unwrap().starts(),
            [HOUR, 2 * HOUR, 3 * HOUR]
        );
        assert_eq!(grid(5, 5), Err(GridError::Empty));
        assert!(matches!(grid(0, i64::MAX), Err(GridError::TooMany(_))));
    }

    #[test]
    fn means_are_those_of_each_bucket_and_of_nothing_else() {
        let grid = grid(0, 3 * HOUR).unwrap();
        let times = [HOUR + 5, 3, HOUR, -1, 3 * HOUR, HOUR + 1];
        let values = [8.0, 1.0, 4.0, 99.0, 99.0, f64::NAN];
        assert_eq!(
            bucket_means(&grid, &times, &values, &mut Uninterruptible).unwrap(),
            [Some(1.0), Some(6.0), None]
        );
        assert_eq!(
            bucket_means(&grid, &[1, 2], &[f64::MAX, f64::MIN], &mut Uninterruptible).unwrap(),
            [Some(0.0), None, None]
        );
        assert!(bucket_means(&grid, &[1], &[], &mut Uninterruptible).is_err());
    }
}
