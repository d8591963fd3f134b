//! Laws that the mergeable states keep for any values, any split and any order.
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
use sop_analytics::codec::{Codec, TextForm};
use sop_analytics::statistics::{Estimator, PercentileCollector, PercentileSketch, StatsSummary};

/// Values of one magnitude, on an offset, over many magnitudes, tied, and special ones.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let ordinary = -1e3..1e3;
    prop_oneof![
        vec(ordinary.clone(), 0..300),
        vec(ordinary.prop_map(|value| value / 1e3 + 1e9), 0..300),
        vec((0_i32..5).prop_map(f64::from), 0..300),
        vec(
            (-60.0..60.0, any::<bool>())
                .prop_map(|(e, sign)| (if sign { 1.0 } else { -1.0 }) * 10_f64.powf(e)),
            0..300
        ),
    ]
}

fn with_special_values() -> impl Strategy<Value = Vec<f64>> {
    (
        values(),
        vec(
            prop_oneof![
                Just(f64::NAN),
                Just(f64::INFINITY),
                Just(f64::NEG_INFINITY),
                Just(0.0),
                Just(-0.0),
                Just(5e-324),
                Just(f64::MAX),
            ],
            0..4,
        ),
        any::<Index>(),
    )
        .prop_map(|(mut values, special, at)| {
            for value in special {
                let at = at.index(values.len() + 1);
                values.insert(at, value);
            }
            values
        })
}

/// Merges parts as a tree whose shape the picks decide, in an order that they decide, too.
fn merge_tree<S: Clone>(mut parts: Vec<S>, picks: &[Index], merge: impl Fn(&mut S, &S)) -> S {
    let mut picks = picks.iter().cycle();
    while parts.len() > 1 {
        let other = parts.swap_remove(picks.next().unwrap().index(parts.len()));
        let into = picks.next().unwrap().index(parts.len());
        merge(&mut parts[into], &other);
    }
    parts.pop().unwrap()
}

/// Deals the values into parts (some may stay empty), each part shuffled by dealing from a rotated start.
fn deal(values: &[f64], parts: usize, picks: &[Index]) -> Vec<Vec<f64>> {
    let mut dealt = vec![Vec::new(); parts];
    let mut picks = picks.iter().cycle();
    for value in values {
        let part = &mut dealt[picks.next().unwrap().index(parts)];
        let at = picks.next().unwrap().index(part.len() + 1);
        part.insert(at, *value);
    }
    dealt
}

fn picks() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 97)
}

/// `tolerance` relative to a scale that rounding errors are bounded by.
fn close(found: f64, expected: f64, scale: f64) -> bool {
    found == expected
        || (found.is_nan() && expected.is_nan())
        || (found - expected).abs() <= 1e-12 * scale.abs()
}

