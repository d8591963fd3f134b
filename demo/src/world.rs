//! The five restaurants, their staff and their procedures.

use crate::id::Id;
use crate::random::Random;
use chrono::NaiveDate;
use chrono_tz::Tz;

/// Staff per restaurant.
pub const STAFF: usize = 60;

/// A restaurant of the generated group.
#[derive(Clone, Copy, Debug)]
pub struct Restaurant {
    /// Its `restaurant_id`.
    pub id: Id,
    /// Its name.
    pub name: &'static str,
    /// Its time zone.
    pub zone: Tz,
    pub(crate) region: &'static str,
    pub(crate) country: &'static str,
    pub(crate) currency: &'static str,
    pub(crate) language: &'static str,
    pub(crate) opens: u32,
    pub(crate) closes: u32,
    pub(crate) orders_per_hour: f64,
    pub(crate) labour_cost: f64,
    pub(crate) closure: Option<Closure>,
}

/// Days on which a restaurant is closed and records nothing; both ends belong to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closure {
    pub(crate) first: (i32, u32, u32),
    pub(crate) last: (i32, u32, u32),
    pub(crate) reason: &'static str,
}

impl Restaurant {
    /// The first and the last day of the closure.
    pub(crate) fn closed_between(&self) -> Option<(NaiveDate, NaiveDate)> {
        let closure = self.closure?;
        let date = |(year, month, day)| NaiveDate::from_ymd_opt(year, month, day);
        Some((date(closure.first)?, date(closure.last)?))
    }

    /// Whether the restaurant is closed on that day.
    pub(crate) fn is_closed(&self, day: NaiveDate) -> bool {
        self.closed_between()
            .is_some_and(|(first, last)| (first..=last).contains(&day))
    }

    /// The id of a thing that belongs to this restaurant.
    pub(crate) fn own(&self, name: &str) -> Id {
        Id::named(self.id, name)
    }
}

/// The restaurants, in an order that the other constants of this module refer to.
pub const RESTAURANTS: [Restaurant; 5] = [
    Restaurant {
        id: Id::fixed(0xd0000000_0000_5000_8000_000000000001),
        name: "Bangkok Riverside",
        zone: Tz::Asia__Bangkok,
        region: "asia",
        country: "TH",
        currency: "THB",
        language: "th",
        opens: 10,
        closes: 22,
        orders_per_hour: 34.0,
        labour_cost: 110.0,
        closure: Some(Closure {
            first: (2026, 4, 13),
            last: (2026, 4, 15),
            reason: "Songkran",
        }),
    },
    Restaurant {
        id: Id::fixed(0xd0000000_0000_5000_8000_000000000002),
        name: "Bangkok Siam",
        zone: Tz::Asia__Bangkok,
        region: "asia",
        country: "TH",
        currency: "THB",
        language: "th",
        opens: 10,
        closes: 21,
        orders_per_hour: 48.0,
        labour_cost: 105.0,
        closure: None,
    },
    Restaurant {
        id: Id::fixed(0xd0000000_0000_5000_8000_000000000003),
        name: "Berlin Mitte",
        zone: Tz::Europe__Berlin,
        region: "europe",
        country: "DE",
        currency: "EUR",
        language: "de",
        opens: 11,
        closes: 23,
        orders_per_hour: 22.0,
        labour_cost: 19.5,
        closure: None,
    },
    Restaurant {
        id: Id::fixed(0xd0000000_0000_5000_8000_000000000004),
        name: "New York Midtown",
        zone: Tz::America__New_York,
        region: "north-america",
        country: "US",
        currency: "USD",
        language: "en",
        opens: 8,
        closes: 22,
        orders_per_hour: 55.0,
        labour_cost: 24.0,
        closure: None,
    },
    Restaurant {
        id: Id::fixed(0xd0000000_0000_5000_8000_000000000005),
        name: "Brooklyn Heights",
        zone: Tz::America__New_York,
        region: "north-america",
        country: "US",
        currency: "USD",
        language: "en",
        opens: 9,
        closes: 22,
        orders_per_hour: 29.0,
        labour_cost: 23.0,
        closure: None,
    },
];

/// A standard operating procedure.
#[derive(Clone, Debug)]
pub(crate) struct Procedure {
    pub(crate) id: Id,
    pub(crate) title: &'static str,
    pub(crate) category: usize,
    /// Median minutes of one run at this restaurant.
    pub(crate) minutes: f64,
    pub(crate) difficulty: f64,
    pub(crate) certification: Option<&'static str>,
}

pub(crate) const CATEGORIES: [&str; 5] = ["opening", "kitchen", "hygiene", "service", "closing"];

