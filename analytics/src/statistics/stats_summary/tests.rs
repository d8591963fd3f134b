//! One-variable summaries: edge cases, offsets, removal and what decoding refuses.

use super::*;
use crate::codec::{Codec, TextForm};

fn summary(values: &[f64]) -> StatsSummary {
    StatsSummary::from_values(values.iter().copied()).unwrap()
}

#[test]
fn nothing_one_value_and_a_constant() {
    let nothing = summary(&[]);
    assert_eq!(
        (nothing.n(), nothing.mean(), nothing.sum()),
        (0, None, None)
    );
    assert_eq!(nothing.variance(Estimator::Population), None);
    let one = summary(&[7.5]);
    assert_eq!(one.mean(), Some(7.5));
    assert_eq!(one.variance(Estimator::Sample), None);
    assert_eq!(one.variance(Estimator::Population), Some(0.0));
    let constant = summary(&[0.1; 1000]);
    assert_eq!(constant.variance(Estimator::Sample), Some(0.0));
    assert_eq!(constant.skewness(Estimator::Population), None);
    assert_eq!(constant.kurtosis(Estimator::Sample), None);
    assert_eq!(constant.mean(), Some(0.1));
}

#[test]
fn a_sum_is_rounded_once() {
    assert_eq!(summary(&[0.1; 10]).sum(), Some(1.0));
    assert_eq!(summary(&[1e16, 1.0, -1e16]).sum(), Some(1.0));
}

#[test]
fn an_offset_costs_no_digits() {
    // Deviations from 1e9 are exact binary fractions: the exact moments are those without the offset.
    let plain: Vec<f64> = (0..1000).map(|i| f64::from(i * i % 257) / 64.0).collect();
    let exact = summary(&plain);
    for offset in [1e9, -1e9, 1e12] {
        let shifted: Vec<f64> = plain.iter().map(|value| value + offset).collect();
        let moved = summary(&shifted);
        for (name, there, here) in [
            ("m2", exact.m2, moved.m2),
            ("m3", exact.m3, moved.m3),
            ("m4", exact.m4, moved.m4),
        ] {
            let error = ((there - here) / there).abs();
            assert!(error < 1e-12, "{name} at {offset}: {error}");
        }
    }
}

#[test]
fn not_a_number_and_infinity_follow_float8() {
    let inf = f64::INFINITY;
    let mixed = summary(&[1.0, inf, 2.0]);
    assert_eq!(
        (mixed.mean(), mixed.min(), mixed.max()),
        (Some(inf), Some(1.0), Some(inf))
    );
    assert!(mixed.variance(Estimator::Sample).unwrap().is_nan());
    assert!(summary(&[inf, -inf]).mean().unwrap().is_nan());
    let nan = summary(&[3.0, f64::NAN, 2.0]);
    assert_eq!(nan.min(), Some(2.0));
    assert!(nan.max().unwrap().is_nan() && nan.sum().unwrap().is_nan());
    assert!(summary(&[f64::NAN]).min().unwrap().is_nan());
    assert!(
        summary(&[f64::NAN, 1.0])
            .kurtosis(Estimator::Sample)
            .is_none()
    );
    for state in [mixed, nan, summary(&[inf, -inf]), summary(&[inf, f64::NAN])] {
        let bytes = state.encode();
        assert_eq!(StatsSummary::decode(&bytes).unwrap().encode(), bytes);
        let text = state.to_text();
        assert_eq!(StatsSummary::from_text(&text).unwrap().encode(), bytes);
    }
}

#[test]
fn overflow_is_an_error() {
    let overflow = |values: &[f64]| StatsSummary::from_values(values.iter().copied()).is_err();
    assert!(overflow(&[f64::MAX, f64::MAX]));
    assert!(overflow(&[1e200, -1e200]));
    assert!(!overflow(&[1e70, -1e70]));
    let mut a = StatsSummary::from_values([1e150]).unwrap();
    let b = StatsSummary::from_values([-1e150]).unwrap();
    assert!(a.merge(&b).is_err());
}

#[test]
fn too_many_rows_are_an_error() {
    let mut a = summary(&[1.0]);
    a.n = LARGEST_COUNT;
    a.sum = a.n as f64;
    let b = a;
    assert!(matches!(a.merge(&b), Err(StatisticsError::Overflow(_))));
}

#[test]
fn an_extreme_cannot_be_removed_and_an_inner_value_can() {
    let mut state = summary(&[1.0, 2.0, 5.0, 3.0]);
    for value in [1.0, 5.0, f64::NAN, f64::INFINITY] {
        let before = state;
        assert!(!state.remove(value));
        assert_eq!(state, before);
    }
    assert!(state.remove(2.0));
    let fresh = summary(&[1.0, 5.0, 3.0]);
    assert_eq!(
        (state.n, state.sum, state.min, state.max),
        (3, 9.0, 1.0, 5.0)
    );
    for (there, here) in [
        (fresh.m2, state.m2),
        (fresh.m3, state.m3),
        (fresh.m4, state.m4),
    ] {
        assert!((there - here).abs() < 1e-12);
    }
}

