//! How long something was in which state, from rows that say when it entered one.

use std::collections::BTreeMap;

use crate::budget::BudgetExceeded;
use crate::error::{Classify, ErrorKind};
use crate::progress::{Interrupted, Progress};

mod codec;
mod collect;

pub use collect::StateCollector;

/// Times are microseconds since 2000-01-01 00:00 UTC, from the first to the last that PostgreSQL's `timestamptz` can hold;
/// its two infinities are the ends of `i64`.
pub const FIRST_TIME: i64 = -211_813_488_000_000_000;
/// The last time that `timestamptz` can hold.
pub const LAST_TIME: i64 = 9_223_371_331_199_999_999;

/// How many steps a loop takes between two polls.
const POLL_EVERY: usize = 4096;

/// Why states could not be collected or asked about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateDurationsError {
    /// A time that is not on the calendar.
    #[error("at must be a finite time, not {0}")]
    Infinite(&'static str),
    /// Rows that contradict each other.
    #[error("two states at {at}: {first:?} and {second:?}")]
    TwoStates {
        /// When.
        at: String,
        /// The one, shortened.
        first: String,
        /// The other, shortened.
        second: String,
    },
    /// The end of the observation lies before its last row, or is infinite.
    #[error("until must be a finite time that is not before the last row ({last}), not {until}")]
    Until {
        /// The time of the last row.
        last: String,
        /// The value given.
        until: String,
    },
    /// A duration of more than 292,271 years.
    #[error("value out of range: a duration of state_durations")]
    Overflow,
    /// More rows than fit.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
    /// The caller asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Classify for StateDurationsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Infinite(_) | Self::TwoStates { .. } | Self::Until { .. } => {
                ErrorKind::InvalidParameter
            }
            Self::Overflow => ErrorKind::OutOfRange,
            Self::Budget(error) => error.kind(),
            Self::Interrupted(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Infinite(_) => "Filter infinite times out.",
            Self::TwoStates { .. } => {
                "Their order decides what the time after them counts for: keep one row of each time, or make the times differ."
            }
            Self::Until { .. } => "Leave until out to count what the rows themselves show.",
            Self::Budget(error) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// A time as messages show it.
fn shown(at: i64) -> String {
    match at {
        i64::MIN => "-infinity".to_owned(),
        i64::MAX => "infinity".to_owned(),
        // 946,684,800 seconds lie between 1970 and 2000.
        _ => i128::from(at)
            .checked_add(946_684_800_000_000)
            .and_then(|unix| i64::try_from(unix).ok())
            .and_then(chrono::DateTime::from_timestamp_micros)
            .map_or_else(
                || format!("{at} microseconds after 2000-01-01"),
                |time| time.format("%Y-%m-%d %H:%M:%S%.f+00").to_string(),
            ),
    }
}

/// The states that something was in, one after the other: what `state_duration_agg` makes.
///
/// It is in a state from the row that names it until the first row that names another. Of the last state it is known that
/// it lasted until the last row (further rows may have named it again), and after that for as long as the caller says.
///
/// There is no merge: two of these, of overlapping times, cannot be put together without the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDurations {
    /// The names of all states, each once, sorted by their bytes.
    states: Vec<String>,
    /// When each visit of a state began, in order of time. Neighbours are visits of different states.
    visits: Vec<Visit>,
    /// The time of the last row.
    last: i64,
}

/// A stay in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Visit {
    start: i64,
    /// Index of the state's name.
    state: u32,
}

/// The time in one state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StateDuration<'a> {
    /// The state.
    pub state: &'a str,
    /// Microseconds in it.
    pub duration: i64,
    /// How many times it was entered.
    pub visits: u64,
    /// The share of the time in all states; `None` where no time passed.
    pub share: Option<f64>,
}

/// How often one state followed another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateTransition {
    /// The state left.
    pub from: String,
    /// The state entered.
    pub to: String,
    /// How many times.
    pub count: u64,
}

/// One visit of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateVisit {
    /// The state.
    pub state: String,
    /// When it was entered.
    pub start: i64,
    /// When it was left; `None` of the last visit unless the caller says until when it lasted.
    pub end: Option<i64>,
}

