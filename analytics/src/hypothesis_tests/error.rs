//! What can be wrong with the arguments of a test.

use crate::error::{Classify, ErrorKind};
use crate::progress::Interrupted;
use crate::statistics::StatisticsError;

/// Why a test was not computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HypothesisError {
    /// A word that is none of those that an argument accepts.
    #[error("{argument} must be {accepted}, not {found:?}")]
    Word {
        /// The name of the argument.
        argument: &'static str,
        /// The words that it accepts.
        accepted: &'static str,
        /// The word given.
        found: String,
    },
    /// A test that orders values met one that has no place in the order.
    #[error("{argument} contains NaN, which has no rank")]
    NotANumber {
        /// The name of the argument.
        argument: &'static str,
    },
    /// A test that computes with the values met one that is not finite.
    #[error("{argument} must contain finite numbers, not {found}")]
    NotFinite {
        /// The name of the argument.
        argument: &'static str,
        /// The value given.
        found: f64,
    },
    /// More successes than trials, or a negative count.
    #[error("successes must lie between 0 and trials, not {successes} of {trials}")]
    Successes {
        /// The number of successes given.
        successes: i64,
        /// The number of trials given.
        trials: i64,
    },
    /// Observed and expected counts do not belong to the same categories.
    #[error("observed has {observed} categories and expected has {expected}")]
    Categories {
        /// How many observed counts there are.
        observed: usize,
        /// How many expected counts there are.
        expected: usize,
    },
    /// A single category cannot deviate from anything.
    #[error("observed must have at least 2 categories, not {0}")]
    TooFewCategories(usize),
    /// Expected counts of a contingency table follow from its margins.
    #[error("expected must be NULL for a table: the margins give the expected counts")]
    ExpectedOfTable,
    /// A count is negative.
    #[error("a count must not be negative, not {0}")]
    NegativeCount(i64),
    /// An expected count is zero, negative or not finite.
    #[error("expected must contain positive finite numbers, not {0}")]
    Expected(f64),
    /// Fisher's test is for two rows and two columns.
    #[error("counts must be a table of 2 rows and 2 columns, not of {rows} and {columns}")]
    NotTwoByTwo {
        /// How many rows there are.
        rows: usize,
        /// How many columns there are.
        columns: usize,
    },
    /// The numbers that describe a distribution do not.
    #[error("distribution {distribution} takes parameters {expected}")]
    Parameters {
        /// The name of the distribution.
        distribution: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// A value that the distribution cannot have.
    #[error("sample contains {found}, which distribution {distribution} cannot have")]
    OutsideSupport {
        /// The name of the distribution.
        distribution: &'static str,
        /// The value.
        found: f64,
    },
    /// Parameters cannot be estimated for this distribution.
    #[error(
        "distribution {0} needs parameters: only those of normal and exponential are estimated"
    )]
    NeedsParameters(&'static str),
    /// A fraction outside its range.
    #[error("trimmed_share must be at least 0 and less than 0.5, not {0}")]
    Trim(f64),
    /// A number of repetitions outside its range.
    #[error("{argument} must lie between 1 and {limit}, not {found}")]
    Repetitions {
        /// The name of the argument.
        argument: &'static str,
        /// The most that are accepted.
        limit: u32,
        /// The number given.
        found: i64,
    },
    /// More drawing than one call should do.
    #[error("{argument} of {repetitions} over {values} values: at most {limit} values are drawn")]
    TooManyDraws {
        /// The name of the argument.
        argument: &'static str,
        /// Its value.
        repetitions: u32,
        /// How many values each repetition draws.
        values: usize,
        /// The most that are drawn.
        limit: u64,
    },
    /// Values and their group labels do not pair up.
    #[error("{values} values and {labels} group labels")]
    Labels {
        /// How many values there are.
        values: usize,
        /// How many labels there are.
        labels: usize,
    },
    /// A wrong level, or an overflow.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// The caller asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Classify for HypothesisError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Statistics(error) => error.kind(),
            Self::TooManyDraws { .. } => ErrorKind::LimitExceeded,
            Self::Interrupted(_) => ErrorKind::Interrupted,
            _ => ErrorKind::InvalidParameter,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Statistics(error) => return error.hint(),
            Self::NotANumber { .. } => "Filter NaN out before the test.",
            Self::TooManyDraws { .. } => {
                "Repeat less often: so many values need no thousands of repetitions."
            }
            Self::Trim(_) => "The share to cut from each end: 0.1 for 10 %.",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// The one of `accepted` that has this name.
pub(super) fn named<T: Copy>(
    argument: &'static str,
    accepted: &'static str,
    choices: &[(&'static str, T)],
    found: &str,
) -> Result<T, HypothesisError> {
    choices
        .iter()
        .find(|(name, _)| *name == found)
        .map(|&(_, choice)| choice)
        .ok_or_else(|| HypothesisError::Word {
            argument,
            accepted,
            found: found.to_owned(),
        })
}

/// The values in ascending order, -0 and 0 as one value.
pub(super) fn sorted(values: &[f64], argument: &'static str) -> Result<Vec<f64>, HypothesisError> {
    if values.iter().any(|value| value.is_nan()) {
        return Err(HypothesisError::NotANumber { argument });
    }
    let mut values: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
    values.sort_unstable_by(f64::total_cmp);
    Ok(values)
}

/// Refuses NaN and infinities.
pub(super) fn finite(values: &[f64], argument: &'static str) -> Result<(), HypothesisError> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(&found) => Err(HypothesisError::NotFinite { argument, found }),
        None => Ok(()),
    }
}
