//! Two models of one restaurant and the log of what they predicted.

use crate::calendar::{DAYS, day, days, instant};
use crate::id::Id;
use crate::random::Random;
use crate::truth::{Anomalies, DriftingModel, ModelName};
use crate::world::{RESTAURANTS, Restaurant};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};

/// Predictions of a model per day.
const PER_DAY: usize = 60;

/// The last days, in which one model's input moves.
const DRIFT_DAYS: u64 = 7;

/// How far it moves, in standard deviations.
const DRIFT: f64 = 2.0;

/// Some predictions of the other model are far off: so many in the week before the last one, whose outcomes would else make
/// the model's last week look worse than the one before, and so many on the last day, whose outcomes are not known yet.
const ANOMALY_DAYS: u64 = 14;
const EARLIER_ANOMALIES: usize = 18;
const LAST_DAY_ANOMALIES: usize = 6;

/// A feature with its normal distribution and its weight in the prediction.
struct Input {
    name: &'static str,
    mean: f64,
    deviation: f64,
    weight: f64,
}

/// A linear model.
pub(crate) struct Model {
    pub(crate) id: Id,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) target: &'static str,
    intercept: f64,
    inputs: [Input; 4],
    drifting_input: Option<&'static str>,
}

/// One row of `sop_ml_predictions`.
pub(crate) struct Prediction {
    pub(crate) model: Id,
    pub(crate) id: Id,
    pub(crate) at: DateTime<Utc>,
    pub(crate) features: Value,
    pub(crate) predicted: f64,
    pub(crate) confidence: f64,
    pub(crate) actual: Option<f64>,
}

/// The restaurant that owns both models.
pub(crate) fn owner() -> &'static Restaurant {
    let [_, _, _, midtown, _] = &RESTAURANTS;
    midtown
}

/// The drifting model and the stable one.
pub(crate) fn models() -> [Model; 2] {
    let input = |name, mean, deviation, weight| Input {
        name,
        mean,
        deviation,
        weight,
    };
    [
        Model {
            id: owner().own("model preparation_minutes"),
            name: "preparation_minutes",
            description: "Minutes until an order leaves the kitchen",
            target: "preparation_minutes",
            intercept: 4.0,
            inputs: [
                input("queue_length", 12.0, 3.0, 0.6),
                input("order_size", 3.5, 1.2, 0.9),
                input("staff_on_shift", 9.0, 1.5, -0.4),
                input("kitchen_temperature_c", 27.0, 2.0, 0.05),
            ],
            drifting_input: Some("queue_length"),
        },
        Model {
            id: owner().own("model guests_next_hour"),
            name: "guests_next_hour",
            description: "Guests expected within the next hour",
            target: "guests",
            intercept: 8.0,
            inputs: [
                input("reservations", 14.0, 4.0, 1.1),
                input("outdoor_temperature_c", 18.0, 5.0, 0.3),
                input("guests_last_hour", 22.0, 6.0, 0.5),
                input("rain_mm", 1.5, 0.5, -1.0),
            ],
            drifting_input: None,
        },
    ]
}

impl Model {
    /// The names of its features.
    pub(crate) fn features(&self) -> Vec<&'static str> {
        self.inputs.iter().map(|input| input.name).collect()
    }

    /// Its name for the truth.
    pub(crate) fn named(&self) -> ModelName {
        ModelName {
            restaurant: owner().id,
            id: self.id,
            name: self.name,
            features: self.features(),
        }
    }

    fn predict(
        &self,
        random: &mut Random,
        index: u64,
        day: NaiveDate,
        number: usize,
    ) -> Prediction {
        let mut features = Map::new();
        let mut predicted = self.intercept;
        for input in &self.inputs {
            let moved = self.drifting_input == Some(input.name) && index >= DAYS - DRIFT_DAYS;
            let mean = input.mean + if moved { DRIFT * input.deviation } else { 0.0 };
            let value = (random.normal(mean, input.deviation) * 100.0).round() / 100.0;
            predicted += input.weight * value;
            features.insert(input.name.to_owned(), json!(value));
        }
        let actual = predicted + random.normal(0.0, 1.5);
        Prediction {
            model: self.id,
            id: owner().own(&format!("prediction {} {index} {number}", self.name)),
            at: instant(
                owner().zone,
                day,
                f64::from(owner().opens) * 3600.0 + (number as f64 + random.unit()) * 14.0 * 60.0,
            ),
            features: Value::Object(features),
            predicted,
            confidence: random.between(0.7, 0.97),
            // The outcomes of the last day are not known yet.
            actual: (index + 1 < DAYS).then_some(actual),
        }
    }
}

