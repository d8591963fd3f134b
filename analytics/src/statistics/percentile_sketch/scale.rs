//! From magnitudes to bucket numbers and back.
//!
//! The bucket of `x` is `ceil(ln(x) / width)`, computed in doubles. Nearly always a short polynomial is near enough to tell on
//! which side of an integer that quotient lies; where it is not, the logarithm itself decides. Both ways thus give the
//! same bucket for every double.

use std::f64::consts::LOG2_E;
use std::sync::LazyLock;

/// Mantissas are cut into so many segments, each with its own constants.
const SEGMENTS: usize = 1 << SEGMENT_BITS;
const SEGMENT_BITS: u32 = 6;

const MANTISSA_BITS: u32 = 52;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;
const EXPONENT_OF_ONE: u64 = 1023;

/// Adding this leaves the nearest integer in the lowest bits of a double: 1.5 · 2^52.
const TO_INTEGER: f64 = 6_755_399_441_055_744.0;

/// Nearer to an integer than this, the polynomial does not decide. Its error is below 1.4e-9 octaves, and an octave has at
/// most 3466 buckets (at a relative error of 0.0001): below 5e-6 buckets.
const TOO_NEAR: f64 = 1.0 / 65_536.0;

/// For the mantissas of a segment: one over a number near them, and the binary logarithm of that number.
#[derive(Debug, Clone, Copy, Default)]
struct Segment {
    inverse: f64,
    log2: f64,
}

static TABLE: LazyLock<[Segment; SEGMENTS]> = LazyLock::new(|| {
    std::array::from_fn(|segment| {
        let middle = 1.0 + (segment as f64 + 0.5) / SEGMENTS as f64;
        let inverse = middle.recip();
        Segment {
            inverse,
            log2: -inverse.log2(),
        }
    })
});

/// The logarithmic scale of a sketch that was not collapsed yet.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    /// One over the width of a bucket in natural logarithms.
    per_width: f64,
    /// Buckets per doubling.
    per_octave: f64,
    table: &'static [Segment; SEGMENTS],
}

impl Scale {
    pub(super) fn new(relative_error: f64) -> Self {
        let per_width = 0.5 / relative_error.atanh();
        Self {
            per_width,
            per_octave: per_width * std::f64::consts::LN_2,
            table: &TABLE,
        }
    }

    /// The width of a bucket on the logarithmic scale after some collapses.
    pub(super) fn width(&self, collapses: u8) -> f64 {
        f64::from(1_u32 << collapses) / self.per_width
    }

    /// The bucket of a positive finite magnitude.
    #[inline]
    pub(super) fn index(&self, magnitude: f64) -> i32 {
        let bits = magnitude.to_bits();
        let segment = (bits >> (MANTISSA_BITS - SEGMENT_BITS)) as usize % SEGMENTS;
        let Some(Segment { inverse, log2 }) = self.table.get(segment) else {
            return self.exact_index(magnitude);
        };
        let exponent = (bits >> MANTISSA_BITS) as i32 - EXPONENT_OF_ONE as i32;
        let mantissa = f64::from_bits((bits & MANTISSA) | (EXPONENT_OF_ONE << MANTISSA_BITS));
        // ln(1 + r) to the third power of |r| < 1/128.
        let r = mantissa * inverse - 1.0;
        let polynomial = r * (LOG2_E + r * (-LOG2_E / 2.0 + r * (LOG2_E / 3.0)));
        let position = (f64::from(exponent) + (log2 + polynomial)) * self.per_octave;
        let shifted = position + TO_INTEGER;
        let above = position - (shifted - TO_INTEGER);
        // Subnormal numbers have no leading one in their mantissa.
        if above.abs() < TOO_NEAR || magnitude < f64::MIN_POSITIVE {
            return self.exact_index(magnitude);
        }
        shifted.to_bits() as i32 + i32::from(above > 0.0)
    }

    /// The same by the logarithm.
    #[cold]
    fn exact_index(&self, magnitude: f64) -> i32 {
        (magnitude.ln() * self.per_width).ceil() as i32
    }

    /// The value that stands for a bucket: equally far, relatively, from both ends.
    pub(super) fn middle(&self, index: i32, collapses: u8) -> f64 {
        let width = self.width(collapses);
        ((f64::from(index) - 0.5) * width).exp() / (width / 2.0).cosh()
    }
}

/// The bucket that holds bucket `index` after joining pairs `steps` times: `ceil(index / 2^steps)`.
#[inline]
pub(super) fn joined(index: i32, steps: u8) -> i32 {
    -((-index) >> steps)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn joining_twice_is_joining_by_two_steps() {
        for index in -70..70 {
            assert_eq!(joined(joined(index, 1), 1), joined(index, 2));
            assert_eq!(joined(index, 1), (f64::from(index) / 2.0).ceil() as i32);
        }
    }

    #[test]
    fn the_short_way_gives_the_bucket_of_the_logarithm() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut magnitudes: Vec<f64> = (0..400_000)
            .map(|_| f64::from_bits(rng.random_range(1..0x7FF0_0000_0000_0000)))
            .collect();
        magnitudes.extend((0..200_000).map(|_| rng.random_range(0.0..2000.0_f64) + 1e-9));
        magnitudes.extend((1..20_000).map(f64::from));
        magnitudes.extend((-1074..1024).map(|exponent| 2.0_f64.powi(exponent)));
        magnitudes.extend([f64::MAX, f64::MIN_POSITIVE, 5e-324, 1.0]);
        for relative_error in [0.0001, 0.001, 0.01, 0.05, 0.3, 0.5] {
            let scale = Scale::new(relative_error);
            let mut all = magnitudes.clone();
            // The doubles around the ends of buckets.
            for index in -3000..3000 {
                let end = (f64::from(index) / scale.per_width).exp();
                if end.is_normal() {
                    all.extend(
                        (-3..=3)
                            .map(|step| f64::from_bits(end.to_bits().wrapping_add_signed(step))),
                    );
                }
            }
            for &magnitude in &all {
                assert_eq!(
                    scale.index(magnitude),
                    scale.exact_index(magnitude),
                    "{magnitude:e} at {relative_error}"
                );
            }
        }
    }

    #[test]
    fn the_polynomial_is_as_near_as_stated() {
        // At the finest scale the distance to the logarithm, in buckets, must stay below a third of the margin.
        let scale = Scale::new(0.0001);
        let mut worst: f64 = 0.0;
        for step in 0..1_000_000 {
            let mantissa = 1.0 + f64::from(step) / 1e6;
            let segment = ((mantissa - 1.0) * SEGMENTS as f64) as usize;
            let Segment { inverse, log2 } = TABLE[segment];
            let r = mantissa * inverse - 1.0;
            let polynomial = r * (LOG2_E + r * (-LOG2_E / 2.0 + r * (LOG2_E / 3.0)));
            worst = worst.max((log2 + polynomial - mantissa.log2()).abs());
        }
        assert!(worst * scale.per_octave < TOO_NEAR / 3.0, "{worst:e}");
        assert!(worst > 1e-10);
    }
}
