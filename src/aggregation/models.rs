//! Deployed models: unusual predictions and drift. Each model on its own: one that fails does not keep the others.

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;

use super::days::{Days, Outcome};
use crate::error::PgResult;
use crate::sql;
use crate::subtransaction::isolated;

const SERVED: &str = include_str!("../../sql/queries/aggregation_served_models.sql");
const DETECT: &str = include_str!("../../sql/queries/aggregation_detect_anomalies.sql");
const DRIFT_RANGES: &str = include_str!("../../sql/queries/aggregation_drift_ranges.sql");
const MEASURE_DRIFT: &str = include_str!("../../sql/queries/aggregation_measure_drift.sql");

/// Scores the predictions that each deployed model made on the requested day.
pub(super) fn anomalies(days: &Days) -> PgResult<(Outcome, ())> {
    let served = sql::modify(
        SERVED,
        &[
            days.restaurants().into(),
            days.starts().into(),
            days.ends().into(),
        ],
        |row| {
            Ok((
                row.required::<Uuid>(1)?,
                row.required::<String>(2)?,
                row.required::<TimestampWithTimeZone>(3)?,
                row.required::<TimestampWithTimeZone>(4)?,
                row.required::<i64>(5)?,
            ))
        },
    )?;
    let mut outcome = Outcome {
        restaurants: days.restaurant_count(),
        ..Outcome::default()
    };
    outcome.notes.push(format!("{} models", served.len()));
    for (restaurant, model, from, to, predictions) in served {
        outcome.counts.rows_in += predictions;
        let arguments = [
            restaurant.into(),
            model.as_str().into(),
            from.into(),
            to.into(),
        ];
        count_into(&mut outcome, restaurant, &model, DETECT, &arguments);
    }
    Ok((outcome, ()))
}

/// Measures the drift of each deployed model over the seven days up to the requested one.
pub(super) fn drift(days: &Days) -> PgResult<(Outcome, ())> {
    let ranges = sql::modify(
        DRIFT_RANGES,
        &[days.restaurants().into(), days.ends().into()],
        |row| {
            Ok((
                row.required::<Uuid>(1)?,
                row.required::<String>(2)?,
                row.required::<String>(3)?,
                row.required::<String>(4)?,
                row.required::<i64>(5)?,
            ))
        },
    )?;
    let mut outcome = Outcome {
        restaurants: days.restaurant_count(),
        ..Outcome::default()
    };
    let (young, grown): (Vec<_>, Vec<_>) = ranges
        .into_iter()
        .partition(|(_, _, reference, _, _)| reference == "empty");
    outcome.notes.push(format!("{} models", grown.len()));
    if !young.is_empty() {
        outcome.notes.push(format!(
            "{} models have no predictions before the last 7 days to compare with",
            young.len()
        ));
    }
    for (restaurant, model, reference, current, predictions) in grown {
        outcome.counts.rows_in += predictions;
        let arguments = [
            restaurant.into(),
            model.as_str().into(),
            reference.into(),
            current.into(),
        ];
        count_into(&mut outcome, restaurant, &model, MEASURE_DRIFT, &arguments);
    }
    Ok((outcome, ()))
}

/// Runs a counting statement for one model and adds its answer, or its failure, to the outcome.
fn count_into(
    outcome: &mut Outcome,
    restaurant: Uuid,
    model: &str,
    statement: &str,
    arguments: &[pgrx::datum::DatumWithOid<'_>],
) {
    match isolated(|| sql::modify(statement, arguments, |row| row.required::<i64>(1))) {
        Ok(counts) => outcome.counts.rows_out += counts.into_iter().sum::<i64>(),
        Err(failure) => outcome
            .failures
            .push((format!("model {model} of restaurant {restaurant}"), failure)),
    }
}
