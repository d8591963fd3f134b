//! What a sample of points says about the line of the population.

use super::{DoubleDouble, RegressionSummary};
use crate::statistics::error::StatisticsError;
use crate::statistics::interval::{Interval, check_level};
use crate::statistics::special::{t_two_sided, t_two_sided_critical};

/// The least-squares line and the test of its slope.
///
/// What needs residual degrees of freedom is `None` for two points, whose line passes through both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegressionTest {
    /// The slope.
    pub slope: f64,
    /// The standard error of the slope.
    pub slope_error: Option<f64>,
    /// The confidence interval of the slope.
    pub slope_interval: Option<Interval>,
    /// The line's y at x = 0.
    pub intercept: f64,
    /// The standard error of the intercept.
    pub intercept_error: Option<f64>,
    /// The standard deviation of the residuals, over n - 2.
    pub residual_error: Option<f64>,
    /// The slope over its standard error; infinite for a perfect fit, `None` where y does not vary.
    pub t: Option<f64>,
    /// Degrees of freedom, n - 2.
    pub df: f64,
    /// The two-sided p-value of the hypothesis that the slope is 0; `None` where y does not vary.
    pub p_value: Option<f64>,
}

/// The standard deviation of the residuals.
fn residual_error(summary: &RegressionSummary) -> Option<f64> {
    if summary.n < 3 {
        return None;
    }
    let squares = summary.residual_squares()?;
    Some((squares / (summary.n - 2) as f64).sqrt())
}

/// Student's t-test of the slope against 0, under independent normal residuals of equal variance.
///
/// `None` for fewer than two points and where x does not vary. NaN or an infinity makes the results that depend on it
/// NaN.
///
/// # Errors
/// [`StatisticsError::Level`] unless `0 < level < 1`.
pub fn regression_test(
    summary: &RegressionSummary,
    level: f64,
) -> Result<Option<RegressionTest>, StatisticsError> {
    let level = check_level(level)?;
    let (Some(slope), Some(intercept)) = (summary.slope(), summary.intercept()) else {
        return Ok(None);
    };
    let n = summary.n as f64;
    let df = n - 2.0;
    let error = residual_error(summary);
    let spread = summary.xx.high.sqrt();
    let slope_error = error.map(|error| error / spread);
    // A constant y has nothing that a slope could explain.
    let t = slope_error
        .filter(|_| summary.yy.high != 0.0)
        .map(|error| slope / error);
    let mean = summary.over_n(summary.x);
    Ok(Some(RegressionTest {
        slope,
        slope_error,
        slope_interval: slope_error.map(|error| {
            let margin = t_two_sided_critical(level, df) * error;
            Interval {
                lower: slope - margin,
                upper: slope + margin,
            }
        }),
        intercept,
        intercept_error: error.map(|error| error * (1.0 / n.sqrt()).hypot(mean / spread)),
        residual_error: error,
        t,
        df,
        p_value: t.map(|t| t_two_sided(t, df)),
    }))
}

/// What the line says about one x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegressionPrediction {
    /// The line's y.
    pub prediction: f64,
    /// Its standard error as an estimate of the mean y at this x; `None` for two points.
    pub standard_error: Option<f64>,
    /// The confidence interval of the mean y at this x.
    pub mean_interval: Option<Interval>,
    /// The prediction interval: where one more y at this x will lie.
    pub interval: Option<Interval>,
}

/// The line's y at x with the confidence interval of the mean and the prediction interval of a single value.
///
/// `None` for fewer than two points and where x does not vary; a NaN or infinite x gives NaN.
///
/// # Errors
/// [`StatisticsError::Level`] unless `0 < level < 1`.
pub fn regression_prediction(
    summary: &RegressionSummary,
    x: f64,
    level: f64,
) -> Result<Option<RegressionPrediction>, StatisticsError> {
    let level = check_level(level)?;
    let Some(slope) = summary.exact_slope() else {
        return Ok(None);
    };
    let n = summary.n as f64;
    let known = x.is_finite() && summary.x.high.is_finite();
    let distance = if known {
        let scaled = DoubleDouble::new(x).scaled(n).minus(summary.x);
        scaled.over(DoubleDouble::new(n))
    } else {
        DoubleDouble::new(f64::NAN)
    };
    let centre = summary.y.over(DoubleDouble::new(n));
    let prediction = slope.times(distance).plus(centre).high;
    let spread = summary.xx.high.sqrt();
    let leverage = (1.0 / n.sqrt()).hypot(distance.high / spread);
    let error = residual_error(summary);
    let around = |error: f64| {
        let margin = t_two_sided_critical(level, n - 2.0) * error;
        Interval {
            lower: prediction - margin,
            upper: prediction + margin,
        }
    };
    Ok(Some(RegressionPrediction {
        prediction,
        standard_error: error.map(|error| error * leverage),
        mean_interval: error.map(|error| around(error * leverage)),
        interval: error.map(|error| around(error * leverage.hypot(1.0))),
    }))
}
