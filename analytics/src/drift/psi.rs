//! Bins on the reference's quantiles, the population stability index and the Jensen-Shannon distance.

/// Cut points taken from a reference sample.
///
/// The cuts are the k/B quantiles of the reference (inverse of the empirical distribution function, so each is an
/// observed value); a bin holds its upper cut, and the first and last bins are open-ended. A value that two quantiles
/// share carries at least 1/B of the reference: it gets a bin of its own, so that a constant reference still tells lower
/// from higher.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    cuts: Vec<f64>,
}

impl Bins {
    /// Bins of a sorted sample without NaN; an empty sample has one bin.
    #[must_use]
    pub fn from_sorted(reference: &[f64], bins: usize) -> Self {
        Self::from_ranks(reference.len() as u64, bins, |rank| {
            reference.get(usize::try_from(rank).ok()?).copied()
        })
    }

    /// Bins of values known by their rank, counted from 0; at most 2^53 values and 1000 bins.
    pub(super) fn from_ranks(n: u64, bins: usize, at: impl Fn(u64) -> Option<f64>) -> Self {
        let bins = bins as u64;
        let mut cuts: Vec<f64> = Vec::new();
        let mut previous = None;
        for k in 1..bins {
            // ceil(k n / B) counted from one: the smallest value with at least that share at or below it.
            let rank = (k * n).div_ceil(bins);
            let Some(cut) = rank.checked_sub(1).and_then(&at) else {
                continue;
            };
            if previous == Some(cut) {
                cuts.push(cut.next_down());
            }
            previous = Some(cut);
            cuts.push(cut);
        }
        cuts.sort_by(f64::total_cmp);
        cuts.dedup();
        Self { cuts }
    }

    /// How many bins there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cuts.len() + 1
    }

    /// Never: there is always at least one bin.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// How many values of a sorted sample fall into each bin.
    #[must_use]
    pub fn count_sorted(&self, sample: &[f64]) -> Vec<u64> {
        self.count_by(sample.len() as u64, |cut| {
            sample.partition_point(|value| *value <= cut) as u64
        })
    }

    /// As [`Bins::count_sorted`] for `n` values of which it is known how many lie at or below a cut.
    pub(super) fn count_by(&self, n: u64, at_or_below: impl Fn(f64) -> u64) -> Vec<u64> {
        let mut counts = Vec::with_capacity(self.len());
        let mut below = 0;
        for cut in &self.cuts {
            let through = at_or_below(*cut);
            counts.push(through.saturating_sub(below));
            below = through;
        }
        counts.push(n.saturating_sub(below));
        counts
    }

    /// The upper bounds of all bins but the last, which has none.
    pub(super) fn cuts(&self) -> &[f64] {
        &self.cuts
    }
}

/// Pairs of counts over the bins that at least one sample occupies.
pub(super) fn occupied(reference: &[u64], current: &[u64]) -> Vec<(f64, f64)> {
    reference
        .iter()
        .zip(current)
        .filter(|(a, b)| **a + **b > 0)
        .map(|(a, b)| (*a as f64, *b as f64))
        .collect()
}

/// Population stability index of two histograms over the same bins: Σ (q - p) ln(q / p).
///
/// Bins that both samples leave empty are dropped; the shares are smoothed by half an observation per bin (Jeffreys'
/// prior), so an empty bin weighs what its sample size warrants instead of a constant. `None` when a sample is empty.
#[must_use]
pub fn population_stability_index(reference: &[u64], current: &[u64]) -> Option<f64> {
    let pairs = occupied(reference, current);
    let (n, m) = totals(&pairs)?;
    let half = pairs.len() as f64 / 2.0;
    Some(
        pairs
            .iter()
            .map(|(a, b)| {
                let p = (a + 0.5) / (n + half);
                let q = (b + 0.5) / (m + half);
                (q - p) * (q / p).ln()
            })
            .sum::<f64>()
            .max(0.0),
    )
}

