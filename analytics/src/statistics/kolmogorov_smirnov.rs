//! The two-sample test of Kolmogorov and Smirnov.

use super::error::StatisticsError;
use super::special::kolmogorov_upper;
use crate::progress::Progress;

/// Samples up to this size get the exact p-value (the same rule as scipy's `method='auto'`).
const EXACT_UP_TO: usize = 10_000;

/// How often the long loops ask whether to go on.
const POLL_EVERY: usize = 4096;

/// Where a p-value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KsMethod {
    /// Every interleaving of the samples counted.
    Exact,
    /// Kolmogorov's limiting distribution at `√(n m / (n + m)) · D`.
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

/// What the two-sided test says about two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KsTest {
    /// The largest distance between the two empirical distribution functions.
    pub statistic: f64,
    /// The probability of a distance at least as large if both come from one continuous distribution.
    pub p_value: f64,
    /// How the p-value was found.
    pub method: KsMethod,
}

/// The two-sided two-sample Kolmogorov-Smirnov test.
///
/// Exact while both samples have at most 10,000 values, asymptotic beyond. Ties are allowed and make the p-value
/// conservative; infinities are ordinary largest and smallest values. `None` when a sample is empty.
///
/// # Errors
/// [`StatisticsError::NotANumber`] when a sample contains NaN; [`StatisticsError::Interrupted`].
pub fn ks_two_sample(
    first: &[f64],
    second: &[f64],
    progress: &mut dyn Progress,
) -> Result<Option<KsTest>, StatisticsError> {
    let method = if first.len().max(second.len()) <= EXACT_UP_TO {
        KsMethod::Exact
    } else {
        KsMethod::Asymptotic
    };
    ks_two_sample_by(first, second, method, progress)
}

/// [`ks_two_sample`] with the method chosen by the caller; the exact one takes time proportional to the product of the
/// sizes.
///
/// # Errors
/// As [`ks_two_sample`].
pub fn ks_two_sample_by(
    first: &[f64],
    second: &[f64],
    method: KsMethod,
    progress: &mut dyn Progress,
) -> Result<Option<KsTest>, StatisticsError> {
    let first = sorted(first, "first_sample")?;
    progress.poll()?;
    let second = sorted(second, "second_sample")?;
    progress.poll()?;
    if first.is_empty() || second.is_empty() {
        return Ok(None);
    }
    let (n, m) = (first.len(), second.len());
    let divisor = greatest_common_divisor(n, m);
    // Distances are multiples of 1 / lcm(n, m): kept as integers they are exact.
    let (step_first, step_second) = (m / divisor, n / divisor);
    let distance = largest_distance(&first, &second, step_first, step_second, progress)?;
    let statistic = distance as f64 / (step_second as f64 * m as f64);
    let p_value = match method {
        KsMethod::Exact => exact_tail(n, m, distance, progress)?,
        KsMethod::Asymptotic => {
            let (n, m) = (n as f64, m as f64);
            kolmogorov_upper((n / (n + m) * m).sqrt() * statistic)
        }
    };
    Ok(Some(KsTest {
        statistic,
        p_value: p_value.clamp(0.0, 1.0),
        method,
    }))
}

fn sorted(values: &[f64], argument: &'static str) -> Result<Vec<f64>, StatisticsError> {
    if values.iter().any(|value| value.is_nan()) {
        return Err(StatisticsError::NotANumber { argument });
    }
    // Adding zero makes -0 and 0 one value for the total order.
    let mut values: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
    values.sort_unstable_by(f64::total_cmp);
    Ok(values)
}

pub(crate) fn greatest_common_divisor(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The largest distance of the two step functions in units of one over the least common multiple of the sizes.
fn largest_distance(
    first: &[f64],
    second: &[f64],
    step_first: usize,
    step_second: usize,
    progress: &mut dyn Progress,
) -> Result<u64, StatisticsError> {
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
        largest = largest.max(u64::try_from(level.unsigned_abs()).unwrap_or(u64::MAX));
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
/// small tails keep their relative accuracy (Hodges 1957; the recursion of R's `psmirnov`).
pub(crate) fn exact_tail(
    n: usize,
    m: usize,
    distance: u64,
    progress: &mut dyn Progress,
) -> Result<f64, StatisticsError> {
    if distance == 0 {
        return Ok(1.0);
    }
    let (rows, columns) = (n.max(m), n.min(m));
    let divisor = greatest_common_divisor(rows, columns);
    let (row_step, column_step) = ((columns / divisor) as i64, (rows / divisor) as i64);
    let distance = i64::try_from(distance).unwrap_or(i64::MAX);
    let mut reached = vec![0.0_f64; columns + 1];
    let mut steps = 0_usize;
    for i in 0..=rows {
        let height = i as i64 * row_step;
        let mut left = None;
        for (j, cell) in reached.iter_mut().enumerate() {
            let outside = (height - j as i64 * column_step).abs() >= distance;
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
        ks_two_sample(first, second, &mut Uninterruptible).unwrap()
    }

    /// Counts interleavings one by one.
    fn brute_force(n: usize, m: usize, distance: f64) -> f64 {
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
                largest = largest.max((i / n as f64 - j / m as f64).abs());
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
                let exact = exact_tail(n, m, distance as u64, &mut Uninterruptible).unwrap();
                let counted = brute_force(n, m, distance as f64 / lcm as f64);
                assert!(
                    (exact - counted).abs() < 1e-13,
                    "{n} {m} {distance}: {exact} {counted}"
                );
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
            ks_two_sample(&[1.0, f64::NAN], &[1.0], &mut Uninterruptible),
            Err(StatisticsError::NotANumber { .. })
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
            ks_two_sample(&a, &b, &mut AfterSome(5)),
            Err(StatisticsError::Interrupted(_))
        ));
    }
}
