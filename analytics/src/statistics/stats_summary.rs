//! Count, sum and central moments up to the fourth, mergeable in any order.

use super::error::StatisticsError;

mod codec;

/// Counts beyond this are not exact as doubles.
const LARGEST_COUNT: u64 = 1 << 53;

/// Whether a spread describes the values themselves or the population they were drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimator {
    /// Corrected for the sample size: n - 1 for the variance, Fisher's G1 and G2 for skewness and kurtosis.
    Sample,
    /// The plain moments.
    Population,
}

/// One-variable summary statistics of a multiset of doubles.
///
/// The sum is kept in two doubles (Neumaier), and each deviation from the mean is formed as `(n x - sum) / n` with one
/// rounding (a fused multiply-add), so that the moments keep their digits also when the values sit on a large offset.
/// Moments follow Youngs and Cramer (1971) and Pébay (2008).
///
/// NaN and infinities are propagated as PostgreSQL's float8 aggregates do: the sum becomes NaN or infinite, the moments
/// NaN, and minimum and maximum follow PostgreSQL's order, in which NaN is the largest value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatsSummary {
    pub(super) n: u64,
    /// The sum rounded to a double.
    sum: f64,
    /// What rounding `sum` left out.
    sum_low: f64,
    /// Sums of powers of deviations from the mean.
    pub(super) m2: f64,
    pub(super) m3: f64,
    pub(super) m4: f64,
    pub(super) min: f64,
    pub(super) max: f64,
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
        }
    }
}

