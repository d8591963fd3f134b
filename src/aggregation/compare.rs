//! Comparisons of whole series of buckets: what `sql/queries/aggregation_compare.sql` stands on.
#![expect(
    clippy::type_complexity,
    clippy::too_many_arguments,
    reason = "rows and arrays are declared where pgrx reads them"
)]

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sop_analytics::comparison::{
    Bucket, ComparedBucket, Finding, Grain, Spread, compare_series, compare_with_stored, word,
};

use crate::arrays::{missing_as_nan, values};
use crate::error::{PgResult, from_analytics, invalid_parameter};
use crate::interrupts::Interrupts;

/// More buckets than ten years of days, or of one day per second of a time zone's mistakes.
const MOST_BUCKETS: usize = 100_000;

/// A finding as columns: reference, difference, percent, low, high, p-value, effect size, standing.
type Columns = (
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    i32,
);

fn columns(finding: Option<Finding>) -> Columns {
    finding.map_or((None, None, None, None, None, None, None, 0), |found| {
        (
            Some(found.reference),
            Some(found.difference),
            found.percent,
            found.low.filter(|low| low.is_finite()),
            found.high.filter(|high| high.is_finite()),
            found.p_value,
            found.effect_size,
            found.standing.code(),
        )
    })
}

/// Compares the wanted buckets of one series with the period before, last year's, and what is usual.
#[pg_extern(immutable, strict, parallel_safe)]
fn compare_bucket_series(
    grain: &str,
    first_days: Array<'_, i32>,
    days: Array<'_, f64>,
    n: Array<'_, f64>,
    total: Array<'_, f64>,
    mean: Array<'_, f64>,
    stddev: Array<'_, f64>,
    numerator: Array<'_, f64>,
    denominator: Array<'_, f64>,
    closed: Array<'_, bool>,
    running: Array<'_, bool>,
    wanted: Array<'_, bool>,
    spread_stddev: Array<'_, f64>,
    spread_autocorrelation: Array<'_, f64>,
    spread_n: Array<'_, f64>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(place, i32),
            name!(previous_mean, Option<f64>),
            name!(previous_difference, Option<f64>),
            name!(previous_percent, Option<f64>),
            name!(previous_low, Option<f64>),
            name!(previous_high, Option<f64>),
            name!(previous_p_value, Option<f64>),
            name!(previous_effect_size, Option<f64>),
            name!(previous_standing, i32),
            name!(last_year_mean, Option<f64>),
            name!(last_year_difference, Option<f64>),
            name!(last_year_percent, Option<f64>),
            name!(last_year_low, Option<f64>),
            name!(last_year_high, Option<f64>),
            name!(last_year_p_value, Option<f64>),
            name!(last_year_effect_size, Option<f64>),
            name!(last_year_standing, i32),
            name!(baseline_mean, Option<f64>),
            name!(baseline_difference, Option<f64>),
            name!(baseline_percent, Option<f64>),
            name!(baseline_low, Option<f64>),
            name!(baseline_high, Option<f64>),
            name!(baseline_p_value, Option<f64>),
            name!(baseline_effect_size, Option<f64>),
            name!(baseline_standing, i32),
            name!(usual_n, Option<i64>),
            name!(usual_stddev, Option<f64>),
            name!(usual_autocorrelation, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let grain = Grain::parse(grain).ok_or_else(|| {
        invalid_parameter(format!("unknown grain \"{grain}\""))
            .set_hint("Grains are day, week, month, quarter and year.")
    })?;
    let first_days = values(first_days, "first_days")?;
    let count = first_days.len();
    if count > MOST_BUCKETS {
        return Err(invalid_parameter(format!(
            "a series of {count} buckets; at most {MOST_BUCKETS} are allowed"
        )));
    }
    let numbers = |array: Array<'_, f64>, name: &str| {
        let numbers = missing_as_nan(array, name)?;
        same_length(numbers.len(), count, name)?;
        Ok::<_, ErrorReport>(numbers)
    };
    let flags = |array: Array<'_, bool>, name: &str| {
        let flags = values(array, name)?;
        same_length(flags.len(), count, name)?;
        Ok::<_, ErrorReport>(flags)
    };
    let (days, n) = (numbers(days, "days")?, numbers(n, "n")?);
    let (total, mean) = (numbers(total, "total")?, numbers(mean, "mean")?);
    let stddev = numbers(stddev, "stddev")?;
    let numerator = numbers(numerator, "numerator")?;
    let denominator = numbers(denominator, "denominator")?;
    let closed = flags(closed, "closed")?;
    let running = flags(running, "running")?;
    let wanted = flags(wanted, "wanted")?;
    let spread_stddev = numbers(spread_stddev, "spread_stddev")?;
    let autocorrelation = numbers(spread_autocorrelation, "spread_autocorrelation")?;
    let spread_n = numbers(spread_n, "spread_n")?;

    let at = |numbers: &[f64], place: usize| numbers.get(place).copied().unwrap_or(f64::NAN);
    let is = |flags: &[bool], place: usize| flags.get(place).copied().unwrap_or(false);
    let buckets: Vec<Bucket> = first_days
        .iter()
        .enumerate()
        .map(|(place, &day)| Bucket {
            day,
            days: at(&days, place),
            n: at(&n, place),
            total: at(&total, place),
            mean: at(&mean, place),
            stddev: at(&stddev, place),
            numerator: at(&numerator, place),
            denominator: at(&denominator, place),
            is_closed: is(&closed, place),
            is_running: is(&running, place),
        })
        .collect();
    let spreads: Vec<Option<Spread>> = (0..count)
        .map(|place| {
            let spread = Spread {
                stddev: at(&spread_stddev, place),
                autocorrelation: at(&autocorrelation, place).clamp(0.0, 0.99),
                n: at(&spread_n, place),
            };
            (spread.stddev >= 0.0 && spread.n >= 0.0 && !spread.autocorrelation.is_nan())
                .then_some(spread)
        })
        .collect();
    let found = compare_series(grain, &buckets, &spreads, &wanted, &mut Interrupts)
        .map_err(from_analytics)?;
    Ok(TableIterator::new(found.into_iter().map(row)))
}

