//! Trends against pymannkendall, scipy and statsmodels (fixtures/make_trend.py).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use proptest::prelude::*;
use serde_json::Value;
use sop_analytics::budget::Budget;
use sop_analytics::progress::{Interrupted, Progress, Uninterruptible};
use sop_analytics::statistics::special::normal_upper;
use sop_analytics::trend::{
    Direction, Method, Series, TrendError, TrendOptions, TrendTest, mann_kendall,
    ordinary_least_squares, theil_sen, trend_test,
};

const BUDGET: Budget = Budget::new(64 << 20);

/// Relative to the larger of the value and one thousandth: expected zeros are compared absolutely.
#[track_caller]
fn assert_close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().expect(what);
    let scale = if expected.abs() > 0.0 {
        expected.abs()
    } else {
        1e-3
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
    assert!(cases.len() >= 20);
    cases
}

fn numbers(value: &Value) -> Vec<f64> {
    let elements = value.as_array().unwrap().iter();
    elements.map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

fn series(case: &Value) -> Series {
    Series::new(numbers(&case["series"]), Some(numbers(&case["positions"]))).unwrap()
}

fn options(method: &str) -> TrendOptions<'_> {
    TrendOptions {
        method,
        confidence_level: 0.95,
        seasonality: None,
        max_lag: None,
    }
}

fn run(values: &[f64], options: TrendOptions<'_>) -> TrendTest {
    let series = Series::new(values.to_vec(), None).unwrap();
    let plan = options.check().unwrap();
    trend_test(&series, &plan, &BUDGET, &mut Uninterruptible).unwrap()
}

#[test]
fn mann_kendall_equals_pymannkendall() {
    for case in cases() {
        let expected = &case["mann_kendall"];
        if expected.is_null() {
            continue;
        }
        let name = case["name"].as_str().unwrap();
        let found = mann_kendall(&series(&case), 0.05, &mut Uninterruptible)
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

/// scipy's p-value has no continuity correction, and its tau is tau-b; S and its variance are the same, also where values
/// and positions repeat.
#[test]
fn kendalls_score_equals_that_of_scipy() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let series = series(&case);
        let found = mann_kendall(&series, 0.05, &mut Uninterruptible)
            .unwrap()
            .expect(name);
        let z = found.s as f64 / found.variance.sqrt();
        assert_close(2.0 * normal_upper(z.abs()), &case["kendalltau"][1], name);
        let (x, y) = (numbers(&case["positions"]), numbers(&case["series"]));
        let present: Vec<usize> = (0..x.len()).filter(|&i| !y[i].is_nan()).collect();
        let (mut x_pairs, mut y_pairs) = (0.0, 0.0);
        for (place, &i) in present.iter().enumerate() {
            for &j in &present[..place] {
                x_pairs += f64::from(x[i] != x[j]);
                y_pairs += f64::from(y[i] != y[j]);
            }
        }
        let tau_b = found.s as f64 / f64::sqrt(x_pairs * y_pairs);
        assert_close(tau_b, &case["kendalltau"][0], name);
    }
}

#[test]
fn theil_sen_equals_scipy() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        for (confidence, expected) in case["theil_sen"].as_object().unwrap() {
            let level = confidence.parse().unwrap();
            let found = theil_sen(&series(&case), level, &mut Uninterruptible)
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
fn least_squares_equals_scipy_and_its_errors_statsmodels() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let series = series(&case);
        for (lag, expected) in case["newey_west"].as_object().unwrap() {
            let what = format!("{name}, max_lag {lag}");
            let found = ordinary_least_squares(
                &series,
                lag.parse().ok(),
                0.95,
                &BUDGET,
                &mut Uninterruptible,
            )
            .unwrap()
            .expect(name);
            let line = &case["least_squares"];
            assert_close(found.slope, &line[0], &what);
            assert_close(found.intercept, &line[1], &what);
            assert_close(found.r2.expect(name), &line[2], &what);
            assert_close(found.t, &expected["statistic"], &what);
            assert_close(found.p_value, &expected["p_value"], &what);
            assert_close(found.slope_low, &expected["slope_low"], &what);
            assert_close(found.slope_high, &expected["slope_high"], &what);
        }
    }
}

