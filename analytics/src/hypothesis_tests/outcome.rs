//! What every test answers.

use super::error::{HypothesisError, named};
use crate::statistics::Interval;
use crate::statistics::special::{normal_upper, t_two_sided, t_upper};

/// Which deviations count as evidence, always of the first against the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// Deviations in both directions.
    TwoSided,
    /// The first is less.
    Less,
    /// The first is greater.
    Greater,
}

impl Alternative {
    /// The alternative of this name.
    ///
    /// # Errors
    /// [`HypothesisError::Word`] for any other name.
    pub fn named(name: &str) -> Result<Self, HypothesisError> {
        named(
            "alternative",
            "two_sided, less or greater",
            &[
                ("two_sided", Self::TwoSided),
                ("less", Self::Less),
                ("greater", Self::Greater),
            ],
            name,
        )
    }

    /// The p-value of a standard normal statistic.
    pub(super) fn of_normal(self, z: f64) -> f64 {
        match self {
            Self::TwoSided => 2.0 * normal_upper(z.abs()),
            Self::Less => normal_upper(-z),
            Self::Greater => normal_upper(z),
        }
    }

    /// The p-value of Student's t.
    pub(super) fn of_t(self, t: f64, df: f64) -> f64 {
        match self {
            Self::TwoSided => t_two_sided(t, df),
            Self::Less => t_upper(-t, df),
            Self::Greater => t_upper(t, df),
        }
    }

    /// From the two one-sided p-values of a discrete statistic.
    pub(super) fn of_tails(self, less: f64, greater: f64) -> f64 {
        match self {
            Self::TwoSided => (2.0 * less.min(greater)).min(1.0),
            Self::Less => less.min(1.0),
            Self::Greater => greater.min(1.0),
        }
    }

    /// The level of the two-sided interval whose one end bounds the interval of this alternative.
    pub(super) fn two_sided_level(self, level: f64) -> f64 {
        match self {
            Self::TwoSided => level,
            Self::Less | Self::Greater => 2.0 * level - 1.0,
        }
    }

    /// The interval `centre ± margin`, open towards the side of the alternative.
    pub(super) fn interval(self, centre: f64, margin: f64) -> Interval {
        let (mut lower, mut upper) = (centre - margin, centre + margin);
        match self {
            Self::TwoSided => {}
            Self::Less => lower = f64::NEG_INFINITY,
            Self::Greater => upper = f64::INFINITY,
        }
        Interval { lower, upper }
    }
}

/// How large a difference is, apart from how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The size, in the unit that the test documents.
    pub size: f64,
    /// Its two-sided confidence interval, where there is one.
    pub interval: Option<Interval>,
}

/// What every test answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The test statistic.
    pub statistic: f64,
    /// The degrees of freedom (those between the groups where there are two), where the statistic has them.
    pub df: Option<f64>,
    /// The probability of a statistic at least as far out if nothing differs.
    pub p_value: f64,
    /// The effect, where one is customary.
    pub effect: Option<Effect>,
    /// Which test, or how its p-value was found.
    pub method: &'static str,
    /// How many observations were used.
    pub n: u64,
}
