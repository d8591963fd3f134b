//! Drift between two profiles, and the bins that it is measured on.

use super::categorical::{categorical_with_rest, rate};
use super::null::Null;
use super::numeric::{
    index_measurement, jensen_shannon_measurement, ks_measurement, numeric, wasserstein_measurement,
};
use super::ordered::{Weighted, kolmogorov_smirnov, wasserstein};
use super::psi::{Bins, jensen_shannon_divergence, occupied};
use super::{Drift, DriftError, Measurement, Metric, population_stability_index};
use crate::hypothesis_tests::{Alternative, Outcome, welch_t_test};
use crate::progress::Progress;
use crate::severity::Severity;
use crate::statistics::percentile_sketch::Cell;
use crate::statistics::special::t_two_sided_critical;
use crate::statistics::{DistributionProfile, Estimator, NumericProfile, StatsSummary};

/// A histogram needs cells that are narrow beside the spread of both samples together.
const CELL_UP_TO: f64 = 0.25;

/// The Wasserstein distance may be wrong by this share of a standard deviation, or of itself.
const DISTANCE_ERROR_UP_TO: f64 = 0.05;

/// A bin of a profile: values above `lower` up to `upper`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProfileBin {
    /// Values in the bin are larger; -Infinity for the first bin.
    pub lower: f64,
    /// The largest value that belongs to the bin; Infinity for the last one.
    pub upper: f64,
    /// How many values of the profile.
    pub count: u64,
    /// Their share of its finite values.
    pub share: f64,
}

/// The quantile bins of a profile's finite values: those on which [`compare_profiles`] measures its index.
///
/// Bins follow [`Bins`]: open at both ends, a value that holds a whole share has a bin of its own, so that there may be
/// more or fewer than asked for. Beyond the values that a profile keeps exactly, edges are edges of the sketch's cells. No
/// bins without a finite value.
///
/// # Errors
/// [`DriftError::Bins`] unless there are 2 to 1000.
pub fn profile_bins(profile: &NumericProfile, bins: usize) -> Result<Vec<ProfileBin>, DriftError> {
    if !(2..=1000).contains(&bins) {
        return Err(DriftError::Bins(bins));
    }
    let cells = profile.sketch().cells();
    let weighted = Weighted::from_cells(&cells);
    let n = weighted.n();
    if n == 0 {
        return Ok(Vec::new());
    }
    let bins = Bins::from_ranks(n, bins, |rank| weighted.at(rank));
    let counts = bins.count_by(n, |cut| weighted.at_or_below(cut));
    let edges: Vec<f64> = bins.cuts().iter().map(|cut| edge(&cells, *cut)).collect();
    let uppers = edges.iter().copied().chain([f64::INFINITY]);
    let lowers = [f64::NEG_INFINITY].into_iter().chain(edges.iter().copied());
    Ok(lowers
        .zip(uppers)
        .zip(counts)
        .map(|((lower, upper), count)| ProfileBin {
            lower,
            upper,
            count,
            share: count as f64 / n as f64,
        })
        .collect())
}

/// The edge that a cut at the value of a cell, or right below it, means for the values in the cell.
fn edge(cells: &[Cell], cut: f64) -> f64 {
    let find = |value: f64| {
        let at = cells.partition_point(|cell| cell.value < value);
        cells.get(at).filter(|cell| cell.value == value)
    };
    if let Some(cell) = find(cut) {
        return cell.upper;
    }
    match find(cut.next_up()) {
        Some(cell) if cell.lower < cell.upper => cell.lower,
        // A single value: nothing lies between the cut and the value.
        _ => cut,
    }
}

