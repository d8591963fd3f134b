//! The local days that a run works on, and work that goes on restaurant by restaurant when it fails for all.

use std::collections::BTreeMap;

use pgrx::Uuid;
use pgrx::datum::{Date, TimestampWithTimeZone};

use crate::error::{PgResult, internal};
use crate::subtransaction::{Failure, isolated};

/// One local calendar day, or longer period, of one restaurant.
#[derive(Debug, Clone)]
pub(super) struct LocalDay {
    pub(super) restaurant: Uuid,
    pub(super) date: Date,
    pub(super) starts_at: TimestampWithTimeZone,
    pub(super) ends_at: TimestampWithTimeZone,
    /// Not known for longer periods: they are closed when all their parts are.
    pub(super) is_closed: Option<bool>,
    /// The opening hours, as the text of a multirange of instants.
    pub(super) open_at: String,
    /// The day that the run was asked for, not one that late rows fall on.
    pub(super) is_requested: bool,
}

/// So many restaurants are rolled up for a whole day at once. More are done in parts of a day, so that the number of
/// buckets that a statement holds in memory does not grow with them.
const RESTAURANTS_AT_ONCE: usize = 100;

const HOUR: i64 = 3_600_000_000;

/// A part of each of some days, in whole hours from their first instants.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) from: Vec<TimestampWithTimeZone>,
    pub(super) to: Vec<TimestampWithTimeZone>,
}

/// Days, with their columns as the array parameters of statements.
#[derive(Debug, Clone, Default)]
pub(super) struct Days(pub(super) Vec<LocalDay>);

impl Days {
    pub(super) fn restaurants(&self) -> Vec<Uuid> {
        self.0.iter().map(|day| day.restaurant).collect()
    }

    pub(super) fn dates(&self) -> Vec<Date> {
        self.0.iter().map(|day| day.date).collect()
    }

    pub(super) fn starts(&self) -> Vec<TimestampWithTimeZone> {
        self.0.iter().map(|day| day.starts_at).collect()
    }

    pub(super) fn ends(&self) -> Vec<TimestampWithTimeZone> {
        self.0.iter().map(|day| day.ends_at).collect()
    }

    pub(super) fn closed(&self) -> Vec<Option<bool>> {
        self.0.iter().map(|day| day.is_closed).collect()
    }

    pub(super) fn open_at(&self) -> Vec<String> {
        self.0.iter().map(|day| day.open_at.clone()).collect()
    }

    /// Only the days that the run was asked for.
    pub(super) fn requested(&self) -> Days {
        Days(
            self.0
                .iter()
                .filter(|day| day.is_requested)
                .cloned()
                .collect(),
        )
    }

    /// The days of each local date, oldest first.
    pub(super) fn by_date(&self) -> impl Iterator<Item = Days> {
        let mut dates: BTreeMap<i32, Vec<LocalDay>> = BTreeMap::new();
        for day in &self.0 {
            let date = day.date.to_pg_epoch_days();
            dates.entry(date).or_default().push(day.clone());
        }
        dates.into_values().map(Days)
    }

    /// Only the days of these restaurants.
    pub(super) fn of(&self, restaurants: &[Uuid]) -> Days {
        let chosen = |day: &&LocalDay| restaurants.contains(&day.restaurant);
        Days(self.0.iter().filter(chosen).cloned().collect())
    }

    /// The parts in which days of the same date are rolled up.
    pub(super) fn parts(&self) -> PgResult<Vec<Part>> {
        if self.0.len() <= RESTAURANTS_AT_ONCE {
            return Ok(vec![Part {
                from: self.starts(),
                to: self.ends(),
            }]);
        }
        let step = HOUR * (24 * RESTAURANTS_AT_ONCE / self.0.len()).max(1) as i64;
        let longest = self
            .0
            .iter()
            .map(|day| day.ends_at.into_inner() - day.starts_at.into_inner())
            .max()
            .unwrap_or(0);
        let edge = |after: i64| {
            self.0
                .iter()
                .map(|day| {
                    let at = day.starts_at.into_inner() + after;
                    TimestampWithTimeZone::try_from(at.min(day.ends_at.into_inner()))
                        .map_err(|error| internal(error.to_string()))
                })
                .collect::<PgResult<Vec<_>>>()
        };
        (0..)
            .map(|number| number * step)
            .take_while(|&after| after < longest)
            .map(|after| {
                Ok(Part {
                    from: edge(after)?,
                    to: edge(after + step)?,
                })
            })
            .collect()
    }

    /// How many restaurants there are.
    pub(super) fn restaurant_count(&self) -> i64 {
        self.by_restaurant().count() as i64
    }

    /// The days of each restaurant; statements return them in the order of restaurants.
    fn by_restaurant(&self) -> impl Iterator<Item = &[LocalDay]> {
        self.0.chunk_by(|a, b| a.restaurant == b.restaurant)
    }
}

/// What a piece of work read and wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) rows_in: i64,
    pub(super) rows_out: i64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.rows_in += other.rows_in;
        self.rows_out += other.rows_out;
    }
}

/// What a step did, and what went wrong on the way.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) restaurants: i64,
    pub(super) counts: Counts,
    pub(super) notes: Vec<String>,
    /// Why the step did nothing, by design.
    pub(super) skipped: Option<String>,
    /// What failed, each with the name of its subject.
    pub(super) failures: Vec<(String, Failure)>,
}

impl Outcome {
    pub(super) fn skipped(why: impl Into<String>) -> Self {
        Self {
            skipped: Some(why.into()),
            ..Self::default()
        }
    }
}

/// Does `work` for all restaurants in one go, or, when that fails, for each on its own.
pub(super) fn per_restaurant(days: &Days, work: impl Fn(&Days) -> PgResult<Counts>) -> Outcome {
    let mut outcome = Outcome {
        restaurants: days.restaurant_count(),
        ..Outcome::default()
    };
    match isolated(|| work(days)) {
        Ok(counts) => outcome.counts = counts,
        Err(failure) if outcome.restaurants <= 1 => outcome.failures.push((String::new(), failure)),
        Err(_) => {
            outcome.restaurants = 0;
            for own in days.by_restaurant() {
                let own = Days(own.to_vec());
                match isolated(|| work(&own)) {
                    Ok(counts) => {
                        outcome.counts += counts;
                        outcome.restaurants += 1;
                    }
                    Err(failure) => {
                        let subject = own
                            .0
                            .first()
                            .map(|day| format!("restaurant {}", day.restaurant));
                        outcome
                            .failures
                            .push((subject.unwrap_or_default(), failure));
                    }
                }
            }
        }
    }
    outcome
}
