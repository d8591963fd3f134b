//! Which observations of a call are taken, and why the others are not.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::progress::{Interrupted, Progress};

/// The longest name of a metric, in characters.
pub const LONGEST_METRIC_NAME: usize = 200;
/// Positions that a reason lists.
const LISTED: usize = 10;
/// Observations between two looks at whether the caller wants to stop.
const POLL_EVERY: usize = 4096;

/// One observation as the caller gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What was observed.
    pub metric_name: Option<String>,
    /// The procedure that it was observed of.
    pub sop_id: [u8; 16],
    /// When, in microseconds since 2000; `None` where it is NULL or infinite.
    pub observed_at: Option<i64>,
    /// The value; `None` for a reading that was due and is missing.
    pub value: Option<f64>,
}

/// What to do with NaN and infinities.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotFinite {
    /// Not taken.
    #[default]
    Reject,
    /// Taken as a reading that is missing.
    Null,
    /// Taken as they are.
    Keep,
}

impl NotFinite {
    /// The word of options.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Null => "null",
            Self::Keep => "keep",
        }
    }
}

/// The rules of a call.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What becomes of NaN and infinities.
    pub not_finite: NotFinite,
    /// Later instants (microseconds since 2000) are those of a wrong clock.
    pub latest: i64,
    /// The metrics that may come; `None` for any.
    pub known_metrics: Option<HashSet<String>>,
}

/// What is taken, by column and without a key twice, and what is not.
#[derive(Debug, Default)]
pub struct Judged<'a> {
    /// The metric of each observation that is taken.
    pub metric_names: Vec<&'a str>,
    /// Its procedure.
    pub sop_ids: Vec<[u8; 16]>,
    /// Its instant.
    pub instants: Vec<i64>,
    /// Its value.
    pub values: Vec<Option<f64>>,
    /// Observations that a later one with the same key overtook.
    pub overtaken: i64,
    /// Observations that are not taken.
    pub rejected: i64,
    reasons: BTreeMap<&'static str, Reason>,
}

#[derive(Debug, Default)]
struct Reason {
    n: i64,
    first: Vec<usize>,
}

/// Judges observations in the order of the caller's arrays; of several with one key (metric, procedure, instant) the last one
/// counts.
///
/// # Errors
/// [`Interrupted`] when the caller asks to stop.
///
/// # Example
/// ```
/// use sop_analytics::ingest::{NotFinite, Observation, Rules, judge};
/// use sop_analytics::progress::Uninterruptible;
///
/// let rules = Rules { not_finite: NotFinite::Reject, latest: 100, known_metrics: None };
/// let reading = |at, value| Observation {
///     metric_name: Some("fridge".to_owned()), sop_id: [0; 16], observed_at: Some(at), value: Some(value),
/// };
/// let given = [reading(1, 4.0), reading(1, 4.2), reading(101, 4.0)];
/// let judged = judge(&given, &rules, &mut Uninterruptible)?;
/// assert_eq!(judged.values, [Some(4.2)]);
/// assert_eq!((judged.overtaken, judged.rejected), (1, 1));
/// # Ok::<(), sop_analytics::progress::Interrupted>(())
/// ```
pub fn judge<'a>(
    observations: &'a [Observation],
    rules: &Rules,
    progress: &mut impl Progress,
) -> Result<Judged<'a>, Interrupted> {
    let mut judged = Judged::default();
    let mut places: HashMap<(&str, [u8; 16], i64), usize> = HashMap::new();
    for (position, observation) in observations.iter().enumerate() {
        if position.is_multiple_of(POLL_EVERY) {
            progress.poll()?;
        }
        let (metric_name, observed_at, value) = match rules.accept(observation) {
            Ok(accepted) => accepted,
            Err(reason) => {
                judged.reject(reason, position + 1);
                continue;
            }
        };
        let key = (metric_name, observation.sop_id, observed_at);
        if let Some(place) = places.get(&key) {
            judged.overtaken += 1;
            if let Some(earlier) = judged.values.get_mut(*place) {
                *earlier = value;
            }
            continue;
        }
        judged.metric_names.push(metric_name);
        judged.sop_ids.push(observation.sop_id);
        judged.instants.push(observed_at);
        judged.values.push(value);
        places.insert(key, judged.values.len() - 1);
    }
    Ok(judged)
}

