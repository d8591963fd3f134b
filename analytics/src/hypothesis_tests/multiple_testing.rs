//! Many p-values at once: adjusted so that each can be held against the level by itself.

use crate::error::{Classify, ErrorKind};
use crate::progress::{Interrupted, Progress};

/// How often the loops ask whether to go on.
const POLL_EVERY: usize = 4096;

/// What is kept below the level, and under which assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjustment {
    /// Family-wise error, any dependence: `m p`.
    Bonferroni,
    /// Family-wise error, independent tests: `1 - (1 - p)^m`.
    Sidak,
    /// Family-wise error, any dependence, step-down; never worse than Bonferroni (Holm 1979).
    Holm,
    /// Family-wise error, independent or positively dependent tests, step-up (Hochberg 1988).
    Hochberg,
    /// Family-wise error under Hochberg's assumption, by closed testing with Simes' test (Hommel 1988).
    Hommel,
    /// False discovery rate, independent or positively dependent tests (Benjamini and Hochberg 1995).
    BenjaminiHochberg,
    /// False discovery rate, any dependence (Benjamini and Yekutieli 2001).
    BenjaminiYekutieli,
}

impl Adjustment {
    /// All of them, in the order in which messages name them.
    pub const ALL: [Self; 7] = [
        Self::Bonferroni,
        Self::Sidak,
        Self::Holm,
        Self::Hochberg,
        Self::Hommel,
        Self::BenjaminiHochberg,
        Self::BenjaminiYekutieli,
    ];

    /// The name that callers use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bonferroni => "bonferroni",
            Self::Sidak => "sidak",
            Self::Holm => "holm",
            Self::Hochberg => "hochberg",
            Self::Hommel => "hommel",
            Self::BenjaminiHochberg => "benjamini_hochberg",
            Self::BenjaminiYekutieli => "benjamini_yekutieli",
        }
    }

    /// The adjustment of this name.
    ///
    /// # Errors
    /// [`AdjustmentError::Method`] for any other name.
    pub fn named(name: &str) -> Result<Self, AdjustmentError> {
        Self::ALL
            .into_iter()
            .find(|method| method.name() == name)
            .ok_or_else(|| AdjustmentError::Method(name.to_owned()))
    }
}

/// Why p-values were not adjusted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AdjustmentError {
    /// No adjustment has this name.
    #[error(
        "method must be bonferroni, sidak, holm, hochberg, hommel, benjamini_hochberg or benjamini_yekutieli, not {0:?}"
    )]
    Method(String),
    /// Not a probability.
    #[error("p must contain probabilities between 0 and 1, not {0}")]
    Probability(f64),
    /// The caller asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Classify for AdjustmentError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Interrupted(_) => ErrorKind::Interrupted,
            Self::Method(_) | Self::Probability(_) => ErrorKind::InvalidParameter,
        }
    }
}

/// The adjusted p-values, each at the place of its own, in `O(m log m)`.
///
/// A place without a p-value (`None`) stays without and does not count among the m tests. Equal p-values get equal
/// adjusted ones; none is above 1.
///
/// # Errors
/// [`AdjustmentError::Probability`] for NaN or a number outside [0, 1]; [`AdjustmentError::Interrupted`].
pub fn adjust_p_values(
    p_values: &[Option<f64>],
    method: Adjustment,
    progress: &mut dyn Progress,
) -> Result<Vec<Option<f64>>, AdjustmentError> {
    let mut ascending: Vec<(f64, usize)> = Vec::with_capacity(p_values.len());
    for (place, p) in p_values.iter().enumerate() {
        let Some(p) = *p else { continue };
        if !(0.0..=1.0).contains(&p) {
            return Err(AdjustmentError::Probability(p));
        }
        ascending.push((p, place));
    }
    ascending.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    progress.poll()?;
    let sorted: Vec<f64> = ascending.iter().map(|&(p, _)| p).collect();
    let m = sorted.len() as f64;
    let adjusted = match method {
        Adjustment::Bonferroni => sorted.iter().map(|p| p * m).collect(),
        // Neither 1 - p nor its power is formed: tiny p-values keep their digits. Rounding must not take any away.
        Adjustment::Sidak => sorted
            .iter()
            .map(|p| p.max(-(m * (-p).ln_1p()).exp_m1()))
            .collect(),
        Adjustment::Holm => step_down(&sorted, |rank| m - rank + 1.0),
        Adjustment::Hochberg => step_up(&sorted, |rank| m - rank + 1.0),
        Adjustment::Hommel => hommel(&sorted, progress)?,
        Adjustment::BenjaminiHochberg => step_up(&sorted, |rank| m / rank),
        Adjustment::BenjaminiYekutieli => {
            let harmonic: f64 = (1..=sorted.len()).rev().map(|rank| 1.0 / rank as f64).sum();
            step_up(&sorted, |rank| harmonic * m / rank)
        }
    };
    progress.poll()?;
    let mut result = vec![None; p_values.len()];
    for (&(_, place), value) in ascending.iter().zip(adjusted) {
        if let Some(slot) = result.get_mut(place) {
            *slot = Some(value.min(1.0));
        }
    }
    Ok(result)
}

