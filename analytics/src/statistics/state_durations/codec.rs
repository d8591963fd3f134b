//! The binary and the text form of state durations, both read through one validation.

use serde::{Deserialize, Serialize};

use super::{FIRST_TIME, LAST_TIME, StateDurations, Visit};
use crate::codec::{Codec, CodecError, Reader, TextError, TextForm};

impl StateDurations {
    /// Whether the fields are those that collecting makes.
    fn check(self) -> Result<Self, &'static str> {
        if self.states.is_empty() || self.visits.is_empty() {
            return Err("there is no state or no visit");
        }
        if !self.states.is_sorted_by(|left, right| left < right) {
            return Err("the states are not sorted or not distinct");
        }
        if self.states.iter().any(|state| state.contains('\0')) {
            return Err("a state contains a zero byte");
        }
        let neighbours = || self.visits.iter().zip(self.visits.iter().skip(1));
        if neighbours().any(|(one, next)| one.start >= next.start) {
            return Err("the visits are not in order of time");
        }
        if neighbours().any(|(one, next)| one.state == next.state) {
            return Err("two visits in a row are of one state");
        }
        let mut visited = vec![false; self.states.len()];
        for visit in &self.visits {
            match visited.get_mut(visit.state as usize) {
                Some(seen) => *seen = true,
                None => return Err("a visit is of a state that has no name"),
            }
        }
        if visited.contains(&false) {
            return Err("a state was never visited");
        }
        let first = self.visits.first().map(|visit| visit.start);
        let latest = self.visits.last().map(|visit| visit.start);
        if first < Some(FIRST_TIME) || self.last > LAST_TIME || latest > Some(self.last) {
            return Err("a time is out of range");
        }
        Ok(self)
    }
}

/// Layout version 1: the number of states as u32, of each its length as u32 and its UTF-8 bytes; the number of visits as
/// u32, of each its start as i64 and the index of its state as u32; the time of the last row as i64. Times are microseconds
/// since 2000-01-01 00:00 UTC.
impl Codec for StateDurations {
    const TYPE_NAME: &'static str = "state_durations";
    const MAGIC: u8 = 0x57;
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.states.len() as u32).to_le_bytes());
        for state in &self.states {
            out.extend_from_slice(&(state.len() as u32).to_le_bytes());
            out.extend_from_slice(state.as_bytes());
        }
        out.extend_from_slice(&(self.visits.len() as u32).to_le_bytes());
        for visit in &self.visits {
            out.extend_from_slice(&visit.start.to_le_bytes());
            out.extend_from_slice(&visit.state.to_le_bytes());
        }
        out.extend_from_slice(&self.last.to_le_bytes());
    }

    fn read(reader: &mut Reader<'_>, _version: u8) -> Result<Self, CodecError> {
        let count = reader.length(4)?;
        let mut states = Vec::with_capacity(count);
        for _ in 0..count {
            let length = reader.length(1)?;
            let state = std::str::from_utf8(reader.bytes(length)?)
                .map_err(|_| reader.invalid("a state is not UTF-8"))?;
            states.push(state.to_owned());
        }
        let count = reader.length(12)?;
        let mut visits = Vec::with_capacity(count);
        for _ in 0..count {
            visits.push(Visit {
                start: reader.u64()?.cast_signed(),
                state: reader.u32()?,
            });
        }
        let last = reader.u64()?.cast_signed();
        Self {
            states,
            visits,
            last,
        }
        .check()
        .map_err(|reason| reader.invalid(reason))
    }
}

/// The keys of the text form; a visit is its start and the index of its state.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u8,
    states: Vec<String>,
    visits: Vec<(i64, u32)>,
    last: i64,
}

impl TextForm for StateDurations {
    fn to_text(&self) -> String {
        let text = Text {
            version: Self::VERSION,
            states: self.states.clone(),
            visits: self
                .visits
                .iter()
                .map(|visit| (visit.start, visit.state))
                .collect(),
            last: self.last,
        };
        // A struct of numbers and strings always has a JSON form.
        serde_json::to_string(&text).unwrap_or_default()
    }

    fn from_text(text: &str) -> Result<Self, TextError> {
        let text: Text = serde_json::from_str(text).map_err(|error| TextError::Json {
            type_name: Self::TYPE_NAME,
            reason: error.to_string(),
        })?;
        if text.version == 0 || text.version > Self::VERSION {
            return Err(TextError::Content(CodecError::Version {
                type_name: Self::TYPE_NAME,
                newest: Self::VERSION,
                found: text.version,
            }));
        }
        Self {
            states: text.states,
            visits: text
                .visits
                .into_iter()
                .map(|(start, state)| Visit { start, state })
                .collect(),
            last: text.last,
        }
        .check()
        .map_err(|reason| {
            TextError::Content(CodecError::Invalid {
                type_name: Self::TYPE_NAME,
                reason: reason.to_owned(),
            })
        })
    }
}
