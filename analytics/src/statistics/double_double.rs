//! Arithmetic with twice the digits of a double, for sums and moments whose differences matter.

/// The unevaluated sum of two doubles that do not overlap: about 106 bits (Dekker 1971).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct DoubleDouble {
    /// The value rounded to a double.
    pub(super) high: f64,
    /// What rounding left out.
    pub(super) low: f64,
}

/// `a + b` and the error of rounding it (Knuth).
#[inline]
pub(super) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// `a · b` and the error of rounding it.
#[inline]
pub(super) fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

/// As [`two_sum`] where `|a| >= |b|` or `a` is 0.
#[inline]
fn quick_two_sum(a: f64, b: f64) -> DoubleDouble {
    let high = a + b;
    DoubleDouble {
        high,
        low: b - (high - a),
    }
}

impl DoubleDouble {
    /// A double as it is.
    pub(super) const fn new(value: f64) -> Self {
        Self {
            high: value,
            low: 0.0,
        }
    }

    /// The product of two doubles, without rounding.
    #[inline]
    pub(super) fn product(a: f64, b: f64) -> Self {
        let (high, low) = two_product(a, b);
        Self { high, low }
    }

    #[inline]
    pub(super) fn plus(self, other: Self) -> Self {
        let (high, error) = two_sum(self.high, other.high);
        let (low, low_error) = two_sum(self.low, other.low);
        let sum = quick_two_sum(high, error + low);
        quick_two_sum(sum.high, sum.low + low_error)
    }

    #[inline]
    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(Self {
            high: -other.high,
            low: -other.low,
        })
    }

    #[inline]
    pub(super) fn times(self, other: Self) -> Self {
        let (high, error) = two_product(self.high, other.high);
        let low = self
            .high
            .mul_add(other.low, self.low.mul_add(other.high, error));
        quick_two_sum(high, low)
    }

    /// The product with a double.
    #[inline]
    pub(super) fn scaled(self, factor: f64) -> Self {
        let (high, error) = two_product(self.high, factor);
        quick_two_sum(high, self.low.mul_add(factor, error))
    }

    /// The quotient; infinite or NaN where the divisor is 0.
    pub(super) fn over(self, divisor: Self) -> Self {
        let first = self.high / divisor.high;
        if !first.is_finite() {
            return Self::new(first);
        }
        let rest = self.minus(divisor.scaled(first));
        quick_two_sum(first, rest.high / divisor.high)
    }

    /// 1 over this, which must not be 0.
    #[inline]
    pub(super) fn inverse(self) -> Self {
        let first = 1.0 / self.high;
        let rest = (-first).mul_add(self.low, (-first).mul_add(self.high, 1.0));
        quick_two_sum(first, rest * first)
    }

    /// Whether the parts do not overlap, as every operation leaves them.
    pub(super) fn is_canonical(self) -> bool {
        two_sum(self.high, self.low) == (self.high, self.low)
    }

    pub(super) const fn is_finite(self) -> bool {
        self.high.is_finite() && self.low.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_double_cannot_hold_is_kept() {
        let third = DoubleDouble::new(1.0).over(DoubleDouble::new(3.0));
        let one = third.scaled(3.0);
        assert!((one.high - 1.0 + one.low).abs() < 1e-31);
        let inverse = DoubleDouble::product(3.0, 7.0).inverse();
        assert!(
            inverse
                .scaled(21.0)
                .minus(DoubleDouble::new(1.0))
                .high
                .abs()
                < 1e-31
        );
        let large = DoubleDouble::new(1e30).plus(DoubleDouble::new(1.0));
        assert_eq!(large.minus(DoubleDouble::new(1e30)), DoubleDouble::new(1.0));
        // (1e15 + 1/3)² - 1e30 = 2/3 · 1e15 + 1/9
        let square = DoubleDouble::new(1e15).plus(third);
        let rest = square
            .times(square)
            .minus(DoubleDouble::product(1e15, 1e15));
        let expected = third.scaled(2e15).plus(third.times(third));
        assert!((rest.minus(expected).high / expected.high).abs() < 1e-15);
    }

    #[test]
    fn division_by_zero_is_not_finite() {
        let zero = DoubleDouble::default();
        assert!(DoubleDouble::new(1.0).over(zero).high.is_infinite());
        assert!(zero.over(zero).high.is_nan());
    }

    #[test]
    fn overlapping_parts_are_not_canonical() {
        assert!(DoubleDouble::new(1.0).is_canonical());
        let overlapping = DoubleDouble {
            high: 1.0,
            low: 0.5,
        };
        assert!(!overlapping.is_canonical());
    }
}
