//! Several groups at once: do their means differ (analysis of variance), do their spreads (Levene)?

use super::error::{HypothesisError, finite, named, sorted};
use super::noncentral::f_noncentrality;
use super::outcome::{Effect, Outcome};
use crate::progress::Progress;
use crate::statistics::interval::check_level;
use crate::statistics::special::f_upper;
use crate::statistics::{Estimator, Interval, StatsSummary};

/// How the spreads of the groups enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnovaMethod {
    /// One variance for all groups.
    Classic,
    /// A variance for each group (Welch 1951).
    Welch,
}

impl AnovaMethod {
    /// The method of this name.
    ///
    /// # Errors
    /// [`HypothesisError::Word`] for any other name.
    pub fn named(name: &str) -> Result<Self, HypothesisError> {
        let choices = [("classic", Self::Classic), ("welch", Self::Welch)];
        named("method", "classic or welch", &choices, name)
    }
}

/// From where Levene's test measures deviations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Center {
    /// The median of the group (Brown and Forsythe 1974): robust, the default.
    Median,
    /// The mean of the group (Levene 1960).
    Mean,
    /// The mean of the group without this share at each end.
    Trimmed(f64),
}

impl Center {
    /// The centre of this name.
    ///
    /// # Errors
    /// [`HypothesisError::Word`] for any other name; [`HypothesisError::Trim`] unless `0 <= trim < 0.5`.
    pub fn named(name: &str, trim: f64) -> Result<Self, HypothesisError> {
        let trim = check_trim(trim)?;
        named(
            "center",
            "median, mean or trimmed",
            &[
                ("median", Self::Median),
                ("mean", Self::Mean),
                ("trimmed", Self::Trimmed(trim)),
            ],
            name,
        )
    }
}

/// Refuses a share that would leave nothing.
pub(super) fn check_trim(trim: f64) -> Result<f64, HypothesisError> {
    if (0.0..0.5).contains(&trim) {
        Ok(trim)
    } else {
        Err(HypothesisError::Trim(trim))
    }
}

/// A test by F, which has two degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarianceTest {
    /// The test; `df` is that between the groups, the effect is η².
    pub outcome: Outcome,
    /// The degrees of freedom within the groups.
    pub df_within: f64,
    /// ω², η² without most of its bias; negative estimates are 0.
    pub omega_squared: f64,
}

fn f_test(
    statistic: f64,
    between: f64,
    within: f64,
    n: u64,
    method: &'static str,
    level: f64,
) -> VarianceTest {
    let explained = statistic * between;
    let eta_squared = if explained.is_infinite() {
        1.0
    } else {
        explained / (explained + within)
    };
    let total = between + within + 1.0;
    let interval = (statistic.is_finite() && within > 0.0).then(|| {
        let bounds = f_noncentrality(statistic, between, within, level);
        Interval {
            lower: bounds.lower / (bounds.lower + total),
            upper: bounds.upper / (bounds.upper + total),
        }
    });
    let omega_squared = if statistic.is_infinite() {
        1.0
    } else {
        (between * (statistic - 1.0) / (between * (statistic - 1.0) + total)).max(0.0)
    };
    VarianceTest {
        outcome: Outcome {
            statistic,
            df: Some(between),
            p_value: f_upper(statistic, between, within),
            effect: Some(Effect {
                size: eta_squared,
                interval,
            }),
            method,
            n,
        },
        df_within: within,
        omega_squared,
    }
}

