//! Baselines against numpy, pandas, scipy and statsmodels (fixtures/make_baselines.py).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::Value;
use sop_analytics::aggregation::Baseline;
use sop_analytics::baselines::{
    Group, PEER_QUANTILES, bounded, ewma, quantile, seasonal, shrunken,
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
    let text = include_str!("fixtures/baselines.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let cases = fixture[kind].as_array().unwrap().clone();
    assert!(cases.len() >= 3);
    cases
}

fn numbers(value: &Value) -> Vec<f64> {
    let elements = value.as_array().unwrap();
    elements.iter().map(|v| v.as_f64().unwrap()).collect()
}

#[track_caller]
fn check(found: &Baseline, case: &Value) {
    assert_close(found.value, &case["value"]);
    assert_close(found.stddev, &case["stddev"]);
    assert_close(found.lower, &case["lower"]);
    assert_close(found.upper, &case["upper"]);
}

#[test]
fn weighted_means() {
    for case in cases("ewma") {
        let half_life = case["half_life"].as_f64().unwrap();
        let found = ewma(
            &numbers(&case["levels"]),
            &numbers(&case["ages"]),
            half_life,
        );
        check(&found.unwrap(), &case);
    }
}

#[test]
fn parts_of_the_week() {
    for case in cases("seasonal") {
        let segments: Vec<u16> = numbers(&case["segments"])
            .iter()
            .map(|&s| s as u16)
            .collect();
        let found = seasonal(&numbers(&case["levels"]), &segments);
        let expected = case["found"].as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for ((segment, baseline), expected) in found.iter().zip(expected) {
            assert_eq!(u64::from(*segment), expected["segment"].as_u64().unwrap());
            check(baseline, expected);
        }
    }
}

#[test]
fn shrinkage_towards_the_group() {
    for case in cases("shrinkage") {
        let groups: Vec<Group> = case["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| Group {
                periods: group
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|row| {
                        let row = numbers(row);
                        (row[0], row[1])
                    })
                    .collect(),
            })
            .collect();
        let found = shrunken(&groups);
        for (found, expected) in found.iter().zip(case["found"].as_array().unwrap()) {
            let found = found.unwrap();
            check(&found.baseline, expected);
            assert_close(found.shrinkage, &expected["shrinkage"]);
        }
    }
}

#[test]
fn quantiles_of_a_group() {
    for case in cases("quantiles") {
        let found = bounded(&numbers(&case["contributions"]));
        for (found, expected) in found.iter().zip(case["bounded"].as_array().unwrap()) {
            assert_close(*found, expected);
        }
        for (q, expected) in PEER_QUANTILES
            .iter()
            .zip(case["quantiles"].as_array().unwrap())
        {
            assert_close(quantile(&found, *q).unwrap(), expected);
        }
    }
}
