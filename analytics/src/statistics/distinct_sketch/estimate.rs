//! From registers and tokens to counts.

use super::{LARGEST_PRECISION, SMALLEST_PRECISION, TOKEN_BITS};

/// Linear counting over the `2^26` possible indices of tokens (Whang, Vander-Zanden and Taylor, 1990).
pub(super) fn linear_count(tokens: usize) -> f64 {
    let cells = f64::from(1_u32 << TOKEN_BITS);
    -cells * (-(tokens as f64) / cells).ln_1p()
}

/// The relative standard error of [`linear_count`] while few cells are in use: `1 / sqrt(2 m)`.
pub(super) fn linear_count_error() -> f64 {
    (2.0 * f64::from(1_u32 << TOKEN_BITS)).sqrt().recip()
}

/// Values that a register can have, at any precision: 0 ..= 65 - precision.
const VALUES: usize = 66 - SMALLEST_PRECISION as usize;

/// Ertl's improved raw estimator.
pub(super) fn of_registers(registers: &[u8], precision: u8) -> f64 {
    let mut histogram = [0_u32; VALUES];
    for &register in registers {
        if let Some(count) = histogram.get_mut(usize::from(register)) {
            *count += 1;
        }
    }
    let registers = registers.len() as f64;
    // The value of a register whose hashes had nothing but zeros behind the index.
    let saturated = usize::from(65 - precision.clamp(SMALLEST_PRECISION, LARGEST_PRECISION));
    let count = |value: usize| f64::from(histogram.get(value).copied().unwrap_or(0));
    let mut sum = registers * tau(1.0 - count(saturated) / registers);
    for value in (1..saturated).rev() {
        sum = 0.5 * (sum + count(value));
    }
    sum += registers * sigma(count(0) / registers);
    registers * registers / (2.0 * std::f64::consts::LN_2 * sum)
}

/// `x + Σ x^(2^k) 2^(k-1)`, which stands in for empty registers; infinite when all are.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let mut weight = 1.0;
    let mut sum = x;
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum <= before {
            return sum;
        }
    }
}

/// `(1 - x - Σ (1 - x^(2^-k))^2 2^-k) / 3`, which stands in for saturated registers.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let mut weight = 1.0;
    let mut sum = 1.0 - x;
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x).powi(2) * weight;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_tokens_count_exactly() {
        for tokens in [0, 1, 2, 100, 3072] {
            assert_eq!(linear_count(tokens).round(), tokens as f64);
        }
    }

    #[test]
    fn the_ends_of_the_scale() {
        assert_eq!(of_registers(&[0; 16], 4), 0.0);
        // 16 registers with all that 64 bits can say: beyond 2^64, and finite or infinite, never NaN.
        assert!(of_registers(&[61; 16], 4) > 1e18);
        assert!((of_registers(&[1; 1024], 10) - 1024.0).abs() < 500.0);
    }
}
