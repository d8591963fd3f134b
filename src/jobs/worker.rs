//! What `run_jobs()` calls: claim the next job, execute it as its submitter, record how it ended.

use crate::jsonb::JsonB;
use pgrx::Uuid;
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::{installation, kinds};
use crate::alerts::{self, Alert};
use crate::arguments::required;
use crate::error::{PgResult, insufficient_privilege, prerequisite};
use crate::sql;
use crate::subtransaction::{Failure, isolated};
use crate::tenancy::{self, AccessLevel, Submitter};

const CLAIM: &str = include_str!("../../sql/queries/jobs_claim.sql");
const BURY: &str = include_str!("../../sql/queries/jobs_bury.sql");
const CLEAN: &str = include_str!("../../sql/queries/jobs_clean.sql");
const LOCK: &str = include_str!("../../sql/queries/jobs_lock.sql");
const SUCCEED: &str = include_str!("../../sql/queries/jobs_succeed.sql");
const FAIL: &str = include_str!("../../sql/queries/jobs_fail.sql");

/// How long a claim is respected when its worker does not show: the time between claiming and beginning to work. While a
/// job is executed its row is locked, which needs no lease and ends with the process.
const LEASE_SECONDS: f64 = 30.0;

/// Takes the next job that is due, of the restaurant that was served longest ago; no row when there is none.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn claim_job() -> Result<
    TableIterator<
        'static,
        (
            name!(restaurant_id, Uuid),
            name!(job_id, Uuid),
            name!(job_name, String),
            name!(fencing_token, i64),
        ),
    >,
    pg_sys::panic::ErrorReport,
> {
    require_operator()?;
    sql::require_writable(c"claim_job()");
    sql::execute(CLEAN, &[])?;
    let buried = sql::modify(BURY, &[], |row| {
        Ok((
            row.required::<Uuid>(1)?,
            row.required::<Uuid>(2)?,
            row.required::<String>(3)?,
        ))
    })?;
    for (restaurant, job, name) in buried {
        announce_death(
            restaurant,
            job,
            &name,
            "the server process ended while it ran",
        )?;
    }
    let claimed = sql::modify(CLAIM, &[LEASE_SECONDS.into()], |row| {
        Ok((
            row.required(1)?,
            row.required(2)?,
            row.required(3)?,
            row.required(4)?,
        ))
    })?;
    Ok(TableIterator::new(claimed))
}

/// A claimed job, locked.
struct Job {
    name: String,
    parameters: Value,
    submitter: Option<Submitter>,
}

/// Executes a claimed job and records how it ended: succeeded, failed (to be retried), dead, or lost when the claim is not
/// the newest any more.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn execute_job(
    restaurant_id: Option<Uuid>,
    job_id: Option<Uuid>,
    fencing_token: Option<i64>,
) -> PgResult<String> {
    let restaurant = required("restaurant_id", restaurant_id)?;
    let id = required("job_id", job_id)?;
    let token = required("fencing_token", fencing_token)?;
    require_operator()?;
    sql::require_writable(c"execute_job()");
    let Some(job) = lock(restaurant, id, token)? else {
        return Ok("lost".to_owned());
    };
    match isolated(|| work(&job, restaurant)) {
        Ok(result) => {
            let arguments = [restaurant.into(), id.into(), token.into(), result.into()];
            finished(sql::modify(SUCCEED, &arguments, |row| row.required(1))?)
        }
        Err(failure) => fail(&job, restaurant, id, token, &failure),
    }
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.claim_job() IS
'Takes the next job that is due, of the restaurant that was served longest ago; for run_jobs().';
COMMENT ON FUNCTION sop_ml.execute_job(uuid, uuid, bigint) IS
'Executes a claimed job as the one who submitted it and records how it ended: succeeded, failed (it will be retried), dead, or lost when another worker has claimed it since; for run_jobs().';
"#,
    name = "comment_job_worker",
    requires = [claim_job, execute_job]
);

/// The queue is read for all restaurants: with less than every row in sight it would silently do nothing.
fn require_operator() -> PgResult<()> {
    if tenancy::may_see_all()? {
        return Ok(());
    }
    Err(insufficient_privilege(
        "jobs are run by operators (BYPASSRLS)",
    ))
}

/// Locks the job's row until the end of the transaction: nobody claims it again while this process lives.
fn lock(restaurant: Uuid, id: Uuid, token: i64) -> PgResult<Option<Job>> {
    let arguments = [restaurant.into(), id.into(), token.into()];
    let jobs = sql::modify(LOCK, &arguments, |row| {
        let role = row.get::<pg_sys::Oid>(3)?;
        let level = row.get::<String>(5)?;
        let source = row.get::<String>(6)?;
        let user = row.get(4)?;
        Ok(Job {
            name: row.required(1)?,
            parameters: row.required::<JsonB>(2)?.0,
            submitter: role.map(|role| Submitter {
                role,
                user,
                level: level.as_deref().and_then(AccessLevel::parse),
                by_membership: source.as_deref() == Some("membership"),
            }),
        })
    })?;
    Ok(jobs.into_iter().next())
}

fn work(job: &Job, restaurant: Uuid) -> PgResult<Option<JsonB>> {
    let kind = kinds::find(&job.name)?;
    let submitter = job
        .submitter
        .as_ref()
        .ok_or_else(|| prerequisite("the role that submitted the job was dropped"))?;
    tenancy::as_submitter(submitter, restaurant, || {
        kind.require_access()?;
        let whose = (restaurant != installation()).then_some(restaurant);
        let arguments = [whose.into(), JsonB(job.parameters.clone()).into()];
        let results = sql::modify(kind.statement, &arguments, |row| row.get::<JsonB>(1))?;
        Ok(results.into_iter().next().flatten())
    })
}

fn fail(job: &Job, restaurant: Uuid, id: Uuid, token: i64, failure: &Failure) -> PgResult<String> {
    let status = finished(sql::modify(
        FAIL,
        &[
            restaurant.into(),
            id.into(),
            token.into(),
            failure.message.clone().into(),
            failure.sqlstate.clone().into(),
        ],
        |row| row.required(1),
    )?)?;
    if status == "dead" {
        announce_death(restaurant, id, &job.name, &failure.message)?;
    }
    Ok(status)
}

/// The status that the closing statement wrote. The row was locked, so it is there.
fn finished(statuses: Vec<String>) -> PgResult<String> {
    statuses
        .into_iter()
        .next()
        .ok_or_else(|| crate::error::internal("a locked job disappeared"))
}

fn announce_death(restaurant: Uuid, job: Uuid, name: &str, why: &str) -> PgResult<()> {
    let alert = Alert {
        source: "job".into(),
        severity: "high".into(),
        title: format!("Job {name} was given up"),
        description: Some(
            "It failed as often as it may. Remove the cause, then enqueue it again.".to_owned(),
        ),
        evidence: json!({ "job_id": job.to_string(), "last_error": why }),
        dedup_key: format!("job:{name}"),
        relation_name: Some("sop_ml.sop_job_queue".to_owned()),
        subject_id: Some(job.to_string()),
        ..Alert::default()
    };
    alerts::raise(restaurant, None, vec![alert]).map(|_| ())
}
