//! Means compared by Student's t, from summaries alone.

use super::error::HypothesisError;
use super::outcome::{Alternative, Effect, Outcome};
use crate::statistics::interval::{check_level, normal_critical};
use crate::statistics::special::{hedges_correction, t_two_sided_critical};
use crate::statistics::{Estimator, Interval, StatsSummary};

/// A t-test with the difference in the unit of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanComparison {
    /// The test; the effect is Hedges' g.
    pub outcome: Outcome,
    /// The difference of the means, first minus second.
    pub difference: f64,
    /// Its confidence interval, with one end infinite for a one-sided alternative.
    pub interval: Interval,
}

/// The half width of the interval of a mean difference; below a level of 0.5 a one-sided bound lies on the other side.
fn margin(level: f64, df: f64, standard_error: f64, alternative: Alternative) -> f64 {
    let level = alternative.two_sided_level(level);
    if level == 0.0 {
        return 0.0;
    }
    (t_two_sided_critical(level.abs(), df) * standard_error).copysign(level)
}

/// Welch's two-sample t-test, which does not assume equal variances.
///
/// The effect is Hedges' g: the difference in pooled standard deviations, corrected for small samples, with the
/// normal-theory interval (Hedges and Olkin 1985), an approximation for large samples. `None` when a group has fewer than
/// two values or when neither group varies: there is nothing to judge a difference by. NaN or an infinity in a group
/// makes the results that depend on it NaN. The size of a weighted group is its effective size; where both together have
/// at most one degree of freedom, the effect size is NaN.
///
/// # Errors
/// A level that is not inside (0, 1).
pub fn welch_t_test(
    first: &StatsSummary,
    second: &StatsSummary,
    level: f64,
    alternative: Alternative,
) -> Result<Option<MeanComparison>, HypothesisError> {
    let level = check_level(level)?;
    let (Some(mean_1), Some(variance_1), Some(mean_2), Some(variance_2)) = (
        first.mean(),
        first.variance(Estimator::Sample),
        second.mean(),
        second.variance(Estimator::Sample),
    ) else {
        return Ok(None);
    };
    if variance_1 == 0.0 && variance_2 == 0.0 {
        return Ok(None);
    }
    let (size_1, size_2) = (
        first.size(Estimator::Sample),
        second.size(Estimator::Sample),
    );
    let (n_1, n_2) = (size_1.value, size_2.value);
    let difference = mean_1 - mean_2;
    let (part_1, part_2) = (variance_1 / n_1, variance_2 / n_2);
    let standard_error = (part_1 + part_2).sqrt();
    let t = difference / standard_error;
    // Shares instead of squares: part² may underflow where the shares do not.
    let share_1 = part_1 / (part_1 + part_2);
    let share_2 = part_2 / (part_1 + part_2);
    let df = 1.0 / (share_1 * share_1 / size_1.less_one + share_2 * share_2 / size_2.less_one);

    let pooled_df = size_1.less_one + size_2.less_one;
    let pooled = (size_1.less_one / pooled_df * variance_1
        + size_2.less_one / pooled_df * variance_2)
        .sqrt();
    // Only weighted groups can have an effective size so small that the correction does not exist.
    let correction = if pooled_df > 1.0 {
        hedges_correction(pooled_df)
    } else {
        f64::NAN
    };
    let size = correction * difference / pooled;
    let effect_error = (1.0 / n_1 + 1.0 / n_2 + size * size / (2.0 * (n_1 + n_2))).sqrt();
    Ok(Some(MeanComparison {
        outcome: Outcome {
            statistic: t,
            df: Some(df),
            p_value: alternative.of_t(t, df),
            effect: Some(hedges_g(size, effect_error, level)?),
            method: "welch",
            n: first.n().saturating_add(second.n()),
        },
        difference,
        interval: alternative.interval(difference, margin(level, df, standard_error, alternative)),
    }))
}

