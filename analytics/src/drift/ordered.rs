//! Samples of which only how often each value occurs is known.

use crate::hypothesis_tests::kolmogorov_smirnov::{
    KsMethod, KsTest, exact_tail, greatest_common_divisor, two_sample_limit,
};
use crate::statistics::percentile_sketch::Cell;

use super::DriftError;
use super::numeric::EXACT_UP_TO;
use crate::progress::Progress;

/// Values in ascending order with how many of the sample lie at or below each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weighted {
    values: Vec<f64>,
    through: Vec<u64>,
}

impl Weighted {
    /// The values that stand for the cells of a sketch.
    pub(super) fn from_cells(cells: &[Cell]) -> Self {
        let mut total = 0;
        Self {
            values: cells.iter().map(|cell| cell.value).collect(),
            through: cells
                .iter()
                .map(|cell| {
                    total += cell.count;
                    total
                })
                .collect(),
        }
    }

    /// How many values the sample has.
    pub(super) fn n(&self) -> u64 {
        self.through.last().copied().unwrap_or(0)
    }

    /// The value of a rank, counted from 0.
    pub(super) fn at(&self, rank: u64) -> Option<f64> {
        let cell = self.through.partition_point(|through| *through <= rank);
        self.values.get(cell).copied()
    }

    /// How many values lie at or below a cut.
    pub(super) fn at_or_below(&self, cut: f64) -> u64 {
        let cells = self.values.partition_point(|value| *value <= cut);
        cells
            .checked_sub(1)
            .and_then(|last| self.through.get(last).copied())
            .unwrap_or(0)
    }

    /// The mean of the magnitudes.
    pub(super) fn mean_magnitude(&self) -> f64 {
        let n = self.n() as f64;
        let mut before = 0;
        self.values
            .iter()
            .zip(&self.through)
            .map(|(value, through)| {
                let count = through - before;
                before = *through;
                value.abs() * (count as f64 / n)
            })
            .sum()
    }
}

/// Each value of either sample, with how many of each sample lie at or below it.
fn steps(first: &Weighted, second: &Weighted) -> Vec<(f64, u64, u64)> {
    let mut found = Vec::with_capacity(first.values.len() + second.values.len());
    let mut left = first.values.iter().zip(&first.through).peekable();
    let mut right = second.values.iter().zip(&second.through).peekable();
    let (mut below_left, mut below_right) = (0, 0);
    loop {
        let at = match (left.peek(), right.peek()) {
            (Some((a, _)), Some((b, _))) => a.min(**b),
            (Some((a, _)), None) => **a,
            (None, Some((b, _))) => **b,
            (None, None) => return found,
        };
        if let Some((_, through)) = left.next_if(|(value, _)| **value == at) {
            below_left = *through;
        }
        if let Some((_, through)) = right.next_if(|(value, _)| **value == at) {
            below_right = *through;
        }
        found.push((at, below_left, below_right));
    }
}

/// The two-sample Kolmogorov-Smirnov test, exact up to the same sizes as that of plain samples.
pub(super) fn kolmogorov_smirnov(
    first: &Weighted,
    second: &Weighted,
    progress: &mut dyn Progress,
) -> Result<Option<KsTest>, DriftError> {
    let (n, m) = (first.n(), second.n());
    if n == 0 || m == 0 {
        return Ok(None);
    }
    // |F - G| in units of 1 / (n m), which integers of 128 bits hold exactly.
    let distance = steps(first, second)
        .into_iter()
        .map(|(_, left, right)| {
            (u128::from(left) * u128::from(m)).abs_diff(u128::from(right) * u128::from(n))
        })
        .max()
        .unwrap_or(0);
    let (size_n, size_m) = (n as f64, m as f64);
    let statistic = distance as f64 / (size_n * size_m);
    let small = usize::try_from(n).ok().zip(usize::try_from(m).ok());
    let small = small.filter(|(n, m)| n.saturating_mul(*m) <= EXACT_UP_TO);
    let (p_value, method) = if let Some((n, m)) = small {
        let divisor = greatest_common_divisor(n, m) as u128;
        let distance = u64::try_from(distance / divisor).unwrap_or(u64::MAX);
        let tail = exact_tail(n, m, distance, true, progress)?;
        (tail, KsMethod::Exact)
    } else {
        let tail = two_sample_limit(size_n, size_m, statistic, progress)?;
        (tail, KsMethod::Asymptotic)
    };
    Ok(Some(KsTest {
        statistic,
        p_value: p_value.clamp(0.0, 1.0),
        method,
    }))
}

