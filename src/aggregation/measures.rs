//! Native functions that the statements of the roll-up stand on: finished columns from states, comparisons, baselines.
#![expect(
    clippy::type_complexity,
    reason = "rows are declared where pgrx reads them"
)]

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sop_analytics::aggregation::{
    self, Comparison, Moments, Proportion, compare_counts, compare_means, compare_rates,
    rolling_median,
};
use sop_analytics::codec::Codec;
use sop_analytics::statistics::{PercentileSketch, StatsSummary, wilson_interval};

use crate::arrays::missing_as_nan;
use crate::error::{PgResult, from_analytics, invalid_parameter};

/// Confidence of the bounds of a rate.
const LEVEL: f64 = 0.95;

/// The finished columns of a bucket from its stored states.
#[pg_extern(immutable, parallel_safe)]
fn bucket_measures(
    stats: Option<&[u8]>,
    percentiles: Option<&[u8]>,
) -> PgResult<Option<Vec<Option<f64>>>> {
    let Some(stats) = stats else {
        return Ok(None);
    };
    let summary = StatsSummary::decode(stats).map_err(from_analytics)?;
    let sketch = percentiles
        .map(PercentileSketch::decode)
        .transpose()
        .map_err(from_analytics)?;
    aggregation::bucket_measures(&summary, sketch.as_ref())
        .map(Some)
        .map_err(from_analytics)
}

/// A rate with Wilson's bounds; successes beyond the number of trials count as all of them.
#[pg_extern(immutable, parallel_safe)]
fn rate_measures(numerator: Option<f64>, denominator: Option<f64>) -> PgResult<Option<Vec<f64>>> {
    let (Some(numerator), Some(denominator)) = (numerator, denominator) else {
        return Ok(None);
    };
    // A cast saturates, and NaN becomes 0: no trials, no rate.
    let trials = denominator as i64;
    let successes = (numerator as i64).min(trials);
    let found = wilson_interval(successes, trials, LEVEL).map_err(from_analytics)?;
    Ok(found.map(|rate| vec![rate.proportion, rate.interval.lower, rate.interval.upper]))
}

/// A row of a comparison.
type Difference = (Option<f64>, Option<f64>, Option<f64>, Option<f64>);

fn columns(comparison: Option<Comparison>) -> Difference {
    comparison.map_or((None, None, None, None), |found| {
        (
            Some(found.difference),
            found.percent,
            found.p_value,
            found.effect_size,
        )
    })
}

/// How one period differs from another: rates by the z test, measurements by Welch's test, counts by the Poisson test.
#[pg_extern(immutable, parallel_safe)]
#[expect(
    clippy::too_many_arguments,
    reason = "two buckets of six columns each, as the statements have them"
)]
fn compare_periods(
    n: Option<i64>,
    total: Option<f64>,
    mean: Option<f64>,
    stddev: Option<f64>,
    numerator: Option<f64>,
    denominator: Option<f64>,
    reference_n: Option<i64>,
    reference_total: Option<f64>,
    reference_mean: Option<f64>,
    reference_stddev: Option<f64>,
    reference_numerator: Option<f64>,
    reference_denominator: Option<f64>,
) -> TableIterator<
    'static,
    (
        name!(difference, Option<f64>),
        name!(percent, Option<f64>),
        name!(p_value, Option<f64>),
        name!(effect_size, Option<f64>),
    ),
> {
    let rate = |numerator: Option<f64>, denominator: Option<f64>| {
        Some(Proportion {
            numerator: numerator?,
            denominator: denominator?,
        })
    };
    let moments = |n: Option<i64>, mean: Option<f64>, stddev: Option<f64>| {
        Some(Moments {
            n: n? as f64,
            mean: mean?,
            stddev: stddev.unwrap_or(f64::NAN),
        })
    };
    let comparison = if let (Some(current), Some(reference)) = (
        rate(numerator, denominator),
        rate(reference_numerator, reference_denominator),
    ) {
        compare_rates(current, reference)
    } else if let (Some(current), Some(reference)) = (
        moments(n, mean, stddev),
        moments(reference_n, reference_mean, reference_stddev),
    ) {
        compare_means(current, reference)
    } else {
        total
            .zip(reference_total)
            .and_then(|(current, reference)| compare_counts(current, reference))
    };
    TableIterator::once(columns(comparison))
}

