//! Count, sum and central moments up to the fourth, mergeable in any order.

use super::double_double::{DoubleDouble, two_product, two_sum};
use super::error::StatisticsError;
use weights::Weights;

mod codec;
mod weights;

/// Counts beyond this are not exact as doubles.
const LARGEST_COUNT: u64 = 1 << 53;

/// Whether a spread describes the values themselves or the population they were drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimator {
    /// Corrected for the sample size: n - 1 for the variance, Fisher's G1 and G2 for skewness and kurtosis. Of weighted
    /// values n is the effective size: weights say how much a value tells (reliability weights).
    Sample,
    /// The plain moments.
    Population,
    /// As [`Estimator::Sample`], but of weighted values n is the sum of the weights: a weight says how often the value
    /// occurred (frequency weights).
    Frequency,
}

/// One-variable summary statistics of a multiset of doubles.
///
/// The sum is kept in two doubles (Neumaier), and each deviation from the mean is formed as `(n x - sum) / n` with one
/// rounding (a fused multiply-add), so that the moments keep their digits also when the values sit on a large offset.
/// Moments follow Youngs and Cramer (1971) and Pébay (2008).
///
/// NaN and infinities are propagated as PostgreSQL's float8 aggregates do: the sum becomes NaN or infinite, the moments
/// NaN, and minimum and maximum follow PostgreSQL's order, in which NaN is the largest value.
///
/// Values may carry weights ([`StatsSummary::push_weighted`]); a value without one counts as of weight 1, also where
/// summaries with and without weights meet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatsSummary {
    pub(super) n: u64,
    /// The (weighted) sum rounded to a double.
    sum: f64,
    /// What rounding `sum` left out.
    sum_low: f64,
    /// (Weighted) sums of powers of deviations from the mean.
    pub(super) m2: f64,
    pub(super) m3: f64,
    pub(super) m4: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// `None` where every value counts once.
    weights: Option<Weights>,
}

impl Default for StatsSummary {
    fn default() -> Self {
        Self {
            n: 0,
            sum: 0.0,
            sum_low: 0.0,
            m2: 0.0,
            m3: 0.0,
            m4: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            weights: None,
        }
    }
}

/// The smaller in PostgreSQL's order: NaN only if both are NaN.
fn lesser(a: f64, b: f64) -> f64 {
    a.min(b)
}

