//! Points that do not fit a baseline.
//!
//! The baseline is described by its median and its median absolute deviation (MAD), which up to half of the values can
//! be wrong without moving far. The points under test are never part of it.

use crate::error::{Classify, ErrorKind};
use crate::severity::Severity;
use crate::statistics::special::t_two_sided;

/// A baseline with fewer finite values than this describes nothing.
pub const SMALLEST_BASELINE: usize = 8;

/// MAD × this estimates the standard deviation of normal data: 1 / Φ⁻¹(3/4).
pub const MAD_CONSISTENCY: f64 = 1.482_602_218_505_602;

/// The mean absolute deviation × this estimates the standard deviation of normal data: √(π/2).
const MEAN_DEVIATION_CONSISTENCY: f64 = 1.253_314_137_315_500_1;

/// Where the scale of a baseline comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleMethod {
    /// Median absolute deviation.
    Mad,
    /// Mean absolute deviation from the median: more than half of the values are equal.
    MeanDeviation,
}

impl ScaleMethod {
    /// The name used in results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mad => "mad",
            Self::MeanDeviation => "mean_deviation",
        }
    }
}

/// Why points could not be scored.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum AnomalyError {
    /// The threshold is not a positive finite number.
    #[error("threshold must be a positive number, not {0}")]
    Threshold(f64),
}

impl Classify for AnomalyError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidParameter
    }

    fn hint(&self) -> Option<String> {
        Some("It counts robust standard deviations; 3.5 is customary.".to_owned())
    }
}

/// How many robust standard deviations away an anomaly begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold(f64);

impl Threshold {
    /// Checks a threshold.
    ///
    /// # Errors
    /// [`AnomalyError::Threshold`] unless it is positive and finite.
    pub fn new(threshold: f64) -> Result<Self, AnomalyError> {
        if threshold > 0.0 && threshold.is_finite() {
            Ok(Self(threshold))
        } else {
            Err(AnomalyError::Threshold(threshold))
        }
    }

    /// As a number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Centre and scale of a baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// Finite values used.
    pub n: usize,
    /// Their median.
    pub median: f64,
    /// Median of the absolute deviations from the median, not scaled.
    pub mad: f64,
    /// Robust standard deviation.
    pub scale: f64,
    /// Where `scale` comes from.
    pub scale_method: ScaleMethod,
}

/// One value against a baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Signed distance from the median in robust standard deviations.
    pub score: f64,
    /// Two-sided tail probability of Student's t with n - 1 degrees of freedom at the score: a short baseline makes a
    /// careful judge.
    pub p_value: f64,
    /// Median minus threshold × scale.
    pub expected_low: f64,
    /// Median plus threshold × scale.
    pub expected_high: f64,
}

impl Score {
    /// Whether the value lies outside the expected range.
    #[must_use]
    pub fn is_anomalous(&self, threshold: Threshold) -> bool {
        self.score.abs() > threshold.0
    }

    /// Severity by tail probability: critical below 1e-10, high below 1e-7, medium below 1e-5, else low.
    ///
    /// For a long baseline these are about 6.5, 5.3 and 4.4 robust standard deviations.
    #[must_use]
    pub fn severity(&self, threshold: Threshold) -> Severity {
        if !self.is_anomalous(threshold) {
            Severity::None
        } else if self.p_value < 1e-10 {
            Severity::Critical
        } else if self.p_value < 1e-7 {
            Severity::High
        } else if self.p_value < 1e-5 {
            Severity::Medium
        } else {
            Severity::Low
        }
    }
}

impl Baseline {
    /// Describes the finite values.
    ///
    /// The scale is the MAD; when that is zero (more than half of the values are equal), the mean absolute deviation;
    /// `None` when that is zero too (constant), when there are fewer than [`SMALLEST_BASELINE`] finite values, or when
    /// the spread does not fit a double.
    #[must_use]
    pub fn fit(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        if sorted.len() < SMALLEST_BASELINE {
            return None;
        }
        let center = median(&mut sorted)?;
        let mut deviations: Vec<f64> = sorted.iter().map(|value| (value - center).abs()).collect();
        let mad = median(&mut deviations)?;
        let n = deviations.len();
        let (scale, scale_method) = if mad > 0.0 {
            (mad * MAD_CONSISTENCY, ScaleMethod::Mad)
        } else {
            let mean = deviations.iter().map(|d| d / n as f64).sum::<f64>();
            (
                mean * MEAN_DEVIATION_CONSISTENCY,
                ScaleMethod::MeanDeviation,
            )
        };
        (scale > 0.0 && scale.is_finite()).then_some(Self {
            n,
            median: center,
            mad,
            scale,
            scale_method,
        })
    }

