//! The Mann-Kendall test (Mann 1945, Kendall 1975).

use super::{Direction, MIN_POINTS, TrendError, probability, tie_correction};
use crate::progress::Progress;
use crate::statistics::special::normal_upper;

/// The outcome of a Mann-Kendall test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannKendall {
    /// Observations that are present.
    pub n: usize,
    /// Kendall's S: pairs that rise minus pairs that fall.
    pub s: i64,
    /// The variance of S without trend, corrected for ties.
    pub variance: f64,
    /// S standardised with the continuity correction.
    pub z: f64,
    /// Two-sided, from the normal approximation.
    pub p_value: f64,
    /// Kendall's tau: S as a share of all pairs.
    pub tau: f64,
    /// The verdict at the level asked for.
    pub direction: Direction,
}

/// Tests a series for a monotone trend at significance level `alpha`, in O(n log n).
///
/// NaN elements are missing and skipped. Fewer than [`MIN_POINTS`] observations give `None`; a constant series gives
/// S = 0, variance 0, p = 1 and no trend. The test takes observations as independent.
///
/// # Errors
/// An infinite element, an `alpha` outside (0, 1), or an interruption.
pub fn mann_kendall(
    series: &[f64],
    alpha: f64,
    progress: &mut impl Progress,
) -> Result<Option<MannKendall>, TrendError> {
    let alpha = probability("alpha", alpha)?;
    if let Some(index) = series.iter().position(|value| value.is_infinite()) {
        return Err(TrendError::Infinite {
            position: index + 1,
        });
    }
    let mut values: Vec<f64> = series.iter().copied().filter(|v| !v.is_nan()).collect();
    let n = values.len();
    if n < MIN_POINTS {
        return Ok(None);
    }
    let falling = sort_counting_inversions(&mut values, progress)?;
    let pairs = (n as u64) * (n as u64 - 1) / 2;
    let tied: u64 = values
        .chunk_by(|a, b| a == b)
        .map(|group| (group.len() as u64) * (group.len() as u64 - 1) / 2)
        .sum();
    let rising = pairs - tied - falling;
    let s = rising.cast_signed() - falling.cast_signed();

    let count = n as f64;
    let variance = (count * (count - 1.0) * (2.0 * count + 5.0) - tie_correction(&values)) / 18.0;
    let z = if s == 0 || variance <= 0.0 {
        0.0
    } else {
        (s - s.signum()) as f64 / variance.sqrt()
    };
    let p_value = 2.0 * normal_upper(z.abs());
    let direction = if p_value >= alpha {
        Direction::NoTrend
    } else if s > 0 {
        Direction::Increasing
    } else {
        Direction::Decreasing
    };
    Ok(Some(MannKendall {
        n,
        s,
        variance,
        z,
        p_value,
        tau: s as f64 / pairs as f64,
        direction,
    }))
}

/// Sorts by merging and counts the pairs that were strictly out of order.
fn sort_counting_inversions(
    values: &mut [f64],
    progress: &mut impl Progress,
) -> Result<u64, TrendError> {
    let n = values.len();
    let mut merged: Vec<f64> = Vec::with_capacity(n);
    let mut inversions = 0_u64;
    let mut width = 1;
    while width < n {
        merged.clear();
        for run in values.chunks(2 * width) {
            let (left, right) = run.split_at(width.min(run.len()));
            let (mut left, mut right) = (left, right);
            while let (Some((&l, rest_left)), Some((&r, rest_right))) =
                (left.split_first(), right.split_first())
            {
                if l <= r {
                    merged.push(l);
                    left = rest_left;
                } else {
                    // Everything still to come on the left is larger than r and stood before it.
                    inversions += left.len() as u64;
                    merged.push(r);
                    right = rest_right;
                }
                if merged.len().is_multiple_of(4096) {
                    progress.poll()?;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        values.copy_from_slice(&merged);
        width *= 2;
        progress.poll()?;
    }
    Ok(inversions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;
    use proptest::prelude::*;

    fn test(series: &[f64]) -> Option<MannKendall> {
        mann_kendall(series, 0.05, &mut Uninterruptible).unwrap()
    }

    #[test]
    fn fewer_than_three_observations_have_no_answer() {
        assert_eq!(test(&[]), None);
        assert_eq!(test(&[1.0, 2.0]), None);
        assert_eq!(test(&[1.0, f64::NAN, 2.0, f64::NAN]), None);
    }

    #[test]
    fn a_constant_series_has_no_trend() {
        let answer = test(&[4.0; 10]).unwrap();
        assert_eq!((answer.s, answer.variance, answer.z), (0, 0.0, 0.0));
        assert_eq!((answer.p_value, answer.tau), (1.0, 0.0));
        assert_eq!(answer.direction, Direction::NoTrend);
    }

    #[test]
    fn a_rising_series_rises_and_its_mirror_falls() {
        let rising: Vec<f64> = (0..20).map(f64::from).collect();
        let falling: Vec<f64> = rising.iter().map(|v| -v).collect();
        let (up, down) = (test(&rising).unwrap(), test(&falling).unwrap());
        assert_eq!(
            (up.s, up.tau, up.direction),
            (190, 1.0, Direction::Increasing)
        );
        assert_eq!((down.s, down.tau), (-190, -1.0));
        assert_eq!(down.direction, Direction::Decreasing);
        assert_eq!(up.p_value, down.p_value);
    }

    #[test]
    fn infinities_and_bad_levels_are_refused() {
        assert_eq!(
            mann_kendall(&[1.0, f64::INFINITY], 0.05, &mut Uninterruptible),
            Err(TrendError::Infinite { position: 2 })
        );
        for alpha in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(matches!(
                mann_kendall(&[1.0, 2.0, 3.0], alpha, &mut Uninterruptible),
                Err(TrendError::Probability { name: "alpha", .. })
            ));
        }
    }

    proptest! {
        #[test]
        fn counting_by_merging_equals_comparing_all_pairs(
            series in prop::collection::vec((-5_i8..5).prop_map(f64::from), 3..60)
        ) {
            let mut expected = 0;
            for (index, early) in series.iter().enumerate() {
                for late in &series[index + 1..] {
                    expected += i64::from(late > early) - i64::from(late < early);
                }
            }
            prop_assert_eq!(test(&series).unwrap().s, expected);
        }
    }
}
