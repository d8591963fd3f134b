//! Half-open spans of time, from `tstzrange` arguments, and the years that calendars can work with.

use pgrx::datum::{Date, Range, RangeBound, TimestampWithTimeZone};

use crate::error::{PgResult, invalid_parameter};

/// From (inclusive) to (exclusive) in microseconds; the ends of `i64` stand for no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    from: i64,
    to: i64,
}

impl Period {
    /// Reads a range argument; timestamps are whole microseconds, so every range is half-open.
    ///
    /// # Errors
    /// 22023 for NULL and for an empty range.
    pub(crate) fn of(name: &str, range: Option<Range<TimestampWithTimeZone>>) -> PgResult<Self> {
        let empty = |what: &str| {
            invalid_parameter(format!("{name} must not be {what}"))
                .set_hint("For example: tstzrange('2026-01-01', '2026-02-01').")
        };
        let Some((lower, upper)) = range.ok_or_else(|| empty("NULL"))?.into_inner() else {
            return Err(empty("an empty range"));
        };
        let from = match lower {
            RangeBound::Infinite => i64::MIN,
            RangeBound::Inclusive(at) => at.into_inner(),
            RangeBound::Exclusive(at) => at.into_inner().saturating_add(1),
        };
        let to = match upper {
            RangeBound::Infinite => i64::MAX,
            RangeBound::Inclusive(at) => at.into_inner().saturating_add(1),
            RangeBound::Exclusive(at) => at.into_inner(),
        };
        if from >= to {
            return Err(empty("an empty range"));
        }
        Ok(Self { from, to })
    }

    /// Whether some instant lies in both.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// The bounds for a comparison in SQL: infinite where there is none.
    pub(crate) fn bounds(self) -> (TimestampWithTimeZone, TimestampWithTimeZone) {
        (
            timestamp(self.from).unwrap_or_else(TimestampWithTimeZone::negative_infinity),
            timestamp(self.to).unwrap_or_else(TimestampWithTimeZone::positive_infinity),
        )
    }

    /// The bounds for a table: NULL where there is none.
    pub(crate) fn stored(self) -> (Option<TimestampWithTimeZone>, Option<TimestampWithTimeZone>) {
        (timestamp(self.from), timestamp(self.to))
    }
}

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// The years 1 to 9999, in days since 2000: within them, days, weeks and years around a time exist in every time zone.
const CALENDAR: std::ops::Range<i64> = -730_119..2_921_940;

/// A time argument that local days are worked out for.
///
/// # Errors
/// 22023 outside the years 1 to 9999.
pub(crate) fn calendar_time(
    name: &str,
    time: TimestampWithTimeZone,
) -> PgResult<TimestampWithTimeZone> {
    in_calendar(name, time.into_inner().div_euclid(MICROSECONDS_PER_DAY)).map(|()| time)
}

/// A date argument that stands for a local day.
///
/// # Errors
/// 22023 outside the years 1 to 9999.
pub(crate) fn calendar_date(name: &str, date: Date) -> PgResult<Date> {
    in_calendar(name, date.to_pg_epoch_days().into()).map(|()| date)
}

fn in_calendar(name: &str, days: i64) -> PgResult<()> {
    if CALENDAR.contains(&days) {
        return Ok(());
    }
    Err(invalid_parameter(format!(
        "{name} must lie between the years 1 and 9999"
    )))
}

/// `None` for infinities and what lies outside the type.
fn timestamp(microseconds: i64) -> Option<TimestampWithTimeZone> {
    (microseconds != i64::MIN && microseconds != i64::MAX)
        .then(|| TimestampWithTimeZone::try_from(microseconds).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_has_the_years_1_to_9999() {
        for day in [-730_119, 0, 2_921_939] {
            assert!(in_calendar("day", day).is_ok(), "{day}");
        }
        for day in [
            i64::from(i32::MIN),
            -730_120,
            2_921_940,
            i64::from(i32::MAX),
        ] {
            assert!(in_calendar("day", day).is_err(), "{day}");
        }
    }

    #[test]
    fn only_shared_instants_overlap() {
        let period = |from, to| Period { from, to };
        assert!(!period(0, 10).overlaps(period(10, 20)));
        assert!(period(0, 11).overlaps(period(10, 20)));
        assert!(period(i64::MIN, i64::MAX).overlaps(period(5, 6)));
        assert!(period(5, 6).overlaps(period(0, 100)));
    }
}
