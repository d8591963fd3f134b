//! Alerts of quality checks, drift and anomalies: raised once, raised again while nobody has resolved them.

use std::collections::{BTreeMap, HashMap};

use pgrx::Uuid;
use serde::Serialize;
use serde_json::Value;

use crate::error::{PgResult, internal};
use crate::jsonb::JsonB;
use crate::sql;

const RAISE: &str = include_str!("../sql/queries/alerts_raise.sql");

/// What is wrong, for `sop_alerts`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Alert {
    /// Which kind of check raises it: quality, drift or anomaly.
    pub(crate) source: &'static str,
    /// info, low, medium, high or critical.
    pub(crate) severity: &'static str,
    /// One line.
    pub(crate) title: String,
    /// What to do about it.
    pub(crate) description: String,
    /// The numbers behind it.
    pub(crate) evidence: Value,
    /// Names the cause: an alert with this key that is not resolved is raised again instead of a second one.
    pub(crate) dedup_key: String,
    /// The relation concerned.
    pub(crate) relation_name: Option<String>,
    /// The model concerned, as text.
    pub(crate) subject_id: Option<String>,
}

/// Raises alerts and returns the id of each by its key; of several with one key the last counts.
pub(crate) fn raise(
    restaurant_id: Uuid,
    run_id: Uuid,
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
