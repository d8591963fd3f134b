//! Monotone trends and robust slopes.
//!
//! [`trend_test`] asks whether a series rises or falls, by one of several [`Method`]s, and says by how much per position,
//! with an interval. [`mann_kendall`], [`theil_sen`] and [`ordinary_least_squares`] are its plain parts.
//!
//! In a series a NaN is a missing observation: it is left out, and the others keep their positions. Infinite values have
//! no place on a line and are refused.

mod corrections;
mod error;
mod lags;
mod least_squares;
mod mann_kendall;
mod method;
mod pair_slopes;
mod seasonal;
mod series;
mod slope_search;
mod sorting;

mod theil_sen;
mod trend_test;
mod whitening;

pub use error::TrendError;
pub use least_squares::{LeastSquares, newey_west_lags, ordinary_least_squares};
pub use mann_kendall::{MannKendall, mann_kendall};
pub use method::{Method, TrendOptions, TrendPlan};
pub use series::Series;

pub use theil_sen::{TheilSen, theil_sen};
pub use trend_test::{Trend, TrendTest, trend_test};

/// Fewer observations than this have no trend to speak of: the functions of this module answer `None`.
pub const MIN_POINTS: usize = 3;

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

    /// The direction of a statistic whose p-value is below `alpha`.
    fn of(statistic: f64, p_value: f64, alpha: f64) -> Self {
        if p_value >= alpha {
            Direction::NoTrend
        } else if statistic > 0.0 {
            Direction::Increasing
        } else {
            Direction::Decreasing
        }
    }
}

fn probability(name: &'static str, value: f64) -> Result<f64, TrendError> {
    if value > 0.0 && value < 1.0 {
        Ok(value)
    } else {
        Err(TrendError::Probability { name, value })
    }
}
