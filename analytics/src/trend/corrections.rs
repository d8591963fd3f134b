//! What autocorrelation does to the variance of Kendall's S.
//!
//! Neighbouring values that resemble each other make S swing wider than among independent ones: the Mann-Kendall test
//! then sees trends that are none. Both corrections multiply the variance by a factor n/n* estimated from the
//! autocorrelation of what is left after Sen's slope is taken out.

use super::TrendError;
use super::lags::lag_sums;
use super::series::Grid;
use super::sorting::sort;
use crate::budget::Budget;
use crate::progress::Progress;

/// Two-sided 5 % bound of the normal distribution: an autocorrelation beyond it, divided by √n, is significant.
const SIGNIFICANT: f64 = 1.959_963_984_540_054;

/// Autocorrelations of 1 have no finite correction.
const AUTOCORRELATION_UP_TO: f64 = 0.98;

/// The factor of Hamed and Rao (1998), from the significant autocorrelations of the ranks of the residuals up to
/// `max_lag` (default: all).
///
/// `n/n* = 1 + 2 / (n(n−1)(n−2)) Σ (n−i)(n−i−1)(n−i−2) ρᵢ` over the ρᵢ beyond ± 1.96/√n.
pub(super) fn hamed_rao(
    residuals: &[f64],
    grid: Grid<'_>,
    max_lag: Option<usize>,
    budget: &Budget,
    progress: &mut impl Progress,
) -> Result<f64, TrendError> {
    let n = residuals.len();
    let lags = max_lag.unwrap_or(n).min(n.saturating_sub(1));
    let ranks = centred_ranks(residuals, progress)?;
    let sums = lag_sums(&ranks, grid, lags, budget, progress)?;
    let count = n as f64;
    let bound = SIGNIFICANT / count.sqrt();
    let weighted: f64 = autocorrelations(&sums)
        .filter(|(_, correlation)| correlation.abs() > bound)
        .map(|(lag, correlation)| {
            (count - lag) * (count - lag - 1.0) * (count - lag - 2.0) * correlation
        })
        .sum();
    Ok(1.0 + 2.0 / (count * (count - 1.0) * (count - 2.0)) * weighted)
}

/// The factor of Yue and Wang (2004).
///
/// With `max_lag`: `1 + 2 Σ (1 − i/n) rᵢ` over the sample autocorrelations up to it. Without: the same sum over all lags
/// of an autoregression of first order, `rᵢ = ρⁱ`, as the paper has it for such series, with ρ from the first sample
/// autocorrelation, whose bias after the removal of a trend is taken back (Marriott and Pope 1954):
/// `ρ = (n r₁ + 2) / (n − 4)`, held between 0 and 0.98.
pub(super) fn yue_wang(
    residuals: &[f64],
    grid: Grid<'_>,
    max_lag: Option<usize>,
    budget: &Budget,
    progress: &mut impl Progress,
) -> Result<f64, TrendError> {
    let n = residuals.len();
    let count = n as f64;
    let centred = centred(residuals);
    let lags = max_lag.unwrap_or(1).min(n.saturating_sub(1));
    let sums = lag_sums(&centred, grid, lags, budget, progress)?;
    let sample = autocorrelations(&sums);
    if max_lag.is_some() {
        let sum: f64 = sample.map(|(lag, r)| (1.0 - lag / count) * r).sum();
        return Ok(1.0 + 2.0 * sum);
    }
    let first = sample.map(|(_, r)| r).next().unwrap_or_default();
    if n <= 4 {
        return Ok(1.0);
    }
    let rho = ((count * first + 2.0) / (count - 4.0)).clamp(0.0, AUTOCORRELATION_UP_TO);
    // The sum over all lags in closed form (Matalas and Langbein 1962).
    let closed = (rho.powf(count + 1.0) - count * rho * rho + (count - 1.0) * rho)
        / (count * (rho - 1.0) * (rho - 1.0));
    Ok(1.0 + 2.0 * closed)
}

