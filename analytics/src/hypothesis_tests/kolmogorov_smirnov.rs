//! The tests of Kolmogorov and Smirnov: two samples against each other, one against a distribution.

use super::distributions::Distribution;
use super::error::{HypothesisError, sorted};
use super::kolmogorov_distribution::{limit_upper, one_sided_upper, two_sided_upper};
use super::outcome::{Alternative, Effect, Outcome};
use crate::progress::Progress;
use crate::statistics::Interval;
use crate::statistics::interval::check_level;

/// Samples up to this size get the exact p-value (the same rule as scipy's `method='auto'`).
const EXACT_UP_TO: usize = 10_000;

/// How often the long loops ask whether to go on.
const POLL_EVERY: usize = 4096;

/// Where a p-value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KsMethod {
    /// Every interleaving of the samples counted; for one sample, the distribution of its size.
    Exact,
    /// An expansion of the distribution for large samples.
    Asymptotic,
}

impl KsMethod {
    /// The name used in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Asymptotic => "asymptotic",
        }
    }
}

/// What the test says about two samples, or about one and a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KsTest {
    /// The largest distance between the two distribution functions, in the direction of the alternative.
    pub statistic: f64,
    /// The probability of a distance at least as large if both are one continuous distribution.
    pub p_value: f64,
    /// How the p-value was found.
    pub method: KsMethod,
}

/// The two-sample Kolmogorov-Smirnov test.
///
/// `Greater` takes the largest excess of the first distribution function over the second (as in scipy: the first sample
/// then tends to be *smaller*), `Less` the other way round. Exact while both samples have at most 10,000 values,
/// asymptotic beyond. Ties are allowed and make the p-value conservative; infinities are ordinary largest and smallest
/// values. `None` when a sample is empty.
///
/// # Errors
/// [`HypothesisError::NotANumber`] when a sample contains NaN; [`HypothesisError::Interrupted`].
pub fn ks_two_sample(
    first: &[f64],
    second: &[f64],
    alternative: Alternative,
    progress: &mut dyn Progress,
) -> Result<Option<KsTest>, HypothesisError> {
    let method = if first.len().max(second.len()) <= EXACT_UP_TO {
        KsMethod::Exact
    } else {
        KsMethod::Asymptotic
    };
    ks_two_sample_by(first, second, alternative, method, progress)
}

/// [`ks_two_sample`] with the method chosen by the caller; the exact one takes time proportional to the product of the
/// sizes.
///
/// # Errors
/// As [`ks_two_sample`].
pub fn ks_two_sample_by(
    first: &[f64],
    second: &[f64],
    alternative: Alternative,
    method: KsMethod,
    progress: &mut dyn Progress,
) -> Result<Option<KsTest>, HypothesisError> {
    let first = sorted(first, "first_sample")?;
    progress.poll()?;
    let second = sorted(second, "second_sample")?;
    progress.poll()?;
    if first.is_empty() || second.is_empty() {
        return Ok(None);
    }
    // The excess of the second is that of the first with the samples exchanged.
    let (first, second) = match alternative {
        Alternative::Less => (second, first),
        _ => (first, second),
    };
    let both = alternative == Alternative::TwoSided;
    let (n, m) = (first.len(), second.len());
    let divisor = greatest_common_divisor(n, m);
    // Distances are multiples of 1 / lcm(n, m): kept as integers they are exact.
    let (step_first, step_second) = (m / divisor, n / divisor);
    let distance = largest_distance(&first, &second, (step_first, step_second), both, progress)?;
    let statistic = distance as f64 / (step_second as f64 * m as f64);
    let p_value = match method {
        KsMethod::Exact => exact_tail(n, m, distance, both, progress)?,
        KsMethod::Asymptotic => {
            let (small, large) = (n.min(m) as f64, n.max(m) as f64);
            if both {
                two_sample_limit(small, large, statistic, progress)?
            } else {
                let effective = large / (small + large) * small;
                // Hodges (1958), equation 5.3.
                let z = effective.sqrt() * statistic;
                let skew = (large + 2.0 * small) / (small + large).sqrt() / (small * large).sqrt();
                (-2.0 * z * z - 2.0 / 3.0 * z * skew).exp()
            }
        }
    };
    Ok(Some(KsTest {
        statistic,
        p_value: p_value.clamp(0.0, 1.0),
        method,
    }))
}

/// The two-sided tail of two large samples: that of one sample of `n m / (n + m)` values (the rule of scipy).
pub(crate) fn two_sample_limit(
    n: f64,
    m: f64,
    statistic: f64,
    progress: &mut dyn Progress,
) -> Result<f64, HypothesisError> {
    let effective = (n / (n + m) * m).round().max(1.0);
    limit_upper(effective, statistic, progress)
}

