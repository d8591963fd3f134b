//! Trends against pymannkendall and scipy (fixtures/make_trend.py).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::Value;
use sop_analytics::progress::Uninterruptible;
use sop_analytics::trend::{mann_kendall, ordinary_least_squares, theil_sen};

/// Relative to the larger of the value and one thousandth: expected zeros are compared absolutely.
#[track_caller]
fn assert_close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().expect(what);
    let scale = expected.abs().max(1e-3);
    let scale = if expected.abs() > 0.0 && expected.abs() < 1e-3 {
        expected.abs()
    } else {
        scale
    };
    assert!(
        (found - expected).abs() <= 1e-9 * scale,
        "{what}: {found} instead of {expected}"
    );
}

fn cases() -> Vec<Value> {
    let text = include_str!("fixtures/trend.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let cases = fixture["cases"].as_array().unwrap().clone();
    assert!(cases.len() >= 13);
    cases
}

fn numbers(value: &Value) -> Vec<f64> {
    let elements = value.as_array().unwrap().iter();
    elements.map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

#[test]
fn mann_kendall_equals_pymannkendall() {
    for case in cases() {
        let expected = &case["mann_kendall"];
        if expected.is_null() {
            continue;
        }
        let name = case["name"].as_str().unwrap();
        let found = mann_kendall(&numbers(&case["series"]), 0.05, &mut Uninterruptible)
            .unwrap()
            .expect(name);
        assert_eq!(found.n as u64, expected["n"].as_u64().unwrap(), "{name}");
        assert_eq!(found.s, expected["s"].as_i64().unwrap(), "{name}");
        assert_close(found.variance, &expected["variance"], name);
        assert_close(found.z, &expected["z"], name);
        assert_close(found.p_value, &expected["p_value"], name);
        assert_close(found.tau, &expected["tau"], name);
        assert_eq!(
            found.direction.as_str(),
            expected["direction"].as_str().unwrap(),
            "{name}"
        );
    }
}

#[test]
fn theil_sen_equals_scipy() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let (x, y) = (numbers(&case["positions"]), numbers(&case["series"]));
        for (confidence, expected) in case["theil_sen"].as_object().unwrap() {
            let level = confidence.parse().unwrap();
            let found = theil_sen(&x, &y, level, &mut Uninterruptible)
                .unwrap()
                .expect(name);
            let what = format!("{name} at {confidence}");
            assert_close(found.slope, &expected[0], &what);
            assert_close(found.intercept, &expected[1], &what);
            assert_close(found.slope_low, &expected[2], &what);
            assert_close(found.slope_high, &expected[3], &what);
        }
    }
}

#[test]
fn least_squares_equals_scipy() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let (x, y) = (numbers(&case["positions"]), numbers(&case["series"]));
        let found = ordinary_least_squares(&x, &y).unwrap().expect(name);
        let expected = &case["least_squares"];
        assert_close(found.slope, &expected[0], name);
        assert_close(found.intercept, &expected[1], name);
        assert_close(found.r2.expect(name), &expected[2], name);
    }
}

/// 2 500 points are beyond what is held in memory; the answer of a noisy line is known well enough to catch a wrong rank.
#[test]
fn long_series_are_exact_too() {
    let series: Vec<f64> = (0..2500)
        .map(|i| 0.25 * f64::from(i) + f64::from((i * 7919) % 101) / 101.0)
        .collect();
    let positions: Vec<f64> = (0..2500).map(f64::from).collect();
    let mut slopes = Vec::new();
    for i in 0..series.len() {
        for j in i + 1..series.len() {
            slopes.push((series[j] - series[i]) / (positions[j] - positions[i]));
        }
    }
    slopes.sort_by(f64::total_cmp);
    let middle = (slopes[(slopes.len() - 1) / 2] + slopes[slopes.len() / 2]) / 2.0;
    let found = theil_sen(&positions, &series, 0.95, &mut Uninterruptible)
        .unwrap()
        .unwrap();
    assert!((found.slope - middle).abs() <= 1e-15);
    assert!(found.slope_low <= found.slope && found.slope <= found.slope_high);
}
