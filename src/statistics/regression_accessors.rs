//! What a `regression_summary` answers.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sop_analytics::statistics::{self, Interval};

use super::stats_accessors::estimator;
use super::types::RegressionSummary;
use crate::error::{PgResult, from_analytics};

#[pg_extern(immutable, strict, parallel_safe, name = "num_vals")]
fn regression_num_vals(summary: RegressionSummary) -> i64 {
    summary.0.n().cast_signed()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn average_x(summary: RegressionSummary) -> Option<f64> {
    summary.0.mean_x()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn average_y(summary: RegressionSummary) -> Option<f64> {
    summary.0.mean_y()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn stddev_x(
    summary: RegressionSummary,
    method: default!(&str, "'sample'"),
) -> PgResult<Option<f64>> {
    Ok(summary.0.variance_x(estimator(method)?).map(f64::sqrt))
}

#[pg_extern(immutable, strict, parallel_safe)]
fn stddev_y(
    summary: RegressionSummary,
    method: default!(&str, "'sample'"),
) -> PgResult<Option<f64>> {
    Ok(summary.0.variance_y(estimator(method)?).map(f64::sqrt))
}

#[pg_extern(immutable, strict, parallel_safe)]
fn covariance(
    summary: RegressionSummary,
    method: default!(&str, "'sample'"),
) -> PgResult<Option<f64>> {
    Ok(summary.0.covariance(estimator(method)?))
}

#[pg_extern(immutable, strict, parallel_safe)]
fn correlation(summary: RegressionSummary) -> Option<f64> {
    summary.0.correlation()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn r2(summary: RegressionSummary) -> Option<f64> {
    summary.0.r2()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn slope(summary: RegressionSummary) -> Option<f64> {
    summary.0.slope()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn intercept(summary: RegressionSummary) -> Option<f64> {
    summary.0.intercept()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn x_intercept(summary: RegressionSummary) -> Option<f64> {
    summary.0.x_intercept()
}

fn bounds(interval: Option<Interval>) -> (Option<f64>, Option<f64>) {
    (
        interval.map(|found| found.lower),
        interval.map(|found| found.upper),
    )
}

/// Always one row, so that a group without a line does not vanish from a SELECT list.
#[pg_extern(immutable, parallel_safe)]
fn regression_test(
    summary: Option<RegressionSummary>,
    level: default!(Option<f64>, 0.95),
) -> Result<
    TableIterator<
        'static,
        (
            name!(slope, Option<f64>),
            name!(slope_error, Option<f64>),
            name!(slope_lower, Option<f64>),
            name!(slope_upper, Option<f64>),
            name!(intercept, Option<f64>),
            name!(intercept_error, Option<f64>),
            name!(residual_error, Option<f64>),
            name!(t, Option<f64>),
            name!(df, Option<f64>),
            name!(p_value, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let found = match (summary, level) {
        (Some(summary), Some(level)) => {
            statistics::regression_test(&summary.0, level).map_err(from_analytics)?
        }
        _ => None,
    };
    let (lower, upper) = bounds(found.and_then(|found| found.slope_interval));
    Ok(TableIterator::once((
        found.map(|found| found.slope),
        found.and_then(|found| found.slope_error),
        lower,
        upper,
        found.map(|found| found.intercept),
        found.and_then(|found| found.intercept_error),
        found.and_then(|found| found.residual_error),
        found.and_then(|found| found.t),
        found.map(|found| found.df),
        found.and_then(|found| found.p_value),
    )))
}

/// Always one row, as [`regression_test`].
#[pg_extern(immutable, parallel_safe)]
fn regression_prediction(
    summary: Option<RegressionSummary>,
    x: Option<f64>,
    level: default!(Option<f64>, 0.95),
) -> Result<
    TableIterator<
        'static,
        (
            name!(prediction, Option<f64>),
            name!(standard_error, Option<f64>),
            name!(mean_lower, Option<f64>),
            name!(mean_upper, Option<f64>),
            name!(lower, Option<f64>),
            name!(upper, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let found = match (summary, x, level) {
        (Some(summary), Some(x), Some(level)) => {
            statistics::regression_prediction(&summary.0, x, level).map_err(from_analytics)?
        }
        _ => None,
    };
    let (mean_lower, mean_upper) = bounds(found.and_then(|found| found.mean_interval));
    let (lower, upper) = bounds(found.and_then(|found| found.interval));
    Ok(TableIterator::once((
        found.map(|found| found.prediction),
        found.and_then(|found| found.standard_error),
        mean_lower,
        mean_upper,
        lower,
        upper,
    )))
}

extension_sql!(
    r#"
ALTER FUNCTION regression_test(regression_summary, float8) ROWS 1;
ALTER FUNCTION regression_prediction(regression_summary, float8, float8) ROWS 1;
COMMENT ON FUNCTION num_vals(regression_summary) IS 'How many points. Example: num_vals(regression_agg(y, x))';
COMMENT ON FUNCTION average_x(regression_summary) IS 'The mean of x. Example: average_x(regression_agg(y, x))';
COMMENT ON FUNCTION average_y(regression_summary) IS 'The mean of y. Example: average_y(regression_agg(y, x))';
COMMENT ON FUNCTION stddev_x(regression_summary, text) IS 'The standard deviation of x; method is sample (n - 1, NULL below two points) or population (n). Example: stddev_x(regression_agg(y, x))';
COMMENT ON FUNCTION stddev_y(regression_summary, text) IS 'The standard deviation of y; method is sample (n - 1, NULL below two points) or population (n). Example: stddev_y(regression_agg(y, x))';
COMMENT ON FUNCTION covariance(regression_summary, text) IS 'The covariance of x and y; method is sample (n - 1, NULL below two points) or population (n). Example: covariance(regression_agg(y, x))';
COMMENT ON FUNCTION correlation(regression_summary) IS 'Pearson''s correlation; NULL where x or y does not vary. Example: correlation(regression_agg(y, x))';
COMMENT ON FUNCTION r2(regression_summary) IS 'The share of the variance of y that the line explains; NULL where x does not vary, 1 where y does not. Example: r2(regression_agg(y, x))';
COMMENT ON FUNCTION slope(regression_summary) IS 'The slope of the least-squares line; NULL where x does not vary. Example: slope(regression_agg(y, x))';
COMMENT ON FUNCTION intercept(regression_summary) IS 'The line''s y at x = 0; NULL where x does not vary. Example: intercept(regression_agg(y, x))';
COMMENT ON FUNCTION x_intercept(regression_summary) IS 'The line''s x at y = 0; NULL where x does not vary or the line is horizontal. Example: x_intercept(regression_agg(stock, day))';
COMMENT ON FUNCTION regression_test(regression_summary, float8) IS 'The line with its standard errors, the confidence interval of the slope and Student''s t-test of the slope against 0; one row, of NULLs where x does not vary; errors and test are NULL below three points. Example: SELECT slope, p_value FROM regression_test(summary, level => 0.99)';
COMMENT ON FUNCTION regression_prediction(regression_summary, float8, float8) IS 'The line''s y at x with the confidence interval of the mean (mean_lower, mean_upper) and the prediction interval of one more value (lower, upper); one row, of NULLs where x does not vary. Example: SELECT prediction, lower, upper FROM regression_prediction(summary, 31)';
"#,
    name = "regression_accessors",
    requires = [
        regression_num_vals,
        average_x,
        average_y,
        stddev_x,
        stddev_y,
        covariance,
        correlation,
        r2,
        slope,
        intercept,
        x_intercept,
        regression_test,
        regression_prediction
    ]
);
