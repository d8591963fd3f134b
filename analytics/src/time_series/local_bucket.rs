//! Buckets of local time: days, weeks and months as the clocks on the wall of a place tell them.

use chrono::{Datelike, Months, NaiveDate};

use crate::error::{Classify, ErrorKind};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// A thousand years: the first instant of a longer bucket may have no date.
const MOST_MONTHS: i32 = 12_000;
const MOST_DAYS: i32 = 365_250;
/// Days from 2000-01-01 to the first Monday.
const FIRST_MONDAY: i64 = 2;

/// What the clocks of a place say; times are microseconds since 2000-01-01 00:00, instants in UTC, local ones as on the wall.
pub trait LocalClock {
    /// The local time at an instant.
    fn to_local(&self, instant: i64) -> i64;
    /// An instant with this local time; where clocks skip it, one right after the gap; where it comes twice, either.
    fn to_instant(&self, local: i64) -> i64;
}

/// How long buckets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketWidth {
    /// Calendar months, counted from January 2000: 3 gives quarters, 12 years.
    Months(i64),
    /// Local days, counted from Monday, 2000-01-03: 7 gives weeks from Monday.
    Days(i64),
    /// More than an hour and less than a day: boundaries as the clocks tell them, from midnight. A bucket in which clocks
    /// change is shorter or longer.
    Clock(i64),
    /// At most an hour: time that has passed since the day began, so that an hour that comes twice is two buckets.
    Passed(i64),
}

/// Why a width has no buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BucketWidthError {
    /// Nothing, or less.
    #[error("width must be longer than nothing")]
    NotPositive,
    /// Months and days have no length that could be added to hours.
    #[error("width must be months, days or hours, not a mixture of them")]
    Mixed,
    /// Longer than a day and not in days.
    #[error("a width of more than a day must be in days or months")]
    LongerThanDay,
    /// Buckets begin anew every day.
    #[error("a width of less than a day must divide the day")]
    DoesNotDivideDay,
    /// A bucket that began before there were dates.
    #[error("width must be at most 1000 years")]
    TooLong,
}

impl Classify for BucketWidthError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidParameter
    }

    fn hint(&self) -> Option<String> {
        Some("For example: '15 minutes', '6 hours', '1 day', '7 days', '3 months'.".to_owned())
    }
}

impl BucketWidth {
    /// From the parts of an interval.
    ///
    /// # Errors
    /// When the parts are no width: see [`BucketWidthError`].
    pub fn new(months: i32, days: i32, microseconds: i64) -> Result<Self, BucketWidthError> {
        let width = match (months, days, microseconds) {
            (months, 0, 0) if months > MOST_MONTHS => return Err(BucketWidthError::TooLong),
            (0, days, 0) if days > MOST_DAYS => return Err(BucketWidthError::TooLong),
            (months, 0, 0) if months > 0 => Self::Months(months.into()),
            (0, days, 0) if days > 0 => Self::Days(days.into()),
            (0, 0, time) if time > 0 => return Self::within_a_day(time),
            (months, days, time) if months <= 0 && days <= 0 && time <= 0 => {
                return Err(BucketWidthError::NotPositive);
            }
            _ => return Err(BucketWidthError::Mixed),
        };
        Ok(width)
    }

    fn within_a_day(time: i64) -> Result<Self, BucketWidthError> {
        match time {
            DAY => Ok(Self::Days(1)),
            time if time > DAY => Err(BucketWidthError::LongerThanDay),
            time if DAY % time != 0 => Err(BucketWidthError::DoesNotDivideDay),
            time if time > HOUR => Ok(Self::Clock(time)),
            time => Ok(Self::Passed(time)),
        }
    }

    /// The first instant of the bucket that an instant lies in.
    ///
    /// Instants have to lie between the years 1 and 9999.
    ///
    /// ```
    /// use sop_analytics::time_series::local_bucket::{BucketWidth, LocalClock};
    ///
    /// /// Two hours before UTC, all year round.
    /// struct Island;
    /// impl LocalClock for Island {
    ///     fn to_local(&self, instant: i64) -> i64 { instant - 7_200_000_000 }
    ///     fn to_instant(&self, local: i64) -> i64 { local + 7_200_000_000 }
    /// }
    /// let day = BucketWidth::Days(1);
    /// // 2000-01-02 01:00 UTC is 23:00 of the day before there.
    /// assert_eq!(day.start(&Island, 25 * 3_600_000_000), 2 * 3_600_000_000);
    /// ```
    #[must_use]
    pub fn start(self, clock: &impl LocalClock, at: i64) -> i64 {
        match self {
            Self::Passed(width) => {
                let day = Self::Days(1).start(clock, at);
                day + (at - day).div_euclid(width) * width
            }
            _ => first_instant(clock, self.floor(clock.to_local(at))),
        }
    }

