//! Drift of text and boolean features, and of the share of missing values.

use std::collections::{BTreeMap, BTreeSet};

use super::null::Null;
use super::psi::{occupied, population_stability_index};
use super::{Drift, Measurement, Metric};
use crate::severity::Severity;
use crate::statistics::special::chi_square_upper;

/// How often each category occurs in a sample.
pub type Counts = BTreeMap<String, u64>;

/// Drift of a categorical subject: index and chi-square test over the categories.
///
/// The `max_categories` most frequent categories of the reference keep a bin of their own as long as the smaller sample
/// is expected to hold at least one; all others share one bin, categories that only the current sample has among them.
/// An identifier with a new value in every row therefore does not drift, and a new category that takes over does.
/// No measurements when a sample is empty; no p-value, and no severity, when only one bin is left.
#[must_use]
pub fn categorical(reference: &Counts, current: &Counts, settings: &Drift) -> Vec<Measurement> {
    categorical_with_rest((reference, 0), (current, 0), settings)
}

/// As [`categorical`] for samples of which some values are only counted: they share the bin of the other categories.
pub(super) fn categorical_with_rest(
    reference: (&Counts, u64),
    current: (&Counts, u64),
    settings: &Drift,
) -> Vec<Measurement> {
    let (reference, current) = pool(reference, current, settings.max_categories());
    let Some(index) = population_stability_index(&reference, &current) else {
        return Vec::new();
    };
    let pairs = occupied(&reference, &current);
    let n: f64 = pairs.iter().map(|(a, _)| a).sum();
    let m: f64 = pairs.iter().map(|(_, b)| b).sum();
    let null = Null::new(n, m, pairs.len());
    let statistic = chi_square_statistic(&pairs, n, m);
    let low = |metric| settings.bounds(metric).low;
    let p_value = null.map(|null| null.p_value(index));
    let chi_square_p = null.map(|null| null.p_value(statistic * null.scale()));
    vec![
        Measurement {
            metric: Metric::Psi,
            value: Some(index),
            reference_value: None,
            effect: index - null.map_or(0.0, |null| null.expected()),
            p_value,
            guard: p_value,
            threshold: null.map(|null| threshold(&null, low(Metric::Psi), settings)),
            severity: Severity::None,
        },
        Measurement {
            metric: Metric::ChiSquare,
            value: Some(statistic),
            reference_value: None,
            // On the scale of the index, so that it does not grow with the sample size.
            effect: null.map_or(0.0, |null| statistic * null.scale() - null.expected()),
            p_value: chi_square_p,
            guard: chi_square_p,
            threshold: null
                .map(|null| threshold(&null, low(Metric::ChiSquare), settings) / null.scale()),
            severity: Severity::None,
        },
    ]
}

/// The index above which a severity is given: large enough and beyond sampling noise.
pub(super) fn threshold(null: &Null, low: f64, settings: &Drift) -> f64 {
    (low + null.expected()).max(null.critical(settings.significance()))
}

/// Counts over kept categories in order of name, the shared bin last.
fn pool(
    (reference, reference_rest): (&Counts, u64),
    (current, current_rest): (&Counts, u64),
    max_categories: usize,
) -> (Vec<u64>, Vec<u64>) {
    let n = reference.values().sum::<u64>() + reference_rest;
    let m = current.values().sum::<u64>() + current_rest;
    let smaller_share = n.min(m) as f64 / ((n + m) as f64).max(1.0);
    let mut ranked: Vec<(&String, u64)> = reference
        .iter()
        .filter(|(name, count)| {
            let both = **count + current.get(*name).copied().unwrap_or(0);
            both as f64 * smaller_share >= 1.0
        })
        .map(|(name, count)| (name, *count))
        .collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    ranked.truncate(max_categories);
    let kept: BTreeSet<&String> = ranked.into_iter().map(|(name, _)| name).collect();
    let count = |counts: &Counts, total: u64| {
        let mut bins: Vec<u64> = kept
            .iter()
            .map(|name| counts.get(*name).copied().unwrap_or(0))
            .collect();
        let own: u64 = bins.iter().sum();
        bins.push(total - own);
        bins
    };
    (count(reference, n), count(current, m))
}

