//! The features that a restaurant may ask for.

use pgrx::Uuid;
use pgrx::datum::Interval;
use sop_analytics::features::Entity;
use sop_analytics::features::names::Registry;

use crate::error::PgResult;
use crate::sql;

const REGISTERED: &str = include_str!("../../sql/queries/features_registered.sql");

/// Reads what is registered for an entity, under the restaurant and under the shared tenant.
pub(super) fn read(restaurant_id: Uuid, entity: Entity) -> PgResult<Registry> {
    let mut registry = Registry::new(entity);
    sql::for_each(
        REGISTERED,
        &[restaurant_id.into(), entity.name().into()],
        |row| {
            let name: String = row.required(1)?;
            let measure: Option<String> = row.get(2)?;
            let length = row.get::<Interval>(3)?.as_ref().map(super::microseconds);
            registry.add(&name, measure.as_deref().unwrap_or_default(), length);
            Ok(())
        },
    )?;
    Ok(registry)
}
