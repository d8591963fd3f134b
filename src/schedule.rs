//! The one thing that has to be scheduled, and the standing work of the queue.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::{PgResult, insufficient_privilege, internal, invalid_parameter};
use crate::jobs::{self, Options};
use crate::{sql, tenancy};

const SCHEDULER: &str = include_str!("../sql/queries/schedule_scheduler.sql");
const FIND: &str = include_str!("../sql/queries/schedule_find.sql");
const REGISTER: &str = include_str!("../sql/queries/schedule_register.sql");
const REMOVE: &str = include_str!("../sql/queries/schedule_remove.sql");
const STATEMENT: &str = include_str!("../sql/queries/schedule_statement.sql");

/// The name of the scheduler's entry; the database's stands behind it, because names are one list for all databases.
const ENTRY: &str = "sop_ml run_jobs";
const COMMAND: &str = "CALL sop_ml.run_jobs()";

/// What happens without anybody asking for it.
#[derive(Debug, Clone, Copy)]
enum Standing {
    Nightly,
    Partitions,
    Policies,
}

impl Standing {
    const ALL: [Self; 3] = [Self::Nightly, Self::Partitions, Self::Policies];

    const fn job_name(self) -> &'static str {
        match self {
            Self::Nightly => "run_daily_ml_aggregation",
            Self::Partitions => "maintain_partitions",
            Self::Policies => "apply_time_series_policies",
        }
    }

    fn options(self) -> Options {
        let (key, interval, local_time) = match self {
            Self::Nightly => ("nightly", None, Some("03:00")),
            Self::Partitions => ("partitions", Some("7 days"), None),
            Self::Policies => ("policies", Some("1 day"), None),
        };
        Options {
            unique_key: Some(key.to_owned()),
            schedule_interval: interval.map(ToOwned::to_owned),
            schedule_local_time: local_time.map(ToOwned::to_owned),
            ..Options::default()
        }
    }
}

/// What was done about one job: its name, what became of it, what is left to run.
type Scheduled = (String, String, Option<String>);

/// Where pg_cron is.
struct Scheduler {
    is_here: bool,
    home: Option<String>,
    database: String,
}

/// Has `run_jobs()` called regularly, and its standing work done.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn schedule_jobs(
    schedule: default!(Option<&str>, "'* * * * *'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(job_name, String),
            name!(status, String),
            name!(statement, Option<String>),
        ),
    >,
    ErrorReport,
> {
    if schedule.is_some_and(str::is_empty) {
        return Err(invalid_parameter("schedule must not be empty").set_hint(
            "Pass one in cron's notation, for example '* * * * *', or NULL to remove it.",
        ));
    }
    sql::require_writable(c"schedule_jobs()");
    if !tenancy::may_see_all()? {
        return Err(insufficient_privilege("schedule_jobs() is for operators")
            .set_hint("SET ROLE sop_ml_operator, or call it as superuser."));
    }
    let mut rows = vec![scheduled(schedule)?];
    if schedule.is_some() {
        for job in Standing::ALL {
            let (_, is_new) = jobs::enqueue_standing(job.job_name(), job.options())?;
            let status = if is_new { "queued" } else { "unchanged" };
            rows.push((job.job_name().to_owned(), status.to_owned(), None));
        }
    }
    Ok(TableIterator::new(rows))
}

extension_sql!(
    r#"
ALTER FUNCTION sop_ml.schedule_jobs(text) ROWS 4;
COMMENT ON FUNCTION sop_ml.schedule_jobs(text) IS
'Has pg_cron call run_jobs() (schedule in cron''s notation, every minute by default; NULL removes the entry) and queues the standing jobs, the nightly run at 03:00 local time, the weekly care of partitions and the daily application of policies, where they are not queued. May be repeated: what is as it should be stays unchanged. Where pg_cron lives in another database, or is not there, statement says what to run where. The entry is made by superusers and runs as the one who made it; others are told the statement. Example: SELECT * FROM sop_ml.schedule_jobs();';
"#,
    name = "comment_schedule",
    requires = [schedule_jobs]
);

fn scheduled(schedule: Option<&str>) -> PgResult<Scheduled> {
    let scheduler = scheduler()?;
    let entry = format!("{ENTRY} {}", scheduler.database);
    // SAFETY: looks up the current role inside a transaction.
    let is_superuser = unsafe { pg_sys::superuser() };
    let (status, statement) = match (scheduler.is_here, scheduler.home) {
        (true, _) if is_superuser => (registered(&entry, schedule)?.to_owned(), None),
        // An entry runs as the role that makes it, and sop_ml_operator cannot log in.
        (true, _) => (
            "run the statement as superuser".to_owned(),
            Some(statement(&entry, schedule, &scheduler.database)?),
        ),
        (false, Some(home)) => (
            format!("run the statement in database {home}"),
            Some(statement(&entry, schedule, &scheduler.database)?),
        ),
        (false, None) if schedule.is_none() => ("absent".to_owned(), None),
        (false, None) => (
            "pg_cron is not loaded: have any scheduler run the statement every minute".to_owned(),
            Some(format!("{COMMAND};")),
        ),
    };
    Ok(("run_jobs".to_owned(), status, statement))
}

/// Where pg_cron works from is for superusers to see; that operators are told harms nobody.
fn scheduler() -> PgResult<Scheduler> {
    tenancy::privileged(|| {
        sql::select_one(SCHEDULER, &[], |row| {
            Ok(Scheduler {
                is_here: row.required(1)?,
                home: row.get(2)?,
                database: row.required(3)?,
            })
        })
    })?
    .ok_or_else(|| internal("the scheduler cannot be looked for"))
}

/// Brings the entry of pg_cron in this database to what it should be.
fn registered(entry: &str, schedule: Option<&str>) -> PgResult<&'static str> {
    let existing = sql::select_one(FIND, &[entry.into()], |row| {
        Ok((row.required::<String>(1)?, row.required::<String>(2)?))
    })?;
    let Some(schedule) = schedule else {
        if existing.is_none() {
            return Ok("absent");
        }
        sql::execute(REMOVE, &[entry.into()])?;
        return Ok("removed");
    };
    let status = match existing {
        Some((known, command)) if known == schedule && command == COMMAND => {
            return Ok("unchanged");
        }
        Some(_) => "rescheduled",
        None => "scheduled",
    };
    sql::execute(REGISTER, &[entry.into(), schedule.into(), COMMAND.into()])?;
    Ok(status)
}

fn statement(entry: &str, schedule: Option<&str>, database: &str) -> PgResult<String> {
    sql::select_one(
        STATEMENT,
        &[
            entry.into(),
            schedule.into(),
            COMMAND.into(),
            database.into(),
        ],
        |row| row.required(1),
    )?
    .ok_or_else(|| internal("a query for a statement answered with no row"))
}
