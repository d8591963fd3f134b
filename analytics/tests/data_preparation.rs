//! Training rows: what they may never contain, and that they depend on the data and the seed alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests may fail loudly"
)]

use std::collections::HashSet;

use proptest::prelude::*;
use sop_analytics::budget::Budget;
use sop_analytics::data_preparation::DataPreparationError;
use sop_analytics::data_preparation::digest::RowHasher;
use sop_analytics::data_preparation::options::{
    Feedback, NegativeSampling, RecommendationOptions, RepeatedPairs, interaction_type,
};
use sop_analytics::data_preparation::profile::{Profiler, SAMPLE_ROWS};
use sop_analytics::data_preparation::recommendation::{
    Interaction, Source, Split, TrainingRow, TrainingRows,
};
use sop_analytics::features::DAY;
use sop_analytics::progress::{Interrupted, Progress, Uninterruptible};

const END: i64 = 100 * DAY;
const SOPS: usize = 12;

fn prepare(source: &Source, options: &RecommendationOptions) -> Vec<TrainingRow> {
    let plan = options.check(0, END).unwrap();
    let mut budget = Budget::new(usize::MAX);
    TrainingRows::new(source.clone(), plan, &mut budget, &mut Uninterruptible)
        .unwrap()
        .collect()
}

fn source(interactions: Vec<Interaction>) -> Source {
    Source {
        interactions,
        earlier: Vec::new(),
        streams: (0..8).collect(),
        sops: SOPS,
    }
}

fn interaction(user: u32, sop: u32, kind: &str, occurred_at: i64) -> Interaction {
    Interaction {
        user,
        sop,
        occurred_at,
        rating: f64::NAN,
        kind: interaction_type(kind).unwrap(),
    }
}

fn no_negatives() -> RecommendationOptions {
    RecommendationOptions {
        negatives_per_positive: Some(0),
        half_life_days: None,
        validation_fraction: Some(0.0),
        test_fraction: Some(0.0),
        ..RecommendationOptions::default()
    }
}

#[test]
fn weights_add_up_and_halve() {
    let source = source(vec![
        interaction(0, 1, "view", 80 * DAY),
        interaction(0, 1, "complete", 90 * DAY),
        interaction(0, 2, "skip", 90 * DAY),
        interaction(1, 1, "bookmark", 100 * DAY - 1),
    ]);
    let rows = prepare(&source, &no_negatives());
    assert_eq!(rows.len(), 2, "a skip is no positive");
    assert_eq!(
        (rows[0].label, rows[0].weight, rows[0].occurred_at),
        (1.0, 6.0, 90 * DAY)
    );
    let rows = prepare(
        &source,
        &RecommendationOptions {
            half_life_days: Some(10.0),
            weights: [("complete".to_owned(), 8.0)].into(),
            ..no_negatives()
        },
    );
    assert!((rows[0].weight - (1.0 / 4.0 + 8.0 / 2.0)).abs() < 1e-12);
}

#[test]
fn decay_is_measured_at_the_end_of_the_rows_own_split() {
    let source = source(vec![
        interaction(0, 1, "view", 40 * DAY),
        interaction(0, 1, "view", 60 * DAY),
    ]);
    let rows = prepare(
        &source,
        &RecommendationOptions {
            half_life_days: Some(10.0),
            validation_fraction: None,
            test_fraction: None,
            validation_from: Some("2000-02-20T00:00:00Z".to_owned()), // day 50
            ..no_negatives()
        },
    );
    let weights: Vec<_> = rows.iter().map(|row| (row.split, row.weight)).collect();
    assert_eq!(weights, [(Split::Train, 0.5), (Split::Validation, 0.0625)]);
}

