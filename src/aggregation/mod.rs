//! The nightly run and what it stands on: roll-up, comparisons, baselines, trends, model checks, summaries.
//!
//! Every step is a few set-based statements from `sql/queries/aggregation_*.sql`. A step works on all restaurants at once;
//! when that fails it is tried restaurant by restaurant, so that one restaurant's bad data cannot keep the others waiting.
#![expect(
    clippy::type_complexity,
    reason = "rows are declared where pgrx reads them"
)]

mod baselines;
mod buckets;
mod compare;
mod days;
mod measures;
mod models;
mod peers;
mod roll_up;
mod run;
mod series;
mod summaries;

use std::ffi::CStr;

use pgrx::Uuid;
use pgrx::datum::{Date, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::arguments::required;
use crate::error::{PgResult, insufficient_privilege};
use crate::period::calendar_date;
use crate::{sql, tenancy};

use run::Run;

/// The advisory lock of everything that replaces buckets: the letters "sopa".
const LOCK: i64 = 0x736f_7061;

const TAKE_LOCK: &str = include_str!("../../sql/queries/aggregation_lock.sql");
const PLANNER: &str = include_str!("../../sql/queries/aggregation_planner.sql");
const NEW_RUN: &str = include_str!("../../sql/queries/aggregation_new_run.sql");

/// The nightly run: rolls raw data up and computes everything that rests on it, one row per step.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn run_daily_ml_aggregation(
    restaurant_id: default!(Option<Uuid>, "NULL"),
    day: default!(Option<Date>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(step, String),
            name!(restaurants, i64),
            name!(rows_in, i64),
            name!(rows_out, i64),
            name!(elapsed_ms, f64),
            name!(status, String),
            name!(detail, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let day = checked_day(day)?;
    let scope = Scope::of_job(restaurant_id)?;
    let mut run = Run::begin(scope, day)?;
    let days = run.step("roll_up", |run| roll_up::step(run.scope, run.day, run.id));
    run.step("compare", |_| series::compare(&days));
    run.step("baselines", |run| {
        baselines::step(&days.requested(), run.scope.sees_all(), run.id)
    });
    run.step("trends", |run| series::trends(&days.requested(), run.id));
    run.step("prediction_anomalies", |_| {
        models::anomalies(&days.requested())
    });
    run.step("model_drift", |_| models::drift(&days.requested()));
    for summary in summaries::ALL {
        run.step(summary.step, |_| summary.refresh_if_allowed());
    }
    Ok(TableIterator::new(run.into_rows()))
}

/// Recomputes every local day that a time range touches, from the raw rows.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn aggregate_performance(
    restaurant_id: Option<Uuid>,
    from_time: Option<TimestampWithTimeZone>,
    to_time: Option<TimestampWithTimeZone>,
) -> PgResult<i64> {
    let from_time = required("from_time", from_time)?;
    let to_time = required("to_time", to_time)?;
    let restaurant = tenancy::resolve(restaurant_id)?;
    let scope = Scope {
        restaurant: Some(restaurant),
        is_operator: tenancy::may_see_all()?,
    };
    begin_writing(c"aggregate_performance()")?;
    let days = roll_up::days_between(restaurant, from_time, to_time)?;
    let counts = roll_up::recompute(&days, new_run()?)?;
    series::compare_days(&days)?;
    if scope.is_operator {
        roll_up::forget_log(restaurant, from_time, to_time)?;
    }
    Ok(counts.rows_out)
}

/// Refreshes both materialized views.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn refresh_performance_summaries()
-> Result<TableIterator<'static, (name!(summary, String), name!(elapsed_ms, f64))>, ErrorReport> {
    sql::require_writable(c"refresh_performance_summaries()");
    let mut rows = Vec::new();
    for summary in summaries::ALL {
        if !summary.may_refresh()? {
            return Err(insufficient_privilege(summaries::NOT_OWNER)
                .set_hint("Ask for membership in sop_ml_operator, or let the nightly run do it."));
        }
        let started = std::time::Instant::now();
        summary.refresh()?;
        rows.push((
            summary.name.to_owned(),
            started.elapsed().as_secs_f64() * 1000.0,
        ));
    }
    Ok(TableIterator::new(rows))
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.run_daily_ml_aggregation(uuid, date) IS
'The nightly run. Rolls raw observations and interactions up to hours, days, weeks, months, quarters and years in each restaurant''s time zone, compares, computes baselines and trends, checks deployed models and refreshes the summaries; returns a row per step. restaurant_id NULL: all restaurants (superusers and BYPASSRLS roles only); day NULL: each restaurant''s local yesterday. May be repeated at any time: whole buckets are replaced, late rows are picked up. Example: SELECT * FROM sop_ml.run_daily_ml_aggregation();';
COMMENT ON FUNCTION sop_ml.aggregate_performance(uuid, timestamptz, timestamptz) IS
'Recomputes the buckets of every local day that [from_time, to_time) touches, and of the weeks, months, quarters and years around them; returns how many buckets were written. For back-fills and after a change of time zone. Example: SELECT sop_ml.aggregate_performance(NULL, ''2026-01-01'', ''2026-02-01'');';
COMMENT ON FUNCTION sop_ml.refresh_performance_summaries() IS
'Refreshes the materialized views behind sop_daily_performance_summary and sop_weekly_performance_trends; for members of sop_ml_operator. Example: SELECT * FROM sop_ml.refresh_performance_summaries();';
"#,
    name = "comment_aggregation",
    requires = [
        run_daily_ml_aggregation,
        aggregate_performance,
        refresh_performance_summaries
    ]
);

