//! Two proportions compared by the normal approximation.

use super::error::HypothesisError;
use super::outcome::{Alternative, Effect, Outcome};
use crate::statistics::interval::normal_critical;
use crate::statistics::{Interval, wilson_interval};

/// A test of two proportions with their difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProportionComparison {
    /// The test; the effect is Cohen's h.
    pub outcome: Outcome,
    /// The first proportion less the second.
    pub difference: f64,
    /// Newcombe's hybrid score interval of the difference (1998, method 10), two-sided.
    pub interval: Interval,
}

/// The z-test of two proportions with the pooled standard error.
///
/// The effect is Cohen's h, `2 asin √p₁ - 2 asin √p₂`, whose variance is `1/n₁ + 1/n₂` whatever the proportions. `None`
/// when a group has no trials, or when all trials of both succeed or all fail: nothing varies.
///
/// # Errors
/// A level that is not inside (0, 1); [`HypothesisError::Successes`] unless `0 <= successes <= trials`.
pub fn z_test_proportions(
    (first_successes, first_trials): (i64, i64),
    (second_successes, second_trials): (i64, i64),
    level: f64,
    alternative: Alternative,
) -> Result<Option<ProportionComparison>, HypothesisError> {
    let z_critical = normal_critical(level)?;
    let (Some(first), Some(second)) = (
        wilson_interval(first_successes, first_trials, level)?,
        wilson_interval(second_successes, second_trials, level)?,
    ) else {
        return Ok(None);
    };
    let (n_1, n_2) = (first_trials as f64, second_trials as f64);
    let (hits_1, hits_2) = (first_successes as f64, second_successes as f64);
    let (misses_1, misses_2) = (
        (first_trials - first_successes) as f64,
        (second_trials - second_successes) as f64,
    );
    let (hits, misses) = (hits_1 + hits_2, misses_1 + misses_2);
    if hits == 0.0 || misses == 0.0 {
        return Ok(None);
    }
    // p₁ - p₂ over the common denominator: equal proportions differ by exactly 0.
    let difference = (hits_1 * misses_2 - hits_2 * misses_1) / n_1 / n_2;
    let pooled = hits / (n_1 + n_2) * (misses / (n_1 + n_2));
    let z = difference / (pooled * (1.0 / n_1 + 1.0 / n_2)).sqrt();

    let angle = |hits: f64, misses: f64| 2.0 * hits.sqrt().atan2(misses.sqrt());
    let size = angle(hits_1, misses_1) - angle(hits_2, misses_2);
    let margin = z_critical * (1.0 / n_1 + 1.0 / n_2).sqrt();
    let below =
        (first.proportion - first.interval.lower).hypot(second.interval.upper - second.proportion);
    let above =
        (first.interval.upper - first.proportion).hypot(second.proportion - second.interval.lower);
    Ok(Some(ProportionComparison {
        outcome: Outcome {
            statistic: z,
            df: None,
            p_value: alternative.of_normal(z),
            effect: Some(Effect {
                size,
                interval: Some(Interval {
                    lower: size - margin,
                    upper: size + margin,
                }),
            }),
            method: "pooled",
            n: first_trials
                .unsigned_abs()
                .saturating_add(second_trials.unsigned_abs()),
        },
        difference,
        interval: Interval {
            lower: difference - below,
            upper: difference + above,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_vary_has_no_test() {
        let test = |a, b| z_test_proportions(a, b, 0.95, Alternative::TwoSided);
        for (a, b) in [((0, 0), (1, 2)), ((0, 5), (0, 9)), ((5, 5), (9, 9))] {
            assert_eq!(test(a, b).unwrap(), None);
        }
        assert!(test((3, 2), (1, 2)).is_err());
        assert!(test((1, 2), (-1, 2)).is_err());
        let same = test((1, 3), (3, 9)).unwrap().unwrap();
        assert_eq!((same.difference, same.outcome.p_value), (0.0, 1.0));
        let apart = test((5, 5), (0, 5)).unwrap().unwrap();
        assert_eq!(apart.interval.upper, 1.0);
        let huge = test((i64::MAX, i64::MAX), (1, i64::MAX)).unwrap().unwrap();
        assert!(huge.outcome.p_value >= 0.0 && huge.difference <= 1.0);
    }
}
