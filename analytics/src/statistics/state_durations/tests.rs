//! States over time: repeated rows, open ends, contradictions, bounds and what decoding refuses.

use super::*;
use crate::budget::Budget;
use crate::codec::{Codec, TextForm};
use crate::progress::Uninterruptible;

fn collected(rows: &[(&str, i64)]) -> Result<Option<StateDurations>, StateDurationsError> {
    let mut collector = StateCollector::new(Budget::new(1 << 20));
    for (state, at) in rows {
        collector.push(state, *at)?;
    }
    collector.finish(&mut Uninterruptible)
}

fn states(rows: &[(&str, i64)]) -> StateDurations {
    collected(rows).unwrap().unwrap()
}

fn durations(of: &StateDurations, until: Option<i64>) -> Vec<(&str, i64, u64)> {
    of.durations(until, &mut Uninterruptible)
        .unwrap()
        .into_iter()
        .map(|found| (found.state, found.duration, found.visits))
        .collect()
}

const DAY: [(&str, i64); 5] = [
    ("prep", 0),
    ("cook", 10),
    ("cook", 14),
    ("prep", 30),
    ("serve", 35),
];

#[test]
fn time_passes_until_another_state_is_named() {
    let day = states(&DAY);
    assert_eq!(
        durations(&day, None),
        [("cook", 20, 1), ("prep", 15, 2), ("serve", 0, 1)]
    );
    assert_eq!(
        durations(&day, Some(50)),
        [("cook", 20, 1), ("prep", 15, 2), ("serve", 15, 1)]
    );
    let shares: Vec<_> = day
        .durations(Some(50), &mut Uninterruptible)
        .unwrap()
        .iter()
        .map(|found| found.share.unwrap())
        .collect();
    assert_eq!(shares, [0.4, 0.3, 0.3]);
    let duration = |state, until| day.duration_in(state, until, &mut Uninterruptible).unwrap();
    assert_eq!(
        (
            duration("prep", None),
            duration("serve", Some(36)),
            duration("clean", None)
        ),
        (15, 1, 0)
    );
    let steps: Vec<_> = day
        .clone()
        .transitions(&mut Uninterruptible)
        .unwrap()
        .map(|step| format!("{} {} {}", step.from, step.to, step.count))
        .collect();
    assert_eq!(steps, ["cook prep 1", "prep cook 1", "prep serve 1"]);
    let line: Vec<_> = day.clone().timeline(None).unwrap().collect();
    let line: Vec<_> = line
        .iter()
        .map(|visit| (visit.state.as_str(), visit.start, visit.end))
        .collect();
    assert_eq!(
        line,
        [
            ("prep", 0, Some(10)),
            ("cook", 10, Some(30)),
            ("prep", 30, Some(35)),
            ("serve", 35, None)
        ]
    );
    assert_eq!(
        day.timeline(Some(40)).unwrap().last().unwrap().end,
        Some(40)
    );
}

#[test]
fn a_repeated_last_state_lasts_until_its_last_row() {
    let polled = states(&[("up", 0), ("up", 7), ("up", 5)]);
    assert_eq!(durations(&polled, None), [("up", 7, 1)]);
    assert_eq!(polled.last(), 7);
    assert!(
        polled
            .transitions(&mut Uninterruptible)
            .unwrap()
            .next()
            .is_none()
    );
}

#[test]
fn one_row_and_none() {
    assert_eq!(collected(&[]).unwrap(), None);
    let one = states(&[("", 3)]);
    assert_eq!(durations(&one, None), [("", 0, 1)]);
    assert_eq!(
        one.durations(None, &mut Uninterruptible).unwrap()[0].share,
        None
    );
    assert_eq!(durations(&one, Some(3)), [("", 0, 1)]);
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let expected = states(&DAY);
    let mut rows = DAY;
    rows.reverse();
    assert_eq!(states(&rows), expected);
    rows.swap(1, 3);
    assert_eq!(states(&rows).encode(), expected.encode());
    // Rows said twice change nothing.
    let twice: Vec<_> = DAY.into_iter().chain(rows).collect();
    assert_eq!(states(&twice), expected);
}

