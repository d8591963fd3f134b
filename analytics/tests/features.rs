//! Features against NumPy and SciPy, and the promise that nothing of the future counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests may fail loudly"
)]

use proptest::prelude::*;
use serde_json::Value;
use sop_analytics::features::matrix::{
    Certification, Plan, UserFacts, check_windows, pair_moments,
};
use sop_analytics::features::names::Feature;
use sop_analytics::features::window::{Needs, WindowSummary, quantile};
use sop_analytics::features::{
    DAY, Entity, Event, EventKind, FeatureError, HOUR, Histories, Measure, Moment,
};

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/features.json")).unwrap()
}

fn close(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() <= 1e-9 * expected.abs().max(1.0)
}

fn event(kind: EventKind, occurred_at: i64) -> Event {
    Event {
        entity: 0,
        counterpart: 0,
        occurred_at,
        recorded_at: occurred_at,
        local_day: occurred_at.div_euclid(DAY) as i32,
        kind,
        duration_seconds: f64::NAN,
        rating: f64::NAN,
        quality: f64::NAN,
    }
}

fn moment(as_of: i64) -> Moment {
    Moment {
        as_of,
        local_day: as_of.div_euclid(DAY) as i32,
        live_since: Some(i64::MIN),
    }
}

fn summary(events: &[Event], as_of: i64, length: i64) -> WindowSummary {
    let mut summary = WindowSummary::default();
    summary.scan(events, moment(as_of), length, Needs::of(Measure::ALL));
    summary
}

#[test]
fn quantiles_are_those_of_numpy() {
    for case in fixture()["quantiles"].as_array().unwrap() {
        let mut values: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
        values.sort_unstable_by(f64::total_cmp);
        for pair in case["quantiles"].as_array().unwrap() {
            let (p, expected) = (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap());
            assert!(
                close(quantile(&values, p).unwrap(), expected),
                "{p} of {values:?}"
            );
        }
        let events: Vec<Event> = values
            .iter()
            .enumerate()
            .map(|(place, seconds)| Event {
                duration_seconds: *seconds,
                ..event(EventKind::Complete, place as i64)
            })
            .collect();
        let summary = summary(&events, DAY, DAY);
        assert!(close(
            summary.value(Measure::DurationMean).unwrap(),
            case["mean"].as_f64().unwrap()
        ));
        assert_eq!(
            summary.value(Measure::DurationMedian),
            quantile(&values, 0.5)
        );
        assert_eq!(summary.value(Measure::DurationP95), quantile(&values, 0.95));
    }
    assert_eq!(quantile(&[], 0.5), None);
}

#[test]
fn slopes_are_those_of_scipy() {
    for case in fixture()["slopes"].as_array().unwrap() {
        let counts: Vec<i64> = serde_json::from_value(case["daily_completions"].clone()).unwrap();
        let start = 1000 * DAY + 7 * HOUR;
        let events: Vec<Event> = counts
            .iter()
            .enumerate()
            .flat_map(|(day, count)| {
                (0..*count).map(move |n| {
                    event(
                        EventKind::Complete,
                        start + day as i64 * DAY + n * HOUR / 60,
                    )
                })
            })
            .collect();
        let length = counts.len() as i64 * DAY;
        let slope = summary(&events, start + length, length).value(Measure::CompletionsSlope);
        assert!(close(slope.unwrap(), case["slope"].as_f64().unwrap()));
    }
}

#[test]
fn a_slope_needs_two_days_and_ignores_the_part_of_a_day() {
    let events = [
        event(EventKind::Complete, 10),
        event(EventKind::Complete, 5 * DAY),
    ];
    assert_eq!(
        summary(&events, 2 * DAY - 1, 2 * DAY - 1).value(Measure::CompletionsSlope),
        None
    );
    // Of 2.5 days before 5.5 days only [3.5, 4.5) and [4.5, 5.5) count: 0, then 1.
    let slope =
        summary(&events, 5 * DAY + DAY / 2, 2 * DAY + DAY / 2).value(Measure::CompletionsSlope);
    assert_eq!(slope, Some(1.0));
    assert_eq!(
        summary(&[], 9 * DAY, 7 * DAY).value(Measure::CompletionsSlope),
        Some(0.0)
    );
}

#[test]
fn an_empty_window_has_zero_counts_and_no_means() {
    let summary = summary(&[], DAY, DAY);
    assert!(summary.is_empty());
    for measure in Measure::ALL {
        let expected = match measure {
            Measure::Interactions
            | Measure::Views
            | Measure::Starts
            | Measure::Completions
            | Measure::Skips
            | Measure::Ratings
            | Measure::ActiveUsers
            | Measure::ActiveSops
            | Measure::ComplianceObservations
            | Measure::StreakDays
            | Measure::LongestStreakDays => Some(0.0),
            _ => None,
        };
        assert_eq!(summary.value(measure), expected, "{measure:?}");
    }
}

