//! Tests that need only summaries or counts: Welch's t-test and the chi-square test of counts.

use super::error::StatisticsError;
use super::interval::{Interval, check_level, normal_critical};
use super::special::{chi_square_upper, hedges_correction, t_two_sided, t_two_sided_critical};
use super::stats_summary::{Estimator, StatsSummary};

/// What Welch's test says about two groups, always as the first minus the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WelchTest {
    /// The difference of the means.
    pub difference: f64,
    /// The confidence interval of the difference, by Student's t with [`WelchTest::df`].
    pub interval: Interval,
    /// The test statistic.
    pub t: f64,
    /// Welch and Satterthwaite's degrees of freedom.
    pub df: f64,
    /// The two-sided p-value.
    pub p_value: f64,
    /// Hedges' g: the difference in pooled standard deviations, corrected for small samples.
    pub effect_size: f64,
    /// The normal-theory interval of g (Hedges and Olkin 1985), an approximation for large samples.
    pub effect_interval: Interval,
}

/// Welch's two-sample t-test, which does not assume equal variances.
///
/// `None` when a group has fewer than two values or when neither group varies: there is nothing to judge a difference
/// by. NaN or an infinity in a group makes the results that depend on it NaN. The size of a weighted group is its effective
/// size; where both together have at most one degree of freedom, the effect size is NaN.
///
/// # Errors
/// [`StatisticsError::Level`] unless `0 < level < 1`.
pub fn welch_t_test(
    first: &StatsSummary,
    second: &StatsSummary,
    level: f64,
) -> Result<Option<WelchTest>, StatisticsError> {
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
    let margin = t_two_sided_critical(level, df) * standard_error;

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
    let effect_size = correction * difference / pooled;
    let effect_error =
        (1.0 / n_1 + 1.0 / n_2 + effect_size * effect_size / (2.0 * (n_1 + n_2))).sqrt();
    let effect_margin = normal_critical(level)? * effect_error;
    Ok(Some(WelchTest {
        difference,
        interval: Interval {
            lower: difference - margin,
            upper: difference + margin,
        },
        t,
        df,
        p_value: t_two_sided(t, df),
        effect_size,
        effect_interval: Interval {
            lower: effect_size - effect_margin,
            upper: effect_size + effect_margin,
        },
    }))
}

/// What Pearson's test says about observed counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquareTest {
    /// Pearson's statistic.
    pub statistic: f64,
    /// The number of categories less one.
    pub df: f64,
    /// The upper tail of the chi-square distribution.
    pub p_value: f64,
    /// The smallest expected count; below about 5 the p-value is a rough guide.
    pub smallest_expected: f64,
}

/// Pearson's chi-square test of observed counts against expected ones (equal shares when `expected` is `None`).
///
/// `expected` may be counts or weights of any scale: they are scaled to the observed total. `None` when nothing was
/// observed.
///
/// # Errors
/// [`StatisticsError`] for fewer than two categories, lists of different length, a negative count, or an expected value
/// that is not a positive finite number.
pub fn chi_square_counts(
    observed: &[i64],
    expected: Option<&[f64]>,
) -> Result<Option<ChiSquareTest>, StatisticsError> {
    if observed.len() < 2 {
        return Err(StatisticsError::TooFewCategories(observed.len()));
    }
    if let Some(&count) = observed.iter().find(|&&count| count < 0) {
        return Err(StatisticsError::NegativeCount(count));
    }
    let categories = observed.len() as f64;
    let uniform;
    let weights = match expected {
        Some(weights) => weights,
        None => {
            uniform = vec![1.0; observed.len()];
            &uniform
        }
    };
    if weights.len() != observed.len() {
        return Err(StatisticsError::Categories {
            observed: observed.len(),
            expected: weights.len(),
        });
    }
    if let Some(&bad) = weights.iter().find(|&&w| !(w > 0.0 && w.is_finite())) {
        return Err(StatisticsError::Expected(bad));
    }
    let total: f64 = observed.iter().map(|&count| count as f64).sum();
    if total == 0.0 {
        return Ok(None);
    }
    let weight_total: f64 = weights.iter().sum();
    if !weight_total.is_finite() {
        return Err(StatisticsError::Overflow("the sum of expected"));
    }
    let mut statistic = 0.0;
    let mut smallest_expected = f64::INFINITY;
    for (&count, &weight) in observed.iter().zip(weights) {
        let expected = weight / weight_total * total;
        let deviation = count as f64 - expected;
        statistic += deviation / expected * deviation;
        smallest_expected = smallest_expected.min(expected);
    }
    let df = categories - 1.0;
    Ok(Some(ChiSquareTest {
        statistic,
        df,
        p_value: chi_square_upper(statistic, df),
        smallest_expected,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(values: &[f64]) -> StatsSummary {
        StatsSummary::from_values(values.iter().copied()).unwrap()
    }

    #[test]
    fn groups_too_small_or_without_variation_have_no_test() {
        let two = summary(&[1.0, 2.0]);
        assert_eq!(welch_t_test(&summary(&[]), &two, 0.95).unwrap(), None);
        assert_eq!(welch_t_test(&two, &summary(&[1.0]), 0.95).unwrap(), None);
        let constant = summary(&[3.0, 3.0]);
        assert_eq!(welch_t_test(&constant, &constant, 0.95).unwrap(), None);
        let half = welch_t_test(&two, &constant, 0.95).unwrap().unwrap();
        assert_eq!(half.df, 1.0);
        assert!(welch_t_test(&two, &two, 1.0).is_err());
    }

    #[test]
    fn not_a_number_stays_visible() {
        let bad = summary(&[1.0, f64::NAN]);
        let test = welch_t_test(&bad, &summary(&[1.0, 2.0]), 0.95)
            .unwrap()
            .unwrap();
        assert!(test.p_value.is_nan() && test.effect_size.is_nan() && test.interval.lower.is_nan());
    }

    #[test]
    fn the_test_is_antisymmetric() {
        let (a, b) = (summary(&[1.0, 2.0, 4.0]), summary(&[2.0, 5.0, 9.0, 3.0]));
        let there = welch_t_test(&a, &b, 0.9).unwrap().unwrap();
        let back = welch_t_test(&b, &a, 0.9).unwrap().unwrap();
        assert_eq!(there.p_value, back.p_value);
        assert_eq!(there.difference, -back.difference);
        assert_eq!(there.effect_interval.lower, -back.effect_interval.upper);
    }

    #[test]
    fn wrong_counts_are_refused() {
        use StatisticsError as E;
        assert!(matches!(
            chi_square_counts(&[1], None),
            Err(E::TooFewCategories(1))
        ));
        assert!(matches!(
            chi_square_counts(&[1, -1], None),
            Err(E::NegativeCount(-1))
        ));
        assert!(matches!(
            chi_square_counts(&[1, 2], Some(&[1.0])),
            Err(E::Categories { .. })
        ));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                chi_square_counts(&[1, 2], Some(&[1.0, bad])),
                Err(E::Expected(_))
            ));
        }
        assert_eq!(chi_square_counts(&[0, 0], None).unwrap(), None);
    }

    #[test]
    fn weights_are_scaled_to_the_total() {
        let counts = chi_square_counts(&[30, 10], Some(&[20.0, 20.0])).unwrap();
        assert_eq!(counts, chi_square_counts(&[30, 10], None).unwrap());
        assert_eq!(
            counts,
            chi_square_counts(&[30, 10], Some(&[0.5, 0.5])).unwrap()
        );
    }
}
