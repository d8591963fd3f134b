//! Features of procedures and people at moments in the past.

mod history;
mod registry;

use std::rc::Rc;

use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;
use pgrx::{Array, Uuid};
use sop_analytics::budget::Budget;
use sop_analytics::features::matrix::{Plan, check_windows, pair_moments};
use sop_analytics::features::window::{Needs, WindowSummary};
use sop_analytics::features::{Entity, Measure};

use self::history::{Calendar, Loader};
use crate::arguments::required;
use crate::error::from_analytics;
use crate::{arrays, settings, tenancy};

/// One row per procedure, window and measure.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn aggregate_sop_performance_features(
    restaurant_id: Option<Uuid>,
    as_of: Option<TimestampWithTimeZone>,
    windows: Option<Array<'_, Interval>>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(sop_id, Uuid),
            name!(feature_name, String),
            name!(window, Interval),
            name!(value, Option<f64>),
        ),
    >,
    pg_sys::panic::ErrorReport,
> {
    let as_of = required("as_of", as_of)?.into_inner();
    let windows = arrays::values(required("windows", windows)?, "windows")?;
    let lengths: Vec<i64> = windows.iter().map(microseconds).collect();
    check_windows(&lengths).map_err(from_analytics)?;
    pair_moments(1, &[as_of]).map_err(from_analytics)?;
    let restaurant_id = tenancy::resolve_readable(restaurant_id)?;
    let Some(longest) = lengths.iter().copied().max() else {
        return Ok(TableIterator::empty());
    };
    let calendar = Calendar::of(restaurant_id)?;
    let moment = calendar.moments(&[as_of])?.into_iter().next();
    let moment = moment.unwrap_or_default();
    let mut loader = Loader::every_sop(Budget::new(settings::max_state_bytes()));
    loader.read_events(
        restaurant_id,
        &calendar,
        as_of.saturating_sub(longest),
        as_of,
    )?;
    loader.read_compliance(restaurant_id, as_of.saturating_sub(longest), as_of)?;
    let (sops, histories) = loader.into_ranked();

    let measures: Vec<Measure> = Measure::windowed(Entity::Sop).collect();
    let needs = Needs::of(measures.iter().copied());
    let histories = Rc::new(histories);
    let lengths = Rc::new(windows.into_iter().zip(lengths).collect::<Vec<_>>());
    let measures = Rc::new(measures);
    let rows = sops.into_iter().enumerate().flat_map(move |(place, sop)| {
        let mut summary = WindowSummary::default();
        summary.scan(histories.of(place), moment, longest, needs);
        let windows = if summary.is_empty() {
            &[]
        } else {
            lengths.as_slice()
        };
        let mut rows = Vec::new();
        for &(window, length) in windows {
            pgrx::check_for_interrupts!();
            summary.scan(histories.of(place), moment, length, needs);
            rows.extend(measures.iter().map(|measure| {
                (
                    sop.id(),
                    measure.name().to_owned(),
                    window,
                    summary.value(*measure),
                )
            }));
        }
        rows
    });
    Ok(TableIterator::new(rows))
}

/// One row per entity and moment, in the order asked for.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn generate_ml_feature_matrix(
    restaurant_id: Option<Uuid>,
    entity: Option<&str>,
    entity_ids: Option<Array<'_, Uuid>>,
    as_of: Option<Array<'_, TimestampWithTimeZone>>,
    feature_names: Option<Array<'_, String>>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(entity_id, Uuid),
            name!(as_of, TimestampWithTimeZone),
            name!(features, Vec<Option<f64>>),
        ),
    >,
    pg_sys::panic::ErrorReport,
> {
    let entity = Entity::parse(required("entity", entity)?).map_err(from_analytics)?;
    let entity_ids = required("entity_ids", entity_ids)?;
    let ids = match entity {
        // Pairs are naturally written as an array of arrays.
        Entity::UserSop => arrays::flattened(&entity_ids, "entity_ids")?,
        Entity::Sop | Entity::User => arrays::values(entity_ids, "entity_ids")?,
    };
    let ids = history::keys(entity, &ids)?;
    let moments: Vec<i64> = arrays::values(required("as_of", as_of)?, "as_of")?
        .into_iter()
        .map(TimestampWithTimeZone::into_inner)
        .collect();
    let names = required("feature_names", feature_names)?;
    let names = arrays::values(names, "feature_names")?;
    let moments = pair_moments(ids.len(), &moments).map_err(from_analytics)?;
    let restaurant_id = tenancy::resolve_readable(restaurant_id)?;
    let features = registry::read(restaurant_id, entity)?
        .resolve(names.iter().map(String::as_str))
        .map_err(from_analytics)?;
    let plan = Plan::new(&features);

    let calendar = Calendar::of(restaurant_id)?;
    let moments = calendar.moments(&moments)?;
    let mut loader = Loader::only(entity, &ids, Budget::new(settings::max_state_bytes()))?;
    let first = moments.iter().map(|moment| moment.as_of).min();
    let last = moments.iter().map(|moment| moment.as_of).max();
    if let (Some(first), Some(last), Some(longest)) = (first, last, plan.longest_window()) {
        let from = first.saturating_sub(longest);
        loader.read_events(restaurant_id, &calendar, from, last)?;
        if plan.needs_compliance() {
            loader.read_compliance(restaurant_id, from, last)?;
        }
    }
    let facts = loader.read_facts(restaurant_id, &plan)?;
    let places: Vec<usize> = ids.iter().map(|id| loader.place(id)).collect();
    let histories = loader.into_histories();

    let mut summary = WindowSummary::default();
    let nothing = Default::default();
    let rows = ids.into_iter().zip(places).zip(moments);
    Ok(TableIterator::new(rows.map(
        move |((id, place), moment)| {
            let facts = facts.get(place).unwrap_or(&nothing);
            let row = plan.row(histories.of(place), facts, moment, &mut summary);
            (id.id(), history::timestamp(moment.as_of), row)
        },
    )))
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.aggregate_sop_performance_features(uuid, timestamptz, interval[]) IS
'Features of every SOP with activity in the longest window: counts, rates, durations, quality, trend, recency and streaks per window [as_of - window, as_of). Nothing that happened or became known at or after as_of counts. restaurant_id NULL is the current restaurant. Example: SELECT * FROM sop_ml.aggregate_sop_performance_features(NULL, now(), ''{7 days,30 days}'');';
COMMENT ON FUNCTION sop_ml.generate_ml_feature_matrix(uuid, text, uuid[], timestamptz[], text[]) IS
'Feature vectors of entities (sop, user, user_sop) at moments, in the order of feature_names; as_of has one element for all entities or one for each. Names are those of sop_ml_features, for example completions:30d. What is not known is a NULL element. user_sop takes pairs: ARRAY[ARRAY[user, sop], …]. Example: SELECT * FROM sop_ml.generate_ml_feature_matrix(NULL, ''sop'', ARRAY[…]::uuid[], ARRAY[now()], ''{completions:30d,completion_rate:7d}'');';
"#,
    name = "comment_features",
    requires = [
        aggregate_sop_performance_features,
        generate_ml_feature_matrix
    ]
);

/// The length of an interval, with days of 24 hours and months of 30 days, as PostgreSQL compares intervals.
fn microseconds(interval: &Interval) -> i64 {
    i64::try_from(interval.as_micros()).unwrap_or(i64::MAX)
}
