//! Laws that sketches of distinct and of frequent values keep for any values, any split and any order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use sha2::{Digest, Sha256};
use sop_analytics::codec::{Codec, TextForm};
use sop_analytics::statistics::{
    DistinctCollector, DistinctSketch, PercentileCollector, PercentileSketch, TopNSketch,
};

/// More than any sketch here needs.
const AMPLE: usize = 1 << 26;

fn picks() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 97)
}

/// Deals the values into parts, some of which may stay empty, each in an order of its own.
fn deal<V: Clone>(values: &[V], parts: usize, picks: &[Index]) -> Vec<Vec<V>> {
    let mut dealt = vec![Vec::new(); parts];
    let mut picks = picks.iter().cycle();
    for value in values {
        let part = &mut dealt[picks.next().unwrap().index(parts)];
        let at = picks.next().unwrap().index(part.len() + 1);
        part.insert(at, value.clone());
    }
    dealt
}

/// Merges parts as a tree whose shape and order the picks decide.
fn merge_tree<S>(mut parts: Vec<S>, picks: &[Index], merge: impl Fn(&mut S, &S)) -> S {
    let mut picks = picks.iter().cycle();
    while parts.len() > 1 {
        let other = parts.swap_remove(picks.next().unwrap().index(parts.len()));
        let into = picks.next().unwrap().index(parts.len());
        merge(&mut parts[into], &other);
    }
    parts.pop().unwrap()
}

fn distinct(values: &[i64], precision: i32) -> DistinctSketch {
    let mut sketch = DistinctSketch::with_precision(precision).unwrap();
    for value in values {
        sketch.add_integer(*value);
    }
    sketch
}

fn frequent(values: &[String], n: i32) -> TopNSketch {
    let mut sketch = TopNSketch::new(n).unwrap();
    for value in values {
        sketch.push(value, AMPLE).unwrap();
    }
    sketch
}

/// Texts of which few are frequent and most appear once or twice.
fn skewed_texts() -> impl Strategy<Value = Vec<String>> {
    vec(
        (0.0..1.0_f64, 1_u32..400)
            .prop_map(|(share, reach)| format!("v{}", (f64::from(reach) * share.powi(4)) as u32)),
        0..600,
    )
}

proptest! {
    #[test]
    fn any_merge_of_distinct_sketches_is_the_whole_byte_for_byte(
        values in vec(prop_oneof![any::<i64>(), -50_i64..50, 0_i64..2000], 0..500),
        precision in 4..=18, parts in 1_usize..12, picks in picks(), encoded in any::<bool>(),
    ) {
        let whole = distinct(&values, precision).encode();
        let mut collector = DistinctCollector::like(&DistinctSketch::with_precision(precision).unwrap());
        values.iter().for_each(|&value| collector.push_integer(value).unwrap());
        prop_assert_eq!(collector.finish().unwrap().encode(), whole.clone());
        let parts = deal(&values, parts, &picks)
            .into_iter()
            .map(|part| distinct(&part, precision))
            .collect();
        let merged = merge_tree(parts, &picks, |into, other| {
            if encoded {
                into.merge_encoded(&other.encode()).unwrap();
            } else {
                into.merge(other).unwrap();
            }
        });
        prop_assert_eq!(merged.encode(), whole);
    }

    #[test]
    fn bounds_of_frequent_values_hold_for_any_merge(
        values in skewed_texts(), n in 1..3, parts in 1_usize..12, picks in picks(),
    ) {
        let mut truth: HashMap<&str, u64> = HashMap::new();
        for value in &values {
            *truth.entry(value).or_default() += 1;
        }
        let parts = deal(&values, parts, &picks)
            .into_iter()
            .map(|part| frequent(&part, n))
            .collect();
        let merged = merge_tree(parts, &picks, |into, other| into.merge(other, AMPLE).unwrap());
        let capacity = merged.capacity() as u64;
        prop_assert_eq!(merged.total(), values.len() as u64);
        prop_assert!(merged.largest_absent() * (capacity + 1) <= merged.total());
        let text: serde_json::Value = serde_json::from_str(&merged.to_text()).unwrap();
        let mut kept = HashMap::new();
        for counter in text["counters"].as_array().unwrap() {
            kept.insert(counter[0].as_str().unwrap(), counter[1].as_u64().unwrap()..=counter[1].as_u64().unwrap() + counter[2].as_u64().unwrap());
        }
        prop_assert!(kept.len() as u64 <= 2 * capacity);
        for (value, &count) in &truth {
            match kept.get(value) {
                Some(bounds) => prop_assert!(bounds.contains(&count), "{value}: {count} {bounds:?}"),
                None => {
                    prop_assert!(count <= merged.largest_absent());
                    prop_assert!(count * capacity <= merged.total());
                }
            }
        }
        for row in merged.top() {
            let bounds = &kept[row.value];
            prop_assert_eq!((row.count - row.error, row.count), (*bounds.start(), *bounds.end()));
        }
        // Bytes and text give the sketch back, also where values were given up.
        let bytes = merged.encode();
        prop_assert_eq!(TopNSketch::decode(&bytes).unwrap().encode(), bytes.clone());
        prop_assert_eq!(TopNSketch::from_text(&merged.to_text()).unwrap().encode(), bytes);
    }

    #[test]
    fn few_frequent_values_are_exact_byte_for_byte(
        values in vec((0..32).prop_map(|value| format!("v{value}")), 0..600),
        parts in 1_usize..12, picks in picks(),
    ) {
        let whole = frequent(&values, 1);
        prop_assert_eq!(whole.largest_absent(), 0);
        let parts = deal(&values, parts, &picks)
            .into_iter()
            .map(|part| frequent(&part, 1))
            .collect();
        let merged = merge_tree(parts, &picks, |into, other| into.merge(other, AMPLE).unwrap());
        prop_assert_eq!(merged.encode(), whole.encode());
    }

    #[test]
    fn the_same_rows_in_the_same_order_give_the_same_bytes(values in skewed_texts()) {
        prop_assert_eq!(frequent(&values, 1).encode(), frequent(&values, 1).encode());
    }

    #[test]
    fn damaged_bytes_are_refused_or_mean_what_they_say(
        values in vec(0_i64..5000, 0..300), precision in 4..=10,
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        let damaged = |mut bytes: Vec<u8>| {
            for (at, value) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            bytes
        };
        let bytes = damaged(distinct(&values, precision).encode());
        if let Ok(sketch) = DistinctSketch::decode(&bytes) {
            prop_assert_eq!(sketch.encode(), bytes);
            prop_assert!(sketch.estimate() >= 0.0);
        }
        let bytes = damaged(frequent(&texts, 1).encode());
        if let Ok(sketch) = TopNSketch::decode(&bytes) {
            prop_assert_eq!(sketch.encode(), bytes);
            prop_assert!(sketch.top().iter().all(|row| row.error <= row.count && row.count <= sketch.total()));
        }
    }

    #[test]
    fn any_bytes_and_texts_are_read_or_refused(bytes in vec(any::<u8>(), 0..200), text in ".{0,80}") {
        for magic in [0x54, 0x55] {
            let bytes = [&[magic, 1], &bytes[..]].concat();
            let _ = DistinctSketch::decode(&bytes);
            let _ = TopNSketch::decode(&bytes);
        }
        prop_assert!(DistinctSketch::from_text(&text).is_err());
        prop_assert!(TopNSketch::from_text(&text).is_err());
    }
}

