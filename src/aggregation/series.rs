//! What is computed from buckets: comparisons and trends.

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;

use super::days::{Counts, Days, Outcome, per_restaurant};
use super::roll_up::{LONGER_GRAINS, periods_of};
use crate::error::PgResult;
use crate::sql;

const COMPARE: &str = include_str!("../../sql/queries/aggregation_compare.sql");
const TRENDS: &str = include_str!("../../sql/queries/aggregation_trends.sql");
const TRENDS_STALE: &str = include_str!("../../sql/queries/aggregation_trends_stale.sql");

/// Compares what was recomputed with the period before, with last year's and with what is usual.
pub(super) fn compare(days: &Days) -> PgResult<(Outcome, ())> {
    Ok((per_restaurant(days, compare_days), ()))
}

/// Days first: the comparison of longer periods takes the spread of days from it. Hours are not compared: the hour before is
/// no yardstick for a dinner rush.
pub(super) fn compare_days(days: &Days) -> PgResult<Counts> {
    let mut rows_out = compare_grain(days, "day")?;
    for (grain, _) in LONGER_GRAINS {
        rows_out += compare_grain(&periods_of(days, grain)?, grain)?;
    }
    Ok(Counts {
        rows_in: days.0.len() as i64,
        rows_out,
    })
}

fn compare_grain(periods: &Days, grain: &str) -> PgResult<i64> {
    sql::execute(
        COMPARE,
        &[
            periods.restaurants().into(),
            periods.dates().into(),
            grain.into(),
        ],
    )
}

/// Daily and weekly trends up to the requested day.
pub(super) fn trends(days: &Days, run: Uuid) -> PgResult<(Outcome, ())> {
    let outcome = per_restaurant(days, |days| {
        let mut counts = Counts {
            rows_in: days.0.len() as i64,
            rows_out: 0,
        };
        for grain in ["day", "week"] {
            counts.rows_out += new_trends(days, grain, run)?;
        }
        Ok(counts)
    });
    Ok((outcome, ()))
}

/// Replaces the trends of the spans that end with the days.
fn new_trends(days: &Days, grain: &str, run: Uuid) -> PgResult<i64> {
    let made = sql::modify(
        TRENDS,
        &[
            days.restaurants().into(),
            days.dates().into(),
            grain.into(),
            run.into(),
        ],
        |row| {
            Ok((
                row.required::<i64>(1)?,
                row.get::<TimestampWithTimeZone>(2)?,
                row.get::<TimestampWithTimeZone>(3)?,
            ))
        },
    )?;
    let Some((count, earliest, latest)) = made.into_iter().next() else {
        return Ok(0);
    };
    sql::execute(
        TRENDS_STALE,
        &[
            days.restaurants().into(),
            grain.into(),
            run.into(),
            earliest.into(),
            latest.into(),
        ],
    )?;
    Ok(count)
}
