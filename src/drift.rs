//! Model drift: features, predictions, targets and errors of one period against another.

mod features;
mod profiles;
mod samples;
mod subjects;

use std::collections::BTreeMap;

use pgrx::Uuid;
use pgrx::datum::{DatumWithOid, Range, TimestampWithTimeZone};
use pgrx::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use sop_analytics::drift::{DriftParameters, Measurement, Metric, judge};
use sop_analytics::severity::{Bounds, Severity};

use self::samples::{Both, Windows};
use self::subjects::Subject;
use crate::alerts::{self, Alert};
use crate::arguments::required;
use crate::error::{PgResult, from_analytics, internal, invalid_parameter};
use crate::jsonb::JsonB;
use crate::models::{self, Model};
use crate::period::Period;
use crate::{options, sql, tenancy};

const RUN_ID: &str = include_str!("../sql/queries/run_id.sql");
const REPLACE: &str = include_str!("../sql/queries/drift_replace.sql");
const STORE: &str = include_str!("../sql/queries/drift_store.sql");

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DriftOptions {
    bins: usize,
    significance: f64,
    max_categories: usize,
    thresholds: BTreeMap<String, [f64; 4]>,
    adjust: String,
    sample: i64,
    store: bool,
    alert: bool,
}

impl Default for DriftOptions {
    fn default() -> Self {
        let parameters = DriftParameters::default();
        Self {
            bins: parameters.bins,
            significance: parameters.significance,
            max_categories: parameters.max_categories,
            thresholds: BTreeMap::new(),
            adjust: "benjamini_hochberg".to_owned(),
            sample: 20_000,
            store: true,
            alert: true,
        }
    }
}

impl DriftOptions {
    /// The parameters of the mathematics, whether to adjust p-values for several subjects.
    fn check(&self) -> PgResult<(DriftParameters, bool)> {
        let adjust = match self.adjust.as_str() {
            "benjamini_hochberg" => true,
            "none" => false,
            other => {
                return Err(invalid_parameter(format!(
                    "unknown value \"{other}\" of option adjust"
                ))
                .set_hint("It is 'benjamini_hochberg' or 'none'."));
            }
        };
        if !(1..=1_000_000).contains(&self.sample) {
            return Err(invalid_parameter(format!(
                "option sample must lie between 1 and 1000000, not {}",
                self.sample
            )));
        }
        let parameters = DriftParameters {
            bins: self.bins,
            significance: self.significance,
            max_categories: self.max_categories,
            bounds: bounds(&self.thresholds)?,
        };
        Ok((parameters, adjust))
    }
}

/// The option `thresholds`.
fn bounds(thresholds: &BTreeMap<String, [f64; 4]>) -> PgResult<Vec<(Metric, Bounds)>> {
    thresholds
        .iter()
        .map(|(name, bounds)| {
            let metric = Metric::parse(name).ok_or_else(|| {
                let known = Metric::ALL.map(Metric::as_str).join(", ");
                invalid_parameter(format!("unknown metric \"{name}\" in option thresholds"))
                    .set_hint(format!("Metrics are {known}."))
            })?;
            let [low, medium, high, critical] = *bounds;
            Ok((metric, Bounds::new(low, medium, high, critical)))
        })
        .collect()
}

/// One row per subject and metric.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn calculate_model_drift_metrics(
    restaurant_id: Option<Uuid>,
    model: Option<&str>,
    reference: Option<Range<TimestampWithTimeZone>>,
    current_range: Option<Range<TimestampWithTimeZone>>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(subject, String),
            name!(metric, String),
            name!(value, Option<f64>),
            name!(p_value, Option<f64>),
            name!(threshold, Option<f64>),
            name!(severity, String),
        ),
    >,
    pg_sys::panic::ErrorReport,
> {
    let options: DriftOptions = options::parse(options)?;
    let (parameters, adjust) = options.check()?;
    let settings = parameters.check().map_err(from_analytics)?;
    let model = required("model", model)?;
    let windows = Windows {
        reference: Period::of("reference", reference)?,
        current: Period::of("current_range", current_range)?,
        sample: options.sample,
    };
    if windows.reference.overlaps(windows.current) {
        return Err(
            invalid_parameter("reference and current_range overlap").set_hint(
                "A period compared with a part of itself hides drift: end one where the other begins.",
            ),
        );
    }
    if options.store {
        sql::require_writable(c"calculate_model_drift_metrics()");
    }
    let restaurant = tenancy::resolve(restaurant_id)?;
    let model = models::resolve(restaurant, model)?;
    let samples = samples::read(restaurant, &model, windows)?;
    let Both { reference, current } = &samples.outcomes;
    for (name, rows) in [
        ("reference", reference.rows),
        ("current_range", current.rows),
    ] {
        if rows == 0 {
            return Err(invalid_parameter(format!(
                "model \"{}\" version {} has no predictions in {name}",
                model.name, model.version
            ))
            .set_hint("Choose a range in which sop_ml_predictions has rows of this model."));
        }
    }
    let mut subjects = subjects::measure(samples, &settings)?;
    let raw: Vec<Vec<Option<f64>>> = subjects
        .iter()
        .map(|subject| subject.measurements.iter().map(|m| m.p_value).collect())
        .collect();
    let mut slices: Vec<&mut [Measurement]> = subjects
        .iter_mut()
        .map(|subject| subject.measurements.as_mut_slice())
        .collect();
    judge(&mut slices, &settings, adjust);
    if options.store {
        let run = sql::select_one(RUN_ID, &[], |row| row.required::<Uuid>(1))?
            .ok_or_else(|| internal("no run identity"))?;
        store(restaurant, &model, windows, run, &subjects, &raw, &options)?;
        if options.alert {
            alerts::raise(
                restaurant,
                Some(run),
                alert(&model, &subjects).into_iter().collect(),
            )?;
        }
    }
    let rows = subjects.into_iter().flat_map(|subject| {
        let name = subject.shown();
        let row = move |m: Measurement| {
            let severity = m.severity.as_str().to_owned();
            let metric = m.metric.as_str().to_owned();
            (
                name.clone(),
                metric,
                m.value,
                m.p_value,
                m.threshold,
                severity,
            )
        };
        subject.measurements.into_iter().map(row)
    });
    Ok(TableIterator::new(rows))
}