/// One-way analysis of variance over the summaries of the groups.
///
/// Groups without values are left out. Welch's form needs two values in each of the others and gives the fractional
/// degrees of freedom within. The effect is η² (for Welch's form the one that belongs to its F), with the interval through
/// the noncentral F distribution: `λ / (λ + df + df_within + 1)`. `None` for fewer than two groups, when no group has
/// two values, for Welch's form when one has not, or when nothing varies within.
///
/// # Errors
/// A level that is not inside (0, 1); an overflow of the sums.
pub fn anova_test(
    groups: &[StatsSummary],
    method: AnovaMethod,
    level: f64,
    progress: &mut dyn Progress,
) -> Result<Option<VarianceTest>, HypothesisError> {
    let level = check_level(level)?;
    let mut means = Vec::with_capacity(groups.len());
    let (mut all, mut smallest) = (0_u64, u64::MAX);
    for group in groups {
        progress.poll()?;
        let Some(mean) = group.mean() else { continue };
        all = all.saturating_add(group.n());
        smallest = smallest.min(group.n());
        // One value has no variance of its own and adds nothing to that within.
        let variance = group.variance(Estimator::Sample).unwrap_or(0.0);
        let size = group.size(Estimator::Sample).value;
        means.push((size, mean, variance));
    }
    let k = means.len() as f64;
    if means.len() < 2 || all <= means.len() as u64 {
        return Ok(None);
    }
    let n: f64 = means.iter().map(|(size, _, _)| size).sum();
    let found = match method {
        AnovaMethod::Classic => {
            // Deviations from the first mean keep the digits of values on an offset.
            let origin = means.first().map_or(0.0, |first| first.1);
            let grand = means
                .iter()
                .map(|(n, mean, _)| n * (mean - origin))
                .sum::<f64>()
                / n;
            let between: f64 = means
                .iter()
                .map(|(n, mean, _)| n * (mean - origin - grand).powi(2))
                .sum();
            let within: f64 = means
                .iter()
                .map(|(n, _, variance)| (n - 1.0) * variance)
                .sum();
            if within == 0.0 {
                return Ok(None);
            }
            let statistic = between / (k - 1.0) / (within / (n - k));
            f_test(statistic, k - 1.0, n - k, all, "classic", level)
        }
        AnovaMethod::Welch => {
            if smallest < 2 || means.iter().any(|(_, _, variance)| *variance == 0.0) {
                return Ok(None);
            }
            // Deviations from the mean that counts most: from a distant one they would lose the digits that count.
            let origin = means
                .iter()
                .max_by(|a, b| (a.0 / a.2).total_cmp(&(b.0 / b.2)))
                .map_or(0.0, |most| most.1);
            let weight: f64 = means.iter().map(|(n, _, variance)| n / variance).sum();
            let share = |n: f64, variance: f64| n / variance / weight;
            let grand: f64 = means
                .iter()
                .map(|&(n, mean, variance)| share(n, variance) * (mean - origin))
                .sum();
            let between: f64 = means
                .iter()
                .map(|(n, mean, variance)| n / variance * (mean - origin - grand).powi(2))
                .sum();
            let lambda = means
                .iter()
                .map(|&(n, _, variance)| (1.0 - share(n, variance)).powi(2) / (n - 1.0))
                .sum::<f64>()
                / (k * k - 1.0);
            let statistic = between / (k - 1.0) / (1.0 + 2.0 * (k - 2.0) * lambda);
            f_test(
                statistic,
                k - 1.0,
                1.0 / (3.0 * lambda),
                all,
                "welch",
                level,
            )
        }
    };
    Ok(Some(found))
}

/// Levene's test of equal spread: the analysis of variance of the distances from the centre of each group.
///
/// The effect is η² of those distances. `None` for fewer than two groups, or when no distance differs from its group's
/// mean distance.
///
/// # Errors
/// [`HypothesisError::NotFinite`] for NaN or an infinity; a level that is not inside (0, 1); an overflow;
/// [`HypothesisError::Interrupted`].
pub fn levene_test(
    groups: &[Vec<f64>],
    center: Center,
    level: f64,
    progress: &mut dyn Progress,
) -> Result<Option<VarianceTest>, HypothesisError> {
    let method = match center {
        Center::Median => "median",
        Center::Mean => "mean",
        Center::Trimmed(_) => "trimmed",
    };
    let mut distances = Vec::with_capacity(groups.len());
    for group in groups.iter().filter(|group| !group.is_empty()) {
        progress.poll()?;
        finite(group, "sample")?;
        let ordered = sorted(group, "sample")?;
        let middle = match center {
            Center::Median => median(&ordered),
            Center::Mean => mean(&ordered)?,
            Center::Trimmed(trim) => mean(trimmed(&ordered, trim))?,
        };
        let spread = ordered.iter().map(|value| (value - middle).abs());
        distances.push(StatsSummary::from_values(spread)?);
    }
    let found = anova_test(&distances, AnovaMethod::Classic, level, progress)?;
    Ok(found.map(|mut found| {
        found.outcome.method = method;
        found
    }))
}

