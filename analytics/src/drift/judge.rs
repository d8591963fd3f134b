//! From sizes and p-values to severities, with the number of subjects taken into account.

use std::collections::HashMap;

use super::{Drift, Measurement, Metric};
use crate::severity::Severity;

/// Sets the severity of every measurement of a report, subject by subject.
///
/// With `adjust` the guarding p-values of one metric over all subjects are adjusted by Benjamini and Hochberg's method
/// first (and the p-values shown with them), so that the share of false alarms stays below the significance level
/// however many features a model has.
pub fn judge(subjects: &mut [&mut [Measurement]], settings: &Drift, adjust: bool) {
    if adjust {
        let mut families: HashMap<Metric, Vec<&mut Measurement>> = HashMap::new();
        for measurement in subjects.iter_mut().flat_map(|subject| subject.iter_mut()) {
            if measurement.guard.is_some() {
                families
                    .entry(measurement.metric)
                    .or_default()
                    .push(measurement);
            }
        }
        families.into_values().for_each(adjust_family);
    }
    for measurement in subjects.iter_mut().flat_map(|subject| subject.iter_mut()) {
        let significant = measurement
            .guard
            .is_some_and(|p| p < settings.significance());
        measurement.severity = if significant {
            settings
                .bounds(measurement.metric)
                .classify(measurement.effect)
        } else {
            Severity::None
        };
    }
}

/// Benjamini and Hochberg's step-up adjustment within one metric.
fn adjust_family(mut family: Vec<&mut Measurement>) {
    let guard = |measurement: &Measurement| measurement.guard.unwrap_or(1.0);
    family.sort_by(|a, b| guard(b).total_cmp(&guard(a)));
    let count = family.len();
    let mut smallest = 1.0_f64;
    for (at, measurement) in family.into_iter().enumerate() {
        let rank = (count - at) as f64;
        smallest = smallest.min(guard(measurement) * count as f64 / rank);
        measurement.guard = Some(smallest);
        if measurement.p_value.is_some() {
            measurement.p_value = Some(smallest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::DriftParameters;
    use super::*;

    fn measurement(metric: Metric, effect: f64, p: Option<f64>) -> Measurement {
        Measurement {
            metric,
            value: Some(effect),
            reference_value: None,
            effect,
            p_value: p,
            guard: p,
            threshold: None,
            severity: Severity::None,
        }
    }

    #[test]
    fn severity_needs_size_and_significance() {
        let settings = DriftParameters::default().check().unwrap();
        let mut one = [
            measurement(Metric::Psi, 2.0, Some(0.2)),
            measurement(Metric::Psi, 2.0, Some(0.001)),
            measurement(Metric::Psi, 0.01, Some(1e-30)),
            measurement(Metric::Psi, 2.0, None),
        ];
        judge(&mut [&mut one[..]], &settings, false);
        assert_eq!(
            one.map(|m| m.severity),
            [
                Severity::None,
                Severity::Critical,
                Severity::None,
                Severity::None
            ]
        );
    }

    #[test]
    fn adjustment_is_benjamini_hochberg_within_each_metric() {
        let settings = DriftParameters::default().check().unwrap();
        let mut subjects: Vec<Vec<Measurement>> = [0.01, 0.04, 0.03, 0.005]
            .into_iter()
            .map(|p| {
                vec![
                    measurement(Metric::Psi, 0.3, Some(p)),
                    measurement(Metric::Wasserstein, 0.3, None),
                ]
            })
            .collect();
        subjects[0].push(measurement(Metric::Ks, 0.3, Some(0.04)));
        let mut slices: Vec<&mut [Measurement]> =
            subjects.iter_mut().map(Vec::as_mut_slice).collect();
        judge(&mut slices, &settings, true);
        let adjusted: Vec<f64> = subjects.iter().map(|s| s[0].p_value.unwrap()).collect();
        for (found, expected) in adjusted.iter().zip([0.02, 0.04, 0.04, 0.02]) {
            assert!((found - expected).abs() < 1e-15);
        }
        assert_eq!(subjects[0][2].p_value, Some(0.04));
        assert_eq!(subjects[1][1].p_value, None);
    }
}
