//! What the generator plants: the answers that the nightly run has to find.

use crate::id::Id;
use chrono::NaiveDate;
use serde_json::{Value, json};

/// Everything planted in one data set.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// The day for which the nightly job is to run.
    pub last_day: NaiveDate,
    /// The one metric that has a trend.
    pub trend: Trend,
    /// Days without any row, listed in the restaurant's closures.
    pub closure: ClosedDays,
    /// The model whose input moves in its last days.
    pub drifting: DriftingModel,
    /// The restaurant and id of the model that stays as it is.
    pub stable: ModelName,
    /// Predictions of the stable model that are far off.
    pub anomalies: Anomalies,
    /// Rows that arrive with the second script.
    pub late: LateRows,
    /// Rows that a quality check has to find; the restaurant named here is the only one with any.
    pub dirty: Dirty,
    /// The experiment whose treatment works.
    pub effect: Experiment,
    /// The experiment whose arms are alike.
    pub no_effect: Experiment,
    /// Staff who opted out of personalisation and training.
    pub opted_out: Vec<(Id, Id)>,
    /// Rows written per table by the first script.
    pub rows: Vec<(String, u64)>,
}

/// A metric of one procedure that grows.
#[derive(Clone, Debug, Default)]
pub struct Trend {
    /// The restaurant.
    pub restaurant: Id,
    /// The metric's name.
    pub metric: &'static str,
    /// The procedure.
    pub sop: Id,
    /// `increasing` or `decreasing`.
    pub direction: &'static str,
    /// Growth from the first to the last day, as a factor.
    pub factor: f64,
}

/// A closure.
#[derive(Clone, Debug, Default)]
pub struct ClosedDays {
    /// The restaurant.
    pub restaurant: Id,
    /// Each closed day.
    pub days: Vec<NaiveDate>,
}

/// A model by restaurant, name and id.
#[derive(Clone, Debug, Default)]
pub struct ModelName {
    /// The restaurant that owns it.
    pub restaurant: Id,
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: &'static str,
    /// The names of its features.
    pub features: Vec<&'static str>,
}

/// A model with one feature that moves, and its predictions with it.
#[derive(Clone, Debug, Default)]
pub struct DriftingModel {
    /// The model.
    pub model: ModelName,
    /// The feature that moves.
    pub feature: &'static str,
    /// The first day of the move.
    pub since: NaiveDate,
    /// The move in standard deviations of the feature.
    pub deviations: f64,
}

/// Predictions that are far off.
#[derive(Clone, Debug, Default)]
pub struct Anomalies {
    /// The first day of the stretch that has them.
    pub from: NaiveDate,
    /// How many predictions the stable model made since.
    pub among: u64,
    /// Those in the week before the last one.
    pub earlier: Vec<Id>,
    /// Those on the last day.
    pub last_day: Vec<Id>,
}

impl Anomalies {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = Id> + '_ {
        self.earlier.iter().chain(&self.last_day).copied()
    }
}

/// Rows that arrive after the nightly run for the last day.
#[derive(Clone, Debug, Default)]
pub struct LateRows {
    /// The restaurant.
    pub restaurant: Id,
    /// The local day that the rows belong to.
    pub day: NaiveDate,
    /// Late rows of `sop_time_series_data`, metric `step_duration_minutes`.
    pub time_series: u64,
    /// Rows of that metric and day in the first script.
    pub time_series_before: u64,
    /// Late rows of `sop_user_interactions`.
    pub interactions: u64,
    /// Rows of interactions of that day in the first script.
    pub interactions_before: u64,
}

/// Rows with known faults.
#[derive(Clone, Debug, Default)]
pub struct Dirty {
    /// The restaurant.
    pub restaurant: Id,
    /// The faults.
    pub faults: Vec<Fault>,
}

/// One kind of fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The table, without its schema.
    pub table: &'static str,
    /// The column at fault.
    pub column: &'static str,
    /// What is wrong.
    pub kind: FaultKind,
    /// How many rows have it.
    pub rows: u64,
}

/// What can be wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The value is missing where there should be one.
    Missing,
    /// The value is NaN.
    NotANumber,
    /// The value lies outside of what is possible.
    OutOfRange,
    /// The same event is recorded twice.
    Duplicate,
    /// The row lies in the future.
    Future,
}

/// A two-armed experiment.
#[derive(Clone, Debug, Default)]
pub struct Experiment {
    /// The restaurant.
    pub restaurant: Id,
    /// The experiment's id.
    pub id: Id,
    /// Its name.
    pub name: &'static str,
    /// The event that carries the primary metric.
    pub metric: &'static str,
    /// Expected value of the treatment divided by that of the control.
    pub factor: f64,
}

impl Truth {
    /// The rows faulty in one way.
    pub fn faults(&self, table: &str, column: &str, kind: FaultKind) -> u64 {
        self.dirty
            .faults
            .iter()
            .filter(|fault| fault.table == table && fault.column == column && fault.kind == kind)
            .map(|fault| fault.rows)
            .sum()
    }

    /// The truth as JSON, for people and scripts.
    pub fn to_json(&self) -> Value {
        let model = |model: &ModelName| {
            json!({ "restaurant_id": model.restaurant.to_string(), "model_id": model.id.to_string(), "name": model.name,
                "features": model.features })
        };
        let experiment = |experiment: &Experiment| {
            json!({ "restaurant_id": experiment.restaurant.to_string(), "experiment_id": experiment.id.to_string(),
                "name": experiment.name, "event_name": experiment.metric, "factor": experiment.factor })
        };
        json!({
            "last_day": self.last_day.to_string(),
            "trend": {
                "restaurant_id": self.trend.restaurant.to_string(),
                "metric_name": self.trend.metric,
                "sop_id": self.trend.sop.to_string(),
                "direction": self.trend.direction,
                "factor": self.trend.factor,
            },
            "closure": {
                "restaurant_id": self.closure.restaurant.to_string(),
                "days": self.closure.days.iter().map(ToString::to_string).collect::<Vec<_>>(),
            },
            "drifting_model": {
                "model": model(&self.drifting.model),
                "feature": self.drifting.feature,
                "since": self.drifting.since.to_string(),
                "deviations": self.drifting.deviations,
            },
            "stable_model": model(&self.stable),
            "prediction_anomalies": {
                "from": self.anomalies.from.to_string(),
                "among": self.anomalies.among,
                "earlier": self.anomalies.earlier.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "last_day": self.anomalies.last_day.iter().map(ToString::to_string).collect::<Vec<_>>(),
            },
            "late_rows": {
                "restaurant_id": self.late.restaurant.to_string(),
                "day": self.late.day.to_string(),
                "time_series": self.late.time_series,
                "time_series_before": self.late.time_series_before,
                "interactions": self.late.interactions,
                "interactions_before": self.late.interactions_before,
            },
            "dirty_rows": {
                "restaurant_id": self.dirty.restaurant.to_string(),
                "faults": self.dirty.faults.iter().map(|fault| json!({
                    "table": fault.table, "column": fault.column, "kind": format!("{:?}", fault.kind),
                    "rows": fault.rows,
                })).collect::<Vec<_>>(),
            },
            "experiment_with_effect": experiment(&self.effect),
            "experiment_without_effect": experiment(&self.no_effect),
            "opted_out": self.opted_out.iter().map(|(restaurant, user)| json!({
                "restaurant_id": restaurant.to_string(), "user_id": user.to_string(),
            })).collect::<Vec<_>>(),
            "rows": self.rows.iter().map(|(table, rows)| (table.clone(), json!(rows))).collect::<serde_json::Map<_, _>>(),
        })
    }
}
