//! Training data: labels, weights, negatives, splits and content hashes.
//!
//! [`options`] turns a caller's options into a checked plan, [`recommendation`] turns interactions into rows under that
//! plan, [`digest`] names a data set by its content and [`profile`] describes it.

pub mod digest;
pub mod intern;
pub mod options;
pub mod profile;
pub mod recommendation;
mod sampling;

use crate::budget::BudgetExceeded;
use crate::error::{Classify, ErrorKind};
use crate::progress::Interrupted;

/// Why training data cannot be prepared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DataPreparationError {
    /// The time range is empty or ends at infinity.
    #[error("from_time must be before to_time, and to_time must be finite")]
    Range,
    /// A fraction outside `[0, 1)`, or two that leave nothing to train on.
    #[error(
        "validation_fraction ({validation}) and test_fraction ({test}) must not be negative and must leave something to train on"
    )]
    Fractions {
        /// The fraction for validation.
        validation: f64,
        /// The fraction for tests.
        test: f64,
    },
    /// Fractions and times together contradict each other.
    #[error("give either fractions or split times, not both")]
    FractionsAndTimes,
    /// A split time that is not a time.
    #[error("{option} must be a time such as 2026-03-01T00:00:00Z, not '{text}'")]
    SplitTime {
        /// The option's name.
        option: &'static str,
        /// Its text.
        text: String,
    },
    /// Split times outside the range, or in the wrong order.
    #[error("split times must satisfy from_time <= validation_from <= test_from <= to_time")]
    SplitOrder,
    /// A weight for something that is no interaction type.
    #[error("unknown interaction type '{0}' in weights")]
    UnknownInteractionType(String),
    /// A weight that is negative or not finite.
    #[error("the weight of '{interaction_type}' must be finite and not negative, not {weight}")]
    Weight {
        /// The interaction type.
        interaction_type: String,
        /// The weight given.
        weight: f64,
    },
    /// A half-life that is not positive.
    #[error("half_life_days must be positive and finite, or null for no decay, not {0}")]
    HalfLife(f64),
    /// Too many negatives, or fewer than none.
    #[error("negatives_per_positive must be between 0 and 1000, not {0}")]
    NegativesPerPositive(i64),
    /// Ratings have no natural negative.
    #[error("negatives_per_positive must be 0 with feedback 'explicit'")]
    NegativesForExplicit,
    /// A weight of negatives that is not positive.
    #[error("negative_weight must be positive and finite, not {0}")]
    NegativeWeight(f64),
    /// A minimum below zero.
    #[error("min_interactions must not be negative, not {0}")]
    MinInteractions(i64),
    /// A rating limit that is no number.
    #[error("positive_rating must be finite, not {0}")]
    PositiveRating(f64),
    /// More data than the memory bound allows.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
    /// The caller no longer wants the result.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Classify for DataPreparationError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Budget(error) => error.kind(),
            Self::Interrupted(error) => error.kind(),
            _ => ErrorKind::InvalidParameter,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Budget(error) => error.hint(),
            Self::UnknownInteractionType(_) => Some(format!(
                "The types: {}.",
                options::INTERACTION_TYPES.map(|(name, _)| name).join(", ")
            )),
            _ => None,
        }
    }
}
