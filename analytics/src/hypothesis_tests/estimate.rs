//! The statistics that resampling evaluates again and again.

use super::error::{HypothesisError, named};
use super::variance::{check_trim, mean};
use crate::statistics::{Estimator, StatsSummary};

/// What is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The arithmetic mean.
    Mean,
    /// The median.
    Median,
    /// The mean without this share at each end.
    TrimmedMean(f64),
    /// The standard deviation with n - 1.
    StandardDeviation,
}

impl Statistic {
    /// The statistic of this name.
    ///
    /// # Errors
    /// [`HypothesisError::Word`] for any other name; [`HypothesisError::Trim`] unless `0 <= trim < 0.5`.
    pub fn named(name: &str, trim: f64) -> Result<Self, HypothesisError> {
        let trim = check_trim(trim)?;
        named(
            "statistic",
            "mean, median, trimmed_mean or stddev",
            &[
                ("mean", Self::Mean),
                ("median", Self::Median),
                ("trimmed_mean", Self::TrimmedMean(trim)),
                ("stddev", Self::StandardDeviation),
            ],
            name,
        )
    }
}

/// Evaluates a statistic many times, in one buffer.
pub(super) struct Estimate {
    statistic: Statistic,
    buffer: Vec<f64>,
}

impl Estimate {
    pub(super) fn new(statistic: Statistic) -> Self {
        Self {
            statistic,
            buffer: Vec::new(),
        }
    }

    /// The statistic of these values; `None` when they are too few.
    pub(super) fn of(&mut self, values: &[f64]) -> Result<Option<f64>, HypothesisError> {
        if values.is_empty() {
            return Ok(None);
        }
        match self.statistic {
            Statistic::Mean => mean(values).map(Some),
            Statistic::StandardDeviation => {
                let summary = StatsSummary::from_values(values.iter().copied())?;
                Ok(summary.stddev(Estimator::Sample))
            }
            Statistic::Median | Statistic::TrimmedMean(_) => {
                self.buffer.clear();
                self.buffer.extend_from_slice(values);
                match self.statistic {
                    Statistic::TrimmedMean(trim) => {
                        let cut = (trim * values.len() as f64) as usize;
                        self.partition(cut);
                        let keep = self.buffer.get(cut..values.len() - cut);
                        mean(keep.unwrap_or_default()).map(Some)
                    }
                    _ => Ok(Some(self.middle())),
                }
            }
        }
    }

    /// Moves the `cut` smallest and the `cut` largest to the ends.
    fn partition(&mut self, cut: usize) {
        if cut == 0 {
            return;
        }
        let length = self.buffer.len();
        self.buffer.select_nth_unstable_by(cut, f64::total_cmp);
        if let Some(rest) = self.buffer.get_mut(cut..) {
            rest.select_nth_unstable_by(length - 2 * cut - 1, f64::total_cmp);
        }
    }

    fn middle(&mut self) -> f64 {
        let length = self.buffer.len();
        let half = length / 2;
        let (below, &mut upper, _) = self.buffer.select_nth_unstable_by(half, f64::total_cmp);
        if length % 2 == 1 {
            return upper;
        }
        let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        lower.midpoint(upper)
    }
}