/// The first Wasserstein distance: the area between the two distribution functions.
pub(super) fn wasserstein(first: &Weighted, second: &Weighted) -> Option<f64> {
    let (n, m) = (first.n() as f64, second.n() as f64);
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let steps = steps(first, second);
    let area = steps
        .iter()
        .zip(steps.iter().skip(1))
        .map(|((at, left, right), (next, ..))| {
            (*left as f64 / n - *right as f64 / m).abs() * (next - at)
        })
        .sum::<f64>();
    area.is_finite().then_some(area)
}

#[cfg(test)]
mod tests {
    use super::super::psi::Bins;
    use super::super::{DriftParameters, numeric};
    use super::*;
    use crate::progress::Uninterruptible;
    use crate::statistics::{Estimator, StatsSummary};

    fn weighted(sorted: &[f64]) -> Weighted {
        let mut cells: Vec<Cell> = Vec::new();
        for &value in sorted {
            match cells.last_mut() {
                Some(last) if last.value == value => last.count += 1,
                _ => cells.push(Cell {
                    lower: value,
                    value,
                    upper: value,
                    count: 1,
                }),
            }
        }
        Weighted::from_cells(&cells)
    }

    /// Counts with values give what the values themselves give.
    #[test]
    fn weighted_samples_equal_plain_ones() {
        let sample = |n: u32, step: u32, wide: u32| {
            let mut values: Vec<f64> = (0..n).map(|i| f64::from(i * step % wide)).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        for (a, b) in [
            (sample(100, 7, 31), sample(80, 11, 37)),
            (sample(1, 1, 2), sample(5, 1, 9)),
            (vec![3.0; 20], sample(30, 1, 6)),
            (sample(2000, 7919, 1009), sample(1500, 7919, 997)),
        ] {
            let (left, right) = (weighted(&a), weighted(&b));
            for (rank, value) in a.iter().enumerate() {
                assert_eq!(left.at(rank as u64), Some(*value));
            }
            assert_eq!(left.at(a.len() as u64), None);
            let settings = DriftParameters::default().check().unwrap();
            let plain = numeric(&a, &b, &settings, &mut Uninterruptible).unwrap();
            let ks = kolmogorov_smirnov(&left, &right, &mut Uninterruptible)
                .unwrap()
                .unwrap();
            assert!((ks.statistic - plain[1].value.unwrap()).abs() < 1e-15);
            assert!((ks.p_value - plain[1].p_value.unwrap()).abs() < 1e-12);
            let bins = Bins::from_ranks(left.n(), 10, |rank| left.at(rank));
            assert_eq!(bins, Bins::from_sorted(&a, 10));
            assert_eq!(
                bins.count_by(right.n(), |cut| right.at_or_below(cut)),
                bins.count_sorted(&b)
            );
            let scale = StatsSummary::from_values(a.iter().copied())
                .unwrap()
                .stddev(Estimator::Sample)
                .filter(|scale| *scale > 0.0);
            if let (Some(scale), Some(expected)) = (scale, plain[3].value) {
                let found = wasserstein(&left, &right).unwrap() / scale;
                assert!((found - expected).abs() < 1e-12 * expected.max(1.0));
            }
        }
        let empty = weighted(&[]);
        assert_eq!(wasserstein(&empty, &weighted(&[1.0])), None);
        assert_eq!(empty.at_or_below(1.0), 0);
    }
}