fn same_length(found: usize, count: usize, name: &str) -> PgResult<()> {
    if found == count {
        return Ok(());
    }
    Err(invalid_parameter(format!(
        "{name} has {found} elements and first_days {count}"
    )))
}

#[rustfmt::skip]
fn row(compared: ComparedBucket) -> (
    i32, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, i32,
    Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, i32,
    Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, i32,
    Option<i64>, Option<f64>, Option<f64>,
) {
    let place = i32::try_from(compared.place + 1).unwrap_or(i32::MAX);
    let p = columns(compared.previous);
    let y = columns(compared.last_year);
    let b = columns(compared.baseline);
    let usual = compared.usual;
    (
        place, p.0, p.1, p.2, p.3, p.4, p.5, p.6, p.7, y.0, y.1, y.2, y.3, y.4, y.5, y.6, y.7, b.0, b.1, b.2, b.3, b.4,
        b.5, b.6, b.7, usual.map(|u| u.n as i64), usual.map(|u| u.stddev), usual.map(|u| u.autocorrelation),
    )
}

/// The word for a comparison.
#[pg_extern(immutable, parallel_safe)]
fn comparison_verdict(
    standing: Option<i32>,
    difference: Option<f64>,
    p_value: Option<f64>,
    higher_is_better: Option<bool>,
) -> Option<&'static str> {
    word(standing?, difference?, p_value, higher_is_better)
}

/// A bucket against a stored baseline or target.
#[pg_extern(immutable, parallel_safe)]
fn compare_with_stored_baseline(
    n: Option<i64>,
    total: Option<f64>,
    mean: Option<f64>,
    stddev: Option<f64>,
    numerator: Option<f64>,
    denominator: Option<f64>,
    baseline_value: Option<f64>,
    baseline_stddev: Option<f64>,
    baseline_n: Option<i64>,
    higher_is_better: default!(Option<bool>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(difference, Option<f64>),
        name!(percent, Option<f64>),
        name!(low, Option<f64>),
        name!(high, Option<f64>),
        name!(p_value, Option<f64>),
        name!(verdict, Option<&'static str>),
    ),
> {
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let bucket = Bucket {
        day: 0,
        days: 1.0,
        n: n.unwrap_or(0) as f64,
        total: or_nan(total),
        mean: or_nan(mean),
        stddev: or_nan(stddev),
        numerator: or_nan(numerator),
        denominator: or_nan(denominator),
        is_closed: false,
        is_running: false,
    };
    let spread = baseline_stddev.filter(|stddev| *stddev >= 0.0 && stddev.is_finite());
    let behind = baseline_n.map(|n| n as f64);
    let found =
        baseline_value.and_then(|value| compare_with_stored(&bucket, value, spread, behind));
    let (_, difference, percent, low, high, p_value, _, standing) = columns(found);
    TableIterator::once((
        difference,
        percent,
        low,
        high,
        p_value,
        difference.and_then(|difference| word(standing, difference, p_value, higher_is_better)),
    ))
}

extension_sql!(
    r#"
ALTER FUNCTION sop_ml.compare_bucket_series(text, integer[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], boolean[], boolean[], boolean[], float8[], float8[], float8[]) COST 1000 ROWS 30;
ALTER FUNCTION sop_ml.compare_with_stored_baseline(bigint, float8, float8, float8, float8, float8, float8, float8, bigint, boolean) ROWS 1;
COMMENT ON FUNCTION sop_ml.compare_bucket_series(text, integer[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], boolean[], boolean[], boolean[], float8[], float8[], float8[]) IS
'Compares the wanted buckets of one series, given as arrays in time order (first local days since 2000-01-01, days that are over, n, totals, means, standard deviations, numerators, denominators, closed, running, wanted; for longer periods the spread of days: standard deviation, autocorrelation, number), with the period before, with the same period of last year and with what is usual. A row per wanted bucket with its place from 1; standing is 0 (insufficient), 1 (immaterial) or 2. The nightly run calls it.';
COMMENT ON FUNCTION sop_ml.comparison_verdict(integer, float8, float8, boolean) IS
'The word for a comparison of standing 0 (insufficient), 1 (immaterial) or 2, its difference and (adjusted) p-value: insufficient_data, no_difference, higher or lower, better or worse where higher_is_better says which. Example: SELECT sop_ml.comparison_verdict(2, -0.1, 0.003, true);';
COMMENT ON FUNCTION sop_ml.compare_with_stored_baseline(bigint, float8, float8, float8, float8, float8, float8, float8, bigint, boolean) IS
'A bucket (n, total, mean, stddev, numerator, denominator) against a stored baseline (value, stddev, n) or a target (value alone): difference, percent, 95 % interval of the difference, p-value, verdict; by sampling error and the spread of the baseline. Example: SELECT * FROM sop_ml.compare_with_stored_baseline(50, NULL, NULL, NULL, 40, 50, 0.95, NULL, NULL, true);';
"#,
    name = "comment_aggregation_compare",
    requires = [
        compare_bucket_series,
        comparison_verdict,
        compare_with_stored_baseline
    ]
);
