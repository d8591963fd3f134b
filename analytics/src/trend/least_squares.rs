//! A straight line by ordinary least squares, with errors that hold under heteroscedasticity and autocorrelation.

use super::lags::lag_sums;
use super::series::Grid;
use super::{MIN_POINTS, Series, TrendError, probability};
use crate::budget::Budget;
use crate::progress::Progress;
use crate::statistics::special::{t_two_sided, t_two_sided_critical};

/// A fitted line, how much of the variance it explains, and how sure its slope is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeastSquares {
    /// Observations that are present.
    pub n: usize,
    /// Change per unit of position.
    pub slope: f64,
    /// The line's value at position 0.
    pub intercept: f64,
    /// Share of the variance explained; `None` when the values do not vary.
    pub r2: Option<f64>,
    /// Newey and West's standard error of the slope; 0 for a perfect line.
    pub standard_error: f64,
    /// Slope divided by its standard error: infinite for a perfect line, 0 for a constant series.
    pub t: f64,
    /// Two-sided, from Student's t with n − 2 degrees of freedom.
    pub p_value: f64,
    /// Lower bound of the slope's interval.
    pub slope_low: f64,
    /// Upper bound of the slope's interval.
    pub slope_high: f64,
}

/// A line without its errors, in scaled coordinates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) slope: f64,
    mean_x: f64,
    mean_y: f64,
    sxx: f64,
    pub(super) r2: Option<f64>,
}

/// The line through the observations; `None` for fewer than [`MIN_POINTS`] or all at one position.
pub(super) fn line(series: &Series) -> Option<Line> {
    let (x, y) = (series.x(), series.y());
    if x.len() < MIN_POINTS {
        return None;
    }
    let count = x.len() as f64;
    let mean_x: f64 = x.iter().map(|v| v / count).sum();
    let mean_y: f64 = y.iter().map(|v| v / count).sum();
    let (mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0);
    for (&xi, &yi) in x.iter().zip(y) {
        let (dx, dy) = (xi - mean_x, yi - mean_y);
        sxx += dx * dx;
        sxy += dx * dy;
        syy += dy * dy;
    }
    if sxx == 0.0 || x.first() == x.last() {
        return None;
    }
    // Exactly equal values leave rounding dust in syy, of which a share explained would be noise.
    let constant = series.is_constant();
    Some(Line {
        slope: if constant { 0.0 } else { sxy / sxx },
        mean_x,
        mean_y: if constant {
            y.first().copied().unwrap_or_default()
        } else {
            mean_y
        },
        sxx,
        r2: (!constant && syy > 0.0).then(|| ((sxy / sxx) * (sxy / syy)).clamp(0.0, 1.0)),
    })
}

impl Line {
    /// The residuals; `None` when they are rounding dust.
    pub(super) fn residuals(&self, series: &Series) -> Option<Vec<f64>> {
        series.residuals(|index, y| {
            let x = series.x().get(index).copied().unwrap_or_default();
            (y - self.mean_y) - self.slope * (x - self.mean_x)
        })
    }
}

/// Newey and West's (1994) rule of thumb for the number of lags: ⌊4 (n/100)^(2/9)⌋.
#[must_use]
pub fn newey_west_lags(n: usize) -> usize {
    (4.0 * (n as f64 / 100.0).powf(2.0 / 9.0)).floor() as usize
}

