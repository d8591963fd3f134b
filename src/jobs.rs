//! The job queue: enqueue in the caller's transaction, run later as the caller.
//!
//! `run_jobs()` (a procedure, `sql/idempotent/120_jobs.sql`) claims and executes one job after the other, each step in a
//! transaction of its own. Who submitted a job is set by a trigger, so a job's rights cannot be forged.

mod kinds;
mod worker;

use crate::jsonb::JsonB;
use pgrx::Uuid;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::arguments::required;
use crate::error::{PgResult, internal, invalid_parameter, no_data, prerequisite};
use crate::tenancy::{self, AccessLevel};
use crate::{options, sql};

const ENQUEUE: &str = include_str!("../sql/queries/jobs_enqueue.sql");
const UNFINISHED: &str = include_str!("../sql/queries/jobs_unfinished.sql");
const CANCEL: &str = include_str!("../sql/queries/jobs_cancel.sql");

/// The other one's unfinished job may end between two looks; it does not do so for ever.
const ENQUEUE_ATTEMPTS: usize = 5;
const MAX_ATTEMPTS: i32 = 100;

/// What `enqueue_job` accepts beside the job itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    pub(crate) run_at: Option<String>,
    pub(crate) priority: i32,
    pub(crate) unique_key: Option<String>,
    pub(crate) max_attempts: Option<i32>,
    pub(crate) depends_on: Vec<String>,
    pub(crate) schedule_interval: Option<String>,
    pub(crate) schedule_local_time: Option<String>,
}

/// The tenant of jobs that work for all restaurants.
fn installation() -> Uuid {
    Uuid::from_bytes([0; 16])
}

/// Options that have been checked, in the types of the table.
struct Schedule {
    run_at: Option<TimestampWithTimeZone>,
    priority: i32,
    unique_key: Option<String>,
    max_attempts: i32,
    depends_on: Vec<Uuid>,
    interval: Option<Interval>,
    local_time: Option<pgrx::datum::Time>,
}

impl Options {
    fn check(self) -> PgResult<Schedule> {
        let max_attempts = self.max_attempts.unwrap_or(5);
        if !(1..=MAX_ATTEMPTS).contains(&max_attempts) {
            return Err(invalid_parameter(format!(
                "invalid options: max_attempts must be between 1 and {MAX_ATTEMPTS}, not {max_attempts}"
            )));
        }
        let depends_on = self.depends_on.iter().map(|text| {
            tenancy::parse_uuid(text).ok_or_else(|| {
                invalid_parameter(format!(
                    "invalid options: depends_on has no uuid: \"{text}\""
                ))
            })
        });
        let interval = parsed::<Interval>("schedule_interval", self.schedule_interval.as_deref())?;
        if interval.is_some_and(|interval| interval.as_micros() <= 0) {
            return Err(invalid_parameter(
                "invalid options: schedule_interval must be positive",
            ));
        }
        let local_time = parsed::<pgrx::datum::Time>(
            "schedule_local_time",
            self.schedule_local_time.as_deref(),
        )?;
        if interval.is_some() && local_time.is_some() {
            return Err(invalid_parameter(
                "invalid options: give schedule_interval or schedule_local_time, not both",
            ));
        }
        Ok(Schedule {
            run_at: options::timestamp("run_at", self.run_at.as_deref())?,
            priority: self.priority,
            unique_key: self.unique_key,
            max_attempts,
            depends_on: depends_on.collect::<PgResult<_>>()?,
            interval,
            local_time,
        })
    }
}

/// An option in the text form of one of the server's types.
fn parsed<T: std::str::FromStr>(name: &str, text: Option<&str>) -> PgResult<Option<T>> {
    text.map(|text| {
        text.parse().map_err(|_| {
            invalid_parameter(format!(
                "invalid options: {name} cannot be read: \"{text}\""
            ))
        })
    })
    .transpose()
}

