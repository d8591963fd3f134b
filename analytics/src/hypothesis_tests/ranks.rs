//! The test of Mann, Whitney and Wilcoxon: does one sample tend to be larger than the other?

use super::error::{HypothesisError, sorted};
use super::outcome::{Alternative, Effect, Outcome};
use crate::progress::Progress;
use crate::statistics::Interval;
use crate::statistics::interval::{check_level, normal_critical};

/// The exact distribution is used when a sample has at most this many values (and nothing is tied): scipy's rule.
const SMALL: usize = 8;

/// … and the statistic at most this many values, which bounds its table to 8 MB.
const LARGEST_TABLE: usize = 1_000_000;

const POLL_EVERY: usize = 4096;

/// The Mann-Whitney U test of two independent samples.
///
/// The statistic is U of the first sample: the number of pairs in which its value is the greater one, ties counting
/// half. The p-value is exact without ties while one sample has at most 8 values (and the product of the sizes is at
/// most 10⁶), otherwise normal with the corrections for ties and for continuity; `method` says which. The effect is
/// Cliff's delta, which is also the rank-biserial correlation: `2 U / (n₁ n₂) - 1`. Its interval is that of Cliff (1996)
/// with the unbiased variance; it needs two values in each sample. `None` when a sample is empty.
///
/// # Errors
/// [`HypothesisError::NotANumber`]; a level that is not inside (0, 1); [`HypothesisError::Interrupted`].
pub fn mann_whitney_test(
    first: &[f64],
    second: &[f64],
    level: f64,
    alternative: Alternative,
    progress: &mut dyn Progress,
) -> Result<Option<Outcome>, HypothesisError> {
    let level = check_level(level)?;
    let first = sorted(first, "first_sample")?;
    progress.poll()?;
    let second = sorted(second, "second_sample")?;
    progress.poll()?;
    if first.is_empty() || second.is_empty() {
        return Ok(None);
    }
    let (n, m) = (first.len(), second.len());
    let pairs = n as f64 * m as f64;
    let forward = dominance(&first, &second, progress)?;
    let backward = dominance(&second, &first, progress)?;
    // Pairs won less pairs lost.
    let balance = forward.sum as f64;
    let u = (pairs + balance) / 2.0;
    let ties = tie_term(&first, &second, progress)?;
    let exact = ties == 0.0 && n.min(m) <= SMALL && n.saturating_mul(m) <= LARGEST_TABLE;
    let p_value = if exact {
        let won = ((n * m) as i128 + forward.sum) / 2;
        let won = usize::try_from(won).unwrap_or(0);
        let table = u_distribution(n.min(m), n.max(m), progress)?;
        // The distribution is symmetric: the upper tail at U is the lower one at n m - U.
        alternative.of_tails(
            at_most(&table, won, n * m),
            at_most(&table, n * m - won, n * m),
        )
    } else {
        let count = (n + m) as f64;
        let deviation = (pairs / 12.0 * (count + 1.0 - ties / (count * (count - 1.0)))).sqrt();
        let z = |won: f64| (won - pairs / 2.0 - 0.5) / deviation;
        let upper = |won: f64| {
            // All values equal: no deviation, and none is possible.
            if deviation > 0.0 {
                Alternative::Greater.of_normal(z(won))
            } else {
                1.0
            }
        };
        alternative.of_tails(upper(pairs - u), upper(u))
    };
    Ok(Some(Outcome {
        statistic: u,
        df: None,
        p_value,
        effect: Some(Effect {
            size: balance / pairs,
            interval: delta_interval(&forward, &backward, n, m, normal_critical(level)?),
        }),
        method: if exact { "exact" } else { "asymptotic" },
        n: (n + m) as u64,
    }))
}

/// How the values of one sample stand against the other.
struct Dominance {
    /// Over the values: how many of the other sample are less, minus how many are greater.
    sum: i128,
    /// The squares of the same.
    squares: i128,
    /// How many pairs are tied.
    tied: i128,
}

