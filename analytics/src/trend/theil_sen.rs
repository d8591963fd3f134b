//! The Theil-Sen slope: the median slope of all pairs (Theil 1950, Sen 1968).

use super::mann_kendall::tie_correction;
use super::pair_slopes::PairSlopes;
use super::sorting::sort;
use super::{MIN_POINTS, Series, TrendError, probability};
use crate::progress::Progress;
use crate::statistics::special::normal_upper_quantile;

/// A robust line with a confidence interval for its slope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TheilSen {
    /// Observations that are present.
    pub n: usize,
    /// The median slope of all pairs at different positions.
    pub slope: f64,
    /// The median of the values minus slope times the median of the positions.
    pub intercept: f64,
    /// Lower bound of Sen's interval.
    pub slope_low: f64,
    /// Upper bound of Sen's interval.
    pub slope_high: f64,
}

/// The median slope of all pairs, with Sen's interval at the given confidence (0.95 for 95 %).
///
/// Exact for every length, in O(n log n) time and O(n) memory: see [`PairSlopes`]. Fewer than [`MIN_POINTS`] observations,
/// or all at one position, give `None`.
///
/// # Errors
/// A confidence outside (0, 1), a slope that no finite number holds, an interruption.
pub fn theil_sen(
    series: &Series,
    confidence: f64,
    progress: &mut impl Progress,
) -> Result<Option<TheilSen>, TrendError> {
    let confidence = probability("confidence_level", confidence)?;
    let n = series.len();
    if n < MIN_POINTS {
        return Ok(None);
    }
    let variance = sen_variance(series, progress)?;
    let whole = [n];
    let values = series.y_by_position();
    let points = PairSlopes::new(series.x(), &values, &whole);
    let Some(median) = median_slope(&points, progress)? else {
        return Ok(None);
    };
    let (low, high) = slope_interval(&points, variance, confidence, progress)?;
    Ok(Some(TheilSen {
        n,
        slope: series.slope(median)?,
        intercept: intercept(series, median, progress)?,
        slope_low: series.slope(low)?,
        slope_high: series.slope(high)?,
    }))
}

/// The variance behind Sen's interval (Sen 1968, equation 2.6, as scipy's `theilslopes` has it).
pub(super) fn sen_variance(
    series: &Series,
    progress: &mut impl Progress,
) -> Result<f64, TrendError> {
    let count = series.len() as f64;
    let mut ties: f64 = series
        .x()
        .chunk_by(|a, b| a == b)
        .map(|group| tie_correction(group.len()))
        .sum();
    let sorted = sorted(series.y(), progress)?;
    ties += sorted
        .chunk_by(|a, b| a == b)
        .map(|group| tie_correction(group.len()))
        .sum::<f64>();
    Ok((count * (count - 1.0) * (2.0 * count + 5.0) - ties) / 18.0)
}

/// The slope in the middle; `None` without pairs.
pub(super) fn median_slope(
    points: &PairSlopes<'_>,
    progress: &mut impl Progress,
) -> Result<Option<f64>, TrendError> {
    let pairs = points.pairs();
    let Some(last) = pairs.checked_sub(1) else {
        return Ok(None);
    };
    let [low, high] = points.at_ranks([last / 2, pairs / 2], progress)?;
    Ok(Some(midpoint(low, high)))
}

/// The slopes at `(pairs ± z √variance) / 2`, ranks rounded as scipy's `theilslopes` does.
pub(super) fn slope_interval(
    points: &PairSlopes<'_>,
    variance: f64,
    confidence: f64,
    progress: &mut impl Progress,
) -> Result<(f64, f64), TrendError> {
    let pairs = points.pairs();
    let last = pairs.saturating_sub(1);
    let z = normal_upper_quantile((1.0 - confidence) / 2.0);
    let spread = z * variance.max(0.0).sqrt();
    // A float-to-integer cast saturates: below 0 becomes 0.
    let high = (((pairs as f64 + spread) / 2.0).round_ties_even() as u64).min(last);
    let low = (((pairs as f64 - spread) / 2.0).round_ties_even() as u64).saturating_sub(1);
    let [low, high] = points.at_ranks([low.min(last), high], progress)?;
    Ok((low, high))
}

/// The median of the values minus slope times the median of the positions (Conover 1980), in the caller's units.
pub(super) fn intercept(
    series: &Series,
    slope: f64,
    progress: &mut impl Progress,
) -> Result<f64, TrendError> {
    let values = sorted(series.y(), progress)?;
    series.level(median_of_sorted(&values) - slope * median_of_sorted(series.x()))
}

fn sorted(values: &[f64], progress: &mut impl Progress) -> Result<Vec<f64>, TrendError> {
    let mut sorted = values.to_vec();
    sort(&mut sorted, &f64::total_cmp, progress)?;
    Ok(sorted)
}

/// Half the sum, without overflow.
fn midpoint(a: f64, b: f64) -> f64 {
    if a == b { a } else { a / 2.0 + b / 2.0 }
}

/// The median of sorted values; NaN when there are none.
pub(super) fn median_of_sorted(values: &[f64]) -> f64 {
    match (
        values.get(values.len().saturating_sub(1) / 2),
        values.get(values.len() / 2),
    ) {
        (Some(&low), Some(&high)) => midpoint(low, high),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Interrupted, Uninterruptible};

    fn slope(series: &[f64]) -> Option<TheilSen> {
        let series = Series::new(series.to_vec(), None).unwrap();
        theil_sen(&series, 0.95, &mut Uninterruptible).unwrap()
    }

    #[test]
    fn one_outlier_does_not_move_the_slope() {
        let mut series: Vec<f64> = (0..30).map(|i| 5.0 + 0.5 * f64::from(i)).collect();
        series[10] = 1e9;
        let answer = slope(&series).unwrap();
        assert_eq!(
            (answer.slope, answer.slope_low, answer.slope_high),
            (0.5, 0.5, 0.5)
        );
    }

    #[test]
    fn constant_short_and_coincident_input() {
        let flat = slope(&[3.0; 5]).unwrap();
        assert_eq!((flat.slope, flat.intercept), (0.0, 3.0));
        assert_eq!((flat.slope_low, flat.slope_high), (0.0, 0.0));
        assert_eq!(slope(&[1.0, f64::NAN, 2.0]), None);
        let together = Series::new(vec![1.0, 2.0, 3.0, 4.0], Some(vec![1.0; 4])).unwrap();
        assert_eq!(theil_sen(&together, 0.95, &mut Uninterruptible), Ok(None));
    }

    #[test]
    fn an_interruption_stops_the_work() {
        struct After(usize);
        impl Progress for After {
            fn poll(&mut self) -> Result<(), Interrupted> {
                self.0 = self.0.checked_sub(1).ok_or(Interrupted)?;
                Ok(())
            }
        }
        let series = Series::new((0..5000).map(f64::from).collect(), None).unwrap();
        for polls in [0, 1, 3, 20] {
            assert_eq!(
                theil_sen(&series, 0.95, &mut After(polls)),
                Err(TrendError::Interrupted(Interrupted))
            );
        }
    }
}
