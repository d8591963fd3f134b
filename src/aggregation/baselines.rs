//! Baselines: SQL reads the buckets, `analytics` computes, SQL stores new versions.

use std::collections::BTreeMap;

use pgrx::Uuid;
use pgrx::datum::{Date, TimestampWithTimeZone};
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};
use sop_analytics::aggregation::{self, Baseline};
use sop_analytics::baselines::{
    BaselineOptions, CheckedOptions, Group, Method, ewma, mean_baseline, seasonal, shrunken,
};
use sop_analytics::comparison::{Bucket, Kind, Usual};

use super::days::{Counts, Days, Outcome, per_restaurant};
use super::{begin_writing, checked_day, new_run, peers, roll_up};
use crate::arguments::required;
use crate::error::{PgResult, from_analytics, invalid_parameter};
use crate::jsonb::JsonB;
use crate::sql::{self, Row};
use crate::{options, tenancy};

const SERIES: &str = include_str!("../../sql/queries/aggregation_baselines_series.sql");
const STORE: &str = include_str!("../../sql/queries/aggregation_baselines_store.sql");
const CURRENT: &str = include_str!("../../sql/queries/aggregation_baselines_current.sql");
const METHODS: &str = include_str!("../../sql/queries/aggregation_baselines_methods.sql");

/// How far before the last day the days around the same day of last year lie, for a window of w days: from 364 + w/2 - 1
/// days before it to 364 - w/2 days.
const LAST_YEAR: i32 = 364;

/// Computes baselines of a restaurant's series from its buckets; returns how many got a new version.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn compute_baselines(
    restaurant_id: default!(Option<Uuid>, "NULL"),
    method: default!(Option<&str>, "'rolling_median'"),
    day: default!(Option<Date>, "NULL"),
    options: default!(Option<JsonB>, "NULL"),
) -> PgResult<i64> {
    let method = Method::parse(required("method", method)?).map_err(from_analytics)?;
    let parameters: Parameters = options::parse(options)?;
    let day = checked_day(day)?;
    let restaurant = tenancy::resolve(restaurant_id)?;
    if method != Method::FixedWindow {
        parameters.check(method, 0)?;
    }
    begin_writing(c"compute_baselines()")?;
    let days = roll_up::requested_days(Some(restaurant), day)?;
    Ok(new_baselines(&days, method, &parameters, new_run()?)?.rows_out)
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.compute_baselines(uuid, text, date, jsonb) IS
'Computes the baseline of every series from its buckets up to a local day (NULL: yesterday) and stores those that changed as new versions in sop_performance_baselines; returns how many. method: rolling_median, rolling_mean, ewma, weekday, weekday_hour, previous_year, fixed_window, shrunken or peer_quantile. Options: window_days, half_life_days (ewma), first_day (fixed_window), quantile (peer_quantile). Example: SELECT sop_ml.compute_baselines(NULL, ''ewma'', NULL, ''{"half_life_days": 14}'');';
"#,
    name = "comment_aggregation_baselines",
    requires = [compute_baselines]
);

/// Options of `compute_baselines`, as they are stored with what they made.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Parameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    window_days: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    half_life_days: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantile: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_day: Option<String>,
}

impl Parameters {
    fn check(&self, method: Method, last_day: i32) -> PgResult<CheckedOptions> {
        let first_day = self
            .first_day
            .as_deref()
            .map(|text| {
                text.parse::<Date>()
                    .map(|date| date.to_pg_epoch_days())
                    .map_err(|_| {
                        invalid_parameter(format!(
                            "invalid options: first_day is no date: \"{text}\""
                        ))
                    })
            })
            .transpose()?;
        BaselineOptions {
            window_days: self.window_days,
            half_life_days: self.half_life_days,
            quantile: self.quantile,
            fixed_days: first_day.map(|first| last_day.saturating_sub(first).saturating_add(1)),
        }
        .check(method)
        .map_err(from_analytics)
    }
}