/// Which restaurants a run works on, and on whose behalf.
#[derive(Debug, Clone, Copy)]
struct Scope {
    /// `None`: all of them.
    restaurant: Option<Uuid>,
    /// Row-level security does not apply to the caller.
    is_operator: bool,
}

impl Scope {
    /// All restaurants, on an operator's behalf.
    fn sees_all(&self) -> bool {
        self.is_operator && self.restaurant.is_none()
    }

    /// All restaurants are for operators, one is for its managers.
    fn of_job(restaurant_id: Option<Uuid>) -> PgResult<Self> {
        let is_operator = tenancy::may_see_all()?;
        let restaurant = match restaurant_id {
            Some(_) => Some(tenancy::resolve(restaurant_id)?),
            None if is_operator => None,
            None => {
                return Err(insufficient_privilege(
                    "only operators may run the aggregation for all restaurants",
                )
                .set_hint(
                    "Name your restaurant: run_daily_ml_aggregation(sop_ml.current_restaurant()).",
                ));
            }
        };
        if !is_operator && !is_manager()? {
            return Err(insufficient_privilege(
                "the aggregation of a restaurant is for its managers",
            ));
        }
        Ok(Self {
            restaurant,
            is_operator,
        })
    }
}

/// The weeks and years around the day have to exist too.
fn checked_day(day: Option<Date>) -> PgResult<Option<Date>> {
    day.map(|day| calendar_date("day", day)).transpose()
}

fn is_manager() -> PgResult<bool> {
    let answer = sql::select_one(
        include_str!("../../sql/queries/aggregation_is_manager.sql"),
        &[],
        |row| row.required(1),
    )?;
    Ok(answer == Some(true))
}

/// Two runs at once would replace each other's buckets: the second waits for the first's transaction.
fn begin_writing(function: &CStr) -> PgResult<()> {
    sql::require_writable(function);
    sql::execute(PLANNER, &[])?;
    exclude_runs()
}

/// Waits until no run replaces buckets; until the transaction ends, none begins.
pub(crate) fn exclude_runs() -> PgResult<()> {
    sql::execute(TAKE_LOCK, &[LOCK.into()]).map(|_| ())
}

fn new_run() -> PgResult<Uuid> {
    sql::modify_one(NEW_RUN, &[], |row| row.required(1))
}
