//! Monotone trends and robust slopes.
//!
//! [`mann_kendall`] asks whether a series rises or falls, whatever the shape of its values; [`theil_sen`] says by how much
//! per step, with Sen's confidence interval; [`ordinary_least_squares`] gives the familiar slope and R² beside them.
//!
//! In a series a NaN is a missing observation: it is skipped, and the others keep their positions. Infinite values have
//! no place on a line and are refused.

mod least_squares;
mod mann_kendall;
mod theil_sen;

use crate::error::{Classify, ErrorKind};
use crate::progress::Interrupted;

pub use least_squares::{LeastSquares, ordinary_least_squares};
pub use mann_kendall::{MannKendall, mann_kendall};
pub use theil_sen::{MAX_POINTS, TheilSen, theil_sen};

/// Fewer observations than this have no trend to speak of: the functions of this module answer `None`.
pub const MIN_POINTS: usize = 3;

/// Why a trend was not computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrendError {
    /// A significance level or a confidence outside the open interval from 0 to 1.
    #[error("{name} must be greater than 0 and less than 1, not {value}")]
    Probability {
        /// The parameter's name.
        name: &'static str,
        /// What was given.
        value: f64,
    },
    /// The series contains an infinite value.
    #[error("series element {position} is infinite")]
    Infinite {
        /// Its position, from 1.
        position: usize,
    },
    /// Positions and values do not pair up.
    #[error("{positions} positions for {values} values")]
    LengthMismatch {
        /// How many positions there are.
        positions: usize,
        /// How many values there are.
        values: usize,
    },
    /// A position is not a finite number.
    #[error("position {position} of the series is not finite")]
    Position {
        /// Which one, from 1.
        position: usize,
    },
    /// More observations than an exact slope is computed for.
    #[error("series of {found} observations: slopes are computed for at most {limit}")]
    TooLong {
        /// How many observations there are.
        found: usize,
        /// The most that are accepted.
        limit: usize,
    },
    /// The caller asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Classify for TrendError {
    fn kind(&self) -> ErrorKind {
        match self {
            TrendError::TooLong { .. } => ErrorKind::LimitExceeded,
            TrendError::Interrupted(_) => ErrorKind::Interrupted,
            _ => ErrorKind::InvalidParameter,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            TrendError::TooLong { .. } => {
                Some("Aggregate the series to longer periods first.".to_owned())
            }
            TrendError::Infinite { .. } => {
                Some("NaN and NULL elements count as missing; infinities do not.".to_owned())
            }
            _ => None,
        }
    }
}

/// Which way a series goes, at a level of significance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Later values tend to be larger.
    Increasing,
    /// Later values tend to be smaller.
    Decreasing,
    /// No trend can be told from chance.
    NoTrend,
}

impl Direction {
    /// The word used in tables and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Increasing => "increasing",
            Direction::Decreasing => "decreasing",
            Direction::NoTrend => "no_trend",
        }
    }
}

/// The positions and values of the observations that are present.
fn observations(positions: &[f64], series: &[f64]) -> Result<(Vec<f64>, Vec<f64>), TrendError> {
    if positions.len() != series.len() {
        return Err(TrendError::LengthMismatch {
            positions: positions.len(),
            values: series.len(),
        });
    }
    let mut x = Vec::with_capacity(series.len());
    let mut y = Vec::with_capacity(series.len());
    for (index, (&position, &value)) in positions.iter().zip(series).enumerate() {
        if !position.is_finite() {
            return Err(TrendError::Position {
                position: index + 1,
            });
        }
        if value.is_infinite() {
            return Err(TrendError::Infinite {
                position: index + 1,
            });
        }
        if !value.is_nan() {
            x.push(position);
            y.push(value);
        }
    }
    Ok((x, y))
}

/// The positions 0, 1, 2, … of an evenly spaced series.
#[must_use]
pub fn even_positions(length: usize) -> Vec<f64> {
    (0..length).map(|index| index as f64).collect()
}

/// Σ k(k−1)(2k+5) over groups of equal values: what ties take away from the variance of Kendall's S.
fn tie_correction(sorted: &[f64]) -> f64 {
    sorted
        .chunk_by(|a, b| a == b)
        .filter(|group| group.len() > 1)
        .map(|group| {
            let k = group.len() as f64;
            k * (k - 1.0) * (2.0 * k + 5.0)
        })
        .sum()
}

fn probability(name: &'static str, value: f64) -> Result<f64, TrendError> {
    if value > 0.0 && value < 1.0 {
        Ok(value)
    } else {
        Err(TrendError::Probability { name, value })
    }
}