/// The baselines step of the nightly run: the rolling median for everybody, and the methods that restaurants use.
pub(super) fn step(days: &Days, is_operator: bool, run: Uuid) -> PgResult<(Outcome, ())> {
    let peers = if is_operator {
        peers::refresh(days, run)?
    } else {
        0
    };
    let mut outcome = per_restaurant(days, |days| nightly(days, run));
    if peers > 0 {
        outcome
            .notes
            .push(format!("{peers} figures of peer groups"));
    }
    Ok((outcome, ()))
}

fn nightly(days: &Days, run: Uuid) -> PgResult<Counts> {
    let mut counts = new_baselines(days, Method::RollingMedian, &Parameters::default(), run)?;
    let used = sql::modify(METHODS, &[days.restaurants().into()], |row| {
        let JsonB(parameters) = row.required(3)?;
        Ok((
            row.required::<Uuid>(1)?,
            row.required::<String>(2)?,
            parameters,
        ))
    })?;
    for (restaurant, method, parameters) in used {
        let method = Method::parse(&method).map_err(from_analytics)?;
        let parameters: Parameters = options::parse(Some(JsonB(parameters)))?;
        let own = days.of(&[restaurant]);
        counts.rows_out += new_baselines(&own, method, &parameters, run)?.rows_out;
    }
    Ok(counts)
}

/// Stores new versions where a baseline changed.
fn new_baselines(
    days: &Days,
    method: Method,
    parameters: &Parameters,
    run: Uuid,
) -> PgResult<Counts> {
    let last_day = days.0.first().map_or(0, |day| day.date.to_pg_epoch_days());
    let checked = parameters.check(method, last_day)?;
    let made = match method {
        Method::PeerQuantile => peers::baselines(days, checked.quantile)?,
        _ => computed(days, method, &checked)?,
    };
    let rows_out = store(days, method, parameters, &checked, made, run)?;
    Ok(Counts {
        rows_in: days.0.len() as i64,
        rows_out,
    })
}

/// One series as it was read.
pub(super) struct Series {
    pub(super) restaurant: Uuid,
    pub(super) metric: String,
    pub(super) procedure: Uuid,
    from: TimestampWithTimeZone,
    to: TimestampWithTimeZone,
    closed: i64,
    hours: Vec<i32>,
    pub(super) buckets: Vec<Bucket>,
}

/// The buckets of the days between `first` and `last` days before the requested ones.
pub(super) fn read(days: &Days, first: i32, last: i32, grain: &str) -> PgResult<Vec<Series>> {
    let arguments = [
        days.restaurants().into(),
        days.dates().into(),
        first.into(),
        last.into(),
        grain.into(),
    ];
    sql::modify(SERIES, &arguments, |row| {
        Ok(Series {
            restaurant: row.required(1)?,
            metric: row.required(2)?,
            procedure: row.required(3)?,
            from: row.required(4)?,
            to: row.required(5)?,
            closed: row.required(6)?,
            hours: row.required(8)?,
            buckets: buckets(row)?,
        })
    })
}

fn buckets(row: &Row<'_>) -> PgResult<Vec<Bucket>> {
    let numbers = |column: usize| {
        Ok::<_, pgrx::pg_sys::panic::ErrorReport>(
            row.required::<Vec<Option<f64>>>(column)?
                .into_iter()
                .map(|value| value.unwrap_or(f64::NAN)),
        )
    };
    let days: Vec<i32> = row.required(7)?;
    let (n, total, mean) = (numbers(9)?, numbers(10)?, numbers(11)?);
    let (stddev, numerator, denominator) = (numbers(12)?, numbers(13)?, numbers(14)?);
    let measured = n.zip(total).zip(mean.zip(stddev));
    let counted = numerator.zip(denominator);
    Ok(days
        .into_iter()
        .zip(measured.zip(counted))
        .map(
            |(day, (((n, total), (mean, stddev)), (numerator, denominator)))| Bucket {
                day,
                days: 1.0,
                n,
                total,
                mean,
                stddev,
                numerator,
                denominator,
                is_closed: false,
                is_running: false,
            },
        )
        .collect())
}

