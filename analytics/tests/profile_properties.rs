//! Laws that profiles keep for any rows, any split and any order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use sop_analytics::codec::{Codec, TextForm};
use sop_analytics::drift::{DriftParameters, compare_profiles, numeric, profile_bins};
use sop_analytics::progress::Uninterruptible;
use sop_analytics::statistics::distribution_profile::CAPACITY;
use sop_analytics::statistics::{CategoryProfile, DistributionProfile, Estimator, NumericProfile};

fn rows() -> impl Strategy<Value = Vec<Option<f64>>> {
    let value = prop_oneof![
        8 => (-1e3..1e3).prop_map(Some),
        8 => (0_i32..9).prop_map(|i| Some(f64::from(i))),
        2 => (-60.0..60.0).prop_map(|e: f64| Some(10_f64.powf(e))),
        1 => prop_oneof![
            Just(None),
            Just(Some(f64::NAN)),
            Just(Some(f64::INFINITY)),
            Just(Some(f64::NEG_INFINITY)),
            Just(Some(-0.0)),
            Just(Some(5e-324)),
        ],
    ];
    vec(value, 0..300)
}

/// Rows of which few values are frequent and many are not.
fn names(most: usize) -> impl Strategy<Value = Vec<Option<u32>>> {
    let value = prop_oneof![
        6 => (0.0..1.0_f64).prop_map(|u| Some((u.powi(6) * 3000.0) as u32)),
        1 => Just(None),
    ];
    vec(value, 0..most)
}

fn numbers(rows: &[Option<f64>]) -> DistributionProfile {
    let mut profile = DistributionProfile::Numeric(NumericProfile::default());
    rows.iter()
        .for_each(|row| profile.push_number(*row).unwrap());
    profile
}

fn texts(rows: &[Option<u32>]) -> DistributionProfile {
    let mut profile = DistributionProfile::Text(CategoryProfile::default());
    for row in rows {
        let name = row.map(|number| format!("category {number}"));
        profile.push_text(name.as_deref()).unwrap();
    }
    profile
}

/// Deals rows into parts (some may stay empty), each in another order.
fn deal<T: Copy>(rows: &[T], parts: usize, picks: &[Index]) -> Vec<Vec<T>> {
    let mut dealt = vec![Vec::new(); parts];
    let mut picks = picks.iter().cycle();
    for row in rows {
        let part = &mut dealt[picks.next().unwrap().index(parts)];
        let at = picks.next().unwrap().index(part.len() + 1);
        part.insert(at, *row);
    }
    dealt
}

/// Merges parts as a tree whose shape the picks decide.
fn merge_tree(mut parts: Vec<DistributionProfile>, picks: &[Index]) -> DistributionProfile {
    let mut picks = picks.iter().cycle();
    while parts.len() > 1 {
        let other = parts.swap_remove(picks.next().unwrap().index(parts.len()));
        let into = picks.next().unwrap().index(parts.len());
        parts[into].merge(&other).unwrap();
    }
    parts.pop().unwrap()
}