#[test]
fn values_of_a_small_window() {
    let as_of = 10 * DAY + 12 * HOUR;
    let events = [
        event(EventKind::Complete, 3 * DAY + 12 * HOUR - 1), // one microsecond before the window
        event(EventKind::View, 3 * DAY + 12 * HOUR),         // its first moment
        Event {
            rating: 4.0,
            ..event(EventKind::Other, 4 * DAY)
        },
        Event {
            rating: f64::NAN,
            ..event(EventKind::Other, 4 * DAY)
        },
        Event {
            rating: f64::INFINITY,
            ..event(EventKind::Other, 4 * DAY)
        },
        Event {
            counterpart: 7,
            duration_seconds: 60.0,
            ..event(EventKind::Complete, 5 * DAY)
        },
        Event {
            counterpart: 7,
            duration_seconds: -1.0,
            ..event(EventKind::Complete, 6 * DAY)
        },
        Event {
            quality: 80.0,
            ..event(EventKind::Complete, 7 * DAY)
        },
        event(EventKind::Start, 9 * DAY),
        Event {
            duration_seconds: f64::NAN,
            ..event(EventKind::Complete, 9 * DAY + HOUR)
        },
        event(EventKind::Skip, 9 * DAY + 2 * HOUR),
        Event {
            quality: 95.0,
            ..event(EventKind::Compliance, 9 * DAY + 3 * HOUR)
        },
        event(EventKind::Complete, as_of), // the end is not in the window
    ];
    let summary = summary(&events, as_of, 7 * DAY);
    let value = |measure| summary.value(measure);
    assert_eq!(value(Measure::Interactions), Some(10.0));
    assert_eq!(value(Measure::Views), Some(1.0));
    assert_eq!(value(Measure::Completions), Some(4.0));
    assert_eq!(value(Measure::ActiveUsers), Some(2.0));
    // One start is on record, but four completions and a skip were attempts too.
    assert_eq!(value(Measure::CompletionRate), Some(0.8));
    assert_eq!(value(Measure::SkipRate), Some(0.2));
    assert_eq!(value(Measure::DurationMean), Some(60.0));
    assert_eq!(value(Measure::Ratings), Some(1.0));
    assert_eq!(value(Measure::RatingMean), Some(4.0));
    assert_eq!(value(Measure::QualityMean), Some(80.0));
    assert_eq!(value(Measure::ComplianceMean), Some(95.0));
    assert_eq!(value(Measure::HoursSinceCompletion), Some(35.0));
    assert_eq!(value(Measure::HoursSinceInteraction), Some(34.0));
    // Days 5, 6, 7 and 9: the day of as_of is 10 and not over.
    assert_eq!(value(Measure::StreakDays), Some(1.0));
    assert_eq!(value(Measure::LongestStreakDays), Some(3.0));
}

#[test]
fn a_streak_ends_with_a_day_that_is_over() {
    let events = [
        event(EventKind::Complete, 5 * DAY),
        event(EventKind::Complete, 6 * DAY),
    ];
    let streak = |as_of| summary(&events, as_of, 30 * DAY).value(Measure::StreakDays);
    assert_eq!(streak(6 * DAY + HOUR), Some(2.0));
    assert_eq!(streak(7 * DAY), Some(2.0));
    assert_eq!(streak(8 * DAY - 1), Some(2.0));
    assert_eq!(streak(8 * DAY), Some(0.0));
}

#[test]
fn facts_of_people_hold_for_their_time() {
    let facts = UserFacts {
        skill_level: 0.7,
        profile_written_at: 5 * DAY,
        first_interactions: vec![(4 * DAY, 4 * DAY), (2 * DAY, 8 * DAY)],
        certifications: vec![
            Certification {
                name: 1,
                earned_at: DAY,
                recorded_at: DAY,
                valid_until: 6 * DAY,
            },
            Certification {
                name: 1,
                earned_at: 3 * DAY,
                recorded_at: 3 * DAY,
                valid_until: i64::MAX,
            },
            Certification {
                name: 2,
                earned_at: DAY,
                recorded_at: 7 * DAY,
                valid_until: i64::MAX,
            },
        ],
    };
    let features = [
        Measure::SkillLevel,
        Measure::ExperienceDays,
        Measure::Certifications,
    ]
    .map(|measure| Feature {
        measure,
        length: None,
    });
    let plan = Plan::new(&features);
    let row = |as_of| plan.row(&[], &facts, moment(as_of), &mut WindowSummary::default());
    assert_eq!(row(DAY), [None, None, Some(0.0)]);
    assert_eq!(row(4 * DAY), [None, None, Some(1.0)]);
    assert_eq!(
        row(5 * DAY + 1),
        [Some(0.7), Some(1.0 + 1.0 / DAY as f64), Some(1.0)]
    );
    // The older interaction counts from the day it was recorded.
    assert_eq!(row(8 * DAY), [Some(0.7), Some(4.0), Some(2.0)]);
    assert_eq!(row(9 * DAY), [Some(0.7), Some(7.0), Some(2.0)]);
}

