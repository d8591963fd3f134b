//! Intervals of effect sizes through noncentral distributions: which noncentralities would make the statistic that was
//! observed neither surprisingly large nor surprisingly small (Steiger and Fouladi 1997; Smithson 2003).

use std::f64::consts::PI;

use crate::statistics::Interval;
use crate::statistics::special::{
    beta_power_term, beta_regularised, deviance, f_fractions, gamma_power_term, gamma_regularised,
    normal_upper_quantile, stirling_error,
};

/// Beyond this the normal limit is as good as the interval itself, and the sums are long.
const LARGE: f64 = 1e6;

/// Terms of the mixture that can no longer change it.
const NEGLIGIBLE: f64 = 1e-18;

/// The interval of the noncentrality of a chi-square statistic.
pub(super) fn chi_square_noncentrality(statistic: f64, df: f64, level: f64) -> Interval {
    let tail = (1.0 - level) / 2.0;
    if statistic > LARGE {
        // The root of a noncentral chi-square variable is normal around √λ with standard deviation 1.
        let centre = (statistic - df).max(0.0).sqrt();
        let z = normal_upper_quantile(tail);
        return Interval {
            lower: (centre - z).max(0.0).powi(2),
            upper: (centre + z).powi(2),
        };
    }
    let half = statistic / 2.0;
    let below = |noncentrality: f64| {
        mixture(
            noncentrality / 2.0,
            |j| gamma_regularised(df / 2.0 + j, half).0,
            |j| gamma_power_term(df / 2.0 + j, half),
        )
    };
    solve(below, statistic, tail)
}

/// The interval of the noncentrality of an F statistic.
pub(super) fn f_noncentrality(statistic: f64, between: f64, within: f64, level: f64) -> Interval {
    let tail = (1.0 - level) / 2.0;
    let guess = statistic * between;
    if guess > LARGE {
        // The mean of an F statistic is about λ / df, its variance that of λ and of the variance within.
        let margin =
            normal_upper_quantile(tail) * (4.0 * guess + 2.0 * guess / within * guess).sqrt();
        return Interval {
            lower: (guess - margin).max(0.0),
            upper: guess + margin,
        };
    }
    let (y, x) = f_fractions(statistic, between, within);
    let below = |noncentrality: f64| {
        mixture(
            noncentrality / 2.0,
            |j| beta_regularised(between / 2.0 + j, within / 2.0, x, y),
            |j| {
                let a = between / 2.0 + j;
                beta_power_term(a, within / 2.0, x, y) / a
            },
        )
    };
    solve(below, guess, tail)
}

/// `Σ Poisson(j; mean) P_j`, where `P_j` is a central distribution function and `P_j - P_{j+1}` its step.
fn mixture(mean: f64, at: impl Fn(f64) -> f64, step: impl Fn(f64) -> f64) -> f64 {
    let centre = mean.floor();
    let weight = if centre == 0.0 {
        (-mean).exp()
    } else {
        (-stirling_error(centre) - deviance(centre, mean)).exp() / (2.0 * PI * centre).sqrt()
    };
    let start = at(centre);
    let mut sum = weight * start;
    let (mut j, mut share, mut value) = (centre, weight, start);
    loop {
        value = (value - step(j)).max(0.0);
        j += 1.0;
        share *= mean / j;
        sum += share * value;
        if share <= NEGLIGIBLE || value == 0.0 {
            break;
        }
    }
    let (mut j, mut share, mut value) = (centre, weight, start);
    while j > 0.0 && share > NEGLIGIBLE {
        share *= j / mean;
        j -= 1.0;
        value = (value + step(j)).min(1.0);
        sum += share * value;
    }
    sum
}

/// The noncentralities that put `1 - tail` and `tail` below the statistic; `below` falls with its argument.
fn solve(below: impl Fn(f64) -> f64, guess: f64, tail: f64) -> Interval {
    let central = below(0.0);
    let root = |target: f64| {
        if central <= target {
            return 0.0;
        }
        let (mut low, mut high) = (0.0, 2.0 * guess + 10.0);
        while below(high) > target && high < 1e9 {
            low = high;
            high *= 2.0;
        }
        for _ in 0..80 {
            let middle = low + (high - low) / 2.0;
            if below(middle) > target {
                low = middle;
            } else {
                high = middle;
            }
            if high - low <= 1e-14 * high {
                break;
            }
        }
        low + (high - low) / 2.0
    };
    Interval {
        lower: root(1.0 - tail),
        upper: root(tail),
    }
}