fn dominance(
    of: &[f64],
    against: &[f64],
    progress: &mut dyn Progress,
) -> Result<Dominance, HypothesisError> {
    let mut less = against.iter().peekable();
    let mut up_to = against.iter().peekable();
    let (mut below, mut below_or_equal) = (0_i128, 0_i128);
    let mut found = Dominance {
        sum: 0,
        squares: 0,
        tied: 0,
    };
    let all = against.len() as i128;
    for (index, value) in of.iter().enumerate() {
        while less.next_if(|other| *other < value).is_some() {
            below += 1;
        }
        while up_to.next_if(|other| *other <= value).is_some() {
            below_or_equal += 1;
        }
        let balance = below - (all - below_or_equal);
        found.sum += balance;
        found.squares += balance * balance;
        found.tied += below_or_equal - below;
        if index % POLL_EVERY == 0 {
            progress.poll()?;
        }
    }
    Ok(found)
}

/// `Σ (t³ - t)` over the groups of t equal values of both sorted samples together.
fn tie_term(
    first: &[f64],
    second: &[f64],
    progress: &mut dyn Progress,
) -> Result<f64, HypothesisError> {
    let mut first = first.iter().peekable();
    let mut second = second.iter().peekable();
    let (mut sum, mut steps) = (0_u128, 0_usize);
    loop {
        let at = match (first.peek(), second.peek()) {
            (Some(a), Some(b)) => a.min(**b),
            (Some(a), None) => **a,
            (None, Some(b)) => **b,
            (None, None) => return Ok(sum as f64),
        };
        let mut equal = 0_u128;
        while first.next_if(|&&value| value == at).is_some() {
            equal += 1;
        }
        while second.next_if(|&&value| value == at).is_some() {
            equal += 1;
        }
        sum += equal * equal * equal - equal;
        steps += 1;
        if steps.is_multiple_of(POLL_EVERY) {
            progress.poll()?;
        }
    }
}

/// The probabilities of U = 0, 1, …, ⌊n m / 2⌋ without ties: the coefficients of the Gaussian binomial, factor by factor.
///
/// Each factor is `(1 - q^(m+i)) / (1 - q^i)`. Only the lower half is computed that way and then mirrored, where the
/// subtraction takes away little: the counts there are as exact as doubles are.
fn u_distribution(
    small: usize,
    large: usize,
    progress: &mut dyn Progress,
) -> Result<Vec<f64>, HypothesisError> {
    let keep = small * large / 2;
    let mut counts = vec![0.0_f64; keep + 1];
    if let Some(first) = counts.first_mut() {
        *first = 1.0;
    }
    let mut all = 1.0;
    for i in 1..=small {
        progress.poll()?;
        let previous = counts.clone();
        let degree = i * large;
        let half = (degree / 2).min(keep);
        let read = |values: &[f64], at: Option<usize>| {
            at.and_then(|at| values.get(at)).copied().unwrap_or(0.0)
        };
        for u in 0..=half {
            let value = read(&counts, u.checked_sub(i)) + read(&previous, Some(u))
                - read(&previous, u.checked_sub(large + i));
            if let Some(slot) = counts.get_mut(u) {
                *slot = value;
            }
            if u % POLL_EVERY == 0 {
                progress.poll()?;
            }
        }
        for u in half + 1..=keep {
            let mirrored = read(&counts, degree.checked_sub(u));
            if let Some(slot) = counts.get_mut(u) {
                *slot = mirrored;
            }
        }
        all *= (large + i) as f64 / i as f64;
    }
    for count in &mut counts {
        *count /= all;
    }
    Ok(counts)
}

/// The probability of a U up to `won` of `pairs`, from the lower half of its distribution.
fn at_most(lower_half: &[f64], won: usize, pairs: usize) -> f64 {
    if won < lower_half.len() {
        return lower_half.iter().take(won + 1).sum();
    }
    1.0 - lower_half.iter().take(pairs - won).sum::<f64>()
}

/// Cliff's asymmetric interval of delta.
fn delta_interval(
    forward: &Dominance,
    backward: &Dominance,
    n: usize,
    m: usize,
    z: f64,
) -> Option<Interval> {
    if n < 2 || m < 2 {
        return None;
    }
    let (n_f, m_f) = (n as f64, m as f64);
    let pairs = n_f * m_f;
    let delta = forward.sum as f64 / pairs;
    if delta.abs() == 1.0 {
        return Some(interval_at_one(delta, n_f.min(m_f), z));
    }
    // Sums of squares about the mean, exact until the division: Σ(b - b̄)² = (count Σb² - (Σb)²) / count.
    let spread = |side: &Dominance, count: usize| {
        (count as i128 * side.squares - side.sum * side.sum) as f64 / count as f64
    };
    let of_first = spread(forward, n);
    let of_second = spread(backward, m);
    let of_pairs = pairs - forward.tied as f64 - pairs * delta * delta;
    let variance = (of_first + of_second - of_pairs) / (pairs * (n_f - 1.0) * (m_f - 1.0));
    // The estimate is unbiased and can fall below what is possible; Cliff's own lower limit.
    let variance = variance.max((1.0 - delta * delta) / (pairs - 1.0));
    let square = delta * delta;
    let reach = z * z * variance;
    let margin = z * variance.sqrt() * ((1.0 - square).powi(2) + reach).sqrt();
    let scale = 1.0 - square + reach;
    let centre = delta - delta * square;
    Some(Interval {
        lower: ((centre - margin) / scale).max(-1.0),
        upper: ((centre + margin) / scale).min(1.0),
    })
}

