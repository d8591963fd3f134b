//! Drift against scipy (fixtures/make_drift.py).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::Value;
use sop_analytics::drift::{
    Bins, Counts, Drift, DriftParameters, Measurement, categorical, classification, missing,
    numeric, regression,
};
use sop_analytics::progress::Uninterruptible;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/drift.json")).unwrap()
}

fn cases(kind: &str, at_least: usize) -> Vec<Value> {
    let cases = fixture()[kind].as_array().unwrap().clone();
    assert!(cases.len() >= at_least, "{kind}");
    cases
}

fn numbers(value: &Value) -> Vec<f64> {
    let elements = value.as_array().unwrap().iter();
    elements.map(|v| v.as_f64().unwrap()).collect()
}

fn pair(value: &Value) -> (u64, u64) {
    (value[0].as_u64().unwrap(), value[1].as_u64().unwrap())
}

fn counts(value: &Value) -> Counts {
    let pairs = value.as_object().unwrap().iter();
    pairs
        .map(|(k, v)| (k.clone(), v.as_u64().unwrap()))
        .collect()
}

fn settings(bins: &Value) -> Drift {
    DriftParameters {
        bins: usize::try_from(bins.as_u64().unwrap_or(10)).unwrap(),
        ..DriftParameters::default()
    }
    .check()
    .unwrap()
}

#[track_caller]
fn assert_close(found: Option<f64>, expected: &Value, tolerance: f64, what: &str) {
    let Some(expected) = expected.as_f64() else {
        assert_eq!(found, None, "{what}");
        return;
    };
    let found = found.expect(what);
    assert!(
        (found - expected).abs() <= tolerance * expected.abs().max(1e-300) + 1e-15,
        "{what}: {found} instead of {expected}"
    );
}

/// Compares every metric of a case that the fixture has, and requires each of them to be there.
fn compare(found: &[Measurement], case: &Value, metrics: &[&str]) {
    for name in metrics {
        let measurement = found
            .iter()
            .find(|m| m.metric.as_str() == *name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        let what = format!("{} of {}", name, case["name"]);
        let expected = &case[*name];
        assert_close(measurement.value, &expected["value"], 1e-9, &what);
        if let Some(p_value) = expected.get("p_value") {
            assert_close(measurement.p_value, p_value, 1e-9, &what);
        }
        if let Some(threshold) = expected.get("threshold") {
            assert_close(measurement.threshold, threshold, 1e-9, &what);
        }
        if let Some(reference) = expected.get("reference_value") {
            assert_close(measurement.reference_value, reference, 1e-9, &what);
        }
    }
}

#[test]
fn numeric_drift_equals_scipy() {
    for case in cases("numeric", 11) {
        let (reference, current) = (numbers(&case["reference"]), numbers(&case["current"]));
        let settings = settings(&case["bins"]);
        let found = numeric(&reference, &current, &settings, &mut Uninterruptible).unwrap();
        compare(
            &found,
            &case,
            &["psi", "ks", "jensen_shannon", "wasserstein"],
        );
    }
}

#[test]
fn histograms_equal_numpy() {
    for case in cases("numeric", 11) {
        let sorted = |name: &str| {
            let mut values = numbers(&case[name]);
            values.sort_by(f64::total_cmp);
            values
        };
        let bins = usize::try_from(case["bins"].as_u64().unwrap()).unwrap();
        let bins = Bins::from_sorted(&sorted("reference"), bins);
        for (at, name) in ["reference", "current"].into_iter().enumerate() {
            let expected: Vec<u64> = case["counts"][at]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_u64().unwrap())
                .collect();
            assert_eq!(
                bins.count_sorted(&sorted(name)),
                expected,
                "{}",
                case["name"]
            );
        }
    }
}

#[test]
fn categorical_drift_equals_scipy() {
    for case in cases("categorical", 4) {
        let (reference, current) = (counts(&case["reference"]), counts(&case["current"]));
        let found = categorical(&reference, &current, &settings(&Value::Null));
        compare(&found, &case, &["psi", "chi_square"]);
    }
}

#[test]
fn missing_values_and_accuracy_equal_scipy() {
    let settings = settings(&Value::Null);
    for case in cases("missing", 3) {
        let found = missing(pair(&case["reference"]), pair(&case["current"]), &settings);
        assert_close(found.unwrap().p_value, &case["p_value"], 1e-9, "missing");
    }
    for case in cases("classification", 2) {
        let found = classification(pair(&case["reference"]), pair(&case["current"]), &settings);
        assert_close(found.unwrap().p_value, &case["p_value"], 1e-9, "accuracy");
    }
}

#[test]
fn errors_of_a_regression_equal_scipy() {
    for case in cases("regression", 2) {
        let (reference, current) = (numbers(&case["reference"]), numbers(&case["current"]));
        let found = regression(&reference, &current, &settings(&Value::Null));
        compare(&found, &case, &["mae", "rmse"]);
    }
}
