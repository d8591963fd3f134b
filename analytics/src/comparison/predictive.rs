//! Tail probabilities of counts whose rate itself varies: the beta-binomial and the negative binomial distribution, with the
//! binomial and Poisson distributions as their limits.

use crate::statistics::special::{beta_regularised, gamma_upper};

/// More trials than this are as good as normally distributed.
pub(super) const MOST_EXACT_TRIALS: f64 = 10_000.0;

/// Below this share of the largest possible variance the success probability counts as fixed.
const NO_SPREAD: f64 = 1e-9;

/// `P(X <= x)` and `P(X >= x)` for successes out of `trials` (whole numbers, at most [`MOST_EXACT_TRIALS`]) whose probability
/// has the mean `p` (strictly between 0 and 1) and the given variance.
///
/// Without variance the binomial distribution, through the incomplete beta function; else the beta-binomial distribution,
/// summed from its mean outwards by the ratio of neighbouring terms.
pub(super) fn rate_tails(x: f64, trials: f64, p: f64, variance: f64) -> (f64, f64) {
    let q = 1.0 - p;
    if variance <= NO_SPREAD * p * q {
        let at_most = if x >= trials {
            1.0
        } else {
            beta_regularised(trials - x, x + 1.0, q, p)
        };
        let at_least = if x <= 0.0 {
            1.0
        } else {
            beta_regularised(x, trials - x + 1.0, p, q)
        };
        return (at_most, at_least);
    }
    let both = (p * q / variance - 1.0).max(0.01);
    let (alpha, beta) = (p * both, q * both);
    let start = (trials * p).round();
    let mut below = 0.0;
    let mut at = 0.0;
    let mut above = 0.0;
    let mut add = |k: f64, term: f64| {
        if k < x {
            below += term;
        } else if k > x {
            above += term;
        } else {
            at += term;
        }
    };
    add(start, 1.0);
    let (mut k, mut term) = (start, 1.0);
    while k < trials {
        term *= (trials - k) * (alpha + k) / ((k + 1.0) * (trials - k - 1.0 + beta));
        k += 1.0;
        add(k, term);
    }
    (k, term) = (start, 1.0);
    while k > 0.0 {
        term *= k * (trials - k + beta) / ((trials - k + 1.0) * (alpha + k - 1.0));
        k -= 1.0;
        add(k, term);
    }
    let whole = below + at + above;
    ((below + at) / whole, (at + above) / whole)
}

/// `P(X <= x)` and `P(X >= x)` for a count whose expectation has the mean `expected > 0` and the given variance: Poisson
/// without variance, else negative binomial.
pub(super) fn count_tails(x: f64, expected: f64, variance: f64) -> (f64, f64) {
    if variance <= NO_SPREAD * expected {
        let at_least = if x <= 0.0 {
            1.0
        } else {
            1.0 - gamma_upper(x, expected)
        };
        return (gamma_upper(x + 1.0, expected), at_least);
    }
    let size = expected * expected / variance;
    let share = size / (size + expected);
    let rest = expected / (size + expected);
    let at_least = if x <= 0.0 {
        1.0
    } else {
        beta_regularised(x, size, rest, share)
    };
    (beta_regularised(size, x + 1.0, share, rest), at_least)
}

/// Twice the smaller tail, at most 1.
pub(super) fn two_sided((at_most, at_least): (f64, f64)) -> f64 {
    (2.0 * at_most.min(at_least)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_overlap_in_one_term() {
        for variance in [0.0, 0.001, 0.02, 0.2] {
            for x in 0..=20 {
                let (low, high) = rate_tails(f64::from(x), 20.0, 0.8, variance);
                assert!(low + high >= 1.0 - 1e-12, "{x} {variance}: {low} {high}");
                assert!((0.0..=1.0 + 1e-12).contains(&low) && (0.0..=1.0 + 1e-12).contains(&high));
            }
        }
    }

    #[test]
    fn no_spread_is_the_limit_of_little_spread() {
        let (exact, _) = rate_tails(12.0, 20.0, 0.8, 0.0);
        let (near, _) = rate_tails(12.0, 20.0, 0.8, 1e-7);
        assert!((exact / near - 1.0).abs() < 1e-3, "{exact} {near}");
        let (exact, _) = count_tails(3.0, 9.5, 0.0);
        let (near, _) = count_tails(3.0, 9.5, 1e-6);
        assert!((exact / near - 1.0).abs() < 1e-3, "{exact} {near}");
    }

    #[test]
    fn extremes() {
        assert_eq!(rate_tails(5.0, 5.0, 0.9, 0.0).0, 1.0);
        assert_eq!(rate_tails(0.0, 5.0, 0.9, 0.0).1, 1.0);
        assert_eq!(count_tails(0.0, 3.0, 0.0).1, 1.0);
        let (low, _) = count_tails(0.0, 3.0, 0.0);
        assert!((low - (-3.0f64).exp()).abs() < 1e-15);
        // A probability that is nearly always 0 or 1: the distribution has the shape of a U.
        let (low, high) = rate_tails(0.0, 1000.0, 0.5, 0.2499);
        assert!((0.4..0.6).contains(&low) && high == 1.0, "{low} {high}");
    }
}
