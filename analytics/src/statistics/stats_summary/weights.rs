//! Weights of values: what they add up to, and how many equally weighted values tell as much.

use super::{Estimator, StatsSummary};
use crate::statistics::double_double::{two_product, two_sum};
use crate::statistics::error::StatisticsError;

/// Smaller weights count as zero: their products could not be represented.
const SMALLEST_WEIGHT: f64 = 1e-60;

/// Larger weights are refused for the same reason.
pub(super) const LARGEST_WEIGHT: f64 = 1e60;

/// Sums over the weights of all values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weights {
    /// The sum, rounded to a double; never 0.
    pub(super) sum: f64,
    /// What rounding `sum` left out: with a sum in one double the mean of values on a large offset would drift.
    pub(super) sum_low: f64,
    /// The sum of the squares.
    pub(super) squares: f64,
    /// The sum over all pairs of values of the product of their weights, so that `sum² = squares + 2 pairs`. Kept because
    /// the difference `sum² - squares` loses its digits where one weight outweighs all others.
    pub(super) pairs: f64,
}

/// How many values an estimator takes a summary for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// The number, not always a whole one.
    pub(crate) value: f64,
    /// The number less 1, with the digits that a subtraction would lose.
    pub(crate) less_one: f64,
}

impl Weights {
    /// What `n` values without weights have.
    fn ones(n: u64) -> Self {
        let n = n as f64;
        Self {
            sum: n,
            sum_low: 0.0,
            squares: n,
            pairs: n * (n - 1.0) / 2.0,
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let (sum, error) = two_sum(self.sum, other.sum);
        let (sum, sum_low) = two_sum(sum, error + self.sum_low + other.sum_low);
        Self {
            sum,
            sum_low,
            squares: self.squares + other.squares,
            pairs: self.sum.mul_add(other.sum, self.pairs + other.pairs),
        }
    }

    /// Whether the sums can be those of `n` weights.
    pub(super) fn check(&self, n: u64) -> Result<(), &'static str> {
        const SLACK: f64 = 1e-6;
        let n_values = n as f64;
        let fields = [self.sum, self.sum_low, self.squares, self.pairs];
        if fields.iter().any(|field| !field.is_finite()) || self.pairs < 0.0 {
            return Err("the sums of weights are not finite or negative");
        }
        if two_sum(self.sum, self.sum_low) != (self.sum, self.sum_low) {
            return Err("weight_sum_low does not complete weight_sum");
        }
        if !(self.sum >= SMALLEST_WEIGHT * n_values * (1.0 - SLACK)
            && self.sum <= LARGEST_WEIGHT * n_values * (1.0 + SLACK))
        {
            return Err("weight_sum is out of range");
        }
        let square = self.sum * self.sum;
        if (2.0f64.mul_add(self.pairs, self.squares) - square).abs() > SLACK * square {
            return Err("weight_squares and weight_pairs do not make up the square of weight_sum");
        }
        if square > n_values * self.squares * (1.0 + SLACK) {
            return Err("weight_squares is too small for n weights");
        }
        if (n == 1) != (self.pairs == 0.0) {
            return Err("weight_pairs does not fit n");
        }
        Ok(())
    }
}

impl StatsSummary {
    /// Adds one value that counts `weight` times as much as one of weight 1.
    ///
    /// A weight of zero, or below 1e-60, adds nothing, not even to the minimum or maximum.
    ///
    /// # Errors
    /// [`StatisticsError::Weight`] for a weight that is negative, NaN or infinite; [`StatisticsError::Overflow`] as
    /// [`StatsSummary::push`] and for a weight beyond 1e60.
    pub fn push_weighted(&mut self, value: f64, weight: f64) -> Result<(), StatisticsError> {
        if !(weight >= 0.0 && weight.is_finite()) {
            return Err(StatisticsError::Weight(weight));
        }
        if weight < SMALLEST_WEIGHT {
            return Ok(());
        }
        if weight > LARGEST_WEIGHT {
            return Err(StatisticsError::Overflow("the weights of a stats_summary"));
        }
        let mut point = Self::point(value);
        point.weights = Some(Weights {
            sum: weight,
            sum_low: 0.0,
            squares: weight * weight,
            pairs: 0.0,
        });
        if value.is_finite() {
            (point.sum, point.sum_low) = two_product(weight, value + 0.0);
            point.check_overflow()?;
        }
        self.merge(&point)
    }

    pub(super) fn weights_of(&self) -> Weights {
        self.weights.unwrap_or_else(|| Weights::ones(self.n))
    }

    /// Whether values with weights are among the values.
    #[must_use]
    pub fn is_weighted(&self) -> bool {
        self.weights.is_some()
    }

    /// The sum of the weights; n where there are none. `None` of nothing.
    #[must_use]
    pub fn sum_weights(&self) -> Option<f64> {
        (self.n > 0).then(|| self.weights_of().sum)
    }

    /// How many equally weighted values tell as much about the mean: `(Σw)² / Σw²` (Kish 1965), n without weights.
    /// `None` of nothing.
    #[must_use]
    pub fn effective_size(&self) -> Option<f64> {
        (self.n > 0).then(|| self.size(Estimator::Sample).value)
    }

    /// The number of values that an estimator takes this for.
    pub(crate) fn size(&self, estimator: Estimator) -> Size {
        let n = self.n as f64;
        match (self.weights, estimator) {
            (None, _) => Size {
                value: n,
                less_one: n - 1.0,
            },
            (Some(weights), Estimator::Frequency) => Size {
                value: weights.sum,
                less_one: weights.sum - 1.0,
            },
            (Some(weights), Estimator::Sample | Estimator::Population) => {
                let less_one = 2.0 * weights.pairs / weights.squares;
                Size {
                    value: 1.0 + less_one,
                    less_one,
                }
            }
        }
    }
}