/// Puts a job into the queue, in the caller's transaction; returns its id.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn enqueue_job(
    restaurant_id: Option<Uuid>,
    job_name: Option<&str>,
    parameters: default!(Option<JsonB>, "'{}'"),
    options: default!(Option<JsonB>, "NULL"),
) -> PgResult<Uuid> {
    let kind = kinds::find(required("job_name", job_name)?)?;
    let parameters = kind.check(parameters)?;
    let schedule = options::parse::<Options>(options)?.check()?;
    sql::require_writable(c"enqueue_job()");
    let restaurant = if kind.for_installation && restaurant_id.is_none() && tenancy::may_see_all()?
    {
        installation()
    } else {
        tenancy::resolve(restaurant_id)?
    };
    kind.require_access()?;
    enqueue(restaurant, kind.name, &parameters, &schedule).map(|(job, _)| job)
}

/// Puts a job for all restaurants into the queue; its id, and whether it was not there before.
pub(crate) fn enqueue_standing(job_name: &str, options: Options) -> PgResult<(Uuid, bool)> {
    let kind = kinds::find(job_name)?;
    kind.require_access()?;
    let parameters = kind.check(None)?;
    enqueue(installation(), kind.name, &parameters, &options.check()?)
}

/// The job's id, and whether it is new: an unfinished one with the same key stands for it.
fn enqueue(
    restaurant: Uuid,
    job_name: &str,
    parameters: &Value,
    schedule: &Schedule,
) -> PgResult<(Uuid, bool)> {
    for _ in 0..ENQUEUE_ATTEMPTS {
        if let Some(job) = insert(restaurant, job_name, parameters, schedule)? {
            return Ok((job, true));
        }
        let twin = sql::modify(
            UNFINISHED,
            &[
                restaurant.into(),
                job_name.into(),
                schedule.unique_key.clone().into(),
            ],
            |row| row.required(1),
        )?;
        if let Some(job) = twin.into_iter().next() {
            return Ok((job, false));
        }
    }
    Err(internal(
        "another job with this unique_key comes and goes all the time",
    ))
}

/// `None` when an unfinished job has the same unique key.
fn insert(
    restaurant: Uuid,
    job_name: &str,
    parameters: &Value,
    schedule: &Schedule,
) -> PgResult<Option<Uuid>> {
    let inserted = sql::modify(
        ENQUEUE,
        &[
            restaurant.into(),
            job_name.into(),
            JsonB(parameters.clone()).into(),
            schedule.run_at.into(),
            schedule.priority.into(),
            schedule.unique_key.clone().into(),
            schedule.max_attempts.into(),
            schedule.depends_on.clone().into(),
            schedule.interval.into(),
            schedule.local_time.into(),
        ],
        |row| row.required(1),
    )?;
    Ok(inserted.into_iter().next())
}

/// Takes back a job that has not begun; returns the status that it had.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn cancel_job(restaurant_id: Option<Uuid>, job_id: Option<Uuid>) -> PgResult<String> {
    let job = required("job_id", job_id)?;
    sql::require_writable(c"cancel_job()");
    let restaurant = match restaurant_id {
        Some(id) if id == installation() && tenancy::may_see_all()? => id,
        restaurant => tenancy::resolve(restaurant)?,
    };
    tenancy::require(AccessLevel::Manager)?;
    let status = sql::modify(CANCEL, &[restaurant.into(), job.into()], |row| {
        row.required::<String>(1)
    })?;
    match status.into_iter().next() {
        None => Err(no_data("there is no such job at this restaurant")),
        Some(status) if status == "running" => Err(prerequisite("the job is running").set_hint(
            "It ends by itself, or when its server process (see pg_stat_activity) is cancelled.",
        )),
        Some(status) => Ok(status),
    }
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.enqueue_job(uuid, text, jsonb, jsonb) IS
'Puts a job into the queue, in the caller''s transaction; it runs with the caller''s rights when run_jobs() comes to it. Returns its id, or that of the unfinished job with the same unique_key. Options: run_at, priority, unique_key, max_attempts, depends_on, schedule_interval, schedule_local_time. Example: SELECT sop_ml.enqueue_job(NULL, ''compute_baselines'', ''{}'', ''{"unique_key": "baselines"}'');';
COMMENT ON FUNCTION sop_ml.cancel_job(uuid, uuid) IS
'Takes back a job that has not begun and returns the status that it had; for managers.';
"#,
    name = "comment_jobs",
    requires = [enqueue_job, cancel_job]
);
