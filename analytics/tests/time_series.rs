//! Points to draw and fills of gaps against lttb, lttbc and pandas (fixtures/make_time_series.py), and the laws they keep.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use sop_analytics::progress::{Interrupted, Progress, Uninterruptible};
use sop_analytics::time_series::{
    Downsample, DownsampleError, DownsampleOptions, FilledBucket, GapFillError, GapFillOptions,
    downsample, gap_fill,
};

fn cases(kind: &str) -> Vec<Value> {
    let text = include_str!("fixtures/time_series.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    fixture[kind].as_array().unwrap().clone()
}

fn integers(value: &Value) -> Vec<i64> {
    let elements = value.as_array().unwrap().iter();
    elements.map(|v| v.as_i64().unwrap()).collect()
}

fn indexes(value: &Value) -> Vec<usize> {
    integers(value).into_iter().map(|at| at as usize).collect()
}

fn optional(value: &Value) -> Vec<Option<f64>> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(Value::as_f64)
        .collect()
}

fn plan(method: &str, threshold: i32) -> Downsample {
    DownsampleOptions { method, threshold }.check().unwrap()
}

#[test]
fn selections_equal_those_of_lttb_and_lttbc() {
    let (mut all, mut divisible) = (0, 0);
    for case in cases("selections") {
        let name = case["name"].as_str().unwrap();
        let values: Vec<f64> = optional(&case["values"]).into_iter().flatten().collect();
        let threshold = case["threshold"].as_i64().unwrap() as i32;
        let kept = downsample(
            &integers(&case["times"]),
            &values,
            &plan("lttb", threshold),
            &mut Uninterruptible,
        )
        .unwrap();
        assert_eq!(kept, indexes(&case["lttbc"]), "{name}");
        all += 1;
        if !case["lttb"].is_null() {
            assert_eq!(kept, indexes(&case["lttb"]), "{name}");
            divisible += 1;
        }
    }
    assert!(all >= 30 && divisible >= 10, "{all}, {divisible}");
}

/// Steinarsson's program with slices and tables, over the points that have a value.
fn lttb_plainly(times: &[i64], values: &[f64], threshold: usize) -> Vec<usize> {
    let points: Vec<(usize, f64, f64)> = (0..values.len())
        .filter(|&at| !values[at].is_nan())
        .map(|at| (at, (times[at] - times[0]) as f64, values[at]))
        .collect();
    let n = points.len();
    if n <= threshold {
        return points.iter().map(|point| point.0).collect();
    }
    let start = |bucket: usize| bucket * (n - 2) / (threshold - 2) + 1;
    let mut chosen = vec![0];
    for bucket in 0..threshold - 2 {
        let next = &points[start(bucket + 1)..start(bucket + 2).min(n)];
        let mean = |part: fn(&(usize, f64, f64)) -> f64| {
            next.iter().map(part).sum::<f64>() / next.len() as f64
        };
        let (cx, cy) = (mean(|point| point.1), mean(|point| point.2));
        let (_, ax, ay) = points[*chosen.last().unwrap()];
        let areas: Vec<f64> = points[start(bucket)..start(bucket + 1)]
            .iter()
            .map(|&(_, bx, by)| ((ax - cx) * (by - ay) - (ax - bx) * (cy - ay)).abs())
            .collect();
        let largest = areas.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let at = areas.iter().position(|&area| area == largest).unwrap();
        chosen.push(start(bucket) + at);
    }
    chosen.push(n - 1);
    chosen.into_iter().map(|at| points[at].0).collect()
}

/// Values with ties and holes at times with ties.
fn points() -> impl Strategy<Value = (Vec<i64>, Vec<f64>)> {
    let value = prop_oneof![
        4 => (-40..40_i32).prop_map(|n| f64::from(n) / 8.0),
        4 => -1e3..1e3_f64,
        1 => Just(f64::NAN),
    ];
    vec((0..4_i64, value), 0..300).prop_map(|points| {
        let mut now = 820_000_000_000_000;
        points
            .into_iter()
            .map(|(step, value)| {
                now += step * 60_000_000;
                (now, value)
            })
            .unzip()
    })
}