/// Student's t-test of paired values, from the summary of their differences.
///
/// The effect is Hedges' g of the differences: their mean in their own standard deviations, corrected for small samples,
/// with the normal-theory interval of variance `1/n + g²/(2n)`. `None` for fewer than two differences, or when they are
/// all equal.
///
/// # Errors
/// A level that is not inside (0, 1).
pub fn paired_t_test(
    differences: &StatsSummary,
    level: f64,
    alternative: Alternative,
) -> Result<Option<MeanComparison>, HypothesisError> {
    let level = check_level(level)?;
    let (Some(mean), Some(variance)) =
        (differences.mean(), differences.variance(Estimator::Sample))
    else {
        return Ok(None);
    };
    if variance == 0.0 {
        return Ok(None);
    }
    let effective = differences.size(Estimator::Sample);
    let (n, df) = (effective.value, effective.less_one);
    let standard_error = (variance / n).sqrt();
    let t = mean / standard_error;
    // The correction has no finite value for one degree of freedom: Γ(0).
    let size = if df > 1.0 {
        hedges_correction(df) * mean / variance.sqrt()
    } else {
        0.0
    };
    let effect_error = (1.0 / n + size * size / (2.0 * n)).sqrt();
    let effect = (df > 1.0)
        .then(|| hedges_g(size, effect_error, level))
        .transpose()?;
    Ok(Some(MeanComparison {
        outcome: Outcome {
            statistic: t,
            df: Some(df),
            p_value: alternative.of_t(t, df),
            effect,
            method: "paired",
            n: differences.n(),
        },
        difference: mean,
        interval: alternative.interval(mean, margin(level, df, standard_error, alternative)),
    }))
}

fn hedges_g(size: f64, standard_error: f64, level: f64) -> Result<Effect, HypothesisError> {
    let margin = normal_critical(level)? * standard_error;
    Ok(Effect {
        size,
        interval: Some(Interval {
            lower: size - margin,
            upper: size + margin,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(values: &[f64]) -> StatsSummary {
        StatsSummary::from_values(values.iter().copied()).unwrap()
    }

    fn welch(first: &StatsSummary, second: &StatsSummary) -> Option<MeanComparison> {
        welch_t_test(first, second, 0.95, Alternative::TwoSided).unwrap()
    }

    #[test]
    fn groups_too_small_or_without_variation_have_no_test() {
        let two = summary(&[1.0, 2.0]);
        assert_eq!(welch(&summary(&[]), &two), None);
        assert_eq!(welch(&two, &summary(&[1.0])), None);
        let constant = summary(&[3.0, 3.0]);
        assert_eq!(welch(&constant, &constant), None);
        assert_eq!(welch(&two, &constant).unwrap().outcome.df, Some(1.0));
        assert!(welch_t_test(&two, &two, 1.0, Alternative::Less).is_err());
        for none in [summary(&[]), summary(&[1.0]), constant] {
            let found = paired_t_test(&none, 0.95, Alternative::TwoSided).unwrap();
            assert_eq!(found, None);
        }
    }

    #[test]
    fn two_differences_have_a_test_and_no_effect_size() {
        let found = paired_t_test(&summary(&[1.0, 2.0]), 0.95, Alternative::TwoSided)
            .unwrap()
            .unwrap();
        assert_eq!(found.outcome.effect, None);
        assert!(found.outcome.p_value > 0.2);
    }

    #[test]
    fn not_a_number_stays_visible() {
        let test = welch(&summary(&[1.0, f64::NAN]), &summary(&[1.0, 2.0])).unwrap();
        assert!(test.outcome.p_value.is_nan() && test.interval.lower.is_nan());
        assert!(test.outcome.effect.unwrap().size.is_nan());
    }

    #[test]
    fn the_test_is_antisymmetric() {
        let (a, b) = (summary(&[1.0, 2.0, 4.0]), summary(&[2.0, 5.0, 9.0, 3.0]));
        let there = welch(&a, &b).unwrap();
        let back = welch(&b, &a).unwrap();
        assert_eq!(there.outcome.p_value, back.outcome.p_value);
        assert_eq!(there.difference, -back.difference);
        let (g, h) = (there.outcome.effect.unwrap(), back.outcome.effect.unwrap());
        assert_eq!(g.interval.unwrap().lower, -h.interval.unwrap().upper);
        let less = welch_t_test(&a, &b, 0.95, Alternative::Less)
            .unwrap()
            .unwrap();
        let greater = welch_t_test(&b, &a, 0.95, Alternative::Greater)
            .unwrap()
            .unwrap();
        assert_eq!(less.outcome.p_value, greater.outcome.p_value);
        assert_eq!(less.interval.upper, -greater.interval.lower);
        assert_eq!(less.interval.lower, f64::NEG_INFINITY);
    }

    #[test]
    fn a_low_one_sided_level_bounds_below_the_estimate() {
        let a = summary(&[1.0, 2.0, 4.0]);
        let at = |level| {
            paired_t_test(&a, level, Alternative::Less)
                .unwrap()
                .unwrap()
        };
        assert!(at(0.3).interval.upper < at(0.5).interval.upper);
        assert_eq!(at(0.5).interval.upper, at(0.5).difference);
    }
}