#[test]
fn contradictions_are_refused() {
    let valid = summary(&[1.0, 2.0, 4.0]);
    assert!(StatsSummary::decode(&valid.encode()).is_ok());
    let edits: [fn(&mut StatsSummary); 12] = [
        |s| s.n = 0,
        |s| s.n = 1,
        |s| s.n = u64::MAX,
        |s| s.sum = 1e6,
        |s| s.sum = f64::NAN,
        |s| s.sum_low = 5.0,
        |s| s.m2 = -1.0,
        |s| s.m2 = 1e9,
        |s| s.m4 = -1.0,
        |s| s.m3 = f64::INFINITY,
        |s| s.min = 9.0,
        |s| s.max = f64::NAN,
    ];
    for (number, edit) in edits.iter().enumerate() {
        let mut broken = valid;
        edit(&mut broken);
        assert!(
            StatsSummary::decode(&broken.encode()).is_err(),
            "edit {number}"
        );
        assert!(
            StatsSummary::from_text(&broken.to_text()).is_err(),
            "edit {number}"
        );
    }
}

#[test]
fn the_text_form_has_named_keys() {
    let text = summary(&[1.0, 2.0]).to_text();
    assert_eq!(
        text,
        r#"{"version":1,"n":2,"sum":3.0,"sum_low":0.0,"m2":0.5,"m3":0.0,"m4":0.125,"min":1.0,"max":2.0}"#
    );
    for bad in [
        "",
        "{}",
        "[]",
        "null",
        &text.replace("\"n\"", "\"N\""),
        &text.replace(":1,", ":2,"),
    ] {
        assert!(StatsSummary::from_text(bad).is_err(), "{bad}");
    }
}

fn weighted(pairs: &[(f64, f64)]) -> StatsSummary {
    let mut state = StatsSummary::default();
    for &(value, weight) in pairs {
        state.push_weighted(value, weight).unwrap();
    }
    state
}

#[test]
fn equal_weights_are_no_weights() {
    let plain = summary(&[1.0, 2.0, 4.0, 10.0]);
    for weight in [1.0, 0.1, 1e-50, 1e50] {
        let state = weighted(&[1.0, 2.0, 4.0, 10.0].map(|value| (value, weight)));
        assert_eq!(
            (state.n(), state.min(), state.max()),
            (4, Some(1.0), Some(10.0))
        );
        let same = |found: Option<f64>, expected: Option<f64>| {
            let (found, expected) = (found.unwrap(), expected.unwrap());
            assert!(
                (found - expected).abs() <= 1e-14 * expected.abs(),
                "{weight}: {found} {expected}"
            );
        };
        same(state.mean(), plain.mean());
        same(state.effective_size(), Some(4.0));
        for estimator in [Estimator::Sample, Estimator::Population] {
            same(state.variance(estimator), plain.variance(estimator));
            same(state.skewness(estimator), plain.skewness(estimator));
            same(state.kurtosis(estimator), plain.kurtosis(estimator));
        }
    }
}

#[test]
fn whole_weights_are_repetitions_for_the_frequency_estimator() {
    let counted = weighted(&[(1.0, 3.0), (2.5, 1.0), (7.0, 2.0), (7.5, 4.0)]);
    let repeated = summary(&[1.0, 1.0, 1.0, 2.5, 7.0, 7.0, 7.5, 7.5, 7.5, 7.5]);
    for (found, expected) in [
        (counted.sum_weights(), Some(10.0)),
        (
            counted.variance(Estimator::Frequency),
            repeated.variance(Estimator::Sample),
        ),
        (
            counted.skewness(Estimator::Frequency),
            repeated.skewness(Estimator::Sample),
        ),
        (
            counted.kurtosis(Estimator::Frequency),
            repeated.kurtosis(Estimator::Sample),
        ),
    ] {
        let (found, expected) = (found.unwrap(), expected.unwrap());
        assert!(
            (found - expected).abs() <= 1e-14 * expected.abs(),
            "{found} {expected}"
        );
    }
    assert_eq!(counted.n(), 4);
    assert_eq!(
        repeated.variance(Estimator::Frequency),
        repeated.variance(Estimator::Sample)
    );
}

#[test]
fn zero_weights_add_nothing_and_wrong_ones_are_refused() {
    assert_eq!(
        weighted(&[(1.0, 0.0), (f64::NAN, 0.0), (2.0, 1e-61)]),
        StatsSummary::default()
    );
    let mut state = weighted(&[(1.0, 2.0)]);
    for weight in [-1.0, -0.5e-300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(
            state.push_weighted(1.0, weight),
            Err(StatisticsError::Weight(_))
        ));
    }
    for (value, weight) in [(1.0, 1e61), (1e300, 1e60)] {
        assert!(matches!(
            state.push_weighted(value, weight),
            Err(StatisticsError::Overflow(_))
        ));
    }
    assert_eq!(state, weighted(&[(1.0, 2.0)]));
}

