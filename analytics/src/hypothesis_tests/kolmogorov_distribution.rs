//! The distribution of the largest distance between a distribution and the sample of n values drawn from it.

use std::f64::consts::PI;

use super::error::HypothesisError;
use crate::progress::Progress;
use crate::statistics::special::{deviance, stirling_error};

const POLL_EVERY: u32 = 1024;

/// Beyond this `n d²` both sides are exceeded at once with less than 4 · 10⁻¹¹ of the probability of one.
const ONE_SIDE_SUFFICES: f64 = 4.0;

/// The largest n for which the sum over the sample is formed.
const LARGEST_SUM: f64 = 1e7;

/// `P(D⁺ >= d)`: Smirnov's (1944) and Birnbaum and Tingey's (1951) sum, each term a binomial probability.
pub(super) fn one_sided_upper(
    n: f64,
    d: f64,
    progress: &mut dyn Progress,
) -> Result<f64, HypothesisError> {
    if d <= 0.0 {
        return Ok(1.0);
    }
    if d >= 1.0 {
        return Ok(0.0);
    }
    if n > LARGEST_SUM {
        // The terms of Smirnov's expansion to 1/n, as an exponent.
        let z2 = n * d * d;
        return Ok((-2.0 * z2 - 2.0 / 3.0 * d + 4.0 / 9.0 * (z2 / n) * (1.0 - z2)).exp());
    }
    // j = 0: (1 - d)^n.
    let mut sum = (n * (-d).ln_1p()).exp();
    let (mut j, mut steps) = (1.0, 0_u32);
    while j < n && j / n + d < 1.0 {
        let p = d + j / n;
        let q = 1.0 - p;
        let log = stirling_error(n)
            - stirling_error(j)
            - stirling_error(n - j)
            - deviance(j, n * p)
            - deviance(n - j, n * q);
        sum += d / p * log.exp() * (n / (2.0 * PI * j * (n - j))).sqrt();
        j += 1.0;
        steps += 1;
        if steps.is_multiple_of(POLL_EVERY) {
            progress.poll()?;
        }
    }
    Ok(sum.min(1.0))
}

/// `P(D >= d)` of a sample of n, exact; takes time proportional to `n^1.5`.
pub(super) fn two_sided_upper(
    n: f64,
    d: f64,
    progress: &mut dyn Progress,
) -> Result<f64, HypothesisError> {
    if n * d <= 0.5 {
        return Ok(1.0);
    }
    // At 0.5 and above the two sides exclude each other.
    if d >= 0.5 || n * d * d >= ONE_SIDE_SUFFICES {
        return Ok((2.0 * one_sided_upper(n, d, progress)?).min(1.0));
    }
    Ok((1.0 - lower(n, d, progress)?).clamp(0.0, 1.0))
}

/// `P(D < d)`: a Poisson process of rate n that stays within the band and has n points at the end, divided by the
/// probability of n points.
///
/// In time s = n t the count must satisfy `s - c < N(s) < s + c` with c = n d. The band's edges move at s = j - c (before
/// which the count must be below j) and s = j + c (at which it must be above j): between these instants the process is
/// free, so that one step is a convolution with Poisson weights, of which some twenty are not negligible. All terms are
/// positive; the weights lack their factor `e^-Δ`, which is put back at the end without rounding on the way.
fn lower(n: f64, d: f64, progress: &mut dyn Progress) -> Result<f64, HypothesisError> {
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let c = n * d;
    // State k holds the count base + k.
    let width = (2.0 * c).ceil() as usize + 3;
    let mut base = 0.0_f64;
    let mut state = vec![0.0_f64; width];
    let mut next = vec![0.0_f64; width];
    if let Some(first) = state.first_mut() {
        *first = 1.0;
    }
    let (mut time, mut upper, mut floor) = (0.0_f64, c.floor() + 1.0, 0.0_f64);
    let (mut halvings, mut steps) = (0.0_f64, 0_u32);
    // The edges that are already passed at time 0: counts must be below the first j with j - c > 0.
    loop {
        let (at_upper, at_floor) = (upper - c, floor + c);
        let at = at_upper.min(at_floor).min(n);
        let weights = weights(at - time);
        next.fill(0.0);
        for (k, &share) in state.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            for (slot, weight) in next.iter_mut().skip(k).zip(&weights) {
                *slot += share * weight;
            }
        }
        std::mem::swap(&mut state, &mut next);
        time = at;
        if at >= n {
            break;
        }
        if at_upper <= at {
            // Below `upper`.
            let keep = (upper - base).max(0.0) as usize;
            if let Some(outside) = state.get_mut(keep..) {
                outside.fill(0.0);
            }
            upper += 1.0;
        }
        if at_floor <= at {
            // Above `floor`: what is left starts one higher.
            let drop = ((floor + 1.0 - base).max(0.0) as usize).min(width);
            state.rotate_left(drop);
            if let Some(freed) = state.get_mut(width - drop..) {
                freed.fill(0.0);
            }
            base += drop as f64;
            floor += 1.0;
        }
        let largest = state.iter().copied().fold(0.0, f64::max);
        if largest == 0.0 {
            return Ok(0.0);
        }
        if largest > 1e200 {
            halvings += 600.0;
            for share in &mut state {
                *share *= (-600.0_f64).exp2();
            }
        }
        steps += 1;
        if steps.is_multiple_of(64) {
            progress.poll()?;
        }
    }
    let arrived = state.get((n - base) as usize).copied().unwrap_or(0.0);
    // Times n! e^n n^-n / √(2πn) … e^-n: the shares grew like e^n.
    let exponent = (halvings * LN_2_HIGH - n) + halvings * LN_2_LOW;
    Ok(arrived * exponent.exp() * (2.0 * PI * n).sqrt() * stirling_error(n).exp())
}