/// The interval of a delta of ±1, where nothing overlaps: Wilson's bound for all of n (Cliff 1996, p. 150).
pub(super) fn interval_at_one(delta: f64, n: f64, z: f64) -> Interval {
    let bound = (n - z * z) / (n + z * z);
    if delta > 0.0 {
        Interval {
            lower: bound,
            upper: 1.0,
        }
    } else {
        Interval {
            lower: -1.0,
            upper: -bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    fn test(first: &[f64], second: &[f64], alternative: Alternative) -> Option<Outcome> {
        mann_whitney_test(first, second, 0.95, alternative, &mut Uninterruptible).unwrap()
    }

    #[test]
    fn the_distribution_counts_every_arrangement() {
        for (n, m) in [(1, 1), (1, 5), (2, 3), (3, 3), (4, 6), (5, 5)] {
            let table = u_distribution(n, m, &mut Uninterruptible).unwrap();
            let mut counts = vec![0_u32; n * m + 1];
            let mut all = 0;
            for mask in 0_u32..1 << (n + m) {
                if mask.count_ones() as usize != n {
                    continue;
                }
                all += 1;
                let (mut u, mut seconds) = (0, 0);
                for bit in 0..n + m {
                    if mask & (1 << bit) == 0 {
                        seconds += 1;
                    } else {
                        u += seconds;
                    }
                }
                counts[u] += 1;
            }
            for (u, p) in table.iter().enumerate() {
                let expected = f64::from(counts[u]) / f64::from(all);
                assert!((p - expected).abs() <= 1e-15, "{n} {m} {u}");
            }
        }
    }

    #[test]
    fn the_halves_of_a_long_distribution_add_up() {
        for (n, m) in [(8, 1000), (7, 999), (8, 125_000)] {
            let table = u_distribution(n, m, &mut Uninterruptible).unwrap();
            let half: f64 = table.iter().sum();
            let middle = if n * m % 2 == 0 {
                table[n * m / 2]
            } else {
                0.0
            };
            assert!((2.0 * half - middle - 1.0).abs() < 1e-12, "{n} {m}");
            assert!(table.is_sorted(), "the lower half rises: {n} {m}");
        }
    }

    #[test]
    fn special_samples() {
        use Alternative::{Greater, Less, TwoSided};
        assert_eq!(test(&[], &[1.0], TwoSided), None);
        let ties = test(&[1.0; 5], &[1.0; 7], TwoSided).unwrap();
        assert_eq!((ties.p_value, ties.effect.unwrap().size), (1.0, 0.0));
        let single = test(&[1.0], &[2.0], TwoSided).unwrap();
        assert_eq!(
            (single.p_value, single.effect.unwrap().interval),
            (1.0, None)
        );
        let apart = test(&[4.0, 5.0, f64::INFINITY], &[1.0, 2.0, 3.0], Greater).unwrap();
        assert!((apart.p_value - 0.05).abs() < 1e-15);
        let effect = apart.effect.unwrap();
        assert_eq!((effect.size, effect.interval.unwrap().upper), (1.0, 1.0));
        assert_eq!(
            test(&[1.0, 3.0], &[2.0, 4.0], Less).unwrap().p_value,
            test(&[2.0, 4.0], &[1.0, 3.0], Greater).unwrap().p_value
        );
        assert_eq!(test(&[0.0], &[-0.0], TwoSided).unwrap().statistic, 0.5);
        let nan = mann_whitney_test(&[f64::NAN], &[1.0], 0.9, TwoSided, &mut Uninterruptible);
        assert!(matches!(nan, Err(HypothesisError::NotANumber { .. })));
    }
}