/// The mean, summed without loss.
pub(super) fn mean(values: &[f64]) -> Result<f64, HypothesisError> {
    let summary = StatsSummary::from_values(values.iter().copied())?;
    Ok(summary.mean().unwrap_or(f64::NAN))
}

/// The middle of sorted values, or between the two middle ones.
pub(super) fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 {
        at(half)
    } else {
        at(half.wrapping_sub(1)).midpoint(at(half))
    }
}

/// Sorted values without the share `trim` (rounded down to whole values) at each end.
pub(super) fn trimmed(sorted: &[f64], trim: f64) -> &[f64] {
    let cut = (trim * sorted.len() as f64) as usize;
    sorted.get(cut..sorted.len() - cut).unwrap_or(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    fn summaries(groups: &[&[f64]]) -> Vec<StatsSummary> {
        groups
            .iter()
            .map(|group| StatsSummary::from_values(group.iter().copied()).unwrap())
            .collect()
    }

    fn anova(groups: &[&[f64]], method: AnovaMethod) -> Option<VarianceTest> {
        anova_test(&summaries(groups), method, 0.95, &mut Uninterruptible).unwrap()
    }

    #[test]
    fn groups_that_cannot_be_compared() {
        use AnovaMethod::{Classic, Welch};
        assert_eq!(anova(&[], Classic), None);
        assert_eq!(anova(&[&[1.0, 2.0]], Classic), None);
        assert_eq!(anova(&[&[1.0], &[2.0]], Classic), None);
        assert_eq!(anova(&[&[1.0, 1.0], &[2.0, 2.0]], Classic), None);
        assert_eq!(anova(&[&[1.0, 2.0], &[2.0, 2.0]], Welch), None);
        assert_eq!(anova(&[&[1.0, 2.0], &[2.0]], Welch), None);
        let with_empty = anova(&[&[1.0, 2.0], &[], &[2.0, 5.0]], Welch);
        assert_eq!(with_empty, anova(&[&[1.0, 2.0], &[2.0, 5.0]], Welch));
        let single = anova(&[&[1.0, 2.0, 4.0], &[9.0]], Classic).unwrap();
        assert_eq!((single.outcome.df, single.df_within), (Some(1.0), 2.0));
        let equal = anova(&[&[1.0, 2.0], &[2.0, 1.0]], Classic).unwrap();
        assert_eq!((equal.outcome.statistic, equal.outcome.p_value), (0.0, 1.0));
        assert_eq!(equal.omega_squared, 0.0);
        assert_eq!(equal.outcome.effect.unwrap().interval.unwrap().lower, 0.0);
    }

    #[test]
    fn spreads_that_cannot_be_compared() {
        let levene =
            |groups: &[Vec<f64>]| levene_test(groups, Center::Median, 0.95, &mut Uninterruptible);
        assert_eq!(levene(&[vec![1.0, 2.0]]).unwrap(), None);
        assert_eq!(levene(&[vec![1.0, 1.0], vec![5.0, 5.0]]).unwrap(), None);
        assert!(matches!(
            levene(&[vec![f64::INFINITY], vec![1.0]]),
            Err(HypothesisError::NotFinite { .. })
        ));
        assert!(Center::named("median", 0.5).is_err());
        assert!(Center::named("mode", 0.1).is_err());
    }
}