fn store(
    restaurant: Uuid,
    model: &Model,
    windows: Windows,
    run: Uuid,
    subjects: &[Subject],
    raw: &[Vec<Option<f64>>],
    options: &DriftOptions,
) -> PgResult<()> {
    let (reference_from, reference_to) = windows.reference.stored();
    let (current_from, current_to) = windows.current.stored();
    let key: [DatumWithOid<'_>; 7] = [
        restaurant.into(),
        model.restaurant_id.into(),
        model.model_id.into(),
        reference_from.into(),
        reference_to.into(),
        current_from.into(),
        current_to.into(),
    ];
    sql::execute(REPLACE, &key)?;
    let rows = subjects.iter().zip(raw).flat_map(|(subject, raw)| {
        subject
            .measurements
            .iter()
            .zip(raw)
            .map(|(m, p_value)| stored(subject, m, *p_value, options))
    });
    let rows = JsonB(Value::Array(rows.collect()));
    let mut arguments = Vec::from(key);
    arguments.extend([
        model.name.as_str().into(),
        model.version.into(),
        run.into(),
        rows.into(),
    ]);
    sql::execute(STORE, &arguments)?;
    Ok(())
}

fn stored(
    subject: &Subject,
    m: &Measurement,
    p_value: Option<f64>,
    options: &DriftOptions,
) -> Value {
    let method = match (m.metric, subject.categorical) {
        (Metric::Psi, false) | (Metric::JensenShannon, _) => "reference_quantile_bins",
        (Metric::Psi, true) => "categories",
        (Metric::Ks, _) => "two_sample_ks",
        (Metric::Wasserstein, _) => "guarded_by_ks",
        (Metric::ChiSquare, _) => "pearson",
        (Metric::MissingRate | Metric::NotFiniteRate, _) => "two_proportions",
        (Metric::MeanShift | Metric::Mae | Metric::Rmse, _) => "welch_t_test",
        (Metric::Accuracy, _) => "two_proportions_z",
    };
    json!({
        "subject_kind": subject.kind.stored(),
        "subject": subject.name,
        "metric": m.metric.as_str(),
        "method": method,
        "value": m.value,
        "p_value": p_value,
        "adjusted_p_value": m.p_value,
        "threshold": m.threshold,
        "severity": m.severity.as_str(),
        "reference_n": subject.reference_n,
        "current_n": subject.current_n,
        "details": {
            "effect": m.effect,
            "reference_value": m.reference_value,
            "bins": options.bins,
            "significance": options.significance,
            "adjust": options.adjust,
        },
    })
}

/// One alert for the model when a subject is high or critical.
fn alert(model: &Model, subjects: &[Subject]) -> Option<Alert> {
    let worst = subjects.iter().map(Subject::severity).max()?;
    if worst < Severity::High {
        return None;
    }
    let affected: Vec<&Subject> = subjects
        .iter()
        .filter(|subject| subject.severity() >= Severity::High)
        .collect();
    let names: Vec<String> = affected.iter().map(|subject| subject.shown()).collect();
    let evidence: Vec<Value> = affected
        .iter()
        .flat_map(|subject| {
            subject
                .measurements
                .iter()
                .filter(|m| m.severity >= Severity::High)
                .map(|m| {
                    json!({
                        "subject": subject.shown(), "metric": m.metric.as_str(), "value": m.value,
                        "threshold": m.threshold, "p_value": m.p_value, "severity": m.severity.as_str(),
                    })
                })
        })
        .collect();
    Some(Alert {
        source: "drift".into(),
        severity: worst.as_str().into(),
        title: format!("Model {} drifts: {}", model.name, names.join(", ")),
        description: Some("The model meets data unlike its reference period; its predictions may be less reliable. Look at \
                      the subjects named, then retrain or correct the source."
            .to_owned()),
        evidence: json!({ "model": model.name, "version": model.version, "measurements": evidence }),
        dedup_key: format!("drift:{}@{}", model.name, model.version),
        relation_name: Some("sop_ml.sop_ml_predictions".to_owned()),
        subject_id: Some(model.model_id.to_string()),
        ..Alert::default()
    })
}

extension_sql!(
    r"
COMMENT ON FUNCTION sop_ml.calculate_model_drift_metrics(uuid, text, tstzrange, tstzrange, jsonb) IS
'Compares the features, predictions, outcomes and errors of a model in current_range with those in reference. model: ''name'', ''name@alias'' or ''name@7''. Options: bins, significance, max_categories, thresholds, adjust, sample, store, alert. Writes sop_model_performance_tracking and raises an alert when a subject is high or critical. Example: SELECT * FROM sop_ml.calculate_model_drift_metrics(NULL, ''demand'', tstzrange(''2026-01-01'', ''2026-02-01''), tstzrange(''2026-02-01'', ''2026-02-08''));';
",
    name = "comment_drift",
    requires = [calculate_model_drift_metrics]
);
