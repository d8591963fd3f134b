//! Lines: edge cases, offsets, special values, overflow and what decoding refuses.

use super::*;
use crate::codec::{Codec, TextForm};

fn summary(points: &[(f64, f64)]) -> RegressionSummary {
    RegressionSummary::from_points(points.iter().copied()).unwrap()
}

fn test(points: &[(f64, f64)]) -> Option<RegressionTest> {
    regression_test(&summary(points), 0.95).unwrap()
}

#[test]
fn few_points_and_constants() {
    let nothing = summary(&[]);
    assert_eq!(
        (nothing.n(), nothing.mean_x(), nothing.slope()),
        (0, None, None)
    );
    let one = summary(&[(3.0, 2.0)]);
    assert_eq!((one.mean_y(), one.mean_x()), (Some(3.0), Some(2.0)));
    assert_eq!((one.slope(), one.intercept(), one.r2()), (None, None, None));
    assert_eq!(one.covariance(Estimator::Sample), None);
    assert_eq!(one.covariance(Estimator::Population), Some(0.0));

    let two = summary(&[(1.0, 0.0), (4.0, 1.0)]);
    assert_eq!(
        (two.slope(), two.intercept(), two.r2()),
        (Some(3.0), Some(1.0), Some(1.0))
    );
    let through_both = test(&[(1.0, 0.0), (4.0, 1.0)]).unwrap();
    assert_eq!(
        (
            through_both.slope_error,
            through_both.p_value,
            through_both.df
        ),
        (None, None, 0.0)
    );

    let upright = summary(&[(1.0, 0.1), (4.0, 0.1), (5.0, 0.1)]);
    assert_eq!(
        (upright.slope(), upright.correlation(), upright.r2()),
        (None, None, None)
    );
    assert_eq!(regression_test(&upright, 0.95).unwrap(), None);
    assert_eq!(regression_prediction(&upright, 1.0, 0.95).unwrap(), None);

    let level = summary(&[(0.1, 1.0), (0.1, 4.0), (0.1, 5.0)]);
    assert_eq!((level.slope(), level.intercept()), (Some(0.0), Some(0.1)));
    assert_eq!((level.r2(), level.correlation()), (Some(1.0), None));
    assert_eq!(level.x_intercept(), None);
    let flat = regression_test(&level, 0.95).unwrap().unwrap();
    assert_eq!(
        (flat.slope_error, flat.t, flat.p_value),
        (Some(0.0), None, None)
    );
}

#[test]
fn a_perfect_fit_has_no_residuals() {
    // Thirds of large numbers: one double would leave residuals of rounding.
    let points: Vec<_> = (0..1000)
        .map(|i| (3.0 * f64::from(i) + 1e9, f64::from(i) + 1.7e9))
        .collect();
    for points in [points.clone(), points.into_iter().rev().collect()] {
        let fit = test(&points).unwrap();
        assert_eq!((fit.slope, fit.intercept), (3.0, 1e9 - 5.1e9));
        assert_eq!((fit.slope_error, fit.p_value), (Some(0.0), Some(0.0)));
        assert_eq!(fit.t, Some(f64::INFINITY));
        assert_eq!(summary(&points).correlation(), Some(1.0));
    }
}

#[test]
fn an_offset_costs_no_digits() {
    let plain: Vec<_> = (0..500)
        .map(|i| (f64::from(i * i % 257) / 64.0, f64::from(i * 7 % 101) / 8.0))
        .collect();
    let moved: Vec<_> = plain.iter().map(|(y, x)| (y + 1e9, x + 1.7e9)).collect();
    let (here, there) = (test(&plain).unwrap(), test(&moved).unwrap());
    for (here, there) in [
        (here.slope, there.slope),
        (here.slope_error.unwrap(), there.slope_error.unwrap()),
        (here.p_value.unwrap(), there.p_value.unwrap()),
    ] {
        assert!((here - there).abs() <= 1e-14 * here.abs(), "{here} {there}");
    }
}