/// The autocorrelation of neighbours; `None` where nothing varies or nothing has a neighbour.
pub(super) fn first_autocorrelation(
    residuals: &[f64],
    grid: Grid<'_>,
    budget: &Budget,
    progress: &mut impl Progress,
) -> Result<Option<f64>, TrendError> {
    let neighbours = grid.slots().is_none_or(|slots| {
        slots
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if b - a == 1))
    });
    if !neighbours {
        return Ok(None);
    }
    let sums = lag_sums(&centred(residuals), grid, 1, budget, progress)?;
    Ok(autocorrelations(&sums).map(|(_, r)| r).next())
}

/// (lag, autocorrelation) from lag 1; nothing where nothing varies.
fn autocorrelations(sums: &[f64]) -> impl Iterator<Item = (f64, f64)> + '_ {
    let variation = sums.first().copied().unwrap_or_default();
    sums.iter()
        .enumerate()
        .skip(1)
        .filter(move |_| variation > 0.0)
        .map(move |(lag, sum)| (lag as f64, sum / variation))
}

fn centred(values: &[f64]) -> Vec<f64> {
    let count = values.len() as f64;
    let mean: f64 = values.iter().map(|value| value / count).sum();
    // The rounding of a mean far from 0 would remain in every value.
    let rest: f64 = values.iter().map(|value| (value - mean) / count).sum();
    values.iter().map(|value| (value - mean) - rest).collect()
}

/// Ranks, equal values at their average, minus the average rank.
fn centred_ranks(values: &[f64], progress: &mut impl Progress) -> Result<Vec<f64>, TrendError> {
    let mut keys: Vec<(f64, u32)> = values
        .iter()
        .map(|value| value + 0.0)
        .zip(0_u32..)
        .collect();
    sort(
        &mut keys,
        &|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)),
        progress,
    )?;
    let mut ranks = vec![0.0; values.len()];
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let mut before = 0;
    for group in keys.chunk_by(|a, b| a.0 == b.0) {
        let rank = before as f64 + (group.len() as f64 - 1.0) / 2.0 - middle;
        for (_, index) in group {
            if let Some(place) = ranks.get_mut(*index as usize) {
                *place = rank;
            }
        }
        before += group.len();
    }
    Ok(ranks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    const BUDGET: Budget = Budget::new(1 << 26);

    #[test]
    fn the_closed_form_is_the_sum() {
        let values: Vec<f64> = (0..40).map(|i| f64::from((i / 4) % 2)).collect();
        let found = yue_wang(
            &values,
            Grid::CONSECUTIVE,
            None,
            &BUDGET,
            &mut Uninterruptible,
        )
        .unwrap();
        let first =
            first_autocorrelation(&values, Grid::CONSECUTIVE, &BUDGET, &mut Uninterruptible)
                .unwrap()
                .unwrap();
        let rho = (40.0 * first + 2.0) / 36.0;
        let sum: f64 = (1..40)
            .map(|i| (1.0 - f64::from(i) / 40.0) * rho.powi(i))
            .sum();
        assert!((found - (1.0 + 2.0 * sum)).abs() < 1e-12 * found);
        assert!(found > 3.0);
    }

    #[test]
    fn alternating_values_are_not_credited_without_being_asked_for() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i % 2)).collect();
        let factor = |lag| {
            yue_wang(
                &values,
                Grid::CONSECUTIVE,
                lag,
                &BUDGET,
                &mut Uninterruptible,
            )
            .unwrap()
        };
        assert_eq!(factor(None), 1.0);
        assert!(factor(Some(1)) < 0.0);
    }

    #[test]
    fn ranks_of_ties_are_averaged() {
        let ranks = centred_ranks(&[5.0, 1.0, 5.0, 9.0], &mut Uninterruptible).unwrap();
        assert_eq!(ranks, [0.0, -1.5, 0.0, 1.5]);
    }
}
