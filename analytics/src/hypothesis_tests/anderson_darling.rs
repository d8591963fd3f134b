//! The test of Anderson and Darling: does a sample come from a distribution? It looks at the tails more closely than that
//! of Kolmogorov and Smirnov.

use std::f64::consts::PI;

use super::distributions::{Distribution, Family};
use super::error::{HypothesisError, finite, sorted};
use super::outcome::Outcome;
use crate::progress::Progress;
use crate::statistics::{Estimator, StatsSummary};

const POLL_EVERY: usize = 4096;

/// The test against a distribution of this family: with these parameters, or with those that fit the sample.
///
/// `method` is `known` with given parameters: the p-value is the limiting distribution's (Smirnov's integral) with
/// Marsaglia and Marsaglia's (2004) correction for n. It is `estimated` without: for `normal` (mean and sample standard
/// deviation) and `exponential` (mean) the p-values of D'Agostino and Stephens (1986, tables 4.9 and 4.14), which are
/// approximations to about two digits, made for n from 8 on; below 5 · 10⁻³¹ they are 0. There is no customary effect
/// size. `None` for an empty sample and, with estimated parameters, for fewer than two values or a constant.
///
/// # Errors
/// [`HypothesisError::NotFinite`] for NaN or an infinity; [`HypothesisError::Parameters`];
/// [`HypothesisError::NeedsParameters`] for other families; [`HypothesisError::OutsideSupport`] for a negative value where
/// an exponential mean is estimated; [`HypothesisError::Interrupted`].
pub fn anderson_darling_test(
    sample: &[f64],
    family: Family,
    parameters: Option<&[f64]>,
    progress: &mut dyn Progress,
) -> Result<Option<Outcome>, HypothesisError> {
    let known = parameters
        .map(|given| family.with(Some(given)))
        .transpose()?;
    if known.is_none() && !matches!(family, Family::Normal | Family::Exponential) {
        return Err(HypothesisError::NeedsParameters(family.signature().0));
    }
    finite(sample, "sample")?;
    let sample = sorted(sample, "sample")?;
    progress.poll()?;
    if sample.is_empty() {
        return Ok(None);
    }
    let Some(distribution) = known.map_or_else(|| fit(&sample, family), |known| Ok(Some(known)))?
    else {
        return Ok(None);
    };
    let statistic = statistic(&sample, &distribution, progress)?;
    let n = sample.len() as f64;
    let (p_value, method) = if known.is_some() {
        (known_upper(n, statistic), "known")
    } else if family == Family::Normal {
        let adjusted = statistic * (1.0 + 0.75 / n + 2.25 / (n * n));
        (normal_p_value(adjusted), "estimated")
    } else {
        (
            exponential_p_value(statistic * (1.0 + 0.6 / n)),
            "estimated",
        )
    };
    Ok(Some(Outcome {
        statistic,
        df: None,
        p_value,
        effect: None,
        method,
        n: sample.len() as u64,
    }))
}

fn fit(sample: &[f64], family: Family) -> Result<Option<Distribution>, HypothesisError> {
    let summary = StatsSummary::from_values(sample.iter().copied())?;
    let (Some(mean), Some(deviation)) = (summary.mean(), summary.stddev(Estimator::Sample)) else {
        return Ok(None);
    };
    if deviation == 0.0 {
        return Ok(None);
    }
    if family == Family::Normal {
        return Ok(Some(Distribution::Normal { mean, deviation }));
    }
    match sample.first() {
        Some(&found) if found < 0.0 => Err(HypothesisError::OutsideSupport {
            distribution: "exponential",
            found,
        }),
        _ => Ok(Some(Distribution::Exponential { mean })),
    }
}