/// Fits a line through the observations, with Newey and West's (1987) standard error of its slope.
///
/// Lags are counted between observations in the order of their positions, up to `max_lag` (default:
/// [`newey_west_lags`]) with Bartlett's weights 1 − l/(L+1); the covariance is multiplied by n/(n−2), and p-value and
/// interval are Student's with n − 2 degrees of freedom. `max_lag` 0 is White's error (HC1). Fewer than [`MIN_POINTS`]
/// observations, or all at one position, give `None`.
///
/// # Errors
/// A confidence outside (0, 1), more memory than `budget`, a slope that no finite number holds, an interruption.
pub fn ordinary_least_squares(
    series: &Series,
    max_lag: Option<usize>,
    confidence: f64,
    budget: &Budget,
    progress: &mut impl Progress,
) -> Result<Option<LeastSquares>, TrendError> {
    let confidence = probability("confidence_level", confidence)?;
    let Some(line) = line(series) else {
        return Ok(None);
    };
    let n = series.len();
    let standard_error = match line.residuals(series) {
        None => 0.0,
        Some(mut scores) => {
            for (score, x) in scores.iter_mut().zip(series.x()) {
                *score *= x - line.mean_x;
            }
            let lags = max_lag.unwrap_or_else(|| newey_west_lags(n)).min(n - 1);
            let sums = lag_sums(&scores, Grid::CONSECUTIVE, lags, budget, progress)?;
            let weighted: f64 = sums
                .iter()
                .enumerate()
                .skip(1)
                .map(|(lag, sum)| 2.0 * (1.0 - lag as f64 / (lags as f64 + 1.0)) * sum)
                .sum();
            let middle = sums.first().copied().unwrap_or_default() + weighted;
            (middle.max(0.0) * n as f64 / (n as f64 - 2.0)).sqrt() / line.sxx
        }
    };
    let df = n as f64 - 2.0;
    let (t, p_value) = if line.slope == 0.0 {
        (0.0, 1.0)
    } else if standard_error == 0.0 {
        (f64::INFINITY.copysign(line.slope), 0.0)
    } else {
        let t = line.slope / standard_error;
        (t, t_two_sided(t, df))
    };
    let half = if standard_error == 0.0 {
        0.0
    } else {
        t_two_sided_critical(confidence, df) * standard_error
    };
    Ok(Some(LeastSquares {
        n,
        slope: series.slope(line.slope)?,
        intercept: series.level(line.mean_y - line.slope * line.mean_x)?,
        r2: line.r2,
        standard_error: series.slope(standard_error)?,
        t,
        p_value,
        slope_low: series.slope(line.slope - half)?,
        slope_high: series.slope(line.slope + half)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    fn fit(positions: Option<&[f64]>, values: &[f64]) -> Option<LeastSquares> {
        let series = Series::new(values.to_vec(), positions.map(<[f64]>::to_vec)).unwrap();
        let budget = Budget::new(1 << 20);
        ordinary_least_squares(&series, None, 0.95, &budget, &mut Uninterruptible).unwrap()
    }

    #[test]
    fn a_perfect_line_is_found() {
        let fit = fit(None, &[1.0, 3.0, 5.0, 7.0]).unwrap();
        assert_eq!((fit.slope, fit.intercept, fit.r2), (2.0, 1.0, Some(1.0)));
        assert_eq!((fit.t, fit.p_value), (f64::INFINITY, 0.0));
        assert_eq!((fit.slope_low, fit.slope_high), (2.0, 2.0));
    }

    #[test]
    fn missing_values_keep_the_positions_of_the_others() {
        let fit = fit(None, &[0.0, f64::NAN, 2.0, f64::NAN, 4.0]).unwrap();
        assert_eq!((fit.n, fit.slope), (3, 1.0));
    }

    #[test]
    fn a_constant_series_has_slope_zero_and_no_r2() {
        let fit = fit(None, &[0.1; 7]).unwrap();
        assert_eq!((fit.slope, fit.intercept, fit.r2), (0.0, 0.1, None));
        assert_eq!((fit.t, fit.p_value, fit.slope_high), (0.0, 1.0, 0.0));
    }

    #[test]
    fn too_few_observations_or_one_position_have_no_answer() {
        assert_eq!(fit(None, &[1.0, 2.0]), None);
        assert_eq!(fit(Some(&[0.1; 3]), &[1.0, 2.0, 3.0]), None);
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(matches!(
            Series::new(vec![], Some(vec![0.0])),
            Err(TrendError::LengthMismatch { .. })
        ));
        assert_eq!(
            Series::new(vec![1.0, 2.0], Some(vec![0.0, f64::NAN])),
            Err(TrendError::Position { position: 2 })
        );
    }

    #[test]
    fn the_lag_rule() {
        assert_eq!(
            [3, 30, 100, 365, 1_000_000].map(newey_west_lags),
            [1, 3, 4, 5, 30]
        );
    }
}
