//! From raw rows to hours, and on to days, weeks, months, quarters and years.

use pgrx::Uuid;
use pgrx::datum::{Date, TimestampWithTimeZone};

use super::Scope;
use super::days::{Counts, Days, LocalDay, Outcome};
use crate::error::{PgResult, invalid_parameter};
use crate::period::calendar_time;
use crate::sql::{self, Row};
use crate::subtransaction::isolated;

const TAKE_LOG: &str = include_str!("../../sql/queries/aggregation_take_log.sql");
const FORGET_LOG: &str = include_str!("../../sql/queries/aggregation_forget_log.sql");
const RETIRED_HOURS: &str = include_str!("../../sql/queries/aggregation_retired_hours.sql");
const DAYS: &str = include_str!("../../sql/queries/aggregation_days.sql");
const DAYS_BETWEEN: &str = include_str!("../../sql/queries/aggregation_hours_between.sql");
const RESTAURANTS: &str = include_str!("../../sql/queries/tenancy_all_restaurants.sql");
const PERIODS: &str = include_str!("../../sql/queries/aggregation_periods.sql");
const DELETE: &str = include_str!("../../sql/queries/aggregation_delete.sql");
const HOURS_TIME_SERIES: &str = include_str!("../../sql/queries/aggregation_hours_time_series.sql");
const HOURS_INTERACTIONS: &str =
    include_str!("../../sql/queries/aggregation_hours_interactions.sql");
const SEGMENTED: &str = include_str!("../../sql/queries/aggregation_segmented.sql");
const HOURS_SEGMENTS: &str = include_str!("../../sql/queries/aggregation_hours_segments.sql");
const CALENDAR: &str = include_str!("../../sql/queries/aggregation_calendar.sql");
const CALENDAR_GAPS: &str = include_str!("../../sql/queries/aggregation_calendar_gaps.sql");
const ROLL_UP: &str = include_str!("../../sql/queries/aggregation_roll_up.sql");
const DAY_USERS: &str = include_str!("../../sql/queries/aggregation_day_users.sql");
const STATISTICS_STALE: &str = include_str!("../../sql/queries/aggregation_statistics_stale.sql");
const ANALYZE: &str = include_str!("../../sql/queries/aggregation_analyze.sql");

/// Ten years in microseconds: every day of a range is held in memory and recomputed in one transaction.
const LONGEST_RANGE: i64 = 3660 * 86_400_000_000;

/// Each grain above the day, and the finer one that divides it evenly.
pub(super) const LONGER_GRAINS: [(&str, &str); 4] = [
    ("week", "day"),
    ("month", "day"),
    ("quarter", "month"),
    ("year", "quarter"),
];

/// Takes the log, finds the days to recompute and recomputes them.
///
/// The log's rows are taken in the subtransaction that writes the buckets: if that fails they are back.
pub(super) fn step(scope: Scope, day: Option<Date>, run: Uuid) -> PgResult<(Outcome, Days)> {
    match isolated(|| attempt(scope, day, run)) {
        Ok(done) => return Ok(done),
        Err(failure) if scope.restaurant.is_some() => {
            let outcome = Outcome {
                failures: vec![(String::new(), failure)],
                ..Outcome::default()
            };
            return Ok((outcome, Days::default()));
        }
        Err(_) => {}
    }
    // One of them fails for all, already when its days are worked out: each on its own.
    let (mut outcome, mut days) = (Outcome::default(), Days::default());
    for restaurant in sql::modify(RESTAURANTS, &[], |row| row.required::<Uuid>(1))? {
        let scope = Scope {
            restaurant: Some(restaurant),
            ..scope
        };
        match isolated(|| attempt(scope, day, run)) {
            Ok((own, own_days)) => {
                outcome.restaurants += 1;
                outcome.counts += own.counts;
                days.0.extend(own_days.0);
            }
            Err(failure) => outcome
                .failures
                .push((format!("restaurant {restaurant}"), failure)),
        }
    }
    Ok((outcome, days))
}

