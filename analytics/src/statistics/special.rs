//! Tails of the beta and gamma families that keep their relative accuracy.
//!
//! statrs 0.19 stops its continued fractions after 140 terms, forms `1 - x` by subtraction and exponentiates differences
//! of log-gammas, so that tails of Student's t lose digits with growing degrees of freedom (five digits at 10^6). The
//! functions below use the saddle-point form of the densities (Loader, "Fast and accurate computation of binomial
//! probabilities", 2000) and run the continued fractions until they converge. Its `erfc` is good to 10⁻¹⁰, which a p-value
//! of a power of many normal tails does not survive; ours is good to 10⁻¹³. `erfc_inv`, one Newton step from it, and
//! `ln_gamma` come from statrs.

use std::f64::consts::{LN_2, PI};

use statrs::function::erf::erfc_inv;
use statrs::function::gamma::ln_gamma;

/// Enough terms for every argument whose result differs from its limit.
const MAX_TERMS: u32 = 2_000_000;

/// The smallest number that Lentz's algorithm may divide by.
const TINY: f64 = 1e-300;

/// `ln Γ(z + 1) - [(z + ½) ln z - z + ½ ln 2π]`, the error of Stirling's formula.
pub(crate) fn stirling_error(z: f64) -> f64 {
    const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;
    if z < 15.0 {
        return ln_gamma(z + 1.0) - ((z + 0.5) * z.ln() - z + HALF_LN_2PI);
    }
    let square = 1.0 / (z * z);
    // The asymptotic series 1/(12z) - 1/(360z³) + …; at z = 15 the first term left out is below 1e-17.
    let series = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
    ];
    series
        .iter()
        .rev()
        .fold(0.0, |sum, coefficient| sum * square + coefficient)
        / z
}

/// `x ln(x / m) + m - x` without cancellation near `x = m`.
pub(crate) fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() < 0.1 * (x + m) {
        let v = (x - m) / (x + m);
        let mut sum = (x - m) * v;
        let mut power = 2.0 * x * v;
        let square = v * v;
        let mut odd = 1.0;
        loop {
            power *= square;
            odd += 2.0;
            let next = sum + power / odd;
            if next == sum {
                return sum;
            }
            sum = next;
        }
    }
    x * (x / m).ln() + m - x
}

/// `x^a y^b / B(a, b)` with `y = 1 - x` given by the caller, who may know it more exactly.
pub(crate) fn beta_power_term(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let log = stirling_error(n)
        - stirling_error(a)
        - stirling_error(b)
        - deviance(a, n * x)
        - deviance(b, n * y);
    // a b / n times the binomial density sqrt(n / (2π a b)) exp(log).
    log.exp() * (a / n * b / (2.0 * PI)).sqrt()
}

/// The continued fraction of the incomplete beta function (Lentz).
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let sum = a + b;
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - sum * x / (a + 1.0));
    let mut fraction = d;
    for term in 1..MAX_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (sum + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    fraction
}

/// The regularised incomplete beta function `I_x(a, b)` for `a, b > 0`, with `y = 1 - x`.
#[must_use]
pub fn beta_regularised(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let term = beta_power_term(a, b, x, y);
    if x * (a + b + 2.0) < a + 1.0 {
        term * beta_fraction(a, b, x) / a
    } else {
        1.0 - term * beta_fraction(b, a, y) / b
    }
}

/// `x^a e^-x / Γ(a + 1)`, the step from `P(a, x)` down to `P(a + 1, x)`.
pub(crate) fn gamma_power_term(a: f64, x: f64) -> f64 {
    (-stirling_error(a) - deviance(a, x)).exp() / (2.0 * PI * a).sqrt()
}

