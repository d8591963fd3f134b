//! Laws of weighted summaries, lines and state durations for any rows, any split and any order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use sop_analytics::budget::Budget;
use sop_analytics::codec::{Codec, TextForm};
use sop_analytics::progress::Uninterruptible;
use sop_analytics::statistics::{
    Estimator, RegressionSummary, StateCollector, StateDurations, StatsSummary,
    regression_prediction, regression_test,
};

/// One value: ordinary, on an offset, tied, always the same, one of two neighbours, or of any magnitude; the kind is the same for all values of a case.
fn value(kind: u8) -> BoxedStrategy<f64> {
    match kind {
        0 => (-1e3..1e3).boxed(),
        1 => (-1.0..1.0).prop_map(|value| value + 1e9).boxed(),
        2 => (0_i32..5).prop_map(f64::from).boxed(),
        3 => Just(0.1).boxed(),
        4 => prop_oneof![Just(1e9), Just(1e9_f64.next_up())].boxed(),
        _ => (-60.0..60.0, any::<bool>())
            .prop_map(|(e, sign)| (if sign { 1.0 } else { -1.0 }) * 10_f64.powf(e))
            .boxed(),
    }
}

/// Pairs of a kind each.
fn pairs() -> impl Strategy<Value = Vec<(f64, f64)>> {
    (0_u8..6, 0_u8..6).prop_flat_map(|(first, second)| vec((value(first), value(second)), 0..200))
}

fn weighted_rows() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let weight = prop_oneof![
        (0_u32..4).prop_map(f64::from),
        1e-3..5.0,
        (-50.0..50.0).prop_map(|e: f64| 10_f64.powf(e)),
    ];
    (0_u8..5).prop_flat_map(move |kind| vec((value(kind), weight.clone()), 0..200))
}

fn special() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
        Just(5e-324),
        Just(1e-170),
        Just(1e170),
        Just(f64::MAX),
        Just(1.0),
    ]
}

fn with_special_pairs() -> impl Strategy<Value = Vec<(f64, f64)>> {
    (pairs(), vec((special(), special()), 0..4), any::<Index>()).prop_map(
        |(mut rows, special, at)| {
            for pair in special {
                rows.insert(at.index(rows.len() + 1), pair);
            }
            rows
        },
    )
}

/// Merges parts as a tree whose shape the picks decide, in an order that they decide, too.
fn merge_tree<S>(mut parts: Vec<S>, picks: &[Index], merge: impl Fn(&mut S, &S)) -> S {
    let mut picks = picks.iter().cycle();
    while parts.len() > 1 {
        let other = parts.swap_remove(picks.next().unwrap().index(parts.len()));
        let into = picks.next().unwrap().index(parts.len());
        merge(&mut parts[into], &other);
    }
    parts.pop().unwrap()
}

/// Deals rows into parts (some may stay empty), in another order.
fn deal<R: Copy>(rows: &[R], parts: usize, picks: &[Index]) -> Vec<Vec<R>> {
    let mut dealt = vec![Vec::new(); parts];
    let mut picks = picks.iter().cycle();
    for row in rows {
        let part: &mut Vec<R> = &mut dealt[picks.next().unwrap().index(parts)];
        let at = picks.next().unwrap().index(part.len() + 1);
        part.insert(at, *row);
    }
    dealt
}

fn picks() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 97)
}

fn close(found: Option<f64>, expected: Option<f64>, scale: f64) -> bool {
    match (found, expected) {
        (Some(found), Some(expected)) => {
            found == expected
                || (found.is_nan() && expected.is_nan())
                || (found - expected).abs() <= 1e-9 * expected.abs().max(scale)
        }
        (found, expected) => found == expected,
    }
}

fn weighted(rows: &[(f64, f64)]) -> StatsSummary {
    let mut state = StatsSummary::default();
    for &(value, weight) in rows {
        state.push_weighted(value, weight).unwrap();
    }
    state
}

