//! What the staff do: runs of procedures, seen once as interactions and once as measured durations.

use crate::calendar::{DAYS, days, instant, weekday};
use crate::id::Id;
use crate::random::Random;
use crate::truth::{LateRows, Trend};
use crate::world::{CATEGORIES, GROWING_PROCEDURE, Person, Procedure, RESTAURANTS, Restaurant};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// One row of `sop_user_interactions`.
#[derive(Clone)]
pub(crate) struct Interaction {
    pub(crate) restaurant: Id,
    pub(crate) user: Id,
    pub(crate) sop: Id,
    pub(crate) kind: &'static str,
    pub(crate) at: DateTime<Utc>,
    pub(crate) id: Id,
    pub(crate) session: Id,
    pub(crate) rating: Option<f64>,
    pub(crate) seconds: Option<f64>,
    pub(crate) quality: Option<f64>,
    pub(crate) outcome: Option<&'static str>,
}

/// One row of `sop_time_series_data`.
#[derive(Clone)]
pub(crate) struct Observation {
    pub(crate) restaurant: Id,
    pub(crate) metric: &'static str,
    pub(crate) sop: Id,
    pub(crate) source: String,
    pub(crate) at: DateTime<Utc>,
    /// `None` only where a fault is planted.
    pub(crate) value: Option<f64>,
    pub(crate) unit: &'static str,
}

/// Rows of the first script and of the second.
#[derive(Default)]
pub(crate) struct Runs {
    pub(crate) interactions: Vec<Interaction>,
    pub(crate) durations: Vec<Observation>,
    pub(crate) late_interactions: Vec<Interaction>,
    pub(crate) late_durations: Vec<Observation>,
}

/// The metric that the runs are measured by.
pub(crate) const DURATION: &str = "step_duration_minutes";

/// Growth of the planted trend from the first to the last day.
const GROWTH: f64 = 1.8;

/// How often the growing procedure is run, compared with the others: its trend has to stand out from the spread of its runs.
const GROWING_POPULARITY: f64 = 3.0;

/// How much longer a run takes on each weekday, from Monday.
const WEEKDAY_PACE: [f64; 7] = [0.95, 0.95, 0.98, 1.0, 1.08, 1.12, 1.02];

/// On the late day, the tablets of so many people were offline: their runs arrive with the second script.
const OFFLINE_PEOPLE: usize = 14;
const LATE_DAY: u64 = DAYS - 7;

/// The planted trend.
pub(crate) fn trend() -> Trend {
    let [_, _, berlin, ..] = RESTAURANTS;
    Trend {
        restaurant: berlin.id,
        metric: DURATION,
        sop: berlin.own(GROWING_PROCEDURE),
        direction: "increasing",
        factor: GROWTH,
    }
}

/// The restaurant and day of the late rows.
pub(crate) fn late_place() -> (Id, NaiveDate) {
    let [.., brooklyn] = RESTAURANTS;
    (brooklyn.id, crate::calendar::day(LATE_DAY))
}