#[test]
fn corrections_and_seasons_equal_pymannkendall() {
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for case in cases() {
        for expected in case["methods"].as_array().unwrap() {
            let method = expected["method"].as_str().unwrap();
            let integer = |key: &str| expected[key].as_i64().map(|value| value as i32);
            let what = format!(
                "{}: {method} {:?} {:?}",
                case["name"],
                integer("max_lag"),
                integer("seasonality")
            );
            let found = run(
                &numbers(&case["series"]),
                TrendOptions {
                    max_lag: integer("max_lag"),
                    seasonality: integer("seasonality"),
                    ..options(method)
                },
            );
            let trend = found.trend.expect(&what);
            assert_close(trend.statistic.expect(&what), &expected["statistic"], &what);
            assert_close(trend.p_value.expect(&what), &expected["p_value"], &what);
            assert_close(trend.tau.expect(&what), &expected["tau"], &what);
            assert_close(trend.slope, &expected["slope"], &what);
            assert_close(trend.slope_low, &expected["slope_low"], &what);
            assert_close(trend.slope_high, &expected["slope_high"], &what);
            assert_close(trend.intercept, &expected["intercept"], &what);
            if expected["autocorrelation"].is_null() {
                assert_eq!(trend.autocorrelation, None, "{what}");
            } else {
                let autocorrelation = trend.autocorrelation.expect(&what);
                assert_close(autocorrelation, &expected["autocorrelation"], &what);
            }
            assert_eq!(
                found.direction.as_str(),
                expected["direction"].as_str().unwrap(),
                "{what}"
            );
            *seen.entry(method.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(seen.values().all(|&count| count >= 15), "{seen:?}");
}

/// 3 million pairs are more than what is held in memory.
#[test]
fn long_series_are_exact_too() {
    let values: Vec<f64> = (0..2500)
        .map(|i| 0.25 * f64::from(i) + f64::from((i * 7919) % 101) / 101.0)
        .collect();
    let mut slopes = Vec::new();
    for i in 0..values.len() {
        for j in i + 1..values.len() {
            slopes.push((values[j] - values[i]) / (j - i) as f64);
        }
    }
    let middle = slopes.len() / 2;
    let (below, &mut high, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    let low = below.iter().copied().fold(f64::MIN, f64::max);
    let middle = if (values.len() * (values.len() - 1) / 2).is_multiple_of(2) {
        (low + high) / 2.0
    } else {
        high
    };
    let series = Series::new(values, None).unwrap();
    let found = theil_sen(&series, 0.95, &mut Uninterruptible)
        .unwrap()
        .unwrap();
    assert!((found.slope - middle).abs() <= 1e-15);
    assert!(found.slope_low <= found.slope && found.slope <= found.slope_high);
}

fn every_method() -> impl Iterator<Item = TrendOptions<'static>> {
    Method::ALL.into_iter().map(|method| TrendOptions {
        seasonality: (method == Method::SeasonalMannKendall).then_some(2),
        ..options(method.as_str())
    })
}

#[test]
fn short_constant_and_perfect_series_have_their_answers() {
    for options in every_method() {
        let method = options.method;
        for short in [
            &[][..],
            &[1.0],
            &[1.0, 2.0],
            &[1.0, f64::NAN, f64::NAN, 2.0],
        ] {
            let found = run(short, options);
            assert_eq!((found.direction, found.trend), (Direction::NoTrend, None));
        }
        let trend = run(&[5.5; 12], options).trend.unwrap();
        assert_eq!((trend.slope, trend.intercept), (0.0, 5.5), "{method}");
        assert_eq!((trend.slope_low, trend.slope_high), (0.0, 0.0), "{method}");
        assert_eq!((trend.tau, trend.statistic), (Some(0.0), Some(0.0)));
        assert_eq!((trend.p_value, trend.r2), (Some(1.0), None), "{method}");
        assert_eq!(trend.autocorrelation, None, "{method}");
        // pymannkendall finds no trend in a perfect line, for want of an autocorrelation.
        for step in [2.0, 0.1] {
            let line: Vec<f64> = (0..12).map(|i| 3.0 + step * f64::from(i)).collect();
            let found = run(&line, options);
            let trend = found.trend.unwrap();
            assert_eq!(found.direction, Direction::Increasing, "{method}");
            assert!((trend.slope - step).abs() < 1e-12 && trend.tau == Some(1.0));
            assert_eq!(trend.autocorrelation, None, "{method}");
        }
    }
}

#[test]
fn a_variance_factor_that_is_none_corrects_nothing() {
    let alternating: Vec<f64> = (0..20)
        .map(|i| f64::from(i % 2) + f64::from(i) * 1e-3)
        .collect();
    let plain = run(&alternating, options("mann_kendall")).trend.unwrap();
    let corrected = TrendOptions {
        max_lag: Some(1),
        ..options("yue_wang")
    };
    let found = run(&alternating, corrected).trend.unwrap();
    assert!(found.autocorrelation.unwrap() < -0.9);
    assert_eq!(found.p_value, plain.p_value);
}

#[test]
fn uneven_positions_are_refused_where_neighbours_count() {
    let values = vec![1.0, 2.0, 4.0, 3.0, 5.0];
    for positions in [[0.0, 2.0, 5.0, 6.3, 7.1], [0.0, 1.0, 1.0, 2.0, 3.0]] {
        let series = Series::new(values.clone(), Some(positions.to_vec())).unwrap();
        for options in every_method() {
            let plan = options.check().unwrap();
            let found = trend_test(&series, &plan, &BUDGET, &mut Uninterruptible);
            if ["mann_kendall", "ordinary_least_squares"].contains(&options.method) {
                assert_eq!(found.unwrap().trend.unwrap().autocorrelation, None);
            } else {
                assert!(matches!(found, Err(TrendError::UnevenPositions { .. })));
            }
        }
    }
}

#[test]
fn memory_is_bounded_and_work_can_be_stopped() {
    struct After(usize);
    impl Progress for After {
        fn poll(&mut self) -> Result<(), Interrupted> {
            self.0 = self.0.checked_sub(1).ok_or(Interrupted)?;
            Ok(())
        }
    }
    let values: Vec<f64> = (0..4000_u32)
        .map(|i| f64::from(i.wrapping_mul(2_654_435_761) >> 8))
        .collect();
    let series = Series::new(values, None).unwrap();
    for options in every_method() {
        let plan = options.check().unwrap();
        let small = Budget::new(1 << 20);
        assert!(matches!(
            trend_test(&series, &plan, &small, &mut Uninterruptible),
            Err(TrendError::Budget(_))
        ));
        for polls in [0, 2, 7] {
            assert_eq!(
                trend_test(&series, &plan, &BUDGET, &mut After(polls)),
                Err(TrendError::Interrupted(Interrupted)),
                "{} after {polls} polls",
                options.method
            );
        }
    }
}

proptest! {
    /// The numbers do not depend on the unit of the values, nor on where positions begin, how far apart they are and in
    /// which order they come; a mirrored series falls as the other rises.
    #[test]
    fn units_and_order_change_nothing(
        values in prop::collection::vec(prop_oneof![8 => (-20_i8..20).prop_map(f64::from), 1 => Just(f64::NAN)], 8..40),
        shift in -5_i32..5, step in 1_i32..4, exponent in prop::sample::select(vec![-900, -3, 5, 900]),
        rotate in 0_usize..40,
    ) {
        let unit = 2.0_f64.powi(exponent);
        for options in every_method() {
            let plan = options.check().unwrap();
            let plain = run(&values, options);
            let mut points: Vec<(f64, f64)> = (0..).map(|i| f64::from(i * step + shift)).zip(values.iter().map(|v| -v * unit)).collect();
            points.rotate_left(rotate % values.len());
            let (x, y) = points.into_iter().unzip();
            let series = Series::new(y, Some(x)).unwrap();
            let other = trend_test(&series, &plan, &BUDGET, &mut Uninterruptible).unwrap();
            prop_assert_eq!(plain.n, other.n);
            let (Some(a), Some(b)) = (plain.trend, other.trend) else {
                prop_assert_eq!(plain.trend, other.trend);
                continue;
            };
            let close = |a: f64, b: f64, what: &str| {
                let close = (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3) || a == b;
                prop_assert!(close, "{} of {}: {} and {}", what, options.method, a, b);
                Ok(())
            };
            let per_step = f64::from(step) / unit;
            close(a.slope, -b.slope * per_step, "slope")?;
            // Values that tie but for rounding may be ranked otherwise once a slope has been taken out.
            let ranked_around_a_slope = ["hamed_rao", "trend_free_pre_whitening"];
            if !ranked_around_a_slope.contains(&options.method) {
                close(a.slope_low, -b.slope_high * per_step, "slope_low")?;
                close(a.slope_high, -b.slope_low * per_step, "slope_high")?;
                close(a.statistic.unwrap_or(7.0), b.statistic.map_or(7.0, |z| -z), "statistic")?;
                close(a.p_value.unwrap_or(7.0), b.p_value.unwrap_or(7.0), "p_value")?;
            }
            close(a.autocorrelation.unwrap_or(7.0), b.autocorrelation.unwrap_or(7.0), "autocorrelation")?;
        }
    }
}
