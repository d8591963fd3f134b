//! Peer groups: figures over restaurants of the same kind that share what they learn.
//!
//! The operator's run makes the figures of a month once and writes each member a row of its own; see docs/benchmarking.md
//! for why. Tenants read that row, under row-level security: nothing that they call touches a row of another restaurant.

use pgrx::Uuid;
use pgrx::datum::Date;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sop_analytics::baselines::{
    MIN_PEERS, PEER_QUANTILES, bounded, percentile_rank, quantile, round_down, rounded,
};
use sop_analytics::comparison::Kind;

use super::baselines::{Made, read};
use super::checked_day;
use super::days::Days;
use crate::error::PgResult;
use crate::{sql, tenancy};

const CONTRIBUTIONS: &str = include_str!("../../sql/queries/aggregation_peers_contributions.sql");
const STORE: &str = include_str!("../../sql/queries/aggregation_peers_store.sql");
const IS_SHARING: &str = include_str!("../../sql/queries/benchmark_is_sharing.sql");
const READ: &str = include_str!("../../sql/queries/benchmark_read.sql");

/// The series that a peer baseline is for are those of the last four weeks.
const RECENT_DAYS: i32 = 27;

/// Where a restaurant stands among restaurants of its kind that share what they learn.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn benchmark_against_peers(
    restaurant_id: default!(Option<Uuid>, "NULL"),
    metric_name: default!(Option<&str>, "NULL"),
    day: default!(Option<Date>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(metric_name, Option<String>),
            name!(status, String),
            name!(month, Option<Date>),
            name!(measures, Option<String>),
            name!(value, Option<f64>),
            name!(percentile_rank, Option<f64>),
            name!(peers, Option<i64>),
            name!(quartile_1, Option<f64>),
            name!(median, Option<f64>),
            name!(quartile_3, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let day = checked_day(day)?;
    let restaurant = tenancy::resolve_readable(restaurant_id)?;
    let answer_without = |status: &str| {
        TableIterator::once((
            metric_name.map(str::to_owned),
            status.to_owned(),
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
        ))
    };
    if !is_sharing(restaurant)? {
        return Ok(answer_without("not_sharing"));
    }
    let rows: Vec<_> = standings(restaurant, metric_name, day)?
        .into_iter()
        .map(|found| {
            (
                Some(found.metric),
                "ranked".to_owned(),
                Some(found.month),
                Some(found.measures),
                Some(found.value),
                Some(found.percentile_rank),
                Some(found.peers),
                Some(found.quartiles[0]),
                Some(found.quartiles[1]),
                Some(found.quartiles[2]),
            )
        })
        .collect();
    if rows.is_empty() {
        return Ok(answer_without("too_few_peers"));
    }
    Ok(TableIterator::new(rows))
}

extension_sql!(
    r#"
ALTER FUNCTION sop_ml.benchmark_against_peers(uuid, text, date) ROWS 10;
COMMENT ON FUNCTION sop_ml.benchmark_against_peers(uuid, text, date) IS
'Where a restaurant stood among restaurants of the same kind that share what they learn, per metric, in the newest finished month before the day''s (NULL: today) of which there are figures: own value, percentile rank in steps of ten, quartiles of the group to two digits, number of peers rounded down to fives. status is ranked, not_sharing (this restaurant has not opted in) or too_few_peers (fewer than five others, or no figures yet). Example: SELECT * FROM sop_ml.benchmark_against_peers(NULL, ''completion_rate'');';
"#,
    name = "comment_aggregation_peers",
    requires = [benchmark_against_peers]
);

/// Where a restaurant stood.
struct Standing {
    metric: String,
    month: Date,
    measures: String,
    value: f64,
    percentile_rank: f64,
    peers: i64,
    quartiles: [f64; 3],
}

fn is_sharing(restaurant: Uuid) -> PgResult<bool> {
    let answer = sql::select_one(IS_SHARING, &[restaurant.into()], |row| {
        row.required::<bool>(1)
    })?;
    Ok(answer == Some(true))
}

fn standings(
    restaurant: Uuid,
    metric_name: Option<&str>,
    day: Option<Date>,
) -> PgResult<Vec<Standing>> {
    let arguments = [restaurant.into(), metric_name.into(), day.into()];
    sql::select(READ, &arguments, |row| {
        Ok(Standing {
            metric: row.required(1)?,
            month: row.required(2)?,
            measures: row.required(3)?,
            value: row.required(4)?,
            percentile_rank: row.required(5)?,
            peers: row.required(6)?,
            quartiles: [row.required(7)?, row.required(8)?, row.required(9)?],
        })
    })
}

/// What one restaurant brings to a group.
struct Contribution {
    kind: String,
    metric: String,
    measures: String,
    month: Date,
    restaurant: Uuid,
    value: f64,
}

/// Makes the figures of the last finished month where there are none yet; returns how many groups got some.
pub(super) fn refresh(days: &Days, run: Uuid) -> PgResult<usize> {
    let Some(day) = days.0.iter().map(|day| day.date).max() else {
        return Ok(0);
    };
    let contributions = sql::modify(CONTRIBUTIONS, &[day.into()], |row| {
        Ok(Contribution {
            kind: row.required(1)?,
            metric: row.required(2)?,
            measures: row.required(3)?,
            month: row.required(4)?,
            restaurant: row.required(5)?,
            value: row.required(6)?,
        })
    })?;
    let mut told = Told::default();
    let mut groups = 0;
    // One restaurant may call a rate what another calls a measurement: the kind of figure divides groups, and the largest
    // has the name.
    for named in contributions.chunk_by(|a, b| (&a.kind, &a.metric) == (&b.kind, &b.metric)) {
        let largest = named
            .chunk_by(|a, b| a.measures == b.measures)
            .max_by_key(|group| group.len())
            .unwrap_or_default();
        groups += usize::from(told.add(largest));
    }
    if groups > 0 {
        told.store(run)?;
    }
    Ok(groups)
}

/// What members are told, as the array parameters of the statement that stores it.
#[derive(Default)]
struct Told {
    restaurants: Vec<Uuid>,
    metrics: Vec<String>,
    months: Vec<Date>,
    kinds: Vec<String>,
    measures: Vec<String>,
    values: Vec<f64>,
    ranks: Vec<f64>,
    peers: Vec<i64>,
    quartiles: [Vec<f64>; 3],
}

impl Told {
    /// Adds a group, if everybody in it has enough others.
    fn add(&mut self, group: &[Contribution]) -> bool {
        if group.len() <= MIN_PEERS {
            return false;
        }
        let raw: Vec<f64> = group.iter().map(|member| member.value).collect();
        let sorted = bounded(&raw);
        let figures: Vec<f64> = PEER_QUANTILES
            .iter()
            .filter_map(|q| quantile(&sorted, *q))
            .map(rounded)
            .collect();
        if figures.len() != PEER_QUANTILES.len() {
            return false;
        }
        for (place, member) in group.iter().enumerate() {
            let mut others = raw.clone();
            others.remove(place);
            let Some(rank) = percentile_rank(member.value, &others) else {
                return false;
            };
            self.restaurants.push(member.restaurant);
            self.metrics.push(member.metric.clone());
            self.months.push(member.month);
            self.kinds.push(member.kind.clone());
            self.measures.push(member.measures.clone());
            self.values.push(member.value);
            self.ranks.push(rank);
            self.peers.push(round_down(others.len()) as i64);
            for (column, figure) in self.quartiles.iter_mut().zip(&figures) {
                column.push(*figure);
            }
        }
        true
    }

    fn store(self, run: Uuid) -> PgResult<()> {
        let [low, middle, high] = self.quartiles;
        let arguments = [
            run.into(),
            self.restaurants.into(),
            self.metrics.into(),
            self.months.into(),
            self.kinds.into(),
            self.measures.into(),
            self.values.into(),
            self.ranks.into(),
            self.peers.into(),
            low.into(),
            middle.into(),
            high.into(),
        ];
        sql::execute(STORE, &arguments).map(|_| ())
    }
}

/// Peer baselines of the series of restaurants that share: each series of a rate or measurement, counts of the whole
/// restaurant.
pub(super) fn baselines(days: &Days, q: f64) -> PgResult<Made> {
    let mut made = Made::default();
    let at = PEER_QUANTILES.iter().position(|known| *known == q);
    for day in &days.0 {
        if !is_sharing(day.restaurant)? {
            continue;
        }
        let own = days.of(&[day.restaurant]);
        let found = standings(day.restaurant, None, Some(day.date))?;
        for series in read(&own, RECENT_DAYS, 0, "day")? {
            let kind = series
                .buckets
                .last()
                .map(sop_analytics::comparison::Bucket::kind);
            let measures = match kind {
                Some(Kind::Rate) => "rate",
                Some(Kind::Measurement) => "measurement",
                Some(Kind::Count) if *series.procedure.as_bytes() == [0; 16] => "count",
                Some(Kind::Count) | None => continue,
            };
            let group = found
                .iter()
                .find(|group| group.metric == series.metric && group.measures == measures);
            if let Some((group, value)) =
                group.and_then(|group| Some((group, group.quartiles.get(at?)?)))
            {
                made.push_peer(&series, *value, group.peers);
            }
        }
    }
    Ok(made)
}