/// Baselines as the array parameters of the statement that stores them.
#[derive(Debug, Default)]
pub(super) struct Made {
    restaurants: Vec<Uuid>,
    metrics: Vec<String>,
    procedures: Vec<Uuid>,
    segments: Vec<String>,
    values: Vec<f64>,
    lower: Vec<Option<f64>>,
    upper: Vec<Option<f64>>,
    stddev: Vec<Option<f64>>,
    n: Vec<Option<i64>>,
    from: Vec<Option<TimestampWithTimeZone>>,
    to: Vec<Option<TimestampWithTimeZone>>,
    closed: Vec<i64>,
    shrinkage: Vec<Option<f64>>,
    peers: Vec<Option<i64>>,
}

impl Made {
    fn push(&mut self, series: &Series, segment: String, found: Baseline, shrinkage: Option<f64>) {
        self.restaurants.push(series.restaurant);
        self.metrics.push(series.metric.clone());
        self.procedures.push(series.procedure);
        self.segments.push(segment);
        self.values.push(found.value);
        self.lower.push(Some(found.lower));
        self.upper.push(Some(found.upper));
        self.stddev.push(Some(found.stddev));
        self.n.push(i64::try_from(found.n).ok());
        self.from.push(Some(series.from));
        self.to.push(Some(series.to));
        self.closed.push(series.closed);
        self.shrinkage.push(shrinkage);
        self.peers.push(None);
    }

    /// A figure of a peer group: nothing else leaves the group.
    pub(super) fn push_peer(&mut self, series: &Series, value: f64, peers: i64) {
        self.restaurants.push(series.restaurant);
        self.metrics.push(series.metric.clone());
        self.procedures.push(series.procedure);
        self.segments.push(String::new());
        self.values.push(value);
        self.lower.push(None);
        self.upper.push(None);
        self.stddev.push(None);
        self.n.push(None);
        self.from.push(None);
        self.to.push(None);
        self.closed.push(0);
        self.shrinkage.push(None);
        self.peers.push(Some(peers));
    }
}

fn computed(days: &Days, method: Method, options: &CheckedOptions) -> PgResult<Made> {
    let grain = grain(method);
    let window = options.window_days;
    let (first, last) = match method {
        Method::PreviousYear => (LAST_YEAR + window / 2 - 1, LAST_YEAR - window / 2),
        _ => (window - 1, 0),
    };
    let read = read(days, first, last, grain)?;
    let mut made = Made::default();
    if method == Method::Shrunken {
        shrink(&read, &mut made);
        return Ok(made);
    }
    for series in &read {
        pgrx::check_for_interrupts!();
        let levels: Vec<f64> = series
            .buckets
            .iter()
            .map(|bucket| bucket.level().unwrap_or(f64::NAN))
            .collect();
        let found = match method {
            Method::RollingMedian | Method::PreviousYear => {
                rolling_median(&series.buckets, &levels)
            }
            Method::RollingMean | Method::FixedWindow => mean_baseline(&levels),
            Method::Ewma => {
                let newest = series.buckets.last().map_or(0, |bucket| bucket.day);
                let ages: Vec<f64> = series
                    .buckets
                    .iter()
                    .map(|bucket| f64::from(newest.saturating_sub(bucket.day)))
                    .collect();
                ewma(&levels, &ages, options.half_life)
            }
            _ => {
                let segments: Vec<u16> = series
                    .buckets
                    .iter()
                    .zip(&series.hours)
                    .map(|(bucket, hour)| segment(method, bucket.day, *hour))
                    .collect();
                for (segment, found) in seasonal(&levels, &segments) {
                    made.push(series, segment_name(method, segment), found, None);
                }
                None
            }
        };
        if let Some(found) = found {
            made.push(series, String::new(), found, None);
        }
    }
    Ok(made)
}