/// Title and usual minutes, eight of each category in turn.
const PROCEDURES: [(&str, f64); 40] = [
    ("Unlock and light the dining room", 6.0),
    ("Check deliveries against the order", 18.0),
    ("Start the ovens", 9.0),
    ("Count the opening cash", 12.0),
    ("Set the tables", 22.0),
    ("Brief the shift", 10.0),
    ("Check the fridge temperatures", 7.0),
    ("Fill the service station", 14.0),
    ("Cook rice in the large steamer", 28.0),
    ("Prepare the house stock", 45.0),
    ("Portion the chicken", 24.0),
    ("Cut vegetables for service", 26.0),
    ("Change the fryer oil", 20.0),
    ("Plate the signature dish", 8.0),
    ("Label and date open food", 11.0),
    ("Cool hot food safely", 30.0),
    ("Wash hands before service", 2.0),
    ("Sanitise the cutting boards", 9.0),
    ("Deep-clean the fryer", 35.0),
    ("Clean the coffee machine", 16.0),
    ("Empty and wash the bins", 13.0),
    ("Test the dishwasher temperature", 5.0),
    ("Record the allergen list", 15.0),
    ("Check for pests", 12.0),
    ("Greet and seat guests", 4.0),
    ("Explain the menu of the day", 5.0),
    ("Take an order with allergies", 6.0),
    ("Handle a complaint", 11.0),
    ("Serve wine at the table", 5.0),
    ("Settle the bill", 4.0),
    ("Pack a takeaway order", 7.0),
    ("Reset a table", 5.0),
    ("Close the kitchen line", 32.0),
    ("Store leftovers", 17.0),
    ("Clean the floors", 25.0),
    ("Close the till", 19.0),
    ("Switch off the gas", 3.0),
    ("Lock the wine cellar", 4.0),
    ("Write the shift report", 14.0),
    ("Set the alarm", 3.0),
];

/// The number of procedures per restaurant.
pub const SOPS: usize = PROCEDURES.len();

/// The procedure whose duration grows in the restaurant that has a trend.
pub(crate) const GROWING_PROCEDURE: &str = "Deep-clean the fryer";

/// The restaurant's procedures, with its own pace.
pub(crate) fn procedures(seed: u64, restaurant: &Restaurant) -> Vec<Procedure> {
    let mut random = Random::new(seed, &format!("procedures {}", restaurant.id));
    let certifications = [None, Some("food-handling"), Some("hygiene"), None, None];
    PROCEDURES
        .iter()
        .enumerate()
        .map(|(index, (title, minutes))| {
            let category = index / (SOPS / CATEGORIES.len());
            Procedure {
                id: restaurant.own(title),
                title,
                category,
                minutes: minutes * random.factor(0.12),
                difficulty: (minutes / 50.0 + random.between(0.0, 0.2)).min(1.0),
                certification: certifications.get(category).copied().flatten(),
            }
        })
        .collect()
}

/// What a person is employed for, and how often they run procedures of each category.
const JOBS: [(&str, [f64; 5]); 5] = [
    ("cook", [1.0, 6.0, 3.0, 0.3, 2.0]),
    ("server", [2.0, 0.4, 1.5, 7.0, 1.5]),
    ("cleaner", [0.5, 0.3, 7.0, 0.3, 5.0]),
    ("shift lead", [4.0, 1.5, 2.0, 2.0, 4.0]),
    ("trainee", [2.0, 2.0, 2.0, 2.0, 2.0]),
];

/// A member of the staff.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: Id,
    pub(crate) job: &'static str,
    pub(crate) weights: [f64; 5],
    pub(crate) skill: f64,
    pub(crate) language: &'static str,
    pub(crate) hired_days_ago: i64,
    pub(crate) opted_out: bool,
    /// Two weekdays (from 0 = Monday) off.
    pub(crate) days_off: [usize; 2],
}

/// The restaurant's staff; the last three of them have opted out of personalisation and training.
pub(crate) fn staff(seed: u64, restaurant: &Restaurant) -> Vec<Person> {
    let mut random = Random::new(seed, &format!("staff {}", restaurant.id));
    (0..STAFF)
        .map(|index| {
            let job = random.weighted(&[20.0, 22.0, 8.0, 5.0, 5.0]);
            let (job, weights) = JOBS.get(job).copied().unwrap_or(("trainee", [1.0; 5]));
            let trained = if job == "trainee" { 0.1 } else { 0.45 };
            Person {
                id: restaurant.own(&format!("staff {index}")),
                job,
                weights,
                skill: trained + random.between(0.0, 0.5),
                language: if random.chance(0.8) {
                    restaurant.language
                } else {
                    "en"
                },
                hired_days_ago: 30 + random.below(2000) as i64,
                opted_out: index + 3 >= STAFF,
                days_off: [index % 7, (index + 3) % 7],
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_group_is_as_large_as_described() {
        let zones: HashSet<&str> = RESTAURANTS.iter().map(|r| r.zone.name()).collect();
        assert_eq!(zones.len(), 3);
        let mut ids = HashSet::new();
        for restaurant in &RESTAURANTS {
            assert!(ids.insert(restaurant.id));
            let people = staff(1, restaurant);
            assert_eq!(people.iter().filter(|person| person.opted_out).count(), 3);
            assert!(
                people
                    .iter()
                    .all(|person| person.days_off[0] != person.days_off[1])
            );
            assert!(people.iter().all(|person| ids.insert(person.id)));
            let procedures = procedures(1, restaurant);
            assert_eq!(procedures.len(), 40);
            assert!(procedures.iter().all(|procedure| ids.insert(procedure.id)));
            assert!(
                procedures
                    .iter()
                    .any(|procedure| procedure.title == GROWING_PROCEDURE)
            );
        }
    }
}
