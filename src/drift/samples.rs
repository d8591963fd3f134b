//! Reads what a model saw, said and met in two periods, and measures each subject.

use std::collections::BTreeMap;

use pgrx::Uuid;
use pgrx::datum::DatumWithOid;
use sop_analytics::drift::{
    Counts, Drift, Measurement, categorical, classification, missing, numeric, regression,
};
use sop_analytics::severity::Severity;

use crate::error::{PgResult, from_analytics, invalid_parameter};
use crate::interrupts::Interrupts;
use crate::models::Model;
use crate::period::Period;
use crate::sql;

const OUTCOMES: &str = include_str!("../../sql/queries/drift_outcomes.sql");
const CATEGORIES: &str = include_str!("../../sql/queries/drift_categories.sql");
const FEATURES: &str = include_str!("../../sql/queries/drift_features.sql");

/// The two periods and how many predictions of each are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) reference: Period,
    pub(super) current: Period,
    pub(super) sample: i64,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A feature the model was given.
    Feature,
    /// What it answered.
    Prediction,
    /// What came true.
    Target,
    /// How far the answers were from what came true.
    Performance,
}

impl Kind {
    /// The name in `sop_model_performance_tracking`, where errors belong to the prediction.
    pub(super) fn stored(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Prediction | Self::Performance => "prediction",
            Self::Target => "target",
        }
    }
}

/// A subject with its measurements.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) categorical: bool,
    pub(super) reference_n: u64,
    pub(super) current_n: u64,
    pub(super) measurements: Vec<Measurement>,
}

impl Subject {
    /// The name in results: features are marked, so that none can pass for the prediction.
    pub(super) fn shown(&self) -> String {
        match self.kind {
            Kind::Feature => format!("feature:{}", self.name),
            _ => self.name.clone(),
        }
    }

    /// The worst severity.
    pub(super) fn severity(&self) -> Severity {
        let severities = self.measurements.iter().map(|m| m.severity);
        severities.max().unwrap_or(Severity::None)
    }
}

/// Something per period.
#[derive(Debug, Default)]
struct Both<T> {
    reference: T,
    current: T,
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

/// Values of a subject in one period.
#[derive(Debug, Default)]
struct Values {
    numbers: Vec<f64>,
    categories: Counts,
}

impl Values {
    fn of(numbers: Vec<f64>) -> Self {
        Self {
            numbers,
            categories: Counts::new(),
        }
    }

    fn n(&self) -> u64 {
        self.numbers.len() as u64 + self.categories.values().sum::<u64>()
    }

