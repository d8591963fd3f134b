//! Observations in: many at once, each judged, one statement for all that are taken.

use std::collections::HashSet;

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{Array, Uuid};
use serde::Deserialize;
use serde_json::{Map, Value};
use sop_analytics::budget::Budget;
use sop_analytics::ingest::{Judged, NotFinite, Observation, Rules, judge};

use crate::arguments::required;
use crate::error::{PgResult, from_analytics, internal, invalid_parameter};
use crate::interrupts::Interrupts;
use crate::jsonb::JsonB;
use crate::tenancy::{self, AccessLevel};
use crate::{arrays, options, settings, sql, timescaledb};

const KEEP: &str = include_str!("../sql/queries/ingest_keep.sql");
const REPLACE: &str = include_str!("../sql/queries/ingest_replace.sql");
const KNOWN_METRICS: &str = include_str!("../sql/queries/ingest_known_metrics.sql");
const LOCK_BATCH: &str = include_str!("../sql/queries/ingest_lock_batch.sql");
const BATCH: &str = include_str!("../sql/queries/ingest_batch.sql");
const REMEMBER_BATCH: &str = include_str!("../sql/queries/ingest_remember_batch.sql");

/// A clock may be this wrong, in minutes, unless the caller says otherwise.
const USUAL_MAX_FUTURE_MINUTES: f64 = 60.0;
/// Ten years: beyond, the year is mistyped.
const LONGEST_MAX_FUTURE_MINUTES: f64 = 3660.0 * 1440.0;
/// What a reading takes until it is written: itself, its place among the keys, and its columns.
const BYTES_PER_OBSERVATION: usize = 256;
const MICROSECONDS_PER_MINUTE: f64 = 60_000_000.0;

/// What `ingest_observations` accepts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct IngestOptions {
    on_conflict: OnConflict,
    not_finite: NotFinite,
    max_future_minutes: Option<f64>,
    unknown_metric: UnknownMetric,
    batch_id: Option<String>,
    source: String,
    dimensions: Option<Map<String, Value>>,
    unit: Option<String>,
    quality_flag: Option<QualityFlag>,
    recorded_by: Option<String>,
}

/// Who is right where a reading is there already.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnConflict {
    #[default]
    Update,
    Ignore,
}

/// What becomes of metrics that the restaurant has no reading of yet.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum UnknownMetric {
    #[default]
    Accept,
    Reject,
}

/// The verdicts that the table takes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum QualityFlag {
    Good,
    Suspect,
    Bad,
    Imputed,
}

impl QualityFlag {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Suspect => "suspect",
            Self::Bad => "bad",
            Self::Imputed => "imputed",
        }
    }
}

/// The same, checked.
struct Checked {
    on_conflict: OnConflict,
    not_finite: NotFinite,
    max_future: i64,
    unknown_metric: UnknownMetric,
    batch_id: Option<Uuid>,
    source: String,
    dimensions: Option<Map<String, Value>>,
    unit: Option<String>,
    quality_flag: Option<QualityFlag>,
    recorded_by: Option<Uuid>,
}

/// What became of a call's observations.
struct Outcome {
    inserted: i64,
    updated: i64,
    unchanged: i64,
    rejected: i64,
    reasons: Value,
}

/// Takes many observations at once.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn ingest_observations(
    restaurant_id: Option<Uuid>,
    metric_names: Option<Array<'_, String>>,
    sop_ids: Option<Array<'_, Uuid>>,
    observed_at: Option<Array<'_, TimestampWithTimeZone>>,
    observed: Option<Array<'_, f64>>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(inserted, i64),
            name!(updated, i64),
            name!(unchanged, i64),
            name!(rejected, i64),
            name!(reasons, JsonB),
            name!(is_repeat, bool),
        ),
    >,
    ErrorReport,
> {
    let options = options::parse::<IngestOptions>(options)?.check()?;
    let observations = observations(metric_names, sop_ids, observed_at, observed)?;
    sql::require_writable(c"ingest_observations()");
    let restaurant = tenancy::resolve(restaurant_id)?;
    tenancy::require(AccessLevel::Staff)?;
    if options.on_conflict == OnConflict::Update {
        tenancy::require(AccessLevel::Analyst).map_err(|report| {
            report.set_hint("Staff add readings: pass {\"on_conflict\": \"ignore\"}.")
        })?;
    }
    let earlier = options
        .batch_id
        .map(|batch| taken_before(restaurant, batch))
        .transpose()?
        .flatten();
    let is_repeat = earlier.is_some();
    timescaledb::lift_write_limit()?;
    let outcome = match earlier {
        Some(outcome) => outcome,
        None => take(restaurant, &observations, &options)?,
    };
    Ok(TableIterator::once((
        outcome.inserted,
        outcome.updated,
        outcome.unchanged,
        outcome.rejected,
        JsonB(outcome.reasons),
        is_repeat,
    )))
}

