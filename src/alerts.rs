//! Alerts: a cause raises one alert, which is counted up while nobody has resolved it, and is announced again only after
//! its cooldown or when it gets worse.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use pgrx::Uuid;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::required;
use crate::error::{PgResult, internal, invalid_parameter, no_data};
use crate::jsonb::JsonB;
use crate::tenancy::{self, AccessLevel};
use crate::{options, sql};

const RAISE: &str = include_str!("../sql/queries/alerts_raise.sql");
const ACKNOWLEDGE: &str = include_str!("../sql/queries/alerts_acknowledge.sql");
const RESOLVE: &str = include_str!("../sql/queries/alerts_resolve.sql");

const SOURCES: [&str; 6] = ["quality", "drift", "anomaly", "experiment", "job", "custom"];
const SEVERITIES: [&str; 5] = ["info", "low", "medium", "high", "critical"];
/// A longer pause between two announcements is a resolved alert.
const MAX_COOLDOWN_SECONDS: f64 = 366.0 * 86_400.0;

/// What is wrong, for `sop_alerts`.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Alert {
    /// Which kind of check raises it.
    pub(crate) source: Cow<'static, str>,
    /// info, low, medium, high or critical.
    pub(crate) severity: Cow<'static, str>,
    /// One line.
    pub(crate) title: String,
    /// What to do about it.
    pub(crate) description: Option<String>,
    /// The numbers behind it.
    pub(crate) evidence: Value,
    /// Names the cause: an alert with this key that is not resolved is raised again instead of a second one.
    pub(crate) dedup_key: String,
    /// The relation concerned.
    pub(crate) relation_name: Option<String>,
    /// The row concerned (a model, an SOP), as text.
    pub(crate) subject_id: Option<String>,
    /// The metric concerned.
    pub(crate) metric_name: Option<String>,
    /// Estimated cost while it lasts, and its currency.
    pub(crate) business_impact: Option<f64>,
    /// ISO 4217.
    pub(crate) impact_currency: Option<String>,
    /// How long the cause is only counted after it was announced; `None` announces it once.
    pub(crate) cooldown_seconds: Option<f64>,
}

/// What `raise_alert` accepts beside the alert itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RaiseOptions {
    description: Option<String>,
    dedup_key: Option<String>,
    relation_name: Option<String>,
    subject_id: Option<String>,
    metric_name: Option<String>,
    business_impact: Option<f64>,
    impact_currency: Option<String>,
    cooldown_seconds: Option<f64>,
}

/// What `acknowledge_alert` accepts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AcknowledgeOptions {
    assigned_to: Option<String>,
}

/// What `resolve_alert` accepts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ResolveOptions {
    note: Option<String>,
    cooldown_seconds: Option<f64>,
}

/// Raises an alert, or counts it on the unresolved one of the same cause; returns its id.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn raise_alert(
    restaurant_id: Option<Uuid>,
    source: Option<&str>,
    severity: Option<&str>,
    title: Option<&str>,
    evidence: default!(Option<JsonB>, "'{}'"),
    options: default!(Option<JsonB>, "NULL"),
) -> PgResult<Uuid> {
    let options: RaiseOptions = options::parse(options)?;
    let title = required("title", title)?;
    if title.is_empty() {
        return Err(invalid_parameter("title must not be empty"));
    }
    let source = one_of("source", required("source", source)?, &SOURCES)?;
    let severity = one_of("severity", required("severity", severity)?, &SEVERITIES)?;
    let subject_id = uuid_text("subject_id", options.subject_id)?;
    let alert = Alert {
        // Without a name of its own, the same title from the same source is the same cause.
        dedup_key: options
            .dedup_key
            .unwrap_or_else(|| format!("{source}:{title}")),
        source: source.to_owned().into(),
        severity: severity.to_owned().into(),
        title: title.to_owned(),
        description: options.description,
        evidence: evidence.map_or_else(
            || Value::Object(serde_json::Map::new()),
            |JsonB(value)| value,
        ),
        relation_name: options.relation_name,
        subject_id,
        metric_name: options.metric_name,
        business_impact: options.business_impact,
        impact_currency: options.impact_currency,
        cooldown_seconds: cooldown(options.cooldown_seconds)?,
    };
    sql::require_writable(c"raise_alert()");
    let restaurant = tenancy::resolve(restaurant_id)?;
    tenancy::require(AccessLevel::Analyst)?;
    raise(restaurant, None, vec![alert])?
        .into_values()
        .next()
        .ok_or_else(|| internal("an alert was raised without an id"))
}