/// The largest `factor(rank) p` so far, from the smallest p-value on.
fn step_down(sorted: &[f64], factor: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut largest = 0.0_f64;
    sorted
        .iter()
        .zip(1..)
        .map(|(p, rank)| {
            largest = largest.max(p * factor(f64::from(rank)));
            largest
        })
        .collect()
}

/// The smallest `factor(rank) p` so far, from the largest p-value on.
fn step_up(sorted: &[f64], factor: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut smallest = 1.0_f64;
    let mut adjusted: Vec<f64> = sorted
        .iter()
        .enumerate()
        .rev()
        .map(|(index, p)| {
            smallest = smallest.min(p * factor((index + 1) as f64));
            smallest
        })
        .collect();
    adjusted.reverse();
    adjusted
}

/// Hommel's adjustment through Simes' p-values of the i largest p-values (Meijer, Krebs and Goeman, "Hommel's procedure
/// in linear time", 2019).
///
/// With `S(h)` the largest Simes p-value among the sets of at least h largest p-values, a hypothesis is rejected at α when
/// `h p <= α` for an h with `S(h + 1) <= α`. The adjusted p-value is thus the smallest over h of `max(S(h + 1), h p)`:
/// one falls with h, the other rises, and bisection finds where they cross.
fn hommel(sorted: &[f64], progress: &mut dyn Progress) -> Result<Vec<f64>, AdjustmentError> {
    let simes = simes_of_largest(sorted, progress)?;
    let count = sorted.len();
    // falling[h] is S(h + 1).
    let mut falling = vec![0.0; count + 1];
    let mut largest = 0.0_f64;
    for (slot, p) in falling.iter_mut().take(count).rev().zip(simes.iter().rev()) {
        largest = largest.max(*p);
        *slot = largest;
    }
    let bound = |h: usize| falling.get(h).copied().unwrap_or(0.0);
    let mut adjusted = Vec::with_capacity(count);
    for (index, &p) in sorted.iter().enumerate() {
        if index % POLL_EVERY == 0 {
            progress.poll()?;
        }
        // The first h whose rising side has reached the falling one; the best is that one or the one before.
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low.midpoint(high);
            if middle as f64 * p >= bound(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let at_crossing = low as f64 * p;
        let before = low.checked_sub(1).map_or(f64::INFINITY, bound);
        adjusted.push(at_crossing.max(bound(low)).min(before));
    }
    Ok(adjusted)
}

/// For i = 1, 2, …, m: Simes' p-value `min over j of i p(m - i + j) / j` of the i largest p-values.
///
/// `p(k) / (k - x)` is the slope from the point (x, 0) to (k, p(k)); the smallest is that of the tangent to the lower
/// convex hull of the points right of x. The hull grows to the left as x falls, and bisection finds the tangent.
fn simes_of_largest(
    sorted: &[f64],
    progress: &mut dyn Progress,
) -> Result<Vec<f64>, AdjustmentError> {
    let count = sorted.len();
    let slope = |from: (f64, f64), to: (f64, f64)| (to.1 - from.1) / (to.0 - from.0);
    // From right to left: the last element is the leftmost point, and slopes grow towards the front.
    let mut hull: Vec<(f64, f64)> = Vec::new();
    let mut simes = Vec::with_capacity(count);
    for (index, &p) in sorted.iter().enumerate().rev() {
        if index % POLL_EVERY == 0 {
            progress.poll()?;
        }
        let point = ((index + 1) as f64, p);
        while let [.., beyond, last] = hull.as_slice() {
            if slope(point, *last) < slope(*last, *beyond) {
                break;
            }
            hull.pop();
        }
        hull.push(point);
        let origin = (index as f64, 0.0);
        // From left to right the slopes from the origin fall to the tangent point and rise after it.
        let (mut low, mut high) = (0, hull.len() - 1);
        while low < high {
            let middle = low.midpoint(high);
            match (hull.get(middle), hull.get(middle + 1)) {
                (Some(&right), Some(&left)) if slope(origin, left) <= slope(origin, right) => {
                    low = middle + 1;
                }
                _ => high = middle,
            }
        }
        let tangent = hull.get(low).map_or(p, |&point| slope(origin, point));
        simes.push((count - index) as f64 * tangent);
    }
    Ok(simes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    fn adjust(p: &[f64], method: Adjustment) -> Vec<f64> {
        let p: Vec<_> = p.iter().copied().map(Some).collect();
        adjust_p_values(&p, method, &mut Uninterruptible)
            .unwrap()
            .into_iter()
            .map(Option::unwrap)
            .collect()
    }

    /// Hommel's adjustment by closed testing: the largest Simes p-value of all sets that contain the hypothesis.
    fn hommel_by_definition(p: &[f64]) -> Vec<f64> {
        let m = p.len();
        (0..m)
            .map(|i| {
                (1_u32..1 << m)
                    .filter(|set| set & (1 << i) != 0)
                    .map(|set| {
                        let mut members: Vec<f64> = (0..m)
                            .filter(|k| set & (1 << k) != 0)
                            .map(|k| p[k])
                            .collect();
                        members.sort_by(f64::total_cmp);
                        let size = members.len() as f64;
                        members
                            .iter()
                            .enumerate()
                            .map(|(j, p)| size * p / (j + 1) as f64)
                            .fold(f64::INFINITY, f64::min)
                    })
                    .fold(0.0, f64::max)
            })
            .collect()
    }

    #[test]
    fn hommel_is_the_closure_of_simes() {
        let mut state = 12345_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f64 / (1_u64 << 24) as f64
        };
        for size in 1..=9 {
            for round in 0..40 {
                let p: Vec<f64> = (0..size)
                    .map(|_| match round % 4 {
                        0 => next(),
                        1 => next().powi(8),
                        2 => (next() * 6.0).floor() / 6.0,
                        _ => 1.0 - next().powi(6),
                    })
                    .collect();
                for (found, expected) in adjust(&p, Adjustment::Hommel)
                    .iter()
                    .zip(hommel_by_definition(&p))
                {
                    assert!((found - expected).abs() <= 1e-13 * expected, "{p:?}");
                }
            }
        }
    }

    #[test]
    fn missing_p_values_stay_missing_and_do_not_count() {
        let p = [Some(0.01), None, Some(0.04), None];
        let found = adjust_p_values(&p, Adjustment::Bonferroni, &mut Uninterruptible).unwrap();
        assert_eq!(found, [Some(0.02), None, Some(0.08), None]);
        for method in Adjustment::ALL {
            assert_eq!(Adjustment::named(method.name()), Ok(method));
            assert!(adjust(&[], method).is_empty());
            assert_eq!(adjust(&[0.25], method), [0.25], "{}", method.name());
            assert_eq!(adjust(&[0.0, 0.0], method), [0.0, 0.0], "{}", method.name());
            assert_eq!(
                adjust(&[1.0, 1.0, 1.0], method),
                [1.0; 3],
                "{}",
                method.name()
            );
            let nothing = adjust_p_values(&[None, None], method, &mut Uninterruptible).unwrap();
            assert_eq!(nothing, [None, None]);
        }
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for bad in [-1e-9, 1.000_001, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                adjust_p_values(&[Some(bad)], Adjustment::Holm, &mut Uninterruptible),
                Err(AdjustmentError::Probability(_))
            ));
        }
        assert!(matches!(
            Adjustment::named("fdr"),
            Err(AdjustmentError::Method(_))
        ));
    }

    #[test]
    fn a_million_p_values_take_no_quadratic_time() {
        let p: Vec<f64> = (0..1_000_000_u64)
            .map(|i| ((i * 7919) % 1_000_003) as f64 / 1_000_003.0)
            .collect();
        for method in Adjustment::ALL {
            let adjusted = adjust(&p, method);
            assert!(adjusted.iter().zip(&p).all(|(adjusted, p)| adjusted >= p));
        }
    }
}
