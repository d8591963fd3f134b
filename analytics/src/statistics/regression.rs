//! A straight line through points: a mergeable state of two variables.

use super::double_double::DoubleDouble;
use super::error::StatisticsError;
use super::stats_summary::Estimator;

mod codec;
mod inference;
mod moving;

pub use inference::{RegressionPrediction, RegressionTest, regression_prediction, regression_test};
pub use moving::MovingRegression;

/// Counts beyond this are not exact as doubles.
const LARGEST_COUNT: u64 = 1 << 53;

/// Residuals below this share of the squares of y are what rounding leaves of none: a standard deviation 10^-12 times that
/// of y.
const SMALLEST_UNEXPLAINED: f64 = 1.0 / (1_u128 << 80) as f64;

/// Where a sum or a moment of finite values became infinite.
const OVERFLOW: StatisticsError = StatisticsError::Overflow("regression_summary");

/// Count, sums and central second moments of a multiset of points (x, y), enough for the least-squares line and what can be
/// said about it.
///
/// Youngs and Cramer (1971) for single points, Pébay (2008) for merging, with every sum in two doubles: residuals are a
/// difference of moments, and at a correlation near 1 that difference has only the digits that one double would have
/// rounded away.
///
/// NaN and infinities are propagated as PostgreSQL's `regr_*` aggregates do: the sum of that variable becomes NaN or
/// infinite, its moments NaN; the other variable's stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RegressionSummary {
    pub(super) n: u64,
    /// Sums.
    x: DoubleDouble,
    y: DoubleDouble,
    /// Sums of products of deviations from the means.
    xx: DoubleDouble,
    xy: DoubleDouble,
    yy: DoubleDouble,
}

/// The central moments that a NaN or an infinity leaves.
const UNKNOWN: DoubleDouble = DoubleDouble::new(f64::NAN);

/// One kind of NaN and of zero only: equal states have equal bytes.
fn canonical(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else {
        value + 0.0
    }
}