impl Rules {
    /// Name, instant and value to store, or the reason why not.
    fn accept<'a>(
        &self,
        observation: &'a Observation,
    ) -> Result<(&'a str, i64, Option<f64>), &'static str> {
        let metric_name = observation
            .metric_name
            .as_deref()
            .filter(|name| !name.is_empty() && name.chars().count() <= LONGEST_METRIC_NAME)
            .ok_or("metric_name")?;
        let observed_at = observation.observed_at.ok_or("observed_at")?;
        if observed_at > self.latest {
            return Err("future");
        }
        if let Some(known) = &self.known_metrics
            && !known.contains(metric_name)
        {
            return Err("unknown_metric");
        }
        let value = match (observation.value, self.not_finite) {
            (Some(value), NotFinite::Reject) if !value.is_finite() => return Err("not_finite"),
            (Some(value), NotFinite::Null) if !value.is_finite() => None,
            (value, _) => value,
        };
        Ok((metric_name, observed_at, value))
    }
}

impl Judged<'_> {
    fn reject(&mut self, reason: &'static str, position: usize) {
        self.rejected += 1;
        let reason = self.reasons.entry(reason).or_default();
        reason.n += 1;
        if reason.first.len() < LISTED {
            reason.first.push(position);
        }
    }

    /// Reason → how many, and the positions of the first ten, from 1.
    #[must_use]
    pub fn reasons(&self) -> Value {
        self.reasons
            .iter()
            .map(|(reason, found)| {
                let found = json!({"n": found.n, "first": found.first});
                ((*reason).to_owned(), found)
            })
            .collect::<Map<_, _>>()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    const NOW: i64 = 800_000_000_000_000;

    fn observation(name: &str, at: i64, value: f64) -> Observation {
        Observation {
            metric_name: Some(name.to_owned()),
            sop_id: [7; 16],
            observed_at: Some(at),
            value: Some(value),
        }
    }

    fn rules(not_finite: NotFinite) -> Rules {
        Rules {
            not_finite,
            latest: NOW,
            known_metrics: None,
        }
    }

    #[test]
    fn the_last_of_a_key_wins_and_the_others_are_overtaken() {
        let given = [
            observation("a", 1, 1.0),
            observation("b", 1, 5.0),
            observation("a", 1, 2.0),
            observation("a", 1, 3.0),
        ];
        let judged = judge(&given, &rules(NotFinite::Reject), &mut Uninterruptible).unwrap();
        assert_eq!(judged.metric_names, ["a", "b"]);
        assert_eq!(judged.values, [Some(3.0), Some(5.0)]);
        assert_eq!((judged.overtaken, judged.rejected), (2, 0));
        assert_eq!(judged.reasons(), json!({}));
    }

    #[test]
    fn every_reason_is_counted_with_the_positions_of_its_first_ten() {
        let mut given: Vec<_> = (0..12)
            .map(|minute| observation("a", NOW + 1 + minute, 1.0))
            .collect();
        given.push(observation("", 1, 1.0));
        given.push(observation(&"n".repeat(201), 1, 1.0));
        given.push(observation("a", 1, f64::NAN));
        given.push(observation("z", 1, 1.0));
        given.push(observation("a", NOW, 1.0));
        let rules = Rules {
            known_metrics: Some(HashSet::from(["a".to_owned()])),
            ..rules(NotFinite::Reject)
        };
        let judged = judge(&given, &rules, &mut Uninterruptible).unwrap();
        assert_eq!(judged.values, [Some(1.0)]);
        assert_eq!(judged.rejected, 16);
        assert_eq!(
            judged.reasons(),
            json!({"future": {"n": 12, "first": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]},
                   "metric_name": {"n": 2, "first": [13, 14]},
                   "not_finite": {"n": 1, "first": [15]},
                   "unknown_metric": {"n": 1, "first": [16]}})
        );
    }

    #[test]
    fn what_is_not_finite_can_be_missing_or_kept() {
        let given = [observation("a", 1, f64::INFINITY)];
        let values = |not_finite| {
            judge(&given, &rules(not_finite), &mut Uninterruptible)
                .unwrap()
                .values
        };
        assert_eq!(values(NotFinite::Null), [None]);
        assert_eq!(values(NotFinite::Keep), [Some(f64::INFINITY)]);
    }
}