/// `A² = -n - Σ (2i - 1)/n (ln F(x_i) + ln (1 - F(x_{n+1-i})))`.
fn statistic(
    sorted: &[f64],
    distribution: &Distribution,
    progress: &mut dyn Progress,
) -> Result<f64, HypothesisError> {
    let n = sorted.len() as f64;
    let mut sum = 0.0;
    for (index, (&low, &high)) in sorted.iter().zip(sorted.iter().rev()).enumerate() {
        let below = distribution.tails(low).0.ln();
        let above = distribution.tails(high).1.ln();
        sum += (2 * index + 1) as f64 / n * (below + above);
        if index % POLL_EVERY == 0 {
            progress.poll()?;
        }
    }
    Ok(-n - sum)
}

/// With known parameters: the limit, corrected for n.
fn known_upper(n: f64, statistic: f64) -> f64 {
    let upper = limit_upper(statistic);
    let correction = if upper < 0.01 {
        // The fit of the correction ends where tails begin; from there it stays in proportion.
        correction(n, 0.99) * (upper / 0.01)
    } else {
        correction(n, 1.0 - upper)
    };
    (upper - correction).clamp(0.0, 1.0)
}

/// `P(A² >= x)` for n → ∞.
///
/// A² is `Σ Z_j² / (j (j + 1))`, and Smirnov's formula gives the upper tail of such a sum as alternating integrals of
/// `e^(-ux/2) / (u √|D(u)|)` between the zeros of `D(u) = Π (1 - u / (j (j + 1))) = sin(πa) / (πu)` with `u = a (a + 1)`.
/// In a, the integrals run from 1 to 2, 3 to 4, …; the square roots at their ends make each a Gauss-Chebyshev sum. The
/// first term rules the tail, which therefore has full relative accuracy.
#[must_use]
pub fn limit_upper(x: f64) -> f64 {
    const NODES: u32 = 256;
    if x.is_nan() {
        return f64::NAN;
    }
    if x < 0.03 {
        // P(A² < 0.03) is below 10⁻¹⁶.
        return 1.0;
    }
    let mut sum = 0.0;
    for interval in 1..400_u32 {
        let start = f64::from(2 * interval - 1);
        let mut integral = 0.0;
        for node in 0..NODES {
            let angle = PI * (f64::from(node) + 0.5) / f64::from(NODES);
            // The distances from both ends, neither by subtraction.
            let from_start = (angle / 2.0).sin().powi(2);
            let to_end = (angle / 2.0).cos().powi(2);
            let a = start + from_start;
            let u = a * (a + 1.0);
            // |sin πa| from the nearer end.
            let sine = (PI * from_start.min(to_end)).sin();
            let smooth = (from_start * to_end / sine).sqrt();
            integral += (-u * x / 2.0).exp() * (2.0 * a + 1.0) / u * (PI * u).sqrt() * smooth;
        }
        let term = integral / f64::from(NODES);
        sum += if interval % 2 == 1 { term } else { -term };
        if term <= 1e-18 * sum {
            break;
        }
    }
    sum.clamp(0.0, 1.0)
}

/// What n adds to the limiting distribution function at the value `x` of the latter (Marsaglia and Marsaglia 2004).
fn correction(n: f64, x: f64) -> f64 {
    if x > 0.8 {
        let polynomial = -130.2137
            + (745.2337 - (1705.091 - (1950.646 - (1116.360 - 255.7844 * x) * x) * x) * x) * x;
        return polynomial / n;
    }
    let c = 0.01265 + 0.1757 / n;
    if x < c {
        let t = x / c;
        let shape = t.sqrt() * (1.0 - t) * (49.0 * t - 102.0);
        return shape * (0.0037 / (n * n) + 0.00078 / n + 0.00006) / n;
    }
    let t = (x - c) / (0.8 - c);
    let shape =
        -0.000_226_33 + (6.54034 - (14.6538 - (14.458 - (8.259 - 1.91864 * t) * t) * t) * t) * t;
    shape * (0.04213 + 0.01365 / n) / n
}

