//! Two experiments on guests: one whose treatment works and one whose arms are alike.

use crate::calendar::{DAYS, day, instant};
use crate::id::Id;
use crate::random::Random;
use crate::truth::Experiment;
use crate::world::{RESTAURANTS, Restaurant};
use chrono::{DateTime, Utc};

const GUESTS: usize = 600;
const RUNNING_DAYS: u64 = 42;
const METRIC: &str = "order_value";

/// One row of `sop_ab_participants`.
pub(crate) struct Participant {
    pub(crate) experiment: Id,
    pub(crate) user: Id,
    pub(crate) variant: &'static str,
    pub(crate) bucket: f64,
    pub(crate) at: DateTime<Utc>,
}

/// One row of `sop_ab_events`.
pub(crate) struct Event {
    pub(crate) experiment: Id,
    pub(crate) user: Id,
    pub(crate) variant: &'static str,
    pub(crate) value: f64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) id: Id,
}

/// The restaurant that runs both.
pub(crate) fn owner() -> &'static Restaurant {
    let [.., brooklyn] = &RESTAURANTS;
    brooklyn
}

/// The experiment with an effect and the one without.
pub(crate) fn experiments() -> [Experiment; 2] {
    let experiment = |name, factor| Experiment {
        restaurant: owner().id,
        id: owner().own(name),
        name,
        metric: METRIC,
        factor,
    };
    [
        experiment("menu-board-dish-of-the-day", 1.10),
        experiment("menu-board-two-equal-halves", 1.0),
    ]
}

/// When they began.
pub(crate) fn started() -> DateTime<Utc> {
    instant(owner().zone, day(DAYS - RUNNING_DAYS), 0.0)
}

/// Who takes part and what they spend.
pub(crate) fn take_part(seed: u64) -> (Vec<Participant>, Vec<Event>) {
    let (mut participants, mut events) = (Vec::new(), Vec::new());
    for experiment in experiments() {
        let mut random = Random::new(seed, experiment.name);
        for guest in 0..GUESTS {
            let user = owner().own(&format!("guest {} {guest}", experiment.name));
            let bucket = random.unit();
            let (variant, factor) = if bucket < 0.5 {
                ("control", 1.0)
            } else {
                ("treatment", experiment.factor)
            };
            let first = DAYS - RUNNING_DAYS + random.below(RUNNING_DAYS as usize - 7) as u64;
            let opens = f64::from(owner().opens) * 3600.0;
            let open_for = f64::from(owner().closes - owner().opens) * 3600.0;
            participants.push(Participant {
                experiment: experiment.id,
                user,
                variant,
                bucket,
                at: instant(
                    owner().zone,
                    day(first),
                    (opens + 0.1 * open_for * random.unit()).round(),
                ),
            });
            let usual = 24.0 * random.factor(0.2);
            for visit in 0..=u64::from(random.count(3.0)).min(6) {
                let seconds = opens + open_for * random.between(0.1, 1.0);
                events.push(Event {
                    experiment: experiment.id,
                    user,
                    variant,
                    value: usual * factor * random.factor(0.3),
                    at: instant(owner().zone, day(first + visit), seconds.round()),
                    id: owner().own(&format!("event {} {guest} {visit}", experiment.name)),
                });
            }
        }
    }
    (participants, events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_treatment_changes_what_guests_spend() {
        let (participants, events) = take_part(42);
        assert_eq!(participants.len(), 2 * GUESTS);
        for experiment in experiments() {
            let mean = |variant: &str| {
                let values: Vec<f64> = events
                    .iter()
                    .filter(|event| event.experiment == experiment.id && event.variant == variant)
                    .map(|event| event.value)
                    .collect();
                values.iter().sum::<f64>() / values.len() as f64
            };
            let lift = mean("treatment") / mean("control");
            assert!(
                (lift - experiment.factor).abs() < 0.05,
                "{} {lift}",
                experiment.name
            );
        }
    }
}
