//! Confidence intervals for a mean and for a proportion.

use super::error::StatisticsError;
use super::special::{normal_upper_quantile, t_two_sided_critical};
use super::stats_summary::{Estimator, StatsSummary};

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
}

/// A mean with its t-interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanInterval {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation over the square root of n.
    pub standard_error: f64,
    /// The interval.
    pub interval: Interval,
}

/// A proportion with its Wilson score interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProportionInterval {
    /// Successes over trials.
    pub proportion: f64,
    /// The interval.
    pub interval: Interval,
}

/// Refuses a confidence level outside (0, 1).
pub(crate) fn check_level(level: f64) -> Result<f64, StatisticsError> {
    if level > 0.0 && level < 1.0 {
        Ok(level)
    } else {
        Err(StatisticsError::Level(level))
    }
}

/// The `z` with probability `p` below it under the standard normal distribution.
///
/// # Errors
/// [`StatisticsError::Level`] unless `0 < p < 1`.
pub fn normal_quantile(p: f64) -> Result<f64, StatisticsError> {
    let p = check_level(p)?;
    Ok(if p < 0.5 {
        -normal_upper_quantile(p)
    } else {
        normal_upper_quantile(1.0 - p)
    })
}

/// The `z > 0` with probability `level` between `-z` and `z`.
///
/// # Errors
/// [`StatisticsError::Level`] unless `0 < level < 1`.
pub fn normal_critical(level: f64) -> Result<f64, StatisticsError> {
    Ok(normal_upper_quantile((1.0 - check_level(level)?) / 2.0))
}

/// The `t > 0` with probability `level` between `-t` and `t` under Student's t with `df` degrees of freedom.
///
/// # Errors
/// [`StatisticsError::Level`] unless `0 < level < 1`.
pub fn t_critical(level: f64, df: f64) -> Result<f64, StatisticsError> {
    Ok(t_two_sided_critical(check_level(level)?, df))
}

/// The t-interval of the mean: `mean ± t · s / √n` with n - 1 degrees of freedom, where n is the effective size of
/// weighted values.
///
/// `None` for fewer than two values; NaN bounds when NaN or an infinity is among them; a constant gives a point.
///
/// # Errors
/// [`StatisticsError::Level`] unless `0 < level < 1`.
pub fn mean_interval(
    summary: &StatsSummary,
    level: f64,
) -> Result<Option<MeanInterval>, StatisticsError> {
    mean_interval_by(summary, Estimator::Sample, level)
}

/// As [`mean_interval`], where the estimator says what n is; [`Estimator::Population`] means [`Estimator::Sample`].
///
/// # Errors
/// [`StatisticsError::Level`] unless `0 < level < 1`.
pub fn mean_interval_by(
    summary: &StatsSummary,
    estimator: Estimator,
    level: f64,
) -> Result<Option<MeanInterval>, StatisticsError> {
    let level = check_level(level)?;
    let estimator = match estimator {
        Estimator::Population => Estimator::Sample,
        other => other,
    };
    let (Some(mean), Some(variance)) = (summary.mean(), summary.variance(estimator)) else {
        return Ok(None);
    };
    let size = summary.size(estimator);
    let standard_error = (variance / size.value).sqrt();
    let margin = t_two_sided_critical(level, size.less_one) * standard_error;
    Ok(Some(MeanInterval {
        mean,
        standard_error,
        interval: Interval {
            lower: mean - margin,
            upper: mean + margin,
        },
    }))
}

/// Wilson's score interval for a proportion (1927), without continuity correction.
///
/// `None` for no trials. The bounds stay inside [0, 1]; none of n gives a lower bound of exactly 0, all of n an upper
/// bound of exactly 1.
///
/// # Errors
/// [`StatisticsError::Level`] unless `0 < level < 1`; [`StatisticsError::Successes`] unless
/// `0 <= successes <= trials`.
pub fn wilson_interval(
    successes: i64,
    trials: i64,
    level: f64,
) -> Result<Option<ProportionInterval>, StatisticsError> {
    let level = check_level(level)?;
    if successes < 0 || successes > trials {
        return Err(StatisticsError::Successes { successes, trials });
    }
    if trials == 0 {
        return Ok(None);
    }
    let (hits, n) = (successes as f64, trials as f64);
    let misses = (trials - successes) as f64;
    let z = normal_critical(level)?;
    let square = z * z;
    let spread = z * (hits * (misses / n) + square / 4.0).sqrt();
    // The lower bound as a quotient of positive terms, (hits + z²/2)² - spread² = hits² (1 + z²/n): the textbook
    // difference cancels for rare successes.
    let sum = hits + square / 2.0 + spread;
    let upper = if misses == 0.0 {
        1.0
    } else {
        (sum / (n + square)).min(1.0)
    };
    Ok(Some(ProportionInterval {
        proportion: hits / n,
        interval: Interval {
            lower: hits * (hits / n) / sum,
            upper,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_outside_the_open_unit_interval_are_refused() {
        for level in [0.0, 1.0, -0.1, 95.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                wilson_interval(1, 2, level),
                Err(StatisticsError::Level(_))
            ));
            assert!(mean_interval(&StatsSummary::default(), level).is_err());
            assert!(t_critical(level, 5.0).is_err());
            assert!(normal_quantile(level).is_err());
        }
    }

    #[test]
    fn wilson_ends_exactly_at_zero_and_one() {
        let none = wilson_interval(0, 10, 0.95).unwrap().unwrap();
        assert_eq!(none.interval.lower, 0.0);
        let all = wilson_interval(10, 10, 0.95).unwrap().unwrap();
        assert_eq!(all.interval.upper, 1.0);
        assert_eq!(wilson_interval(0, 0, 0.95).unwrap(), None);
        for (successes, trials) in [(-1, 5), (6, 5), (0, -1), (-2, -1)] {
            assert!(matches!(
                wilson_interval(successes, trials, 0.95),
                Err(StatisticsError::Successes { .. })
            ));
        }
        let huge = wilson_interval(i64::MAX, i64::MAX, 0.95).unwrap().unwrap();
        assert!(huge.interval.lower <= huge.interval.upper);
    }

    #[test]
    fn one_value_has_no_interval_and_a_constant_has_a_point() {
        let mut summary = StatsSummary::default();
        assert_eq!(mean_interval(&summary, 0.95).unwrap(), None);
        summary.push(4.0).unwrap();
        assert_eq!(mean_interval(&summary, 0.95).unwrap(), None);
        summary.push(4.0).unwrap();
        let point = mean_interval(&summary, 0.95).unwrap().unwrap();
        assert_eq!(
            point.interval,
            Interval {
                lower: 4.0,
                upper: 4.0
            }
        );
        summary.push(f64::NAN).unwrap();
        let unknown = mean_interval(&summary, 0.95).unwrap().unwrap();
        assert!(unknown.interval.lower.is_nan() && unknown.interval.upper.is_nan());
    }
}
