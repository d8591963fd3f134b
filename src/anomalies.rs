//! Predictions that do not fit what the same model predicted before.

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use sop_analytics::anomalies::{Baseline, Score, Threshold, from_log_odds, log_odds};
use sop_analytics::severity::Severity;

use crate::alerts::{self, Alert};
use crate::arguments::required;
use crate::error::{PgResult, from_analytics, internal, invalid_parameter};
use crate::jsonb::JsonB;
use crate::models::{self, Model};
use crate::{options, sql, tenancy};

const RUN_ID: &str = include_str!("../sql/queries/run_id.sql");
const BASELINE: &str = include_str!("../sql/queries/anomalies_baseline.sql");
const CANDIDATES: &str = include_str!("../sql/queries/anomalies_candidates.sql");
const STORE: &str = include_str!("../sql/queries/anomalies_store.sql");

/// Newest predictions that a baseline is made of.
const BASELINE_ROWS: i64 = 100_000;
/// Unusual predictions that are ranked; a model with more is broken, and its first ones tell how.
const CANDIDATE_ROWS: i64 = 100_000;
const DAY: i64 = 86_400_000_000;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AnomalyOptions {
    threshold: f64,
    baseline_days: f64,
    limit: usize,
    to_time: Option<String>,
    store: bool,
    alert: bool,
}

impl Default for AnomalyOptions {
    fn default() -> Self {
        Self {
            threshold: 3.5,
            baseline_days: 28.0,
            limit: 1000,
            to_time: None,
            store: true,
            alert: true,
        }
    }
}

/// What the baseline says; a part without enough values, or without any spread, says nothing.
struct Expectation {
    value: Option<Baseline>,
    /// Of the log-odds of the confidence.
    confidence: Option<Baseline>,
    /// Of actual minus predicted.
    residual: Option<Baseline>,
}

/// A prediction outside the expected ranges.
struct Candidate {
    prediction_id: Uuid,
    predicted_at: TimestampWithTimeZone,
    sop_id: Option<Uuid>,
    value: Option<f64>,
    confidence: Option<f64>,
    actual: Option<f64>,
}

/// One reason why a prediction is unusual.
struct Anomaly {
    prediction_id: Uuid,
    predicted_at: TimestampWithTimeZone,
    sop_id: Option<Uuid>,
    reason: &'static str,
    value: f64,
    expected: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    score: f64,
    p_value: f64,
    severity: Severity,
}

/// One row per unusual prediction and reason, worst first.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn detect_prediction_anomalies(
    restaurant_id: Option<Uuid>,
    model: Option<&str>,
    from_time: Option<TimestampWithTimeZone>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(prediction_id, Uuid),
            name!(score, f64),
            name!(expected_low, Option<f64>),
            name!(expected_high, Option<f64>),
            name!(severity, String),
            name!(reason, String),
        ),
    >,
    pg_sys::panic::ErrorReport,
> {
    let options: AnomalyOptions = options::parse(options)?;
    let threshold = Threshold::new(options.threshold).map_err(from_analytics)?;
    let model = required("model", model)?;
    let from = required("from_time", from_time)?;
    let (baseline_from, to) = options.span(from)?;
    if options.store {
        sql::require_writable(c"detect_prediction_anomalies()");
    }
    let restaurant = tenancy::resolve(restaurant_id)?;
    let model = models::resolve(restaurant, model)?;
    let expectation = expectation(restaurant, &model, baseline_from, from)?;
    let candidates = candidates(restaurant, &model, from, to, &expectation, threshold)?;
    let mut anomalies: Vec<Anomaly> = candidates
        .iter()
        .flat_map(|candidate| reasons(candidate, &expectation, threshold))
        .collect();
    anomalies.sort_by(|a, b| {
        (b.severity.cmp(&a.severity))
            .then(b.score.abs().total_cmp(&a.score.abs()))
            .then(a.prediction_id.as_bytes().cmp(b.prediction_id.as_bytes()))
    });
    anomalies.truncate(options.limit);
    if options.store && !anomalies.is_empty() {
        store(restaurant, &model, &anomalies, &expectation, &options)?;
    }
    Ok(TableIterator::new(anomalies.into_iter().map(|a| {
        let severity = a.severity.as_str().to_owned();
        (
            a.prediction_id,
            a.score,
            a.low,
            a.high,
            severity,
            a.reason.to_owned(),
        )
    })))
}

