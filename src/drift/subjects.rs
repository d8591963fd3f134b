//! Measures each subject of a comparison.

use sop_analytics::drift::{
    Drift, Measurement, categorical, classification, missing, numeric, regression,
};
use sop_analytics::severity::Severity;

use super::samples::{Both, Outcomes, Samples, Values};
use crate::error::{PgResult, from_analytics};
use crate::interrupts::Interrupts;

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

/// Measures every subject that both periods have values of; a feature that vanished or appeared has its missing rate.
pub(super) fn measure(samples: Samples, settings: &Drift) -> PgResult<Vec<Subject>> {
    let Samples { features, outcomes } = samples;
    let Both { reference, current } = outcomes;
    let rows = (reference.rows, current.rows);
    let mut subjects = Vec::new();
    for (name, values) in features {
        subjects.push(subject(Kind::Feature, name, values, Some(rows), settings)?);
    }
    let errors = performance(&reference, &current, settings);
    for (kind, name, labels, values) in [
        (
            Kind::Prediction,
            "prediction",
            both(reference.predicted_labels, current.predicted_labels),
            both(reference.predicted, current.predicted),
        ),
        (
            Kind::Target,
            "target",
            both(reference.actual_labels, current.actual_labels),
            both(reference.actual, current.actual),
        ),
    ] {
        // A classifier may give a score with its label; each is compared as what it is.
        let has_labels = labels.reference.n() + labels.current.n() > 0;
        let value_name = if has_labels {
            format!("{name}_value")
        } else {
            name.to_owned()
        };
        // Outcomes arrive late, so one that is missing is no drift.
        subjects.push(subject(kind, name.to_owned(), labels, None, settings)?);
        subjects.push(subject(kind, value_name, values, None, settings)?);
    }
    subjects.push(errors);
    subjects.retain(|subject| !subject.measurements.is_empty());
    Ok(subjects)
}

fn both(reference: Values, current: Values) -> Both<Values> {
    Both { reference, current }
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
fn performance(reference: &Outcomes, current: &Outcomes, settings: &Drift) -> Subject {
    let mut measurements = regression(&reference.errors, &current.errors, settings);
    measurements.extend(classification(
        (reference.right, reference.labelled),
        (current.right, current.labelled),
        settings,
    ));
    Subject {
        kind: Kind::Performance,
        name: "performance".to_owned(),
        categorical: false,
        reference_n: (reference.errors.len() as u64).max(reference.labelled),
        current_n: (current.errors.len() as u64).max(current.labelled),
        measurements,
    }
}