#[test]
fn ratings_become_labels() {
    let rated = |sop, rating, time| Interaction {
        rating,
        ..interaction(0, sop, "rate", time)
    };
    let source = source(vec![
        rated(1, 2.0, DAY),
        rated(1, 5.0, 2 * DAY),
        rated(2, 1.0, DAY),
        rated(3, f64::NAN, DAY),
        interaction(0, 4, "complete", DAY),
    ]);
    let labels = |feedback| -> Vec<(u32, f64)> {
        let options = RecommendationOptions {
            feedback,
            ..no_negatives()
        };
        let mut labels: Vec<_> = prepare(&source, &options)
            .iter()
            .map(|row| (row.sop, row.label))
            .collect();
        labels.sort_by_key(|(sop, _)| *sop);
        labels
    };
    assert_eq!(labels(Feedback::Explicit), [(1, 5.0), (2, 1.0)]);
    assert_eq!(
        labels(Feedback::Both),
        [(1, 1.0), (2, 0.0), (3, 1.0), (4, 1.0)]
    );
    assert_eq!(
        labels(Feedback::Implicit),
        [(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0)]
    );
}

#[test]
fn fractions_cut_by_time_and_keep_equal_times_together() {
    let splits = |times: &[i64]| -> Vec<Split> {
        let interactions = times
            .iter()
            .enumerate()
            .map(|(sop, time)| interaction(0, sop as u32, "view", *time))
            .collect();
        let options = RecommendationOptions {
            validation_fraction: Some(0.2),
            test_fraction: Some(0.2),
            ..no_negatives()
        };
        prepare(&source(interactions), &options)
            .iter()
            .map(|row| row.split)
            .collect()
    };
    use Split::{Test, Train, Validation};
    assert_eq!(
        splits(&[1, 2, 3, 4, 5]),
        [Train, Train, Train, Validation, Test]
    );
    assert_eq!(
        splits(&[1, 2, 4, 4, 5]),
        [Train, Train, Validation, Validation, Test]
    );
    assert_eq!(splits(&[1]), [Train]);
    // Never nothing to train on.
    assert_eq!(splits(&[1, 1, 1, 1, 1]), [Train; 5]);
    assert_eq!(splits(&[1, 1, 1, 1, 5])[4], Test);
    assert_eq!(splits(&[]), []);
}

#[test]
fn repeated_pairs_and_small_histories_can_be_left_out() {
    let source = source(vec![
        interaction(0, 1, "view", DAY),
        interaction(0, 1, "view", 60 * DAY),
        interaction(0, 2, "view", 61 * DAY),
        interaction(1, 1, "view", 62 * DAY),
    ]);
    let options = RecommendationOptions {
        validation_fraction: None,
        test_fraction: None,
        validation_from: Some("2000-02-20T00:00:00Z".to_owned()),
        ..no_negatives()
    };
    assert_eq!(prepare(&source, &options).len(), 4);
    let dropped = prepare(
        &source,
        &RecommendationOptions {
            repeated_pairs: RepeatedPairs::Drop,
            ..options.clone()
        },
    );
    let pairs: Vec<_> = dropped
        .iter()
        .map(|row| (row.user, row.sop, row.split))
        .collect();
    assert_eq!(
        pairs,
        [
            (0, 1, Split::Train),
            (0, 2, Split::Validation),
            (1, 1, Split::Validation)
        ]
    );
    let experienced = prepare(
        &source,
        &RecommendationOptions {
            min_interactions: 1,
            ..options
        },
    );
    assert!(experienced.iter().all(|row| row.user == 0));
}

#[test]
fn popular_items_are_drawn_in_proportion() {
    // Item 0 is user 0's; items 1 and 2 were touched 30 and 10 times by others.
    let mut interactions = vec![interaction(0, 0, "view", DAY)];
    interactions.extend((0..30).map(|n| interaction(1, 1, "view", n)));
    interactions.extend((0..10).map(|n| interaction(2, 2, "view", n)));
    let source = source(interactions);
    let share = |negative_sampling| {
        let draws = 4000;
        let hits = (0..draws)
            .filter(|seed| {
                let options = RecommendationOptions {
                    negatives_per_positive: Some(1),
                    negative_sampling,
                    seed: *seed,
                    ..no_negatives()
                };
                prepare(&source, &options)
                    .iter()
                    .any(|row| row.user == 0 && row.sop == 1)
            })
            .count();
        hits as f64 / draws as f64
    };
    // Binomial standard deviations are below 0.008.
    assert!((share(NegativeSampling::Popularity) - 0.75).abs() < 0.035);
    assert!((share(NegativeSampling::Uniform) - 0.5).abs() < 0.035);
}

