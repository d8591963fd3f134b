use super::*;
use crate::progress::Uninterruptible;

const NONE: GapFillOptions<'_> = GapFillOptions {
    method: "none",
    limit: None,
    before_first: None,
    seasonality: None,
    constant: None,
};

fn grid(n: usize) -> Vec<i64> {
    (0..n as i64).map(|at| at * 3_600_000_000).collect()
}

fn filled(values: &[f64], options: GapFillOptions<'_>) -> Vec<Option<f64>> {
    let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
    let filled = gap_fill(
        &grid(values.len()),
        &values,
        &options.check().unwrap(),
        &mut Uninterruptible,
    )
    .unwrap();
    for (found, given) in filled.iter().zip(&values) {
        let is_empty = given.unwrap().is_nan();
        assert_eq!(found.is_filled, is_empty && found.value.is_some());
    }
    filled.into_iter().map(|bucket| bucket.value).collect()
}

const X: f64 = f64::NAN;

#[test]
fn buckets_are_checked() {
    let refused = |times: &[i64], values: &[Option<f64>], method| {
        let plan = GapFillOptions { method, ..NONE }.check().unwrap();
        gap_fill(times, values, &plan, &mut Uninterruptible)
    };
    assert_eq!(
        refused(&[1], &[], "none"),
        Err(GapFillError::LengthMismatch {
            times: 1,
            values: 0
        })
    );
    assert_eq!(
        refused(&[1, 2, 2], &[None; 3], "none"),
        Err(GapFillError::Unsorted { position: 3 })
    );
    let infinite = [Some(1.0), Some(f64::INFINITY), None];
    assert_eq!(
        refused(&[1, 2, 3], &infinite, "interpolate"),
        Err(GapFillError::Infinite { position: 2 })
    );
    let carried = refused(&[1, 2, 3], &infinite, "locf").unwrap();
    assert_eq!(carried[2].value, Some(f64::INFINITY));
    assert_eq!(refused(&[], &[], "interpolate"), Ok(vec![]));
}

#[test]
fn none_and_constant() {
    assert_eq!(filled(&[X, 1.0, X], NONE), [None, Some(1.0), None]);
    let constant = GapFillOptions {
        method: "constant",
        constant: Some(-1.5),
        ..NONE
    };
    assert_eq!(
        filled(&[X, 1.0, X], constant),
        [Some(-1.5), Some(1.0), Some(-1.5)]
    );
}

#[test]
fn the_last_observation_is_carried_as_far_as_the_limit() {
    let locf = GapFillOptions {
        method: "locf",
        ..NONE
    };
    let values = [X, X, 1.0, X, X, X, 2.0];
    assert_eq!(
        filled(&values, locf),
        [
            None,
            None,
            Some(1.0),
            Some(1.0),
            Some(1.0),
            Some(1.0),
            Some(2.0)
        ]
    );
    let limited = GapFillOptions {
        limit: Some(1),
        before_first: Some(9.0),
        ..locf
    };
    assert_eq!(
        filled(&values, limited),
        [Some(9.0), None, Some(1.0), Some(1.0), None, None, Some(2.0)]
    );
    let nothing_before = GapFillOptions {
        before_first: Some(X),
        ..locf
    };
    assert_eq!(filled(&values, nothing_before)[0], None);
}

#[test]
fn lines_are_linear_in_time() {
    let plan = GapFillOptions {
        method: "interpolate",
        ..NONE
    };
    let values = [Some(0.0), None, Some(8.0)];
    let found = gap_fill(
        &[0, 1, 4],
        &values,
        &plan.check().unwrap(),
        &mut Uninterruptible,
    )
    .unwrap();
    assert_eq!(found[1].value, Some(2.0));
    let wide = gap_fill(
        &[i64::MIN, 0, i64::MAX],
        &values,
        &plan.check().unwrap(),
        &mut Uninterruptible,
    )
    .unwrap();
    assert!((wide[1].value.unwrap() - 4.0).abs() < 1e-9);
    let steep = [Some(f64::MIN), None, Some(f64::MAX)];
    let found = gap_fill(
        &[0, 1, 2],
        &steep,
        &plan.check().unwrap(),
        &mut Uninterruptible,
    )
    .unwrap();
    assert_eq!(found[1].value, Some(0.0));
}

#[test]
fn long_gaps_stay_whole() {
    let plan = GapFillOptions {
        method: "interpolate",
        limit: Some(2),
        ..NONE
    };
    assert_eq!(
        filled(&[X, 1.0, X, X, 4.0, X, X, X, 8.0, X], plan),
        [
            None,
            Some(1.0),
            Some(2.0),
            Some(3.0),
            Some(4.0),
            None,
            None,
            None,
            Some(8.0),
            None
        ]
    );
}

#[test]
fn a_season_is_recognised_inside_and_at_the_ends() {
    let plan = GapFillOptions {
        method: "seasonal",
        seasonality: Some(3),
        ..NONE
    };
    // 10, 20, 60 and one more each bucket.
    let whole: Vec<f64> = (0..15)
        .map(|at| [10.0, 20.0, 60.0][at % 3] + at as f64)
        .collect();
    let mut holes = whole.clone();
    for at in [0, 1, 5, 6, 7, 14] {
        holes[at] = X;
    }
    for (found, expected) in filled(&holes, plan).iter().zip(&whole) {
        assert!((found.unwrap() - expected).abs() < 1e-9);
    }
    let limited = GapFillOptions {
        limit: Some(2),
        ..plan
    };
    let found = filled(&holes, limited);
    assert_eq!((found[5], found[6], found[7]), (None, None, None));
    assert!(found[0].is_some() && found[14].is_some());
}

#[test]
fn a_place_that_was_seen_once_is_interpolated() {
    let plan = GapFillOptions {
        method: "seasonal",
        seasonality: Some(4),
        ..NONE
    };
    // The last place of the season is observed once; around its second gap stand 1 and 9.
    let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0, X, 9.0, 6.0, 1.0, X];
    let found = filled(&values, plan);
    assert_eq!(found[7], Some(5.0));
    assert_eq!(found[11], None, "no line leads past the end");
    let nothing = filled(&[X; 9], plan);
    assert_eq!(nothing, [None; 9]);
    let short = filled(&[1.0, X, 3.0], plan);
    assert_eq!(short[1], Some(2.0));
}

#[test]
fn one_spoiled_reading_does_not_bend_the_season() {
    let plan = GapFillOptions {
        method: "seasonal",
        seasonality: Some(7),
        ..NONE
    };
    let whole: Vec<f64> = (0..70)
        .map(|at| [5.0, 1.0, 0.0, 2.0, 8.0, 9.0, 3.0][at % 7])
        .collect();
    let mut holes = whole.clone();
    holes[10] = 1e6;
    for at in [39, 40, 41, 42] {
        holes[at] = X;
    }
    let found = filled(&holes, plan);
    for at in [39, 40, 41, 42] {
        assert!((found[at].unwrap() - whole[at]).abs() < 1e-9);
    }
}

#[test]
fn seasons_beyond_the_doubles_are_an_error() {
    let plan = GapFillOptions {
        method: "seasonal",
        seasonality: Some(2),
        ..NONE
    };
    let values: Vec<Option<f64>> = [f64::MIN, 0.0, X, 0.0, f64::MAX, 0.0].map(Some).to_vec();
    let found = gap_fill(
        &grid(6),
        &values,
        &plan.check().unwrap(),
        &mut Uninterruptible,
    );
    assert_eq!(found, Err(GapFillError::OutOfRange));
}