/// `Δ^k / k!`, as far as it matters.
fn weights(delta: f64) -> Vec<f64> {
    let mut weights = Vec::with_capacity(32);
    let (mut weight, mut k) = (1.0, 0.0);
    while weight > 1e-22 && k < 400.0 || k <= delta {
        weights.push(weight);
        k += 1.0;
        weight *= delta / k;
    }
    weights
}

/// `P(D >= d)` for large n: the expansion of Pelz and Good (1976) to `n^-1.5`, and the one-sided sum where that is better.
pub(super) fn limit_upper(
    n: f64,
    d: f64,
    progress: &mut dyn Progress,
) -> Result<f64, HypothesisError> {
    if n <= 140.0 || n * d <= 1.0 || n * d * d >= ONE_SIDE_SUFFICES {
        return two_sided_upper(n, d, progress);
    }
    Ok((1.0 - pelz_good(n, n.sqrt() * d)).clamp(0.0, 1.0))
}

/// `P(√n D < z)`, in the form of Simard and L'Ecuyer (2011), whose sums converge fast for small z.
fn pelz_good(n: f64, z: f64) -> f64 {
    const SQUARE: f64 = PI * PI;
    let z2 = z * z;
    let z4 = z2 * z2;
    let z6 = z4 * z2;
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    let terms = (16.0 * z / PI).ceil() as u32 + 1;
    for k in 0..terms {
        let m2 = f64::from(2 * k + 1).powi(2);
        let (m4, m6) = (m2 * m2, m2 * m2 * m2);
        let q = (-SQUARE * m2 / (8.0 * z2)).exp();
        k0 += q;
        k1 += q * (SQUARE / 4.0 * m2 - z2);
        k2 += q
            * (6.0 * z6
                + 2.0 * z4
                + SQUARE / 4.0 * (2.0 * z4 - 5.0 * z2) * m2
                + SQUARE * SQUARE / 16.0 * (1.0 - 2.0 * z2) * m4);
        k3 += q
            * (SQUARE * SQUARE * SQUARE / 64.0 * (5.0 - 30.0 * z2) * m6
                + SQUARE * SQUARE / 16.0 * (212.0 * z4 - 60.0 * z2) * m4
                + SQUARE / 4.0 * (135.0 * z4 - 96.0 * z6) * m2
                - 30.0 * z6
                - 90.0 * z4 * z4);
    }
    let (mut extra2, mut extra3) = (0.0, 0.0);
    for k in 1..=terms {
        let k2_ = f64::from(k).powi(2);
        let q = (-SQUARE * k2_ / (2.0 * z2)).exp();
        extra2 += q * k2_;
        extra3 += q * k2_ * (3.0 * z2 - SQUARE * k2_);
    }
    let root = (2.0 * PI).sqrt();
    let first = root / z * k0;
    let second = root / (6.0 * z4) * k1;
    let third = root / (72.0 * z6 * z) * k2 - SQUARE * root / (36.0 * z2 * z) * extra2;
    let fourth = root / (6480.0 * z6 * z4) * k3 + SQUARE * root / (216.0 * z6) * extra3;
    first + (second + (third + fourth / n.sqrt()) / n.sqrt()) / n.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    fn upper(n: f64, d: f64) -> f64 {
        two_sided_upper(n, d, &mut Uninterruptible).unwrap()
    }

    #[test]
    fn small_samples_by_hand() {
        // One value: D < d with probability 2d - 1.
        assert!((upper(1.0, 0.75) - 0.5).abs() < 1e-15);
        // Ruben and Gambino: n! (2d - 1/n)^n up to d = 1/n.
        for n in [2.0_f64, 3.0, 7.0] {
            let d = 0.9 / n;
            let factorial: f64 = (1..=n as u32).map(f64::from).product();
            let expected = 1.0 - factorial * (2.0 * d - 1.0 / n).powf(n);
            assert!((upper(n, d) - expected).abs() < 1e-14, "{n}");
        }
        // Two values, 1/2 <= … the polynomial 1 - 2 (1 - d)².
        assert!((upper(2.0, 0.6) - 2.0 * 0.4 * 0.4).abs() < 1e-15);
    }

    #[test]
    fn the_sum_ends_where_its_expansion_is_as_good() {
        let (n, z) = (LARGEST_SUM, 1.5);
        let d = z / n.sqrt();
        let summed = one_sided_upper(n, d, &mut Uninterruptible).unwrap();
        let expanded = one_sided_upper(n + 1.0, d, &mut Uninterruptible).unwrap();
        // One value more changes the probability by 2 d² of itself.
        assert!((expanded / summed - 1.0 + 2.0 * d * d).abs() < 1e-9);
    }

    #[test]
    fn the_forms_agree_where_they_meet() {
        for n in [20.0_f64, 300.0, 5000.0] {
            let d = (ONE_SIDE_SUFFICES * 0.999_999 / n).sqrt();
            let exact = upper(n, d);
            let twice = 2.0 * one_sided_upper(n, d, &mut Uninterruptible).unwrap();
            assert!(
                (exact / twice - 1.0).abs() < 2e-9,
                "{n}: {exact:e} {twice:e}"
            );
        }
        for (n, tolerance) in [(1000.0_f64, 1e-5), (10_000.0, 2e-7)] {
            for z in [0.4_f64, 0.8, 1.2] {
                let d = z / n.sqrt();
                let limit = limit_upper(n, d, &mut Uninterruptible).unwrap();
                assert!((upper(n, d) / limit - 1.0).abs() < tolerance, "{n} {z}");
            }
        }
    }
}
