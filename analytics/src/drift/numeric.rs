//! Drift of numeric features, predictions and targets.

use super::categorical::threshold;
use super::null::Null;
use super::psi::{Bins, distance, jensen_shannon_divergence, occupied};
use super::{Drift, DriftError, Measurement, Metric, population_stability_index};
use crate::hypothesis_tests::{Alternative, HypothesisError, KsMethod, KsTest, ks_two_sample_by};
use crate::progress::Progress;
use crate::severity::Severity;
use crate::statistics::{Estimator, StatsSummary};

/// The exact test takes time proportional to the product of the sizes; beyond this the limit is accurate.
pub(super) const EXACT_UP_TO: usize = 1_000_000;

/// Drift of a numeric subject: index and Jensen-Shannon distance on the reference's quantile bins, two-sample
/// Kolmogorov-Smirnov test, normalised Wasserstein distance.
///
/// NaN and infinities are left out (count them as missing). No measurements when a sample is empty. A constant reference
/// has no scale: its Wasserstein distance is 0 when the current sample is the same constant and undefined otherwise.
///
/// # Errors
/// [`DriftError::Interrupted`].
pub fn numeric(
    reference: &[f64],
    current: &[f64],
    settings: &Drift,
    progress: &mut dyn Progress,
) -> Result<Vec<Measurement>, DriftError> {
    progress.poll()?;
    let reference = finite_sorted(reference);
    let current = finite_sorted(current);
    let bins = Bins::from_sorted(&reference, settings.bins());
    let (p, q) = (bins.count_sorted(&reference), bins.count_sorted(&current));
    let (Some(index), Some(divergence)) = (
        population_stability_index(&p, &q),
        jensen_shannon_divergence(&p, &q),
    ) else {
        return Ok(Vec::new());
    };
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let null = Null::new(n, m, occupied(&p, &q).len());
    let Some(ks) = kolmogorov_smirnov(&reference, &current, progress)? else {
        return Ok(Vec::new());
    };
    Ok(vec![
        index_measurement(index, null, settings),
        ks_measurement(ks, n, m, settings),
        jensen_shannon_measurement(divergence, null, settings),
        wasserstein_measurement(
            normalized_wasserstein_sorted(&reference, &current),
            ks.p_value,
            settings,
        ),
    ])
}

