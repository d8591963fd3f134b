//! The interval of a proportion. It returns exactly one row, of NULLs where there is no answer, so that a group without one
//! does not vanish from a SELECT list.
#![allow(
    clippy::type_complexity,
    reason = "rows are declared where pgrx reads them"
)]

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sop_analytics::statistics;

use crate::error::from_analytics;

#[pg_extern(immutable, parallel_safe)]
fn proportion_interval(
    successes: Option<i64>,
    trials: Option<i64>,
    level: default!(Option<f64>, 0.95),
) -> Result<
    TableIterator<
        'static,
        (
            name!(proportion, Option<f64>),
            name!(lower, Option<f64>),
            name!(upper, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let found = match (successes, trials, level) {
        (Some(successes), Some(trials), Some(level)) => {
            statistics::wilson_interval(successes, trials, level).map_err(from_analytics)?
        }
        _ => None,
    };
    Ok(TableIterator::once((
        found.map(|found| found.proportion),
        found.map(|found| found.interval.lower),
        found.map(|found| found.interval.upper),
    )))
}

extension_sql!(
    r#"
ALTER FUNCTION proportion_interval(bigint, bigint, float8) ROWS 1;
COMMENT ON FUNCTION proportion_interval(bigint, bigint, float8) IS 'Wilson''s score interval for successes of trials at a confidence level between 0 and 1; one row, of NULLs for no trials. Example: SELECT * FROM proportion_interval(45, 50)';
"#,
    name = "proportion_interval_comment",
    requires = [proportion_interval]
);
