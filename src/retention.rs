//! What the policies say about old rows, done: archived, or deleted where a restaurant keeps them for a shorter time.

use pgrx::Uuid;
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::archive::{self, Done, Volume};
use crate::error::PgResult;
use crate::sql;
use crate::subtransaction::isolated;

const POLICIES: &str = include_str!("../sql/queries/retention_policies.sql");
const DONE: &str = include_str!("../sql/queries/retention_done.sql");

struct Policy {
    /// `None` for all restaurants.
    restaurant: Option<Uuid>,
    owner: Uuid,
    id: Uuid,
    relation: String,
    metric: String,
    action: String,
    before: TimestampWithTimeZone,
}

/// Archives and deletes what the policies say.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn apply_time_series_policies() -> Result<
    TableIterator<
        'static,
        (
            name!(restaurant_id, Uuid),
            name!(policy_id, Uuid),
            name!(relation_name, String),
            name!(metric_name, String),
            name!(action, String),
            name!(months, i64),
            name!(n, i64),
        ),
    >,
    ErrorReport,
> {
    archive::begin(c"apply_time_series_policies()", None)?;
    let mut rows = Vec::new();
    for policy in policies()? {
        pgrx::check_for_interrupts!();
        let (action, months, n) = match isolated(|| apply(&policy)) {
            Ok(applied) => applied,
            Err(failure) => {
                let what = format!("apply_time_series_policies: policy {}", policy.id);
                (failure.warn(&what), 0, 0)
            }
        };
        rows.push((
            policy.owner,
            policy.id,
            policy.relation,
            policy.metric,
            action,
            months,
            n,
        ));
    }
    Ok(TableIterator::new(rows))
}

extension_sql!(
    r#"
ALTER FUNCTION sop_ml.apply_time_series_policies() SET extra_float_digits = 1;
ALTER FUNCTION sop_ml.apply_time_series_policies() SET timezone = 'UTC';
ALTER FUNCTION sop_ml.apply_time_series_policies() SET intervalstyle = 'postgres';
COMMENT ON FUNCTION sop_ml.apply_time_series_policies() IS
'Does what the active rows of sop_time_series_compression_policies with a retention say, month by local month: expiry_action archive packs older rows into bundles (of all restaurants, where the policy is the shared tenant''s), drop deletes those of its restaurant, or of one metric of it. Months that the roll-up has not done with wait. What holds for all restaurants at once, drop and detach, is maintain_partitions()'' work. Answers a row per policy and notes it there (last_run_at, last_action, last_rows, bytes). For operators; schedule_jobs() has it run every day. Example: SELECT * FROM sop_ml.apply_time_series_policies();';
"#,
    name = "comment_retention",
    requires = [apply_time_series_policies]
);

fn policies() -> PgResult<Vec<Policy>> {
    sql::modify(POLICIES, &[], |row| {
        let owner: Uuid = row.required(1)?;
        Ok(Policy {
            restaurant: (owner.as_bytes() != &[0; 16]).then_some(owner),
            owner,
            id: row.required(2)?,
            relation: row.required(3)?,
            metric: row.required(4)?,
            action: row.required(5)?,
            before: row.required(6)?,
        })
    })
}

fn apply(policy: &Policy) -> PgResult<(String, i64, i64)> {
    let (word, done) = match policy.action.as_str() {
        "archive" => (
            "archived",
            archive::archive(policy.restaurant, &policy.relation, policy.before)?,
        ),
        _ => (
            "dropped",
            archive::remove(
                policy.restaurant,
                &policy.relation,
                &policy.metric,
                policy.before,
            )?,
        ),
    };
    let total = total(&done);
    let (finished, waiting): (Vec<_>, Vec<_>) =
        done.iter().partition(|month| month.status == archive::DONE);
    let months = finished.len() as i64;
    let summary = if waiting.is_empty() {
        word.to_owned()
    } else {
        format!("{word}; {} months wait or failed", waiting.len())
    };
    let arguments: [DatumWithOid<'_>; 6] = [
        policy.owner.into(),
        policy.id.into(),
        summary.as_str().into(),
        total.rows.into(),
        total.bytes_before.into(),
        total.bytes_after.into(),
    ];
    sql::execute(DONE, &arguments)?;
    Ok((summary, months, total.rows))
}

fn total(done: &[Done]) -> Volume {
    let mut total = Volume::default();
    done.iter().for_each(|month| total += month.volume);
    total
}