    /// Scores a value; an infinity scores an infinity, NaN has no score.
    #[must_use]
    pub fn score(&self, value: f64, threshold: Threshold) -> Option<Score> {
        if value.is_nan() {
            return None;
        }
        let score = (value - self.median) / self.scale;
        let margin = threshold.0 * self.scale;
        Some(Score {
            score,
            p_value: if score.is_finite() {
                t_two_sided(score, self.n as f64 - 1.0).clamp(0.0, 1.0)
            } else {
                0.0
            },
            expected_low: self.median - margin,
            expected_high: self.median + margin,
        })
    }
}

/// The median, which reorders its input; `None` when empty.
fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if even {
        let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(f64::midpoint(lower, *upper))
    } else {
        Some(*upper)
    }
}

/// A confidence on an unbounded scale, so that a baseline near one does not call every lower value unusual.
///
/// The log-odds, with the confidence kept one in a million away from 0 and 1; NaN stays NaN.
#[must_use]
pub fn log_odds(confidence: f64) -> f64 {
    let inner = confidence.clamp(1e-6, 1.0 - 1e-6);
    (inner / (1.0 - inner)).ln()
}

/// Back from [`log_odds`].
#[must_use]
pub fn from_log_odds(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold() -> Threshold {
        Threshold::new(3.5).unwrap()
    }

    fn ramp(n: u32) -> Vec<f64> {
        (0..n).map(f64::from).collect()
    }

    #[test]
    fn a_threshold_is_positive_and_finite() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Threshold::new(bad).is_err());
        }
        assert_eq!(threshold().get(), 3.5);
    }

    #[test]
    fn too_few_or_constant_values_describe_nothing() {
        assert_eq!(Baseline::fit(&[]), None);
        assert_eq!(Baseline::fit(&ramp(7)), None);
        assert_eq!(Baseline::fit(&[4.0; 100]), None);
        let mut with_gaps = ramp(7);
        with_gaps.extend([f64::NAN, f64::INFINITY]);
        assert_eq!(Baseline::fit(&with_gaps), None);
        assert_eq!(Baseline::fit(&ramp(8)).unwrap().n, 8);
    }

    #[test]
    fn mostly_equal_values_fall_back_to_the_mean_deviation() {
        let mut values = vec![10.0; 20];
        values.extend([9.0, 11.0]);
        let baseline = Baseline::fit(&values).unwrap();
        assert_eq!(baseline.mad, 0.0);
        assert_eq!(baseline.scale_method, ScaleMethod::MeanDeviation);
        assert!((baseline.scale - 2.0 / 22.0 * MEAN_DEVIATION_CONSISTENCY).abs() < 1e-15);
    }

    #[test]
    fn the_baseline_resists_wild_values() {
        let clean = Baseline::fit(&ramp(100)).unwrap();
        let mut dirty = ramp(100);
        dirty.extend([1e12; 5]);
        let dirty = Baseline::fit(&dirty).unwrap();
        assert!((dirty.scale / clean.scale - 1.0).abs() < 0.1);
    }

    #[test]
    fn a_short_baseline_judges_carefully() {
        let short = Baseline::fit(&ramp(8)).unwrap();
        let long: Vec<f64> = ramp(8).into_iter().cycle().take(8000).collect();
        let long = Baseline::fit(&long).unwrap();
        assert_eq!(short.scale, long.scale);
        let severity = |b: &Baseline| b.score(30.0, threshold()).unwrap().severity(threshold());
        assert_eq!(severity(&long), Severity::Critical);
        assert_eq!(severity(&short), Severity::Low);
    }

    #[test]
    fn values_that_are_not_finite_have_answers() {
        let baseline = Baseline::fit(&ramp(20)).unwrap();
        assert_eq!(baseline.score(f64::NAN, threshold()), None);
        let infinite = baseline.score(f64::NEG_INFINITY, threshold()).unwrap();
        assert_eq!(infinite.score, f64::NEG_INFINITY);
        assert_eq!(infinite.severity(threshold()), Severity::Critical);
        let middle = baseline.score(9.5, threshold()).unwrap();
        assert_eq!((middle.score, middle.p_value), (0.0, 1.0));
        assert!(!middle.is_anomalous(threshold()));
        assert_eq!(middle.severity(threshold()), Severity::None);
    }

    #[test]
    fn spreads_that_overflow_describe_nothing() {
        let values: Vec<f64> = (0..10)
            .map(|i| if i % 2 == 0 { 1.7e308 } else { -1.7e308 })
            .collect();
        assert_eq!(Baseline::fit(&values), None);
    }

    #[test]
    fn log_odds_round_trip() {
        for confidence in [0.001, 0.3, 0.5, 0.99] {
            assert!((from_log_odds(log_odds(confidence)) - confidence).abs() < 1e-12);
        }
        assert!(log_odds(0.0).is_finite() && log_odds(1.0).is_finite());
        assert!(log_odds(f64::NAN).is_nan());
    }
}
