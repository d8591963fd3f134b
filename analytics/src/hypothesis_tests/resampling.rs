//! The permutation test: how often would chance alone, dealing the same values into the same two groups, bring a
//! difference like this one?

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::error::{HypothesisError, finite};
use super::estimate::{Estimate, Statistic};
use super::outcome::{Alternative, Outcome};
use super::ranks::mann_whitney_test;
use crate::progress::Progress;

/// The most permutations or resamples that are drawn.
pub const LARGEST_REPETITIONS: u32 = 1_000_000;

/// How a permutation test is carried out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PermutationPlan {
    /// What is compared between the groups.
    pub statistic: Statistic,
    /// Which differences count.
    pub alternative: Alternative,
    /// How many permutations, 1 to [`LARGEST_REPETITIONS`].
    pub permutations: i64,
    /// Level of the interval of the effect.
    pub level: f64,
    /// Where the random numbers start.
    pub seed: i64,
}

/// The most values that the repetitions of one call draw in all: some seconds of work.
pub const LARGEST_DRAWS: u64 = 1_000_000_000;

/// Checks a number of repetitions over so many values.
pub(super) fn check_repetitions(
    argument: &'static str,
    found: i64,
    values: usize,
) -> Result<u32, HypothesisError> {
    let repetitions = u32::try_from(found)
        .ok()
        .filter(|count| (1..=LARGEST_REPETITIONS).contains(count))
        .ok_or(HypothesisError::Repetitions {
            argument,
            limit: LARGEST_REPETITIONS,
            found,
        })?;
    if u64::from(repetitions).saturating_mul(values as u64) > LARGEST_DRAWS {
        return Err(HypothesisError::TooManyDraws {
            argument,
            repetitions,
            values,
            limit: LARGEST_DRAWS,
        });
    }
    Ok(repetitions)
}

/// A permutation test with the difference that was observed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PermutationTest {
    /// The test; the effect is Cliff's delta.
    pub outcome: Outcome,
    /// The statistic of the first sample less that of the second.
    pub difference: f64,
}

/// The permutation test of the difference of a statistic between two independent samples.
///
/// All ways to deal the values are enumerated when they are not more than `permutations` (`method` = `exact`), otherwise
/// that many are drawn (`monte_carlo`) and the observed one counts among them: `(hits + 1) / (permutations + 1)`.
/// Two-sided, the smaller tail is doubled, as in scipy. Differences within 100 ulp of the observed one are equal to it.
/// `None` when a sample is empty, or when the statistic of a sample does not exist.
///
/// # Errors
/// [`HypothesisError::NotFinite`]; [`HypothesisError::Repetitions`]; [`HypothesisError::TooManyDraws`]; a level that is not inside (0, 1);
/// [`HypothesisError::Interrupted`].
pub fn permutation_test(
    first: &[f64],
    second: &[f64],
    plan: PermutationPlan,
    progress: &mut dyn Progress,
) -> Result<Option<PermutationTest>, HypothesisError> {
    let permutations = check_repetitions(
        "permutations",
        plan.permutations,
        first.len().saturating_add(second.len()),
    )?;
    finite(first, "first_sample")?;
    finite(second, "second_sample")?;
    // The effect checks the level before anything else can be the answer.
    let effect = mann_whitney_test(first, second, plan.level, plan.alternative, progress)?
        .and_then(|ranks| ranks.effect);
    let mut estimate = Estimate::new(plan.statistic);
    let (Some(one), Some(other)) = (estimate.of(first)?, estimate.of(second)?) else {
        return Ok(None);
    };
    let observed = one - other;
    let tolerance = 100.0 * f64::EPSILON * observed.abs();
    let mut pool: Vec<f64> = first.iter().chain(second).copied().collect();
    let n = first.len();
    let tally = |difference: f64| {
        (
            u64::from(difference <= observed + tolerance),
            u64::from(difference >= observed - tolerance),
        )
    };
    let (mut less, mut greater) = (0_u64, 0_u64);
    let exact = combinations(pool.len(), n, u64::from(permutations));
    let all = if let Some(all) = exact {
        let values = pool.clone();
        let mut chosen: Vec<usize> = (0..n).collect();
        loop {
            progress.poll()?;
            deal(&values, &chosen, &mut pool);
            let (below, above) = tally(difference(&mut estimate, &pool, n)?);
            less += below;
            greater += above;
            if !next_combination(&mut chosen, values.len()) {
                break;
            }
        }
        all as f64
    } else {
        let mut random = ChaCha8Rng::seed_from_u64(plan.seed.cast_unsigned());
        // Drawing the smaller group leaves the other one.
        let drawn = n.min(pool.len() - n);
        let from_end = n > drawn;
        for _ in 0..permutations {
            for index in 0..drawn {
                if index % 1024 == 0 {
                    progress.poll()?;
                }
                let other = random.random_range(index..pool.len());
                let (index, other) = if from_end {
                    (pool.len() - 1 - index, pool.len() - 1 - other)
                } else {
                    (index, other)
                };
                pool.swap(index, other);
            }
            let (below, above) = tally(difference(&mut estimate, &pool, n)?);
            less += below;
            greater += above;
        }
        less += 1;
        greater += 1;
        f64::from(permutations) + 1.0
    };
    Ok(Some(PermutationTest {
        outcome: Outcome {
            statistic: observed,
            df: None,
            p_value: plan
                .alternative
                .of_tails(less as f64 / all, greater as f64 / all),
            effect,
            method: if exact.is_some() {
                "exact"
            } else {
                "monte_carlo"
            },
            n: pool.len() as u64,
        },
        difference: observed,
    }))
}