fn attempt(scope: Scope, day: Option<Date>, run: Uuid) -> PgResult<(Outcome, Days)> {
    let mut notes = Vec::new();
    let noted = if scope.is_operator {
        let taken = sql::modify(TAKE_LOG, &[scope.restaurant.into()], |row| {
            Ok((noted_hour(row)?, row.required::<i64>(3)?))
        })?;
        let entries: i64 = taken.iter().map(|(_, entries)| entries).sum();
        notes.push(format!("{entries} entries of the change log"));
        let noted: (Vec<_>, Vec<_>) = taken.into_iter().map(|(hour, _)| hour).unzip();
        let retired = retired_hours(&noted)?;
        if retired > 0 {
            notes.push(format!(
                "{retired} hours left as they are: their raw rows were archived or retired"
            ));
        }
        noted
    } else {
        notes.push(
            "only the requested day: late rows are picked up by the operator's run".to_owned(),
        );
        (Vec::new(), Vec::new())
    };
    let days = find_days(scope.restaurant, day, noted, true)?;
    let counts = recompute(&days, run)?;
    fill_calendar(&days.requested(), run)?;
    renew_statistics(counts.rows_out)?;
    notes.push(format!("{} local days", days.0.len()));
    let outcome = Outcome {
        restaurants: days.restaurant_count(),
        counts,
        notes,
        ..Outcome::default()
    };
    Ok((outcome, days))
}

/// How many noted hours are not recomputed, because what they were made of is no longer there.
fn retired_hours((restaurants, hours): &(Vec<Uuid>, Vec<TimestampWithTimeZone>)) -> PgResult<i64> {
    sql::modify_one(
        RETIRED_HOURS,
        &[restaurants.clone().into(), hours.clone().into()],
        |row| row.required(1),
    )
}

/// The day that a run is asked for, of one restaurant or all.
pub(super) fn requested_days(restaurant: Option<Uuid>, day: Option<Date>) -> PgResult<Days> {
    find_days(restaurant, day, (Vec::new(), Vec::new()), true)
}

/// The local days that a time range touches.
pub(super) fn days_between(
    restaurant: Uuid,
    from_time: TimestampWithTimeZone,
    to_time: TimestampWithTimeZone,
) -> PgResult<Days> {
    if from_time >= to_time {
        return Err(invalid_parameter("from_time must be before to_time"));
    }
    if from_time.is_neg_infinity() || to_time.is_infinity() {
        return Err(invalid_parameter("from_time and to_time must be finite"));
    }
    let from_time = calendar_time("from_time", from_time)?;
    let to_time = calendar_time("to_time", to_time)?;
    if to_time.into_inner() - from_time.into_inner() > LONGEST_RANGE {
        return Err(
            invalid_parameter("from_time and to_time may lie at most 3660 days apart")
                .set_hint("Recompute longer stretches year by year."),
        );
    }
    let noted = sql::modify(
        DAYS_BETWEEN,
        &[restaurant.into(), from_time.into(), to_time.into()],
        noted_hour,
    )?
    .into_iter()
    .unzip();
    find_days(Some(restaurant), None, noted, false)
}

/// An hour of UTC in which something changed.
fn noted_hour(row: &Row<'_>) -> PgResult<(Uuid, TimestampWithTimeZone)> {
    Ok((row.required(1)?, row.required(2)?))
}

/// What a range's recomputation has answered need not be answered again.
pub(super) fn forget_log(
    restaurant: Uuid,
    from_time: TimestampWithTimeZone,
    to_time: TimestampWithTimeZone,
) -> PgResult<()> {
    sql::execute(
        FORGET_LOG,
        &[restaurant.into(), from_time.into(), to_time.into()],
    )
    .map(|_| ())
}