#[test]
fn estimates_of_any_data_are_within_two_per_cent() {
    // Texts and uuids beside integers, which the unit tests count up to ten millions.
    let mut texts = DistinctSketch::default();
    let mut uuids = DistinctSketch::default();
    let mut next = 1_u32;
    for value in 1..=2_000_000_u32 {
        texts.add_bytes(format!("guest {value:x}").as_bytes());
        let mut uuid = [7; 16];
        uuid[12..].copy_from_slice(&value.to_be_bytes());
        uuids.add_bytes(&uuid);
        if value == next || value == 2_000_000 {
            next = next + next / 7 + 1;
            for sketch in [&texts, &uuids] {
                let error = sketch.estimate() / f64::from(value) - 1.0;
                assert!(error.abs() < 0.02, "{value}: {error}");
            }
        }
    }
}

/// Doubles of many magnitudes, without a function that platforms round differently.
fn doubles(n: u64, exponents: u64, negative: bool) -> Vec<f64> {
    let mut state = 1_u64;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let exponent = 1023 - exponents / 2 + (state >> 33) % exponents;
            let sign = if negative { (state >> 20) & 1 } else { 0 };
            f64::from_bits((sign << 63) | (exponent << 52) | (state.rotate_left(17) >> 12))
        })
        .collect()
}

#[test]
fn percentile_sketches_have_the_counts_of_the_first_version() {
    // Texts made by the code that computed every logarithm and kept its counts in pages.
    for ((n, exponents, negative, error), expected) in [
        ((64, 8, false, 0.01), "7844d4b42989ca9e"),
        ((100_000, 4, false, 0.01), "f04be848c1b55759"),
        ((100_000, 40, true, 0.01), "8c64267df154eead"),
        ((100_000, 2000, true, 0.01), "0fdcecb52aeb301f"),
        ((100_000, 12, false, 0.0001), "075112099459cabb"),
        ((100_000, 300, true, 0.25), "1f5335b98518e199"),
    ] {
        let mut sketch = PercentileSketch::with_relative_error(error).unwrap();
        let mut collector =
            PercentileCollector::like(&PercentileSketch::with_relative_error(error).unwrap());
        for value in doubles(n, exponents, negative) {
            sketch.push(value).unwrap();
            collector.push(value).unwrap();
        }
        assert_eq!(collector.finish().unwrap().encode(), sketch.encode());
        let digest = Sha256::digest(sketch.to_text());
        let found: String = digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(found, expected, "{n} {exponents} {error}");
    }
}