/// Jensen-Shannon divergence in nats of two histograms over the same bins, without smoothing.
pub(super) fn jensen_shannon_divergence(reference: &[u64], current: &[u64]) -> Option<f64> {
    let pairs = occupied(reference, current);
    let (n, m) = totals(&pairs)?;
    let term = |share: f64, middle: f64| {
        if share > 0.0 {
            share * (share / middle).ln()
        } else {
            0.0
        }
    };
    Some(
        (pairs
            .iter()
            .map(|(a, b)| {
                let (p, q) = (a / n, b / m);
                let middle = f64::midpoint(p, q);
                term(p, middle) + term(q, middle)
            })
            .sum::<f64>()
            / 2.0)
            .max(0.0),
    )
}

/// Jensen-Shannon distance (base 2, between 0 and 1) of two histograms over the same bins.
///
/// `None` when a sample is empty.
#[must_use]
pub fn jensen_shannon_distance(reference: &[u64], current: &[u64]) -> Option<f64> {
    jensen_shannon_divergence(reference, current).map(distance)
}

/// From a divergence in nats to the distance in base 2.
pub(super) fn distance(divergence: f64) -> f64 {
    (divergence / std::f64::consts::LN_2)
        .max(0.0)
        .sqrt()
        .min(1.0)
}

fn totals(pairs: &[(f64, f64)]) -> Option<(f64, f64)> {
    let n: f64 = pairs.iter().map(|(a, _)| a).sum();
    let m: f64 = pairs.iter().map(|(_, b)| b).sum();
    (n > 0.0 && m > 0.0).then_some((n, m))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_bins_hold_equal_shares_and_are_open_ended() {
        let reference: Vec<f64> = (1..=100).map(f64::from).collect();
        let bins = Bins::from_sorted(&reference, 10);
        assert_eq!(bins.count_sorted(&reference), vec![10; 10]);
        let mut outside = vec![0; 10];
        outside[0] = 1;
        outside[9] = 2;
        assert_eq!(
            bins.count_sorted(&[f64::NEG_INFINITY, 1e300, f64::INFINITY]),
            outside
        );
    }

    #[test]
    fn a_constant_reference_tells_lower_from_higher() {
        let bins = Bins::from_sorted(&[5.0; 40], 10);
        assert_eq!(bins.len(), 3);
        assert_eq!(bins.count_sorted(&[4.9, 5.0, 5.0, 5.1]), vec![1, 2, 1]);
    }

    #[test]
    fn heavy_values_get_their_own_bin() {
        let mut reference = vec![0.0; 10];
        reference.extend(vec![1.0; 90]);
        let bins = Bins::from_sorted(&reference, 10);
        assert_eq!(bins.count_sorted(&reference), vec![10, 0, 90, 0]);
        assert_eq!(bins.count_sorted(&[0.0, 0.5, 1.0, 2.0]), vec![1, 1, 1, 1]);
    }

    #[test]
    fn tiny_and_empty_references_have_answers() {
        assert_eq!(Bins::from_sorted(&[], 10).count_sorted(&[1.0]), vec![1]);
        let one = Bins::from_sorted(&[7.0], 10);
        assert_eq!(one.count_sorted(&[6.0, 7.0, 8.0]), vec![1, 1, 1]);
        assert_eq!(population_stability_index(&[], &[]), None);
        assert_eq!(population_stability_index(&[0, 0], &[1, 2]), None);
        assert_eq!(jensen_shannon_distance(&[3], &[0]), None);
        assert_eq!(population_stability_index(&[3], &[5]), Some(0.0));
    }

    #[test]
    fn bins_empty_on_both_sides_do_not_matter() {
        let with = population_stability_index(&[1000, 0, 500], &[20, 0, 10]);
        let without = population_stability_index(&[1000, 500], &[20, 10]);
        assert_eq!(with, without);
    }

    #[test]
    fn disjoint_histograms_are_at_distance_one() {
        assert_eq!(jensen_shannon_distance(&[9, 0], &[0, 4]), Some(1.0));
        assert_eq!(jensen_shannon_distance(&[9, 3], &[18, 6]), Some(0.0));
    }
}
