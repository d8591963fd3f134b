//! Rows with known faults, all in one restaurant and none on its last day.

use crate::calendar::{day, instant};
use crate::id::Id;
use crate::random::Random;
use crate::runs::{DURATION, Interaction, Observation};
use crate::truth::{Dirty, Fault, FaultKind};
use crate::world::{RESTAURANTS, Restaurant};
use chrono::{DateTime, TimeDelta, Utc};

/// The restaurant with the faults.
pub(crate) fn place() -> &'static Restaurant {
    let [_, siam, ..] = &RESTAURANTS;
    siam
}

/// Faulty rows to be written among the good ones.
#[derive(Default)]
pub(crate) struct Faults {
    pub(crate) observations: Vec<Observation>,
    pub(crate) interactions: Vec<Interaction>,
    pub(crate) dirty: Dirty,
}

/// The first days with faults, and over how many days they are spread.
const FIRST: u64 = 20;
const SPREAD: usize = 60;

/// Makes the faults; faulty interactions are distorted copies of good ones.
pub(crate) fn faults(seed: u64, sop: Id, good: &[Interaction]) -> Faults {
    let mut faults = Faults::default();
    faults.dirty.restaurant = place().id;
    let mut random = Random::new(seed, "faults");
    observations(&mut random, sop, &mut faults);
    interactions(&mut random, good, &mut faults);
    faults
}

/// Far enough ahead to be in the future whenever the demo is run.
fn future(number: usize) -> DateTime<Utc> {
    instant(place().zone, day(0), 43_200.0)
        + TimeDelta::days(27_000)
        + TimeDelta::minutes(number as i64)
}

fn observations(random: &mut Random, sop: Id, faults: &mut Faults) {
    let table = "sop_time_series_data";
    for (column, kind, rows) in [
        ("value", FaultKind::Missing, 12),
        ("value", FaultKind::NotANumber, 15),
        ("value", FaultKind::OutOfRange, 18),
        ("observed_at", FaultKind::Future, 6),
    ] {
        for number in 0..rows {
            let usual = random.between(8.0, 20.0);
            let value = match kind {
                FaultKind::Missing => None,
                FaultKind::NotANumber => Some(f64::NAN),
                FaultKind::OutOfRange => Some(-usual),
                _ => Some(usual),
            };
            let at = if kind == FaultKind::Future {
                future(number)
            } else {
                let date = day(FIRST + random.below(SPREAD) as u64);
                instant(
                    place().zone,
                    date,
                    (random.between(11.0, 20.0) * 3600.0).round(),
                )
            };
            faults.observations.push(Observation {
                restaurant: place().id,
                metric: DURATION,
                sop,
                source: format!("import-{kind:?}-{number}"),
                at,
                value,
                unit: "min",
            });
        }
        faults.dirty.faults.push(Fault {
            table,
            column,
            kind,
            rows: rows as u64,
        });
    }
}

fn interactions(random: &mut Random, good: &[Interaction], faults: &mut Faults) {
    let from = instant(place().zone, day(FIRST), 0.0);
    let to = from + TimeDelta::days(SPREAD as i64);
    let candidates = |kind: &'static str| {
        good.iter()
            .filter(move |row| {
                row.restaurant == place().id && row.kind == kind && (from..to).contains(&row.at)
            })
            .collect::<Vec<_>>()
    };
    let (completed, rated) = (candidates("complete"), candidates("rate"));
    for (column, kind, rows) in [
        ("duration_seconds", FaultKind::OutOfRange, 11),
        ("rating", FaultKind::OutOfRange, 8),
        ("occurred_at", FaultKind::Future, 9),
        ("interaction_id", FaultKind::Duplicate, 25),
    ] {
        let pool = if column == "rating" {
            &rated
        } else {
            &completed
        };
        let step = pool.len() / rows;
        for number in 0..rows {
            // One row out of each stretch of the pool: no row is taken twice.
            let Some(mut row) = pool
                .get(number * step + random.below(step))
                .map(|row| (*row).clone())
            else {
                continue;
            };
            row.id = place().own(&format!("fault {column} {number}"));
            match (column, kind) {
                ("duration_seconds", _) => {
                    row.at += TimeDelta::milliseconds(500);
                    row.seconds = row.seconds.map(|seconds| -seconds);
                }
                ("rating", _) => {
                    row.at += TimeDelta::milliseconds(500);
                    row.rating = Some(if number % 2 == 0 { 50.0 } else { -1.0 });
                }
                (_, FaultKind::Future) => row.at = future(number),
                _ => {}
            }
            faults.interactions.push(row);
        }
        faults.dirty.faults.push(Fault {
            table: "sop_user_interactions",
            column,
            kind,
            rows: rows as u64,
        });
    }
}