#[test]
fn lengths_and_windows_are_checked() {
    assert_eq!(pair_moments(3, &[5]), Ok(vec![5, 5, 5]));
    assert_eq!(pair_moments(2, &[5, 6]), Ok(vec![5, 6]));
    assert_eq!(pair_moments(0, &[]), Ok(vec![]));
    assert!(matches!(
        pair_moments(3, &[5, 6]),
        Err(FeatureError::Lengths {
            entities: 3,
            moments: 2
        })
    ));
    assert!(matches!(
        pair_moments(1, &[]),
        Err(FeatureError::Lengths { .. })
    ));
    assert!(matches!(
        pair_moments(1, &[i64::MAX]),
        Err(FeatureError::AsOf)
    ));
    assert!(
        pair_moments(1, &[2_921_940 * DAY]).is_err(),
        "the year 10000"
    );
    assert!(
        pair_moments(1, &[-730_120 * DAY]).is_err(),
        "before the year 1"
    );
    assert!(check_windows(&[DAY]).is_ok());
    assert!(check_windows(&[DAY; 1000]).is_ok());
    assert_eq!(
        check_windows(&[DAY; 1001]),
        Err(FeatureError::Windows(1001))
    );
    assert!(matches!(
        check_windows(&[DAY, 0]),
        Err(FeatureError::Window(0))
    ));
    assert!(matches!(
        check_windows(&[i64::MAX]),
        Err(FeatureError::Window(_))
    ));
}

fn any_event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        Just(EventKind::View),
        Just(EventKind::Start),
        Just(EventKind::Complete),
        Just(EventKind::Skip),
        Just(EventKind::Other),
        Just(EventKind::Compliance),
    ];
    (0_u32..3, kind, 0..20 * DAY, 0..3 * DAY, 1.0_f64..5.0).prop_map(
        |(entity, kind, occurred_at, delay, value)| Event {
            entity,
            counterpart: (occurred_at % 4) as u32,
            recorded_at: occurred_at + delay,
            duration_seconds: value * 60.0,
            rating: value,
            quality: value,
            ..event(kind, occurred_at)
        },
    )
}

fn rows(events: Vec<Event>, as_of: i64) -> Vec<Vec<Option<f64>>> {
    let features: Vec<Feature> = [DAY, 3 * DAY, 9 * DAY]
        .into_iter()
        .flat_map(|length| {
            Measure::windowed(Entity::Sop).map(move |measure| Feature {
                measure,
                length: Some(length),
            })
        })
        .collect();
    let histories = Histories::new(events, 3);
    let plan = Plan::new(&features);
    let mut summary = WindowSummary::default();
    (0..3)
        .map(|entity| {
            plan.row(
                histories.of(entity),
                &UserFacts::default(),
                moment(as_of),
                &mut summary,
            )
        })
        .collect()
}

proptest! {
    #[test]
    fn what_is_unknown_at_a_moment_changes_nothing(
        events in proptest::collection::vec(any_event(), 0..60),
        as_of in DAY..19 * DAY,
    ) {
        let known: Vec<Event> = events
            .iter()
            .filter(|event| event.occurred_at < as_of && event.recorded_at < as_of)
            .copied()
            .collect();
        prop_assert_eq!(rows(events, as_of), rows(known, as_of));
    }

    #[test]
    fn the_order_of_rows_changes_nothing(
        events in proptest::collection::vec(any_event(), 0..60),
        as_of in DAY..19 * DAY,
    ) {
        let mut turned = events.clone();
        turned.reverse();
        prop_assert_eq!(rows(events, as_of), rows(turned, as_of));
    }

    #[test]
    fn rates_lie_between_zero_and_one_and_wider_windows_count_no_less(
        events in proptest::collection::vec(any_event(), 0..60),
        as_of in DAY..19 * DAY,
    ) {
        let histories = Histories::new(events, 3);
        for entity in 0..3 {
            let narrow = summary(histories.of(entity), as_of, 3 * DAY);
            let wide = summary(histories.of(entity), as_of, 9 * DAY);
            for measure in [Measure::Interactions, Measure::Completions, Measure::LongestStreakDays] {
                prop_assert!(narrow.value(measure) <= wide.value(measure));
            }
            for rate in [Measure::CompletionRate, Measure::SkipRate] {
                prop_assert!(wide.value(rate).is_none_or(|rate| (0.0..=1.0).contains(&rate)));
            }
        }
    }
}
