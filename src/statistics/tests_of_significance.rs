//! Intervals and tests over summaries, counts and arrays. Each returns exactly one row, of NULLs where there is no
//! answer, so that a group without one does not vanish from a SELECT list.
#![allow(
    clippy::type_complexity,
    reason = "rows are declared where pgrx reads them"
)]

use pgrx::datum::Array;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sop_analytics::statistics;

use super::types::StatsSummary;
use crate::arrays::values;
use crate::error::from_analytics;
use crate::interrupts::Interrupts;

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

#[pg_extern(immutable, parallel_safe)]
fn welch_t_test(
    first_summary: Option<StatsSummary>,
    second_summary: Option<StatsSummary>,
    level: default!(Option<f64>, 0.95),
) -> Result<
    TableIterator<
        'static,
        (
            name!(difference, Option<f64>),
            name!(lower, Option<f64>),
            name!(upper, Option<f64>),
            name!(t, Option<f64>),
            name!(df, Option<f64>),
            name!(p_value, Option<f64>),
            name!(effect_size, Option<f64>),
            name!(effect_lower, Option<f64>),
            name!(effect_upper, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let found = match (first_summary, second_summary, level) {
        (Some(first), Some(second), Some(level)) => {
            statistics::welch_t_test(&first.0, &second.0, level).map_err(from_analytics)?
        }
        _ => None,
    };
    Ok(TableIterator::once((
        found.map(|found| found.difference),
        found.map(|found| found.interval.lower),
        found.map(|found| found.interval.upper),
        found.map(|found| found.t),
        found.map(|found| found.df),
        found.map(|found| found.p_value),
        found.map(|found| found.effect_size),
        found.map(|found| found.effect_interval.lower),
        found.map(|found| found.effect_interval.upper),
    )))
}

#[pg_extern(immutable, parallel_safe)]
fn ks_test(
    first_sample: Option<Array<'_, f64>>,
    second_sample: Option<Array<'_, f64>>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(statistic, Option<f64>),
            name!(p_value, Option<f64>),
            name!(method, Option<&'static str>),
        ),
    >,
    ErrorReport,
> {
    let found = match (first_sample, second_sample) {
        (Some(first), Some(second)) => {
            let first = values(first, "first_sample")?;
            let second = values(second, "second_sample")?;
            statistics::ks_two_sample(&first, &second, &mut Interrupts).map_err(from_analytics)?
        }
        _ => None,
    };
    Ok(TableIterator::once((
        found.map(|found| found.statistic),
        found.map(|found| found.p_value),
        found.map(|found| found.method.name()),
    )))
}

#[pg_extern(immutable, parallel_safe)]
fn chi_square_test(
    observed: Option<Array<'_, i64>>,
    expected: default!(Option<Array<'_, f64>>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(statistic, Option<f64>),
            name!(df, Option<f64>),
            name!(p_value, Option<f64>),
            name!(smallest_expected, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let expected = expected
        .map(|expected| values(expected, "expected"))
        .transpose()?;
    let found = match observed {
        Some(observed) => {
            statistics::chi_square_counts(&values(observed, "observed")?, expected.as_deref())
                .map_err(from_analytics)?
        }
        None => None,
    };
    Ok(TableIterator::once((
        found.map(|found| found.statistic),
        found.map(|found| found.df),
        found.map(|found| found.p_value),
        found.map(|found| found.smallest_expected),
    )))
}

extension_sql!(
    r#"
ALTER FUNCTION proportion_interval(bigint, bigint, float8) ROWS 1;
ALTER FUNCTION welch_t_test(stats_summary, stats_summary, float8) ROWS 1;
ALTER FUNCTION ks_test(float8[], float8[]) ROWS 1 COST 1000;
ALTER FUNCTION chi_square_test(bigint[], float8[]) ROWS 1;
COMMENT ON FUNCTION proportion_interval(bigint, bigint, float8) IS 'Wilson''s score interval for successes of trials at a confidence level between 0 and 1; one row, of NULLs for no trials. Example: SELECT * FROM proportion_interval(45, 50)';
COMMENT ON FUNCTION welch_t_test(stats_summary, stats_summary, float8) IS 'Welch''s t-test of the difference of two means (first minus second) with its interval and Hedges'' g; one row, of NULLs when a group has fewer than two values or nothing varies. Example: SELECT difference, p_value FROM welch_t_test(this_week, last_week)';
COMMENT ON FUNCTION ks_test(float8[], float8[]) IS 'Two-sample Kolmogorov-Smirnov test, exact up to 10,000 values each; one row, of NULLs when a sample is empty. Example: SELECT statistic, p_value FROM ks_test(''{1,2,3}'', ''{2,3,4}'')';
COMMENT ON FUNCTION chi_square_test(bigint[], float8[]) IS 'Pearson''s chi-square test of observed counts against expected counts or weights (scaled to the observed total; NULL for equal shares); one row, of NULLs when nothing was observed. Example: SELECT p_value FROM chi_square_test(''{48,52}'')';
"#,
    name = "tests_of_significance",
    requires = [proportion_interval, welch_t_test, ks_test, chi_square_test]
);