    /// Numbers among texts are texts too.
    fn into_categories(mut self) -> Counts {
        for number in self.numbers {
            *self.categories.entry(number.to_string()).or_default() += 1;
        }
        self.categories
    }
}

/// One period's predictions and outcomes.
#[derive(Debug, Default)]
struct Outcomes {
    rows: u64,
    predicted: Vec<Option<f64>>,
    actual: Vec<Option<f64>>,
    right: u64,
    labelled: u64,
}

impl Outcomes {
    fn errors(&self) -> Vec<f64> {
        let pairs = self.predicted.iter().zip(&self.actual);
        pairs
            .filter_map(|(predicted, actual)| Some((*actual)? - (*predicted)?))
            .collect()
    }
}

/// Measures every subject that has values.
///
/// # Errors
/// 22023 when a period has no predictions.
pub(super) fn measure(
    restaurant: Uuid,
    model: &Model,
    windows: Windows,
    settings: &Drift,
) -> PgResult<Vec<Subject>> {
    let (reference_from, reference_to) = windows.reference.bounds();
    let (current_from, current_to) = windows.current.bounds();
    let arguments: [DatumWithOid<'_>; 8] = [
        restaurant.into(),
        model.restaurant_id.into(),
        model.model_id.into(),
        reference_from.into(),
        reference_to.into(),
        current_from.into(),
        current_to.into(),
        windows.sample.into(),
    ];
    let outcomes = read_outcomes(&arguments)?;
    for (name, side) in [
        ("reference", &outcomes.reference),
        ("current_range", &outcomes.current),
    ] {
        if side.rows == 0 {
            return Err(invalid_parameter(format!(
                "model \"{}\" version {} has no predictions in {name}",
                model.name, model.version
            ))
            .set_hint("Choose a range in which sop_ml_predictions has rows of this model."));
        }
    }
    let rows = (outcomes.reference.rows, outcomes.current.rows);
    let mut subjects = Vec::new();
    for (name, values) in read_features(&arguments)? {
        subjects.push(subject(Kind::Feature, name, values, Some(rows), settings)?);
    }
    let mut labels = read_categories(&arguments)?;
    let numbers = |values: &[Option<f64>]| values.iter().copied().flatten().collect::<Vec<_>>();
    for (kind, name, pick) in [
        (
            Kind::Prediction,
            "prediction",
            (|side| &side.predicted) as fn(&Outcomes) -> &Vec<Option<f64>>,
        ),
        (Kind::Target, "target", |side| &side.actual),
    ] {
        let values = Both {
            reference: Values::of(numbers(pick(&outcomes.reference))),
            current: Values::of(numbers(pick(&outcomes.current))),
        };
        // Outcomes arrive late, so one that is missing is no drift.
        let mut add = |name: String, values: Both<Values>| -> PgResult<()> {
            subjects.push(subject(kind, name, values, None, settings)?);
            Ok(())
        };
        match labels.remove(name) {
            // A classifier may give a score with its label; each is compared as what it is.
            Some(labels) => {
                add(name.to_owned(), labels)?;
                add(format!("{name}_value"), values)?;
            }
            None => add(name.to_owned(), values)?,
        }
    }
    subjects.push(performance(&outcomes, settings));
    subjects.retain(|subject| !subject.measurements.is_empty());
    Ok(subjects)
}

/// A subject from its values; `rows` says how many predictions each period has when a missing value counts.
fn subject(
    kind: Kind,
    name: String,
    values: Both<Values>,
    rows: Option<(u64, u64)>,
    settings: &Drift,
) -> PgResult<Subject> {
    let (reference_n, current_n) = (values.reference.n(), values.current.n());
    let is_categorical =
        !values.reference.categories.is_empty() || !values.current.categories.is_empty();
    let mut measurements = if is_categorical {
        categorical(
            &values.reference.into_categories(),
            &values.current.into_categories(),
            settings,
        )
    } else {
        numeric(
            &values.reference.numbers,
            &values.current.numbers,
            settings,
            &mut Interrupts,
        )
        .map_err(from_analytics)?
    };
    if let Some((reference_rows, current_rows)) = rows {
        measurements.extend(missing(
            (reference_rows.saturating_sub(reference_n), reference_rows),
            (current_rows.saturating_sub(current_n), current_rows),
            settings,
        ));
    }
    Ok(Subject {
        kind,
        name,
        categorical: is_categorical,
        reference_n,
        current_n,
        measurements,
    })
}

/// Errors where the truth is known in both periods.
fn performance(outcomes: &Both<Outcomes>, settings: &Drift) -> Subject {
    let (before, now) = (outcomes.reference.errors(), outcomes.current.errors());
    let (reference, current) = (&outcomes.reference, &outcomes.current);
    let mut measurements = regression(&before, &now, settings);
    measurements.extend(classification(
        (reference.right, reference.labelled),
        (current.right, current.labelled),
        settings,
    ));
    Subject {
        kind: Kind::Performance,
        name: "performance".to_owned(),
        categorical: false,
        reference_n: (before.len() as u64).max(reference.labelled),
        current_n: (now.len() as u64).max(current.labelled),
        measurements,
    }
}

fn read_outcomes(arguments: &[DatumWithOid<'_>]) -> PgResult<Both<Outcomes>> {
    let mut both = Both::default();
    sql::select(OUTCOMES, arguments, |row| {
        *both.of(row.required(1)?) = Outcomes {
            rows: count(row.required(2)?),
            predicted: row.get(3)?.unwrap_or_default(),
            actual: row.get(4)?.unwrap_or_default(),
            right: count(row.required(5)?),
            labelled: count(row.required(6)?),
        };
        Ok(())
    })?;
    Ok(both)
}

fn read_categories(arguments: &[DatumWithOid<'_>]) -> PgResult<BTreeMap<String, Both<Values>>> {
    let mut subjects: BTreeMap<String, Both<Values>> = BTreeMap::new();
    sql::select(CATEGORIES, arguments, |row| {
        let is_current = row.required(1)?;
        let values = subjects.entry(row.required(2)?).or_default().of(is_current);
        values
            .categories
            .insert(row.required(3)?, count(row.required(4)?));
        Ok(())
    })?;
    Ok(subjects)
}

fn read_features(arguments: &[DatumWithOid<'_>]) -> PgResult<BTreeMap<String, Both<Values>>> {
    let mut subjects: BTreeMap<String, Both<Values>> = BTreeMap::new();
    sql::select(FEATURES, arguments, |row| {
        let is_current = row.required(2)?;
        let values = subjects.entry(row.required(1)?).or_default().of(is_current);
        match row.get::<String>(3)? {
            Some(label) => {
                values.categories.insert(label, count(row.required(4)?));
            }
            None => values.numbers = row.get(5)?.unwrap_or_default(),
        }
        Ok(())
    })?;
    Ok(subjects)
}

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or(0)
}
