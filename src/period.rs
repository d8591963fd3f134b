//! Half-open spans of time, from `tstzrange` arguments.

use pgrx::datum::{Range, RangeBound, TimestampWithTimeZone};

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
    fn only_shared_instants_overlap() {
        let period = |from, to| Period { from, to };
        assert!(!period(0, 10).overlaps(period(10, 20)));
        assert!(period(0, 11).overlaps(period(10, 20)));
        assert!(period(i64::MIN, i64::MAX).overlaps(period(5, 6)));
        assert!(period(5, 6).overlaps(period(0, 100)));
    }
}