#[test]
fn not_a_number_and_infinity_spoil_their_variable_alone() {
    let inf = f64::INFINITY;
    for (y, x, spoilt_x, spoilt_y) in [
        (f64::NAN, 3.0, false, true),
        (2.0, inf, true, false),
        (-inf, f64::NAN, true, true),
    ] {
        let orders = [
            [(1.0, 1.0), (2.0, 3.0), (y, x), (5.0, 4.0)],
            [(y, x), (1.0, 1.0), (2.0, 3.0), (5.0, 4.0)],
        ];
        for points in orders {
            let state = summary(&points);
            assert_eq!(
                state.variance_x(Estimator::Sample).unwrap().is_nan(),
                spoilt_x
            );
            assert_eq!(
                state.variance_y(Estimator::Sample).unwrap().is_nan(),
                spoilt_y
            );
            assert!(state.slope().unwrap().is_nan() && state.r2().unwrap().is_nan());
            assert!(state.correlation().unwrap().is_nan());
            let test = regression_test(&state, 0.95).unwrap().unwrap();
            assert!(test.p_value.unwrap().is_nan() && test.slope_interval.unwrap().lower.is_nan());
            assert_eq!(
                RegressionSummary::decode(&state.encode()).unwrap().encode(),
                state.encode()
            );
        }
    }
    let one = summary(&[(f64::NAN, 1.0)]);
    assert_eq!(one.slope(), None);
    assert!(one.mean_y().unwrap().is_nan());
    let line = summary(&[(1.0, 0.0), (4.0, 1.0), (6.0, 2.0)]);
    let nowhere = regression_prediction(&line, inf, 0.95).unwrap().unwrap();
    assert!(nowhere.prediction.is_nan() && nowhere.interval.unwrap().upper.is_nan());
}

#[test]
fn overflow_is_an_error() {
    for points in [
        [(1e200, 0.0), (-1e200, 1.0)],
        [(0.0, 1e200), (1.0, -1e200)],
        [(f64::MAX, 0.0), (f64::MAX, 1.0)],
    ] {
        let pushed = RegressionSummary::from_points(points);
        assert!(matches!(pushed, Err(StatisticsError::Overflow(_))));
        let mut first = summary(&points[..1]);
        assert!(first.merge(&summary(&points[1..])).is_err());
    }
    assert!(RegressionSummary::from_points([(1e150, 1e150), (-1e150, -1e150)]).is_ok());
    let mut full = summary(&[(1.0, 1.0)]);
    full.n = LARGEST_COUNT;
    let copy = full;
    assert!(matches!(
        full.merge(&copy),
        Err(StatisticsError::Overflow(_))
    ));
}

#[test]
fn levels_are_checked_first() {
    for level in [0.0, 1.0, 95.0, f64::NAN] {
        assert!(regression_test(&summary(&[]), level).is_err());
        assert!(regression_prediction(&summary(&[]), 0.0, level).is_err());
    }
}

#[test]
fn contradictions_are_refused() {
    let valid = summary(&[(1.0, 2.0), (2.0, 3.0), (4.0, 7.0)]);
    assert!(RegressionSummary::decode(&valid.encode()).is_ok());
    let edits: [fn(&mut RegressionSummary); 11] = [
        |s| s.n = 0,
        |s| s.n = 1,
        |s| s.n = u64::MAX,
        |s| s.x.low = 5.0,
        |s| s.x.high = f64::NAN,
        |s| s.y.high = f64::INFINITY,
        |s| s.xx.high = -1.0,
        |s| s.xx.low = 1.0,
        |s| s.xy.high = 1e9,
        |s| s.yy.high = f64::NAN,
        |s| s.xy.high = f64::INFINITY,
    ];
    for (number, edit) in edits.iter().enumerate() {
        let mut broken = valid;
        edit(&mut broken);
        assert!(
            RegressionSummary::decode(&broken.encode()).is_err(),
            "edit {number}"
        );
        assert!(
            RegressionSummary::from_text(&broken.to_text()).is_err(),
            "edit {number}"
        );
    }
}

#[test]
fn the_text_form_has_named_keys() {
    let text = summary(&[(1.0, 1.0), (3.0, 2.0)]).to_text();
    assert_eq!(
        text,
        r#"{"version":1,"n":2,"sum_x":3.0,"sum_x_low":0.0,"sum_y":4.0,"sum_y_low":0.0,"xx":0.5,"xx_low":0.0,"xy":1.0,"xy_low":0.0,"yy":2.0,"yy_low":0.0}"#
    );
    for bad in [
        "",
        "{}",
        "[]",
        "null",
        &text.replace("\"n\"", "\"N\""),
        &text.replace("n\":1", "n\":2"),
    ] {
        assert!(RegressionSummary::from_text(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_constant_stays_one_through_large_merges() {
    // 2 · 3^30 points: products of counts pass 2^90.
    let mut level = summary(&[(0.1, 1.0), (0.1, 2.0)]);
    let mut upright = summary(&[(1.0, 0.1), (2.0, 0.1)]);
    for _ in 0..30 {
        for state in [&mut level, &mut upright] {
            let copy = *state;
            state.merge(&copy).unwrap();
            state.merge(&copy).unwrap();
        }
    }
    assert_eq!((level.slope(), level.correlation()), (Some(0.0), None));
    assert_eq!((upright.slope(), upright.r2()), (None, None));
}
