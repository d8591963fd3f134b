//! From rows in any order to visits in order of time.

use std::collections::HashMap;

use super::{FIRST_TIME, LAST_TIME, POLL_EVERY, StateDurations, StateDurationsError, Visit, shown};
use crate::budget::Budget;
use crate::progress::Progress;

/// A row and its copy while sorting.
const BYTES_PER_ROW: usize = 2 * size_of::<Visit>();

/// A name in the table, in the result, and what the table needs beside it.
const BYTES_PER_STATE: usize = 128;

/// Rows sorted at one go, some milliseconds of work.
const SORTED_AT_ONCE: usize = 1 << 16;

/// Keeps the rows until all are there: the state of the aggregate.
///
/// What arrives in order of time is not sorted again. Nothing here depends on the order of the rows but the time that
/// finishing takes.
#[derive(Debug, Clone)]
pub struct StateCollector {
    budget: Budget,
    states: HashMap<String, u32>,
    rows: Vec<Visit>,
    in_order: bool,
}

impl StateCollector {
    /// Nothing yet; rows and names are charged to the budget as they arrive.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            states: HashMap::new(),
            rows: Vec::new(),
            in_order: true,
        }
    }

    /// Adds the row that says that `state` was entered `at` that time, or still held.
    ///
    /// # Errors
    /// [`StateDurationsError::Infinite`], [`StateDurationsError::Budget`].
    pub fn push(&mut self, state: &str, at: i64) -> Result<(), StateDurationsError> {
        if !(FIRST_TIME..=LAST_TIME).contains(&at) {
            let which = if at < 0 { "-infinity" } else { "infinity" };
            return Err(StateDurationsError::Infinite(which));
        }
        self.budget.charge(BYTES_PER_ROW)?;
        let state = match self.states.get(state) {
            Some(&number) => number,
            None => {
                let bytes = state.len().saturating_mul(2);
                self.budget.charge(bytes.saturating_add(BYTES_PER_STATE))?;
                let number = self.states.len() as u32;
                self.states.insert(state.to_owned(), number);
                number
            }
        };
        self.in_order &= self.rows.last().is_none_or(|last| last.start <= at);
        self.rows.push(Visit { start: at, state });
        Ok(())
    }

    /// The visits that the rows tell of; `None` of no row. The collector stays as it is.
    ///
    /// # Errors
    /// [`StateDurationsError::TwoStates`] where rows of one time name different states;
    /// [`StateDurationsError::Interrupted`].
    pub fn finish(
        &self,
        progress: &mut dyn Progress,
    ) -> Result<Option<StateDurations>, StateDurationsError> {
        let mut states: Vec<(&str, u32)> = self
            .states
            .iter()
            .map(|(name, &number)| (name.as_str(), number))
            .collect();
        states.sort_unstable();
        let mut places = vec![0; states.len()];
        for (place, &(_, number)) in states.iter().enumerate() {
            if let Some(slot) = places.get_mut(number as usize) {
                *slot = place as u32;
            }
        }
        let sorted;
        let rows = if self.in_order {
            &self.rows
        } else {
            sorted = sort(self.rows.clone(), progress)?;
            &sorted
        };
        let mut visits: Vec<Visit> = Vec::new();
        let mut before: Option<Visit> = None;
        for (step, row) in rows.iter().enumerate() {
            if step % POLL_EVERY == 0 {
                progress.poll()?;
            }
            let row = Visit {
                start: row.start,
                state: places.get(row.state as usize).copied().unwrap_or(0),
            };
            match before {
                Some(before) if before.state == row.state => {}
                Some(before) if before.start == row.start => {
                    let (low, high) = (before.state.min(row.state), before.state.max(row.state));
                    let name = |place: u32| {
                        let name = states.get(place as usize).map_or("", |(name, _)| name);
                        name.chars().take(60).collect::<String>()
                    };
                    return Err(StateDurationsError::TwoStates {
                        at: shown(row.start),
                        first: name(low),
                        second: name(high),
                    });
                }
                _ => visits.push(row),
            }
            before = Some(row);
        }
        let Some(last) = before else {
            return Ok(None);
        };
        Ok(Some(StateDurations {
            states: states
                .into_iter()
                .map(|(name, _)| name.to_owned())
                .collect(),
            visits,
            last: last.start,
        }))
    }
}

/// Sorts by time, and rows of one time by state; polls between pieces of some milliseconds.
fn sort(
    mut rows: Vec<Visit>,
    progress: &mut dyn Progress,
) -> Result<Vec<Visit>, StateDurationsError> {
    let key = |row: &Visit| (row.start, row.state);
    for chunk in rows.chunks_mut(SORTED_AT_ONCE) {
        progress.poll()?;
        chunk.sort_unstable_by_key(key);
    }
    let mut merged = Vec::with_capacity(rows.len());
    let mut width = SORTED_AT_ONCE;
    while width < rows.len() {
        merged.clear();
        for pair in rows.chunks(2 * width) {
            let (left, right) = pair.split_at(width.min(pair.len()));
            let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
            let mut step = 0_usize;
            while let Some(row) = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if key(b) < key(a) => right.next(),
                (Some(_), _) => left.next(),
                (None, _) => right.next(),
            } {
                if step.is_multiple_of(POLL_EVERY) {
                    progress.poll()?;
                }
                step += 1;
                merged.push(*row);
            }
        }
        std::mem::swap(&mut rows, &mut merged);
        width *= 2;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    #[test]
    fn long_lists_are_sorted_as_a_whole() {
        let mut seed = 1_u64;
        let rows: Vec<Visit> = (0..5 * SORTED_AT_ONCE + 17)
            .map(|i| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                Visit {
                    start: (seed >> 45) as i64,
                    state: (i % 3) as u32,
                }
            })
            .collect();
        let mut expected = rows.clone();
        expected.sort_unstable_by_key(|row| (row.start, row.state));
        assert_eq!(sort(rows, &mut Uninterruptible).unwrap(), expected);
    }
}