impl Runs {
    /// All runs of a restaurant.
    pub(crate) fn add(
        &mut self,
        seed: u64,
        restaurant: &Restaurant,
        people: &[Person],
        procedures: &[Procedure],
    ) {
        let mut random = Random::new(seed, &format!("runs {}", restaurant.id));
        let popularity: Vec<f64> = procedures
            .iter()
            .map(|procedure| {
                let usual = random.between(0.6, 1.8);
                if procedure.id == trend().sop {
                    GROWING_POPULARITY
                } else {
                    usual
                }
            })
            .collect();
        let (late_restaurant, late_day) = late_place();
        let mut seen = 0_u64;
        for (index, day) in days().filter(|(_, day)| !restaurant.is_closed(*day)) {
            for (number, person) in people.iter().enumerate() {
                if person.days_off.contains(&weekday(day)) {
                    continue;
                }
                let late =
                    restaurant.id == late_restaurant && day == late_day && number < OFFLINE_PEOPLE;
                let mut shift = Shift {
                    restaurant,
                    person,
                    day,
                    growth: GROWTH.powf(index as f64 / (DAYS - 1) as f64),
                    session: restaurant.own(&format!("shift {index} {number}")),
                    clock: f64::from(restaurant.opens) * 3600.0
                        + random.between(0.0, 0.35)
                            * f64::from(restaurant.closes - restaurant.opens)
                            * 3600.0,
                    seen: &mut seen,
                };
                let weights: Vec<f64> = procedures
                    .iter()
                    .zip(&popularity)
                    .map(|(procedure, liked)| {
                        liked
                            * person
                                .weights
                                .get(procedure.category)
                                .copied()
                                .unwrap_or(1.0)
                    })
                    .collect();
                for _ in 0..random.count(3.5).min(7) {
                    // Nobody begins so late that the run could end on the next day.
                    if shift.clock > 21.5 * 3600.0 {
                        break;
                    }
                    if let Some(procedure) = procedures.get(random.weighted(&weights)) {
                        let (interactions, duration) = shift.run(&mut random, procedure);
                        let (events, durations) = if late {
                            (&mut self.late_interactions, &mut self.late_durations)
                        } else {
                            (&mut self.interactions, &mut self.durations)
                        };
                        events.extend(interactions);
                        durations.extend(duration);
                    }
                }
            }
        }
    }

    /// How many rows are late, and how many of the same day are not.
    pub(crate) fn late(&self) -> LateRows {
        let (restaurant, day) = late_place();
        let zone = RESTAURANTS
            .iter()
            .find(|candidate| candidate.id == restaurant)
            .map(|found| found.zone);
        let on_day = |at: DateTime<Utc>| {
            zone.is_some_and(|zone| at.with_timezone(&zone).date_naive() == day)
        };
        LateRows {
            restaurant,
            day,
            time_series: self.late_durations.len() as u64,
            time_series_before: self
                .durations
                .iter()
                .filter(|row| row.restaurant == restaurant && on_day(row.at))
                .count() as u64,
            interactions: self.late_interactions.len() as u64,
            interactions_before: self
                .interactions
                .iter()
                .filter(|row| row.restaurant == restaurant && on_day(row.at))
                .count() as u64,
        }
    }
}

/// One person's working day.
struct Shift<'a> {
    restaurant: &'a Restaurant,
    person: &'a Person,
    day: NaiveDate,
    growth: f64,
    session: Id,
    /// Seconds after local midnight.
    clock: f64,
    seen: &'a mut u64,
}

