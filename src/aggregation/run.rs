//! The step runner: isolates, times, records and reports.

use std::time::Instant;

use pgrx::Uuid;
use pgrx::datum::Date;

use super::days::Outcome;
use super::{Scope, begin_writing, new_run};
use crate::error::PgResult;
use crate::sql;
use crate::subtransaction::isolated;

const RECORD: &str = include_str!("../../sql/queries/aggregation_record_step.sql");

/// How many failures a step's detail spells out.
const FAILURES_SHOWN: usize = 3;

/// One row of the answer.
type StepRow = (String, i64, i64, i64, f64, String, Option<String>);

/// A run in progress.
pub(super) struct Run {
    pub(super) scope: Scope,
    pub(super) day: Option<Date>,
    pub(super) id: Uuid,
    rows: Vec<StepRow>,
}

impl Run {
    /// Waits for a run that is under way, then begins.
    pub(super) fn begin(scope: Scope, day: Option<Date>) -> PgResult<Self> {
        begin_writing(c"run_daily_ml_aggregation()")?;
        Ok(Self {
            scope,
            day,
            id: new_run()?,
            rows: Vec::new(),
        })
    }

    /// Does one step, whatever becomes of it; returns what later steps need.
    pub(super) fn step<T: Default>(
        &mut self,
        name: &str,
        work: impl FnOnce(&Self) -> PgResult<(Outcome, T)>,
    ) -> T {
        let started = Instant::now();
        let (outcome, result) = match isolated(|| work(self)) {
            Ok(done) => done,
            Err(failure) => (
                Outcome {
                    failures: vec![(String::new(), failure)],
                    ..Outcome::default()
                },
                T::default(),
            ),
        };
        let elapsed_ms = started.elapsed().as_secs_f64() * 1000.0;
        let status = match (&outcome.skipped, outcome.failures.is_empty()) {
            (_, false) => "failed",
            (Some(_), true) => "skipped",
            (None, true) => "succeeded",
        };
        let mut detail = detail(&outcome);
        if let Err(failure) = isolated(|| self.record(name, &outcome, elapsed_ms, status, &detail))
        {
            let note = format!("this step could not be recorded: {}", failure.message);
            detail = Some(detail.map_or(note.clone(), |text| format!("{text}; {note}")));
        }
        self.rows.push((
            name.to_owned(),
            outcome.restaurants,
            outcome.counts.rows_in,
            outcome.counts.rows_out,
            elapsed_ms,
            status.to_owned(),
            detail,
        ));
        result
    }

    pub(super) fn into_rows(self) -> Vec<StepRow> {
        self.rows
    }

    fn record(
        &self,
        name: &str,
        outcome: &Outcome,
        elapsed_ms: f64,
        status: &str,
        detail: &Option<String>,
    ) -> PgResult<()> {
        let whose = self.scope.restaurant.unwrap_or(Uuid::from_bytes([0; 16]));
        let number = i32::try_from(self.rows.len() + 1).unwrap_or(i32::MAX);
        let sqlstate = outcome
            .failures
            .first()
            .map(|(_, failure)| failure.sqlstate.clone());
        sql::execute(
            RECORD,
            &[
                whose.into(),
                self.id.into(),
                name.into(),
                number.into(),
                self.day.into(),
                status.into(),
                outcome.restaurants.into(),
                outcome.counts.rows_in.into(),
                outcome.counts.rows_out.into(),
                elapsed_ms.into(),
                detail.clone().into(),
                sqlstate.into(),
            ],
        )
        .map(|_| ())
    }
}

/// Failures first, then why it was skipped, then notes.
fn detail(outcome: &Outcome) -> Option<String> {
    let mut parts = Vec::new();
    for (subject, failure) in outcome.failures.iter().take(FAILURES_SHOWN) {
        parts.push(if subject.is_empty() {
            failure.to_string()
        } else {
            format!("{subject}: {failure}")
        });
    }
    if outcome.failures.len() > FAILURES_SHOWN {
        parts.push(format!(
            "and {} more failures",
            outcome.failures.len() - FAILURES_SHOWN
        ));
    }
    parts.extend(outcome.skipped.clone());
    parts.extend(outcome.notes.iter().cloned());
    (!parts.is_empty()).then(|| parts.join("; "))
}
