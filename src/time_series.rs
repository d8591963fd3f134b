//! Series of readings: buckets of local time, the empty ones filled, and the points that a plot needs.

mod clock;

use pgrx::Array;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Deserialize;
use sop_analytics::budget::Budget;
use sop_analytics::time_series::local_bucket::BucketWidth;
use sop_analytics::time_series::{self, DownsampleOptions, GapFillOptions, Grid, bucket_means};

use self::clock::ServerClock;
use crate::arguments::required;
use crate::error::{PgResult, from_analytics, internal};
use crate::interrupts::Interrupts;
use crate::jsonb::JsonB;
use crate::period::calendar_time;
use crate::{arrays, options, settings};

/// What `gap_fill` accepts beside the method.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FillOptions {
    limit: Option<i32>,
    before_first: Option<f64>,
    seasonality: Option<i32>,
    constant: Option<f64>,
}

/// The first instant of the bucket of local time that an instant lies in.
#[pg_extern(immutable, parallel_safe)]
fn time_bucket_local(
    width: Interval,
    at: TimestampWithTimeZone,
    time_zone: &str,
) -> PgResult<TimestampWithTimeZone> {
    let width = bucket_width(width)?;
    if at.is_infinity() || at.is_neg_infinity() {
        return Ok(at);
    }
    let at = calendar_time("at", at)?.into_inner();
    timestamp(width.start(&ServerClock::of(time_zone), at))
}

/// Readings in buckets of local time, and the buckets that have none.
#[expect(
    clippy::too_many_arguments,
    reason = "pgrx reads the SQL arguments from the signature"
)]
#[pg_extern(immutable, parallel_safe, cost = 1000)]
fn gap_fill(
    width: Option<Interval>,
    observed_at: Option<Array<'_, TimestampWithTimeZone>>,
    observed: Option<Array<'_, f64>>,
    from_time: default!(Option<TimestampWithTimeZone>, "NULL"),
    to_time: default!(Option<TimestampWithTimeZone>, "NULL"),
    time_zone: default!(Option<&str>, "'UTC'"),
    method: default!(Option<&str>, "'none'"),
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(bucket, TimestampWithTimeZone),
            name!(value, Option<f64>),
            name!(is_filled, bool),
        ),
    >,
    ErrorReport,
> {
    let width = bucket_width(required("width", width)?)?;
    let clock = ServerClock::of(required("time_zone", time_zone)?);
    let options: FillOptions = options::parse(options)?;
    let plan = GapFillOptions {
        method: required("method", method)?,
        limit: options.limit,
        before_first: options.before_first,
        seasonality: options.seasonality,
        constant: options.constant,
    }
    .check()
    .map_err(from_analytics)?;
    let times = instants("observed_at", observed_at)?;
    let values = arrays::missing_as_nan(required("observed", observed)?, "observed")?;
    let bound = |name, bound: Option<TimestampWithTimeZone>| {
        bound
            .map(|at| calendar_time(name, at).map(TimestampWithTimeZone::into_inner))
            .transpose()
    };
    let from = bound("from_time", from_time)?.or_else(|| times.iter().min().copied());
    let to = bound("to_time", to_time)?.or_else(|| times.iter().max().map(|last| last + 1));
    let (Some(from), Some(to)) = (from, to) else {
        return Ok(TableIterator::empty());
    };
    let mut budget = Budget::new(settings::max_state_bytes());
    let grid = Grid::new(&clock, width, (from, to), &mut budget).map_err(from_analytics)?;
    let means = bucket_means(&grid, &times, &values, &mut Interrupts).map_err(from_analytics)?;
    let filled = time_series::gap_fill(grid.starts(), &means, &plan, &mut Interrupts)
        .map_err(from_analytics)?;
    let rows = grid.starts().iter().zip(filled).map(|(start, bucket)| {
        timestamp(*start).map(|start| (start, bucket.value, bucket.is_filled))
    });
    Ok(TableIterator::new(rows.collect::<PgResult<Vec<_>>>()?))
}

