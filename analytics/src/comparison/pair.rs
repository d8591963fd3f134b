//! Two periods against each other.

use super::usual::{EFFICIENCY, MIN_TRIALS, Usual, design_effect};
use super::{ALPHA, Bucket, Finding, Kind, Standing, finite};
use crate::aggregation::{
    MIN_VERDICT_DAYS, Moments, Proportion, compare_counts, compare_means, compare_rates,
};
use crate::statistics::special::{t_two_sided, t_two_sided_critical};

/// Two counts that together have fewer events than this have no verdict.
const MIN_EVENTS: f64 = 10.0;

/// What is known about the spread between days, for the comparison of two periods.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Standard deviation of days, sampling included.
    pub stddev: f64,
    /// Correlation of neighbouring days, 0 or more and below 1.
    pub autocorrelation: f64,
    /// How many days this rests on.
    pub n: f64,
}

/// The variances of two periods that sampling does not explain, and their degrees of freedom.
struct Between {
    current: f64,
    reference: f64,
    freedom: f64,
}

/// Compares two periods of a series.
///
/// The variance of the difference is the sampling variance of both periods plus what varies between periods: for days the
/// variance between days that `usual` found, for longer periods of d days the variance of days (`spread`), inflated for
/// autocorrelation, divided by d for means and rates and multiplied by d for counts, as far as it exceeds the sampling
/// variance. The difference over its error is read as Student's t (Satterthwaite), with the continuity correction for rates
/// and counts. Effect sizes: Hedges' g, Cohen's h, the logarithm of the ratio.
///
/// Insufficient, and without p-value and interval, when fewer than [`MIN_VERDICT_DAYS`] periods tell what varies between
/// them; insufficient too for rates of fewer than [`MIN_TRIALS`] trials on a side, for counts of fewer than 10 events
/// on both sides together, and for counts of a period that is not over. `None` when a level is missing or the kinds differ.
///
/// `days` is how long the two periods are.
#[must_use]
pub fn compare_pair(
    current: &Bucket,
    reference: &Bucket,
    usual: Option<&Usual>,
    spread: Option<Spread>,
    days: (f64, f64),
) -> Option<Finding> {
    let kind = current.kind();
    if reference.kind() != kind {
        return None;
    }
    let (level, reference_level) = (current.level()?, reference.level()?);
    let plain = match kind {
        Kind::Measurement => compare_means(moments(current), moments(reference)),
        Kind::Rate => compare_rates(proportion(current), proportion(reference)),
        Kind::Count => compare_counts(level, reference_level),
    }?;
    let mut finding = Finding {
        reference: reference_level,
        difference: plain.difference,
        percent: plain.percent,
        low: None,
        high: None,
        p_value: None,
        effect_size: plain.effect_size,
        standing: Standing::Insufficient,
    };
    let usual = usual.filter(|usual| usual.kind == kind && usual.n >= MIN_VERDICT_DAYS);
    let (own, others) = sampling(kind, current, reference, usual);
    let between = match (usual, spread) {
        (Some(usual), _) => Between {
            current: usual.between,
            reference: usual.between,
            freedom: usual.freedom(),
        },
        (None, Some(spread)) if spread.n >= MIN_VERDICT_DAYS as f64 => {
            let variance = spread.stddev.powi(2) * design_effect(spread.autocorrelation);
            let of_period = |days: f64, sampling: f64| {
                let days = days.max(1.0);
                let whole = if kind == Kind::Count {
                    variance * days
                } else {
                    variance / days
                };
                (whole - sampling).max(0.0)
            };
            Between {
                current: of_period(days.0, own),
                reference: of_period(days.1, others),
                freedom: (EFFICIENCY * spread.n / design_effect(spread.autocorrelation)).max(1.0),
            }
        }
        _ => return Some(finding),
    };
    test(
        &mut finding,
        kind,
        (own, others),
        &between,
        (current, reference),
        usual,
    );
    Some(finding)
}

fn test(
    finding: &mut Finding,
    kind: Kind,
    (own, others): (f64, f64),
    between: &Between,
    (current, reference): (&Bucket, &Bucket),
    usual: Option<&Usual>,
) {
    let around = between.current + between.reference;
    let variance = around + own + others;
    let correction = match kind {
        Kind::Rate => 0.5 / current.denominator + 0.5 / reference.denominator,
        Kind::Count => 1.0,
        Kind::Measurement => 0.0,
    };
    if variance > 0.0 && variance.is_finite() {
        let mut share = around.powi(2) / between.freedom;
        if kind == Kind::Measurement {
            for (bucket, sampling) in [(current, own), (reference, others)] {
                let freedom = if bucket.n >= 2.0 {
                    bucket.n - 1.0
                } else {
                    usual.map_or(1.0, Usual::within_freedom).max(1.0)
                };
                share += sampling.powi(2) / freedom;
            }
        }
        let freedom = (variance.powi(2) / share).clamp(1.0, 1e6);
        let error = variance.sqrt();
        let reach = t_two_sided_critical(1.0 - ALPHA, freedom) * error;
        finding.low = Some(finding.difference - reach);
        finding.high = Some(finding.difference + reach);
        let t = (finding.difference.abs() - correction).max(0.0) / error;
        finding.p_value = finite(t_two_sided(t, freedom));
    } else {
        finding.low = Some(finding.difference);
        finding.high = Some(finding.difference);
    }
    let is_sufficient = match kind {
        Kind::Measurement => true,
        Kind::Rate => current.denominator.min(reference.denominator) >= MIN_TRIALS,
        Kind::Count => current.total + reference.total >= MIN_EVENTS && !current.is_running,
    };
    if kind == Kind::Count && current.is_running {
        finding.p_value = None;
    }
    finding.standing = Standing::of(finding.difference, finding.reference, is_sufficient);
}

/// The sampling variances of both levels if there is no difference between them.
fn sampling(kind: Kind, current: &Bucket, reference: &Bucket, usual: Option<&Usual>) -> (f64, f64) {
    match kind {
        Kind::Rate => {
            // One success and one failure more than there were: no rate of 0 or 1 is without error.
            let successes = current.successes() + reference.successes() + 1.0;
            let p = successes / (current.denominator + reference.denominator + 2.0);
            let variance = p * (1.0 - p);
            (
                variance / current.denominator,
                variance / reference.denominator,
            )
        }
        Kind::Count => {
            let expected = (current.total + reference.total) / 2.0;
            (expected, expected)
        }
        Kind::Measurement => {
            let of = |bucket: &Bucket| {
                if bucket.n >= 2.0 && bucket.stddev.is_finite() {
                    bucket.stddev.powi(2) / bucket.n
                } else {
                    usual.map_or(0.0, |usual| usual.sampling(bucket))
                }
            };
            (of(current), of(reference))
        }
    }
}

fn moments(bucket: &Bucket) -> Moments {
    Moments {
        n: bucket.n,
        mean: bucket.mean,
        stddev: bucket.stddev,
    }
}

fn proportion(bucket: &Bucket) -> Proportion {
    Proportion {
        numerator: bucket.numerator,
        denominator: bucket.denominator,
    }
}