/// The test of one sample against a distribution that is known beforehand (not fitted to the sample).
///
/// `Greater` takes the largest excess of the sample's distribution function over the given one. The p-value is exact,
/// for a two-sided test of more than 10,000 values by the expansion of Pelz and Good. `None` for an empty sample.
///
/// # Errors
/// [`HypothesisError::NotANumber`]; [`HypothesisError::Interrupted`].
pub fn ks_one_sample(
    sample: &[f64],
    distribution: &Distribution,
    alternative: Alternative,
    progress: &mut dyn Progress,
) -> Result<Option<KsTest>, HypothesisError> {
    let sample = sorted(sample, "sample")?;
    progress.poll()?;
    if sample.is_empty() {
        return Ok(None);
    }
    let n = sample.len() as f64;
    let (mut above, mut below) = (0.0_f64, 0.0_f64);
    for (index, &value) in sample.iter().enumerate() {
        let (expected, _) = distribution.tails(value);
        above = above.max((index + 1) as f64 / n - expected);
        below = below.max(expected - index as f64 / n);
        if index % POLL_EVERY == 0 {
            progress.poll()?;
        }
    }
    let exact = alternative != Alternative::TwoSided || sample.len() <= EXACT_UP_TO;
    let (statistic, p_value) = match alternative {
        Alternative::Greater => (above, one_sided_upper(n, above, progress)?),
        Alternative::Less => (below, one_sided_upper(n, below, progress)?),
        Alternative::TwoSided => {
            let distance = above.max(below);
            let p_value = if exact {
                two_sided_upper(n, distance, progress)?
            } else {
                limit_upper(n, distance, progress)?
            };
            (distance, p_value)
        }
    };
    Ok(Some(KsTest {
        statistic,
        p_value: p_value.clamp(0.0, 1.0),
        method: if exact {
            KsMethod::Exact
        } else {
            KsMethod::Asymptotic
        },
    }))
}

/// The row of a test: the effect is the distance itself, its interval by the inequality of Dvoretzky, Kiefer and
/// Wolfowitz with Massart's constant, which holds for every n (`sizes`: one sample or two, with half of the error each).
///
/// # Errors
/// A level that is not inside (0, 1).
pub fn ks_outcome(test: &KsTest, sizes: &[usize], level: f64) -> Result<Outcome, HypothesisError> {
    let error = (1.0 - check_level(level)?) / sizes.len().max(1) as f64;
    let margin: f64 = sizes
        .iter()
        .map(|&n| ((2.0 / error).ln() / (2.0 * n as f64)).sqrt())
        .sum();
    Ok(Outcome {
        statistic: test.statistic,
        df: None,
        p_value: test.p_value,
        effect: Some(Effect {
            size: test.statistic,
            interval: Some(Interval {
                lower: (test.statistic - margin).max(0.0),
                upper: (test.statistic + margin).min(1.0),
            }),
        }),
        method: test.method.name(),
        n: sizes.iter().map(|&n| n as u64).sum(),
    })
}

