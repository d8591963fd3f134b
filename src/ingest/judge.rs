//! Which observations of a call are taken, and why the others are not.

use std::collections::{BTreeMap, HashMap, HashSet};

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use serde_json::{Value, json};

/// The longest name that the table takes, in characters.
const LONGEST_METRIC_NAME: usize = 200;
/// Positions that a reason lists.
const LISTED: usize = 10;

/// One observation as the caller gave it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observation {
    pub(super) metric_name: Option<String>,
    pub(super) sop_id: Uuid,
    pub(super) observed_at: Option<TimestampWithTimeZone>,
    pub(super) value: Option<f64>,
}

/// What to do with NaN and infinities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotFinite {
    /// Not taken.
    Reject,
    /// Taken as a reading that is missing.
    Null,
    /// Taken as they are.
    Keep,
}

/// The rules of a call.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) not_finite: NotFinite,
    /// Later instants (microseconds since 2000) are a wrong clock's.
    pub(super) latest: i64,
    /// The metrics that may come; `None` for any.
    pub(super) known_metrics: Option<HashSet<String>>,
}

/// What is taken, by column and without a key twice, and what is not.
#[derive(Debug, Default)]
pub(super) struct Judged<'a> {
    pub(super) metric_names: Vec<&'a str>,
    pub(super) sop_ids: Vec<Uuid>,
    pub(super) instants: Vec<TimestampWithTimeZone>,
    pub(super) values: Vec<Option<f64>>,
    /// Observations that a later one with the same key overtook.
    pub(super) overtaken: i64,
    pub(super) rejected: i64,
    reasons: BTreeMap<&'static str, Reason>,
}

#[derive(Debug, Default)]
struct Reason {
    n: i64,
    first: Vec<usize>,
}

/// Judges observations in the order of the caller's arrays.
pub(super) fn judge<'a>(observations: &'a [Observation], rules: &Rules) -> Judged<'a> {
    let mut judged = Judged::default();
    let mut places: HashMap<(&str, Uuid, i64), usize> = HashMap::new();
    for (position, observation) in observations.iter().enumerate() {
        pgrx::check_for_interrupts!();
        let (metric_name, observed_at, value) = match rules.accept(observation) {
            Ok(accepted) => accepted,
            Err(reason) => {
                judged.reject(reason, position + 1);
                continue;
            }
        };
        let key = (metric_name, observation.sop_id, observed_at.into_inner());
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
    judged
}

impl Rules {
    /// Name, instant and value to store, or the reason why not.
    fn accept<'a>(
        &self,
        observation: &'a Observation,
    ) -> Result<(&'a str, TimestampWithTimeZone, Option<f64>), &'static str> {
        let metric_name = observation
            .metric_name
            .as_deref()
            .filter(|name| !name.is_empty() && name.chars().count() <= LONGEST_METRIC_NAME)
            .ok_or("metric_name")?;
        let observed_at = observation
            .observed_at
            .filter(|at| !at.is_infinity() && !at.is_neg_infinity())
            .ok_or("observed_at")?;
        if observed_at.into_inner() > self.latest {
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

    /// Reason → how many, and the positions of the first.
    pub(super) fn reasons(&self) -> Value {
        self.reasons
            .iter()
            .map(|(reason, found)| {
                let found = json!({"n": found.n, "first": found.first});
                ((*reason).to_owned(), found)
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 800_000_000_000_000;

    fn observation(name: &str, at: i64, value: f64) -> Observation {
        Observation {
            metric_name: Some(name.to_owned()),
            sop_id: Uuid::from_bytes([7; 16]),
            observed_at: TimestampWithTimeZone::try_from(at).ok(),
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
        let judged = judge(&given, &rules(NotFinite::Reject));
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
        let judged = judge(
            &given,
            &Rules {
                known_metrics: Some(HashSet::from(["a".to_owned()])),
                ..rules(NotFinite::Reject)
            },
        );
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
        assert_eq!(judge(&given, &rules(NotFinite::Null)).values, [None]);
        assert_eq!(
            judge(&given, &rules(NotFinite::Keep)).values,
            [Some(f64::INFINITY)]
        );
    }
}
