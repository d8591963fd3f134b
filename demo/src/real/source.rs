//! The packed sources, read into rows with the dates and teams that NOTICE.md describes.

use super::PIZZA_PLACE;
use crate::calendar::{instant, weekday};
use crate::id::Id;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::io::{self, Read};

const INSPECTIONS: &[u8] = include_bytes!("../../data/inspections.csv.gz");
const DELIVERIES: &[u8] = include_bytes!("../../data/deliveries.csv.gz");
const PIZZA_ORDERS: &[u8] = include_bytes!("../../data/pizza_orders.csv.gz");

/// The place of the deliveries and the pizzas is unknown; this zone is assumed.
pub(super) const ASSUMED_ZONE: Tz = Tz::America__New_York;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Teams change at this hour.
const LATE_SHIFT: u32 = 16;

pub(super) struct Inspection {
    pub(super) business: String,
    pub(super) at: DateTime<Utc>,
    pub(super) score: f64,
}

pub(super) struct Delivery {
    pub(super) at: DateTime<Utc>,
    pub(super) minutes: f64,
    pub(super) hour: f64,
    pub(super) weekday: &'static str,
    pub(super) distance: f64,
    pub(super) items: String,
}

pub(super) struct Order {
    pub(super) at: DateTime<Utc>,
    pub(super) team: Id,
    /// How often each pizza (name, size) was ordered.
    pub(super) pizzas: BTreeMap<(String, String), u32>,
}

pub(super) fn inspections() -> io::Result<Vec<Inspection>> {
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

pub(super) fn deliveries() -> io::Result<Vec<Delivery>> {
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

pub(super) fn orders() -> io::Result<Vec<Order>> {
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
}
