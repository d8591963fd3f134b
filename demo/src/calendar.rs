//! The days of the demo and the restaurants' local clocks.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// Days of history.
pub const DAYS: u64 = 120;

/// The first day of history, a Sunday. Like everything in the demo it is a constant: no output depends on the clock.
pub const FIRST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2026, 3, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// The last day of history: the day for which the demo runs the nightly job.
pub fn last_day() -> NaiveDate {
    day(DAYS - 1)
}

/// Day number `index` of the history, from 0.
pub fn day(index: u64) -> NaiveDate {
    FIRST_DAY
        .checked_add_days(Days::new(index))
        .unwrap_or(FIRST_DAY)
}

/// All days in order with their numbers.
pub(crate) fn days() -> impl Iterator<Item = (u64, NaiveDate)> {
    (0..DAYS).map(|index| (index, day(index)))
}

/// Weekday from 0 = Monday.
pub(crate) fn weekday(day: NaiveDate) -> usize {
    day.weekday().num_days_from_monday() as usize
}

/// The instant at which a clock in the zone shows so many seconds after midnight. A time that daylight saving skips is
/// moved on by an hour; one that it repeats is its first occurrence.
pub(crate) fn instant(zone: Tz, day: NaiveDate, seconds: f64) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    let local = midnight + TimeDelta::microseconds((seconds * 1e6).round() as i64);
    resolve(zone, local)
        .or_else(|| resolve(zone, local + TimeDelta::hours(1)))
        .unwrap_or_else(|| local.and_utc())
}

fn resolve(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    zone.from_local_datetime(&local)
        .earliest()
        .map(|at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_spans_120_days_to_a_sunday() {
        assert_eq!(FIRST_DAY.to_string(), "2026-03-01");
        assert_eq!(last_day().to_string(), "2026-06-28");
        assert_eq!(weekday(FIRST_DAY), 6);
        assert_eq!(days().count(), 120);
    }

    #[test]
    fn local_clocks_follow_daylight_saving() {
        let at = |zone, month, day, hour: f64| {
            let day = NaiveDate::from_ymd_opt(2026, month, day).unwrap();
            instant(zone, day, hour * 3600.0)
                .format("%m-%d %H:%M")
                .to_string()
        };
        assert_eq!(at(Tz::Asia__Bangkok, 3, 1, 10.0), "03-01 03:00");
        assert_eq!(at(Tz::Europe__Berlin, 3, 28, 10.0), "03-28 09:00");
        assert_eq!(at(Tz::Europe__Berlin, 3, 29, 10.0), "03-29 08:00");
        assert_eq!(at(Tz::America__New_York, 3, 8, 2.5), "03-08 07:30"); // skipped: 03:30 EDT
    }
}
