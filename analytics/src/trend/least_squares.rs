//! A straight line by ordinary least squares.

use super::{MIN_POINTS, TrendError, observations};

/// A fitted line and how much of the variance it explains.
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
}

/// Fits a line through the observations.
///
/// NaN elements are missing. Fewer than [`MIN_POINTS`] observations, or all at one position, give `None`.
///
/// # Errors
/// Unequal lengths, a position that is not finite, an infinite value.
pub fn ordinary_least_squares(
    positions: &[f64],
    series: &[f64],
) -> Result<Option<LeastSquares>, TrendError> {
    let (x, y) = observations(positions, series)?;
    let n = x.len();
    if n < MIN_POINTS {
        return Ok(None);
    }
    let count = n as f64;
    // Means by division first: a sum of large finite values may overflow, a mean does not.
    let mean_x: f64 = x.iter().map(|v| v / count).sum();
    let mean_y: f64 = y.iter().map(|v| v / count).sum();
    let (mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0);
    for (&xi, &yi) in x.iter().zip(&y) {
        let (dx, dy) = (xi - mean_x, yi - mean_y);
        sxx += dx * dx;
        sxy += dx * dy;
        syy += dy * dy;
    }
    if sxx == 0.0 {
        return Ok(None);
    }
    let slope = sxy / sxx;
    let first = y.first().copied().unwrap_or_default();
    // Exactly equal values leave rounding dust in syy, of which a share explained would be noise.
    let constant = y.iter().all(|&v| v == first);
    Ok(Some(LeastSquares {
        n,
        slope: if constant { 0.0 } else { slope },
        intercept: if constant {
            first
        } else {
            mean_y - slope * mean_x
        },
        r2: (!constant && syy > 0.0).then(|| ((sxy / sxx) * (sxy / syy)).clamp(0.0, 1.0)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trend::even_positions;

    #[test]
    fn a_perfect_line_is_found() {
        let fit = ordinary_least_squares(&even_positions(4), &[1.0, 3.0, 5.0, 7.0])
            .unwrap()
            .unwrap();
        assert_eq!((fit.slope, fit.intercept, fit.r2), (2.0, 1.0, Some(1.0)));
    }

    #[test]
    fn missing_values_keep_the_positions_of_the_others() {
        let fit = ordinary_least_squares(&even_positions(5), &[0.0, f64::NAN, 2.0, f64::NAN, 4.0])
            .unwrap()
            .unwrap();
        assert_eq!((fit.n, fit.slope), (3, 1.0));
    }

    #[test]
    fn a_constant_series_has_slope_zero_and_no_r2() {
        let fit = ordinary_least_squares(&even_positions(7), &[0.1; 7])
            .unwrap()
            .unwrap();
        assert_eq!((fit.slope, fit.intercept, fit.r2), (0.0, 0.1, None));
    }

    #[test]
    fn too_few_observations_or_one_position_have_no_answer() {
        assert_eq!(ordinary_least_squares(&[0.0, 1.0], &[1.0, 2.0]), Ok(None));
        assert_eq!(
            ordinary_least_squares(&[1.0; 3], &[1.0, 2.0, 3.0]),
            Ok(None)
        );
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(matches!(
            ordinary_least_squares(&[0.0], &[]),
            Err(TrendError::LengthMismatch { .. })
        ));
        assert_eq!(
            ordinary_least_squares(&[0.0, f64::NAN], &[1.0, 2.0]),
            Err(TrendError::Position { position: 2 })
        );
    }
}
