//! Did the model get worse where the truth is known?

use super::{Drift, Measurement, Metric};
use crate::hypothesis_tests::{Alternative, welch_t_test};
use crate::severity::Severity;
use crate::statistics::StatsSummary;
use crate::statistics::special::normal_upper;

/// Mean absolute and root mean squared error of the current window against the reference's.
///
/// `reference` and `current` are errors (actual minus predicted); those that are not finite are left out. The effect is
/// the relative increase, the p-value that of Welch's test on the absolute (squared) errors in the direction of the
/// change. Getting better is never severe. No measurements when a window has no errors; no p-value, and so no severity,
/// when a window has one or neither varies.
#[must_use]
pub fn regression(reference: &[f64], current: &[f64], settings: &Drift) -> Vec<Measurement> {
    [Metric::Mae, Metric::Rmse]
        .into_iter()
        .filter_map(|metric| error_measurement(metric, reference, current, settings))
        .collect()
}

fn error_measurement(
    metric: Metric,
    reference: &[f64],
    current: &[f64],
    settings: &Drift,
) -> Option<Measurement> {
    let squared = metric == Metric::Rmse;
    let summary = |errors: &[f64]| {
        let sizes = errors.iter().filter(|error| error.is_finite());
        let sizes = sizes.map(|error| if squared { error * error } else { error.abs() });
        StatsSummary::from_values(sizes).ok()
    };
    let (reference, current) = (summary(reference)?, summary(current)?);
    let level = |summary: &StatsSummary| {
        summary
            .mean()
            .map(|mean| if squared { mean.sqrt() } else { mean })
            .filter(|mean| mean.is_finite())
    };
    let (before, now) = (level(&reference)?, level(&current)?);
    let p_value = welch_t_test(&current, &reference, 0.95, Alternative::TwoSided)
        .ok()
        .flatten()
        .map(|test| test.outcome.p_value / 2.0)
        .filter(|p| p.is_finite());
    let increase = if now == before {
        0.0
    } else {
        now / before - 1.0
    };
    Some(Measurement {
        metric,
        value: Some(now),
        reference_value: Some(before),
        effect: increase,
        p_value,
        guard: p_value,
        threshold: Some(before * (1.0 + settings.bounds(metric).low)),
        severity: Severity::None,
    })
}

/// Accuracy of the current window against the reference's, from counts of right labels and of all labels.
///
/// The effect is the absolute loss; the p-value is that of the one-sided two-proportion z-test in the direction of the
/// change. `None` when a window has no labels.
#[must_use]
pub fn classification(
    (reference_right, n): (u64, u64),
    (current_right, m): (u64, u64),
    settings: &Drift,
) -> Option<Measurement> {
    if n == 0 || m == 0 {
        return None;
    }
    let (n, m) = (n as f64, m as f64);
    let (before, now) = (reference_right as f64 / n, current_right as f64 / m);
    let pooled = (reference_right + current_right) as f64 / (n + m);
    let spread = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let p_value = if spread > 0.0 {
        normal_upper((now - before).abs() / spread)
    } else {
        1.0
    };
    Some(Measurement {
        metric: Metric::Accuracy,
        value: Some(now),
        reference_value: Some(before),
        effect: before - now,
        p_value: Some(p_value),
        guard: Some(p_value),
        threshold: Some((before - settings.bounds(Metric::Accuracy).low).max(0.0)),
        severity: Severity::None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{DriftParameters, judge};
    use super::*;

    fn errors(n: i32, scale: f64) -> Vec<f64> {
        (0..n).map(|i| f64::from(i % 7 - 3) * scale).collect()
    }

    #[test]
    fn worse_is_severe_and_better_is_not() {
        let settings = DriftParameters::default().check().unwrap();
        let mut worse = regression(&errors(200, 1.0), &errors(200, 1.7), &settings);
        let mut better = regression(&errors(200, 1.7), &errors(200, 1.0), &settings);
        judge(&mut [&mut worse, &mut better], &settings, true);
        assert!(worse.iter().all(|m| m.severity == Severity::High));
        assert!(better.iter().all(|m| m.severity == Severity::None));
    }

    #[test]
    fn few_or_perfect_answers_have_no_severity() {
        let settings = DriftParameters::default().check().unwrap();
        assert!(regression(&[], &[1.0], &settings).is_empty());
        assert!(regression(&[f64::NAN], &[1.0], &settings).is_empty());
        let mut one = regression(&[1.0], &[5.0], &settings);
        judge(&mut [&mut one], &settings, false);
        assert_eq!((one[0].p_value, one[0].severity), (None, Severity::None));
        let perfect = regression(&[0.0, 0.0], &[0.0, 0.0], &settings);
        assert_eq!((perfect[0].value, perfect[0].effect), (Some(0.0), 0.0));
    }

    #[test]
    fn accuracy_lost_is_severe() {
        let settings = DriftParameters::default().check().unwrap();
        let mut lost = [classification((900, 1000), (300, 400), &settings).unwrap()];
        judge(&mut [&mut lost], &settings, false);
        assert_eq!(lost[0].severity, Severity::High);
        assert_eq!(classification((0, 0), (1, 1), &settings), None);
        let same = classification((5, 5), (7, 7), &settings).unwrap();
        assert_eq!(same.p_value, Some(1.0));
    }
}