    /// The first instant after the bucket that begins at `start`.
    #[must_use]
    pub fn end(self, clock: &impl LocalClock, start: i64) -> i64 {
        let local = clock.to_local(start);
        match self {
            Self::Passed(width) => {
                let tomorrow = Self::Days(1).end(clock, Self::Days(1).start(clock, start));
                tomorrow.min(start + width)
            }
            // A boundary that clocks skip is the same instant as the one before the gap ends.
            Self::Clock(width) => (1..=2)
                .map(|ahead| first_instant(clock, self.floor(local) + ahead * width))
                .find(|end| *end > start)
                .unwrap_or(start + width),
            Self::Days(days) => first_instant(clock, self.floor(local) + days * DAY),
            Self::Months(months) => first_instant(clock, later_month(self.floor(local), months)),
        }
    }

    /// The local time at which the bucket of a local time begins.
    fn floor(self, local: i64) -> i64 {
        match self {
            Self::Months(width) => {
                let date = date(local.div_euclid(DAY));
                let months = i64::from(date.year() - 2000) * 12 + i64::from(date.month0());
                later_month(0, months.div_euclid(width) * width)
            }
            Self::Days(width) => {
                let day = local.div_euclid(DAY) - FIRST_MONDAY;
                (day.div_euclid(width) * width + FIRST_MONDAY) * DAY
            }
            Self::Clock(width) | Self::Passed(width) => local.div_euclid(width) * width,
        }
    }
}

/// The first instant at which the clocks say this; right after the gap where they skip it.
fn first_instant(clock: &impl LocalClock, local: i64) -> i64 {
    let instant = clock.to_instant(local);
    // Clocks go back by an hour, or by half of one on Lord Howe.
    [HOUR, HOUR / 2]
        .into_iter()
        .map(|back| instant - back)
        .find(|earlier| clock.to_local(*earlier) == local)
        .unwrap_or(instant)
}

/// The date so many days after 2000-01-01; the ends of the calendar beyond them.
fn date(days: i64) -> NaiveDate {
    let days = i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX });
    // 2000-01-01 is day 730,120 of the era that begins on 0001-01-01.
    NaiveDate::from_num_days_from_ce_opt(days.saturating_add(730_120)).unwrap_or(if days < 0 {
        NaiveDate::MIN
    } else {
        NaiveDate::MAX
    })
}

