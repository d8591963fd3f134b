//! Baselines and comparisons of performance aggregates.
//!
//! A period is compared with another by what it holds: two rates by a test of two proportions ([`compare_rates`]), two sets
//! of measurements by Welch's test ([`compare_means`]), two counts by the conditional test of two Poisson counts
//! ([`compare_counts`]). A single day is compared with its recent past by [`Baseline::compare`], which takes the spread
//! *between* days as its yardstick: within a day thousands of measurements may agree on a value that is nothing unusual.

mod bucket;

pub use bucket::{BUCKET_PERCENTILES, BucketValues, StoredBucket, bucket_measures};

use crate::statistics::special::{
    hedges_correction, normal_upper, t_two_sided, t_two_sided_critical,
};

/// Fewer days than this give no baseline.
pub const MIN_BASELINE_DAYS: usize = 3;

/// Fewer days than this give a baseline but no verdict.
pub const MIN_VERDICT_DAYS: usize = 7;

/// Confidence of a baseline's bounds, and the level of its verdict.
const BASELINE_CONFIDENCE: f64 = 0.95;

/// The median absolute deviation of normal data times this estimates the standard deviation.
pub(crate) const MAD_TO_STDDEV: f64 = 1.482_602_218_505_602;

/// The mean absolute deviation of normal data times this estimates the standard deviation.
pub(crate) const MEAN_DEVIATION_TO_STDDEV: f64 = 1.253_314_137_315_500_1;

/// Count, mean and sample standard deviation of a period's measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// How many measurements.
    pub n: f64,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation; NaN when unknown.
    pub stddev: f64,
}

/// Successes out of trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportion {
    /// Successes.
    pub numerator: f64,
    /// Trials.
    pub denominator: f64,
}

/// How one period differs from another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Current minus reference.
    pub difference: f64,
    /// The difference in percent of the size of the reference; `None` when the reference is 0.
    pub percent: Option<f64>,
    /// Two-sided; `None` when the data do not allow a test.
    pub p_value: Option<f64>,
    /// The difference in standard units (see the comparing function); `None` when there is no spread to measure it by.
    pub effect_size: Option<f64>,
}

impl Comparison {
    fn new(current: f64, reference: f64) -> Self {
        let difference = current - reference;
        Self {
            difference,
            percent: finite(100.0 * difference / reference.abs()),
            p_value: None,
            effect_size: None,
        }
    }
}

/// Compares two sets of measurements: Welch's t test, and Hedges' g as the effect size.
///
/// `None` when a mean is not finite. Without two measurements on each side, or without any spread, there is a difference
/// but no test.
#[must_use]
pub fn compare_means(current: Moments, reference: Moments) -> Option<Comparison> {
    if !current.mean.is_finite() || !reference.mean.is_finite() {
        return None;
    }
    let mut comparison = Comparison::new(current.mean, reference.mean);
    let (n1, n2) = (current.n, reference.n);
    let (v1, v2) = (current.stddev.powi(2), reference.stddev.powi(2));
    let error = v1 / n1 + v2 / n2;
    if n1 >= 2.0 && n2 >= 2.0 && error.is_finite() && error > 0.0 {
        let freedom =
            error.powi(2) / ((v1 / n1).powi(2) / (n1 - 1.0) + (v2 / n2).powi(2) / (n2 - 1.0));
        comparison.p_value = two_sided_t(comparison.difference / error.sqrt(), freedom);
        let pooled_freedom = n1 + n2 - 2.0;
        let pooled = ((n1 - 1.0) * v1 + (n2 - 1.0) * v2) / pooled_freedom;
        let correction = hedges_correction(pooled_freedom);
        comparison.effect_size = finite(correction * comparison.difference / pooled.sqrt());
    }
    Some(comparison)
}

/// Compares two rates: the pooled z test of two proportions, and Cohen's h as the effect size.
///
/// `None` when either side has no trials. Successes beyond the number of trials count as all trials.
#[must_use]
pub fn compare_rates(current: Proportion, reference: Proportion) -> Option<Comparison> {
    let rate = |p: Proportion| {
        (p.denominator > 0.0 && p.numerator >= 0.0).then(|| (p.numerator / p.denominator).min(1.0))
    };
    let (r1, r2) = (rate(current)?, rate(reference)?);
    let (n1, n2) = (current.denominator, reference.denominator);
    let mut comparison = Comparison::new(r1, r2);
    let pooled = (r1 * n1 + r2 * n2) / (n1 + n2);
    let error = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
    if error > 0.0 {
        comparison.p_value = Some(two_sided_z(comparison.difference / error));
    }
    comparison.effect_size = Some(2.0 * r1.sqrt().asin() - 2.0 * r2.sqrt().asin());
    Some(comparison)
}