#[test]
fn the_memory_bound_and_a_cancel_end_the_work() {
    let source = source(vec![interaction(0, 1, "view", 1); 100]);
    let plan = RecommendationOptions::default().check(0, END).unwrap();
    let small = TrainingRows::new(
        source.clone(),
        plan.clone(),
        &mut Budget::new(10),
        &mut Uninterruptible,
    );
    assert!(matches!(small.err(), Some(DataPreparationError::Budget(_))));
    struct Cancelled;
    impl Progress for Cancelled {
        fn poll(&mut self) -> Result<(), Interrupted> {
            Err(Interrupted)
        }
    }
    let cancelled = TrainingRows::new(source, plan, &mut Budget::new(1 << 20), &mut Cancelled);
    assert!(matches!(
        cancelled.err(),
        Some(DataPreparationError::Interrupted(_))
    ));
}

#[test]
fn profiles_are_exact_where_they_can_be() {
    let fixture: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/features.json")).unwrap();
    for case in fixture["quantiles"].as_array().unwrap() {
        let values: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
        let mut profiler = Profiler::new(["x".to_owned()]);
        for (row, value) in values.iter().enumerate() {
            let digest = RowHasher::default().bytes(row.to_le_bytes()).finish();
            profiler.add(digest, &[Some(*value)]);
        }
        profiler.add([0; 32], &[None]);
        profiler.add([1; 32], &[Some(f64::NAN)]);
        let profile = profiler.finish().remove(0);
        assert_eq!((profile.n, profile.nulls), (values.len() as u64, 2));
        let close = |a: f64, b: &serde_json::Value| (a / b.as_f64().unwrap() - 1.0).abs() < 1e-9;
        assert!(close(profile.mean.unwrap(), &case["mean"]));
        assert_eq!(profile.stddev.is_some(), values.len() > 1);
        assert!(
            profile
                .stddev
                .is_none_or(|stddev| close(stddev, &case["stddev"]))
        );
        for (p, quantile) in profile.quantiles {
            let expected = case["quantiles"].as_array().unwrap();
            let expected = expected
                .iter()
                .find(|pair| pair[0].as_f64() == Some(p))
                .unwrap();
            assert!(close(quantile, &expected[1]));
        }
    }
}

#[test]
fn profiles_of_many_rows_are_close_and_do_not_depend_on_order() {
    let rows = 2 * SAMPLE_ROWS;
    let profile = |order: &mut dyn Iterator<Item = usize>| {
        let mut profiler = Profiler::new(["x".to_owned()]);
        for row in order {
            let digest = RowHasher::default().bytes(row.to_le_bytes()).finish();
            profiler.add(digest, &[Some(row as f64)]);
        }
        profiler.finish().remove(0)
    };
    let (forward, backward) = (profile(&mut (0..rows)), profile(&mut (0..rows).rev()));
    assert_eq!(forward.quantiles, backward.quantiles);
    for (p, quantile) in forward.quantiles {
        assert!((quantile / rows as f64 - p).abs() < 0.01, "{p}: {quantile}");
    }
}

fn any_source() -> impl Strategy<Value = Source> {
    let one = (0_u32..6, 0..SOPS as u32, 0_u8..9, 0..END, 0.0_f64..6.0).prop_map(
        |(user, sop, kind, occurred_at, rating)| Interaction {
            user,
            sop,
            occurred_at,
            rating: if rating < 1.0 { f64::NAN } else { rating },
            kind,
        },
    );
    (
        proptest::collection::vec(one, 0..80),
        proptest::collection::vec((0_u32..6, 0..SOPS as u32), 0..10),
    )
        .prop_map(|(interactions, earlier)| Source {
            earlier,
            ..source(interactions)
        })
}