impl AnomalyOptions {
    /// Where the baseline begins and where the rows under test end.
    fn span(
        &self,
        from: TimestampWithTimeZone,
    ) -> PgResult<(TimestampWithTimeZone, TimestampWithTimeZone)> {
        if !(self.baseline_days > 0.0 && self.baseline_days <= 3660.0) {
            return Err(invalid_parameter(format!(
                "option baseline_days must lie between 0 and 3660, not {}",
                self.baseline_days
            )));
        }
        if !(1..=100_000).contains(&self.limit) {
            return Err(invalid_parameter(format!(
                "option limit must lie between 1 and 100000, not {}",
                self.limit
            )));
        }
        let length = (self.baseline_days * DAY as f64) as i64;
        let finite = |at: &i64| *at != i64::MAX && *at != i64::MIN;
        let baseline_from = Some(from.into_inner())
            .filter(finite)
            .and_then(|at| at.checked_sub(length))
            .and_then(|at| TimestampWithTimeZone::try_from(at).ok())
            .ok_or_else(|| invalid_parameter("from_time must be a finite timestamp"))?;
        let to = options::timestamp("to_time", self.to_time.as_deref())?
            .unwrap_or_else(TimestampWithTimeZone::positive_infinity);
        if to.into_inner() <= from.into_inner() {
            return Err(invalid_parameter(
                "option to_time must be later than from_time",
            ));
        }
        Ok((baseline_from, to))
    }
}

fn expectation(
    restaurant: Uuid,
    model: &Model,
    from: TimestampWithTimeZone,
    to: TimestampWithTimeZone,
) -> PgResult<Expectation> {
    let read = sql::select_one(
        BASELINE,
        &[
            restaurant.into(),
            model.restaurant_id.into(),
            model.model_id.into(),
            from.into(),
            to.into(),
            BASELINE_ROWS.into(),
        ],
        |row| {
            let column =
                |at| -> PgResult<Vec<Option<f64>>> { Ok(row.get(at)?.unwrap_or_default()) };
            Ok((column(1)?, column(2)?, column(3)?))
        },
    )?;
    let (values, confidences, actuals) = read.unwrap_or_default();
    let present = |column: &[Option<f64>]| column.iter().copied().flatten().collect::<Vec<_>>();
    let odds: Vec<f64> = confidences
        .iter()
        .copied()
        .flatten()
        .map(log_odds)
        .collect();
    let residuals: Vec<f64> = values
        .iter()
        .zip(&actuals)
        .filter_map(|(value, actual)| Some((*actual)? - (*value)?))
        .collect();
    Ok(Expectation {
        value: Baseline::fit(&present(&values)),
        confidence: Baseline::fit(&odds),
        residual: Baseline::fit(&residuals),
    })
}

fn candidates(
    restaurant: Uuid,
    model: &Model,
    from: TimestampWithTimeZone,
    to: TimestampWithTimeZone,
    expectation: &Expectation,
    threshold: Threshold,
) -> PgResult<Vec<Candidate>> {
    let range = |baseline: Option<Baseline>| {
        let score = baseline.and_then(|b| b.score(b.median, threshold));
        (
            score.map(|s| s.expected_low),
            score.map(|s| s.expected_high),
        )
    };
    let (value_low, value_high) = range(expectation.value);
    let (odds_low, _) = range(expectation.confidence);
    let (residual_low, residual_high) = range(expectation.residual);
    sql::select(
        CANDIDATES,
        &[
            restaurant.into(),
            model.restaurant_id.into(),
            model.model_id.into(),
            from.into(),
            to.into(),
            value_low.into(),
            value_high.into(),
            odds_low.map(from_log_odds).into(),
            residual_low.into(),
            residual_high.into(),
            CANDIDATE_ROWS.into(),
        ],
        |row| {
            Ok(Candidate {
                prediction_id: row.required(1)?,
                predicted_at: row.required(2)?,
                sop_id: row.get(3)?,
                value: row.get(4)?,
                confidence: row.get(5)?,
                actual: row.get(6)?,
            })
        },
    )
}

/// Every reason for which a prediction is unusual.
fn reasons(candidate: &Candidate, expectation: &Expectation, threshold: Threshold) -> Vec<Anomaly> {
    let anomaly = |reason, value, baseline: Option<Baseline>, score: Option<Score>| Anomaly {
        prediction_id: candidate.prediction_id,
        predicted_at: candidate.predicted_at,
        sop_id: candidate.sop_id,
        reason,
        value,
        expected: baseline.map(|b| b.median),
        low: score.map(|s| s.expected_low),
        high: score.map(|s| s.expected_high),
        score: score.map_or(f64::INFINITY, |s| s.score),
        p_value: score.map_or(0.0, |s| s.p_value),
        severity: score.map_or(Severity::Critical, |s| s.severity(threshold)),
    };
    let judged = |baseline: Option<Baseline>, value: Option<f64>, up, down| {
        let value = value?;
        let score = baseline?.score(value, threshold)?;
        score.is_anomalous(threshold).then(|| {
            let reason = if score.score > 0.0 { up } else { down };
            anomaly(reason, value, baseline, Some(score))
        })
    };
    let mut found = Vec::new();
    if let Some(value) = candidate.value.filter(|value| !value.is_finite()) {
        // Compared with the middle only to say what was expected; the score stays infinite.
        let middle = expectation.value.and_then(|b| b.score(b.median, threshold));
        let mut broken = anomaly("not_finite", value, expectation.value, None);
        if value.is_infinite() {
            broken.score = value;
        }
        broken.low = middle.map(|s| s.expected_low);
        broken.high = middle.map(|s| s.expected_high);
        found.push(broken);
    } else {
        found.extend(judged(expectation.value, candidate.value, "spike", "dip"));
    }
    let residual = candidate.actual.zip(candidate.value).map(|(a, v)| a - v);
    let residual = residual.filter(|residual| residual.is_finite());
    found.extend(judged(
        expectation.residual,
        residual,
        "underestimated",
        "overestimated",
    ));
    let odds = candidate.confidence.map(log_odds);
    let collapse = judged(expectation.confidence, odds, "", "confidence_collapse");
    found.extend(collapse.filter(|a| a.score < 0.0).map(|a| Anomaly {
        value: candidate.confidence.unwrap_or(a.value),
        expected: a.expected.map(from_log_odds),
        low: a.low.map(from_log_odds),
        high: a.high.map(from_log_odds),
        ..a
    }));
    found
}

