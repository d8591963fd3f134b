//! Metrics that devices and inspections record: orders by the hour, fridge temperatures, compliance scores.

use crate::calendar::{days, instant, weekday};
use crate::id::Id;
use crate::random::Random;
use crate::runs::Observation;
use crate::world::{Procedure, Restaurant};

/// Guests come in these proportions on each weekday, from Monday.
const WEEKDAY_ORDERS: [f64; 7] = [0.78, 0.82, 0.9, 0.98, 1.25, 1.4, 1.1];

/// The share of the busiest hour that an hour of the day sees.
fn hour_share(hour: u32) -> f64 {
    let bump = |centre: f64, width: f64| (-((f64::from(hour) - centre) / width).powi(2)).exp();
    0.25 + 0.8 * bump(12.5, 1.6) + bump(19.0, 2.0)
}

/// All recorded metrics of a restaurant; nothing on closed days.
pub(crate) fn observations(
    seed: u64,
    restaurant: &Restaurant,
    procedures: &[Procedure],
) -> Vec<Observation> {
    let mut rows = Vec::new();
    orders(seed, restaurant, &mut rows);
    fridges(seed, restaurant, &mut rows);
    compliance(seed, restaurant, procedures, &mut rows);
    rows
}

fn orders(seed: u64, restaurant: &Restaurant, rows: &mut Vec<Observation>) {
    let mut random = Random::new(seed, &format!("orders {}", restaurant.id));
    for (_, day) in days().filter(|(_, day)| !restaurant.is_closed(*day)) {
        let busy = WEEKDAY_ORDERS.get(weekday(day)).copied().unwrap_or(1.0) * random.factor(0.06);
        for hour in restaurant.opens..restaurant.closes {
            rows.push(Observation {
                restaurant: restaurant.id,
                metric: "order_count",
                sop: Id::NIL,
                source: "till".to_owned(),
                at: instant(restaurant.zone, day, f64::from(hour) * 3600.0),
                value: Some(f64::from(
                    random.count(restaurant.orders_per_hour * busy * hour_share(hour)),
                )),
                unit: "orders",
            });
        }
    }
}

fn fridges(seed: u64, restaurant: &Restaurant, rows: &mut Vec<Observation>) {
    let mut random = Random::new(seed, &format!("fridges {}", restaurant.id));
    for (_, day) in days().filter(|(_, day)| !restaurant.is_closed(*day)) {
        for hour in 0..24_u32 {
            let opened = if (restaurant.opens..restaurant.closes).contains(&hour) {
                hour_share(hour)
            } else {
                0.0
            };
            for (fridge, usual) in [("fridge-1", 3.2), ("fridge-2", 4.1)] {
                rows.push(Observation {
                    restaurant: restaurant.id,
                    metric: "fridge_temperature_c",
                    sop: Id::NIL,
                    source: fridge.to_owned(),
                    at: instant(
                        restaurant.zone,
                        day,
                        f64::from(hour) * 3600.0 + delay(restaurant, day, hour),
                    ),
                    value: Some(usual + 0.9 * opened + random.normal(0.0, 0.25)),
                    unit: "degC",
                });
            }
        }
    }
}

/// Readings are taken on the hour; the one of the hour that daylight saving skips would coincide with the next hour's, so
/// it is taken ten minutes (600 seconds) later.
fn delay(restaurant: &Restaurant, day: chrono::NaiveDate, hour: u32) -> f64 {
    let at = |hour: u32| instant(restaurant.zone, day, f64::from(hour) * 3600.0);
    if at(hour) == at(hour + 1) { 600.0 } else { 0.0 }
}

fn compliance(
    seed: u64,
    restaurant: &Restaurant,
    procedures: &[Procedure],
    rows: &mut Vec<Observation>,
) {
    let mut random = Random::new(seed, &format!("compliance {}", restaurant.id));
    let usual: Vec<f64> = procedures
        .iter()
        .map(|_| random.between(82.0, 93.0))
        .collect();
    for (_, day) in days().filter(|(_, day)| !restaurant.is_closed(*day)) {
        // Busy days leave less time for the checks.
        let strain = 4.0 * (WEEKDAY_ORDERS.get(weekday(day)).copied().unwrap_or(1.0) - 1.0);
        for (index, (procedure, usual)) in procedures.iter().zip(&usual).enumerate() {
            rows.push(Observation {
                restaurant: restaurant.id,
                metric: "compliance_score",
                sop: procedure.id,
                source: "shift-lead".to_owned(),
                at: instant(
                    restaurant.zone,
                    day,
                    (f64::from(restaurant.closes) - 0.75) * 3600.0 + 30.0 * index as f64,
                ),
                value: Some((usual - strain + random.normal(0.0, 3.0)).clamp(0.0, 100.0)),
                unit: "points",
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{RESTAURANTS, procedures};
    use std::collections::HashSet;

    #[test]
    fn keys_are_unique_although_clocks_change() {
        for restaurant in &RESTAURANTS {
            let rows = observations(3, restaurant, &procedures(3, restaurant));
            let keys: HashSet<_> = rows
                .iter()
                .map(|row| (row.metric, row.sop, row.source.clone(), row.at))
                .collect();
            assert_eq!(keys.len(), rows.len());
        }
    }

    #[test]
    fn weekends_are_busier_than_mondays() {
        let [bangkok, ..] = RESTAURANTS;
        let rows = observations(3, &bangkok, &procedures(3, &bangkok));
        let total = |wanted: usize| {
            let (sum, n) = rows
                .iter()
                .filter(|row| row.metric == "order_count")
                .filter(|row| weekday(row.at.with_timezone(&bangkok.zone).date_naive()) == wanted)
                .fold((0.0, 0.0), |(sum, n), row| {
                    (sum + row.value.unwrap(), n + 1.0)
                });
            sum / n
        };
        assert!(total(5) > 1.5 * total(0));
    }
}
