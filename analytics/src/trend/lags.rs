//! Sums of products at a distance: what autocorrelations are made of.

use super::TrendError;
use super::series::Grid;
use crate::budget::Budget;
use crate::progress::Progress;

/// Up to this many multiplications are done one by one; beyond it the Fourier transform is faster.
const DIRECT_PRODUCTS: u64 = 1 << 26;

/// `Σ vᵢ vⱼ` over the pairs whose slots are 0, 1, …, `max_lag` apart.
///
/// With missing slots the sums run over the pairs of which both are there (Parzen 1963), so that the sequence stays
/// positive semidefinite.
pub(super) fn lag_sums(
    values: &[f64],
    grid: Grid<'_>,
    max_lag: usize,
    budget: &Budget,
    progress: &mut impl Progress,
) -> Result<Vec<f64>, TrendError> {
    let n = values.len();
    if n as u64 * (max_lag as u64 + 1) <= DIRECT_PRODUCTS {
        return direct(values, grid, max_lag, progress);
    }
    let last = n.checked_sub(1).map_or(0, |last| grid.slot(last)) as usize;
    let first = grid.slot(0) as usize;
    let max_lag = max_lag.min(last - first);
    // Long enough that no product wraps around.
    let length = (last - first + 1 + max_lag).next_power_of_two();
    budget
        .clone()
        .charge(length.saturating_mul(16).saturating_add(32 * n))?;
    let mut real = vec![0.0; length];
    let mut imaginary = vec![0.0; length];
    for (index, &value) in values.iter().enumerate() {
        if let Some(place) = real.get_mut(grid.slot(index) as usize - first) {
            *place = value;
        }
    }
    transform(&mut real, &mut imaginary, progress)?;
    for (re, im) in real.iter_mut().zip(&mut imaginary) {
        *re = *re * *re + *im * *im;
        *im = 0.0;
    }
    // The power spectrum is real and even: a second forward transform is the inverse, but for the length.
    transform(&mut real, &mut imaginary, progress)?;
    real.truncate(max_lag + 1);
    for sum in &mut real {
        *sum /= length as f64;
    }
    Ok(real)
}

fn direct(
    values: &[f64],
    grid: Grid<'_>,
    max_lag: usize,
    progress: &mut impl Progress,
) -> Result<Vec<f64>, TrendError> {
    let mut sums = Vec::with_capacity(max_lag + 1);
    for lag in 0..=max_lag {
        progress.poll()?;
        sums.push(match grid.slots() {
            None => {
                let later = values.get(lag..).unwrap_or_default();
                values.iter().zip(later).map(|(a, b)| a * b).sum()
            }
            Some(slots) => {
                let mut later = slots.iter().zip(values).peekable();
                let mut sum = 0.0;
                for (&slot, &value) in slots.iter().zip(values) {
                    let wanted = u64::from(slot) + lag as u64;
                    while later.next_if(|(s, _)| u64::from(**s) < wanted).is_some() {}
                    match later.peek() {
                        Some((s, other)) if u64::from(**s) == wanted => sum += value * **other,
                        Some(_) => {}
                        None => break,
                    }
                }
                sum
            }
        });
    }
    Ok(sums)
}

/// The discrete Fourier transform of a power of two of complex numbers, in place (Cooley and Tukey 1965).
fn transform(
    real: &mut [f64],
    imaginary: &mut [f64],
    progress: &mut impl Progress,
) -> Result<(), TrendError> {
    let length = real.len();
    let bits = length.trailing_zeros();
    if bits == 0 {
        return Ok(());
    }
    for index in 0..length {
        let mirrored = index.reverse_bits() >> (usize::BITS - bits);
        if index < mirrored {
            real.swap(index, mirrored);
            imaginary.swap(index, mirrored);
        }
    }
    let mut half = 1;
    while half < length {
        // The roots of unity are computed one by one: products of them would lose digits.
        let roots: Vec<(f64, f64)> = (0..half)
            .map(|k| {
                let (sine, cosine) = (-std::f64::consts::PI * k as f64 / half as f64).sin_cos();
                (cosine, sine)
            })
            .collect();
        progress.poll()?;
        let blocks = real
            .chunks_exact_mut(2 * half)
            .zip(imaginary.chunks_exact_mut(2 * half));
        for (block_real, block_imaginary) in blocks {
            let (even_re, odd_re) = block_real.split_at_mut(half);
            let (even_im, odd_im) = block_imaginary.split_at_mut(half);
            let evens = even_re.iter_mut().zip(even_im);
            let odds = odd_re.iter_mut().zip(odd_im);
            for (((er, ei), (or, oi)), (cosine, sine)) in evens.zip(odds).zip(&roots) {
                let re = *or * cosine - *oi * sine;
                let im = *or * sine + *oi * cosine;
                (*or, *oi) = (*er - re, *ei - im);
                (*er, *ei) = (*er + re, *ei + im);
            }
        }
        progress.poll()?;
        half *= 2;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Series;
    use super::*;
    use crate::progress::Uninterruptible;

    #[test]
    fn the_transform_gives_the_sums_that_multiplying_gives() {
        let noise = |i: u64| ((i * 7919 + i * i * 31) % 1009) as f64 / 1009.0 - 0.5;
        for holes in [false, true] {
            let values: Vec<f64> = (0..20_000)
                .map(|i| {
                    if holes && i % 13 == 5 {
                        f64::NAN
                    } else {
                        noise(i)
                    }
                })
                .collect();
            let series = Series::new(values, None).unwrap();
            let grid = series.grid().unwrap();
            let budget = Budget::new(1 << 30);
            let max_lag = 4000;
            let fast = lag_sums(series.y(), grid, max_lag, &budget, &mut Uninterruptible).unwrap();
            let slow = direct(series.y(), grid, max_lag, &mut Uninterruptible).unwrap();
            assert_eq!((fast.len(), slow.len()), (max_lag + 1, max_lag + 1));
            for (lag, (a, b)) in fast.iter().zip(&slow).enumerate() {
                assert!((a - b).abs() < 1e-12 * slow[0], "lag {lag}: {a}, {b}");
            }
            assert!(matches!(
                lag_sums(
                    series.y(),
                    grid,
                    max_lag,
                    &Budget::new(1 << 19),
                    &mut Uninterruptible
                ),
                Err(TrendError::Budget(_))
            ));
        }
    }
}