/// Marks an alert as seen; returns the status that it had.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn acknowledge_alert(
    restaurant_id: Option<Uuid>,
    alert_id: Option<Uuid>,
    options: default!(Option<JsonB>, "NULL"),
) -> PgResult<String> {
    let options: AcknowledgeOptions = options::parse(options)?;
    let alert = required("alert_id", alert_id)?;
    let assigned_to = options::uuid("assigned_to", options.assigned_to.as_deref())?;
    sql::require_writable(c"acknowledge_alert()");
    let restaurant = tenancy::resolve(restaurant_id)?;
    tenancy::require(AccessLevel::Manager)?;
    let arguments = [
        restaurant.into(),
        alert.into(),
        tenancy::acting_role()?.into(),
        assigned_to.into(),
    ];
    status_before(ACKNOWLEDGE, &arguments)
}

/// Closes an alert; returns the status that it had.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn resolve_alert(
    restaurant_id: Option<Uuid>,
    alert_id: Option<Uuid>,
    options: default!(Option<JsonB>, "NULL"),
) -> PgResult<String> {
    let options: ResolveOptions = options::parse(options)?;
    let alert = required("alert_id", alert_id)?;
    let cooldown = cooldown(options.cooldown_seconds)?;
    sql::require_writable(c"resolve_alert()");
    let restaurant = tenancy::resolve(restaurant_id)?;
    tenancy::require(AccessLevel::Manager)?;
    let arguments = [
        restaurant.into(),
        alert.into(),
        tenancy::acting_role()?.into(),
        options.note.into(),
        cooldown.into(),
    ];
    status_before(RESOLVE, &arguments)
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.raise_alert(uuid, text, text, text, jsonb, jsonb) IS
'Raises an alert, or counts it on the unresolved alert of the same cause; returns its id. Sources: quality, drift, anomaly, experiment, job, custom; severities: info, low, medium, high, critical. Options: description, dedup_key, relation_name, subject_id, metric_name, business_impact, impact_currency, cooldown_seconds. Example: SELECT sop_ml.raise_alert(NULL, ''custom'', ''high'', ''Freezer 2 is warm'', ''{"celsius": -9}'', ''{"cooldown_seconds": 3600}'');';
COMMENT ON FUNCTION sop_ml.acknowledge_alert(uuid, uuid, jsonb) IS
'Marks an alert as seen and returns the status that it had; for managers. Options: assigned_to (uuid of a person).';
COMMENT ON FUNCTION sop_ml.resolve_alert(uuid, uuid, jsonb) IS
'Closes an alert and returns the status that it had; for managers. Options: note, cooldown_seconds (so long the same cause is counted and raises no new alert).';
"#,
    name = "comment_alerts",
    requires = [raise_alert, acknowledge_alert, resolve_alert]
);

fn one_of<'a>(name: &str, value: &'a str, allowed: &[&str]) -> PgResult<&'a str> {
    if allowed.contains(&value) {
        return Ok(value);
    }
    Err(invalid_parameter(format!("unknown {name} \"{value}\""))
        .set_hint(format!("Known are {}.", allowed.join(", "))))
}

fn uuid_text(name: &str, text: Option<String>) -> PgResult<Option<String>> {
    options::uuid(name, text.as_deref())?;
    Ok(text)
}

fn cooldown(seconds: Option<f64>) -> PgResult<Option<f64>> {
    match seconds {
        Some(seconds) if !(0.0..=MAX_COOLDOWN_SECONDS).contains(&seconds) => {
            Err(invalid_parameter(format!(
                "invalid options: cooldown_seconds must be between 0 and {MAX_COOLDOWN_SECONDS}, not {seconds}"
            )))
        }
        valid => Ok(valid),
    }
}

fn status_before(statement: &str, arguments: &[pgrx::datum::DatumWithOid<'_>]) -> PgResult<String> {
    sql::modify(statement, arguments, |row| row.required(1))?
        .into_iter()
        .next()
        .ok_or_else(|| no_data("there is no such alert at this restaurant"))
}

/// Raises alerts and returns the id of each by its key; of several with one key the last counts.
pub(crate) fn raise(
    restaurant_id: Uuid,
    run_id: Option<Uuid>,
    alerts: Vec<Alert>,
) -> PgResult<HashMap<String, Uuid>> {
    if alerts.is_empty() {
        return Ok(HashMap::new());
    }
    let distinct: BTreeMap<String, Alert> = alerts
        .into_iter()
        .map(|alert| (alert.dedup_key.clone(), alert))
        .collect();
    let alerts: Vec<Alert> = distinct.into_values().collect();
    let alerts = serde_json::to_value(alerts).map_err(|error| internal(error.to_string()))?;
    let raised = sql::modify(
        RAISE,
        &[restaurant_id.into(), JsonB(alerts).into(), run_id.into()],
        |row| Ok((row.required::<String>(1)?, row.required::<Uuid>(2)?)),
    )?;
    Ok(raised.into_iter().collect())
}