extension_sql!(
    r#"
ALTER FUNCTION sop_ml.ingest_observations(uuid, text[], uuid[], timestamptz[], float8[], jsonb) ROWS 1;
COMMENT ON FUNCTION sop_ml.ingest_observations(uuid, text[], uuid[], timestamptz[], float8[], jsonb) IS
'Takes many observations at once: element i of each array is one observation (sop_ids NULL: all of the whole restaurant). Answers how many were inserted, updated, unchanged and rejected, and why: reason (metric_name, observed_at, future, not_finite, unknown_metric) with how many and the first positions. Options, for all of them: on_conflict (update, the default: the later call is right; ignore: the first one), not_finite (reject, the default; null; keep), max_future_minutes (60), unknown_metric (accept, the default; reject), batch_id (a batch sent again changes nothing and gets the first answer, is_repeat true), source, dimensions, unit, quality_flag, recorded_by. For staff; replacing a value is the analyst''s. Example: SELECT * FROM sop_ml.ingest_observations(NULL, ARRAY[''fridge_celsius''], NULL, ARRAY[now()], ARRAY[4.2::float8]);';
"#,
    name = "comment_ingest",
    requires = [ingest_observations]
);

impl IngestOptions {
    fn check(self) -> PgResult<Checked> {
        let max_future = max_future_minutes(self.max_future_minutes)?;
        Ok(Checked {
            on_conflict: self.on_conflict,
            not_finite: self.not_finite,
            max_future: (max_future * MICROSECONDS_PER_MINUTE) as i64,
            unknown_metric: self.unknown_metric,
            batch_id: options::uuid("batch_id", self.batch_id.as_deref())?,
            source: self.source,
            dimensions: self.dimensions,
            unit: self.unit,
            quality_flag: self.quality_flag,
            recorded_by: options::uuid("recorded_by", self.recorded_by.as_deref())?,
        })
    }
}

/// How far ahead of the server's clock a reading may lie, in minutes.
pub(crate) fn max_future_minutes(option: Option<f64>) -> PgResult<f64> {
    let minutes = option.unwrap_or(USUAL_MAX_FUTURE_MINUTES);
    if (0.0..=LONGEST_MAX_FUTURE_MINUTES).contains(&minutes) {
        return Ok(minutes);
    }
    Err(invalid_parameter(format!(
        "invalid options: max_future_minutes must be between 0 and {LONGEST_MAX_FUTURE_MINUTES}, not {minutes}"
    )))
}

/// The arrays side by side.
fn observations(
    metric_names: Option<Array<'_, String>>,
    sop_ids: Option<Array<'_, Uuid>>,
    observed_at: Option<Array<'_, TimestampWithTimeZone>>,
    observed: Option<Array<'_, f64>>,
) -> PgResult<Vec<Observation>> {
    let metric_names = required("metric_names", metric_names)?;
    Budget::new(settings::max_state_bytes())
        .charge(metric_names.len().saturating_mul(BYTES_PER_OBSERVATION))
        .map_err(|error| {
            from_analytics(error).set_hint("Send fewer at a time, or raise sop_ml.max_state_mb.")
        })?;
    let names = arrays::optional_values(metric_names, "metric_names")?;
    let instants = arrays::optional_values(required("observed_at", observed_at)?, "observed_at")?;
    let values = arrays::optional_values(required("observed", observed)?, "observed")?;
    let sops = sop_ids
        .map(|sops| arrays::optional_values(sops, "sop_ids"))
        .transpose()?
        .unwrap_or_else(|| vec![None; names.len()]);
    for (argument, length) in [
        ("sop_ids", sops.len()),
        ("observed_at", instants.len()),
        ("observed", values.len()),
    ] {
        if length != names.len() {
            return Err(invalid_parameter(format!(
                "{argument} must have as many elements as metric_names, {}, not {length}",
                names.len()
            )));
        }
    }
    Ok(names
        .into_iter()
        .zip(sops)
        .zip(instants)
        .zip(values)
        .map(|(((metric_name, sop), observed_at), value)| Observation {
            metric_name,
            sop_id: sop.map_or([0; 16], |sop| *sop.as_bytes()),
            observed_at: observed_at
                .filter(|at| !at.is_infinity() && !at.is_neg_infinity())
                .map(TimestampWithTimeZone::into_inner),
            value,
        })
        .collect())
}

