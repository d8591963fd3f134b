//! Series of readings: buckets of local time.

mod clock;

use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;
use sop_analytics::time_series::local_bucket::BucketWidth;

use self::clock::ServerClock;
use crate::error::{PgResult, internal, invalid_parameter};
use crate::period::calendar_time;

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
    let start = width.start(&ServerClock::of(time_zone), at);
    TimestampWithTimeZone::try_from(start).map_err(|error| internal(error.to_string()))
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.time_bucket_local(interval, timestamptz, text) IS
'The first instant of the bucket that at lies in, as clocks in time_zone tell time. width: months (from January 2000), days (weeks of 7 begin on Monday), or less than a day: up to an hour counted in time passed since the day began, so that an hour that comes twice is two buckets; beyond, by the clock. Days have 23 or 25 hours where clocks change. NULL for a NULL argument, infinities stay. Example: SELECT sop_ml.time_bucket_local(''1 day'', observed_at, ''Europe/Berlin''), avg(value) FROM sop_ml.sop_time_series_data GROUP BY 1;';
"#,
    name = "comment_time_series",
    requires = [time_bucket_local]
);

fn bucket_width(width: Interval) -> PgResult<BucketWidth> {
    BucketWidth::new(width.months(), width.days(), width.micros()).map_err(|error| {
        invalid_parameter(error.to_string())
            .set_hint("For example: '15 minutes', '6 hours', '1 day', '7 days', '3 months'.")
    })
}
