//! Trends of a series of values.
#![expect(
    clippy::type_complexity,
    reason = "rows are declared where pgrx reads them"
)]

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sop_analytics::budget::Budget;
use sop_analytics::trend::{self, Series, TrendOptions};

use crate::arguments::required;
use crate::arrays::missing_as_nan;
use crate::error::from_analytics;
use crate::interrupts::Interrupts;
use crate::settings;

/// Tests a series for a trend and estimates its slope.
#[pg_extern(immutable, parallel_safe, cost = 1000)]
fn trend_test(
    series: Option<Array<'_, f64>>,
    method: default!(Option<&str>, "'mann_kendall'"),
    positions: default!(Option<Array<'_, f64>>, "NULL"),
    confidence_level: default!(Option<f64>, "0.95"),
    seasonality: default!(Option<i32>, "NULL"),
    max_lag: default!(Option<i32>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(direction, String),
            name!(slope, Option<f64>),
            name!(slope_low, Option<f64>),
            name!(slope_high, Option<f64>),
            name!(tau, Option<f64>),
            name!(p_value, Option<f64>),
            name!(r2, Option<f64>),
            name!(n, i64),
            name!(statistic, Option<f64>),
            name!(intercept, Option<f64>),
            name!(autocorrelation, Option<f64>),
            name!(method, String),
        ),
    >,
    ErrorReport,
> {
    let plan = TrendOptions {
        method: required("method", method)?,
        confidence_level: required("confidence_level", confidence_level)?,
        seasonality,
        max_lag,
    }
    .check()
    .map_err(from_analytics)?;
    let values = match series {
        Some(array) => missing_as_nan(array, "series")?,
        None => Vec::new(),
    };
    let positions = positions
        .map(|array| missing_as_nan(array, "positions"))
        .transpose()?;
    let series = Series::new(values, positions).map_err(from_analytics)?;
    let budget = Budget::new(settings::max_state_bytes());
    let found =
        trend::trend_test(&series, &plan, &budget, &mut Interrupts).map_err(from_analytics)?;
    let numbers = found.trend;
    Ok(TableIterator::once((
        found.direction.as_str().to_owned(),
        numbers.map(|trend| trend.slope),
        numbers.map(|trend| trend.slope_low),
        numbers.map(|trend| trend.slope_high),
        numbers.and_then(|trend| trend.tau),
        numbers.and_then(|trend| trend.p_value),
        numbers.and_then(|trend| trend.r2),
        found.n as i64,
        numbers.and_then(|trend| trend.statistic),
        numbers.map(|trend| trend.intercept),
        numbers.and_then(|trend| trend.autocorrelation),
        found.method.as_str().to_owned(),
    )))
}

extension_sql!(
    r#"
ALTER FUNCTION sop_ml.trend_test(float8[], text, float8[], float8, int, int) ROWS 1;
COMMENT ON FUNCTION sop_ml.trend_test(float8[], text, float8[], float8, int, int) IS
'Tests a series in time order for a trend and estimates its slope per position. method: mann_kendall (independent observations), hamed_rao, yue_wang, pre_whitening, trend_free_pre_whitening (autocorrelated ones), seasonal_mann_kendall (needs seasonality, the number of positions in a season), ordinary_least_squares (a line with Newey-West errors). direction at 1 - confidence_level; slope with interval is Theil-Sen''s, or the line''s; p_value is two-sided; statistic is z, or t. positions: where the elements stand (default 0, 1, 2, …). max_lag: the largest lag that counts for hamed_rao, yue_wang and ordinary_least_squares. NULL and NaN elements are missing; fewer than 3 observations give no_trend and NULLs. Example: SELECT * FROM sop_ml.trend_test(''{1,2,4,3,5,7,8}'', ''yue_wang'');';
"#,
    name = "comment_trend",
    requires = [trend_test]
);