/// Waits for whoever takes the same batch now; what it came to, if somebody took it before.
fn taken_before(restaurant: Uuid, batch: Uuid) -> PgResult<Option<Outcome>> {
    sql::execute(LOCK_BATCH, &[restaurant.into(), batch.into()])?;
    // With a snapshot of its own: the other session may have ended just now.
    let earlier = sql::modify(BATCH, &[restaurant.into(), batch.into()], |row| {
        Ok(Outcome {
            inserted: row.required(1)?,
            updated: row.required(2)?,
            unchanged: row.required(3)?,
            rejected: row.required(4)?,
            reasons: row.required::<JsonB>(5)?.0,
        })
    })?;
    Ok(earlier.into_iter().next())
}

fn take(restaurant: Uuid, observations: &[Observation], options: &Checked) -> PgResult<Outcome> {
    let rules = Rules {
        not_finite: options.not_finite,
        // SAFETY: reads a variable of this backend's transaction.
        latest: unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
            .saturating_add(options.max_future),
        known_metrics: match options.unknown_metric {
            UnknownMetric::Accept => None,
            UnknownMetric::Reject => Some(known_metrics(restaurant, observations)?),
        },
    };
    let judged = judge(observations, &rules, &mut Interrupts).map_err(from_analytics)?;
    let taken = judged.values.len() as i64;
    let (overtaken, rejected, reasons) = (judged.overtaken, judged.rejected, judged.reasons());
    let (inserted, updated) = write(restaurant, judged, options)?;
    let outcome = Outcome {
        inserted,
        updated,
        unchanged: taken - inserted - updated + overtaken,
        rejected,
        reasons,
    };
    if let Some(batch) = options.batch_id {
        remember(restaurant, batch, &outcome, options)?;
    }
    Ok(outcome)
}

fn known_metrics(restaurant: Uuid, observations: &[Observation]) -> PgResult<HashSet<String>> {
    let named: HashSet<&str> = observations
        .iter()
        .filter_map(|observation| observation.metric_name.as_deref())
        .collect();
    let named: Vec<&str> = named.into_iter().collect();
    let known = sql::select(KNOWN_METRICS, &[restaurant.into(), named.into()], |row| {
        row.required::<String>(1)
    })?;
    Ok(known.into_iter().collect())
}

fn write(restaurant: Uuid, judged: Judged<'_>, options: &Checked) -> PgResult<(i64, i64)> {
    if judged.values.is_empty() {
        return Ok((0, 0));
    }
    let sops: Vec<Uuid> = judged.sop_ids.into_iter().map(Uuid::from_bytes).collect();
    let instants = judged
        .instants
        .into_iter()
        .map(|at| TimestampWithTimeZone::try_from(at).map_err(|error| internal(error.to_string())))
        .collect::<PgResult<Vec<_>>>()?;
    let arguments: [DatumWithOid<'_>; 11] = [
        restaurant.into(),
        judged.metric_names.into(),
        sops.into(),
        instants.into(),
        judged.values.into(),
        options.source.as_str().into(),
        options
            .dimensions
            .clone()
            .map(|object| JsonB(object.into()))
            .into(),
        options.unit.as_deref().into(),
        options.quality_flag.map(QualityFlag::as_str).into(),
        options.recorded_by.into(),
        options.batch_id.into(),
    ];
    let statement = match options.on_conflict {
        OnConflict::Update => REPLACE,
        OnConflict::Ignore => KEEP,
    };
    sql::modify_one(statement, &arguments, |row| {
        Ok((row.required(1)?, row.required(2)?))
    })
}

fn remember(restaurant: Uuid, batch: Uuid, outcome: &Outcome, options: &Checked) -> PgResult<()> {
    let arguments: [DatumWithOid<'_>; 8] = [
        restaurant.into(),
        batch.into(),
        options.source.as_str().into(),
        outcome.inserted.into(),
        outcome.updated.into(),
        outcome.unchanged.into(),
        outcome.rejected.into(),
        JsonB(outcome.reasons.clone()).into(),
    ];
    sql::execute(REMEMBER_BATCH, &arguments).map(|_| ())
}