/// Pearson's statistic of the two-row table, without continuity correction.
fn chi_square_statistic(pairs: &[(f64, f64)], n: f64, m: f64) -> f64 {
    pairs
        .iter()
        .map(|(a, b)| {
            let share = (a + b) / (n + m);
            let (expected_a, expected_b) = (n * share, m * share);
            (a - expected_a).powi(2) / expected_a + (b - expected_b).powi(2) / expected_b
        })
        .sum()
}

/// Change of the share of missing values; `None` when a window has no rows or neither has a missing value.
///
/// The p-value is that of the two-by-two chi-square test, which is the two-sided test of two proportions.
#[must_use]
pub fn missing(
    reference: (u64, u64),
    current: (u64, u64),
    settings: &Drift,
) -> Option<Measurement> {
    rate(Metric::MissingRate, reference, current, settings)
}

/// As [`missing`] for another share.
pub(super) fn rate(
    metric: Metric,
    (reference_missing, n): (u64, u64),
    (current_missing, m): (u64, u64),
    settings: &Drift,
) -> Option<Measurement> {
    if n == 0 || m == 0 || reference_missing + current_missing == 0 {
        return None;
    }
    let (n, m) = (n as f64, m as f64);
    let (a, b) = (reference_missing as f64, current_missing as f64);
    let change = b / m - a / n;
    let present = (n - a, m - b);
    let p_value = if present == (0.0, 0.0) {
        1.0
    } else {
        chi_square_upper(chi_square_statistic(&[(a, b), present], n, m), 1.0)
    };
    Some(Measurement {
        metric,
        value: Some(change),
        reference_value: Some(a / n),
        effect: change.abs(),
        p_value: Some(p_value),
        guard: Some(p_value),
        threshold: Some(settings.bounds(metric).low),
        severity: Severity::None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{DriftParameters, judge};
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    fn severities(reference: &Counts, current: &Counts) -> Vec<Severity> {
        let settings = DriftParameters::default().check().unwrap();
        let mut found = categorical(reference, current, &settings);
        judge(&mut [&mut found], &settings, false);
        found.into_iter().map(|m| m.severity).collect()
    }

    #[test]
    fn a_new_category_that_takes_over_is_critical() {
        let reference = counts(&[("a", 500), ("b", 500)]);
        let current = counts(&[("c", 900), ("a", 100)]);
        assert_eq!(severities(&reference, &current), [Severity::Critical; 2]);
    }

    #[test]
    fn identifiers_do_not_drift() {
        let ids = |from: u32| (from..from + 500).map(|id| (id.to_string(), 1)).collect();
        assert_eq!(severities(&ids(0), &ids(1000)), [Severity::None; 2]);
    }

    #[test]
    fn tiny_samples_raise_nothing() {
        let reference = counts(&[("a", 500), ("b", 500)]);
        assert_eq!(
            severities(&reference, &counts(&[("a", 2)])),
            [Severity::None; 2]
        );
    }

    #[test]
    fn one_category_and_empty_samples_have_answers() {
        let settings = DriftParameters::default().check().unwrap();
        let one = counts(&[("a", 10)]);
        let found = categorical(&one, &one, &settings);
        assert_eq!(found[0].value, Some(0.0));
        assert_eq!(found[0].p_value, None);
        assert!(categorical(&one, &Counts::new(), &settings).is_empty());
        assert!(categorical(&Counts::new(), &one, &settings).is_empty());
    }

    #[test]
    fn missing_values_have_answers() {
        let settings = DriftParameters::default().check().unwrap();
        assert_eq!(missing((0, 10), (0, 10), &settings), None);
        assert_eq!(missing((0, 0), (5, 10), &settings), None);
        let all = missing((10, 10), (10, 10), &settings).unwrap();
        assert_eq!((all.value, all.p_value), (Some(0.0), Some(1.0)));
        let vanished = missing((0, 100), (100, 100), &settings).unwrap();
        assert_eq!(vanished.value, Some(1.0));
        assert!(vanished.p_value.unwrap() < 1e-40);
    }
}