fn finite_sorted(values: &[f64]) -> Vec<f64> {
    let mut values: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn kolmogorov_smirnov(
    reference: &[f64],
    current: &[f64],
    progress: &mut dyn Progress,
) -> Result<Option<KsTest>, DriftError> {
    let method = if reference.len().saturating_mul(current.len()) <= EXACT_UP_TO {
        KsMethod::Exact
    } else {
        KsMethod::Asymptotic
    };
    // Both samples are finite and not empty: only an interruption can end the test early.
    match ks_two_sample_by(reference, current, Alternative::TwoSided, method, progress) {
        Ok(test) => Ok(test),
        Err(HypothesisError::Interrupted(interrupted)) => Err(interrupted.into()),
        Err(_) => Ok(None),
    }
}

pub(super) fn index_measurement(index: f64, null: Option<Null>, settings: &Drift) -> Measurement {
    let p_value = null.map(|null| null.p_value(index));
    Measurement {
        metric: Metric::Psi,
        value: Some(index),
        reference_value: None,
        effect: index - null.map_or(0.0, |null| null.expected()),
        p_value,
        guard: p_value,
        threshold: null.map(|null| threshold(&null, settings.bounds(Metric::Psi).low, settings)),
        severity: Severity::None,
    }
}

pub(super) fn ks_measurement(ks: KsTest, n: f64, m: f64, settings: &Drift) -> Measurement {
    let critical = (-(settings.significance() / 2.0).ln() / 2.0 * (1.0 / n + 1.0 / m)).sqrt();
    Measurement {
        metric: Metric::Ks,
        value: Some(ks.statistic),
        reference_value: None,
        effect: ks.statistic,
        p_value: Some(ks.p_value),
        guard: Some(ks.p_value),
        threshold: Some(settings.bounds(Metric::Ks).low.max(critical)),
        severity: Severity::None,
    }
}

pub(super) fn jensen_shannon_measurement(
    divergence: f64,
    null: Option<Null>,
    settings: &Drift,
) -> Measurement {
    // An eighth of the index to second order, so eight times the divergence has the index's null distribution.
    let as_index = 8.0 * divergence;
    let p_value = null.map(|null| null.p_value(as_index));
    let bound = settings.bounds(Metric::JensenShannon).low;
    let bound_as_index = 8.0 * std::f64::consts::LN_2 * bound * bound;
    let expected = null.map_or(0.0, |null| null.expected());
    Measurement {
        metric: Metric::JensenShannon,
        value: Some(distance(divergence)),
        reference_value: None,
        effect: distance((as_index - expected) / 8.0),
        p_value,
        guard: p_value,
        threshold: null.map(|null| distance(threshold(&null, bound_as_index, settings) / 8.0)),
        severity: Severity::None,
    }
}

pub(super) fn wasserstein_measurement(
    value: Option<f64>,
    guard: f64,
    settings: &Drift,
) -> Measurement {
    Measurement {
        metric: Metric::Wasserstein,
        value,
        reference_value: None,
        effect: value.unwrap_or(0.0),
        p_value: None,
        guard: Some(guard),
        threshold: Some(settings.bounds(Metric::Wasserstein).low),
        severity: Severity::None,
    }
}

/// First Wasserstein distance in units of the reference's sample standard deviation.
///
/// NaN and infinities are left out. `None` when a sample is empty, when the reference has no scale and the samples
/// differ, or when the distance does not fit a double.
#[must_use]
pub fn normalized_wasserstein(reference: &[f64], current: &[f64]) -> Option<f64> {
    normalized_wasserstein_sorted(&finite_sorted(reference), &finite_sorted(current))
}

fn normalized_wasserstein_sorted(reference: &[f64], current: &[f64]) -> Option<f64> {
    let distance = wasserstein(reference, current)?;
    if distance == 0.0 {
        return Some(0.0);
    }
    let scale = StatsSummary::from_values(reference.iter().copied())
        .ok()?
        .stddev(Estimator::Sample)?;
    let normalized = distance / scale;
    normalized.is_finite().then_some(normalized)
}

/// The area between the two empirical distribution functions.
fn wasserstein(reference: &[f64], current: &[f64]) -> Option<f64> {
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let (mut left, mut right) = (reference.iter().peekable(), current.iter().peekable());
    let (mut below_left, mut below_right) = (0.0_f64, 0.0_f64);
    let mut previous: Option<f64> = None;
    let mut area = 0.0;
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    loop {
        let at = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => a.min(**b),
            (Some(a), None) => **a,
            (None, Some(b)) => **b,
            (None, None) => return Some(area),
        };
        if let Some(previous) = previous {
            area += (below_left / n - below_right / m).abs() * (at - previous);
        }
        while left.next_if(|value| **value == at).is_some() {
            below_left += 1.0;
        }
        while right.next_if(|value| **value == at).is_some() {
            below_right += 1.0;
        }
        previous = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DriftParameters, judge};
    use super::*;
    use crate::progress::{Interrupted, Uninterruptible};

    fn measure(reference: &[f64], current: &[f64]) -> Vec<Measurement> {
        let settings = DriftParameters::default().check().unwrap();
        let mut found = numeric(reference, current, &settings, &mut Uninterruptible).unwrap();
        judge(&mut [&mut found], &settings, false);
        found
    }

    fn uniform(n: u32, shift: f64) -> Vec<f64> {
        (0..n)
            .map(|i| f64::from(i) / f64::from(n) + shift)
            .collect()
    }

    #[test]
    fn the_same_sample_does_not_drift() {
        for m in measure(&uniform(500, 0.0), &uniform(500, 0.0)) {
            assert_eq!((m.value, m.severity), (Some(0.0), Severity::None));
        }
    }

    #[test]
    fn a_moved_sample_is_critical_whatever_the_metric() {
        for m in measure(&uniform(500, 0.0), &uniform(500, 0.8)) {
            assert_eq!(m.severity, Severity::Critical, "{}", m.metric.as_str());
            assert!(m.value > m.threshold);
        }
    }

    #[test]
    fn a_huge_sample_with_a_tiny_shift_is_no_drift() {
        for m in measure(&uniform(200_000, 0.0), &uniform(200_000, 0.01)) {
            assert_eq!(m.severity, Severity::None, "{}", m.metric.as_str());
            assert!(m.p_value.is_none_or(|p| p < 0.05));
        }
    }

    #[test]
    fn one_value_each_has_an_answer_and_no_severity() {
        let found = measure(&[1.0], &[100.0]);
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|m| m.severity == Severity::None));
    }

    #[test]
    fn constants_have_answers() {
        let same = measure(&[3.0; 50], &[3.0; 50]);
        assert!(same.iter().all(|m| m.value == Some(0.0)));
        let moved = measure(&[3.0; 50], &[2.0; 50]);
        let value = |metric| moved.iter().find(|m| m.metric == metric).unwrap();
        assert_eq!(value(Metric::Wasserstein).value, None);
        assert_eq!(value(Metric::Wasserstein).severity, Severity::None);
        assert_eq!(value(Metric::Psi).severity, Severity::Critical);
        assert_eq!(value(Metric::JensenShannon).value, Some(1.0));
        assert_eq!(value(Metric::Ks).value, Some(1.0));
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        let mut dirty = uniform(100, 0.0);
        dirty.extend([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        assert_eq!(
            measure(&dirty, &uniform(100, 0.1)),
            measure(&uniform(100, 0.0), &uniform(100, 0.1))
        );
        assert!(measure(&[f64::NAN], &[1.0]).is_empty());
        assert!(measure(&[1.0], &[]).is_empty());
    }

    #[test]
    fn distances_that_overflow_are_undefined() {
        let found = measure(&[-1.7e308, 1.7e308], &[1.7e308, 1.7e308]);
        assert_eq!(found[3].value, None);
    }

    #[test]
    fn the_null_keeps_its_level() {
        use rand::RngExt;
        use rand::SeedableRng;
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let settings = DriftParameters::default().check().unwrap();
        for (n, m) in [(60, 40), (1000, 200)] {
            let mut rejected = 0;
            for _ in 0..400 {
                let mut sample = |size: usize| -> Vec<f64> {
                    (0..size).map(|_| random.random::<f64>()).collect()
                };
                let (reference, current) = (sample(n), sample(m));
                let found = numeric(&reference, &current, &settings, &mut Uninterruptible).unwrap();
                rejected += u32::from(found[0].p_value.unwrap() < 0.05);
            }
            // 5 % of 400 is 20, with a standard deviation of 4.4.
            assert!(rejected <= 34, "{rejected} of 400 at {n}, {m}");
        }
    }

    #[test]
    fn the_caller_can_interrupt() {
        struct Stop;
        impl crate::progress::Progress for Stop {
            fn poll(&mut self) -> Result<(), Interrupted> {
                Err(Interrupted)
            }
        }
        let settings = DriftParameters::default().check().unwrap();
        assert_eq!(
            numeric(&[1.0], &[1.0], &settings, &mut Stop),
            Err(DriftError::Interrupted(Interrupted))
        );
    }
}
