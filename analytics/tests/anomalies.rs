//! Robust scores against scipy (fixtures/make_anomalies.py).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::Value;
use sop_analytics::anomalies::{Baseline, Threshold};

fn numbers(value: &Value) -> Vec<f64> {
    let elements = value.as_array().unwrap().iter();
    elements.map(|v| v.as_f64().unwrap()).collect()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() <= 1e-9 * expected.abs() + 1e-300,
        "{what}: {found} instead of {expected}"
    );
}

#[test]
fn scores_equal_scipy() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/anomalies.json")).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 6);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let number = |key: &str| case[key].as_f64().unwrap();
        let threshold = Threshold::new(number("threshold")).unwrap();
        let baseline = Baseline::fit(&numbers(&case["baseline"])).unwrap();
        assert_close(baseline.median, number("median"), name);
        assert_close(baseline.mad, number("mad"), name);
        assert_close(baseline.scale, number("scale"), name);
        assert_eq!(baseline.scale_method.as_str(), case["method"], "{name}");
        let (scores, p_values) = (numbers(&case["scores"]), numbers(&case["p_values"]));
        for ((value, score), p_value) in numbers(&case["values"]).iter().zip(scores).zip(p_values) {
            let found = baseline.score(*value, threshold).unwrap();
            assert_close(found.score, score, name);
            assert_close(found.p_value, p_value, name);
            assert_close(found.expected_low, number("low"), name);
            assert_close(found.expected_high, number("high"), name);
        }
    }
}