/// A grid with observations at some of its buckets.
fn grid() -> impl Strategy<Value = (Vec<i64>, Vec<Option<f64>>)> {
    let value = prop_oneof![
        3 => (-1e6..1e6_f64).prop_map(Some),
        2 => Just(None),
        1 => Just(Some(f64::NAN)),
    ];
    vec((1..5_i64, value), 0..120).prop_map(|buckets| {
        let mut now = -7;
        buckets
            .into_iter()
            .map(|(step, value)| {
                now += step;
                (now, value)
            })
            .unzip()
    })
}

fn options<'a>(method: &'a str, limit: Option<i32>) -> GapFillOptions<'a> {
    GapFillOptions {
        method,
        limit,
        seasonality: (method == "seasonal").then_some(5),
        constant: (method == "constant").then_some(1.25),
        before_first: None,
    }
}

fn fill(times: &[i64], values: &[Option<f64>], options: GapFillOptions<'_>) -> Vec<FilledBucket> {
    gap_fill(
        times,
        values,
        &options.check().unwrap(),
        &mut Uninterruptible,
    )
    .unwrap()
}

fn seen(value: Option<f64>) -> Option<f64> {
    value.filter(|value| !value.is_nan())
}

proptest! {
    #[test]
    fn the_kept_points_are_first_last_and_as_many_as_asked(
        (times, values) in points(), threshold in 3..60_i32,
    ) {
        let kept = downsample(&times, &values, &plan("lttb", threshold), &mut Uninterruptible).unwrap();
        let drawn: Vec<usize> = (0..values.len()).filter(|&at| !values[at].is_nan()).collect();
        prop_assert_eq!(kept.len(), drawn.len().min(threshold as usize));
        prop_assert_eq!(kept.first(), drawn.first());
        prop_assert_eq!(kept.last(), drawn.last());
        prop_assert!(kept.is_sorted_by(|one, next| one < next));
        prop_assert!(kept.iter().all(|at| drawn.contains(at)));
        prop_assert_eq!(kept, lttb_plainly(&times, &values, threshold as usize));
    }

    #[test]
    fn no_extreme_is_lost((times, values) in points(), threshold in 4..60_i32) {
        let kept = downsample(&times, &values, &plan("min_max", threshold), &mut Uninterruptible).unwrap();
        let drawn: Vec<usize> = (0..values.len()).filter(|&at| !values[at].is_nan()).collect();
        prop_assert!(kept.len() <= threshold as usize);
        prop_assert_eq!(kept.first(), drawn.first());
        prop_assert_eq!(kept.last(), drawn.last());
        prop_assert!(kept.is_sorted_by(|one, next| one < next));
        let largest = |indexes: &[usize]| indexes.iter().map(|&at| values[at]).fold(f64::NAN, f64::max);
        let smallest = |indexes: &[usize]| indexes.iter().map(|&at| values[at]).fold(f64::NAN, f64::min);
        prop_assert_eq!(largest(&kept).to_bits(), largest(&drawn).to_bits());
        prop_assert_eq!(smallest(&kept).to_bits(), smallest(&drawn).to_bits());
    }

    #[test]
    fn observations_never_change_and_fills_are_marked(
        (times, values) in grid(), limit in proptest::option::of(1..9_i32), method in 0..5_usize,
    ) {
        let method = ["none", "locf", "interpolate", "seasonal", "constant"][method];
        let limit = limit.filter(|_| !["none", "constant"].contains(&method));
        let found = fill(&times, &values, options(method, limit));
        prop_assert_eq!(found.len(), values.len());
        for (found, &given) in found.iter().zip(&values) {
            match seen(given) {
                Some(value) => {
                    prop_assert_eq!(found.value.map(f64::to_bits), Some(value.to_bits()));
                    prop_assert!(!found.is_filled);
                }
                None => prop_assert_eq!(found.is_filled, found.value.is_some()),
            }
            prop_assert!(found.value.is_none_or(f64::is_finite));
        }
    }

    #[test]
    fn lines_stay_between_their_ends((times, values) in grid()) {
        let found = fill(&times, &values, options("interpolate", None));
        for (at, bucket) in found.iter().enumerate().filter(|(_, bucket)| bucket.is_filled) {
            let before = values[..at].iter().rev().find_map(|&value| seen(value)).unwrap();
            let after = values[at..].iter().find_map(|&value| seen(value)).unwrap();
            let value = bucket.value.unwrap();
            prop_assert!(before.min(after) <= value && value <= before.max(after));
        }
    }

    #[test]
    fn filling_again_changes_nothing((times, values) in grid(), limit in 1..6_i32) {
        let plans = [
            options("none", None),
            options("locf", None),
            options("interpolate", None),
            options("interpolate", Some(limit)),
            options("constant", None),
        ];
        for options in plans {
            let once: Vec<_> = fill(&times, &values, options).iter().map(|one| one.value).collect();
            let twice: Vec<_> = fill(&times, &once, options).iter().map(|one| one.value).collect();
            prop_assert_eq!(once, twice, "{}", options.method);
        }
        let once: Vec<_> = fill(&times, &values, options("seasonal", None)).iter().map(|one| one.value).collect();
        if once.iter().all(Option::is_some) {
            let twice: Vec<_> = fill(&times, &once, options("seasonal", None)).iter().map(|one| one.value).collect();
            prop_assert_eq!(once, twice);
        }
    }

    #[test]
    fn a_season_on_a_line_comes_back(
        places in vec(-100.0..100.0_f64, 2..12),
        slope in -1.0..1.0_f64,
        level in -1e3..1e3_f64,
        holes in vec(any::<bool>(), 120),
    ) {
        let m = places.len();
        let times: Vec<i64> = (0..120).map(|at| at * 3_600_000_000).collect();
        let whole: Vec<f64> = (0..120).map(|at| level + slope * at as f64 + places[at % m]).collect();
        let holed: Vec<Option<f64>> = whole
            .iter()
            .zip(&holes)
            .map(|(&value, &hole)| (!hole).then_some(value))
            .collect();
        let enough: Vec<bool> = (0..m)
            .map(|place| holed.iter().skip(place).step_by(m).flatten().count() >= 2)
            .collect();
        let options = GapFillOptions { seasonality: Some(m as i32), ..options("seasonal", None) };
        for (at, found) in fill(&times, &holed, options).iter().enumerate() {
            if enough[at % m] {
                let found = found.value.unwrap();
                let close = (found - whole[at]).abs() <= 1e-9 * whole[at].abs().max(1.0);
                prop_assert!(close, "{at}: {found} instead of {}", whole[at]);
            }
        }
    }
}