/// `a + b` and the error of rounding it (Knuth).
#[inline]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
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
        if !(value.is_finite() && self.sum.is_finite()) {
            return self.push_not_finite(value);
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

    #[cold]
    fn push_not_finite(&mut self, value: f64) -> Result<(), StatisticsError> {
        let value = if value.is_nan() {
            f64::NAN
        } else {
            value + 0.0
        };
        let mut other = Self {
            n: 1,
            sum: value,
            min: value,
            max: value,
            ..Self::default()
        };
        if !value.is_finite() {
            other.spoil(value);
        }
        self.merge(&other)
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
        let (a, b, n) = (self.n as f64, other.n as f64, count as f64);
        self.n = count;
        self.min = lesser(self.min, other.min);
        self.max = greater(self.max, other.max);
        if !(self.sum.is_finite() && other.sum.is_finite()) {
            self.spoil(self.sum + other.sum);
            return Ok(());
        }
        // a · b · (mean of other - mean of self): both products exactly, then one subtraction.
        let (left, right) = (a * other.sum, b * self.sum);
        let left_error = a.mul_add(other.sum, -left);
        let right_error = b.mul_add(self.sum, -right);
        let scaled =
            (left - right) + ((left_error - right_error) + (a * other.sum_low - b * self.sum_low));
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
        self.check_overflow()
    }

    /// Takes one value out again and reports whether that was possible; if not, nothing has changed.
    ///
    /// A minimum, a maximum, a NaN and an infinity cannot be taken out: what they hid is not known any more. The caller
    /// guarantees that the value was added. Rounding errors of what was added stay, see [`super::MovingSummary`].
    #[must_use]
    pub fn remove(&mut self, value: f64) -> bool {
        if value > self.min && value < self.max && self.sum.is_finite() {
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

    /// The sum; `None` of nothing.
    #[must_use]
    pub fn sum(&self) -> Option<f64> {
        (self.n > 0).then_some(self.sum)
    }

    /// The arithmetic mean; `None` of nothing.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
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

    /// The variance: over n - 1 (`None` below two values) or over n (`None` of nothing).
    #[must_use]
    pub fn variance(&self, estimator: Estimator) -> Option<f64> {
        let n = self.n as f64;
        match estimator {
            Estimator::Sample => (self.n > 1).then(|| self.m2 / (n - 1.0)),
            Estimator::Population => (self.n > 0).then(|| self.m2 / n),
        }
    }

    /// The square root of the variance.
    #[must_use]
    pub fn stddev(&self, estimator: Estimator) -> Option<f64> {
        self.variance(estimator).map(f64::sqrt)
    }

    /// Skewness: g1 (population) or G1 (sample, `None` below three values). `None` of a constant.
    #[must_use]
    pub fn skewness(&self, estimator: Estimator) -> Option<f64> {
        let n = self.n as f64;
        let scale = self.m2 / n;
        let plain = self.m3 / n / scale / scale.sqrt();
        match estimator {
            _ if self.n == 0 || self.m2 == 0.0 => None,
            Estimator::Population => Some(plain),
            Estimator::Sample => {
                (self.n > 2).then(|| plain * (n - 1.0).sqrt() * n.sqrt() / (n - 2.0))
            }
        }
    }

    /// Kurtosis, 3 for a normal distribution: m4 / m2² (population) or G2 + 3 (sample, `None` below four values). `None`
    /// of a constant.
    #[must_use]
    pub fn kurtosis(&self, estimator: Estimator) -> Option<f64> {
        let n = self.n as f64;
        let scale = self.m2 / n;
        let plain = self.m4 / n / scale / scale;
        match estimator {
            _ if self.n == 0 || self.m2 == 0.0 => None,
            Estimator::Population => Some(plain),
            Estimator::Sample => (self.n > 3).then(|| {
                let excess = (n + 1.0) * plain - 3.0 * (n - 1.0);
                3.0 + (n - 1.0) / ((n - 2.0) * (n - 3.0)) * excess
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec, TextForm};

    fn summary(values: &[f64]) -> StatsSummary {
        StatsSummary::from_values(values.iter().copied()).unwrap()
    }

    #[test]
    fn nothing_one_value_and_a_constant() {
        let nothing = summary(&[]);
        assert_eq!(
            (nothing.n(), nothing.mean(), nothing.sum()),
            (0, None, None)
        );
        assert_eq!(nothing.variance(Estimator::Population), None);
        let one = summary(&[7.5]);
        assert_eq!(one.mean(), Some(7.5));
        assert_eq!(one.variance(Estimator::Sample), None);
        assert_eq!(one.variance(Estimator::Population), Some(0.0));
        let constant = summary(&[0.1; 1000]);
        assert_eq!(constant.variance(Estimator::Sample), Some(0.0));
        assert_eq!(constant.skewness(Estimator::Population), None);
        assert_eq!(constant.kurtosis(Estimator::Sample), None);
        assert_eq!(constant.mean(), Some(0.1));
    }

    #[test]
    fn a_sum_is_rounded_once() {
        assert_eq!(summary(&[0.1; 10]).sum(), Some(1.0));
        assert_eq!(summary(&[1e16, 1.0, -1e16]).sum(), Some(1.0));
    }

    #[test]
    fn an_offset_costs_no_digits() {
        // Deviations from 1e9 are exact binary fractions: the exact moments are those without the offset.
        let plain: Vec<f64> = (0..1000).map(|i| f64::from(i * i % 257) / 64.0).collect();
        let exact = summary(&plain);
        for offset in [1e9, -1e9, 1e12] {
            let shifted: Vec<f64> = plain.iter().map(|value| value + offset).collect();
            let moved = summary(&shifted);
            for (name, there, here) in [
                ("m2", exact.m2, moved.m2),
                ("m3", exact.m3, moved.m3),
                ("m4", exact.m4, moved.m4),
            ] {
                let error = ((there - here) / there).abs();
                assert!(error < 1e-12, "{name} at {offset}: {error}");
            }
        }
    }

    #[test]
    fn not_a_number_and_infinity_follow_float8() {
        let inf = f64::INFINITY;
        let mixed = summary(&[1.0, inf, 2.0]);
        assert_eq!(
            (mixed.mean(), mixed.min(), mixed.max()),
            (Some(inf), Some(1.0), Some(inf))
        );
        assert!(mixed.variance(Estimator::Sample).unwrap().is_nan());
        assert!(summary(&[inf, -inf]).mean().unwrap().is_nan());
        let nan = summary(&[3.0, f64::NAN, 2.0]);
        assert_eq!(nan.min(), Some(2.0));
        assert!(nan.max().unwrap().is_nan() && nan.sum().unwrap().is_nan());
        assert!(summary(&[f64::NAN]).min().unwrap().is_nan());
        assert!(
            summary(&[f64::NAN, 1.0])
                .kurtosis(Estimator::Sample)
                .is_none()
        );
        for state in [mixed, nan, summary(&[inf, -inf]), summary(&[inf, f64::NAN])] {
            let bytes = state.encode();
            assert_eq!(StatsSummary::decode(&bytes).unwrap().encode(), bytes);
            let text = state.to_text();
            assert_eq!(StatsSummary::from_text(&text).unwrap().encode(), bytes);
        }
    }

    #[test]
    fn overflow_is_an_error() {
        let overflow = |values: &[f64]| StatsSummary::from_values(values.iter().copied()).is_err();
        assert!(overflow(&[f64::MAX, f64::MAX]));
        assert!(overflow(&[1e200, -1e200]));
        assert!(!overflow(&[1e70, -1e70]));
        let mut a = StatsSummary::from_values([1e150]).unwrap();
        let b = StatsSummary::from_values([-1e150]).unwrap();
        assert!(a.merge(&b).is_err());
    }

    #[test]
    fn too_many_rows_are_an_error() {
        let mut a = summary(&[1.0]);
        a.n = LARGEST_COUNT;
        a.sum = a.n as f64;
        let b = a;
        assert!(matches!(a.merge(&b), Err(StatisticsError::Overflow(_))));
    }

    #[test]
    fn an_extreme_cannot_be_removed_and_an_inner_value_can() {
        let mut state = summary(&[1.0, 2.0, 5.0, 3.0]);
        for value in [1.0, 5.0, f64::NAN, f64::INFINITY] {
            let before = state;
            assert!(!state.remove(value));
            assert_eq!(state, before);
        }
        assert!(state.remove(2.0));
        let fresh = summary(&[1.0, 5.0, 3.0]);
        assert_eq!(
            (state.n, state.sum, state.min, state.max),
            (3, 9.0, 1.0, 5.0)
        );
        for (there, here) in [
            (fresh.m2, state.m2),
            (fresh.m3, state.m3),
            (fresh.m4, state.m4),
        ] {
            assert!((there - here).abs() < 1e-12);
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let valid = summary(&[1.0, 2.0, 4.0]);
        assert!(StatsSummary::decode(&valid.encode()).is_ok());
        let edits: [fn(&mut StatsSummary); 12] = [
            |s| s.n = 0,
            |s| s.n = 1,
            |s| s.n = u64::MAX,
            |s| s.sum = 1e6,
            |s| s.sum = f64::NAN,
            |s| s.sum_low = 5.0,
            |s| s.m2 = -1.0,
            |s| s.m2 = 1e9,
            |s| s.m4 = -1.0,
            |s| s.m3 = f64::INFINITY,
            |s| s.min = 9.0,
            |s| s.max = f64::NAN,
        ];
        for (number, edit) in edits.iter().enumerate() {
            let mut broken = valid;
            edit(&mut broken);
            assert!(
                StatsSummary::decode(&broken.encode()).is_err(),
                "edit {number}"
            );
            assert!(
                StatsSummary::from_text(&broken.to_text()).is_err(),
                "edit {number}"
            );
        }
    }

    #[test]
    fn the_text_form_has_named_keys() {
        let text = summary(&[1.0, 2.0]).to_text();
        assert_eq!(
            text,
            r#"{"version":1,"n":2,"sum":3.0,"sum_low":0.0,"m2":0.5,"m3":0.0,"m4":0.125,"min":1.0,"max":2.0}"#
        );
        for bad in [
            "",
            "{}",
            "[]",
            "null",
            &text.replace("\"n\"", "\"N\""),
            &text.replace(":1,", ":2,"),
        ] {
            assert!(StatsSummary::from_text(bad).is_err(), "{bad}");
        }
    }
}