/// Compares two counts of events over periods of equal standing: the conditional normal test of two Poisson counts, and
/// the logarithm of their ratio as the effect size.
///
/// `None` when a count is negative or not finite.
#[must_use]
pub fn compare_counts(current: f64, reference: f64) -> Option<Comparison> {
    if !(current.is_finite() && reference.is_finite() && current >= 0.0 && reference >= 0.0) {
        return None;
    }
    let mut comparison = Comparison::new(current, reference);
    let both = current + reference;
    if both > 0.0 {
        comparison.p_value = Some(two_sided_z(comparison.difference / both.sqrt()));
    }
    comparison.effect_size = finite((current / reference).ln());
    Some(comparison)
}

/// What is usual, from recent periods.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// The median of the recent periods.
    pub value: f64,
    /// Lower bound of what the next period should be, at 95 %.
    pub lower: f64,
    /// Upper bound of what the next period should be, at 95 %.
    pub upper: f64,
    /// The robust spread between periods, on the scale of a standard deviation.
    pub stddev: f64,
    /// How many periods it rests on.
    pub n: usize,
}

/// How a value stands against its baseline, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Above the bounds.
    Higher,
    /// Below the bounds.
    Lower,
    /// Within the bounds.
    NoDifference,
    /// The baseline rests on fewer than [`MIN_VERDICT_DAYS`] periods.
    InsufficientData,
}

impl Verdict {
    /// The word used in tables. Where it is known which way is good, `higher` and `lower` become `better` and `worse`.
    #[must_use]
    pub fn as_str(self, higher_is_better: Option<bool>) -> &'static str {
        match (self, higher_is_better) {
            (Verdict::Higher, Some(true)) | (Verdict::Lower, Some(false)) => "better",
            (Verdict::Higher, Some(false)) | (Verdict::Lower, Some(true)) => "worse",
            (Verdict::Higher, None) => "higher",
            (Verdict::Lower, None) => "lower",
            (Verdict::NoDifference, _) => "no_difference",
            (Verdict::InsufficientData, _) => "insufficient_data",
        }
    }
}

/// The rolling-median baseline of recent periods: their median, with a 95 % prediction interval from the median absolute
/// deviation.
///
/// The spread is 1.4826 · MAD; where more than half of the periods agree exactly it is 1.2533 times the mean absolute
/// deviation; where all agree it is 0. The interval is median ± t · spread · √(1 + 1/n) with n − 1 degrees of freedom. NaN
/// and infinite periods are missing; fewer than [`MIN_BASELINE_DAYS`] give `None`.
#[must_use]
pub fn rolling_median(periods: &[f64]) -> Option<Baseline> {
    let mut values: Vec<f64> = periods.iter().copied().filter(|v| v.is_finite()).collect();
    let n = values.len();
    if n < MIN_BASELINE_DAYS {
        return None;
    }
    let value = median(&mut values)?;
    let mut deviations: Vec<f64> = values.iter().map(|v| (v - value).abs()).collect();
    let mad = median(&mut deviations)?;
    let stddev = if mad > 0.0 {
        MAD_TO_STDDEV * mad
    } else {
        MEAN_DEVIATION_TO_STDDEV * deviations.iter().sum::<f64>() / n as f64
    };
    let plain = Baseline {
        value,
        lower: value,
        upper: value,
        stddev,
        n,
    };
    Some(plain.moved(value, stddev))
}

impl Baseline {
    /// The same number of periods around another centre, with another spread.
    #[must_use]
    pub fn moved(&self, value: f64, stddev: f64) -> Self {
        let reach = t_two_sided_critical(BASELINE_CONFIDENCE, self.n as f64 - 1.0)
            * prediction_error(stddev, self.n);
        Self {
            value,
            lower: value - reach,
            upper: value + reach,
            stddev,
            n: self.n,
        }
    }

    /// Compares a period with this baseline: a t test of one new observation against the spread between periods, which
    /// is also the unit of the effect size. `None` when the value is not finite.
    #[must_use]
    pub fn compare(&self, value: f64) -> Option<(Comparison, Verdict)> {
        if !value.is_finite() {
            return None;
        }
        let mut comparison = Comparison::new(value, self.value);
        if self.stddev > 0.0 {
            let t = comparison.difference / prediction_error(self.stddev, self.n);
            comparison.p_value = two_sided_t(t, self.n as f64 - 1.0);
            comparison.effect_size = finite(comparison.difference / self.stddev);
        }
        let verdict = if self.n < MIN_VERDICT_DAYS {
            Verdict::InsufficientData
        } else if value > self.upper {
            Verdict::Higher
        } else if value < self.lower {
            Verdict::Lower
        } else {
            Verdict::NoDifference
        };
        Some((comparison, verdict))
    }
}

/// The standard error of one new period around a centre estimated from `n`.
fn prediction_error(stddev: f64, n: usize) -> f64 {
    stddev * (1.0 + 1.0 / n as f64).sqrt()
}

/// The median; sorts the values. `None` when there are none.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let low = values.get(values.len().checked_sub(1)? / 2)?;
    let high = values.get(values.len() / 2)?;
    Some(low / 2.0 + high / 2.0)
}

