//! What a `stats_summary` answers.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sop_analytics::statistics::{Estimator, mean_interval_by};

use super::types::StatsSummary;
use crate::error::{PgResult, from_analytics, invalid_parameter};

/// The `method` argument: long and short names, as in timescaledb-toolkit.
pub(super) fn estimator(method: &str) -> PgResult<Estimator> {
    match method {
        "sample" | "samp" => Ok(Estimator::Sample),
        "population" | "pop" => Ok(Estimator::Population),
        "frequency" | "freq" => Ok(Estimator::Frequency),
        other => Err(invalid_parameter(format!(
            "method must be sample, population or frequency, not {other:?}"
        ))
        .set_hint("Use 'sample' (n - 1, the default), 'population' (n), or 'frequency' where weights count repetitions.")),
    }
}

#[pg_extern(immutable, strict, parallel_safe)]
fn average(summary: StatsSummary) -> Option<f64> {
    summary.0.mean()
}

#[pg_extern(immutable, strict, parallel_safe, name = "sum")]
fn stats_sum(summary: StatsSummary) -> Option<f64> {
    summary.0.sum()
}

#[pg_extern(immutable, strict, parallel_safe, name = "num_vals")]
fn stats_num_vals(summary: StatsSummary) -> i64 {
    summary.0.n().cast_signed()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn sum_weights(summary: StatsSummary) -> Option<f64> {
    summary.0.sum_weights()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn effective_size(summary: StatsSummary) -> Option<f64> {
    summary.0.effective_size()
}

#[pg_extern(immutable, strict, parallel_safe, name = "min_val")]
fn stats_min_val(summary: StatsSummary) -> Option<f64> {
    summary.0.min()
}

#[pg_extern(immutable, strict, parallel_safe, name = "max_val")]
fn stats_max_val(summary: StatsSummary) -> Option<f64> {
    summary.0.max()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn variance(summary: StatsSummary, method: default!(&str, "'sample'")) -> PgResult<Option<f64>> {
    Ok(summary.0.variance(estimator(method)?))
}

#[pg_extern(immutable, strict, parallel_safe)]
fn stddev(summary: StatsSummary, method: default!(&str, "'sample'")) -> PgResult<Option<f64>> {
    Ok(summary.0.stddev(estimator(method)?))
}

#[pg_extern(immutable, strict, parallel_safe)]
fn skewness(summary: StatsSummary, method: default!(&str, "'sample'")) -> PgResult<Option<f64>> {
    Ok(summary.0.skewness(estimator(method)?))
}

#[pg_extern(immutable, strict, parallel_safe)]
fn kurtosis(summary: StatsSummary, method: default!(&str, "'sample'")) -> PgResult<Option<f64>> {
    Ok(summary.0.kurtosis(estimator(method)?))
}

/// Always one row, so that a group without an interval does not vanish from a SELECT list.
#[pg_extern(immutable, parallel_safe)]
#[allow(
    clippy::type_complexity,
    reason = "the row is declared where pgrx reads it"
)]
fn confidence_interval(
    summary: Option<StatsSummary>,
    level: default!(Option<f64>, 0.95),
    method: default!(Option<&str>, "'sample'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(mean, Option<f64>),
            name!(standard_error, Option<f64>),
            name!(lower, Option<f64>),
            name!(upper, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let found = match (summary, level, method.map(estimator).transpose()?) {
        (_, _, Some(Estimator::Population)) => {
            return Err(invalid_parameter(
                "method of an interval must be sample or frequency, not population",
            ));
        }
        (Some(summary), Some(level), Some(estimator)) => {
            mean_interval_by(&summary.0, estimator, level).map_err(from_analytics)?
        }
        _ => None,
    };
    Ok(TableIterator::once((
        found.map(|found| found.mean),
        found.map(|found| found.standard_error),
        found.map(|found| found.interval.lower),
        found.map(|found| found.interval.upper),
    )))
}

extension_sql!(
    r#"
ALTER FUNCTION confidence_interval(stats_summary, float8, text) ROWS 1;
COMMENT ON FUNCTION average(stats_summary) IS 'The (weighted) arithmetic mean. Example: average(stats_agg(duration))';
COMMENT ON FUNCTION sum(stats_summary) IS 'The (weighted) sum, rounded once. Example: sum(stats_agg(cost))';
COMMENT ON FUNCTION num_vals(stats_summary) IS 'How many values. Example: num_vals(stats_agg(duration))';
COMMENT ON FUNCTION sum_weights(stats_summary) IS 'The sum of the weights; the number of values where there are none. Example: sum_weights(stats_agg(score, weight))';
COMMENT ON FUNCTION effective_size(stats_summary) IS 'How many equally weighted values tell as much: (sum of weights)² / sum of squared weights; the number of values where there are no weights. Example: effective_size(stats_agg(score, weight))';
COMMENT ON FUNCTION min_val(stats_summary) IS 'The smallest value. Example: min_val(stats_agg(duration))';
COMMENT ON FUNCTION max_val(stats_summary) IS 'The largest value. Example: max_val(stats_agg(duration))';
COMMENT ON FUNCTION variance(stats_summary, text) IS 'The variance; method is sample (n - 1, NULL below two values), population (n) or frequency (sum of weights - 1). Example: variance(stats_agg(duration), ''population'')';
COMMENT ON FUNCTION stddev(stats_summary, text) IS 'The standard deviation; method is sample (n - 1, NULL below two values), population (n) or frequency (sum of weights - 1). Example: stddev(stats_agg(duration))';
COMMENT ON FUNCTION skewness(stats_summary, text) IS 'The skewness: G1 (sample, NULL below three values) or g1 (population); NULL for a constant. Example: skewness(stats_agg(duration))';
COMMENT ON FUNCTION kurtosis(stats_summary, text) IS 'The kurtosis, 3 for a normal distribution: G2 + 3 (sample, NULL below four values) or m4 / m2² (population); NULL for a constant. Example: kurtosis(stats_agg(duration))';
COMMENT ON FUNCTION confidence_interval(stats_summary, float8, text) IS 'Student''s t interval of the mean at a confidence level between 0 and 1, for weighted values with their effective size (method sample) or the sum of their weights (frequency); one row, of NULLs below two values. Example: SELECT lower, upper FROM confidence_interval(summary, level => 0.99)';
"#,
    name = "stats_accessors",
    requires = [
        average,
        stats_sum,
        stats_num_vals,
        sum_weights,
        effective_size,
        stats_min_val,
        stats_max_val,
        variance,
        stddev,
        skewness,
        kurtosis,
        confidence_interval
    ]
);
