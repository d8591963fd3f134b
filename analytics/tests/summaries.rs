//! Weighted summaries and lines against rational arithmetic, numpy, scipy and statsmodels: see
//! `fixtures/make_summaries.py`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::Value;
use sop_analytics::hypothesis_tests::{Alternative, welch_t_test};
use sop_analytics::statistics::interval::mean_interval_by;
use sop_analytics::statistics::{
    Estimator, RegressionSummary, StatsSummary, mean_interval, regression_prediction,
    regression_test,
};

const TOLERANCE: f64 = 1e-9;

fn cases(section: &str) -> Vec<Value> {
    let fixture: Value =
        serde_json::from_str(include_str!("fixtures/summaries.json")).expect("fixture");
    let cases = fixture[section].as_array().expect(section).clone();
    assert!(!cases.is_empty(), "{section} has no cases");
    cases
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list");
    list.iter().map(|v| v.as_f64().expect("a number")).collect()
}

/// Equal to 1e-9 of the expected value, or of `scale` where that is larger; NULL to NULL.
fn assert_close_to(what: &str, found: Option<f64>, expected: &Value, scale: f64) {
    match (found, expected.as_f64()) {
        (None, None) => {}
        (Some(found), Some(expected)) => {
            let error = (found - expected).abs();
            assert!(
                found == expected || error <= TOLERANCE * expected.abs().max(scale),
                "{what}: found {found:e}, expected {expected:e}, relative error {:e}",
                error / expected.abs()
            );
        }
        (found, expected) => panic!("{what}: found {found:?}, expected {expected:?}"),
    }
}

fn assert_close(what: &str, found: Option<f64>, expected: &Value) {
    assert_close_to(what, found, expected, 0.0);
}