/// JSON has no infinities: they go as the text that SQL's float8 reads.
fn float(value: f64) -> Value {
    if value.is_finite() {
        json!(value)
    } else if value.is_nan() {
        json!("NaN")
    } else {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    }
}

fn store(
    restaurant: Uuid,
    model: &Model,
    anomalies: &[Anomaly],
    expectation: &Expectation,
    options: &AnomalyOptions,
) -> PgResult<()> {
    let run = sql::select_one(RUN_ID, &[], |row| row.required::<Uuid>(1))?
        .ok_or_else(|| internal("no run identity"))?;
    let raised = if options.alert {
        alerts::raise(
            restaurant,
            Some(run),
            alert(model, anomalies).into_iter().collect(),
        )?
    } else {
        Default::default()
    };
    let rows: Vec<Value> = anomalies
        .iter()
        .map(|a| {
            let baseline = match a.reason {
                "confidence_collapse" => expectation.confidence,
                "underestimated" | "overestimated" => expectation.residual,
                _ => expectation.value,
            };
            json!({
                "prediction_id": a.prediction_id.to_string(),
                "sop_id": a.sop_id.map(|id| id.to_string()),
                "observed_at": a.predicted_at,
                "value": float(a.value),
                "expected": a.expected,
                "expected_low": a.low,
                "expected_high": a.high,
                "score": float(a.score),
                "p_value": a.p_value,
                "severity": a.severity.as_str(),
                "reason": a.reason,
                "evidence": baseline.map_or_else(|| json!({}), |b| json!({
                    "baseline_n": b.n, "scale": b.scale, "scale_method": b.scale_method.as_str(),
                })),
            })
        })
        .collect();
    let parameters =
        json!({ "threshold": options.threshold, "baseline_days": options.baseline_days });
    sql::execute(
        STORE,
        &[
            restaurant.into(),
            model.restaurant_id.into(),
            model.model_id.into(),
            run.into(),
            JsonB(parameters).into(),
            raised.into_values().next().into(),
            JsonB(Value::Array(rows)).into(),
        ],
    )?;
    Ok(())
}

/// One alert for the model when a prediction is high or critical.
fn alert(model: &Model, anomalies: &[Anomaly]) -> Option<Alert> {
    let severe: Vec<&Anomaly> = anomalies
        .iter()
        .filter(|a| a.severity >= Severity::High)
        .collect();
    let worst = severe.iter().map(|a| a.severity).max()?;
    let examples: Vec<Value> = severe
        .iter()
        .take(5)
        .map(|a| {
            json!({
                "prediction_id": a.prediction_id.to_string(), "reason": a.reason, "value": float(a.value),
                "score": float(a.score), "expected_low": a.low, "expected_high": a.high,
            })
        })
        .collect();
    Some(Alert {
        source: "anomaly".into(),
        severity: worst.as_str().into(),
        title: format!(
            "Model {}: {} highly unusual prediction{}",
            model.name,
            severe.len(),
            if severe.len() == 1 { "" } else { "s" }
        ),
        description: Some("Predictions far outside what this model predicted before. Check their inputs before acting on them."
            .to_owned()),
        evidence: json!({ "model": model.name, "version": model.version, "count": severe.len(), "examples": examples }),
        dedup_key: format!("anomaly:prediction:{}@{}", model.name, model.version),
        relation_name: Some("sop_ml.sop_ml_predictions".to_owned()),
        subject_id: Some(model.model_id.to_string()),
        ..Alert::default()
    })
}

extension_sql!(
    r"
COMMENT ON FUNCTION sop_ml.detect_prediction_anomalies(uuid, text, timestamptz, jsonb) IS
'Finds predictions since from_time that do not fit what the same model predicted in the days before: unusual values, collapsed confidence, unusual errors where the outcome is known. model: ''name'', ''name@alias'' or ''name@7''. Options: threshold, baseline_days, to_time, limit, store, alert. Writes sop_time_series_anomalies (kind prediction) and raises an alert for high and critical ones. Example: SELECT * FROM sop_ml.detect_prediction_anomalies(NULL, ''demand'', now() - interval ''1 day'');';
",
    name = "comment_anomalies",
    requires = [detect_prediction_anomalies]
);
