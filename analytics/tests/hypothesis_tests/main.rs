//! The tests of significance against scipy, statsmodels and mpmath: see `fixtures/make_hypothesis.py`, and
//! `fixtures/make_statistics.py` for Welch's test, the two-sided Kolmogorov-Smirnov test and shares.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod distributions;
mod resampling;

use serde_json::Value;
use sop_analytics::hypothesis_tests::{self as tests, Alternative, AnovaMethod, Center, Outcome};
use sop_analytics::progress::Uninterruptible;
use sop_analytics::statistics::StatsSummary;

const TOLERANCE: f64 = 1e-9;

/// What a root finder in double precision gives for the ends of an effect interval.
const OF_ROOTS: f64 = 1e-8;

fn section(file: &str, section: &str) -> Vec<Value> {
    let fixture: Value = serde_json::from_str(file).expect("fixture");
    let cases = fixture[section].as_array().expect(section).clone();
    assert!(!cases.is_empty(), "{section} has no cases");
    cases
}

fn cases(name: &str) -> Vec<Value> {
    section(include_str!("../fixtures/hypothesis.json"), name)
}

fn older_cases(name: &str) -> Vec<Value> {
    section(include_str!("../fixtures/statistics.json"), name)
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list");
    list.iter().map(number).collect()
}

fn counts(value: &Value) -> Vec<i64> {
    let list = value.as_array().expect("a list");
    list.iter().map(|count| count.as_i64().unwrap()).collect()
}

fn groups(value: &Value) -> Vec<Vec<f64>> {
    value
        .as_array()
        .expect("groups")
        .iter()
        .map(numbers)
        .collect()
}

fn summary(values: &[f64]) -> StatsSummary {
    StatsSummary::from_values(values.iter().copied()).unwrap()
}

fn alternative(case: &Value) -> Alternative {
    Alternative::named(case["alternative"].as_str().unwrap()).unwrap()
}

fn close(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!(
        found == expected || (found - expected).abs() <= tolerance * expected.abs(),
        "{what}: found {found:e}, expected {expected:e}, relative error {:e}",
        (found / expected - 1.0).abs()
    );
}

/// Compares what the case has of statistic, df, p-value and effect.
fn check(what: &str, case: &Value, found: &Outcome, tolerance: f64, of_interval: f64) {
    let effect = found.effect;
    let interval = effect.and_then(|effect| effect.interval);
    for (key, value, tolerance) in [
        ("statistic", Some(found.statistic), tolerance),
        ("df", found.df, tolerance),
        ("p_value", Some(found.p_value), tolerance),
        ("effect_size", effect.map(|effect| effect.size), tolerance),
        (
            "effect_lower",
            interval.map(|interval| interval.lower),
            of_interval,
        ),
        (
            "effect_upper",
            interval.map(|interval| interval.upper),
            of_interval,
        ),
    ] {
        if let Some(expected) = case.get(key).and_then(Value::as_f64) {
            let value = value.unwrap_or_else(|| panic!("{what}: no {key}"));
            close(&format!("{what} {key}"), value, expected, tolerance);
        }
    }
    if let Some(n) = case.get("n").and_then(Value::as_u64) {
        assert_eq!(found.n, n, "{what} n");
    }
}

#[test]
fn welch() {
    for (index, case) in older_cases("welch").iter().enumerate() {
        let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
        let found = tests::welch_t_test(
            &summary(&first),
            &summary(&second),
            number(&case["level"]),
            Alternative::TwoSided,
        )
        .unwrap()
        .unwrap();
        // Groups on an offset of 1e6 cancel six digits in the difference of their (correctly rounded) means.
        let tolerance = if first[0].abs() > 1e5 {
            1e-7
        } else {
            TOLERANCE
        };
        let what = format!("case {index}");
        check(&what, case, &found.outcome, tolerance, tolerance);
        close(
            &what,
            found.outcome.statistic,
            number(&case["t"]),
            tolerance,
        );
        close(
            &what,
            found.difference,
            number(&case["difference"]),
            tolerance,
        );
        close(
            &what,
            found.interval.lower,
            number(&case["lower"]),
            tolerance,
        );
        close(
            &what,
            found.interval.upper,
            number(&case["upper"]),
            tolerance,
        );
        // One side is half of both where the difference points to it, and what is left otherwise.
        let one = |alternative| {
            let level = number(&case["level"]);
            tests::welch_t_test(&summary(&first), &summary(&second), level, alternative)
        };
        let less = one(Alternative::Less).unwrap().unwrap().outcome.p_value;
        let greater = one(Alternative::Greater).unwrap().unwrap().outcome.p_value;
        close(
            &what,
            2.0 * less.min(greater),
            found.outcome.p_value,
            TOLERANCE,
        );
        close(&what, less + greater, 1.0, TOLERANCE);
    }
}

#[test]
fn paired() {
    for (index, case) in cases("paired").iter().enumerate() {
        let values = numbers(&case["values"]);
        let level = number(&case["level"]);
        let found = tests::paired_t_test(&summary(&values), level, alternative(case))
            .unwrap()
            .unwrap();
        let what = format!("case {index}");
        check(&what, case, &found.outcome, TOLERANCE, TOLERANCE);
        close(
            &what,
            found.difference,
            number(&case["difference"]),
            TOLERANCE,
        );
        for (bound, key) in [
            (found.interval.lower, "lower"),
            (found.interval.upper, "upper"),
        ] {
            match case[key].as_f64() {
                Some(expected) => close(&format!("{what} {key}"), bound, expected, TOLERANCE),
                None => assert!(bound.is_infinite(), "{what} {key}"),
            }
        }
    }
}