impl RegressionSummary {
    /// Summarises points, given as (y, x).
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] as [`RegressionSummary::push`].
    pub fn from_points(
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Result<Self, StatisticsError> {
        let mut summary = Self::default();
        for (y, x) in points {
            summary.push(y, x)?;
        }
        Ok(summary)
    }

    /// Adds one point; y first, as SQL has it.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] when finite values make a sum or a moment infinite.
    #[inline]
    pub fn push(&mut self, y: f64, x: f64) -> Result<(), StatisticsError> {
        let finite = x.is_finite() && y.is_finite();
        if !(finite && self.x.high.is_finite() && self.y.high.is_finite()) {
            return self.merge(&Self::point(y, x));
        }
        let (x, y) = (
            DoubleDouble::new(canonical(x)),
            DoubleDouble::new(canonical(y)),
        );
        let before = self.n as f64;
        self.n += 1;
        if self.n > 1 {
            // before · (x - mean); the weight takes the factor out again.
            let dx = x.scaled(before).minus(self.x);
            let dy = y.scaled(before).minus(self.y);
            self.add_moments(
                dx,
                dy,
                DoubleDouble::product(before, before + 1.0).inverse(),
            );
        }
        self.x = self.x.plus(x);
        self.y = self.y.plus(y);
        self.check_overflow()
    }

    /// The summary of one point.
    #[cold]
    fn point(y: f64, x: f64) -> Self {
        let moment = |values: &[f64]| {
            if values.iter().all(|value| value.is_finite()) {
                DoubleDouble::default()
            } else {
                UNKNOWN
            }
        };
        Self {
            n: 1,
            x: DoubleDouble::new(canonical(x)),
            y: DoubleDouble::new(canonical(y)),
            xx: moment(&[x]),
            xy: moment(&[x, y]),
            yy: moment(&[y]),
        }
    }

    #[inline]
    fn add_moments(&mut self, dx: DoubleDouble, dy: DoubleDouble, weight: DoubleDouble) {
        self.xx = self.xx.plus(dx.times(dx).times(weight));
        self.xy = self.xy.plus(dx.times(dy).times(weight));
        self.yy = self.yy.plus(dy.times(dy).times(weight));
    }

    #[inline]
    fn check_overflow(&self) -> Result<(), StatisticsError> {
        let fields = [self.x, self.y, self.xx, self.xy, self.yy];
        if fields.iter().all(|field| field.is_finite()) {
            Ok(())
        } else {
            Err(OVERFLOW)
        }
    }

    /// Adds all points of another summary.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] as [`RegressionSummary::push`], or when the count passes 2^53.
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
            .ok_or(StatisticsError::Overflow(
                "the count of a regression_summary",
            ))?;
        let (a, b) = (self.n as f64, other.n as f64);
        self.n = count;
        let known = |left: DoubleDouble, right: DoubleDouble| {
            left.high.is_finite() && right.high.is_finite()
        };
        let (x_known, y_known) = (known(self.x, other.x), known(self.y, other.y));
        let pairs = DoubleDouble::product(a, b);
        let factor = pairs.inverse();
        let deviation = |own: DoubleDouble, theirs: DoubleDouble| {
            theirs.scaled(a).minus(own.scaled(b)).times(factor)
        };
        let dx = deviation(self.x, other.x);
        let dy = deviation(self.y, other.y);
        self.xx = self.xx.plus(other.xx);
        self.xy = self.xy.plus(other.xy);
        self.yy = self.yy.plus(other.yy);
        self.add_moments(dx, dy, pairs.over(DoubleDouble::new(count as f64)));
        let sum = |own: DoubleDouble, theirs: DoubleDouble, is_known| {
            if is_known {
                own.plus(theirs)
            } else {
                DoubleDouble::new(canonical(own.high + theirs.high))
            }
        };
        self.x = sum(self.x, other.x, x_known);
        self.y = sum(self.y, other.y, y_known);
        for (moment, is_known) in [
            (&mut self.xx, x_known),
            (&mut self.xy, x_known && y_known),
            (&mut self.yy, y_known),
        ] {
            if !is_known {
                *moment = UNKNOWN;
            } else if !moment.is_finite() {
                return Err(OVERFLOW);
            }
        }
        if (x_known && !self.x.is_finite()) || (y_known && !self.y.is_finite()) {
            return Err(OVERFLOW);
        }
        self.forget_rounding();
        Ok(())
    }

    /// Where the product of two counts passes 2^53 not even two doubles hold the sums of a constant exactly. Values that
    /// differ do so by 2^-53 of themselves at least, far more than what is taken away here.
    fn forget_rounding(&mut self) {
        const NEGLIGIBLE: f64 = 1.0 / (1_u128 << 90) as f64;
        let root = (self.n as f64).sqrt();
        let constant = |moment: DoubleDouble, sum: DoubleDouble| {
            moment.high.sqrt() <= NEGLIGIBLE * (sum.high.abs() / root)
        };
        if constant(self.xx, self.x) {
            (self.xx, self.xy) = Default::default();
        }
        if constant(self.yy, self.y) {
            (self.yy, self.xy) = Default::default();
        }
    }

    /// Takes a finite point out; at least one must remain.
    fn subtract(&mut self, y: f64, x: f64) {
        let (x, y) = (
            DoubleDouble::new(canonical(x)),
            DoubleDouble::new(canonical(y)),
        );
        let n = self.n as f64;
        let after = n - 1.0;
        self.n -= 1;
        self.x = self.x.minus(x);
        self.y = self.y.minus(y);
        if self.n == 1 {
            (self.xx, self.xy, self.yy) = Default::default();
            return;
        }
        let dx = x.scaled(after).minus(self.x);
        let dy = y.scaled(after).minus(self.y);
        self.add_moments(dx, dy, DoubleDouble::product(-after, n).inverse());
        for moment in [&mut self.xx, &mut self.yy] {
            if moment.high < 0.0 {
                *moment = DoubleDouble::default();
            }
        }
    }

    /// How many points.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The mean of x; `None` of nothing.
    #[must_use]
    pub fn mean_x(&self) -> Option<f64> {
        (self.n > 0).then(|| self.over_n(self.x))
    }

    /// The mean of y; `None` of nothing.
    #[must_use]
    pub fn mean_y(&self) -> Option<f64> {
        (self.n > 0).then(|| self.over_n(self.y))
    }

    /// The variance of x: over n - 1 (`None` below two points) or over n (`None` of nothing).
    #[must_use]
    pub fn variance_x(&self, estimator: Estimator) -> Option<f64> {
        self.over_size(self.xx.high, estimator)
    }

    /// The variance of y: over n - 1 (`None` below two points) or over n (`None` of nothing).
    #[must_use]
    pub fn variance_y(&self, estimator: Estimator) -> Option<f64> {
        self.over_size(self.yy.high, estimator)
    }

    /// The covariance: over n - 1 (`None` below two points) or over n (`None` of nothing).
    #[must_use]
    pub fn covariance(&self, estimator: Estimator) -> Option<f64> {
        self.over_size(self.xy.high, estimator)
    }

    /// A quotient rounded once: the mean of equal values is that value.
    fn over_n(&self, sum: DoubleDouble) -> f64 {
        sum.over(DoubleDouble::new(self.n as f64)).high
    }

    fn over_size(&self, moment: f64, estimator: Estimator) -> Option<f64> {
        let n = self.n as f64;
        match estimator {
            Estimator::Sample | Estimator::Frequency => (self.n > 1).then(|| moment / (n - 1.0)),
            Estimator::Population => (self.n > 0).then(|| moment / n),
        }
    }

    /// Pearson's correlation, `None` where x or y does not vary.
    #[must_use]
    pub fn correlation(&self) -> Option<f64> {
        if self.xx.high == 0.0 || self.yy.high == 0.0 {
            return None;
        }
        let scale = self.xx.high.sqrt() * self.yy.high.sqrt();
        // NaN passes a clamp.
        Some((self.xy.high / scale).clamp(-1.0, 1.0))
    }

    /// The slope of the least-squares line, `None` where x does not vary.
    #[must_use]
    pub fn slope(&self) -> Option<f64> {
        self.exact_slope().map(|slope| slope.high)
    }

    fn exact_slope(&self) -> Option<DoubleDouble> {
        (self.xx.high != 0.0).then(|| self.xy.over(self.xx))
    }

    /// The line's y at x = 0, `None` where x does not vary.
    #[must_use]
    pub fn intercept(&self) -> Option<f64> {
        let slope = self.exact_slope()?;
        // In two doubles: far from x = 0 both terms are much larger than their difference may be.
        let scaled = self.y.minus(slope.times(self.x));
        Some(self.over_n(scaled))
    }

    /// The line's x at y = 0, `None` where x does not vary or the line is horizontal.
    #[must_use]
    pub fn x_intercept(&self) -> Option<f64> {
        let slope = self.exact_slope().filter(|slope| slope.high != 0.0)?;
        let scaled = self.x.minus(self.y.over(slope));
        Some(self.over_n(scaled))
    }

    /// The share of the variance of y that the line explains, `None` where x does not vary; 1 where y does not vary, as
    /// PostgreSQL's `regr_r2` has it.
    #[must_use]
    pub fn r2(&self) -> Option<f64> {
        let slope = self.exact_slope()?;
        if self.yy.high == 0.0 {
            return Some(1.0);
        }
        // NaN passes a clamp.
        Some((slope.times(self.xy).high / self.yy.high).clamp(0.0, 1.0))
    }

    /// The sum of the squared residuals, `None` where x does not vary.
    fn residual_squares(&self) -> Option<f64> {
        let slope = self.exact_slope()?;
        let rest = self.yy.minus(slope.times(self.xy)).high;
        // Not below: NaN is the answer for NaN.
        if rest < SMALLEST_UNEXPLAINED * self.yy.high {
            return Some(0.0);
        }
        Some(rest)
    }
}

#[cfg(test)]
mod tests;