/// Drift between a reference and a current profile.
///
/// Numbers: as [`numeric`], from the values themselves while both profiles keep them, from the cells of both sketches on
/// one grid beyond that. Rounding both samples in the same way keeps the tests valid; differences within a cell cannot be
/// seen. Where the cells are not narrow beside the spread of the samples (values on a large offset), and for the
/// Wasserstein distance where its error may be large, the value is `None`: it would not be honest. The shift of the means
/// (Hedges' g, Welch's test) is exact for profiles of any size.
///
/// Texts: as [`categorical`](super::categorical), with the rest of the profiles in the bin of the other categories.
///
/// Both: the change of the share of NULLs, and for numbers of the share of values that are not finite, where there are
/// any. Without a value in one of the profiles only these.
///
/// # Errors
/// [`DriftError::Statistics`] with [`ProfileKind`](crate::statistics::StatisticsError::ProfileKind) for a profile of numbers and one of texts;
/// [`DriftError::Interrupted`].
pub fn compare_profiles(
    reference: &DistributionProfile,
    current: &DistributionProfile,
    settings: &Drift,
    progress: &mut dyn Progress,
) -> Result<Vec<Measurement>, DriftError> {
    let nulls = |profile: &DistributionProfile| (profile.nulls(), profile.rows());
    let missing = rate(
        Metric::MissingRate,
        nulls(reference),
        nulls(current),
        settings,
    );
    let mut found = match (reference, current) {
        (DistributionProfile::Numeric(reference), current) => {
            let current = current.numeric()?;
            let mut found = numbers(reference, current, settings, progress)?;
            let strange =
                |profile: &NumericProfile| (profile.not_finite(), profile.rows() - profile.nulls());
            found.extend(mean_shift(
                reference.summary(),
                current.summary(),
                settings,
            )?);
            found.extend(missing);
            found.extend(rate(
                Metric::NotFiniteRate,
                strange(reference),
                strange(current),
                settings,
            ));
            return Ok(found);
        }
        (DistributionProfile::Text(reference), current) => {
            let current = current.text()?;
            categorical_with_rest(
                (reference.counts(), reference.rest()),
                (current.counts(), current.rest()),
                settings,
            )
        }
    };
    found.extend(missing);
    Ok(found)
}

fn numbers(
    reference: &NumericProfile,
    current: &NumericProfile,
    settings: &Drift,
    progress: &mut dyn Progress,
) -> Result<Vec<Measurement>, DriftError> {
    let (left, right) = (reference.sketch(), current.sketch());
    if let (Some(left), Some(right)) = (left.sorted_exact_values(), right.sorted_exact_values()) {
        return numeric(&left, &right, settings, progress);
    }
    progress.poll()?;
    let (left, right) = left.on_one_grid(right)?;
    let relative_error = left.relative_error().max(right.relative_error());
    let (left, right) = (
        Weighted::from_cells(&left.cells()),
        Weighted::from_cells(&right.cells()),
    );
    let bins = Bins::from_ranks(left.n(), settings.bins(), |rank| left.at(rank));
    let count = |sample: &Weighted| bins.count_by(sample.n(), |cut| sample.at_or_below(cut));
    let (p, q) = (count(&left), count(&right));
    let (Some(index), Some(divergence), Some(ks)) = (
        population_stability_index(&p, &q),
        jensen_shannon_divergence(&p, &q),
        kolmogorov_smirnov(&left, &right, progress)?,
    ) else {
        return Ok(Vec::new());
    };
    let (n, m) = (left.n() as f64, right.n() as f64);
    let null = Null::new(n, m, occupied(&p, &q).len());

    // No value is further than this share of itself from the one that stands for it: the mean of both together is the
    // width of a typical cell, and a bound for the error of the Wasserstein distance.
    let error = relative_error * (left.mean_magnitude() + right.mean_magnitude());
    let mut found = vec![
        index_measurement(index, null, settings),
        ks_measurement(ks, n, m, settings),
        jensen_shannon_measurement(divergence, null, settings),
    ];
    if !is_resolved(error, reference.summary(), current.summary()) {
        found.iter_mut().for_each(withhold);
    }
    let distance = wasserstein(&left, &right).and_then(|distance| {
        let scale = reference.summary().stddev(Estimator::Sample)?;
        if distance == 0.0 && is_same_constant(reference.summary(), current.summary()) {
            return Some(0.0);
        }
        let honest = error <= DISTANCE_ERROR_UP_TO * scale.max(distance);
        (honest && scale > 0.0)
            .then(|| distance / scale)
            .filter(|normalized| normalized.is_finite())
    });
    found.push(wasserstein_measurement(distance, ks.p_value, settings));
    Ok(found)
}

