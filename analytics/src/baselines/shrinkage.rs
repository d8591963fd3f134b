//! Empirical-Bayes shrinkage: small samples borrow from the group.

use super::predicted;
use crate::aggregation::Baseline;
use crate::statistics::special::t_two_sided_critical;

/// With fewer groups nothing can be said about how much groups differ.
pub const MIN_GROUPS: usize = 3;

/// The periods of one series, with their weights: the number of trials for rates, else 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// Level and weight of each period.
    pub periods: Vec<(f64, f64)>,
}

/// The shrunken baseline of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shrunken {
    /// Value and bounds.
    pub baseline: Baseline,
    /// The weight of the group mean against the own one: 0 own only, 1 group only.
    pub shrinkage: f64,
}

/// Shrinks the means of groups towards their common mean, by the method of moments.
///
/// A group j of n_j periods with weights w has the weighted mean y_j and the total weight W_j. The variance of a period of weight
/// 1 is pooled, `σ² = Σ w (x − y_j)² / Σ(n_j − 1)`, so that y_j has the variance v_j = σ²/W_j. The variance A of the
/// true means is DerSimonian and Laird's estimate (1986): with u_j = 1/v_j and Q = Σ u (y − Σuy/Σu)²,
/// `A = max(0, (Q − (J − 1)) / (Σu − Σu²/Σu))`. The common mean m weighs groups by 1/(A + v_j), and the baseline is
/// `B m + (1 − B) y_j` with `B = v_j / (A + v_j)` (Efron and Morris 1975). It is uncertain by
/// `(1 − B) v_j + B² / Σ 1/(A + v)`, to which a new period of the group's mean weight adds σ²/w; bounds take Student's t
/// with Σ(n_j − 1) degrees of freedom.
///
/// Answers come in the order of the groups; groups without a period of finite level and positive weight have `None`. With
/// fewer than [`MIN_GROUPS`] others, or without a degree of freedom, all have `None`. Without any spread within groups
/// there is no reason to shrink.
#[must_use]
pub fn shrunken(groups: &[Group]) -> Vec<Option<Shrunken>> {
    let summaries: Vec<Option<Summary>> = groups.iter().map(Summary::of).collect();
    let nothing = || vec![None; groups.len()];
    let known: Vec<Summary> = summaries.iter().copied().flatten().collect();
    let freedom: f64 = known.iter().map(|group| group.n - 1.0).sum();
    if known.len() < MIN_GROUPS || freedom < 1.0 {
        return nothing();
    }
    let unit = known.iter().map(|group| group.squares).sum::<f64>() / freedom;
    if !unit.is_finite() {
        return nothing();
    }
    let prior = Prior::of(&known, unit);
    summaries
        .iter()
        .map(|summary| {
            let group = (*summary)?;
            let own = unit / group.weight;
            let share = if unit > 0.0 {
                own / (prior.variance + own)
            } else {
                0.0
            };
            let value = share * prior.mean + (1.0 - share) * group.mean;
            let uncertain = (1.0 - share) * own + share.powi(2) * prior.mean_variance;
            let of_period = unit / (group.weight / group.n);
            let reach = t_two_sided_critical(super::CONFIDENCE, freedom)
                * (of_period + uncertain).max(0.0).sqrt();
            let baseline = Baseline {
                lower: value - reach,
                upper: value + reach,
                ..predicted(value, of_period.sqrt(), group.n, freedom, group.n as usize)
            };
            (baseline.lower.is_finite() && baseline.upper.is_finite()).then_some(Shrunken {
                baseline,
                shrinkage: share,
            })
        })
        .collect()
}

#[derive(Debug, Clone, Copy)]
struct Summary {
    n: f64,
    weight: f64,
    mean: f64,
    squares: f64,
}

impl Summary {
    fn of(group: &Group) -> Option<Self> {
        let usable = || {
            group
                .periods
                .iter()
                .filter(|(level, weight)| level.is_finite() && weight.is_finite() && *weight > 0.0)
        };
        let weight: f64 = usable().map(|(_, w)| w).sum();
        let mean = usable().map(|(x, w)| x * w).sum::<f64>() / weight;
        let squares = usable().map(|(x, w)| w * (x - mean).powi(2)).sum();
        mean.is_finite().then_some(Self {
            n: usable().count() as f64,
            weight,
            mean,
            squares,
        })
    }
}

/// What the groups have in common.
struct Prior {
    mean: f64,
    variance: f64,
    mean_variance: f64,
}

impl Prior {
    fn of(groups: &[Summary], unit: f64) -> Self {
        // Weights relative to σ², so that groups without spread divide by nothing.
        let whole: f64 = groups.iter().map(|g| g.weight).sum();
        let squared: f64 = groups.iter().map(|g| g.weight * g.weight).sum();
        let fixed = groups.iter().map(|g| g.weight * g.mean).sum::<f64>() / whole;
        let q: f64 = groups
            .iter()
            .map(|g| g.weight * (g.mean - fixed).powi(2))
            .sum();
        let excess = q - (groups.len() as f64 - 1.0) * unit;
        let variance = (excess / (whole - squared / whole)).max(0.0);
        let total = |g: &Summary| variance + unit / g.weight;
        let precision: f64 = groups.iter().map(|g| 1.0 / total(g)).sum();
        if !precision.is_finite() {
            return Self {
                mean: fixed,
                variance,
                mean_variance: 0.0,
            };
        }
        Self {
            mean: groups.iter().map(|g| g.mean / total(g)).sum::<f64>() / precision,
            variance,
            mean_variance: 1.0 / precision,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(levels: &[f64]) -> Group {
        Group {
            periods: levels.iter().map(|&level| (level, 1.0)).collect(),
        }
    }

    #[test]
    fn small_groups_are_shrunk_more() {
        let found = shrunken(&[
            group(&[10.0, 12.0, 11.0, 9.0, 10.5, 11.5, 10.0, 11.0]),
            group(&[14.0, 16.0, 15.0, 15.5, 14.5, 15.0, 16.5, 13.5]),
            group(&[30.0, 32.0]),
        ]);
        let shares: Vec<f64> = found.iter().map(|f| f.unwrap().shrinkage).collect();
        assert!(shares[2] > shares[0] && shares[0] > 0.0, "{shares:?}");
        let last = found[2].unwrap().baseline;
        assert!(last.value < 31.0 && last.lower < last.value);
    }

    #[test]
    fn groups_that_do_not_differ_get_the_common_mean() {
        let found = shrunken(&[group(&[1.0, 9.0]), group(&[2.0, 8.0]), group(&[9.0, 1.0])]);
        for answer in found {
            let answer = answer.unwrap();
            assert_eq!(answer.shrinkage, 1.0);
            assert!((answer.baseline.value - 5.0).abs() < 1e-12);
        }
    }

    #[test]
    fn too_few_groups_and_no_spread() {
        assert_eq!(
            shrunken(&[group(&[1.0, 2.0]), group(&[3.0, 4.0])]),
            vec![None, None]
        );
        assert_eq!(shrunken(&vec![group(&[1.0]); 3]), vec![None; 3]);
        let constant = shrunken(&[group(&[1.0; 3]), group(&[2.0; 3]), group(&[4.0; 3])]);
        let last = constant[2].unwrap();
        assert_eq!((last.baseline.value, last.shrinkage), (4.0, 0.0));
        let found = shrunken(&[
            group(&[1.0, 2.0]),
            group(&[]),
            group(&[f64::NAN]),
            group(&[3.0, 4.0]),
            group(&[5.0, 6.5]),
        ]);
        assert!(found[0].is_some() && found[1].is_none() && found[2].is_none());
    }
}