/// What both models predicted, and which predictions of the stable one are far off.
pub(crate) fn predictions(seed: u64) -> (Vec<Prediction>, Anomalies) {
    let mut rows = Vec::new();
    let mut anomalies = Anomalies::default();
    for model in models() {
        let mut random = Random::new(seed, &format!("predictions {}", model.name));
        let first = rows.len();
        for (index, day) in days() {
            for number in 0..PER_DAY {
                rows.push(model.predict(&mut random, index, day, number));
            }
        }
        if model.drifting_input.is_none() {
            anomalies = spoil(&mut random, rows.get_mut(first..).unwrap_or_default());
        }
    }
    (rows, anomalies)
}

/// Throws some predictions off by eight to fourteen standard deviations, in both directions.
fn spoil(random: &mut Random, rows: &mut [Prediction]) -> Anomalies {
    let week = DRIFT_DAYS as usize * PER_DAY;
    let earlier = rows.len().saturating_sub(2 * week)..rows.len().saturating_sub(week);
    let last_day = rows.len().saturating_sub(PER_DAY)..rows.len();
    let mut spoil_some = |stretch: std::ops::Range<usize>, count: usize| {
        let every = stretch.len() / count;
        let mut spoiled = Vec::new();
        for number in 0..count {
            if let Some(row) = rows.get_mut(stretch.start + number * every + random.below(every)) {
                // The standard deviation of the stable model's predictions is 5.6.
                let distance = 5.6 * random.between(8.0, 14.0);
                row.predicted += if random.chance(0.5) {
                    distance
                } else {
                    -distance
                };
                spoiled.push(row.id);
            }
        }
        spoiled
    };
    Anomalies {
        from: day(DAYS - ANOMALY_DAYS),
        among: ANOMALY_DAYS * PER_DAY as u64,
        earlier: spoil_some(earlier, EARLIER_ANOMALIES),
        last_day: spoil_some(last_day, LAST_DAY_ANOMALIES),
    }
}

/// What drifts.
pub(crate) fn drifting() -> DriftingModel {
    let [model, _] = models();
    DriftingModel {
        model: model.named(),
        feature: model.drifting_input.unwrap_or_default(),
        since: day(DAYS - DRIFT_DAYS),
        deviations: DRIFT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_feature_of_one_model_moves() {
        let (rows, _) = predictions(11);
        let since = instant(owner().zone, drifting().since, 0.0);
        for model in models() {
            for input in &model.inputs {
                let mean = |late: bool| {
                    let values: Vec<f64> = rows
                        .iter()
                        .filter(|row| row.model == model.id && (row.at >= since) == late)
                        .filter_map(|row| row.features.get(input.name)?.as_f64())
                        .collect();
                    values.iter().sum::<f64>() / values.len() as f64
                };
                let moved = (mean(true) - mean(false)) / input.deviation;
                if model.drifting_input == Some(input.name) {
                    assert!((moved - DRIFT).abs() < 0.2, "{} {moved}", input.name);
                } else {
                    assert!(moved.abs() < 0.2, "{} {moved}", input.name);
                }
            }
        }
    }

    #[test]
    fn spoiled_predictions_are_distinct_and_recent() {
        let (rows, anomalies) = predictions(11);
        let distinct: std::collections::HashSet<_> = anomalies.all().collect();
        assert_eq!(distinct.len(), EARLIER_ANOMALIES + LAST_DAY_ANOMALIES);
        let [_, stable] = models();
        let since = |date| {
            let from = instant(owner().zone, date, 0.0);
            rows.iter()
                .filter(|row| row.model == stable.id && row.at >= from)
                .collect::<Vec<_>>()
        };
        let recent = since(anomalies.from);
        assert_eq!(recent.len() as u64, anomalies.among);
        assert!(
            anomalies
                .all()
                .all(|id| recent.iter().any(|row| row.id == id))
        );
        let last = since(crate::last_day());
        assert!(
            anomalies
                .last_day
                .iter()
                .all(|id| last.iter().any(|row| row.id == *id))
        );
    }
}