fn picks() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 97)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_merge_of_numbers_equals_the_whole(rows in rows(), parts in 1_usize..9, picks in picks()) {
        let whole = numbers(&rows);
        let states = deal(&rows, parts, &picks).iter().map(|part| numbers(part)).collect();
        let merged = merge_tree(states, &picks);
        let (whole, merged) = (whole.numeric().unwrap(), merged.numeric().unwrap());
        prop_assert_eq!(merged.rows(), rows.len() as u64);
        prop_assert_eq!(
            (merged.nulls(), merged.nan(), merged.infinite()),
            (whole.nulls(), whole.nan(), whole.infinite())
        );
        prop_assert_eq!(merged.sketch().encode(), whole.sketch().encode());
        prop_assert_eq!(merged.summary().n(), whole.summary().n());
        prop_assert_eq!(profile_bins(merged, 7).unwrap(), profile_bins(whole, 7).unwrap());
        let spreads = (merged.summary().stddev(Estimator::Sample), whole.summary().stddev(Estimator::Sample));
        if let (Some(merged), Some(whole)) = spreads {
            prop_assert!((merged - whole).abs() <= 1e-12 * whole, "{merged} {whole}");
        }
    }

    #[test]
    fn any_merge_of_few_categories_is_the_whole_byte_for_byte(
        rows in names(700), parts in 1_usize..9, picks in picks(),
    ) {
        let whole = texts(&rows);
        let states = deal(&rows, parts, &picks).iter().map(|part| texts(part)).collect();
        let merged = merge_tree(states, &picks);
        prop_assert_eq!(merged.encode(), whole.encode());
        prop_assert_eq!(whole.text().unwrap().rest(), 0);
    }

    #[test]
    fn both_forms_give_profiles_back(rows in rows(), names in names(50)) {
        for profile in [numbers(&rows), texts(&names)] {
            let bytes = profile.encode();
            prop_assert_eq!(DistributionProfile::decode(&bytes).unwrap().encode(), bytes.clone());
            prop_assert_eq!(DistributionProfile::from_text(&profile.to_text()).unwrap().encode(), bytes);
        }
    }

    #[test]
    fn changed_and_random_bytes_are_valid_or_an_error(
        rows in rows(), names in names(50), random in vec(any::<u8>(), 0..200),
        at in any::<Index>(), byte in any::<u8>(), cut in any::<Index>(), kind in 0_u8..4,
    ) {
        for mut bytes in [numbers(&rows).encode(), texts(&names).encode()] {
            prop_assert!(DistributionProfile::decode(&bytes[..cut.index(bytes.len())]).is_err());
            let at = at.index(bytes.len());
            bytes[at] = byte;
            valid_or_error(&bytes);
            bytes.push(byte);
            prop_assert!(DistributionProfile::decode(&bytes).is_err());
        }
        valid_or_error(&[&[DistributionProfile::MAGIC, 1, kind][..], &random].concat());
        let _ = DistributionProfile::from_text(&String::from_utf8_lossy(&random));
    }

    /// Rows that leave a frame leave what the others would have given.
    #[test]
    fn what_is_removed_was_never_there(rows in names(200), leave in any::<Index>()) {
        let at = leave.index(rows.len() + 1);
        let mut profile = texts(&rows).text().unwrap().clone();
        for row in &rows[..at] {
            let name = row.map(|number| format!("category {number}"));
            prop_assert!(profile.remove(name.as_deref()));
        }
        prop_assert_eq!(DistributionProfile::Text(profile).encode(), texts(&rows[at..]).encode());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The guarantee beyond the capacity, for any tree of merges.
    #[test]
    fn counts_beyond_the_capacity_keep_their_bounds(
        rows in names(9000), parts in 1_usize..9, picks in picks(),
    ) {
        let states = deal(&rows, parts, &picks).iter().map(|part| texts(part)).collect();
        let merged = merge_tree(states, &picks);
        let profile = merged.text().unwrap();
        let mut truth: BTreeMap<String, u64> = BTreeMap::new();
        for number in rows.iter().flatten() {
            *truth.entry(format!("category {number}")).or_default() += 1;
        }
        let values = truth.values().sum::<u64>();
        prop_assert_eq!(profile.values(), values);
        prop_assert_eq!(profile.nulls(), rows.len() as u64 - values);
        prop_assert_eq!(profile.rest() + profile.counts().values().sum::<u64>(), values);
        prop_assert!(profile.counts().len() <= CAPACITY);
        prop_assert_eq!(profile.rest() > 0, truth.len() > CAPACITY);
        let bound = profile.error_bound();
        prop_assert!(bound * (CAPACITY as u64 + 1) <= profile.rest());
        for (name, count) in &truth {
            let found = profile.counts().get(name).copied().unwrap_or(0);
            prop_assert!(found <= *count && *count <= found + bound, "{name}: {found} of {count}, {bound}");
        }
        prop_assert_eq!(DistributionProfile::decode(&merged.encode()).unwrap().encode(), merged.encode());
    }

    /// What the cells hide is bounded: the statistic by the share of a cell, the distance by the width.
    #[test]
    fn drift_of_profiles_is_near_that_of_the_values(
        reference in vec(0.0..1.0_f64, 65..1500), current in vec(0.0..1.0_f64, 1..1500),
        low in 0.1..100.0_f64, shift in -0.3..0.3_f64, wide in 0.5..2.0_f64,
    ) {
        let reference: Vec<f64> = reference.iter().map(|u| low * (1.0 + u)).collect();
        let current: Vec<f64> = current.iter().map(|u| low * (1.0 + shift + u * wide)).collect();
        let settings = DriftParameters::default().check().unwrap();
        let plain = numeric(&reference, &current, &settings, &mut Uninterruptible).unwrap();
        let profile = |values: &[f64]| numbers(&values.iter().copied().map(Some).collect::<Vec<_>>());
        let (a, b) = (profile(&reference), profile(&current));
        let found = compare_profiles(&a, &b, &settings, &mut Uninterruptible).unwrap();
        let value = |at: usize| (found[at].value.unwrap(), plain[at].value.unwrap());
        // Values in one cell are at most 0.1 % apart; so close to each value lie at most so many others.
        let crowd = |values: &[f64]| {
            let most = values.iter().map(|v| values.iter().filter(|w| (*w - v).abs() <= 0.0011 * v).count());
            most.max().unwrap() as f64 / values.len() as f64
        };
        let crowded = crowd(&reference) + crowd(&current);
        let (ks, exact) = value(1);
        prop_assert!(ks <= exact + 1e-12 && exact - ks <= crowded, "{ks} {exact} {crowded}");
        // Grouping never makes the test less conservative.
        prop_assert!(found[1].p_value.unwrap() >= plain[1].p_value.unwrap() * (1.0 - 1e-9));
        let scale = a.numeric().unwrap().summary().stddev(Estimator::Sample).unwrap();
        let mean = |values: &[f64]| values.iter().map(|v| v.abs()).sum::<f64>() / values.len() as f64;
        let (distance, exact) = value(3);
        let bound = 0.0005 * (mean(&reference) + mean(&current)) / scale * 1.01;
        prop_assert!((distance - exact).abs() <= bound, "{distance} {exact} {bound}");
    }
}

/// Whatever is accepted is encoded as it was and can be used.
fn valid_or_error(bytes: &[u8]) {
    if let Ok(mut state) = DistributionProfile::decode(bytes) {
        assert_eq!(state.encode(), bytes);
        let copy = state.clone();
        let settings = DriftParameters::default().check().unwrap();
        let _ = compare_profiles(&state, &copy, &settings, &mut Uninterruptible);
        if let Ok(profile) = state.numeric() {
            let _ = profile_bins(profile, 10);
        }
        let _ = state.merge(&copy);
        let _ = state.push_number(Some(1.0));
        let _ = state.push_text(Some("a"));
    }
}