fn find_days(
    restaurant: Option<Uuid>,
    day: Option<Date>,
    (restaurants, hours): (Vec<Uuid>, Vec<TimestampWithTimeZone>),
    with_requested: bool,
) -> PgResult<Days> {
    sql::modify(
        DAYS,
        &[
            restaurant.into(),
            day.into(),
            restaurants.into(),
            hours.into(),
            with_requested.into(),
        ],
        |row| {
            Ok(LocalDay {
                restaurant: row.required(1)?,
                date: row.required(2)?,
                starts_at: row.required(3)?,
                ends_at: row.required(4)?,
                is_closed: row.get(5)?,
                open_at: row.required(6)?,
                is_requested: row.required(7)?,
            })
        },
    )
    .map(Days)
}

/// Replaces the buckets of the days, and of the longer periods around them.
pub(super) fn recompute(days: &Days, run: Uuid) -> PgResult<Counts> {
    delete(days, &["hour", "day"])?;
    let mut counts = Counts::default();
    for same_date in days.by_date() {
        let (hours, sources) = hours(&same_date, run)?;
        counts += hours;
        counts.rows_out += segments(&same_date, run)?;
        let people = count_people(&same_date, sources)?;
        counts.rows_out += roll_up(&same_date, "hour", "day", &people, run)?;
    }
    write_calendar(days, run)?;
    for (grain, finer) in LONGER_GRAINS {
        let periods = periods_of(days, grain)?;
        delete(&periods, &[grain])?;
        counts.rows_out += roll_up(&periods, finer, grain, &People::default(), run)?;
    }
    Ok(counts)
}

/// A first load writes most of the table within one transaction, before autovacuum can see it: without statistics the
/// steps that follow would be planned for an empty table.
fn renew_statistics(rows_written: i64) -> PgResult<()> {
    let stale = sql::modify(STATISTICS_STALE, &[rows_written.into()], |row| {
        row.required::<bool>(1)
    })?;
    if stale == [true] {
        sql::execute(ANALYZE, &[])?;
    }
    Ok(())
}

/// Where people are named on a day.
#[derive(Debug, Clone, Copy, Default)]
struct Sources {
    interactions: bool,
    observations: bool,
}

/// The hour buckets of days that have the same local date.
fn hours(days: &Days, run: Uuid) -> PgResult<(Counts, Sources)> {
    let mut counts = Counts::default();
    let mut sources = Sources::default();
    for part in days.parts()? {
        let (Some(&earliest), Some(&latest)) = (part.from.iter().min(), part.to.iter().max())
        else {
            continue;
        };
        for (statement, has_people) in [
            (HOURS_TIME_SERIES, &mut sources.observations),
            (HOURS_INTERACTIONS, &mut sources.interactions),
        ] {
            let arguments = [
                days.restaurants().into(),
                days.dates().into(),
                days.starts().into(),
                days.ends().into(),
                days.open_at().into(),
                part.from.clone().into(),
                part.to.clone().into(),
                earliest.into(),
                latest.into(),
                run.into(),
            ];
            for (made, names_people) in sql::modify(statement, &arguments, |row| {
                Ok((counts_of(row)?, row.required::<bool>(3)?))
            })? {
                counts += made;
                *has_people |= names_people;
            }
        }
    }
    Ok((counts, sources))
}

/// The hour buckets of the chosen dimensions of days that have the same local date; returns how many.
fn segments(days: &Days, run: Uuid) -> PgResult<i64> {
    let chosen = sql::modify(SEGMENTED, &[days.restaurants().into()], |row| {
        row.required::<Uuid>(1)
    })?;
    let days = days.of(&chosen);
    let (starts, ends) = (days.starts(), days.ends());
    let (Some(&from), Some(&to)) = (starts.iter().min(), ends.iter().max()) else {
        return Ok(0);
    };
    let arguments = [
        days.restaurants().into(),
        days.dates().into(),
        starts.clone().into(),
        ends.clone().into(),
        days.open_at().into(),
        from.into(),
        to.into(),
        run.into(),
    ];
    let made = sql::modify(HOURS_SEGMENTS, &arguments, |row| row.required::<i64>(1))?;
    Ok(made.into_iter().sum())
}