/// Midnight of the first of a month so many months away.
fn later_month(local: i64, months: i64) -> i64 {
    let first = date(local.div_euclid(DAY));
    let count = Months::new(u32::try_from(months.unsigned_abs()).unwrap_or(u32::MAX));
    let moved = if months < 0 {
        first.checked_sub_months(count)
    } else {
        first.checked_add_months(count)
    };
    let moved = moved.unwrap_or(if months < 0 {
        NaiveDate::MIN
    } else {
        NaiveDate::MAX
    });
    (i64::from(moved.num_days_from_ce()) - 730_120).saturating_mul(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = HOUR / 60;

    /// One hour ahead of UTC, two from `forward` to `back`.
    struct Summer {
        forward: i64,
        back: i64,
        step: i64,
    }

    impl LocalClock for Summer {
        fn to_local(&self, instant: i64) -> i64 {
            let summer = (self.forward..self.back).contains(&instant);
            instant + HOUR + if summer { self.step } else { 0 }
        }

        fn to_instant(&self, local: i64) -> i64 {
            // As PostgreSQL: the later of two, and past a gap by as much as the time lies in it.
            let winter = local - HOUR;
            let summer = winter - self.step;
            if !(self.forward..self.back).contains(&winter) {
                winter
            } else {
                summer.max(self.forward)
            }
        }
    }

    fn at(text: &str) -> i64 {
        let moment = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        let epoch = NaiveDate::from_ymd_opt(2000, 1, 1)
            .unwrap()
            .and_hms_opt(0, 0, 0)
            .unwrap();
        (moment - epoch).num_microseconds().unwrap()
    }

    fn berlin() -> Summer {
        Summer {
            forward: at("2026-03-29 01:00"),
            back: at("2026-10-25 01:00"),
            step: HOUR,
        }
    }

    #[test]
    fn widths_are_one_kind_of_time() {
        assert_eq!(BucketWidth::new(3, 0, 0), Ok(BucketWidth::Months(3)));
        assert_eq!(BucketWidth::new(0, 7, 0), Ok(BucketWidth::Days(7)));
        assert_eq!(BucketWidth::new(0, 0, DAY), Ok(BucketWidth::Days(1)));
        assert_eq!(
            BucketWidth::new(0, 0, 6 * HOUR),
            Ok(BucketWidth::Clock(6 * HOUR))
        );
        assert_eq!(BucketWidth::new(0, 0, HOUR), Ok(BucketWidth::Passed(HOUR)));
        for (parts, error) in [
            ((0, 0, 0), BucketWidthError::NotPositive),
            ((-1, 0, 0), BucketWidthError::NotPositive),
            ((1, 1, 0), BucketWidthError::Mixed),
            ((0, 1, HOUR), BucketWidthError::Mixed),
            ((1, -1, 0), BucketWidthError::Mixed),
            ((0, 0, 2 * DAY), BucketWidthError::LongerThanDay),
            ((0, 0, 7 * MINUTE), BucketWidthError::DoesNotDivideDay),
            ((12_001, 0, 0), BucketWidthError::TooLong),
            ((i32::MAX, 0, 0), BucketWidthError::TooLong),
            ((0, 365_251, 0), BucketWidthError::TooLong),
            ((0, i32::MAX, 0), BucketWidthError::TooLong),
        ] {
            assert_eq!(BucketWidth::new(parts.0, parts.1, parts.2), Err(error));
        }
    }

    #[test]
    fn days_have_23_and_25_hours_when_clocks_change() {
        let day = BucketWidth::Days(1);
        for (noon, hours) in [
            ("2026-03-28 12:00", 24),
            ("2026-03-29 12:00", 23),
            ("2026-10-25 12:00", 25),
        ] {
            let start = day.start(&berlin(), at(noon));
            assert_eq!((day.end(&berlin(), start) - start) / HOUR, hours, "{noon}");
        }
    }

    #[test]
    fn an_hour_that_comes_twice_is_two_buckets_and_six_hours_keep_to_the_clock() {
        let hour = BucketWidth::Passed(HOUR);
        let (first, second) = (at("2026-10-25 00:30"), at("2026-10-25 01:30"));
        assert_eq!(berlin().to_local(first), berlin().to_local(second));
        assert_eq!(hour.start(&berlin(), first), at("2026-10-25 00:00"));
        assert_eq!(hour.start(&berlin(), second), at("2026-10-25 01:00"));
        let quarter_day = BucketWidth::Clock(6 * HOUR);
        let start = quarter_day.start(&berlin(), second);
        assert_eq!(berlin().to_local(start), at("2026-10-25 00:00"));
        assert_eq!((quarter_day.end(&berlin(), start) - start) / HOUR, 7);
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let utc = Summer {
            forward: 0,
            back: 0,
            step: 0,
        };
        let local = |text: &str| at(text) - HOUR;
        let thursday = local("2026-03-12 15:00");
        assert_eq!(
            BucketWidth::Days(7).start(&utc, thursday),
            local("2026-03-09 00:00")
        );
        assert_eq!(
            BucketWidth::Months(1).start(&utc, thursday),
            local("2026-03-01 00:00")
        );
        assert_eq!(
            BucketWidth::Months(3).start(&utc, local("1999-12-31 23:00")),
            local("1999-10-01 00:00")
        );
        assert_eq!(
            BucketWidth::Months(12).end(&utc, local("2026-01-01 00:00")),
            local("2027-01-01 00:00")
        );
    }

    proptest! {
        #[test]
        fn buckets_tile_time(
            minute in at("2026-03-20 00:00") / MINUTE..at("2026-11-05 00:00") / MINUTE,
            step in prop_oneof![Just(HOUR), Just(HOUR / 2)],
            width in prop_oneof![
                Just(BucketWidth::Passed(15 * MINUTE)), Just(BucketWidth::Passed(HOUR)), Just(BucketWidth::Clock(2 * HOUR)),
                Just(BucketWidth::Clock(12 * HOUR)), Just(BucketWidth::Days(1)), Just(BucketWidth::Days(7)),
                Just(BucketWidth::Months(1)), Just(BucketWidth::Months(3)),
            ],
        ) {
            let clock = Summer { step, ..berlin() };
            let at = minute * MINUTE;
            let start = width.start(&clock, at);
            let end = width.end(&clock, start);
            prop_assert!(start <= at && at < end, "{start} {at} {end}");
            prop_assert_eq!(width.start(&clock, start), start);
            prop_assert_eq!(width.start(&clock, end - 1), start);
            prop_assert_eq!(width.start(&clock, end), end);
        }
    }
}