fn is_same_constant(reference: &StatsSummary, current: &StatsSummary) -> bool {
    reference.min() == reference.max()
        && current.min() == current.max()
        && reference.min() == current.min()
}

/// Whether cells of this width can show how the samples differ.
fn is_resolved(width: f64, reference: &StatsSummary, current: &StatsSummary) -> bool {
    let mut both = *reference;
    is_same_constant(reference, current)
        || both
            .merge(current)
            .ok()
            .and_then(|()| both.stddev(Estimator::Population))
            .is_some_and(|spread| width <= CELL_UP_TO * spread)
}

/// Keeps a measurement that would not be honest from being one.
fn withhold(measurement: &mut Measurement) {
    measurement.value = None;
    measurement.p_value = None;
    measurement.guard = None;
    measurement.effect = 0.0;
}

/// Difference of the means, current minus reference, as Hedges' g with the p-value of Welch's test.
///
/// `None` where a profile has no value. The value is undefined for a single value and for constants that differ, 0 for
/// the same constant.
fn mean_shift(
    reference: &StatsSummary,
    current: &StatsSummary,
    settings: &Drift,
) -> Result<Option<Measurement>, DriftError> {
    if reference.n() == 0 || current.n() == 0 {
        return Ok(None);
    }
    let test = welch_t_test(current, reference, 0.95, Alternative::TwoSided)?;
    let low = settings.bounds(Metric::MeanShift).low;
    let outcome = test.map(|test| test.outcome);
    let size = |outcome: Outcome| outcome.effect.map_or(f64::NAN, |effect| effect.size);
    let value = match outcome {
        Some(outcome) => Some(size(outcome)).filter(|value| value.is_finite()),
        None => is_same_constant(reference, current).then_some(0.0),
    };
    let p_value = outcome.map(|outcome| outcome.p_value);
    // The statistic is proportional to g.
    let critical = outcome
        .filter(|outcome| outcome.statistic != 0.0)
        .and_then(|outcome| Some((outcome, outcome.df?)))
        .map_or(low, |(outcome, df)| {
            let level = 1.0 - settings.significance();
            t_two_sided_critical(level, df) * (size(outcome) / outcome.statistic)
        });
    Ok(Some(Measurement {
        metric: Metric::MeanShift,
        value,
        reference_value: reference.mean(),
        effect: value.map_or(0.0, f64::abs),
        p_value,
        guard: p_value,
        threshold: Some(low.max(critical)),
        severity: Severity::None,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::{DriftParameters, judge};
    use super::*;
    use crate::progress::Uninterruptible;
    use crate::statistics::{CategoryProfile, StatisticsError};

    fn numbers(values: impl IntoIterator<Item = f64>) -> DistributionProfile {
        let mut profile = NumericProfile::default();
        for value in values {
            profile.push(Some(value)).unwrap();
        }
        DistributionProfile::Numeric(profile)
    }

    fn measure(a: &DistributionProfile, b: &DistributionProfile) -> Vec<Measurement> {
        let settings = DriftParameters::default().check().unwrap();
        let mut found = compare_profiles(a, b, &settings, &mut Uninterruptible).unwrap();
        judge(&mut [&mut found], &settings, false);
        found
    }

    fn value(found: &[Measurement], metric: Metric) -> Option<f64> {
        found.iter().find(|m| m.metric == metric).unwrap().value
    }

    fn uniform(n: u32, from: f64, to: f64) -> impl Iterator<Item = f64> {
        (0..n).map(move |i| from + (to - from) * f64::from(i) / f64::from(n))
    }

    #[test]
    fn small_profiles_give_the_numbers_of_the_raw_values() {
        let (a, b): (Vec<f64>, Vec<f64>) = (
            uniform(60, 0.0, 10.0).collect(),
            uniform(64, 2.0, 13.0).collect(),
        );
        let settings = DriftParameters::default().check().unwrap();
        let plain = numeric(&a, &b, &settings, &mut Uninterruptible).unwrap();
        let found = compare_profiles(
            &numbers(a.iter().copied()),
            &numbers(b),
            &settings,
            &mut Uninterruptible,
        )
        .unwrap();
        assert_eq!(found[..4], plain[..]);
        assert_eq!(found[4].metric, Metric::MeanShift);
        assert_eq!(found.len(), 5);
    }

    #[test]
    fn whole_numbers_give_the_numbers_of_the_raw_values_at_any_size() {
        let sample = |n: u32, step: u32, wide: u32| -> Vec<f64> {
            (0..n).map(|i| f64::from(i * step % wide)).collect()
        };
        let (a, b) = (sample(5000, 7, 30), sample(3000, 11, 33));
        let settings = DriftParameters::default().check().unwrap();
        let plain = numeric(&a, &b, &settings, &mut Uninterruptible).unwrap();
        let found = measure(&numbers(a), &numbers(b));
        for (plain, found) in plain.iter().zip(&found) {
            let (expected, value) = (plain.value.unwrap(), found.value.unwrap());
            // Every whole number has a cell of its own: only the distance depends on where its middle lies.
            let tolerance = if found.metric == Metric::Wasserstein {
                1e-3
            } else {
                1e-12
            };
            assert!((value - expected).abs() <= tolerance, "{found:?} {plain:?}");
            assert_eq!(found.threshold, plain.threshold);
        }
    }

    #[test]
    fn a_moved_profile_is_critical_and_the_same_one_is_not() {
        let reference = numbers(uniform(5000, 10.0, 20.0));
        for m in measure(&reference, &numbers(uniform(400, 10.0, 20.0))) {
            assert_eq!(m.severity, Severity::None, "{m:?}");
        }
        for m in measure(&reference, &numbers(uniform(4000, 19.0, 29.0))) {
            assert_eq!(m.severity, Severity::Critical, "{m:?}");
            assert!(m.value > m.threshold);
        }
    }

    #[test]
    fn what_the_cells_cannot_show_is_not_claimed() {
        let found = measure(
            &numbers(uniform(1000, 1.7e9, 1.7e9 + 100.0)),
            &numbers(uniform(1000, 1.7e9 + 50.0, 1.7e9 + 150.0)),
        );
        for metric in [
            Metric::Psi,
            Metric::Ks,
            Metric::JensenShannon,
            Metric::Wasserstein,
        ] {
            assert_eq!(value(&found, metric), None);
        }
        assert!((value(&found, Metric::MeanShift).unwrap() - 1.73).abs() < 0.01);
        assert!(found.iter().any(|m| m.severity == Severity::Critical));
        // A histogram is possible on cells that are too wide for a distance.
        let found = measure(
            &numbers(uniform(1000, 100.0, 104.0)),
            &numbers(uniform(1000, 100.0, 104.0)),
        );
        assert_eq!(value(&found, Metric::Psi), Some(0.0));
        assert_eq!(value(&found, Metric::Wasserstein), None);
    }

    #[test]
    fn constants_and_nothing_have_answers() {
        let constant = numbers(vec![3.0; 100]);
        let same = measure(&constant, &numbers(vec![3.0; 200]));
        assert!(same.iter().all(|m| m.value == Some(0.0)), "{same:?}");
        let moved = measure(&constant, &numbers(vec![5.0; 200]));
        assert_eq!(value(&moved, Metric::Ks), Some(1.0));
        assert_eq!(value(&moved, Metric::Wasserstein), None);
        assert_eq!(value(&moved, Metric::MeanShift), None);
        assert!(measure(&constant, &numbers([])).is_empty());
        assert!(measure(&numbers([]), &numbers([])).is_empty());
        let DistributionProfile::Numeric(profile) = constant else {
            unreachable!()
        };
        let bins = profile_bins(&profile, 10).unwrap();
        let counts: Vec<u64> = bins.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [0, 100, 0]);
        assert!(bins[1].lower < 3.0 && bins[1].upper >= 3.0 * (1.0 - 1e-12));
        assert!(
            profile_bins(&NumericProfile::default(), 10)
                .unwrap()
                .is_empty()
        );
        for bad in [0, 1, 1001] {
            assert_eq!(profile_bins(&profile, bad), Err(DriftError::Bins(bad)));
        }
    }

    #[test]
    fn nulls_and_strange_values_have_rates() {
        let mut current = NumericProfile::default();
        for i in 0..200 {
            let value = f64::from(i % 50);
            current
                .push(match i % 4 {
                    0 => None,
                    1 => Some(f64::NAN),
                    _ => Some(value),
                })
                .unwrap();
        }
        let found = measure(
            &numbers((0..200).map(|i| f64::from(i % 50))),
            &DistributionProfile::Numeric(current),
        );
        assert_eq!(value(&found, Metric::MissingRate), Some(0.25));
        assert_eq!(value(&found, Metric::NotFiniteRate), Some(1.0 / 3.0));
        let severities: Vec<Severity> = found.iter().rev().take(2).map(|m| m.severity).collect();
        assert_eq!(severities, [Severity::High, Severity::High]);
    }

    #[test]
    fn texts_use_their_rest_and_kinds_do_not_mix() {
        let texts = |values: &mut dyn Iterator<Item = String>| {
            let mut profile = CategoryProfile::default();
            for value in values {
                profile.push(Some(&value)).unwrap();
            }
            DistributionProfile::Text(profile)
        };
        let ids = texts(&mut (0..5000).map(|i| i.to_string()));
        let others = texts(&mut (9000..15_000).map(|i| i.to_string()));
        for m in measure(&ids, &others) {
            assert_eq!(m.severity, Severity::None, "{m:?}");
        }
        let names = texts(&mut (0..500).map(|i| format!("{}", i % 3)));
        let found = measure(&names, &others);
        assert_eq!(found[0].severity, Severity::Critical);
        assert_eq!(found[1].metric, Metric::ChiSquare);
        let settings = DriftParameters::default().check().unwrap();
        assert!(matches!(
            compare_profiles(&names, &numbers([1.0]), &settings, &mut Uninterruptible),
            Err(DriftError::Statistics(StatisticsError::ProfileKind { .. }))
        ));
    }

    #[test]
    fn bins_add_up_and_have_the_edges_asked_for() {
        for n in [60, 1000] {
            let DistributionProfile::Numeric(profile) = numbers(uniform(n, -50.0, 50.0)) else {
                unreachable!()
            };
            let bins = profile_bins(&profile, 5).unwrap();
            assert_eq!(bins.len(), 5);
            assert_eq!(bins[0].lower, f64::NEG_INFINITY);
            assert_eq!(bins[4].upper, f64::INFINITY);
            assert!(bins.is_sorted_by(|a, b| a.upper == b.lower && b.lower < b.upper));
            assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), u64::from(n));
            for (bin, edge) in bins.iter().zip([-30.0, -10.0, 10.0, 30.0]) {
                assert!((bin.upper - edge).abs() < 2.0, "{bin:?}");
                assert!((bin.share - 0.2).abs() < 0.005, "{bin:?}");
                let held = uniform(n, -50.0, 50.0)
                    .filter(|value| *value > bin.lower && *value <= bin.upper)
                    .count() as u64;
                assert_eq!(held, bin.count);
            }
        }
    }
}