/// The points that show a line's shape.
#[pg_extern(immutable, parallel_safe, cost = 1000)]
fn downsample(
    observed_at: Option<Array<'_, TimestampWithTimeZone>>,
    observed: Option<Array<'_, f64>>,
    threshold: Option<i32>,
    method: default!(Option<&str>, "'lttb'"),
) -> Result<
    TableIterator<'static, (name!(observed_at, TimestampWithTimeZone), name!(value, f64))>,
    ErrorReport,
> {
    let plan = DownsampleOptions {
        method: required("method", method)?,
        threshold: required("threshold", threshold)?,
    }
    .check()
    .map_err(from_analytics)?;
    let times = instants("observed_at", observed_at)?;
    let values = arrays::missing_as_nan(required("observed", observed)?, "observed")?;
    let kept =
        time_series::downsample(&times, &values, &plan, &mut Interrupts).map_err(from_analytics)?;
    let rows = kept.into_iter().filter_map(|at| {
        let (time, value) = (times.get(at)?, values.get(at)?);
        Some(timestamp(*time).map(|time| (time, *value)))
    });
    Ok(TableIterator::new(rows.collect::<PgResult<Vec<_>>>()?))
}

extension_sql!(
    r#"
ALTER FUNCTION sop_ml.gap_fill(interval, timestamptz[], float8[], timestamptz, timestamptz, text, text, jsonb) ROWS 100;
ALTER FUNCTION sop_ml.downsample(timestamptz[], float8[], int, text) ROWS 500;
COMMENT ON FUNCTION sop_ml.time_bucket_local(interval, timestamptz, text) IS
'The first instant of the bucket that at lies in, as clocks in time_zone tell time. width: months (from January 2000), days (weeks of 7 begin on Monday), or less than a day: up to an hour counted in time passed since the day began, so that an hour that comes twice is two buckets; beyond, by the clock. Days have 23 or 25 hours where clocks change. NULL for a NULL argument, infinities stay. Example: SELECT sop_ml.time_bucket_local(''1 day'', observed_at, ''Europe/Berlin''), avg(value) FROM sop_ml.sop_time_series_data GROUP BY 1;';
COMMENT ON FUNCTION sop_ml.gap_fill(interval, timestamptz[], float8[], timestamptz, timestamptz, text, text, jsonb) IS
'A row for every bucket (see time_bucket_local) that [from_time, to_time) touches, by default from the first reading to the last: the mean of its readings, or a fill. Readings may come in any order; NULL and NaN are none. method: none, locf (the last reading carried forward; options limit, before_first), interpolate (linear in time; limit), seasonal (level of the neighbours plus what is usual at this place of the season; seasonality, limit), constant (constant). Example: SELECT f.* FROM (SELECT array_agg(observed_at) AS t, array_agg(value) AS v FROM sop_ml.sop_time_series_data) AS s, sop_ml.gap_fill(''1 hour'', t, v, method => ''interpolate'', options => ''{"limit": 3}'') AS f;';
COMMENT ON FUNCTION sop_ml.downsample(timestamptz[], float8[], int, text) IS
'At most threshold of the points, in order of time, which show the shape of the line. method: lttb (largest triangle three buckets), min_max (extremes of each stretch). Points must be in order of time; NULL and NaN values are left out. Example: SELECT d.* FROM (SELECT array_agg(observed_at ORDER BY observed_at) AS t, array_agg(value ORDER BY observed_at) AS v FROM sop_ml.sop_time_series_data) AS s, sop_ml.downsample(t, v, 500) AS d;';
"#,
    name = "comment_time_series",
    requires = [time_bucket_local, gap_fill, downsample]
);

fn bucket_width(width: Interval) -> PgResult<BucketWidth> {
    BucketWidth::new(width.months(), width.days(), width.micros()).map_err(from_analytics)
}

/// Times of readings in microseconds since 2000.
fn instants(argument: &str, array: Option<Array<'_, TimestampWithTimeZone>>) -> PgResult<Vec<i64>> {
    let times = arrays::values(required(argument, array)?, argument)?;
    times
        .into_iter()
        .map(|at| calendar_time(argument, at).map(TimestampWithTimeZone::into_inner))
        .collect()
}

fn timestamp(microseconds: i64) -> PgResult<TimestampWithTimeZone> {
    TimestampWithTimeZone::try_from(microseconds).map_err(|error| internal(error.to_string()))
}