/// The state of all rows, and one merged from three parts.
fn weighted(case: &Value) -> [StatsSummary; 2] {
    let rows: Vec<_> = numbers(&case["values"])
        .into_iter()
        .zip(numbers(&case["weights"]))
        .collect();
    let state = |rows: &[(f64, f64)]| {
        let mut state = StatsSummary::default();
        for &(value, weight) in rows {
            state.push_weighted(value, weight).unwrap();
        }
        state
    };
    let (first, rest) = rows.split_at(rows.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    let mut merged = state(third);
    merged.merge(&state(first)).unwrap();
    merged.merge(&state(second)).unwrap();
    [state(&rows), merged]
}

#[test]
fn weighted_moments_equal_rational_arithmetic() {
    for case in cases("weighted") {
        let name = case["name"].as_str().unwrap();
        for state in weighted(&case) {
            assert_eq!(state.n(), case["n"].as_u64().unwrap());
            for (key, found) in [
                ("sum_weights", state.sum_weights()),
                ("effective_size", state.effective_size()),
                ("sum", state.sum()),
                ("mean", state.mean()),
                ("min", state.min()),
                ("max", state.max()),
            ] {
                assert_close(&format!("{name}: {key}"), found, &case[key]);
            }
            for (estimator, label) in [
                (Estimator::Population, "population"),
                (Estimator::Sample, "sample"),
                (Estimator::Frequency, "frequency"),
            ] {
                for (what, found) in [
                    ("variance", state.variance(estimator)),
                    ("kurtosis", state.kurtosis(estimator)),
                ] {
                    let key = format!("{what}_{label}");
                    assert_close(&format!("{name}: {key}"), found, &case[&key]);
                }
                // A skewness near zero is a difference of larger numbers.
                let key = format!("skewness_{label}");
                let skewness = state.skewness(estimator);
                assert_close_to(&format!("{name}: {key}"), skewness, &case[&key], 1e-3);
            }
        }
    }
}

#[test]
fn weighted_intervals() {
    for case in cases("weighted") {
        let name = case["name"].as_str().unwrap();
        let [state, _] = weighted(&case);
        for (estimator, key) in [
            (Estimator::Sample, "interval_sample"),
            (Estimator::Frequency, "interval_frequency"),
        ] {
            let found = mean_interval_by(&state, estimator, 0.95).unwrap();
            let expected = &case[key];
            for (what, found) in [
                ("standard_error", found.map(|found| found.standard_error)),
                ("lower", found.map(|found| found.interval.lower)),
                ("upper", found.map(|found| found.interval.upper)),
            ] {
                let scale = expected["standard_error"].as_f64().unwrap_or(0.0);
                assert_close_to(
                    &format!("{name}: {key} {what}"),
                    found,
                    &expected[what],
                    scale,
                );
            }
        }
        assert_eq!(
            mean_interval(&state, 0.95).unwrap(),
            mean_interval_by(&state, Estimator::Sample, 0.95).unwrap()
        );
    }
}

#[test]
fn a_weighted_group_is_tested_by_its_effective_size() {
    let case = &cases("weighted")[1];
    let [state, _] = weighted(case);
    let zero = StatsSummary::from_values([0.0, 0.0]).unwrap();
    // Against a constant the test is that of one mean: t and df of its interval.
    let test = welch_t_test(&state, &zero, 0.95, Alternative::TwoSided)
        .unwrap()
        .unwrap();
    let interval = mean_interval(&state, 0.95).unwrap().unwrap();
    let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-12 * expected.abs();
    assert!(close(
        test.outcome.statistic,
        interval.mean / interval.standard_error
    ));
    assert!(close(
        test.outcome.df.unwrap(),
        state.effective_size().unwrap() - 1.0
    ));
    assert!(close(test.interval.lower, interval.interval.lower));
}

/// The state of all points, in both orders, and one merged from three parts.
fn lines(case: &Value) -> Vec<RegressionSummary> {
    let mut points: Vec<_> = numbers(&case["y"])
        .into_iter()
        .zip(numbers(&case["x"]))
        .collect();
    let state =
        |points: &[(f64, f64)]| RegressionSummary::from_points(points.iter().copied()).unwrap();
    let mut merged = state(&points[..points.len() / 3]);
    for part in points[points.len() / 3..].chunks(points.len().div_ceil(3)) {
        merged.merge(&state(part)).unwrap();
    }
    let forth = state(&points);
    points.reverse();
    vec![forth, state(&points), merged]
}

#[test]
fn lines_equal_rational_arithmetic() {
    for case in cases("lines") {
        let name = case["name"].as_str().unwrap();
        for (which, state) in lines(&case).into_iter().enumerate() {
            assert_eq!(state.n(), case["n"].as_u64().unwrap());
            let test = regression_test(&state, 0.95).unwrap().unwrap();
            for (key, found) in [
                ("mean_x", state.mean_x()),
                ("mean_y", state.mean_y()),
                ("variance_x", state.variance_x(Estimator::Sample)),
                ("variance_y", state.variance_y(Estimator::Sample)),
                ("covariance", state.covariance(Estimator::Sample)),
                (
                    "covariance_population",
                    state.covariance(Estimator::Population),
                ),
                ("slope", state.slope()),
                ("intercept", state.intercept()),
                ("x_intercept", state.x_intercept()),
                ("r2", state.r2()),
                ("correlation", state.correlation()),
                ("slope", Some(test.slope)),
                ("slope_error", test.slope_error),
                ("slope_lower", test.slope_interval.map(|found| found.lower)),
                ("slope_upper", test.slope_interval.map(|found| found.upper)),
                ("intercept", Some(test.intercept)),
                ("intercept_error", test.intercept_error),
                ("residual_error", test.residual_error),
                ("t", test.t),
                ("p_value", test.p_value),
            ] {
                assert_close(&format!("{name} {which}: {key}"), found, &case[key]);
            }
            assert_eq!(test.df, state.n() as f64 - 2.0);
        }
    }
}

#[test]
fn predictions_equal_rational_arithmetic() {
    for case in cases("lines") {
        let name = case["name"].as_str().unwrap();
        for state in lines(&case) {
            for expected in case["predictions"].as_array().into_iter().flatten() {
                let x = expected["x"].as_f64().unwrap();
                let found = regression_prediction(&state, x, 0.95).unwrap().unwrap();
                let scale = expected["standard_error"].as_f64().unwrap();
                for (key, found) in [
                    ("prediction", Some(found.prediction)),
                    ("standard_error", found.standard_error),
                    ("mean_lower", found.mean_interval.map(|found| found.lower)),
                    ("mean_upper", found.mean_interval.map(|found| found.upper)),
                    ("lower", found.interval.map(|found| found.lower)),
                    ("upper", found.interval.map(|found| found.upper)),
                ] {
                    assert_close_to(
                        &format!("{name} at {x}: {key}"),
                        found,
                        &expected[key],
                        scale,
                    );
                }
            }
        }
    }
}