impl Shift<'_> {
    fn run(
        &mut self,
        random: &mut Random,
        procedure: &Procedure,
    ) -> (Vec<Interaction>, Option<Observation>) {
        let mut rows = Vec::new();
        let affinity = self
            .person
            .weights
            .get(procedure.category)
            .copied()
            .unwrap_or(1.0)
            .min(5.0)
            / 5.0;
        if random.chance(0.3) {
            rows.push(self.event(procedure, "view", self.clock - random.between(20.0, 200.0)));
        }
        rows.push(self.event(procedure, "start", self.clock));
        let pace = WEEKDAY_PACE.get(weekday(self.day)).copied().unwrap_or(1.0);
        let grown = if trend().sop == procedure.id {
            self.growth
        } else {
            1.0
        };
        let minutes = procedure.minutes
            * pace
            * grown
            * (1.15 - 0.3 * self.person.skill)
            * random.factor(0.18);
        let finished = self.clock + minutes * 60.0;
        let mut duration = None;
        if random.chance(0.80 + 0.12 * self.person.skill + 0.06 * affinity) {
            let mut done = self.event(procedure, "complete", finished);
            done.seconds = Some(minutes * 60.0);
            done.quality =
                Some((72.0 + 22.0 * self.person.skill + random.normal(0.0, 6.0)).clamp(0.0, 100.0));
            done.outcome = Some("success");
            duration = Some(Observation {
                restaurant: self.restaurant.id,
                metric: DURATION,
                sop: procedure.id,
                source: format!(
                    "tablet-{}",
                    CATEGORIES.get(procedure.category).unwrap_or(&"other")
                ),
                // A microsecond per run keeps two runs that end together apart.
                at: done.at + TimeDelta::microseconds((*self.seen % 997) as i64),
                value: Some(minutes),
                unit: "min",
            });
            rows.push(done);
            if random.chance(0.15) {
                let mut rated =
                    self.event(procedure, "rate", finished + random.between(10.0, 90.0));
                rated.rating = Some(
                    (2.6 + 2.0 * affinity + random.normal(0.0, 0.8))
                        .round()
                        .clamp(1.0, 5.0),
                );
                rows.push(rated);
            }
            if random.chance(0.03) {
                rows.push(self.event(
                    procedure,
                    "bookmark",
                    finished + random.between(90.0, 150.0),
                ));
            }
        } else {
            let mut skipped =
                self.event(procedure, "skip", self.clock + random.between(30.0, 240.0));
            skipped.outcome = Some("abandoned");
            rows.push(skipped);
        }
        self.clock = finished + random.between(300.0, 2400.0);
        (rows, duration)
    }

    fn event(&mut self, procedure: &Procedure, kind: &'static str, seconds: f64) -> Interaction {
        *self.seen += 1;
        Interaction {
            restaurant: self.restaurant.id,
            user: self.person.id,
            sop: procedure.id,
            kind,
            // Whole seconds: what a tablet records.
            at: instant(self.restaurant.zone, self.day, seconds.round()),
            id: self.restaurant.own(&format!("interaction {}", self.seen)),
            session: self.session,
            rating: None,
            seconds: None,
            quality: None,
            outcome: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{procedures, staff};

    fn runs_of(restaurant: &Restaurant) -> Runs {
        let mut runs = Runs::default();
        runs.add(
            5,
            restaurant,
            &staff(5, restaurant),
            &procedures(5, restaurant),
        );
        runs
    }

    fn mean(values: impl Iterator<Item = f64>) -> f64 {
        let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
        sum / n
    }

    #[test]
    fn the_planted_procedure_grows_and_the_others_do_not() {
        let [_, _, berlin, ..] = RESTAURANTS;
        let runs = runs_of(&berlin);
        let planted = trend();
        let middle = instant(berlin.zone, crate::calendar::day(DAYS / 2), 0.0);
        let growth = |planted_one: bool| {
            let of = |later: bool| {
                mean(
                    runs.durations
                        .iter()
                        .filter(|row| {
                            (row.sop == planted.sop) == planted_one && (row.at >= middle) == later
                        })
                        .filter_map(|row| Some(row.value?.ln())),
                )
            };
            (of(true) - of(false)).exp()
        };
        assert!(growth(true) > 1.15, "{}", growth(true));
        assert!((growth(false) - 1.0).abs() < 0.03, "{}", growth(false));
    }

    #[test]
    fn nobody_works_on_closed_days() {
        let [bangkok, ..] = RESTAURANTS;
        let runs = runs_of(&bangkok);
        let local = |at: DateTime<Utc>| at.with_timezone(&bangkok.zone).date_naive();
        assert!(
            runs.interactions
                .iter()
                .all(|row| !bangkok.is_closed(local(row.at)))
        );
        assert!(
            runs.durations
                .iter()
                .all(|row| !bangkok.is_closed(local(row.at)))
        );
        assert!(runs.late_durations.is_empty());
    }

    #[test]
    fn late_rows_belong_to_their_day() {
        let [.., brooklyn] = RESTAURANTS;
        let runs = runs_of(&brooklyn);
        let late = runs.late();
        assert!(
            late.time_series > 15 && late.time_series_before > 60,
            "{late:?}"
        );
        assert_eq!(late.interactions, runs.late_interactions.len() as u64);
        let days: Vec<_> = runs
            .late_durations
            .iter()
            .map(|row| row.at.with_timezone(&brooklyn.zone).date_naive())
            .collect();
        assert!(days.iter().all(|day| *day == late.day), "{days:?}");
    }
}