fn difference(estimate: &mut Estimate, pool: &[f64], n: usize) -> Result<f64, HypothesisError> {
    let (first, second) = pool.split_at(n);
    match (estimate.of(first)?, estimate.of(second)?) {
        (Some(first), Some(second)) => Ok(first - second),
        _ => Ok(f64::NAN),
    }
}

/// How many ways there are to choose k of n, when they are at most `limit`.
fn combinations(n: usize, k: usize, limit: u64) -> Option<u64> {
    let mut ways = 1_u64;
    for i in 0..k.min(n - k) as u64 {
        ways = ways.checked_mul(n as u64 - i)? / (i + 1);
        if ways > limit {
            return None;
        }
    }
    Some(ways)
}

/// Puts the chosen values first.
fn deal(values: &[f64], chosen: &[usize], pool: &mut Vec<f64>) {
    pool.clear();
    pool.extend(chosen.iter().filter_map(|&index| values.get(index)));
    let mut next = chosen.iter().peekable();
    for (index, &value) in values.iter().enumerate() {
        if next.next_if(|&&chosen| chosen == index).is_none() {
            pool.push(value);
        }
    }
}

/// The next choice in lexicographic order.
fn next_combination(chosen: &mut [usize], n: usize) -> bool {
    let k = chosen.len();
    for position in (0..k).rev() {
        let Some(&at) = chosen.get(position) else {
            return false;
        };
        if at + (k - position) < n {
            for (slot, value) in chosen.iter_mut().skip(position).zip(at + 1..) {
                *slot = value;
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    fn plan(permutations: i64, seed: i64) -> PermutationPlan {
        PermutationPlan {
            statistic: Statistic::Mean,
            alternative: Alternative::TwoSided,
            permutations,
            level: 0.95,
            seed,
        }
    }

    fn test(first: &[f64], second: &[f64], plan: PermutationPlan) -> Option<PermutationTest> {
        permutation_test(first, second, plan, &mut Uninterruptible).unwrap()
    }

    #[test]
    fn every_choice_comes_once() {
        let mut seen = std::collections::HashSet::new();
        let mut chosen = vec![0, 1, 2];
        loop {
            assert!(seen.insert(chosen.clone()));
            if !next_combination(&mut chosen, 7) {
                break;
            }
        }
        assert_eq!(seen.len(), 35);
        assert_eq!(combinations(7, 3, 35), Some(35));
        assert_eq!(combinations(7, 3, 34), None);
        assert_eq!(combinations(2_000_000, 1_000_000, u64::MAX), None);
    }

    #[test]
    fn seeds_decide_and_the_exact_answer_is_near() {
        let (a, b) = ([1.0, 4.0, 2.0, 8.0, 5.5], [3.0, 7.0, 9.5, 11.0, 6.0, 10.0]);
        let exact = test(&a, &b, plan(462, 0)).unwrap();
        assert_eq!(exact.outcome.method, "exact");
        let drawn = test(&a, &b, plan(461, 1)).unwrap();
        assert_eq!(drawn.outcome.method, "monte_carlo");
        assert_eq!(Some(drawn), test(&a, &b, plan(461, 1)));
        assert!((drawn.outcome.p_value - exact.outcome.p_value).abs() < 0.05);
        let back = test(&b, &a, plan(462, 0)).unwrap();
        assert_eq!(back.outcome.p_value, exact.outcome.p_value);
        // The larger group first: the smaller one is drawn from the end.
        let large: Vec<f64> = (0..40).map(f64::from).collect();
        let apart = test(&large, &[100.0, 101.0, 102.0], plan(999, 3)).unwrap();
        assert!(apart.outcome.p_value < 0.01);
    }

    #[test]
    fn what_cannot_be_tested() {
        assert_eq!(test(&[], &[1.0], plan(99, 0)), None);
        for bad in [0, -1, 1_000_001, i64::MAX] {
            assert!(matches!(
                permutation_test(&[1.0], &[2.0], plan(bad, 0), &mut Uninterruptible),
                Err(HypothesisError::Repetitions { .. })
            ));
        }
        assert!(matches!(
            permutation_test(&[f64::NAN], &[2.0], plan(9, 0), &mut Uninterruptible),
            Err(HypothesisError::NotFinite { .. })
        ));
        let many = vec![1.0; 1_001];
        assert!(matches!(
            permutation_test(&many, &many, plan(500_000, 0), &mut Uninterruptible),
            Err(HypothesisError::TooManyDraws { .. })
        ));
        let equal = test(&[1.0; 3], &[1.0; 4], plan(99, 0)).unwrap();
        assert_eq!(equal.outcome.p_value, 1.0);
    }
}
