//! Profiles against scipy on the raw values (fixtures/make_profiles.py).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::Value;
use sop_analytics::drift::{DriftParameters, Measurement, compare_profiles, profile_bins};
use sop_analytics::progress::Uninterruptible;
use sop_analytics::statistics::{CategoryProfile, DistributionProfile, Estimator, NumericProfile};

fn cases(kind: &str, at_least: usize) -> Vec<Value> {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/profiles.json")).unwrap();
    let cases = fixture[kind].as_array().unwrap().clone();
    assert!(cases.len() >= at_least, "{kind}");
    cases
}

/// `((i * step) % modulus) * scale + offset` for i below n.
fn sample(formula: &Value) -> NumericProfile {
    let part = |at: usize, default: f64| formula.get(at).map_or(default, |v| v.as_f64().unwrap());
    let (n, step, modulus) = (
        part(0, 0.0) as u64,
        part(1, 1.0) as u64,
        part(2, 1.0) as u64,
    );
    let mut profile = NumericProfile::default();
    for i in 0..n {
        let value = (i * step % modulus) as f64 * part(3, 1.0) + part(4, 0.0);
        profile.push(Some(value)).unwrap();
    }
    profile
}

fn texts(counts: &Value, nulls: &Value) -> DistributionProfile {
    let mut profile = CategoryProfile::default();
    for (name, count) in counts.as_object().unwrap() {
        for _ in 0..count.as_u64().unwrap() {
            profile.push(Some(name)).unwrap();
        }
    }
    for _ in 0..nulls.as_u64().unwrap() {
        profile.push(None).unwrap();
    }
    DistributionProfile::Text(profile)
}

fn close(found: f64, expected: f64, tolerance: f64) -> bool {
    (found - expected).abs() <= tolerance * expected.abs() + 1e-15
}

/// Compares value and p-value of a metric; an approximate value is only as close as absolute differences go.
#[track_caller]
fn compare(found: &[Measurement], case: &Value, metric: &str, tolerance: f64) {
    let what = format!("{metric} of {}", case["name"]);
    let found = found
        .iter()
        .find(|m| m.metric.as_str() == metric)
        .expect(&what);
    let expected = case[metric]["value"].as_f64().unwrap();
    let value = found.value.expect(&what);
    if tolerance > 1e-9 {
        assert!(
            (value - expected).abs() <= tolerance,
            "{what}: {value} instead of {expected}"
        );
        return;
    }
    assert!(
        close(value, expected, tolerance),
        "{what}: {value} instead of {expected}"
    );
    if let Some(p_value) = case[metric].get("p_value") {
        let (found, expected) = (found.p_value.expect(&what), p_value.as_f64().unwrap());
        assert!(
            close(found, expected, 1e-9) || (found < 1e-290 && expected < 1e-290),
            "{what}: p {found} instead of {expected}"
        );
    }
}

#[test]
fn numeric_profiles_give_what_scipy_gives_on_the_raw_values() {
    for case in cases("numeric", 10) {
        let (reference, current) = (sample(&case["reference"]), sample(&case["current"]));
        let tolerance = case["tolerance"].as_f64().unwrap();
        let bins = usize::try_from(case["bins"].as_u64().unwrap()).unwrap();
        let counts: Vec<u64> = profile_bins(&reference, bins)
            .unwrap()
            .iter()
            .map(|bin| bin.count)
            .collect();
        let expected: Vec<u64> = serde_json::from_value(case["counts"].clone()).unwrap();
        if tolerance <= 1e-9 {
            assert_eq!(counts, expected, "{}", case["name"]);
        }
        let moments = &case["moments"];
        let summary = reference.summary();
        for (found, expected) in [
            (summary.mean(), &moments["mean"]),
            (summary.stddev(Estimator::Sample), &moments["stddev"]),
        ] {
            let (found, expected) = (found.unwrap(), expected.as_f64().unwrap());
            assert!(close(found, expected, 1e-9), "{}", case["name"]);
        }
        let percentiles = reference.sketch().percentiles(&[0.1, 0.5, 0.99]).unwrap();
        for (found, expected) in percentiles
            .iter()
            .zip(moments["percentiles"].as_array().unwrap())
        {
            let expected = expected.as_f64().unwrap();
            let bound = reference.sketch().relative_error().max(1e-12);
            assert!(close(found.unwrap(), expected, bound), "{}", case["name"]);
        }
        let settings = DriftParameters {
            bins,
            ..DriftParameters::default()
        }
        .check()
        .unwrap();
        let found = compare_profiles(
            &DistributionProfile::Numeric(reference),
            &DistributionProfile::Numeric(current),
            &settings,
            &mut Uninterruptible,
        )
        .unwrap();
        for metric in ["psi", "ks", "jensen_shannon"] {
            compare(&found, &case, metric, tolerance);
        }
        let distance = case["distance_tolerance"].as_f64().unwrap();
        compare(&found, &case, "wasserstein", distance);
        compare(&found, &case, "mean_shift", 1e-9);
    }
}

#[test]
fn text_profiles_give_what_scipy_gives_on_the_counts() {
    let settings = DriftParameters::default().check().unwrap();
    for case in cases("text", 3) {
        let found = compare_profiles(
            &texts(&case["reference"], &case["nulls"][0]),
            &texts(&case["current"], &case["nulls"][1]),
            &settings,
            &mut Uninterruptible,
        )
        .unwrap();
        for metric in ["psi", "chi_square", "missing_rate"] {
            compare(&found, &case, metric, 1e-9);
        }
        assert_eq!(found.len(), 3);
    }
}
