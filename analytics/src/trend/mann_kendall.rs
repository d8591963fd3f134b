//! Kendall's S and the Mann-Kendall test (Mann 1945, Kendall 1975).

use super::sorting::{Count, each_inversion, ranks};
use super::{Direction, MIN_POINTS, Series, TrendError, probability};
use crate::progress::Progress;
use crate::statistics::special::normal_upper;

/// Kendall's S of a series, which may be the sum over several parts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Score {
    /// Pairs that rise minus pairs that fall.
    pub(super) s: i64,
    /// The variance of S among independent observations without trend, corrected for ties.
    pub(super) variance: f64,
    /// All pairs, tied ones included.
    pub(super) pairs: u64,
}

impl Score {
    /// S standardised with the continuity correction, under a variance; 0 where there is none.
    pub(super) fn z(&self, variance: f64) -> f64 {
        if self.s == 0 || variance <= 0.0 {
            0.0
        } else {
            (self.s - self.s.signum()) as f64 / variance.sqrt()
        }
    }

    /// S as a share of all pairs (tau-a).
    pub(super) fn tau(&self) -> f64 {
        if self.pairs == 0 {
            0.0
        } else {
            self.s as f64 / self.pairs as f64
        }
    }

    /// The score of two series that are not compared with each other.
    pub(super) fn add(&mut self, other: Score) {
        self.s += other.s;
        self.variance += other.variance;
        self.pairs += other.pairs;
    }
}

/// Two-sided, from the normal approximation.
pub(super) fn p_value(z: f64) -> f64 {
    2.0 * normal_upper(z.abs())
}

/// What ties take away from the number of pairs and from the variance.
#[derive(Debug, Clone, Copy, Default)]
struct Ties {
    /// Σ k(k−1)/2
    pairs: u64,
    /// Σ k(k−1)(k−2)
    triples: f64,
    /// Σ k(k−1)(2k+5)
    correction: f64,
}

impl Ties {
    fn group(&mut self, size: usize) {
        let k = size as f64;
        self.pairs += size as u64 * (size as u64).saturating_sub(1) / 2;
        self.triples += k * (k - 1.0) * (k - 2.0);
        self.correction += tie_correction(size);
    }
}

/// k(k−1)(2k+5) for a group of k equal values.
pub(super) fn tie_correction(size: usize) -> f64 {
    let k = size as f64;
    k * (k - 1.0) * (2.0 * k + 5.0)
}

/// Kendall's score of values at ascending positions; where positions repeat, their values ascend.
///
/// Pairs at one position are not compared, and the variance takes account of them (Kendall 1975, as scipy's
/// `kendalltau`); at different positions it is that of Mann and Kendall.
pub(super) fn score(
    positions: Option<&[f64]>,
    values: &[f64],
    progress: &mut impl Progress,
) -> Result<Score, TrendError> {
    let n = values.len() as u64;
    let pairs = n * n.saturating_sub(1) / 2;
    let mut tied = Ties::default();
    let mut order = ranks(values, |group| tied.group(group.len()), progress)?;
    let mut falling = Count::default();
    each_inversion(&mut order, &mut falling, progress)?;

    let mut coincident = Ties::default();
    let mut tied_both = 0_u64;
    if let Some(positions) = positions {
        let mut rest = values;
        for run in positions.chunk_by(|a, b| a == b) {
            let (here, later) = rest.split_at(run.len().min(rest.len()));
            rest = later;
            if run.len() > 1 {
                coincident.group(run.len());
                for group in here.chunk_by(|a, b| a == b) {
                    tied_both += group.len() as u64 * (group.len() as u64 - 1) / 2;
                }
            }
        }
    }
    let rising = pairs + tied_both - tied.pairs - coincident.pairs - falling.0;
    let count = values.len() as f64;
    let mut variance =
        (count * (count - 1.0) * (2.0 * count + 5.0) - tied.correction - coincident.correction)
            / 18.0;
    if coincident.pairs > 0 {
        variance += 2.0 * tied.pairs as f64 * coincident.pairs as f64 / (count * (count - 1.0));
        if count > 2.0 {
            variance +=
                tied.triples * coincident.triples / (9.0 * count * (count - 1.0) * (count - 2.0));
        }
    }
    Ok(Score {
        s: rising.cast_signed() - falling.0.cast_signed(),
        variance: variance.max(0.0),
        pairs,
    })
}

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
    /// Kendall's tau: S as a share of all pairs (tau-a).
    pub tau: f64,
    /// The verdict at the level asked for.
    pub direction: Direction,
}

/// Tests a series for a monotone trend at significance level `alpha`, in O(n log n).
///
/// Fewer than [`MIN_POINTS`] observations give `None`; a constant series gives S = 0, variance 0, p = 1 and no trend. The
/// test takes observations as independent.
///
/// # Errors
/// An `alpha` outside (0, 1), or an interruption.
pub fn mann_kendall(
    series: &Series,
    alpha: f64,
    progress: &mut impl Progress,
) -> Result<Option<MannKendall>, TrendError> {
    let alpha = probability("alpha", alpha)?;
    let n = series.len();
    if n < MIN_POINTS {
        return Ok(None);
    }
    let score = score(Some(series.x()), &series.y_by_position(), progress)?;
    let z = score.z(score.variance);
    let p_value = p_value(z);
    Ok(Some(MannKendall {
        n,
        s: score.s,
        variance: score.variance,
        z,
        p_value,
        tau: score.tau(),
        direction: Direction::of(score.s as f64, p_value, alpha),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;
    use proptest::prelude::*;

    fn test(series: &[f64]) -> Option<MannKendall> {
        let series = Series::new(series.to_vec(), None).unwrap();
        mann_kendall(&series, 0.05, &mut Uninterruptible).unwrap()
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
            Series::new(vec![1.0, f64::INFINITY], None),
            Err(TrendError::Infinite { position: 2 })
        );
        let series = Series::new(vec![1.0, 2.0, 3.0], None).unwrap();
        for alpha in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(matches!(
                mann_kendall(&series, alpha, &mut Uninterruptible),
                Err(TrendError::Probability { name: "alpha", .. })
            ));
        }
    }

    proptest! {
        #[test]
        fn counting_equals_comparing_all_pairs(
            points in prop::collection::vec(((0_u8..40).prop_map(f64::from), (-5_i8..5).prop_map(f64::from)), 3..60)
        ) {
            let mut expected = 0;
            for (index, first) in points.iter().enumerate() {
                for second in &points[index + 1..] {
                    let rise = (second.1 - first.1) * (second.0 - first.0);
                    expected += i64::from(rise > 0.0) - i64::from(rise < 0.0);
                }
            }
            let (x, y) = points.into_iter().unzip();
            let series = Series::new(y, Some(x)).unwrap();
            prop_assert_eq!(score(Some(series.x()), &series.y_by_position(), &mut Uninterruptible).unwrap().s, expected);
        }
    }
}