#[test]
fn one_weighted_value_and_one_that_outweighs_all() {
    let one = weighted(&[(5.0, 0.3)]);
    assert_eq!((one.mean(), one.effective_size()), (Some(5.0), Some(1.0)));
    assert_eq!(
        (
            one.variance(Estimator::Sample),
            one.variance(Estimator::Population)
        ),
        (None, Some(0.0))
    );
    assert_eq!(one.variance(Estimator::Frequency), None);
    // (Σw)² / Σw² - 1 = 2 · 1e-20, far below what 1 + it can show: the variance is (x - y)² / 2 all the same.
    let two = weighted(&[(0.0, 1.0), (3.0, 1e-20)]);
    let variance = two.variance(Estimator::Sample).unwrap();
    assert!((variance - 4.5).abs() < 1e-12, "{variance}");
    let constant = weighted(&[(0.1, 0.3), (0.1, 0.7), (0.1, 11.0)]);
    assert_eq!(constant.skewness(Estimator::Population), None);
}

#[test]
fn values_with_and_without_weights_meet() {
    let mut state = summary(&[1.0, 2.0]);
    state.push_weighted(5.0, 3.0).unwrap();
    state.push(9.0).unwrap();
    let expected = weighted(&[(1.0, 1.0), (2.0, 1.0), (5.0, 3.0), (9.0, 1.0)]);
    assert_eq!(state.encode(), expected.encode());
    assert!(state.is_weighted() && !state.remove(2.0));
    let mut other = summary(&[9.0, 2.0]);
    other.merge(&weighted(&[(5.0, 3.0), (1.0, 1.0)])).unwrap();
    assert_eq!(
        (other.n(), other.sum(), other.mean()),
        (4, Some(27.0), Some(4.5))
    );
}

#[test]
fn a_weighted_state_has_a_layout_of_its_own() {
    let state = weighted(&[(1.0, 0.5), (4.0, 2.0), (f64::INFINITY, 1.0)]);
    let plain = summary(&[1.0, 4.0]);
    assert_eq!((plain.encode()[1], plain.encode().len()), (1, 66));
    assert_eq!((state.encode()[1], state.encode().len()), (2, 98));
    assert_eq!(
        StatsSummary::decode(&state.encode()).unwrap().encode(),
        state.encode()
    );
    let text = weighted(&[(1.0, 0.5), (4.0, 2.0)]).to_text();
    assert!(
        text.ends_with(
            r#""weight_sum":2.5,"weight_sum_low":0.0,"weight_squares":4.25,"weight_pairs":1.0}"#
        ),
        "{text}"
    );
    assert_eq!(StatsSummary::from_text(&text).unwrap().to_text(), text);
    for bad in [
        text.replace("n\":2", "n\":1"),
        text.replace("version\":2", "version\":1"),
        text.replace("version\":2", "version\":3"),
        text.replace(",\"weight_pairs\":1.0", ""),
        text.replace("weight_pairs\":1.0", "weight_pairs\":2.0"),
        text.replace("weight_pairs\":1.0", "weight_pairs\":-1.0"),
        text.replace("weight_squares\":4.25", "weight_squares\":0.25"),
        text.replace("weight_sum\":2.5", "weight_sum\":\"NaN\""),
        text.replace("weight_sum_low\":0.0", "weight_sum_low\":0.5"),
        text.replace("\"weight_sum\":2.5,", "\"weight_sum\":-2.5,"),
    ] {
        assert!(StatsSummary::from_text(&bad).is_err(), "{bad}");
    }
}

#[test]
fn weights_keep_the_digits_on_an_offset() {
    let pairs: Vec<(f64, f64)> = (0..2000)
        .map(|i| (f64::from(i * i % 257) / 64.0, 0.1 + f64::from(i * 7 % 11)))
        .collect();
    let exact = weighted(&pairs);
    for offset in [1e9, -1e9, 1e12] {
        let shifted: Vec<_> = pairs
            .iter()
            .map(|&(value, weight)| (value + offset, weight))
            .collect();
        let (left, right) = shifted.split_at(777);
        let mut merged = weighted(right);
        merged.merge(&weighted(left)).unwrap();
        for state in [weighted(&shifted), merged] {
            for (name, there, here) in [
                ("m2", exact.m2, state.m2),
                ("m3", exact.m3, state.m3),
                ("m4", exact.m4, state.m4),
            ] {
                let error = ((there - here) / there).abs();
                assert!(error < 1e-12, "{name} at {offset}: {error}");
            }
        }
    }
}

#[test]
fn equal_weighted_values_do_not_differ_by_rounding() {
    for value in [0.1, 1e9 / 3.0, -7.3e-5] {
        let mut parts: Vec<StatsSummary> = (1..40)
            .map(|i| weighted(&[(value, 0.3 * f64::from(i)), (value, 1.0 / f64::from(i))]))
            .collect();
        while let Some(part) = parts.pop() {
            let Some(into) = parts.first_mut() else {
                assert_eq!(part.variance(Estimator::Sample), Some(0.0));
                assert_eq!(
                    (part.mean(), part.skewness(Estimator::Sample)),
                    (Some(value), None)
                );
                break;
            };
            into.merge(&part).unwrap();
            assert!(StatsSummary::decode(&into.encode()).is_ok());
        }
    }
}
