//! What happens, as rows: observations, interactions, predictions, experiments.

use super::Counts;
use crate::calendar::{DAYS, day, instant};
use crate::copy::{Field, block};
use crate::runs::{Interaction, Observation};
use crate::{experiments, models};
use chrono::{Days, TimeDelta};
use serde_json::json;
use std::io::{self, Write};

pub(super) fn time_series<W: Write>(out: &mut W, observations: &[Observation]) -> io::Result<u64> {
    let mut rows = block(
        out,
        "sop_ml.sop_time_series_data",
        "restaurant_id, metric_name, sop_id, source, observed_at, value, unit",
    )?;
    for row in observations {
        rows.row(&[
            Field::Id(row.restaurant),
            Field::Text(row.metric),
            Field::Id(row.sop),
            Field::Text(&row.source),
            Field::Instant(row.at),
            row.value
                .map_or(Field::Null, |value| Field::Number(value, 3)),
            Field::Text(row.unit),
        ])?;
    }
    rows.end()
}

pub(super) fn interactions<W: Write>(out: &mut W, all: &[Interaction]) -> io::Result<u64> {
    let mut rows = block(
        out,
        "sop_ml.sop_user_interactions",
        "restaurant_id, user_id, sop_id, interaction_type, occurred_at, interaction_id, session_id, rating, \
         duration_seconds, quality_score, outcome",
    )?;
    let number = |value: Option<f64>, digits| {
        value.map_or(Field::Null, |value| Field::Number(value, digits))
    };
    for row in all {
        rows.row(&[
            Field::Id(row.restaurant),
            Field::Id(row.user),
            Field::Id(row.sop),
            Field::Text(row.kind),
            Field::Instant(row.at),
            Field::Id(row.id),
            Field::Id(row.session),
            number(row.rating, 0),
            number(row.seconds, 1),
            number(row.quality, 1),
            row.outcome.map_or(Field::Null, Field::Text),
        ])?;
    }
    rows.end()
}

pub(super) fn serving_log<W: Write>(
    out: &mut W,
    counts: &mut Counts,
    predictions: &[models::Prediction],
) -> io::Result<()> {
    let owner = models::owner();
    let trained = instant(owner.zone, crate::FIRST_DAY, 0.0);
    let mut rows = block(
        out,
        "sop_ml.sop_ml_models",
        "restaurant_id, model_id, name, version, description, task, algorithm, status, target_name, feature_names, \
         training_from, training_to, trained_at, deployment_mode, traffic_percent, deployed_at",
    )?;
    for model in models::models() {
        rows.row(&[
            Field::Id(owner.id),
            Field::Id(model.id),
            Field::Text(model.name),
            Field::Count(1),
            Field::Text(model.description),
            Field::Text("regression"),
            Field::Text("linear_regression"),
            Field::Text("deployed"),
            Field::Text(model.target),
            Field::Texts(&model.features()),
            Field::Instant(trained - TimeDelta::days(180)),
            Field::Instant(trained),
            Field::Instant(trained),
            Field::Text("champion"),
            Field::Number(100.0, 0),
            Field::Instant(trained),
        ])?;
    }
    counts.push(("sop_ml_models".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "sop_ml.sop_ml_predictions",
        "restaurant_id, prediction_id, predicted_at, model_restaurant_id, model_id, model_version, entity_kind, features, \
         predicted_value, confidence, actual_value",
    )?;
    for row in predictions {
        rows.row(&[
            Field::Id(owner.id),
            Field::Id(row.id),
            Field::Instant(row.at),
            Field::Id(owner.id),
            Field::Id(row.model),
            Field::Count(1),
            Field::Text("restaurant"),
            Field::Text(&row.features.to_string()),
            Field::Number(row.predicted, 4),
            Field::Number(row.confidence, 3),
            row.actual
                .map_or(Field::Null, |actual| Field::Number(actual, 4)),
        ])?;
    }
    counts.push(("sop_ml_predictions".to_owned(), rows.end()?));
    Ok(())
}

pub(super) fn experiment_tables<W: Write>(
    out: &mut W,
    counts: &mut Counts,
    seed: u64,
) -> io::Result<()> {
    let owner = experiments::owner();
    let variants =
        json!([{ "name": "control", "weight": 0.5 }, { "name": "treatment", "weight": 0.5 }])
            .to_string();
    let mut rows = block(
        out,
        "sop_ml.sop_ab_experiments",
        "restaurant_id, experiment_id, name, status, allocation_method, variants, primary_metric, metric_kind, hypothesis, \
         salt, starts_at, ends_at, started_at, impact_currency",
    )?;
    for experiment in experiments::experiments() {
        rows.row(&[
            Field::Id(owner.id),
            Field::Id(experiment.id),
            Field::Text(experiment.name),
            Field::Text("running"),
            Field::Text("random"),
            Field::Text(&variants),
            Field::Text(experiment.metric),
            Field::Text("mean"),
            Field::Text("The menu board changes what guests spend per order"),
            Field::Text(experiment.name),
            Field::Instant(experiments::started()),
            Field::Instant(instant(owner.zone, day(DAYS - 1) + Days::new(14), 0.0)),
            Field::Instant(experiments::started()),
            Field::Text(owner.currency),
        ])?;
    }
    counts.push(("sop_ab_experiments".to_owned(), rows.end()?));

    let (participants, events) = experiments::take_part(seed);
    let mut rows = block(
        out,
        "sop_ml.sop_ab_participants",
        "restaurant_id, experiment_id, user_id, variant, assigned_at, bucket, propensity",
    )?;
    for row in &participants {
        rows.row(&[
            Field::Id(owner.id),
            Field::Id(row.experiment),
            Field::Id(row.user),
            Field::Text(row.variant),
            Field::Instant(row.at),
            Field::Number(row.bucket, 6),
            Field::Number(0.5, 1),
        ])?;
    }
    counts.push(("sop_ab_participants".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "sop_ml.sop_ab_events",
        "restaurant_id, experiment_id, user_id, variant, event_name, event_value, occurred_at, event_id",
    )?;
    for (row, experiment) in events.iter().filter_map(|row| {
        Some((
            row,
            experiments::experiments()
                .into_iter()
                .find(|e| e.id == row.experiment)?,
        ))
    }) {
        rows.row(&[
            Field::Id(owner.id),
            Field::Id(row.experiment),
            Field::Id(row.user),
            Field::Text(row.variant),
            Field::Text(experiment.metric),
            Field::Number(row.value, 2),
            Field::Instant(row.at),
            Field::Id(row.id),
        ])?;
    }
    counts.push(("sop_ab_events".to_owned(), rows.end()?));
    Ok(())
}
