//! What a model saw, said and met in two periods.

use std::collections::BTreeMap;

use pgrx::Uuid;
use sop_analytics::budget::Budget;
use sop_analytics::drift::Counts;

use super::features::read_object;
use crate::error::{PgResult, from_analytics};
use crate::models::Model;
use crate::period::Period;
use crate::{settings, sql};

const SAMPLES: &str = include_str!("../../sql/queries/drift_samples.sql");

/// Longer texts are told apart by their beginning.
const LONGEST_CATEGORY: usize = 200;

/// The two periods and how many predictions of each are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) reference: Period,
    pub(super) current: Period,
    pub(super) sample: i64,
}

/// Something per period.
#[derive(Debug, Default)]
pub(super) struct Both<T> {
    pub(super) reference: T,
    pub(super) current: T,
}

impl<T> Both<T> {
    fn of(&mut self, is_current: bool) -> &mut T {
        if is_current {
            &mut self.current
        } else {
            &mut self.reference
        }
    }
}

/// A value of a feature.
#[derive(Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Number(f64),
    Category(&'a str),
}

/// Values of a subject in one period.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) numbers: Vec<f64>,
    pub(super) categories: Counts,
}

impl Values {
    pub(super) fn n(&self) -> u64 {
        self.numbers.len() as u64 + self.categories.values().sum::<u64>()
    }

    /// Numbers among texts are texts too.
    pub(super) fn into_categories(mut self) -> Counts {
        for number in self.numbers {
            *self.categories.entry(number.to_string()).or_default() += 1;
        }
        self.categories
    }

    fn add(&mut self, value: &Scalar<'_>, budget: &mut Budget) -> PgResult<()> {
        match *value {
            Scalar::Number(number) => {
                budget.charge(size_of::<f64>()).map_err(from_analytics)?;
                self.numbers.push(number);
            }
            Scalar::Category(text) => {
                let text = beginning(text);
                if let Some(count) = self.categories.get_mut(text) {
                    *count += 1;
                } else {
                    let entry = size_of::<(String, u64)>() + text.len();
                    budget.charge(entry).map_err(from_analytics)?;
                    self.categories.insert(text.to_owned(), 1);
                }
            }
        }
        Ok(())
    }
}

fn beginning(text: &str) -> &str {
    match text.char_indices().nth(LONGEST_CATEGORY) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

/// One period.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    /// Predictions looked at.
    pub(super) rows: u64,
    pub(super) predicted: Values,
    pub(super) predicted_labels: Values,
    pub(super) actual: Values,
    pub(super) actual_labels: Values,
    /// Actual minus predicted.
    pub(super) errors: Vec<f64>,
    pub(super) right: u64,
    pub(super) labelled: u64,
}

/// Both periods of a model.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) features: BTreeMap<String, Both<Values>>,
    pub(super) outcomes: Both<Outcomes>,
}

impl Samples {
    fn add(
        &mut self,
        name: &str,
        is_current: bool,
        value: &Scalar<'_>,
        budget: &mut Budget,
    ) -> PgResult<()> {
        // Names repeat from row to row: only a new one is copied.
        if let Some(values) = self.features.get_mut(name) {
            return values.of(is_current).add(value, budget);
        }
        let values = self.features.entry(name.to_owned()).or_default();
        values.of(is_current).add(value, budget)
    }
}

/// Reads the samples.
pub(super) fn read(restaurant: Uuid, model: &Model, windows: Windows) -> PgResult<Samples> {
    let (reference_from, reference_to) = windows.reference.bounds();
    let (current_from, current_to) = windows.current.bounds();
    let mut samples = Samples::default();
    let mut budget = Budget::new(settings::max_state_bytes());
    let arguments = [
        restaurant.into(),
        model.restaurant_id.into(),
        model.model_id.into(),
        reference_from.into(),
        reference_to.into(),
        current_from.into(),
        current_to.into(),
        windows.sample.into(),
    ];
    sql::for_each(SAMPLES, &arguments, |row| {
        let is_current: bool = row.required(1)?;
        let (predicted, actual) = (row.get::<f64>(2)?, row.get::<f64>(3)?);
        let (label, truth) = (row.get::<String>(4)?, row.get::<String>(5)?);
        let side = samples.outcomes.of(is_current);
        side.rows += 1;
        for (values, number) in [(&mut side.predicted, predicted), (&mut side.actual, actual)] {
            if let Some(number) = number {
                values.add(&Scalar::Number(number), &mut budget)?;
            }
        }
        for (values, text) in [
            (&mut side.predicted_labels, &label),
            (&mut side.actual_labels, &truth),
        ] {
            if let Some(text) = text {
                values.add(&Scalar::Category(text), &mut budget)?;
            }
        }
        if let (Some(predicted), Some(actual)) = (predicted, actual) {
            budget.charge(size_of::<f64>()).map_err(from_analytics)?;
            side.errors.push(actual - predicted);
        }
        if let (Some(label), Some(truth)) = (label, truth) {
            side.labelled += 1;
            side.right += u64::from(label == truth);
        }
        let Some(features) = row.get::<String>(6)? else {
            return Ok(());
        };
        read_object(&features, |name, value| {
            samples.add(name, is_current, &value, &mut budget)
        })
    })?;
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(beginning("short"), "short");
        assert_eq!(beginning(&"ä".repeat(300)), "ä".repeat(200));
    }
}
