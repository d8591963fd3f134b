//! Means of recent periods, all alike or the newest first.

use super::predicted;
use crate::aggregation::{Baseline, MIN_BASELINE_DAYS};

/// The mean of the periods, with their sample standard deviation and n − 1 degrees of freedom.
///
/// NaN and infinite periods are missing; fewer than [`MIN_BASELINE_DAYS`] give `None`.
#[must_use]
pub fn mean_baseline(periods: &[f64]) -> Option<Baseline> {
    let values: Vec<f64> = periods.iter().copied().filter(|v| v.is_finite()).collect();
    if values.len() < MIN_BASELINE_DAYS {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let stddev = (squares / (n - 1.0)).sqrt();
    finite(predicted(mean, stddev, n, n - 1.0, values.len()))
}

/// The exponentially weighted mean: a period that is `age` days old weighs `0.5^(age / half_life)`.
///
/// The variance is the unbiased one for reliability weights, `Σ w (x − m)² / (Σw − Σw²/Σw)`; what it rests on is Kish's
/// effective number of periods `(Σw)² / Σw²`, less one as degrees of freedom. Ages and half life are in days; NaN and
/// infinite periods are missing; fewer than [`MIN_BASELINE_DAYS`], a half life that is not positive, or an effective number
/// of at most one give `None`.
#[must_use]
pub fn ewma(periods: &[f64], ages: &[f64], half_life: f64) -> Option<Baseline> {
    if half_life.is_nan() || half_life <= 0.0 {
        return None;
    }
    let weighted: Vec<(f64, f64)> = periods
        .iter()
        .zip(ages)
        .filter(|(value, age)| value.is_finite() && age.is_finite())
        .map(|(&value, age)| (value, (-age / half_life).exp2()))
        .collect();
    if weighted.len() < MIN_BASELINE_DAYS {
        return None;
    }
    let whole: f64 = weighted.iter().map(|(_, w)| w).sum();
    let squared: f64 = weighted.iter().map(|(_, w)| w * w).sum();
    let mean = weighted.iter().map(|(x, w)| x * w).sum::<f64>() / whole;
    let squares: f64 = weighted.iter().map(|(x, w)| w * (x - mean).powi(2)).sum();
    let effective = whole * whole / squared;
    if effective.is_nan() || effective <= 1.0 {
        return None;
    }
    let stddev = (squares / (whole - squared / whole)).sqrt();
    finite(predicted(
        mean,
        stddev,
        effective,
        effective - 1.0,
        weighted.len(),
    ))
}

fn finite(baseline: Baseline) -> Option<Baseline> {
    (baseline.lower.is_finite() && baseline.upper.is_finite()).then_some(baseline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_weights_are_the_plain_mean() {
        let days = [3.0, 5.0, 4.0, 8.0];
        let plain = mean_baseline(&days).unwrap();
        let weighted = ewma(&days, &[7.0; 4], 3.0).unwrap();
        assert!((plain.value - weighted.value).abs() < 1e-12);
        assert!((plain.stddev - weighted.stddev).abs() < 1e-12);
        assert!((plain.upper - weighted.upper).abs() < 1e-9);
    }

    #[test]
    fn the_newest_count_most() {
        let baseline = ewma(&[0.0, 0.0, 0.0, 10.0], &[3.0, 2.0, 1.0, 0.0], 1.0).unwrap();
        assert!(baseline.value > 5.0, "{baseline:?}");
    }

    #[test]
    fn odd_input() {
        assert_eq!(mean_baseline(&[1.0, f64::NAN, 2.0]), None);
        assert_eq!(mean_baseline(&[f64::MAX, f64::MAX, f64::MAX]), None);
        assert_eq!(ewma(&[1.0, 2.0, 3.0], &[0.0, 1.0, 2.0], 0.0), None);
        assert_eq!(ewma(&[1.0, 2.0, 3.0], &[0.0, 1.0, 2.0], f64::NAN), None);
        assert_eq!(ewma(&[1.0, 2.0, 3.0], &[1e6, 1e6, 1e6], 1.0), None);
        let constant = ewma(&[2.0; 5], &[0.0, 1.0, 2.0, 3.0, 4.0], 2.0).unwrap();
        assert_eq!((constant.lower, constant.upper), (2.0, 2.0));
    }
}
