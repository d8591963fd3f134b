//! What is computed from buckets: comparisons, baselines, trends.

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;

use super::days::{Counts, Days, Outcome, per_restaurant};
use super::roll_up::{LONGER_GRAINS, periods_of};
use crate::error::PgResult;
use crate::sql;

const COMPARE_PREVIOUS: &str = include_str!("../../sql/queries/aggregation_compare_previous.sql");
const COMPARE_BASELINE: &str = include_str!("../../sql/queries/aggregation_compare_baseline.sql");
const BASELINES: &str = include_str!("../../sql/queries/aggregation_baselines.sql");
const BASELINES_CURRENT: &str = include_str!("../../sql/queries/aggregation_baselines_current.sql");
const TRENDS: &str = include_str!("../../sql/queries/aggregation_trends.sql");
const TRENDS_STALE: &str = include_str!("../../sql/queries/aggregation_trends_stale.sql");

/// Compares what was recomputed with the period before and with the baseline.
pub(super) fn compare(days: &Days) -> PgResult<(Outcome, ())> {
    Ok((per_restaurant(days, compare_days), ()))
}

/// Hours are not compared: the hour before is no yardstick for a dinner rush.
pub(super) fn compare_days(days: &Days) -> PgResult<Counts> {
    let mut rows_out = compare_with_previous(days, "day")?;
    for (grain, _) in LONGER_GRAINS {
        rows_out += compare_with_previous(&periods_of(days, grain)?, grain)?;
    }
    rows_out += sql::execute(
        COMPARE_BASELINE,
        &[days.restaurants().into(), days.dates().into()],
    )?;
    Ok(Counts {
        rows_in: days.0.len() as i64,
        rows_out,
    })
}

fn compare_with_previous(periods: &Days, grain: &str) -> PgResult<i64> {
    // A day may follow a week of closure; longer periods follow each other.
    let reach = if grain == "day" { "7 days" } else { "0" };
    sql::execute(
        COMPARE_PREVIOUS,
        &[
            periods.restaurants().into(),
            periods.starts().into(),
            periods.ends().into(),
            grain.into(),
            reach.into(),
        ],
    )
}

/// Baselines as of the requested day.
pub(super) fn baselines(days: &Days, run: Uuid) -> PgResult<(Outcome, ())> {
    Ok((per_restaurant(days, |days| new_baselines(days, run)), ()))
}

pub(super) fn new_baselines(days: &Days, run: Uuid) -> PgResult<Counts> {
    let rows_out = sql::execute(
        BASELINES,
        &[days.restaurants().into(), days.dates().into(), run.into()],
    )?;
    sql::execute(BASELINES_CURRENT, &[run.into(), days.restaurants().into()])?;
    Ok(Counts {
        rows_in: days.0.len() as i64,
        rows_out,
    })
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