/// Both parts of the regularised gamma function, `(P(a, x), Q(a, x))`, for `a > 0`, `x >= 0`.
///
/// The smaller part has full relative accuracy.
#[must_use]
pub fn gamma_regularised(a: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if x.is_infinite() {
        return (1.0, 0.0);
    }
    let term = gamma_power_term(a, x);
    if x < a + 1.0 {
        let mut summand = 1.0;
        let mut sum = 1.0;
        for step in 1..MAX_TERMS {
            summand *= x / (a + f64::from(step));
            sum += summand;
            if summand <= sum * f64::EPSILON {
                break;
            }
        }
        return (term * sum, 1.0 - term * sum);
    }
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / guard(b);
    let mut fraction = d;
    for step in 1..MAX_TERMS {
        let i = f64::from(step);
        let an = -i * (i - a);
        b += 2.0;
        d = 1.0 / guard(an * d + b);
        c = guard(b + an / c);
        let factor = d * c;
        fraction *= factor;
        if (factor - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    let upper = term * a * fraction;
    (1.0 - upper, upper)
}

/// The upper tail `Q(a, x)` of the regularised gamma function for `a > 0`, `x >= 0`.
#[must_use]
pub fn gamma_upper(a: f64, x: f64) -> f64 {
    gamma_regularised(a, x).1
}

/// The complementary error function: `1 - erf` by its series of positive terms below 2, Laplace's continued fraction above.
#[must_use]
pub fn erfc(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let size = x.abs();
    let upper = if size > 30.0 {
        0.0
    } else {
        let square = size * size;
        // What rounding took from the square: it would cost e^-700 three digits.
        let bell = (-square).exp() * (1.0 - size.mul_add(size, -square));
        if size < 2.0 {
            let (mut term, mut sum, mut odd) = (size, size, 1.0);
            while term > sum * 1e-17 {
                odd += 2.0;
                term *= 2.0 * square / odd;
                sum += term;
            }
            1.0 - 2.0 / PI.sqrt() * bell * sum
        } else {
            let terms = 20 + (250.0 / square) as u32;
            let tail = (1..=terms)
                .rev()
                .fold(size, |tail, k| size + f64::from(k) / 2.0 / tail);
            bell / PI.sqrt() / tail
        }
    };
    if x < 0.0 { 2.0 - upper } else { upper }
}

/// The upper tail of the standard normal distribution.
#[must_use]
pub fn normal_upper(z: f64) -> f64 {
    0.5 * erfc(z / std::f64::consts::SQRT_2)
}

/// The `z` with `normal_upper(z) = p`, for `0 < p < 1`.
#[must_use]
pub fn normal_upper_quantile(p: f64) -> f64 {
    let guess = std::f64::consts::SQRT_2 * erfc_inv(2.0 * p);
    let density = (-guess * guess / 2.0).exp() / (2.0 * PI).sqrt();
    if density > 0.0 && density.is_finite() {
        guess + (normal_upper(guess) - p) / density
    } else {
        guess
    }
}

/// `x = df / (df + t²)` and `y = t² / (df + t²)`, neither by subtraction.
fn t_fractions(t: f64, df: f64) -> (f64, f64) {
    let ratio = t * t / df;
    if ratio.is_infinite() {
        // t² overflows: x is (√df / t)², y is 1 to the last bit.
        let root = df.sqrt() / t.abs();
        return (root * root, 1.0);
    }
    (1.0 / (1.0 + ratio), ratio / (1.0 + ratio))
}

/// `P(|T| >= |t|)` for Student's t with `df > 0` degrees of freedom.
#[must_use]
pub fn t_two_sided(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() {
        return f64::NAN;
    }
    if df.is_infinite() || df > 1e15 {
        return 2.0 * normal_upper(t.abs());
    }
    let (x, y) = t_fractions(t, df);
    beta_regularised(df / 2.0, 0.5, x, y)
}

/// `P(|T| < |t|)`, accurate where it is small.
fn t_central(t: f64, df: f64) -> f64 {
    let (x, y) = t_fractions(t, df);
    beta_regularised(0.5, df / 2.0, y, x)
}

/// The density of Student's t.
fn t_density(t: f64, df: f64) -> f64 {
    let (x, y) = t_fractions(t, df);
    // √y = |t| / √(df + t²), and the density is x^(df/2) / (B √(df + t²)).
    beta_power_term(df / 2.0, 0.5, x, y) / t.abs()
}

/// The `t > 0` with `P(|T| < t) = level`, for `0 < level < 1` and `df > 0`.
///
/// Newton's method on the logarithms of both sides: the central mass and the tail are log-concave in `ln t`, so one
/// step brings the iterate to the side from which it converges monotonically.
#[must_use]
pub fn t_two_sided_critical(level: f64, df: f64) -> f64 {
    if level.is_nan() || df.is_nan() {
        return f64::NAN;
    }
    let tail = 1.0 - level;
    let normal = normal_upper_quantile(tail / 2.0);
    if df.is_infinite() || df > 1e15 {
        return normal;
    }
    if df == 1.0 {
        return 1.0 / (PI * tail / 2.0).tan();
    }
    if df == 2.0 {
        return level * (2.0 / (tail * (1.0 + level))).sqrt();
    }
    let by_centre = level < 0.5;
    // Cornish and Fisher's first correction starts close enough unless df is tiny, where the power law of the tail does.
    let mut log_t = if by_centre {
        normal.max(f64::MIN_POSITIVE).ln()
    } else {
        let corrected = normal * (1.0 + (normal * normal + 1.0) / (4.0 * df));
        let power_law = (normal.ln()).max((-(tail.ln()) - LN_2) / df + 0.5 * df.ln());
        if df > 4.0 && tail > 1e-6 {
            corrected.ln()
        } else {
            power_law
        }
    };
    for _ in 0..100 {
        let t = log_t.exp();
        let density = t_density(t, df);
        let (mass, target, slope) = if by_centre {
            (t_central(t, df), level, 2.0 * density * t)
        } else {
            (t_two_sided(t, df), tail, -2.0 * density * t)
        };
        if mass <= 0.0 || slope == 0.0 {
            // Beyond the representable tail: come back.
            log_t -= LN_2;
            continue;
        }
        let step = (mass / target).ln() * mass / slope;
        log_t -= step;
        if step.abs() <= 4.0 * f64::EPSILON * log_t.abs().max(1.0) {
            break;
        }
    }
    log_t.exp()
}

/// The upper tail of the chi-square distribution.
#[must_use]
pub fn chi_square_upper(statistic: f64, df: f64) -> f64 {
    gamma_upper(df / 2.0, statistic / 2.0)
}

/// The upper tail of the F distribution with `between` and `within` degrees of freedom.
#[must_use]
pub fn f_upper(statistic: f64, between: f64, within: f64) -> f64 {
    if statistic.is_nan() || between.is_nan() || within.is_nan() {
        return f64::NAN;
    }
    if statistic.is_infinite() {
        return 0.0;
    }
    let (x, y) = f_fractions(statistic, between, within);
    beta_regularised(within / 2.0, between / 2.0, x, y)
}

/// `within / (within + between F)` and its complement, neither by subtraction.
pub(crate) fn f_fractions(statistic: f64, between: f64, within: f64) -> (f64, f64) {
    let ratio = statistic * (between / within);
    (1.0 / (1.0 + ratio), ratio / (1.0 + ratio))
}

/// `P(T >= t)` for Student's t with `df > 0` degrees of freedom.
#[must_use]
pub fn t_upper(t: f64, df: f64) -> f64 {
    let half = 0.5 * t_two_sided(t, df);
    if t < 0.0 { 1.0 - half } else { half }
}

/// The factor that makes Cohen's d unbiased: `Γ(df/2) / (√(df/2) Γ((df - 1)/2))` (Hedges 1981), for `df > 1`.
#[must_use]
pub fn hedges_correction(df: f64) -> f64 {
    let a = df / 2.0;
    if a < 20.0 {
        return (ln_gamma(a) - ln_gamma(a - 0.5)).exp() / a.sqrt();
    }
    // Γ(a)/Γ(a-½) by Stirling: with z = a - 1 and w = a - 3/2, ln Γ(z+1) - ln Γ(w+1).
    let (z, w) = (a - 1.0, a - 1.5);
    let log =
        (z + 0.5) * (0.5 / w).ln_1p() + 0.5 * w.ln() - 0.5 + stirling_error(z) - stirling_error(w);
    (log - 0.5 * a.ln()).exp()
}