#[test]
fn two_states_at_one_time_are_refused() {
    for rows in [
        [("a", 0), ("b", 5), ("c", 5)],
        [("c", 5), ("a", 0), ("b", 5)],
    ] {
        let Err(StateDurationsError::TwoStates { at, first, second }) = collected(&rows) else {
            panic!("accepted");
        };
        assert_eq!(
            (at.as_str(), first.as_str(), second.as_str()),
            ("2000-01-01 00:00:00.000005+00", "b", "c")
        );
    }
    // Also where one of them only goes on, and after a repetition.
    assert!(collected(&[("a", 0), ("a", 5), ("b", 5)]).is_err());
    assert!(collected(&[("b", 0), ("b", 5), ("a", 5)]).is_err());
}

#[test]
fn times_that_cannot_be_are_refused() {
    for at in [i64::MIN, i64::MAX, FIRST_TIME - 1, LAST_TIME + 1] {
        assert!(matches!(
            collected(&[("a", at)]),
            Err(StateDurationsError::Infinite(_))
        ));
    }
    let day = states(&DAY);
    for until in [34, i64::MIN, i64::MAX] {
        assert!(matches!(
            day.duration_in("prep", Some(until), &mut Uninterruptible),
            Err(StateDurationsError::Until { .. })
        ));
        assert!(day.durations(Some(until), &mut Uninterruptible).is_err());
        assert!(day.clone().timeline(Some(until)).is_err());
    }
    let ages = states(&[("a", FIRST_TIME), ("b", LAST_TIME)]);
    assert_eq!(
        ages.duration_in("a", None, &mut Uninterruptible),
        Err(StateDurationsError::Overflow)
    );
    assert_eq!(ages.duration_in("b", None, &mut Uninterruptible), Ok(0));
}

#[test]
fn rows_and_names_are_charged() {
    let mut collector = StateCollector::new(Budget::new(10_000));
    let fitting = (0..)
        .take_while(|&at| collector.push("a", at).is_ok())
        .count();
    assert!((200..400).contains(&fitting), "{fitting}");
    let mut collector = StateCollector::new(Budget::new(10_000));
    assert!(matches!(
        collector.push(&"x".repeat(9000), 0),
        Err(StateDurationsError::Budget(_))
    ));
}

#[test]
fn contradictions_are_refused() {
    let valid = states(&DAY);
    let edits: [fn(&mut StateDurations); 13] = [
        |s| s.states.clear(),
        |s| s.states.reverse(),
        |s| s.states[0] = "prep".to_owned(),
        |s| s.states[0] = "a\0".to_owned(),
        |s| s.states.push("zzz".to_owned()),
        |s| s.visits.clear(),
        |s| s.visits.swap(0, 1),
        |s| s.visits[0].state = 99,
        |s| s.visits[0].state = s.visits[1].state,
        |s| s.visits[1].start = s.visits[0].start,
        |s| s.visits[0].start = FIRST_TIME - 1,
        |s| s.last = 34,
        |s| s.last = i64::MAX,
    ];
    for (number, edit) in edits.iter().enumerate() {
        let mut broken = valid.clone();
        edit(&mut broken);
        assert!(
            StateDurations::decode(&broken.encode()).is_err(),
            "edit {number}"
        );
        assert!(
            StateDurations::from_text(&broken.to_text()).is_err(),
            "edit {number}"
        );
    }
    let mut bytes = valid.encode();
    bytes[10] = 0xff;
    assert!(StateDurations::decode(&bytes).is_err());
}

#[test]
fn the_text_form_has_named_keys() {
    let text = states(&[("b", 1), ("a", 5)]).to_text();
    assert_eq!(
        text,
        r#"{"version":1,"states":["a","b"],"visits":[[1,1],[5,0]],"last":5}"#
    );
    assert_eq!(
        StateDurations::from_text(&text).unwrap(),
        states(&[("a", 5), ("b", 1)])
    );
    for bad in [
        "",
        "{}",
        "[]",
        "null",
        &text.replace("last", "end"),
        &text.replace("n\":1", "n\":2"),
    ] {
        assert!(StateDurations::from_text(bad).is_err(), "{bad}");
    }
}
