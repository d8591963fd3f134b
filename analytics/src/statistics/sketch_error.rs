//! What can be wrong with the arguments of a sketch of distinct or of frequent values.

use crate::budget::BudgetExceeded;
use crate::codec::CodecError;
use crate::error::{Classify, ErrorKind};

/// Why a sketch was not made or merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SketchError {
    /// The number of index bits of a distinct sketch is outside its range.
    #[error("precision_bits must lie between 4 and 18, not {0}")]
    PrecisionBits(i32),
    /// Two distinct sketches of different precision cannot become one.
    #[error("distinct sketches with precision_bits {left} and {right} cannot be combined")]
    PrecisionMismatch {
        /// The precision of the one sketch.
        left: u8,
        /// The precision of the other.
        right: u8,
    },
    /// The number of most frequent values is outside its range.
    #[error("n must lie between 1 and 10000, not {0}")]
    TopN(i32),
    /// Two top-n sketches for different n cannot become one.
    #[error("top_n sketches with n {left} and {right} cannot be combined")]
    TopNMismatch {
        /// The n of the one sketch.
        left: u32,
        /// The n of the other.
        right: u32,
    },
    /// A count does not fit 53 bits.
    #[error("value out of range: overflow in {0}")]
    Overflow(&'static str),
    /// The texts kept by a sketch take more memory than allowed.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
    /// A stored sketch is damaged.
    #[error(transparent)]
    Stored(#[from] CodecError),
}

impl Classify for SketchError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Overflow(_) => ErrorKind::OutOfRange,
            Self::Budget(error) => error.kind(),
            Self::Stored(error) => error.kind(),
            _ => ErrorKind::InvalidParameter,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::PrecisionMismatch { .. } => {
                "Build the sketches that belong together with the same precision_bits."
            }
            Self::TopNMismatch { .. } => "Build the sketches that belong together with the same n.",
            Self::Budget(_) => {
                "Shorten the values, for example with left(value, 100), choose a smaller n, or raise sop_ml.max_state_mb."
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