pub(crate) fn greatest_common_divisor(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The largest distance of the two step functions in units of one over the least common multiple of the sizes; unless
/// `both` directions count, the largest excess of the first.
fn largest_distance(
    first: &[f64],
    second: &[f64],
    (step_first, step_second): (usize, usize),
    both: bool,
    progress: &mut dyn Progress,
) -> Result<u64, HypothesisError> {
    let mut first = first.iter().peekable();
    let mut second = second.iter().peekable();
    let mut level: i128 = 0;
    let mut largest = 0;
    let mut steps = 0_usize;
    loop {
        let at = match (first.peek(), second.peek()) {
            (Some(a), Some(b)) => a.min(**b),
            // What is left of one sample only brings the functions together.
            _ => return Ok(largest),
        };
        while first.next_if(|&&value| value == at).is_some() {
            level += step_first as i128;
            steps += 1;
        }
        while second.next_if(|&&value| value == at).is_some() {
            level -= step_second as i128;
            steps += 1;
        }
        if both || level > 0 {
            largest = largest.max(u64::try_from(level.unsigned_abs()).unwrap_or(u64::MAX));
        }
        if steps >= POLL_EVERY {
            steps = 0;
            progress.poll()?;
        }
    }
}

/// The share of the interleavings of n and m values whose distance reaches `distance` (in units of 1 / lcm).
///
/// Walk the lattice from (0, 0) to (n, m): `reached[j]` is the share of the paths to (i, j) that have touched a point at
/// or beyond the distance. A path to (i, j) came from (i - 1, j) with probability i / (i + j). Every term is positive, so
/// small tails keep their relative accuracy (Hodges 1957; the recursion of R's `psmirnov`). Unless `both` directions
/// count, only points where the first sample is ahead are beyond it.
pub(crate) fn exact_tail(
    n: usize,
    m: usize,
    distance: u64,
    both: bool,
    progress: &mut dyn Progress,
) -> Result<f64, HypothesisError> {
    if distance == 0 {
        return Ok(1.0);
    }
    let (rows, columns) = (n.max(m), n.min(m));
    let divisor = greatest_common_divisor(rows, columns);
    let (row_step, column_step) = ((columns / divisor) as i64, (rows / divisor) as i64);
    let distance = i64::try_from(distance).unwrap_or(i64::MAX);
    // Rows are the larger sample; the first sample is ahead where it has more steps than its share.
    let ahead = if n >= m { 1 } else { -1 };
    let mut reached = vec![0.0_f64; columns + 1];
    let mut steps = 0_usize;
    for i in 0..=rows {
        let height = i as i64 * row_step;
        let mut left = None;
        for (j, cell) in reached.iter_mut().enumerate() {
            let level = (height - j as i64 * column_step) * ahead;
            let outside = level >= distance || (both && -level >= distance);
            let value = match left {
                _ if outside => 1.0,
                None => *cell,
                Some(_) if i == 0 => left.unwrap_or(0.0),
                Some(left) => {
                    let (i, j) = (i as f64, j as f64);
                    (i * *cell + j * left) / (i + j)
                }
            };
            *cell = value;
            left = Some(value);
        }
        steps += columns + 1;
        if steps >= POLL_EVERY {
            steps = 0;
            progress.poll()?;
        }
    }
    Ok(reached.last().copied().unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Interrupted, Uninterruptible};

    fn ks(first: &[f64], second: &[f64]) -> Option<KsTest> {
        ks_two_sample(first, second, Alternative::TwoSided, &mut Uninterruptible).unwrap()
    }

    /// Counts interleavings one by one.
    fn brute_force(n: usize, m: usize, distance: f64, both: bool) -> f64 {
        let (mut outside, mut all) = (0_u64, 0_u64);
        for mask in 0_u32..(1 << (n + m)) {
            if mask.count_ones() as usize != n {
                continue;
            }
            all += 1;
            let (mut i, mut j, mut largest) = (0.0, 0.0, 0.0_f64);
            for bit in 0..(n + m) {
                if mask & (1 << bit) != 0 {
                    i += 1.0;
                } else {
                    j += 1.0;
                }
                let level = i / n as f64 - j / m as f64;
                largest = largest.max(if both { level.abs() } else { level });
            }
            outside += u64::from(largest >= distance - 1e-12);
        }
        outside as f64 / all as f64
    }

    #[test]
    fn the_recursion_counts_every_interleaving() {
        for (n, m) in [(1, 1), (1, 4), (3, 3), (4, 6), (5, 7), (6, 2)] {
            let lcm = n * m / greatest_common_divisor(n, m);
            for distance in 1..=lcm {
                for both in [true, false] {
                    let exact =
                        exact_tail(n, m, distance as u64, both, &mut Uninterruptible).unwrap();
                    let counted = brute_force(n, m, distance as f64 / lcm as f64, both);
                    assert!(
                        (exact - counted).abs() < 1e-13,
                        "{n} {m} {distance}: {exact} {counted}"
                    );
                }
            }
        }
    }

    #[test]
    fn empty_equal_and_disjoint_samples() {
        assert_eq!(ks(&[], &[1.0]), None);
        assert_eq!(ks(&[1.0], &[]), None);
        let same = ks(&[1.0, 2.0, 3.0], &[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((same.statistic, same.p_value), (0.0, 1.0));
        let apart = ks(&[1.0, 2.0, 3.0], &[f64::INFINITY, 5.0, 6.0]).unwrap();
        assert_eq!(apart.statistic, 1.0);
        assert!((apart.p_value - 0.1).abs() < 1e-15);
        let zeros = ks(&[0.0, -0.0], &[-0.0, 0.0]).unwrap();
        assert_eq!(zeros.statistic, 0.0);
    }

    #[test]
    fn not_a_number_is_refused() {
        assert!(matches!(
            ks_two_sample(
                &[1.0, f64::NAN],
                &[1.0],
                Alternative::Less,
                &mut Uninterruptible
            ),
            Err(HypothesisError::NotANumber { .. })
        ));
    }

    #[test]
    fn the_caller_can_interrupt() {
        struct AfterSome(u32);
        impl Progress for AfterSome {
            fn poll(&mut self) -> Result<(), Interrupted> {
                self.0 = self.0.checked_sub(1).ok_or(Interrupted)?;
                Ok(())
            }
        }
        let a: Vec<f64> = (0..2000).map(f64::from).collect();
        let b: Vec<f64> = (0..2000).map(|i| f64::from(i) + 0.5).collect();
        assert!(matches!(
            ks_two_sample(&a, &b, Alternative::TwoSided, &mut AfterSome(5)),
            Err(HypothesisError::Interrupted(_))
        ));
    }
}