impl StateDurations {
    /// The time of the last row.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.last
    }

    fn name(&self, state: u32) -> &str {
        self.states.get(state as usize).map_or("", String::as_str)
    }

    fn check_until(&self, until: Option<i64>) -> Result<(), StateDurationsError> {
        match until {
            Some(until) if until < self.last || until > LAST_TIME => {
                Err(StateDurationsError::Until {
                    last: shown(self.last),
                    until: shown(until),
                })
            }
            _ => Ok(()),
        }
    }

    /// State and length of each visit, given the end of the last.
    fn stays(&self, end: i64) -> impl Iterator<Item = (u32, Option<i64>)> + '_ {
        let ends = self.visits.iter().skip(1).map(|next| next.start);
        self.visits
            .iter()
            .zip(ends.chain([end]))
            .map(|(visit, end)| (visit.state, end.checked_sub(visit.start)))
    }

    /// Microseconds in one state; 0 for a state that was never entered. Without `until` the last state lasts until the last
    /// row.
    ///
    /// # Errors
    /// [`StateDurationsError::Until`] for an end before the last row; [`StateDurationsError::Overflow`].
    pub fn duration_in(
        &self,
        state: &str,
        until: Option<i64>,
        progress: &mut dyn Progress,
    ) -> Result<i64, StateDurationsError> {
        self.check_until(until)?;
        let Ok(wanted) = self
            .states
            .binary_search_by(|name| name.as_str().cmp(state))
        else {
            return Ok(0);
        };
        let mut total = 0_i64;
        for (step, (state, length)) in self.stays(until.unwrap_or(self.last)).enumerate() {
            if step % POLL_EVERY == 0 {
                progress.poll()?;
            }
            if state as usize == wanted {
                total = length
                    .and_then(|length| total.checked_add(length))
                    .ok_or(StateDurationsError::Overflow)?;
            }
        }
        Ok(total)
    }

    /// The time in each state, ordered by name. Without `until` the last state lasts until the last row.
    ///
    /// # Errors
    /// As [`StateDurations::duration_in`].
    pub fn durations(
        &self,
        until: Option<i64>,
        progress: &mut dyn Progress,
    ) -> Result<Vec<StateDuration<'_>>, StateDurationsError> {
        self.check_until(until)?;
        let mut found: Vec<_> = self
            .states
            .iter()
            .map(|state| StateDuration {
                state,
                duration: 0,
                visits: 0,
                share: None,
            })
            .collect();
        for (step, (state, length)) in self.stays(until.unwrap_or(self.last)).enumerate() {
            if step % POLL_EVERY == 0 {
                progress.poll()?;
            }
            if let Some(sum) = found.get_mut(state as usize) {
                sum.visits += 1;
                sum.duration = length
                    .and_then(|length| sum.duration.checked_add(length))
                    .ok_or(StateDurationsError::Overflow)?;
            }
        }
        // Disjoint parts of a span that may not fit an i64.
        let total: i128 = found.iter().map(|sum| i128::from(sum.duration)).sum();
        if total > 0 {
            for sum in &mut found {
                sum.share = Some(sum.duration as f64 / total as f64);
            }
        }
        Ok(found)
    }

    /// How often each state followed each other one, ordered by the state left and the state entered.
    ///
    /// One at a time: names are long where many are the same, and a caller should not have to hold all copies.
    ///
    /// # Errors
    /// [`StateDurationsError::Interrupted`].
    pub fn transitions(
        self,
        progress: &mut dyn Progress,
    ) -> Result<impl Iterator<Item = StateTransition> + use<>, StateDurationsError> {
        let mut counts = BTreeMap::new();
        let pairs = self.visits.iter().zip(self.visits.iter().skip(1));
        for (step, (from, to)) in pairs.enumerate() {
            if step % POLL_EVERY == 0 {
                progress.poll()?;
            }
            *counts.entry((from.state, to.state)).or_insert(0) += 1;
        }
        Ok(counts
            .into_iter()
            .map(move |((from, to), count)| StateTransition {
                from: self.name(from).to_owned(),
                to: self.name(to).to_owned(),
                count,
            }))
    }

    /// All visits in order of time, one at a time as [`StateDurations::transitions`].
    ///
    /// # Errors
    /// [`StateDurationsError::Until`] for an end before the last row.
    pub fn timeline(
        self,
        until: Option<i64>,
    ) -> Result<impl Iterator<Item = StateVisit>, StateDurationsError> {
        self.check_until(until)?;
        Ok((0..self.visits.len()).filter_map(move |at| {
            let visit = self.visits.get(at)?;
            let next = self.visits.get(at + 1).map(|next| next.start);
            Some(StateVisit {
                state: self.name(visit.state).to_owned(),
                start: visit.start,
                end: next.or(until),
            })
        }))
    }
}

#[cfg(test)]
mod tests;
