//! What can be wrong with the arguments of a statistic.

use crate::codec::CodecError;
use crate::error::{Classify, ErrorKind};
use crate::progress::Interrupted;

/// Why a statistic was not computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatisticsError {
    /// The confidence level is not inside the open unit interval.
    #[error("level must lie between 0 and 1 (exclusive), not {0}")]
    Level(f64),
    /// A fraction of a percentile is not inside the closed unit interval.
    #[error("fraction must lie between 0 and 1, not {0}")]
    Fraction(f64),
    /// The accuracy of a sketch is outside its supported range.
    #[error("relative_error must lie between 0.0001 and 0.5, not {0}")]
    RelativeError(f64),
    /// Two sketches of different accuracy cannot become one.
    #[error("percentile sketches with relative_error {left} and {right} cannot be combined")]
    SketchMismatch {
        /// The accuracy of the one sketch.
        left: f64,
        /// The accuracy of the other.
        right: f64,
    },
    /// More successes than trials, or a negative count.
    #[error("successes must lie between 0 and trials, not {successes} of {trials}")]
    Successes {
        /// The number of successes given.
        successes: i64,
        /// The number of trials given.
        trials: i64,
    },
    /// A test that orders values met one that has no place in the order.
    #[error("{argument} contains NaN, which has no rank")]
    NotANumber {
        /// The name of the argument.
        argument: &'static str,
    },
    /// A weight says nothing about how much a value counts.
    #[error("weight must be a finite number that is not negative, not {0}")]
    Weight(f64),
    /// A sum or a moment does not fit a double, or a count does not fit 53 bits.
    #[error("value out of range: overflow in {0}")]
    Overflow(&'static str),
    /// A stored state is damaged.
    #[error(transparent)]
    Stored(#[from] CodecError),
    /// Profiles of numbers and of texts have nothing in common, or were asked what only the other kind knows.
    #[error("a profile of {expected} is needed, not one of {found}")]
    ProfileKind {
        /// The kind that was needed.
        expected: &'static str,
        /// The kind that was there.
        found: &'static str,
    },
    /// The caller asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Classify for StatisticsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Overflow(_) => ErrorKind::OutOfRange,
            Self::Stored(error) => error.kind(),
            Self::Interrupted(_) => ErrorKind::Interrupted,
            _ => ErrorKind::InvalidParameter,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Level(_) => "Give a 95 % interval as 0.95.",
            Self::Fraction(_) => "Give the 95th percentile as 0.95.",
            Self::SketchMismatch { .. } => {
                "Build the sketches that belong together with the same relative_error."
            }
            Self::ProfileKind { .. } => {
                "profile_agg makes profiles of numbers, profile_agg_text those of texts."
            }
            Self::Weight(_) => "Leave rows without a weight out: NULL and 0 are ignored.",
            Self::NotANumber { .. } => "Filter NaN out before the test.",
            Self::Overflow(_) => {
                "Scale the values down: fourth powers of deviations must fit float8."
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
