//! The period before, and the same period of last year, in the proleptic Gregorian calendar.

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// A local calendar day.
    Day,
    /// An ISO week: it begins on Monday.
    Week,
    /// A calendar month.
    Month,
    /// Three months, from January.
    Quarter,
    /// A calendar year.
    Year,
}

impl Grain {
    /// The grain of a name, as tables have it; hours are not compared.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "day" => Grain::Day,
            "week" => Grain::Week,
            "month" => Grain::Month,
            "quarter" => Grain::Quarter,
            "year" => Grain::Year,
            _ => return None,
        })
    }

    /// How many periods before one make its baseline.
    #[must_use]
    pub fn baseline_periods(self) -> i32 {
        match self {
            Grain::Day => 28,
            Grain::Week | Grain::Month => 12,
            Grain::Quarter => 8,
            Grain::Year => 10,
        }
    }

    /// The first day of the period that lies `periods` before the one that begins on `day`.
    pub(super) fn back(self, day: i32, periods: i32) -> i32 {
        let day = day.clamp(-FARTHEST, FARTHEST);
        match self {
            Grain::Day => day - periods,
            Grain::Week => day - 7 * periods,
            Grain::Month => months_before(day, periods),
            Grain::Quarter => months_before(day, 3 * periods),
            Grain::Year => months_before(day, 12 * periods),
        }
    }
}

/// Far beyond every calendar: what lies outside is drawn in, so that no sum overflows.
const FARTHEST: i32 = 100_000_000;

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH: i64 = 10_957;

/// Year and month (1 to 12) and day of month of a day since 2000-01-01 (Hinnant, "chrono-compatible low-level date
/// algorithms").
fn civil(day: i32) -> (i64, i64, i64) {
    let z = i64::from(day) + EPOCH + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// The day since 2000-01-01 of a date.
fn day_number(year: i64, month: i64, day_of_month: i64) -> i32 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day_of_month - 1;
    let day = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468 - EPOCH;
    i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX })
}

fn months_before(day: i32, months: i32) -> i32 {
    let (year, month, day_of_month) = civil(day);
    let index = year * 12 + month - 1 - i64::from(months);
    day_number(index.div_euclid(12), index.rem_euclid(12) + 1, day_of_month)
}

/// Monday is 0.
fn weekday(day: i32) -> i32 {
    // 2000-01-01 was a Saturday.
    (day.rem_euclid(7) + 5) % 7
}

/// The first day of the period before the one that begins on `day` (days since 2000-01-01).
#[must_use]
pub fn previous_period(grain: Grain, day: i32) -> i32 {
    grain.back(day, 1)
}

/// The first day of the same period of last year (days since 2000-01-01): for days the same weekday 52 weeks before, for
/// weeks the ISO week with the same number, for longer periods the same month, quarter or year. `None` for an ISO week 53
/// where last year has none.
#[must_use]
pub fn last_year(grain: Grain, day: i32) -> Option<i32> {
    let day = day.clamp(-FARTHEST, FARTHEST);
    match grain {
        Grain::Day => Some(day - 364),
        Grain::Week => {
            // A week belongs to the year of its Thursday, and 4 January to week 1.
            let monday = day - weekday(day);
            let thursday = monday + 3;
            let (year, _, _) = civil(thursday);
            let week = (thursday - day_number(year, 1, 1)).div_euclid(7);
            let fourth = day_number(year - 1, 1, 4);
            let same = fourth - weekday(fourth) + 7 * week;
            (civil(same + 3).0 == year - 1).then_some(same)
        }
        Grain::Month | Grain::Quarter | Grain::Year => Some(months_before(day, 12)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i64, month: i64, day: i64) -> i32 {
        day_number(year, month, day)
    }

    #[test]
    fn dates_go_there_and_back() {
        assert_eq!(at(2000, 1, 1), 0);
        assert_eq!(at(1999, 12, 31), -1);
        assert_eq!(at(2000, 3, 1), 60);
        for day in (-800_000..3_000_000).step_by(997) {
            let (year, month, of_month) = civil(day);
            assert_eq!(day_number(year, month, of_month), day);
        }
    }

    #[test]
    fn periods_before() {
        assert_eq!(previous_period(Grain::Day, at(2026, 3, 1)), at(2026, 2, 28));
        assert_eq!(
            previous_period(Grain::Week, at(2026, 1, 5)),
            at(2025, 12, 29)
        );
        assert_eq!(
            previous_period(Grain::Month, at(2026, 1, 1)),
            at(2025, 12, 1)
        );
        assert_eq!(
            previous_period(Grain::Quarter, at(2026, 1, 1)),
            at(2025, 10, 1)
        );
        assert_eq!(previous_period(Grain::Year, at(2026, 1, 1)), at(2025, 1, 1));
    }

    #[test]
    fn last_year_keeps_weekdays_weeks_and_months() {
        let day = at(2026, 11, 25);
        let before = last_year(Grain::Day, day).unwrap();
        assert_eq!((weekday(before), weekday(day)), (2, 2));
        assert_eq!(before, at(2025, 11, 26));
        assert_eq!(
            last_year(Grain::Month, at(2024, 2, 1)),
            Some(at(2023, 2, 1))
        );
        assert_eq!(
            last_year(Grain::Quarter, at(2026, 4, 1)),
            Some(at(2025, 4, 1))
        );
        assert_eq!(last_year(Grain::Year, at(2026, 1, 1)), Some(at(2025, 1, 1)));
    }

    #[test]
    fn iso_weeks() {
        // 2026 has 53 weeks, 2025 has 52; week 1 of 2026 begins on 2025-12-29, week 1 of 2027 on 2027-01-04.
        assert_eq!(
            last_year(Grain::Week, at(2025, 12, 29)),
            Some(at(2024, 12, 30))
        );
        assert_eq!(last_year(Grain::Week, at(2026, 12, 28)), None);
        assert_eq!(
            last_year(Grain::Week, at(2027, 1, 4)),
            Some(at(2025, 12, 29))
        );
        // 2020 has week 53 as well: week 53 of 2020 has no partner in 2019.
        assert_eq!(last_year(Grain::Week, at(2020, 12, 28)), None);
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_overflow() {
        for day in [i32::MIN, i32::MAX] {
            for grain in [
                Grain::Day,
                Grain::Week,
                Grain::Month,
                Grain::Quarter,
                Grain::Year,
            ] {
                let _ = previous_period(grain, day);
                let _ = last_year(grain, day);
            }
        }
    }
}