/// How many people had to do with a metric on a day, as the array parameters of the roll-up.
#[derive(Debug, Default)]
struct People {
    restaurants: Vec<Uuid>,
    starts: Vec<TimestampWithTimeZone>,
    metrics: Vec<String>,
    procedures: Vec<Uuid>,
    counts: Vec<i64>,
    sketches: Vec<Vec<u8>>,
}

/// The distinct people of days that have the same local date.
fn count_people(days: &Days, sources: Sources) -> PgResult<People> {
    let mut people = People::default();
    let (starts, ends) = (days.starts(), days.ends());
    let (Some(&from), Some(&to)) = (starts.iter().min(), ends.iter().max()) else {
        return Ok(people);
    };
    if !(sources.interactions || sources.observations) {
        return Ok(people);
    }
    let arguments = [
        days.restaurants().into(),
        starts.clone().into(),
        ends.clone().into(),
        from.into(),
        to.into(),
        sources.interactions.into(),
        sources.observations.into(),
    ];
    sql::modify(DAY_USERS, &arguments, |row| {
        people.restaurants.push(row.required(1)?);
        people.starts.push(row.required(2)?);
        people.metrics.push(row.required(3)?);
        people.procedures.push(row.required(4)?);
        people.counts.push(row.required(5)?);
        people.sketches.push(row.required(6)?);
        Ok(())
    })?;
    Ok(people)
}

/// Remembers the days, so that a closed day can be told from one without data.
fn write_calendar(days: &Days, run: Uuid) -> PgResult<()> {
    let arguments = [
        days.restaurants().into(),
        days.dates().into(),
        days.starts().into(),
        days.ends().into(),
        days.closed().into(),
        days.open_at().into(),
        run.into(),
    ];
    sql::execute(CALENDAR, &arguments).map(|_| ())
}

/// Remembers the days before the requested ones that no run has looked at.
fn fill_calendar(requested: &Days, run: Uuid) -> PgResult<()> {
    let gaps: (Vec<_>, Vec<_>) = sql::modify(
        CALENDAR_GAPS,
        &[requested.restaurants().into(), requested.dates().into()],
        noted_hour,
    )?
    .into_iter()
    .unzip();
    if gaps.0.is_empty() {
        return Ok(());
    }
    write_calendar(&find_days(None, None, gaps, false)?, run)
}

/// The local periods of a grain that contain the days.
pub(super) fn periods_of(days: &Days, grain: &str) -> PgResult<Days> {
    sql::modify(
        PERIODS,
        &[days.restaurants().into(), days.dates().into(), grain.into()],
        |row| {
            Ok(LocalDay {
                restaurant: row.required(1)?,
                date: row.required(2)?,
                starts_at: row.required(3)?,
                ends_at: row.required(4)?,
                is_closed: None,
                open_at: String::new(),
                is_requested: false,
            })
        },
    )
    .map(Days)
}

fn delete(periods: &Days, grains: &[&str]) -> PgResult<()> {
    let grains: Vec<String> = grains.iter().map(|grain| (*grain).to_owned()).collect();
    sql::execute(
        DELETE,
        &[
            periods.restaurants().into(),
            periods.starts().into(),
            periods.ends().into(),
            grains.into(),
        ],
    )
    .map(|_| ())
}

fn roll_up(periods: &Days, finer: &str, grain: &str, people: &People, run: Uuid) -> PgResult<i64> {
    let arguments = [
        periods.restaurants().into(),
        periods.dates().into(),
        periods.starts().into(),
        periods.ends().into(),
        periods.closed().into(),
        finer.into(),
        grain.into(),
        run.into(),
        people.restaurants.clone().into(),
        people.starts.clone().into(),
        people.metrics.clone().into(),
        people.procedures.clone().into(),
        people.counts.clone().into(),
        people.sketches.clone().into(),
    ];
    sql::execute(ROLL_UP, &arguments)
}

fn counts_of(row: &Row<'_>) -> PgResult<Counts> {
    Ok(Counts {
        rows_in: row.required(1)?,
        rows_out: row.required(2)?,
    })
}
