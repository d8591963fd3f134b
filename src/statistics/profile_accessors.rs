//! What a `distribution_profile` answers.
#![allow(
    clippy::type_complexity,
    reason = "rows are declared where pgrx reads them"
)]

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sop_analytics::drift::{self, ProfileBin};

use super::stats_accessors::estimator;
use super::types::{DistributionProfile, StatsSummary};
use crate::error::{PgResult, from_analytics, invalid_parameter};

impl DistributionProfile {
    fn numeric(&self) -> PgResult<&sop_analytics::statistics::NumericProfile> {
        self.0.numeric().map_err(from_analytics)
    }
}

#[pg_extern(immutable, strict, parallel_safe, name = "num_vals")]
fn profile_num_vals(profile: DistributionProfile) -> i64 {
    (profile.0.rows() - profile.0.nulls()).cast_signed()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn null_count(profile: DistributionProfile) -> i64 {
    profile.0.nulls().cast_signed()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn null_share(profile: DistributionProfile) -> Option<f64> {
    profile.0.null_share()
}

#[pg_extern(immutable, strict, parallel_safe)]
fn nan_count(profile: DistributionProfile) -> PgResult<i64> {
    Ok(profile.numeric()?.nan().cast_signed())
}

#[pg_extern(immutable, strict, parallel_safe)]
fn infinite_count(profile: DistributionProfile) -> PgResult<i64> {
    Ok(profile.numeric()?.infinite().cast_signed())
}

/// The embedded summary: what `average` and others read, and what the tests of significance take.
#[pg_extern(immutable, strict, parallel_safe)]
fn profile_summary(profile: DistributionProfile) -> PgResult<Option<StatsSummary>> {
    let summary = profile.numeric()?.summary();
    Ok((summary.n() > 0).then_some(StatsSummary(*summary)))
}

#[pg_extern(immutable, strict, parallel_safe, name = "average")]
fn profile_average(profile: DistributionProfile) -> PgResult<Option<f64>> {
    Ok(profile.numeric()?.summary().mean())
}

#[pg_extern(immutable, strict, parallel_safe, name = "stddev")]
fn profile_stddev(
    profile: DistributionProfile,
    method: default!(&str, "'sample'"),
) -> PgResult<Option<f64>> {
    Ok(profile.numeric()?.summary().stddev(estimator(method)?))
}

#[pg_extern(immutable, strict, parallel_safe, name = "min_val")]
fn profile_min_val(profile: DistributionProfile) -> PgResult<Option<f64>> {
    Ok(profile.numeric()?.summary().min())
}

#[pg_extern(immutable, strict, parallel_safe, name = "max_val")]
fn profile_max_val(profile: DistributionProfile) -> PgResult<Option<f64>> {
    Ok(profile.numeric()?.summary().max())
}

#[pg_extern(immutable, strict, parallel_safe, name = "approx_percentile")]
fn profile_percentile(fraction: f64, profile: DistributionProfile) -> PgResult<Option<f64>> {
    let sketch = profile.numeric()?.sketch();
    sketch.percentile(fraction).map_err(from_analytics)
}

#[pg_extern(immutable, strict, parallel_safe, name = "relative_error")]
fn profile_relative_error(profile: DistributionProfile) -> PgResult<f64> {
    Ok(profile.numeric()?.sketch().relative_error())
}

#[pg_extern(immutable, strict, parallel_safe)]
fn profile_bins(
    profile: DistributionProfile,
    bins: default!(i32, 10),
) -> Result<
    TableIterator<
        'static,
        (
            name!(lower, f64),
            name!(upper, f64),
            name!(count, i64),
            name!(share, f64),
        ),
    >,
    ErrorReport,
> {
    let count = usize::try_from(bins)
        .map_err(|_| invalid_parameter(format!("bins must lie between 2 and 1000, not {bins}")))?;
    let found = drift::profile_bins(profile.numeric()?, count).map_err(from_analytics)?;
    let row = |bin: ProfileBin| (bin.lower, bin.upper, bin.count.cast_signed(), bin.share);
    Ok(TableIterator::new(found.into_iter().map(row)))
}

#[pg_extern(immutable, strict, parallel_safe)]
fn profile_categories(
    profile: DistributionProfile,
) -> Result<
    TableIterator<
        'static,
        (
            name!(category, Option<String>),
            name!(count, i64),
            name!(share, f64),
            name!(is_rest, bool),
            name!(error_bound, i64),
        ),
    >,
    ErrorReport,
> {
    let profile = profile.0.text().map_err(from_analytics)?;
    let total = profile.values() as f64;
    let bound = profile.error_bound();
    let row = |category: Option<String>, count: u64, error_bound: u64| {
        let share = count as f64 / total;
        let is_rest = category.is_none();
        (
            category,
            count.cast_signed(),
            share,
            is_rest,
            error_bound.cast_signed(),
        )
    };
    let mut rows: Vec<_> = profile
        .ranked()
        .into_iter()
        .map(|(name, count)| row(Some(name.to_owned()), count, bound))
        .collect();
    if profile.rest() > 0 {
        rows.push(row(None, profile.rest(), 0));
    }
    Ok(TableIterator::new(rows))
}

extension_sql!(
    r#"
ALTER FUNCTION profile_bins(distribution_profile, integer) ROWS 10;
ALTER FUNCTION profile_categories(distribution_profile) ROWS 50;
COMMENT ON FUNCTION num_vals(distribution_profile) IS 'How many rows were not NULL. Example: num_vals(profile_agg(duration))';
COMMENT ON FUNCTION null_count(distribution_profile) IS 'How many rows were NULL. Example: null_count(profile_agg(duration))';
COMMENT ON FUNCTION null_share(distribution_profile) IS 'The share of rows that were NULL. Example: null_share(profile_agg_text(station))';
COMMENT ON FUNCTION nan_count(distribution_profile) IS 'How many values were NaN. Example: nan_count(profile_agg(duration))';
COMMENT ON FUNCTION infinite_count(distribution_profile) IS 'How many values were infinite. Example: infinite_count(profile_agg(duration))';
COMMENT ON FUNCTION profile_summary(distribution_profile) IS 'Count and moments of the finite values as a stats_summary; NULL without one. Example: SELECT * FROM welch_t_test(profile_summary(january), profile_summary(february))';
COMMENT ON FUNCTION average(distribution_profile) IS 'The arithmetic mean of the finite values. Example: average(profile_agg(duration))';
COMMENT ON FUNCTION stddev(distribution_profile, text) IS 'The standard deviation of the finite values; method is sample (n - 1, NULL below two values) or population (n). Example: stddev(profile_agg(duration))';
COMMENT ON FUNCTION min_val(distribution_profile) IS 'The smallest finite value. Example: min_val(profile_agg(duration))';
COMMENT ON FUNCTION max_val(distribution_profile) IS 'The largest finite value. Example: max_val(profile_agg(duration))';
COMMENT ON FUNCTION approx_percentile(float8, distribution_profile) IS 'The value below which the given fraction (0 to 1) of the finite values lies, within relative_error(profile) of percentile_cont. Example: approx_percentile(0.95, profile_agg(duration))';
COMMENT ON FUNCTION relative_error(distribution_profile) IS 'The error bound of percentiles and bin edges: 0 up to 64 values, 0.0005 beyond, more when values span many orders of magnitude. Example: relative_error(profile_agg(duration))';
COMMENT ON FUNCTION profile_bins(distribution_profile, integer) IS 'Quantile bins of the finite values, those that drift_metrics uses: values above lower up to upper, open at both ends; a frequent value has a bin of its own. Example: SELECT * FROM profile_bins((SELECT profile_agg(duration) FROM steps), bins => 20)';
COMMENT ON FUNCTION profile_categories(distribution_profile) IS 'The categories by frequency, then the rest of more than 1000 (category NULL); a category has count to count + error_bound values. Example: SELECT * FROM profile_categories((SELECT profile_agg_text(station) FROM steps))';
"#,
    name = "profile_accessors",
    requires = [
        profile_num_vals,
        null_count,
        null_share,
        nan_count,
        infinite_count,
        profile_summary,
        profile_average,
        profile_stddev,
        profile_min_val,
        profile_max_val,
        profile_percentile,
        profile_relative_error,
        profile_bins,
        profile_categories
    ]
);
