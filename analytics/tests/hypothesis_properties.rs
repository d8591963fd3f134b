//! What holds of the tests of significance for any data.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use proptest::prelude::*;
use sop_analytics::hypothesis_tests::{
    self as tests, Adjustment, Alternative, AnovaMethod, Center, Outcome,
};
use sop_analytics::progress::Uninterruptible;
use sop_analytics::statistics::StatsSummary;

const ALTERNATIVES: [Alternative; 3] = [
    Alternative::TwoSided,
    Alternative::Less,
    Alternative::Greater,
];

/// Values with ties, and of very different sizes.
fn sample(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        (-4..5_i32).prop_map(f64::from),
        -10.0..10.0_f64,
        -1e12..1e12_f64
    ];
    prop::collection::vec(value, sizes)
}

fn mirrored(alternative: Alternative) -> Alternative {
    match alternative {
        Alternative::TwoSided => Alternative::TwoSided,
        Alternative::Less => Alternative::Greater,
        Alternative::Greater => Alternative::Less,
    }
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

fn assert_sound(outcome: &Outcome) {
    assert!((0.0..=1.0).contains(&outcome.p_value), "{outcome:?}");
    if let Some((effect, interval)) = outcome
        .effect
        .and_then(|effect| Some((effect, effect.interval?)))
    {
        assert!(interval.lower <= interval.upper, "{outcome:?}");
        assert!(
            effect.size.is_nan() == interval.lower.is_nan(),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_distant_group_does_not_blur_the_others() {
    let groups = [
        vec![0.0, 0.0, -939_672_031_858.954_7],
        vec![0.0, 0.0, 0.0, -0.011_820_581_325_000_629],
        vec![0.0, -1.0],
    ];
    let p_value = |order: [usize; 3]| {
        let summaries: Vec<StatsSummary> = order
            .iter()
            .map(|&at| StatsSummary::from_values(groups[at].iter().copied()).unwrap())
            .collect();
        tests::anova_test(&summaries, AnovaMethod::Welch, 0.9, &mut Uninterruptible)
            .unwrap()
            .unwrap()
            .outcome
            .p_value
    };
    let expected = p_value([1, 0, 2]);
    for order in [[0, 1, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0]] {
        assert!(near(p_value(order), expected), "{order:?}");
    }
}

proptest! {
    #[test]
    fn rank_tests_see_the_order_alone(a in sample(1..25), b in sample(1..25)) {
        for alternative in ALTERNATIVES {
            let test = |a: &[f64], b: &[f64], alternative| {
                tests::mann_whitney_test(a, b, 0.9, alternative, &mut Uninterruptible)
                    .unwrap()
                    .unwrap()
            };
            let found = test(&a, &b, alternative);
            assert_sound(&found);
            // Exact in doubles: halving and cubing of what is not tiny keep order and ties.
            let bend = |x: &[f64]| x.iter().map(|v| v / 2.0).collect::<Vec<_>>();
            prop_assert_eq!(found, test(&bend(&a), &bend(&b), alternative));
            let back = test(&b, &a, mirrored(alternative));
            prop_assert!(near(found.p_value, back.p_value));
            prop_assert!(near(found.statistic + back.statistic, (a.len() * b.len()) as f64));
            let flipped = |x: &[f64]| x.iter().map(|v| -v).collect::<Vec<_>>();
            let negated = test(&flipped(&a), &flipped(&b), mirrored(alternative));
            prop_assert!(near(found.p_value, negated.p_value));
        }
    }

    #[test]
    fn signed_ranks_are_symmetric(d in sample(1..70)) {
        for alternative in ALTERNATIVES {
            let test = |d: &[f64], alternative| {
                tests::wilcoxon_signed_rank_test(d, 0.9, alternative, &mut Uninterruptible).unwrap()
            };
            let Some(found) = test(&d, alternative) else {
                prop_assert!(d.iter().all(|&v| v == 0.0));
                continue;
            };
            assert_sound(&found);
            let flipped: Vec<f64> = d.iter().map(|v| -v).collect();
            let back = test(&flipped, mirrored(alternative)).unwrap();
            prop_assert!(near(found.p_value, back.p_value));
            prop_assert!(near(found.effect.unwrap().size, -back.effect.unwrap().size));
        }
    }

    #[test]
    fn distances_do_not_depend_on_which_comes_first(a in sample(1..30), b in sample(1..30)) {
        for alternative in ALTERNATIVES {
            let test = |a: &[f64], b: &[f64], alternative| {
                tests::ks_two_sample(a, b, alternative, &mut Uninterruptible).unwrap().unwrap()
            };
            let found = test(&a, &b, alternative);
            prop_assert!((0.0..=1.0).contains(&found.p_value));
            let back = test(&b, &a, mirrored(alternative));
            prop_assert!(near(found.statistic, back.statistic));
            prop_assert!(near(found.p_value, back.p_value));
            let two_sided = test(&a, &b, Alternative::TwoSided);
            prop_assert!(found.statistic <= two_sided.statistic);
        }
    }

    #[test]
    fn tables_may_be_turned(cells in prop::collection::vec(0..60_i64, 4)) {
        let table: [i64; 4] = cells.clone().try_into().unwrap();
        let [a, b, c, d] = table;
        for alternative in ALTERNATIVES {
            let test = |table, alternative| {
                tests::fisher_test(table, 0.9, alternative, &mut Uninterruptible).unwrap()
            };
            let Some(found) = test(table, alternative) else { continue };
            assert_sound(&found);
            let turned = test([a, c, b, d], alternative).unwrap();
            prop_assert!(near(found.p_value, turned.p_value));
            let swapped = test([b, a, d, c], mirrored(alternative)).unwrap();
            prop_assert!(near(found.p_value, swapped.p_value), "{found:?} {swapped:?}");
            let interval = found.effect.unwrap().interval.unwrap();
            let other = swapped.effect.unwrap().interval.unwrap();
            prop_assert!(near(interval.lower, 1.0 / other.upper), "{found:?} {swapped:?}");
        }
        let test = |cells: &[i64]| {
            tests::chi_square_contingency(cells, 2, 0.9, &mut Uninterruptible).unwrap()
        };
        if let (Some(found), Some(turned)) = (test(&cells), test(&[a, c, b, d])) {
            assert_sound(&found.outcome);
            prop_assert!((found.outcome.statistic - turned.outcome.statistic).abs() < 1e-9);
        }
    }

    #[test]
    fn adjusted_p_values_keep_their_order(
        p in prop::collection::vec(prop_oneof![0.0..=1.0_f64, 0.0..1e-9_f64, Just(0.05)], 0..40),
        turn in 0..40_usize,
    ) {
        for method in Adjustment::ALL {
            let adjust = |p: &[f64]| -> Vec<f64> {
                let p: Vec<_> = p.iter().copied().map(Some).collect();
                tests::adjust_p_values(&p, method, &mut Uninterruptible)
                    .unwrap()
                    .into_iter()
                    .map(Option::unwrap)
                    .collect()
            };
            let adjusted = adjust(&p);
            for (i, x) in p.iter().enumerate() {
                prop_assert!(adjusted[i] >= *x * (1.0 - 1e-15) && adjusted[i] <= 1.0);
                for (j, y) in p.iter().enumerate() {
                    prop_assert!(x > y || adjusted[i] <= adjusted[j], "{}", method.name());
                }
            }
            let mut turned = p.clone();
            let mut expected = adjusted.clone();
            if !p.is_empty() {
                turned.rotate_left(turn % p.len());
                expected.rotate_left(turn % p.len());
            }
            prop_assert_eq!(adjust(&turned), expected);
        }
    }

    #[test]
    fn groups_may_come_in_any_order(groups in prop::collection::vec(sample(0..12), 0..6)) {
        let summaries = |groups: &[Vec<f64>]| -> Vec<StatsSummary> {
            groups.iter().map(|g| StatsSummary::from_values(g.iter().copied()).unwrap()).collect()
        };
        let mut reversed = groups.clone();
        reversed.reverse();
        for method in [AnovaMethod::Classic, AnovaMethod::Welch] {
            let test = |groups: &[Vec<f64>]| {
                tests::anova_test(&summaries(groups), method, 0.9, &mut Uninterruptible).unwrap()
            };
            let (found, back) = (test(&groups), test(&reversed));
            prop_assert_eq!(found.is_some(), back.is_some());
            if let (Some(found), Some(back)) = (found, back) {
                assert_sound(&found.outcome);
                prop_assert!((found.outcome.p_value - back.outcome.p_value).abs() < 1e-9);
            }
        }
        let found = tests::levene_test(&groups, Center::Median, 0.9, &mut Uninterruptible).unwrap();
        if let Some(found) = found {
            assert_sound(&found.outcome);
        }
    }
}