#[test]
fn fills_equal_those_of_pandas() {
    let all = cases("fills");
    assert!(all.len() >= 6);
    for case in all {
        let (times, values) = (integers(&case["times"]), optional(&case["values"]));
        let compare = |options: GapFillOptions<'_>, expected: &Value| {
            let found = fill(&times, &values, options);
            for (at, (found, expected)) in found.iter().zip(optional(expected)).enumerate() {
                let close = match (found.value, expected) {
                    (Some(found), Some(expected)) => {
                        (found - expected).abs() <= 1e-9 * expected.abs()
                    }
                    (found, expected) => found == expected,
                };
                let what = format!("{} {} {at}", case["name"], options.method);
                assert!(close, "{what}: {found:?} instead of {expected:?}");
            }
        };
        compare(options("interpolate", None), &case["interpolate"]);
        compare(options("locf", None), &case["locf"]);
        for (limit, expected) in case["locf_limits"].as_object().unwrap() {
            compare(options("locf", limit.parse().ok()), expected);
        }
    }
}

/// Wants to stop after so many looks.
struct StopAfter(usize);

impl Progress for StopAfter {
    fn poll(&mut self) -> Result<(), Interrupted> {
        self.0 = self.0.checked_sub(1).ok_or(Interrupted)?;
        Ok(())
    }
}

#[test]
fn work_can_be_stopped_on_its_way() {
    let times: Vec<i64> = (0..100_000).collect();
    let values: Vec<f64> = times.iter().map(|&time| (time % 97) as f64).collect();
    for method in ["lttb", "min_max"] {
        // One bucket of nearly all points: asked within it.
        let found = downsample(&times, &values, &plan(method, 4), &mut StopAfter(10));
        assert_eq!(
            found,
            Err(DownsampleError::Interrupted(Interrupted)),
            "{method}"
        );
    }
    let observed: Vec<Option<f64>> = values.into_iter().map(Some).collect();
    let options = GapFillOptions {
        method: "seasonal",
        seasonality: Some(7),
        ..Default::default()
    };
    let found = gap_fill(
        &times,
        &observed,
        &options.check().unwrap(),
        &mut StopAfter(2),
    );
    assert_eq!(found, Err(GapFillError::Interrupted(Interrupted)));
}