/// The rolling-median baseline of recent periods.
#[pg_extern(immutable, parallel_safe)]
fn rolling_median_baseline(
    recent: Option<Array<'_, f64>>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(baseline, Option<f64>),
            name!(lower_bound, Option<f64>),
            name!(upper_bound, Option<f64>),
            name!(stddev, Option<f64>),
            name!(n, i64),
        ),
    >,
    ErrorReport,
> {
    let recent = present(recent)?;
    Ok(TableIterator::once(match rolling_median(&recent) {
        Some(found) => (
            Some(found.value),
            Some(found.lower),
            Some(found.upper),
            Some(found.stddev),
            found.n as i64,
        ),
        None => (None, None, None, None, recent.len() as i64),
    }))
}

/// How a period stands against the rolling median of recent ones.
#[pg_extern(immutable, parallel_safe)]
fn compare_with_baseline(
    level: Option<f64>,
    recent: Option<Array<'_, f64>>,
    higher_is_better: default!(Option<bool>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(baseline, Option<f64>),
            name!(difference, Option<f64>),
            name!(percent, Option<f64>),
            name!(p_value, Option<f64>),
            name!(effect_size, Option<f64>),
            name!(verdict, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let baseline = rolling_median(&present(recent)?);
    let compared = level
        .zip(baseline)
        .and_then(|(level, baseline)| baseline.compare(level));
    let verdict = match (compared, level) {
        (Some((_, verdict)), _) => Some(verdict),
        (None, Some(level)) if level.is_finite() => Some(aggregation::Verdict::InsufficientData),
        (None, _) => None,
    };
    let (difference, percent, p_value, effect_size) =
        columns(compared.map(|(comparison, _)| comparison));
    Ok(TableIterator::once((
        compared.and(baseline).map(|found| found.value),
        difference,
        percent,
        p_value,
        effect_size,
        verdict.map(|word| word.as_str(higher_is_better).to_owned()),
    )))
}

/// A day's bucket for each of 270 years: sorting more could not be interrupted within the time that a cancel may take.
const MOST_PERIODS: usize = 100_000;

/// The finite elements of an array.
fn present(array: Option<Array<'_, f64>>) -> PgResult<Vec<f64>> {
    let mut values = match array {
        Some(array) if array.len() > MOST_PERIODS => {
            return Err(invalid_parameter(format!(
                "recent has {} elements; at most {MOST_PERIODS} are allowed",
                array.len()
            )));
        }
        Some(array) => missing_as_nan(array, "recent")?,
        None => Vec::new(),
    };
    values.retain(|value| value.is_finite());
    Ok(values)
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.bucket_measures(bytea, bytea) IS
'The finished columns of a bucket from a stored stats_summary and percentile_sketch: n, total, mean, sample standard deviation, minimum, maximum, p50, p90, p95, p99, lower and upper bound of the mean at 95 %. NULL without a summary.';
COMMENT ON FUNCTION sop_ml.rate_measures(float8, float8) IS
'A rate and its Wilson bounds at 95 %: {rate, low, high}. Successes beyond the number of trials count as all trials; NULL without trials. Example: SELECT sop_ml.rate_measures(45, 50);';
COMMENT ON FUNCTION sop_ml.compare_periods(bigint, float8, float8, float8, float8, float8, bigint, float8, float8, float8, float8, float8) IS
'How one period differs from another: difference, percent of the reference, two-sided p-value, effect size. Rates (numerator, denominator) by the z test with Cohen''s h; measurements (n, mean, stddev) by Welch''s test with Hedges'' g; counts (total) by the Poisson test with the log ratio.';
COMMENT ON FUNCTION sop_ml.rolling_median_baseline(float8[]) IS
'The median of recent periods with bounds for the next one at 95 % from the median absolute deviation. NULL, NaN and infinite elements are missing; fewer than 3 periods give no baseline; at most 100000 are allowed. Example: SELECT * FROM sop_ml.rolling_median_baseline(''{9,10,11,10,9}'');';
COMMENT ON FUNCTION sop_ml.compare_with_baseline(float8, float8[], boolean) IS
'How a period stands against the rolling median of recent ones, judged by the spread between periods: higher, lower or no_difference, better or worse where higher_is_better says which; insufficient_data with fewer than 7 recent periods.';
"#,
    name = "comment_aggregation_measures",
    requires = [
        bucket_measures,
        rate_measures,
        compare_periods,
        rolling_median_baseline,
        compare_with_baseline
    ]
);
