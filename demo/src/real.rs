//! Data that others recorded, as rows of the extension's tables. demo/data/NOTICE.md tells where it comes from, under
//! which licence it stands, and what is invented here because the sources do not have it.

use crate::calendar::{instant, weekday};
use crate::copy::{Field, block};
use crate::id::Id;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use flate2::read::GzDecoder;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

const INSPECTIONS: &[u8] = include_bytes!("../data/inspections.csv.gz");
const DELIVERIES: &[u8] = include_bytes!("../data/deliveries.csv.gz");
const PIZZA_ORDERS: &[u8] = include_bytes!("../data/pizza_orders.csv.gz");

/// The restaurant of the deliveries.
pub const DELIVERY_RESTAURANT: Id = Id::fixed(0xea000000_0000_5000_8000_000000000100);

/// The pizza place.
pub const PIZZA_PLACE: Id = Id::fixed(0xea000000_0000_5000_8000_000000000200);

/// The inspected restaurant number `index`, from 0, in the order of their names.
pub const fn inspected_restaurant(index: usize) -> Id {
    Id::fixed(0xea000000_0000_5000_8000_000000000001 + index as u128)
}

/// The place of the deliveries and the pizzas is unknown; this zone is assumed.
const ASSUMED_ZONE: Tz = Tz::America__New_York;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Teams change at this hour.
const LATE_SHIFT: u32 = 16;

