//! The statistics module against numpy, scipy, statsmodels and mpmath: see `fixtures/make_statistics.py`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::Value;
use sop_analytics::statistics::special::t_two_sided;
use sop_analytics::statistics::{
    Estimator, StatsSummary, mean_interval, normal_quantile, t_critical, wilson_interval,
};

const TOLERANCE: f64 = 1e-9;

fn cases(section: &str) -> Vec<Value> {
    let fixture: Value =
        serde_json::from_str(include_str!("fixtures/statistics.json")).expect("fixture");
    let cases = fixture[section].as_array().expect(section).clone();
    assert!(!cases.is_empty(), "{section} has no cases");
    cases
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(number)
        .collect()
}

fn assert_close(what: &str, found: f64, expected: f64) {
    let error = (found - expected).abs();
    assert!(
        found == expected || error <= TOLERANCE * expected.abs(),
        "{what}: found {found:e}, expected {expected:e}, relative error {:e}",
        error / expected.abs()
    );
}

fn assert_close_option(what: &str, found: Option<f64>, expected: &Value) {
    match (found, expected.as_f64()) {
        (None, None) => {}
        (Some(found), Some(expected)) => assert_close(what, found, expected),
        (found, expected) => panic!("{what}: found {found:?}, expected {expected:?}"),
    }
}

fn summary(value: &Value) -> StatsSummary {
    StatsSummary::from_values(numbers(value)).unwrap()
}

#[test]
fn moments_equal_rational_arithmetic() {
    for case in cases("moments") {
        let name = case["name"].as_str().unwrap();
        let state = summary(&case["values"]);
        assert_eq!(state.n(), case["n"].as_u64().unwrap());
        for (key, found) in [
            ("sum", state.sum()),
            ("mean", state.mean()),
            ("min", state.min()),
            ("max", state.max()),
            ("variance_sample", state.variance(Estimator::Sample)),
            ("variance_population", state.variance(Estimator::Population)),
            ("kurtosis_sample", state.kurtosis(Estimator::Sample)),
            ("kurtosis_population", state.kurtosis(Estimator::Population)),
        ] {
            assert_close_option(&format!("{name}: {key}"), found, &case[key]);
        }
        // A skewness near zero is a difference of larger numbers: absolute error.
        for (key, found) in [
            ("skewness_sample", state.skewness(Estimator::Sample)),
            ("skewness_population", state.skewness(Estimator::Population)),
        ] {
            match (found, case[key].as_f64()) {
                (None, None) => {}
                (Some(found), Some(expected)) => assert!(
                    (found - expected).abs() <= TOLERANCE * expected.abs().max(1e-3),
                    "{name}: {key}: {found} {expected}"
                ),
                other => panic!("{name}: {key}: {other:?}"),
            }
        }
    }
}

#[test]
fn tails_of_t_keep_their_digits() {
    for case in cases("t_tails") {
        let (t, df) = (number(&case["t"]), number(&case["df"]));
        assert_close(
            &format!("t {t} df {df}"),
            t_two_sided(t, df),
            number(&case["p"]),
        );
        assert_eq!(t_two_sided(-t, df), t_two_sided(t, df));
    }
}

#[test]
fn critical_values_of_t() {
    for case in cases("t_criticals") {
        let (level, df) = (number(&case["level"]), number(&case["df"]));
        let found = t_critical(level, df).unwrap();
        assert_close(&format!("level {level} df {df}"), found, number(&case["t"]));
    }
}

#[test]
fn quantiles_of_the_normal_distribution() {
    for case in cases("normal_quantiles") {
        let p = number(&case["p"]);
        assert_close(
            &format!("p {p}"),
            normal_quantile(p).unwrap(),
            number(&case["z"]),
        );
    }
    assert!(normal_quantile(0.5).unwrap().abs() < 1e-16);
}

#[test]
fn t_intervals_of_a_mean() {
    for case in cases("t_intervals") {
        let found = mean_interval(&summary(&case["values"]), number(&case["level"]))
            .unwrap()
            .unwrap();
        assert_close(
            "standard error",
            found.standard_error,
            number(&case["standard_error"]),
        );
        assert_close("lower", found.interval.lower, number(&case["lower"]));
        assert_close("upper", found.interval.upper, number(&case["upper"]));
    }
}

#[test]
fn wilson_intervals() {
    for case in cases("wilson") {
        let successes = case["successes"].as_i64().unwrap();
        let trials = case["trials"].as_i64().unwrap();
        let found = wilson_interval(successes, trials, number(&case["level"]))
            .unwrap()
            .unwrap();
        let what = format!("{successes} of {trials} at {}", case["level"]);
        assert_close(&what, found.interval.lower, number(&case["lower"]));
        assert_close(&what, found.interval.upper, number(&case["upper"]));
    }
}