fn any_options() -> impl Strategy<Value = RecommendationOptions> {
    (
        0_i64..6,
        any::<bool>(),
        any::<bool>(),
        0..3_u8,
        0.0_f64..0.4,
        0.0_f64..0.4,
        0..3_i64,
        any::<i64>(),
    )
        .prop_map(
            |(negatives, uniform, drop, feedback, validation, test, min_interactions, seed)| {
                let feedback = match feedback {
                    0 => Feedback::Implicit,
                    1 => Feedback::Explicit,
                    _ => Feedback::Both,
                };
                RecommendationOptions {
                    feedback,
                    negatives_per_positive: (feedback != Feedback::Explicit).then_some(negatives),
                    negative_sampling: if uniform {
                        NegativeSampling::Uniform
                    } else {
                        NegativeSampling::Popularity
                    },
                    repeated_pairs: if drop {
                        RepeatedPairs::Drop
                    } else {
                        RepeatedPairs::Keep
                    },
                    validation_fraction: Some(validation),
                    test_fraction: Some(test),
                    min_interactions,
                    seed,
                    ..RecommendationOptions::default()
                }
            },
        )
}

proptest! {
    #[test]
    fn a_sampled_negative_was_never_touched_and_never_repeats(source in any_source(), options in any_options()) {
        let touched: HashSet<(u32, u32)> = source
            .interactions
            .iter()
            .map(|interaction| (interaction.user, interaction.sop))
            .collect();
        let earlier: HashSet<(u32, u32)> = source.earlier.iter().copied().collect();
        let mut sampled = HashSet::new();
        let mut pairs = HashSet::new();
        for row in prepare(&source, &options) {
            let pair = (row.user, row.sop);
            prop_assert!(pairs.insert((pair, row.split)), "a pair has one row in a split");
            if row.label == 0.0 && !touched.contains(&pair) {
                prop_assert!(!earlier.contains(&pair));
                let split = if options.repeated_pairs == RepeatedPairs::Drop { Split::Train } else { row.split };
                prop_assert!(sampled.insert((pair, split)));
                // Somebody had touched it before the split ended, or it did not exist yet.
                prop_assert!(source.interactions.iter().any(|i| i.sop == row.sop));
            } else {
                prop_assert!(touched.contains(&pair));
            }
        }
    }

    #[test]
    fn splits_follow_each_other_in_time(source in any_source(), options in any_options()) {
        let rows = prepare(&source, &options);
        let times = |split| rows.iter().filter(move |row| row.split == split).map(|row| row.occurred_at);
        for (before, after) in [
            (Split::Train, Split::Validation),
            (Split::Train, Split::Test),
            (Split::Validation, Split::Test),
        ] {
            if let (Some(last), Some(first)) = (times(before).max(), times(after).min()) {
                prop_assert!(last < first);
            }
        }
    }

    #[test]
    fn rows_depend_on_data_and_seed_alone(source in any_source(), options in any_options(), turn in 0_usize..80) {
        let mut turned = source.clone();
        let by = turn.min(turned.interactions.len());
        turned.interactions.rotate_left(by);
        turned.earlier.reverse();
        prop_assert_eq!(prepare(&source, &options), prepare(&turned, &options));
    }

    #[test]
    fn what_comes_after_training_changes_no_positive_of_training(source in any_source(), options in any_options()) {
        let cut = RecommendationOptions {
            validation_fraction: None,
            test_fraction: None,
            validation_from: Some("2000-02-20T00:00:00Z".to_owned()),
            ..options
        };
        let mut without = source.clone();
        without.interactions.retain(|interaction| interaction.occurred_at < 50 * DAY);
        let positives = |source: &Source| -> Vec<TrainingRow> {
            prepare(source, &cut)
                .into_iter()
                .filter(|row| row.split == Split::Train && row.label > 0.0)
                .collect()
        };
        prop_assert_eq!(positives(&source), positives(&without));
    }
}