/// Writes the script and tells how many rows go into each table.
pub fn write<W: Write>(out: &mut W) -> io::Result<Vec<(String, u64)>> {
    let inspections = inspections()?;
    let deliveries = deliveries()?;
    let orders = orders()?;
    let pizzas: BTreeSet<&str> = orders
        .iter()
        .flat_map(|order| order.pizzas.keys().map(|(name, _)| name.as_str()))
        .collect();
    let mut counts = Vec::new();

    writeln!(
        out,
        "-- Real data with its notices in demo/data/NOTICE.md. Load as superuser: psql -X -f FILE\n\
         \\set ON_ERROR_STOP on\n\
         SET client_min_messages = warning;\n\
         BEGIN;\n\n\
         CREATE SCHEMA IF NOT EXISTS demo;\n\
         CREATE TABLE demo.deliveries (\n    \
             restaurant_id uuid NOT NULL,\n    \
             delivery_id integer NOT NULL,\n    \
             delivered_at timestamptz NOT NULL,\n    \
             minutes float8,\n    \
             hour float8,\n    \
             weekday text,\n    \
             distance float8,\n    \
             item_count integer,\n    \
             items smallint[],\n    \
             PRIMARY KEY (restaurant_id, delivery_id)\n\
         );\n\
         COMMENT ON TABLE demo.deliveries IS\n    \
             'A training relation: the minutes each delivery took and what was known when it left. Data set deliveries of \
         the R package modeldata (MIT).';\n"
    )?;

    let names: Vec<&str> = inspections
        .iter()
        .map(|row| row.business.as_str())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut rows = block(
        out,
        "sop_ml.sop_restaurants",
        "restaurant_id, name, region, country_code, kind, time_zone, currency",
    )?;
    let mut restaurant = |id: Id, name: &str, region: &str, kind: &str, zone: Tz| {
        rows.row(&[
            Field::Id(id),
            Field::Text(&format!("real: {name}")),
            Field::Text(region),
            Field::Text("US"),
            Field::Text(kind),
            Field::Text(zone.name()),
            Field::Text("USD"),
        ])
    };
    for (index, name) in names.iter().enumerate() {
        restaurant(
            inspected_restaurant(index),
            name,
            "alaska",
            "inspected",
            Tz::America__Anchorage,
        )?;
    }
    restaurant(
        DELIVERY_RESTAURANT,
        "deliveries",
        "unknown",
        "delivery",
        ASSUMED_ZONE,
    )?;
    restaurant(
        PIZZA_PLACE,
        "pizza place",
        "unknown",
        "pizzeria",
        ASSUMED_ZONE,
    )?;
    counts.push(("sop_ml.sop_restaurants".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "sop_ml.sop_content_features",
        "restaurant_id, sop_id, title, category, language, tags, difficulty",
    )?;
    let mut procedure = |restaurant: Id, sop: Id, title: &str, category: &str| {
        rows.row(&[
            Field::Id(restaurant),
            Field::Id(sop),
            Field::Text(title),
            Field::Text(category),
            Field::Text("en"),
            Field::Texts(&[category]),
            Field::Number(0.5, 1),
        ])
    };
    procedure(
        DELIVERY_RESTAURANT,
        delivery_sop(),
        "Deliver the order",
        "delivery",
    )?;
    for pizza in &pizzas {
        procedure(
            PIZZA_PLACE,
            pizza_sop(pizza),
            &format!("Prepare {pizza}"),
            "kitchen",
        )?;
    }
    counts.push(("sop_ml.sop_content_features".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "sop_ml.sop_time_series_data",
        "restaurant_id, metric_name, sop_id, source, observed_at, value, unit",
    )?;
    for row in &inspections {
        let index = names
            .iter()
            .position(|name| *name == row.business)
            .unwrap_or_default();
        rows.row(&[
            Field::Id(inspected_restaurant(index)),
            Field::Text("inspection_score"),
            Field::Id(Id::NIL),
            Field::Text("inspector"),
            Field::Instant(row.at),
            Field::Number(row.score, 0),
            Field::Text("points"),
        ])?;
    }
    for row in &deliveries {
        rows.row(&[
            Field::Id(DELIVERY_RESTAURANT),
            Field::Text("step_duration_minutes"),
            Field::Id(delivery_sop()),
            Field::Text("driver"),
            Field::Instant(row.at),
            Field::Number(row.minutes, 4),
            Field::Text("min"),
        ])?;
    }
    counts.push(("sop_ml.sop_time_series_data".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "demo.deliveries",
        "restaurant_id, delivery_id, delivered_at, minutes, hour, weekday, distance, item_count, items",
    )?;
    for (index, row) in deliveries.iter().enumerate() {
        let items: Vec<String> = row.items.chars().map(String::from).collect();
        let total: u32 = row
            .items
            .chars()
            .filter_map(|digit| digit.to_digit(10))
            .sum();
        rows.row(&[
            Field::Id(DELIVERY_RESTAURANT),
            Field::Count(index as i64 + 1),
            Field::Instant(row.at),
            Field::Number(row.minutes, 4),
            Field::Number(row.hour, 3),
            Field::Text(row.weekday),
            Field::Number(row.distance, 2),
            Field::Count(total.into()),
            Field::Text(&format!("{{{}}}", items.join(","))),
        ])?;
    }
    counts.push(("demo.deliveries".to_owned(), rows.end()?));

    let mut rows = block(
        out,
        "sop_ml.sop_user_interactions",
        "restaurant_id, user_id, sop_id, interaction_type, occurred_at, interaction_id, outcome, context",
    )?;
    for (index, order) in orders.iter().enumerate() {
        let mut sorts: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
        for ((name, size), quantity) in &order.pizzas {
            sorts.entry(name).or_default().insert(size, *quantity);
        }
        for (name, sizes) in sorts {
            let quantity: u32 = sizes.values().sum();
            rows.row(&[
                Field::Id(PIZZA_PLACE),
                Field::Id(order.team),
                Field::Id(pizza_sop(name)),
                Field::Text("complete"),
                Field::Instant(order.at),
                Field::Id(Id::named(PIZZA_PLACE, &format!("order {index} {name}"))),
                Field::Text("success"),
                Field::Text(
                    &json!({ "order": index + 1, "quantity": quantity, "sizes": sizes })
                        .to_string(),
                ),
            ])?;
        }
    }
    counts.push(("sop_ml.sop_user_interactions".to_owned(), rows.end()?));
    writeln!(out, "COMMIT;")?;
    Ok(counts)
}

/// The SOP that the deliveries are runs of.
pub fn delivery_sop() -> Id {
    Id::named(DELIVERY_RESTAURANT, "Deliver the order")
}

/// The SOP of preparing a pizza.
pub fn pizza_sop(name: &str) -> Id {
    Id::named(PIZZA_PLACE, &format!("Prepare {name}"))
}

struct Inspection {
    business: String,
    at: DateTime<Utc>,
    score: f64,
}

struct Delivery {
    at: DateTime<Utc>,
    minutes: f64,
    hour: f64,
    weekday: &'static str,
    distance: f64,
    items: String,
}

struct Order {
    at: DateTime<Utc>,
    team: Id,
    /// How often each pizza (name, size) was ordered.
    pizzas: BTreeMap<(String, String), u32>,
}

fn inspections() -> io::Result<Vec<Inspection>> {
    let table = table(INSPECTIONS, &["business", "year", "score", "weekend"])?;
    let mut per_year: BTreeMap<(&str, &str), (u32, u32)> = BTreeMap::new();
    for [business, year, ..] in table.rows() {
        per_year.entry((business, year)).or_default().0 += 1;
    }
    table
        .rows()
        .map(|[business, year, score, weekend]| {
            let (total, seen) = per_year.entry((business, year)).or_default();
            let date = inspection_date(number(year)?, *seen, *total, weekend == "1")
                .ok_or_else(|| invalid(year))?;
            let minute = f64::from(*seen);
            *seen += 1;
            Ok(Inspection {
                business: business.to_owned(),
                at: instant(Tz::America__Anchorage, date, 43_200.0 + 60.0 * minute),
                score: number(score)?,
            })
        })
        .collect()
}

/// The day of inspection `index` of `total` in a year: evenly spread, then the nearest Saturday or Wednesday of that year.
fn inspection_date(year: i32, index: u32, total: u32, weekend: bool) -> Option<NaiveDate> {
    let offset = (f64::from(index) + 0.5) * 365.0 / f64::from(total.max(1));
    let even = NaiveDate::from_ymd_opt(year, 1, 1)?.checked_add_days(Days::new(offset as u64))?;
    let wanted = if weekend { 5 } else { 2 };
    let ahead = (wanted + 7 - weekday(even)) % 7;
    let later = even.checked_add_days(Days::new(ahead as u64))?;
    let earlier = later.checked_sub_days(Days::new(7))?;
    let (nearer, other) = if ahead <= 3 {
        (later, earlier)
    } else {
        (earlier, later)
    };
    [nearer, other].into_iter().find(|date| date.year() == year)
}

fn deliveries() -> io::Result<Vec<Delivery>> {
    const WEEKS: u64 = 52;
    let monday = NaiveDate::from_ymd_opt(2025, 1, 6).unwrap_or_default();
    let table = table(
        DELIVERIES,
        &["minutes", "hour", "weekday", "distance", "items"],
    )?;
    let mut per_weekday: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for [_, _, weekday, ..] in table.rows() {
        per_weekday.entry(weekday).or_default().0 += 1;
    }
    table
        .rows()
        .enumerate()
        .map(|(index, [minutes, hour, weekday, distance, items])| {
            let (total, seen) = per_weekday.entry(weekday).or_default();
            let week = *seen * WEEKS / *total;
            *seen += 1;
            let (number_of_day, name) = WEEKDAYS
                .iter()
                .enumerate()
                .find(|(_, name)| **name == weekday)
                .ok_or_else(|| invalid(weekday))?;
            let date = monday + Days::new(7 * week + number_of_day as u64);
            let hour: f64 = number(hour)?;
            Ok(Delivery {
                at: instant(ASSUMED_ZONE, date, (hour * 3600.0).round())
                    + TimeDelta::microseconds(index as i64),
                minutes: number(minutes)?,
                hour,
                weekday: name,
                distance: number(distance)?,
                items: items.to_owned(),
            })
        })
        .collect()
}

fn orders() -> io::Result<Vec<Order>> {
    table(PIZZA_ORDERS, &["date", "time", "pizzas"])?
        .rows()
        .map(|[date, time, pizzas]| {
            let date: NaiveDate = date.parse().map_err(|_| invalid(date))?;
            let time: NaiveTime = time.parse().map_err(|_| invalid(time))?;
            let mut counted = BTreeMap::new();
            for pizza in pizzas.split(' ') {
                let (name, size) = pizza.split_once(':').ok_or_else(|| invalid(pizza))?;
                *counted
                    .entry((name.to_owned(), size.to_owned()))
                    .or_insert(0) += 1;
            }
            let shift = if time.hour() < LATE_SHIFT {
                "early"
            } else {
                "late"
            };
            let weekday = WEEKDAYS.get(weekday(date)).copied().unwrap_or_default();
            Ok(Order {
                at: instant(
                    ASSUMED_ZONE,
                    date,
                    f64::from(time.num_seconds_from_midnight()),
                ),
                team: Id::named(PIZZA_PLACE, &format!("team {weekday} {shift}")),
                pizzas: counted,
            })
        })
        .collect()
}

/// A comma-separated table with N columns, none of whose fields is quoted.
struct Table<const N: usize>(String);

fn table<const N: usize>(packed: &[u8], header: &[&str; N]) -> io::Result<Table<N>> {
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text)?;
    if text.lines().next() != Some(header.join(",").as_str()) {
        return Err(invalid("header"));
    }
    let whole = text
        .lines()
        .find(|line| line.contains('"') || line.split(',').count() != N);
    match whole {
        Some(line) => Err(invalid(line)),
        None => Ok(Table(text)),
    }
}

impl<const N: usize> Table<N> {
    fn rows(&self) -> impl Iterator<Item = [&str; N]> {
        self.0.lines().skip(1).map(|line| {
            let mut fields = line.split(',');
            std::array::from_fn(|_| fields.next().unwrap_or_default())
        })
    }
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| invalid(text))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the packed data is not as expected at {what:?}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn nothing_is_lost_or_changed() {
        let inspections = inspections().unwrap();
        assert_eq!(inspections.len(), 2_423);
        assert_eq!(
            inspections
                .iter()
                .map(|row| &row.business)
                .collect::<HashSet<_>>()
                .len(),
            20
        );
        assert!(
            inspections
                .iter()
                .all(|row| (0.0..=100.0).contains(&row.score))
        );
        let deliveries = deliveries().unwrap();
        assert_eq!(deliveries.len(), 10_012);
        let first = deliveries.first().unwrap();
        assert_eq!(
            (first.minutes, first.hour, first.weekday, first.distance),
            (16.1106, 11.899, "Thu", 3.15)
        );
        assert!(deliveries.iter().all(|row| row.items.len() == 27));
        let orders = orders().unwrap();
        assert_eq!(orders.len(), 21_350);
        assert_eq!(
            orders
                .iter()
                .flat_map(|order| order.pizzas.values())
                .sum::<u32>(),
            49_574
        );
        assert_eq!(
            orders
                .iter()
                .map(|order| order.team)
                .collect::<HashSet<_>>()
                .len(),
            14
        );
    }

    #[test]
    fn invented_dates_keep_what_the_source_says() {
        let inspections = inspections().unwrap();
        let keys: HashSet<_> = inspections
            .iter()
            .map(|row| (&row.business, row.at))
            .collect();
        assert_eq!(keys.len(), inspections.len());
        for index in 0..63 {
            for weekend in [false, true] {
                let date = inspection_date(2015, index, 63, weekend).unwrap();
                assert_eq!((date.year(), weekday(date) >= 5), (2015, weekend));
            }
        }
        let deliveries = deliveries().unwrap();
        let keys: HashSet<_> = deliveries.iter().map(|row| row.at).collect();
        assert_eq!(keys.len(), deliveries.len());
        for row in deliveries {
            let local = row.at.with_timezone(&ASSUMED_ZONE);
            assert_eq!(WEEKDAYS[weekday(local.date_naive())], row.weekday);
            let hour = f64::from(local.num_seconds_from_midnight()) / 3600.0;
            assert!((hour - row.hour).abs() < 0.001, "{hour} {}", row.hour);
        }
    }

    #[test]
    fn the_script_is_the_same_every_time() {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let counts = write(&mut one).unwrap();
        write(&mut two).unwrap();
        assert!(one == two);
        let rows = |table: &str| {
            counts
                .iter()
                .find(|(name, _)| name == table)
                .map(|(_, rows)| *rows)
        };
        assert_eq!(rows("sop_ml.sop_restaurants"), Some(22));
        assert_eq!(rows("sop_ml.sop_time_series_data"), Some(2_423 + 10_012));
        assert_eq!(rows("demo.deliveries"), Some(10_012));
    }
}
