//! Trends of a series of values.
#![expect(
    clippy::type_complexity,
    reason = "rows are declared where pgrx reads them"
)]

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sop_analytics::trend::{
    Direction, even_positions, mann_kendall, ordinary_least_squares, theil_sen,
};

use crate::arguments::required;
use crate::arrays::missing_as_nan;
use crate::error::{from_analytics, invalid_parameter};
use crate::interrupts::Interrupts;

/// Below this p-value a direction is reported.
const ALPHA: f64 = 0.05;

/// Tests a series for a monotone trend and estimates its slope.
#[pg_extern(immutable, parallel_safe)]
fn trend_test(
    series: Option<Array<'_, f64>>,
    method: default!(Option<&str>, "'mann_kendall'"),
    positions: default!(Option<Array<'_, f64>>, "NULL"),
    confidence_level: default!(Option<f64>, "0.95"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(direction, String),
            name!(n, i64),
            name!(slope, Option<f64>),
            name!(slope_low, Option<f64>),
            name!(slope_high, Option<f64>),
            name!(intercept, Option<f64>),
            name!(tau, Option<f64>),
            name!(statistic, Option<f64>),
            name!(p_value, Option<f64>),
            name!(r2, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let method = required("method", method)?;
    let confidence_level = required("confidence_level", confidence_level)?;
    if method != "mann_kendall" {
        return Err(
            invalid_parameter(format!("unknown trend method \"{method}\""))
                .set_hint("The method is mann_kendall."),
        );
    }
    let series = match series {
        Some(array) => missing_as_nan(array, "series")?,
        None => Vec::new(),
    };
    let positions = match positions {
        Some(array) => missing_as_nan(array, "positions")?,
        None => even_positions(series.len()),
    };
    let mut progress = Interrupts;
    let sen =
        theil_sen(&positions, &series, confidence_level, &mut progress).map_err(from_analytics)?;
    let kendall = mann_kendall(&series, ALPHA, &mut progress).map_err(from_analytics)?;
    let line = ordinary_least_squares(&positions, &series).map_err(from_analytics)?;
    let present = series.iter().filter(|value| !value.is_nan()).count();
    Ok(TableIterator::once((
        kendall
            .map_or(Direction::NoTrend, |found| found.direction)
            .as_str()
            .to_owned(),
        present as i64,
        sen.map(|found| found.slope),
        sen.map(|found| found.slope_low),
        sen.map(|found| found.slope_high),
        sen.map(|found| found.intercept),
        kendall.map(|found| found.tau),
        kendall.map(|found| found.z),
        kendall.map(|found| found.p_value),
        line.and_then(|found| found.r2),
    )))
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.trend_test(float8[], text, float8[], float8) IS
'Mann-Kendall test of a series in time order (direction at 5 %, tau, z as statistic, two-sided p_value), Theil-Sen slope per position with Sen''s interval at confidence_level, and R² of the ordinary line. positions: where the elements stand (default 0, 1, 2, …). NULL and NaN elements are missing; fewer than 3 observations give no_trend and NULLs. Example: SELECT * FROM sop_ml.trend_test(''{1,2,4,3,5,7,8}'');';
"#,
    name = "comment_trend",
    requires = [trend_test]
);