proptest! {
    #[test]
    fn any_merge_of_summaries_equals_the_whole(
        values in values(), parts in 1_usize..12, picks in picks(),
    ) {
        let whole = StatsSummary::from_values(values.iter().copied()).unwrap();
        let states = deal(&values, parts, &picks)
            .into_iter()
            .map(|part| StatsSummary::from_values(part).unwrap())
            .collect();
        let merged = merge_tree(states, &picks, |into, other| into.merge(other).unwrap());
        prop_assert_eq!(merged.n(), whole.n());
        prop_assert_eq!(merged.min(), whole.min());
        prop_assert_eq!(merged.max(), whole.max());
        let magnitude = values.iter().map(|value| value.abs()).sum::<f64>();
        prop_assert!(close(merged.sum().unwrap_or(0.0), whole.sum().unwrap_or(0.0), magnitude * 1e-3));
        let deviation = whole.stddev(Estimator::Population).unwrap_or(0.0);
        for estimator in [Estimator::Sample, Estimator::Population] {
            let variances = (merged.variance(estimator), whole.variance(estimator));
            if let (Some(merged), Some(whole)) = variances {
                prop_assert!(close(merged, whole, whole), "variance {merged} {whole}");
            }
            if deviation > 0.0 {
                let kurtoses = (merged.kurtosis(estimator), whole.kurtosis(estimator));
                if let (Some(merged), Some(whole)) = kurtoses {
                    prop_assert!(close(merged, whole, whole.abs().max(1.0) * 10.0), "kurtosis {merged} {whole}");
                }
                let skewnesses = (merged.skewness(estimator), whole.skewness(estimator));
                if let (Some(merged), Some(whole)) = skewnesses {
                    prop_assert!(close(merged, whole, whole.abs().max(1.0) * 10.0), "skewness {merged} {whole}");
                }
            }
        }
    }

    #[test]
    fn special_values_meet_in_any_order(
        values in with_special_values(), parts in 1_usize..6, picks in picks(),
    ) {
        let has_overflow = values.iter().any(|value| value.abs() == f64::MAX);
        prop_assume!(!has_overflow && values.iter().any(|value| !value.is_finite()));
        let whole = StatsSummary::from_values(values.iter().copied()).unwrap();
        let states = deal(&values, parts, &picks)
            .into_iter()
            .map(|part| StatsSummary::from_values(part).unwrap())
            .collect();
        let merged = merge_tree(states, &picks, |into, other| into.merge(other).unwrap());
        prop_assert_eq!(merged.encode(), whole.encode());
    }

    #[test]
    fn any_merge_of_sketches_is_the_whole_byte_for_byte(
        values in with_special_values(), parts in 1_usize..12, picks in picks(), fine in any::<bool>(),
    ) {
        let sketch = |values: &[f64]| {
            let error = if fine { 0.0005 } else { 0.01 };
            let mut sketch = PercentileSketch::with_relative_error(error).unwrap();
            values.iter().for_each(|value| sketch.push(*value).unwrap());
            sketch
        };
        let whole = sketch(&values);
        let states = deal(&values, parts, &picks).iter().map(|part| sketch(part)).collect();
        let merged = merge_tree(states, &picks, |into, other| into.merge(other).unwrap());
        prop_assert_eq!(merged.encode(), whole.encode());
    }

    #[test]
    fn what_collectors_took_is_the_sketch_of_it_byte_for_byte(
        values in with_special_values(), parts in 1_usize..5, picks in picks(), fine in any::<bool>(),
    ) {
        let error = if fine { 0.0005 } else { 0.01 };
        let mut whole = PercentileSketch::with_relative_error(error).unwrap();
        values.iter().for_each(|value| whole.push(*value).unwrap());
        let collectors = deal(&values, parts, &picks)
            .iter()
            .map(|part| {
                let mut collector = PercentileCollector::like(&PercentileSketch::with_relative_error(error).unwrap());
                part.iter().for_each(|value| collector.push(*value).unwrap());
                collector
            })
            .collect();
        // A collector takes another, a sketch, or its bytes, while values of its own wait.
        let mut turn = picks.iter().map(|pick| pick.index(3)).cycle();
        let turn = std::cell::RefCell::new(&mut turn);
        let merged = merge_tree(collectors, &picks, |into, other: &PercentileCollector| {
            let sketch = other.finish().unwrap();
            match turn.borrow_mut().next().unwrap() {
                0 => into.merge_collector(other).unwrap(),
                1 => into.merge(&sketch).unwrap(),
                _ => into.merge_encoded(&sketch.encode()).unwrap(),
            }
        });
        prop_assert_eq!(merged.finish().unwrap().encode(), whole.encode());
        let again = PercentileCollector::from(whole.clone());
        prop_assert_eq!(again.parameter(), error);
        prop_assert_eq!(again.finish().unwrap().encode(), whole.encode());
    }

    #[test]
    fn percentiles_keep_the_error_bound(values in values(), fraction in 0.0..=1.0_f64) {
        prop_assume!(!values.is_empty());
        let sketch = PercentileSketch::from_values(values.iter().copied()).unwrap();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let position = fraction * (sorted.len() - 1) as f64;
        let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
        let share = position - position.floor();
        let exact = low + share * (high - low);
        let found = sketch.percentile(fraction).unwrap().unwrap();
        // Neighbours of different sign: the bound holds for each of them.
        let allowed = sketch.relative_error() * ((1.0 - share) * low.abs() + share * high.abs());
        prop_assert!((found - exact).abs() <= allowed * (1.0 + 1e-9) + 1e-12 * exact.abs(), "{found} {exact}");
    }

    #[test]
    fn both_forms_give_summaries_back(values in with_special_values()) {
        if let Ok(state) = StatsSummary::from_values(values) {
            let bytes = state.encode();
            prop_assert_eq!(StatsSummary::decode(&bytes).unwrap().encode(), bytes.clone());
            prop_assert_eq!(StatsSummary::from_text(&state.to_text()).unwrap().encode(), bytes);
        }
    }

    #[test]
    fn both_forms_give_sketches_back(values in with_special_values()) {
        let state = PercentileSketch::from_values(values).unwrap();
        let bytes = state.encode();
        prop_assert_eq!(PercentileSketch::decode(&bytes).unwrap().encode(), bytes.clone());
        prop_assert_eq!(PercentileSketch::from_text(&state.to_text()).unwrap().encode(), bytes);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), magic in any::<bool>()) {
        let mut bytes = bytes;
        if magic && bytes.len() > 1 {
            bytes[1] = 1;
            bytes[0] = StatsSummary::MAGIC;
            valid_or_error::<StatsSummary>(&bytes);
            bytes[0] = PercentileSketch::MAGIC;
            valid_or_error::<PercentileSketch>(&bytes);
            bytes[1] = 2;
        }
        valid_or_error::<StatsSummary>(&bytes);
        valid_or_error::<PercentileSketch>(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = StatsSummary::from_text(&text);
        let _ = PercentileSketch::from_text(&text);
    }

    #[test]
    fn a_changed_encoding_is_valid_or_an_error(
        values in with_special_values(), at in any::<Index>(), byte in any::<u8>(), cut in any::<Index>(),
    ) {
        let sketch = PercentileSketch::from_values(values.iter().copied()).unwrap().encode();
        mutate::<PercentileSketch>(sketch, at, byte, cut);
        if let Ok(summary) = StatsSummary::from_values(values) {
            mutate::<StatsSummary>(summary.encode(), at, byte, cut);
        }
    }
}

/// Whatever is accepted is encoded as it was and can be used.
fn valid_or_error<S: Codec + Usable>(bytes: &[u8]) {
    if let Ok(state) = S::decode(bytes) {
        // An older layout is written anew.
        if bytes[1] == S::VERSION {
            assert_eq!(state.encode(), bytes);
        } else {
            assert_eq!(S::decode(&state.encode()).unwrap().encode(), state.encode());
        }
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
        let _ = (
            self.kurtosis(Estimator::Sample),
            self.skewness(Estimator::Sample),
        );
        let _ = self.merge(&copy);
        let _ = self.push(1.0);
        let _ = self.remove(1.0);
    }
}

impl Usable for PercentileSketch {
    fn use_it(mut self) {
        let copy = self.clone();
        let _ = self.percentiles(&[0.0, 0.1, 0.5, 1.0]);
        let _ = (self.min(), self.max(), self.relative_error());
        let _ = self.merge(&copy);
        let _ = self.push(1.0);
    }
}