/// The rolling median, as the comparison of buckets takes it: rates of few trials and few events have another centre.
fn rolling_median(buckets: &[Bucket], levels: &[f64]) -> Option<Baseline> {
    let robust = aggregation::rolling_median(levels)?;
    let Some(usual) = Usual::of(buckets).filter(|usual| usual.kind != Kind::Measurement) else {
        return Some(robust);
    };
    Some(robust.moved(usual.centre, usual.stddev))
}

/// Each restaurant's series of one metric are shrunk towards each other.
fn shrink(read: &[Series], made: &mut Made) {
    let mut families: BTreeMap<([u8; 16], &str), Vec<&Series>> = BTreeMap::new();
    for series in read {
        let family = (*series.restaurant.as_bytes(), series.metric.as_str());
        families.entry(family).or_default().push(series);
    }
    for family in families.values() {
        let groups: Vec<Group> = family
            .iter()
            .map(|series| Group {
                periods: series
                    .buckets
                    .iter()
                    .filter_map(|bucket| {
                        let weight = match bucket.kind() {
                            Kind::Rate => bucket.denominator,
                            Kind::Measurement | Kind::Count => 1.0,
                        };
                        Some((bucket.level()?, weight))
                    })
                    .collect(),
            })
            .collect();
        for (series, found) in family.iter().zip(shrunken(&groups)) {
            if let Some(found) = found {
                made.push(series, String::new(), found.baseline, Some(found.shrinkage));
            }
        }
    }
}

fn grain(method: Method) -> &'static str {
    if method == Method::WeekdayHour {
        "hour"
    } else {
        "day"
    }
}

/// ISO weekday, and the hour in the last two digits for hours.
fn segment(method: Method, day: i32, hour: i32) -> u16 {
    // 2000-01-01 was a Saturday.
    let weekday = (day.rem_euclid(7) + 5) % 7 + 1;
    let number = if method == Method::WeekdayHour {
        weekday * 100 + hour
    } else {
        weekday
    };
    u16::try_from(number).unwrap_or(0)
}

fn segment_name(method: Method, segment: u16) -> String {
    if method == Method::WeekdayHour {
        format!("{}:{}", segment / 100, segment % 100)
    } else {
        segment.to_string()
    }
}

fn reason(method: Method, options: &CheckedOptions) -> String {
    let days = options.window_days;
    match method {
        Method::RollingMedian => format!("median of the last {days} days"),
        Method::RollingMean => format!("mean of the last {days} days"),
        Method::Ewma => format!(
            "mean of the last {days} days, a day {} days old counting half",
            options.half_life
        ),
        Method::Weekday => format!("median of each weekday of the last {days} days"),
        Method::WeekdayHour => {
            format!("median of each hour of each weekday of the last {days} days")
        }
        Method::PreviousYear => format!("median of {days} days around the same day of last year"),
        Method::FixedWindow => format!("mean of {days} days"),
        Method::Shrunken => {
            format!("mean of the last {days} days, drawn towards the restaurant's other SOPs")
        }
        Method::PeerQuantile => format!(
            "quantile {} of restaurants of the same kind",
            options.quantile
        ),
    }
}

fn store(
    days: &Days,
    method: Method,
    parameters: &Parameters,
    options: &CheckedOptions,
    made: Made,
    run: Uuid,
) -> PgResult<i64> {
    if made.restaurants.is_empty() {
        return Ok(0);
    }
    let parameters = serde_json::to_value(parameters)
        .map_err(|error| crate::error::internal(error.to_string()))?;
    let arguments = [
        method.name().into(),
        grain(method).into(),
        JsonB(parameters).into(),
        reason(method, options).into(),
        run.into(),
        made.restaurants.into(),
        made.metrics.into(),
        made.procedures.into(),
        made.segments.into(),
        made.values.into(),
        made.lower.into(),
        made.upper.into(),
        made.stddev.into(),
        made.n.into(),
        made.from.into(),
        made.to.into(),
        made.closed.into(),
        made.shrinkage.into(),
        made.peers.into(),
    ];
    let rows = sql::execute(STORE, &arguments)?;
    sql::execute(CURRENT, &[run.into(), days.restaurants().into()])?;
    Ok(rows)
}
