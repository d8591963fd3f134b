//! Why a trend was not computed.

use super::Method;
use crate::budget::BudgetExceeded;
use crate::error::{Classify, ErrorKind};
use crate::progress::Interrupted;

/// Why a trend was not computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrendError {
    /// A method that does not exist.
    #[error("unknown trend method \"{0}\"")]
    UnknownMethod(String),
    /// A significance level or a confidence outside the open interval from 0 to 1.
    #[error("{name} must be greater than 0 and less than 1, not {value}")]
    Probability {
        /// The parameter's name.
        name: &'static str,
        /// What was given.
        value: f64,
    },
    /// A season of fewer than two positions.
    #[error("seasonality must be at least 2, not {0}")]
    Seasonality(i32),
    /// A method that needs the length of the season, without one.
    #[error("method seasonal_mann_kendall needs seasonality, the number of positions in a season")]
    SeasonalityMissing,
    /// A lag below the smallest that the method knows.
    #[error("max_lag must be at least {smallest} for method {method}, not {value}", method = .method.as_str())]
    MaxLag {
        /// The method.
        method: Method,
        /// The smallest lag that it accepts.
        smallest: i32,
        /// What was given.
        value: i32,
    },
    /// A parameter that the method does not use.
    #[error("method {method} takes no {parameter}", method = .method.as_str())]
    Unused {
        /// The method.
        method: Method,
        /// The parameter's name.
        parameter: &'static str,
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
    /// A method that reckons with neighbours, on positions that are not multiples of one step.
    #[error("method {method} needs evenly spaced positions", method = .method.as_str())]
    UnevenPositions {
        /// The method.
        method: Method,
    },
    /// A slope or a level that no finite number holds.
    #[error("the slope of the series is out of range")]
    OutOfRange,
    /// More memory than the caller allows.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
    /// The caller asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Classify for TrendError {
    fn kind(&self) -> ErrorKind {
        match self {
            TrendError::Budget(error) => error.kind(),
            TrendError::Interrupted(error) => error.kind(),
            TrendError::OutOfRange => ErrorKind::OutOfRange,
            _ => ErrorKind::InvalidParameter,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            TrendError::UnknownMethod(_) => {
                let names: Vec<&str> = Method::ALL.iter().map(|method| method.as_str()).collect();
                Some(format!("The methods are {}.", names.join(", ")))
            }
            TrendError::Infinite { .. } => {
                Some("NaN and NULL elements count as missing; infinities do not.".to_owned())
            }
            TrendError::UnevenPositions { .. } => Some(
                "Every distance must be a multiple of the smallest one, which is not 0; number the periods and leave out \
                 positions, with NULL for periods without a value."
                    .to_owned(),
            ),
            TrendError::Budget(error) => error.hint(),
            _ => None,
        }
    }
}