#[test]
fn proportions() {
    for (index, case) in cases("proportions").iter().enumerate() {
        let (first, second) = (counts(&case["first"]), counts(&case["second"]));
        let found = tests::z_test_proportions(
            (first[0], first[1]),
            (second[0], second[1]),
            number(&case["level"]),
            alternative(case),
        )
        .unwrap()
        .unwrap();
        let what = format!("case {index}");
        // The distance of two angles that are nearly equal keeps what their difference has.
        let tolerance = if first[1] > 1_000_000 {
            1e-7
        } else {
            TOLERANCE
        };
        let outcome = found.outcome;
        close(
            &what,
            outcome.statistic,
            number(&case["statistic"]),
            TOLERANCE,
        );
        close(&what, outcome.p_value, number(&case["p_value"]), TOLERANCE);
        check(&what, case, &outcome, tolerance, tolerance);
        close(
            &what,
            found.difference,
            number(&case["difference"]),
            TOLERANCE,
        );
        close(
            &format!("{what} lower"),
            found.interval.lower,
            number(&case["lower"]),
            tolerance,
        );
        close(
            &format!("{what} upper"),
            found.interval.upper,
            number(&case["upper"]),
            tolerance,
        );
    }
}

#[test]
fn shares() {
    for (index, case) in older_cases("chi_square").iter().enumerate() {
        let expected = (!case["expected"].is_null()).then(|| numbers(&case["expected"]));
        let found = tests::chi_square_counts(&counts(&case["observed"]), expected.as_deref(), 0.95)
            .unwrap()
            .unwrap()
            .outcome;
        if number(&case["statistic"]) == 0.0 {
            assert!(found.statistic < 1e-25 && found.p_value == 1.0);
            continue;
        }
        check(&format!("case {index}"), case, &found, TOLERANCE, TOLERANCE);
    }
}

#[test]
fn contingency() {
    for (index, case) in cases("contingency").iter().enumerate() {
        let columns = usize::try_from(case["columns"].as_u64().unwrap()).unwrap();
        let table = counts(&case["table"]);
        let found = tests::chi_square_contingency(&table, columns, 0.95, &mut Uninterruptible)
            .unwrap()
            .unwrap();
        let what = format!("case {index}");
        check(&what, case, &found.outcome, TOLERANCE, OF_ROOTS);
        let smallest = number(&case["smallest_expected"]);
        close(&what, found.smallest_expected, smallest, TOLERANCE);
    }
}

#[test]
fn fisher() {
    for (index, case) in cases("fisher").iter().enumerate() {
        let table: [i64; 4] = counts(&case["table"]).try_into().unwrap();
        let found = tests::fisher_test(table, 0.95, alternative(case), &mut Uninterruptible)
            .unwrap()
            .unwrap();
        check(&format!("case {index}"), case, &found, TOLERANCE, TOLERANCE);
        assert_eq!(found.method, "exact");
    }
}

#[test]
fn mann_whitney() {
    for (index, case) in cases("mann_whitney").iter().enumerate() {
        let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
        let alternative = alternative(case);
        let found =
            tests::mann_whitney_test(&first, &second, 0.95, alternative, &mut Uninterruptible)
                .unwrap()
                .unwrap();
        check(&format!("case {index}"), case, &found, TOLERANCE, TOLERANCE);
    }
}

#[test]
fn wilcoxon() {
    for (index, case) in cases("wilcoxon").iter().enumerate() {
        let differences = numbers(&case["differences"]);
        let alternative = alternative(case);
        let found =
            tests::wilcoxon_signed_rank_test(&differences, 0.95, alternative, &mut Uninterruptible)
                .unwrap()
                .unwrap();
        check(&format!("case {index}"), case, &found, TOLERANCE, TOLERANCE);
    }
}

#[test]
fn anova() {
    for (index, case) in cases("anova").iter().enumerate() {
        let groups: Vec<StatsSummary> = groups(&case["groups"])
            .iter()
            .map(|group| summary(group))
            .collect();
        let method = AnovaMethod::named(case["method"].as_str().unwrap()).unwrap();
        let found = tests::anova_test(&groups, method, 0.95, &mut Uninterruptible)
            .unwrap()
            .unwrap();
        // As for Welch's test: means on an offset of 10⁶ are rounded to ten digits of their differences.
        let offset = groups[0].mean().unwrap().abs() > 1e5;
        let tolerance = if offset { 1e-7 } else { TOLERANCE };
        let what = format!("case {index}");
        check(
            &what,
            case,
            &found.outcome,
            tolerance,
            OF_ROOTS.max(tolerance),
        );
        close(
            &what,
            found.df_within,
            number(&case["df_within"]),
            TOLERANCE,
        );
        close(
            &what,
            found.omega_squared,
            number(&case["omega_squared"]),
            tolerance,
        );
    }
}

#[test]
fn levene() {
    for (index, case) in cases("levene").iter().enumerate() {
        let center = Center::named(case["center"].as_str().unwrap(), number(&case["trim"]));
        let groups = groups(&case["groups"]);
        let found = tests::levene_test(&groups, center.unwrap(), 0.95, &mut Uninterruptible)
            .unwrap()
            .unwrap();
        let tolerance = if groups[0][0].abs() > 1e5 {
            1e-7
        } else {
            TOLERANCE
        };
        let what = format!("case {index}");
        check(&what, case, &found.outcome, tolerance, tolerance);
        close(
            &what,
            found.df_within,
            number(&case["df_within"]),
            TOLERANCE,
        );
    }
}
