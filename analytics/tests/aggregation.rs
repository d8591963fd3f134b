//! Comparisons and baselines against scipy (fixtures/make_aggregation.py).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::Value;
use sop_analytics::aggregation::{
    Moments, Proportion, compare_means, compare_rates, rolling_median,
};

#[track_caller]
fn assert_close(found: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= 1e-9 * expected.abs(),
        "{found} instead of {expected}"
    );
}

fn cases(kind: &str) -> Vec<Value> {
    let text = include_str!("fixtures/aggregation.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let cases = fixture[kind].as_array().unwrap().clone();
    assert!(cases.len() >= 3);
    cases
}

#[test]
fn means_are_compared_as_scipy_does() {
    let side = |value: &Value| Moments {
        n: value[0].as_f64().unwrap(),
        mean: value[1].as_f64().unwrap(),
        stddev: value[2].as_f64().unwrap(),
    };
    for case in cases("means") {
        let found = compare_means(side(&case["current"]), side(&case["reference"])).unwrap();
        assert_close(found.p_value.unwrap(), &case["p_value"]);
        assert_close(found.effect_size.unwrap(), &case["effect_size"]);
    }
}

#[test]
fn rates_are_compared_as_by_the_z_test() {
    let side = |value: &Value| Proportion {
        numerator: value[0].as_f64().unwrap(),
        denominator: value[1].as_f64().unwrap(),
    };
    for case in cases("rates") {
        let found = compare_rates(side(&case["current"]), side(&case["reference"])).unwrap();
        assert_close(found.p_value.unwrap(), &case["p_value"]);
        assert_close(found.effect_size.unwrap(), &case["effect_size"]);
    }
}

#[test]
fn baselines_have_scipys_prediction_interval() {
    for case in cases("baselines") {
        let days: Vec<f64> = case["days"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap())
            .collect();
        let baseline = rolling_median(&days).unwrap();
        assert_close(baseline.value, &case["value"]);
        assert_close(baseline.stddev, &case["stddev"]);
        assert_close(baseline.lower, &case["lower"]);
        assert_close(baseline.upper, &case["upper"]);
        let (comparison, _) = baseline.compare(case["new"].as_f64().unwrap()).unwrap();
        assert_close(comparison.p_value.unwrap(), &case["p_value"]);
        assert_close(comparison.effect_size.unwrap(), &case["effect_size"]);
    }
}