fn line(points: &[(f64, f64)]) -> RegressionSummary {
    RegressionSummary::from_points(points.iter().copied()).unwrap()
}

/// Rows of a few states at distinct times, in order of time, some of them said again.
fn state_rows() -> impl Strategy<Value = Vec<(u8, i64)>> {
    vec((0_u8..4, 1_i64..1000), 0..80).prop_map(|steps| {
        let mut at = -5000;
        steps
            .into_iter()
            .map(|(state, step)| {
                at += step;
                (state, at)
            })
            .collect()
    })
}

fn states(rows: &[(u8, i64)]) -> Option<StateDurations> {
    let mut collector = StateCollector::new(Budget::new(1 << 20));
    for (state, at) in rows {
        collector.push(NAMES[usize::from(*state)], *at).unwrap();
    }
    collector.finish(&mut Uninterruptible).unwrap()
}

const NAMES: [&str; 4] = ["prep", "cook", "", "Küche \u{1F373}"];

proptest! {
    #[test]
    fn any_merge_of_weighted_summaries_equals_the_whole(
        rows in weighted_rows(), parts in 1_usize..12, picks in picks(),
    ) {
        let whole = weighted(&rows);
        let states = deal(&rows, parts, &picks).iter().map(|part| weighted(part)).collect();
        let merged = merge_tree(states, &picks, |into, other| into.merge(other).unwrap());
        prop_assert_eq!((merged.n(), merged.min(), merged.max()), (whole.n(), whole.min(), whole.max()));
        for state in [merged, whole] {
            prop_assert!(StatsSummary::decode(&state.encode()).is_ok(), "{state:?}");
        }
        prop_assert!(close(merged.sum_weights(), whole.sum_weights(), 0.0));
        prop_assert!(close(merged.effective_size(), whole.effective_size(), 0.0));
        let spread = whole.stddev(Estimator::Population).unwrap_or(0.0);
        let magnitude = rows.iter().map(|row| row.0.abs()).fold(0.0, f64::max);
        prop_assert!(close(merged.mean(), whole.mean(), magnitude * 1e-6));
        for estimator in [Estimator::Sample, Estimator::Population, Estimator::Frequency] {
            // Values that differ in their last bits, under weights of many magnitudes, have rounding for a spread.
            if spread > magnitude * 1e-12 {
                prop_assert!(close(merged.variance(estimator), whole.variance(estimator), 0.0));
                prop_assert!(close(merged.kurtosis(estimator), whole.kurtosis(estimator), 0.0));
                prop_assert!(close(merged.skewness(estimator), whole.skewness(estimator), 1.0));
            }
        }
    }

    #[test]
    fn any_merge_of_lines_equals_the_whole(points in pairs(), parts in 1_usize..12, picks in picks()) {
        let whole = line(&points);
        let states = deal(&points, parts, &picks).iter().map(|part| line(part)).collect();
        let merged = merge_tree(states, &picks, |into, other| into.merge(other).unwrap());
        prop_assert_eq!(merged.n(), whole.n());
        prop_assert!(RegressionSummary::decode(&merged.encode()).is_ok(), "{merged:?}");
        for (found, expected) in [
            (merged.slope(), whole.slope()),
            (merged.correlation(), whole.correlation()),
            (merged.r2(), whole.r2()),
            (merged.covariance(Estimator::Sample), whole.covariance(Estimator::Sample)),
            (merged.variance_x(Estimator::Sample), whole.variance_x(Estimator::Sample)),
            (merged.variance_y(Estimator::Population), whole.variance_y(Estimator::Population)),
            (merged.mean_x(), whole.mean_x()),
            (merged.mean_y(), whole.mean_y()),
            (merged.intercept(), whole.intercept()),
        ] {
            prop_assert!(close(found, expected, 0.0), "{found:?} {expected:?}");
        }
        let test = |state| regression_test(state, 0.9).unwrap();
        let error = |state| test(state).and_then(|found| found.slope_error);
        prop_assert!(close(error(&merged), error(&whole), 0.0));
        // Powers of what differs in the last digits.
        let p_value = |state| test(state).and_then(|found| found.p_value);
        prop_assert!(close(p_value(&merged), p_value(&whole), 1e-300));
    }

    #[test]
    fn special_points_meet_in_any_order(points in with_special_pairs(), parts in 1_usize..6, picks in picks()) {
        let Ok(whole) = RegressionSummary::from_points(points.iter().copied()) else { return Ok(()) };
        prop_assert_eq!(RegressionSummary::decode(&whole.encode()).unwrap().encode(), whole.encode());
        prop_assert_eq!(RegressionSummary::from_text(&whole.to_text()).unwrap().encode(), whole.encode());
        let mut merged = RegressionSummary::default();
        for part in deal(&points, parts, &picks) {
            let Ok(part) = RegressionSummary::from_points(part) else { return Ok(()) };
            if merged.merge(&part).is_err() { return Ok(()) }
        }
        let unknown = |state: &RegressionSummary| {
            [state.mean_x(), state.mean_y(), state.slope(), state.r2()].map(|v| v.is_some_and(f64::is_nan))
        };
        prop_assert_eq!(unknown(&merged), unknown(&whole));
        prop_assert!(RegressionSummary::decode(&merged.encode()).is_ok());
    }

    #[test]
    fn special_weighted_values_meet_in_any_order(
        rows in weighted_rows(), values in vec((special(), 0_u32..3), 1..4), parts in 1_usize..6, picks in picks(),
    ) {
        let rows: Vec<_> = rows.into_iter().chain(values.into_iter().map(|(v, w)| (v, f64::from(w)))).collect();
        let state = |rows: &[(f64, f64)]| {
            let mut state = StatsSummary::default();
            rows.iter().try_for_each(|row| state.push_weighted(row.0, row.1)).map(|()| state)
        };
        let Ok(whole) = state(&rows) else { return Ok(()) };
        prop_assert_eq!(StatsSummary::decode(&whole.encode()).unwrap().encode(), whole.encode());
        prop_assert_eq!(StatsSummary::from_text(&whole.to_text()).unwrap().encode(), whole.encode());
        let mut merged = StatsSummary::default();
        for part in deal(&rows, parts, &picks) {
            let Ok(part) = state(&part) else { return Ok(()) };
            if merged.merge(&part).is_err() { return Ok(()) }
        }
        prop_assert_eq!(merged.n(), whole.n());
        prop_assert_eq!(merged.mean().map(f64::is_nan), whole.mean().map(f64::is_nan));
        prop_assert_eq!(merged.max().map(f64::to_bits), whole.max().map(f64::to_bits));
        prop_assert!(StatsSummary::decode(&merged.encode()).is_ok());
    }

    #[test]
    fn states_do_not_depend_on_the_order_of_rows(rows in state_rows(), picks in picks(), again in any::<Index>()) {
        let whole = states(&rows);
        let mut dealt = deal(&rows, 1, &picks).pop().unwrap();
        if !dealt.is_empty() {
            dealt.push(dealt[again.index(dealt.len())]);
        }
        prop_assert_eq!(&states(&dealt), &whole);
        let Some(whole) = whole else { return Ok(()) };
        prop_assert_eq!(&StateDurations::decode(&whole.encode()).unwrap(), &whole);
        prop_assert_eq!(&StateDurations::from_text(&whole.to_text()).unwrap(), &whole);
        // The naive account.
        let until = rows.last().unwrap().1 + 17;
        for (number, name) in NAMES.iter().enumerate() {
            let mut expected = 0;
            for (at, (state, start)) in rows.iter().enumerate() {
                let end = rows.get(at + 1).map_or(until, |next| next.1);
                if usize::from(*state) == number { expected += end - start; }
            }
            prop_assert_eq!(whole.duration_in(name, Some(until), &mut Uninterruptible).unwrap(), expected);
        }
        let durations = whole.durations(Some(until), &mut Uninterruptible).unwrap();
        let total: i64 = durations.iter().map(|found| found.duration).sum();
        prop_assert_eq!(total, until - rows[0].1);
        let visits: u64 = durations.iter().map(|found| found.visits).sum();
        let steps: u64 = whole.clone().transitions(&mut Uninterruptible).unwrap().map(|found| found.count).sum();
        prop_assert_eq!(visits, steps + 1);
        prop_assert_eq!(whole.timeline(None).unwrap().count() as u64, visits);
    }

    #[test]
    fn a_changed_encoding_is_valid_or_an_error(
        points in with_special_pairs(), rows in weighted_rows(), times in state_rows(),
        at in any::<Index>(), byte in any::<u8>(), cut in any::<Index>(),
    ) {
        if let Ok(state) = RegressionSummary::from_points(points) {
            mutate::<RegressionSummary>(state.encode(), at, byte, cut);
        }
        mutate::<StatsSummary>(weighted(&rows).encode(), at, byte, cut);
        if let Some(state) = states(&times) {
            mutate::<StateDurations>(state.encode(), at, byte, cut);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), which in 0_usize..4) {
        let mut bytes = bytes;
        if bytes.len() > 1 {
            bytes[0] = [RegressionSummary::MAGIC, StatsSummary::MAGIC, StateDurations::MAGIC, bytes[0]][which];
            bytes[1] = if which == 1 { 2 } else { 1 };
        }
        valid_or_error::<RegressionSummary>(&bytes);
        valid_or_error::<StatsSummary>(&bytes);
        valid_or_error::<StateDurations>(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = RegressionSummary::from_text(&text);
        let _ = StateDurations::from_text(&text);
    }
}

/// Whatever is accepted is encoded as it was and can be used.
fn valid_or_error<S: Codec + Usable>(bytes: &[u8]) {
    if let Ok(state) = S::decode(bytes) {
        assert_eq!(state.encode(), bytes);
        state.use_it();
    }
}

fn mutate<S: Codec + Usable>(mut bytes: Vec<u8>, at: Index, byte: u8, cut: Index) {
    let at = at.index(bytes.len());
    assert!(S::decode(&bytes[..cut.index(bytes.len())]).is_err());
    bytes[at] = byte;
    valid_or_error::<S>(&bytes);
    bytes.push(byte);
    assert!(S::decode(&bytes).is_err());
}

trait Usable: Sized {
    fn use_it(self);
}

impl Usable for StatsSummary {
    fn use_it(mut self) {
        let copy = self;
        for estimator in [Estimator::Sample, Estimator::Frequency] {
            let _ = (self.kurtosis(estimator), self.skewness(estimator));
        }
        let _ = self.merge(&copy);
        let _ = self.push(1.0);
        let _ = self.push_weighted(1.0, 0.5);
        let _ = self.remove(1.0);
    }
}

impl Usable for RegressionSummary {
    fn use_it(mut self) {
        let copy = self;
        let _ = regression_test(&self, 0.95).unwrap();
        let _ = regression_prediction(&self, 3.0, 0.95).unwrap();
        let _ = (self.x_intercept(), self.correlation());
        let _ = self.merge(&copy);
        let _ = self.push(1.0, 2.0);
    }
}

impl Usable for StateDurations {
    fn use_it(self) {
        let until = Some(self.last());
        let _ = self.duration_in("cook", until, &mut Uninterruptible);
        let _ = self.durations(until, &mut Uninterruptible);
        let _ = self
            .clone()
            .transitions(&mut Uninterruptible)
            .unwrap()
            .count();
        assert!(self.timeline(until).unwrap().count() > 0);
    }
}