fn two_sided_z(z: f64) -> f64 {
    2.0 * normal_upper(z.abs())
}

fn two_sided_t(t: f64, freedom: f64) -> Option<f64> {
    if !t.is_finite() || !freedom.is_finite() || freedom <= 0.0 {
        return None;
    }
    Some(t_two_sided(t, freedom))
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(n: f64, mean: f64, stddev: f64) -> Moments {
        Moments { n, mean, stddev }
    }

    #[test]
    fn equal_periods_do_not_differ() {
        let same = compare_means(moments(10.0, 5.0, 2.0), moments(10.0, 5.0, 2.0)).unwrap();
        assert_eq!((same.difference, same.percent), (0.0, Some(0.0)));
        assert_eq!((same.p_value, same.effect_size), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn no_spread_or_one_measurement_allow_no_test() {
        for (n, stddev) in [(10.0, 0.0), (1.0, f64::NAN)] {
            let answer = compare_means(moments(n, 6.0, stddev), moments(n, 5.0, stddev)).unwrap();
            assert_eq!((answer.difference, answer.percent), (1.0, Some(20.0)));
            assert_eq!((answer.p_value, answer.effect_size), (None, None));
        }
        assert_eq!(
            compare_means(moments(9.0, f64::NAN, 1.0), moments(9.0, 1.0, 1.0)),
            None
        );
    }

    #[test]
    fn percent_is_of_the_size_of_the_reference() {
        let answer = compare_means(moments(5.0, -8.0, 1.0), moments(5.0, -10.0, 1.0)).unwrap();
        assert_eq!(answer.percent, Some(20.0));
        assert_eq!(compare_counts(3.0, 0.0).unwrap().percent, None);
    }

    #[test]
    fn rates_need_trials() {
        let none = Proportion {
            numerator: 0.0,
            denominator: 0.0,
        };
        let all = Proportion {
            numerator: 7.0,
            denominator: 5.0,
        };
        assert_eq!(compare_rates(none, all), None);
        let same = compare_rates(all, all).unwrap();
        assert_eq!((same.difference, same.p_value), (0.0, None));
    }

    #[test]
    fn counts() {
        let answer = compare_counts(120.0, 80.0).unwrap();
        assert_eq!((answer.difference, answer.percent), (40.0, Some(50.0)));
        assert!((answer.p_value.unwrap() - 0.004_677_734_981_047_266).abs() < 1e-12);
        assert_eq!(compare_counts(0.0, 0.0).unwrap().p_value, None);
        assert_eq!(compare_counts(-1.0, 3.0), None);
    }

    #[test]
    fn a_baseline_needs_three_periods_and_a_verdict_seven() {
        assert_eq!(rolling_median(&[1.0, f64::NAN, 2.0]), None);
        let short = rolling_median(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((short.value, short.n), (2.0, 3));
        assert_eq!(short.compare(99.0).unwrap().1, Verdict::InsufficientData);
    }

    #[test]
    fn one_wild_day_does_not_move_the_baseline() {
        let baseline = rolling_median(&[9.0, 10.0, 11.0, 10.5, 9.5, 10.0, 1e6]).unwrap();
        assert_eq!(baseline.value, 10.0);
        assert!(baseline.upper < 13.0);
        assert_eq!(baseline.compare(20.0).unwrap().1, Verdict::Higher);
        assert_eq!(baseline.compare(10.2).unwrap().1, Verdict::NoDifference);
        assert_eq!(baseline.compare(f64::NAN), None);
    }

    #[test]
    fn a_constant_past_has_no_spread() {
        let baseline = rolling_median(&[4.0; 10]).unwrap();
        assert_eq!(
            (baseline.lower, baseline.upper, baseline.stddev),
            (4.0, 4.0, 0.0)
        );
        let (comparison, verdict) = baseline.compare(3.0).unwrap();
        assert_eq!((comparison.p_value, comparison.effect_size), (None, None));
        assert_eq!(verdict, Verdict::Lower);
        assert_eq!(baseline.compare(4.0).unwrap().1, Verdict::NoDifference);
    }

    #[test]
    fn mostly_equal_days_take_the_mean_deviation() {
        let baseline = rolling_median(&[5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 6.0, 4.0]).unwrap();
        assert!((baseline.stddev - MEAN_DEVIATION_TO_STDDEV * 0.25).abs() < 1e-15);
    }

    #[test]
    fn a_verdict_agrees_with_its_p_value() {
        let baseline = rolling_median(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]).unwrap();
        let (at_bound, _) = baseline.compare(baseline.upper).unwrap();
        assert!((at_bound.p_value.unwrap() - 0.05).abs() < 1e-9);
    }

    #[test]
    fn words() {
        assert_eq!(Verdict::Higher.as_str(Some(false)), "worse");
        assert_eq!(Verdict::Lower.as_str(Some(false)), "better");
        assert_eq!(Verdict::Higher.as_str(None), "higher");
        assert_eq!(Verdict::NoDifference.as_str(Some(true)), "no_difference");
    }
}