/// D'Agostino and Stephens, table 4.9.
fn normal_p_value(a: f64) -> f64 {
    if a < 0.2 {
        -(-13.436 + 101.14 * a - 223.73 * a * a).exp_m1()
    } else if a < 0.34 {
        -(-8.318 + 42.796 * a - 59.938 * a * a).exp_m1()
    } else if a < 0.6 {
        (0.9177 - 4.279 * a - 1.38 * a * a).exp()
    } else if a <= 13.0 {
        (1.2937 - 5.709 * a + 0.0186 * a * a).exp()
    } else {
        0.0
    }
}

/// D'Agostino and Stephens, table 4.14.
fn exponential_p_value(a: f64) -> f64 {
    if a < 0.26 {
        -(-12.2204 + 67.459 * a - 110.3 * a * a).exp_m1()
    } else if a < 0.51 {
        -(-6.1327 + 20.218 * a - 18.663 * a * a).exp_m1()
    } else if a < 0.95 {
        (0.9209 - 3.353 * a + 0.3 * a * a).exp()
    } else if a <= 10.03 {
        // The parabola turns at its vertex.
        (0.731 - 3.009 * a + 0.15 * a * a).exp()
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    fn test(sample: &[f64], family: Family, parameters: Option<&[f64]>) -> Option<Outcome> {
        anderson_darling_test(sample, family, parameters, &mut Uninterruptible).unwrap()
    }

    #[test]
    fn the_limit_has_the_tabled_points() {
        // Anderson and Darling (1954), and Marsaglia and Marsaglia (2004).
        for (x, upper, tolerance) in [
            (1.933, 0.10, 5e-5),
            (2.492, 0.05, 5e-5),
            (3.878, 0.01, 5e-5),
            (0.5, 1.0 - 0.253_187, 2e-5),
        ] {
            assert!(
                (limit_upper(x) - upper).abs() < tolerance,
                "{x}: {}",
                limit_upper(x)
            );
        }
        assert!((limit_upper(0.031) - 1.0).abs() < 1e-12);
        let far = limit_upper(300.0);
        assert!(far > 0.0 && far < 1e-100, "{far:e}");
    }

    #[test]
    fn the_correction_is_continuous() {
        for n in [5.0, 20.0, 200.0] {
            let at = |p: f64| {
                let (mut low, mut high) = (0.0, 50.0);
                while high - low > 1e-12 {
                    let middle = f64::midpoint(low, high);
                    if limit_upper(middle) > p {
                        low = middle
                    } else {
                        high = middle
                    }
                }
                low
            };
            for edge in [0.01, 0.2] {
                let (before, after) = (at(edge * (1.0 - 1e-9)), at(edge * (1.0 + 1e-9)));
                let jump = (known_upper(n, before) - known_upper(n, after)).abs();
                assert!(jump < 2e-4, "{n} at {edge}: {jump}");
            }
        }
    }

    #[test]
    fn what_cannot_be_tested() {
        use HypothesisError as E;
        assert_eq!(test(&[], Family::Normal, None), None);
        assert_eq!(test(&[1.0], Family::Normal, None), None);
        assert_eq!(test(&[2.0, 2.0, 2.0], Family::Exponential, None), None);
        assert!(test(&[1.0], Family::Uniform, Some(&[0.0, 2.0])).is_some());
        let refused = |sample: &[f64], family, parameters| {
            anderson_darling_test(sample, family, parameters, &mut Uninterruptible).unwrap_err()
        };
        assert!(matches!(
            refused(&[1.0], Family::Gamma, None),
            E::NeedsParameters(_)
        ));
        assert!(matches!(
            refused(&[f64::NAN], Family::Normal, None),
            E::NotFinite { .. }
        ));
        assert!(matches!(
            refused(&[-1.0, 2.0], Family::Exponential, None),
            E::OutsideSupport { .. }
        ));
        // Outside the support of a known distribution nothing is left to doubt.
        let outside = test(&[-1.0, 0.5], Family::Uniform, Some(&[0.0, 1.0])).unwrap();
        assert_eq!((outside.statistic, outside.p_value), (f64::INFINITY, 0.0));
    }
}