/// The larger in PostgreSQL's order: NaN if either is NaN.
fn greater(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

impl StatsSummary {
    /// Summarises values.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] as [`StatsSummary::push`].
    pub fn from_values(values: impl IntoIterator<Item = f64>) -> Result<Self, StatisticsError> {
        let mut summary = Self::default();
        for value in values {
            summary.push(value)?;
        }
        Ok(summary)
    }

    /// Adds one value.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] when finite values make the sum or the fourth moment infinite.
    #[inline]
    pub fn push(&mut self, value: f64) -> Result<(), StatisticsError> {
        if !(value.is_finite() && self.sum.is_finite()) || self.weights.is_some() {
            return self.merge(&Self::point(value));
        }
        // Adding zero turns -0 into 0: equal values have one representation.
        let value = value + 0.0;
        let before = self.n as f64;
        let n = before + 1.0;
        // before · (value - mean), rounded once.
        let scaled = before.mul_add(value, -self.sum) - self.sum_low;
        self.add_to_sum(value, 0.0);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.n += 1;
        if self.n == 1 {
            return Ok(());
        }
        let delta_n = scaled / (before * n);
        let delta_n2 = delta_n * delta_n;
        let term = delta_n2 * before * n;
        self.m4 += term * delta_n2 * (n * n - 3.0 * n + 3.0) + 6.0 * delta_n2 * self.m2
            - 4.0 * delta_n * self.m3;
        self.m3 += term * delta_n * (n - 2.0) - 3.0 * delta_n * self.m2;
        self.m2 += term;
        self.check_overflow()
    }

    /// The summary of one value.
    #[cold]
    fn point(value: f64) -> Self {
        let value = if value.is_nan() {
            f64::NAN
        } else {
            value + 0.0
        };
        let mut point = Self {
            n: 1,
            sum: value,
            min: value,
            max: value,
            ..Self::default()
        };
        if !value.is_finite() {
            point.spoil(value);
        }
        point
    }

    /// Sets what a NaN or infinite sum implies.
    fn spoil(&mut self, sum: f64) {
        // One kind of NaN only: equal states have equal bytes.
        self.sum = if sum.is_nan() { f64::NAN } else { sum };
        self.sum_low = 0.0;
        self.m2 = f64::NAN;
        self.m3 = f64::NAN;
        self.m4 = f64::NAN;
    }

    #[inline]
    fn add_to_sum(&mut self, high: f64, low: f64) {
        let (sum, error) = two_sum(self.sum, high);
        (self.sum, self.sum_low) = two_sum(sum, self.sum_low + low + error);
    }

    #[inline]
    fn check_overflow(&self) -> Result<(), StatisticsError> {
        // An overflow of a lower moment is one of the fourth, too; infinity and NaN stay in it.
        if self.m4.is_finite() && self.sum.is_finite() {
            return Ok(());
        }
        Err(StatisticsError::Overflow("stats_summary"))
    }

    /// Adds all values of another summary.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] as [`StatsSummary::push`], or when the count passes 2^53.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatisticsError> {
        if other.n == 0 {
            return Ok(());
        }
        if self.n == 0 {
            *self = *other;
            return Ok(());
        }
        let count = self
            .n
            .checked_add(other.n)
            .filter(|&count| count <= LARGEST_COUNT)
            .ok_or(StatisticsError::Overflow("the count of a stats_summary"))?;
        let (own, theirs) = (self.weights_of(), other.weights_of());
        let together = own.plus(theirs);
        let (a, b, n) = (own.sum, theirs.sum, together.sum);
        self.weights = (self.weights.is_some() || other.weights.is_some()).then_some(together);
        self.n = count;
        self.min = lesser(self.min, other.min);
        self.max = greater(self.max, other.max);
        if !(self.sum.is_finite() && other.sum.is_finite()) {
            self.spoil(self.sum + other.sum);
            return Ok(());
        }
        // a · b · (mean of other - mean of self): both products exactly, then one subtraction. a and b are weights.
        let (left, left_error) = two_product(a, other.sum);
        let (right, right_error) = two_product(b, self.sum);
        let scaled = (left - right)
            + ((left_error - right_error)
                + (a * other.sum_low - b * self.sum_low)
                + (own.sum_low * other.sum - theirs.sum_low * self.sum));
        let delta = scaled / (a * b);
        let delta_n = delta / n;
        let delta_n2 = delta_n * delta_n;
        let term = delta * delta_n * a * b;
        self.add_to_sum(other.sum, other.sum_low);
        self.m4 += other.m4
            + term * delta_n2 * (a * a - a * b + b * b)
            + 6.0 * delta_n2 * (a * a * other.m2 + b * b * self.m2)
            + 4.0 * delta_n * (a * other.m3 - b * self.m3);
        self.m3 +=
            other.m3 + term * delta_n * (a - b) + 3.0 * delta_n * (a * other.m2 - b * self.m2);
        self.m2 += other.m2 + term;
        if self.min == self.max {
            // Products with weights are rounded: equal values would seem to differ in their 100th bit.
            (self.m2, self.m3, self.m4) = (0.0, 0.0, 0.0);
        }
        self.check_overflow()
    }

    /// Takes one value out again and reports whether that was possible; if not, nothing has changed.
    ///
    /// A minimum, a maximum, a NaN and an infinity cannot be taken out: what they hid is not known any more. The caller
    /// guarantees that the value was added. Nothing can be taken out of weighted values. Rounding errors of what was added stay, see [`super::MovingSummary`].
    #[must_use]
    pub fn remove(&mut self, value: f64) -> bool {
        if value > self.min && value < self.max && self.sum.is_finite() && self.weights.is_none() {
            self.subtract(value + 0.0);
            return true;
        }
        false
    }

    /// Takes a finite value out of the sum and the moments; at least one value must remain.
    pub(super) fn subtract(&mut self, value: f64) {
        let n = self.n as f64;
        let after = n - 1.0;
        self.n -= 1;
        self.add_to_sum(-value, 0.0);
        if self.n == 1 {
            (self.m2, self.m3, self.m4) = (0.0, 0.0, 0.0);
            return;
        }
        let scaled = after.mul_add(value, -self.sum) - self.sum_low;
        let delta_n = scaled / (after * n);
        let delta_n2 = delta_n * delta_n;
        let term = delta_n2 * after * n;
        self.m2 = (self.m2 - term).max(0.0);
        self.m3 += 3.0 * delta_n * self.m2 - term * delta_n * (n - 2.0);
        let m4 = self.m4 - term * delta_n2 * (n * n - 3.0 * n + 3.0) - 6.0 * delta_n2 * self.m2
            + 4.0 * delta_n * self.m3;
        self.m4 = m4.max(0.0);
    }

    /// How many values.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The (weighted) sum; `None` of nothing.
    #[must_use]
    pub fn sum(&self) -> Option<f64> {
        (self.n > 0).then_some(self.sum)
    }

    /// The (weighted) arithmetic mean; `None` of nothing.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let Some(weights) = self.weights.filter(|_| self.sum.is_finite()) else {
            return (self.n > 0).then(|| self.sum / self.n as f64);
        };
        let pair = |high, low| DoubleDouble { high, low };
        let mean = pair(self.sum, self.sum_low).over(pair(weights.sum, weights.sum_low));
        // Where weights underflow in products, as with values near the smallest double.
        Some(mean.high.max(self.min).min(self.max))
    }

    /// The smallest value; `None` of nothing.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        (self.n > 0).then_some(self.min)
    }

    /// The largest value; `None` of nothing.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        (self.n > 0).then_some(self.max)
    }

    /// The variance: over the size less 1 (`None` unless that is positive) or over the size (`None` of nothing).
    #[must_use]
    pub fn variance(&self, estimator: Estimator) -> Option<f64> {
        let plain = self.m2 / self.weights_of().sum;
        let size = self.size(estimator);
        match estimator {
            _ if self.n == 0 => None,
            Estimator::Population => Some(plain),
            // Without weights the size is the weight, and their quotient exactly 1.
            Estimator::Sample | Estimator::Frequency => (size.less_one > 0.0)
                .then(|| self.m2 * (size.value / self.weights_of().sum) / size.less_one),
        }
    }

    /// The square root of the variance.
    #[must_use]
    pub fn stddev(&self, estimator: Estimator) -> Option<f64> {
        self.variance(estimator).map(f64::sqrt)
    }

    /// Skewness: g1 (population) or G1 (`None` unless the size is above two). `None` of a constant.
    #[must_use]
    pub fn skewness(&self, estimator: Estimator) -> Option<f64> {
        let weight = self.weights_of().sum;
        let scale = self.m2 / weight;
        let plain = self.m3 / weight / scale / scale.sqrt();
        let n = self.size(estimator).value;
        match estimator {
            _ if self.n == 0 || self.m2 == 0.0 => None,
            Estimator::Population => Some(plain),
            Estimator::Sample | Estimator::Frequency => {
                (n > 2.0).then(|| plain * (n - 1.0).sqrt() * n.sqrt() / (n - 2.0))
            }
        }
    }

    /// Kurtosis, 3 for a normal distribution: m4 / m2² (population) or G2 + 3 (`None` unless the size is above three).
    /// `None` of a constant.
    #[must_use]
    pub fn kurtosis(&self, estimator: Estimator) -> Option<f64> {
        let weight = self.weights_of().sum;
        let scale = self.m2 / weight;
        let plain = self.m4 / weight / scale / scale;
        let n = self.size(estimator).value;
        match estimator {
            _ if self.n == 0 || self.m2 == 0.0 => None,
            Estimator::Population => Some(plain),
            Estimator::Sample | Estimator::Frequency => (n > 3.0).then(|| {
                let excess = (n + 1.0) * plain - 3.0 * (n - 1.0);
                3.0 + (n - 1.0) / ((n - 2.0) * (n - 3.0)) * excess
            }),
        }
    }
}

#[cfg(test)]
mod tests;
