//! Reading the events behind features.

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use sop_analytics::budget::Budget;
use sop_analytics::data_preparation::intern::Interner;
use sop_analytics::features::matrix::{Certification, Plan, UserFacts};
use sop_analytics::features::{Entity, Event, EventKind, FeatureError, Histories, Measure, Moment};

use crate::error::{PgResult, from_analytics, internal};
use crate::sql;

const RESTAURANT: &str = include_str!("../../sql/queries/features_restaurant.sql");
const LOCAL_DAYS: &str = include_str!("../../sql/queries/features_local_days.sql");
const EVENTS: &str = include_str!("../../sql/queries/features_events.sql");
const COMPLIANCE: &str = include_str!("../../sql/queries/features_compliance.sql");
const PROFILES: &str = include_str!("../../sql/queries/features_profiles.sql");
const FIRST_INTERACTIONS: &str = include_str!("../../sql/queries/features_first_interactions.sql");
const CERTIFICATIONS: &str = include_str!("../../sql/queries/features_certifications.sql");

/// Rows that belong to no procedure or to nobody carry this.
const NOBODY: [u8; 16] = [0; 16];

/// What identifies an entity; the side that an entity does not have is [`NOBODY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    sop: [u8; 16],
    user: [u8; 16],
}

impl Key {
    const fn of(entity: Entity, user: [u8; 16], sop: [u8; 16]) -> Self {
        match entity {
            Entity::Sop => Self { sop, user: NOBODY },
            Entity::User => Self { sop: NOBODY, user },
            Entity::UserSop => Self { sop, user },
        }
    }

    /// The identifier that results show: the person of a pair.
    pub(super) fn id(&self) -> Uuid {
        Uuid::from_bytes(if self.user == NOBODY {
            self.sop
        } else {
            self.user
        })
    }
}

/// The entities asked for; pairs come as two identifiers each.
pub(super) fn keys(entity: Entity, ids: &[Uuid]) -> PgResult<Vec<Key>> {
    let width = if entity == Entity::UserSop { 2 } else { 1 };
    if !ids.len().is_multiple_of(width) {
        return Err(from_analytics(FeatureError::Pairs(ids.len())));
    }
    Ok(ids
        .chunks_exact(width)
        .filter_map(|chunk| Some((*chunk.first()?.as_bytes(), *chunk.last()?.as_bytes())))
        .map(|(user, sop)| Key::of(entity, user, sop))
        .collect())
}

/// A time as a value; before all times that PostgreSQL can show lies `-infinity`.
pub(super) fn timestamp(microseconds: i64) -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(microseconds)
        .unwrap_or_else(|_| TimestampWithTimeZone::negative_infinity())
}

/// How a restaurant counts days, and since when it records here.
pub(super) struct Calendar {
    time_zone: String,
    live_since: Option<i64>,
}

impl Calendar {
    pub(super) fn of(restaurant_id: Uuid) -> PgResult<Self> {
        let known = sql::select_one(RESTAURANT, &[restaurant_id.into()], |row| {
            Ok(Self {
                time_zone: row.required(1)?,
                live_since: Some(micros(row.required(2)?)),
            })
        })?;
        Ok(known.unwrap_or(Self {
            time_zone: "UTC".to_owned(),
            live_since: None,
        }))
    }

    /// Adds the local day to each moment.
    pub(super) fn moments(&self, moments: &[i64]) -> PgResult<Vec<Moment>> {
        let times: Vec<_> = moments.iter().map(|time| timestamp(*time)).collect();
        let days: Vec<i32> = sql::select(
            LOCAL_DAYS,
            &[times.into(), self.time_zone.as_str().into()],
            |row| row.required(1),
        )?;
        let moment = |(&as_of, local_day)| Moment {
            as_of,
            local_day,
            live_since: self.live_since,
        };
        Ok(moments.iter().zip(days).map(moment).collect())
    }
}

/// Collects the events of many entities within a memory bound.
pub(super) struct Loader {
    entity: Entity,
    keys: Interner<Key>,
    counterparts: Interner<[u8; 16]>,
    /// Entities that were not asked for are taken too.
    open: bool,
    users: Option<Vec<Uuid>>,
    sops: Option<Vec<Uuid>>,
    events: Vec<Event>,
    budget: Budget,
}

impl Loader {
    /// For every procedure that has events.
    pub(super) fn every_sop(budget: Budget) -> Self {
        Self {
            entity: Entity::Sop,
            keys: Interner::default(),
            counterparts: Interner::default(),
            open: true,
            users: None,
            sops: None,
            events: Vec::new(),
            budget,
        }
    }

    /// For the entities asked for.
    pub(super) fn only(entity: Entity, keys: &[Key], budget: Budget) -> PgResult<Self> {
        let mut loader = Self {
            entity,
            open: false,
            ..Self::every_sop(budget)
        };
        for key in keys {
            pgrx::check_for_interrupts!();
            loader.intern(*key)?;
        }
        let mut sides = keys.to_vec();
        sides.sort_unstable();
        sides.dedup();
        let ids = |side: fn(&Key) -> [u8; 16]| {
            let mut ids: Vec<_> = sides
                .iter()
                .map(|key| Uuid::from_bytes(side(key)))
                .collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        loader.users = (entity != Entity::Sop).then(|| ids(|key| key.user));
        loader.sops = (entity != Entity::User).then(|| ids(|key| key.sop));
        Ok(loader)
    }

    /// The number of an entity: where its events and facts are.
    pub(super) fn place(&self, key: &Key) -> usize {
        self.keys
            .get(key)
            .map_or(usize::MAX, |place| place as usize)
    }

    fn intern(&mut self, key: Key) -> PgResult<u32> {
        let (place, is_new) = self.keys.intern(key).ok_or_else(too_many)?;
        if is_new {
            self.charge(Interner::<Key>::bytes_per_key())?;
        }
        Ok(place)
    }

    fn charge(&mut self, bytes: usize) -> PgResult<()> {
        self.budget.charge(bytes).map_err(from_analytics)
    }

    /// The number of the entity of a row; `None` when it was not asked for.
    fn entity_of(&mut self, user: [u8; 16], sop: [u8; 16]) -> PgResult<Option<u32>> {
        let key = Key::of(self.entity, user, sop);
        if self.open && sop != NOBODY {
            return self.intern(key).map(Some);
        }
        Ok(self.keys.get(&key))
    }

    /// Reads interactions in `[from, to)`.
    pub(super) fn read_events(
        &mut self,
        restaurant_id: Uuid,
        calendar: &Calendar,
        from: i64,
        to: i64,
    ) -> PgResult<()> {
        let arguments = [
            restaurant_id.into(),
            timestamp(from).into(),
            timestamp(to).into(),
            calendar.time_zone.as_str().into(),
            self.users.clone().into(),
            self.sops.clone().into(),
        ];
        sql::for_each(EVENTS, &arguments, |row| {
            let user = *row.required::<Uuid>(1)?.as_bytes();
            let sop = *row.required::<Uuid>(2)?.as_bytes();
            let Some(entity) = self.entity_of(user, sop)? else {
                return Ok(());
            };
            let other = if self.entity == Entity::Sop {
                user
            } else {
                sop
            };
            let (counterpart, is_new) = self.counterparts.intern(other).ok_or_else(too_many)?;
            if is_new {
                self.charge(Interner::<[u8; 16]>::bytes_per_key())?;
            }
            self.charge(size_of::<Event>())?;
            self.events.push(Event {
                entity,
                counterpart,
                occurred_at: micros(row.required(3)?),
                recorded_at: micros(row.required(4)?),
                local_day: row.required(5)?,
                kind: EventKind::of_interaction(&row.required::<String>(6)?),
                duration_seconds: row.get(7)?.unwrap_or(f64::NAN),
                rating: row.get(8)?.unwrap_or(f64::NAN),
                quality: row.get(9)?.unwrap_or(f64::NAN),
            });
            Ok(())
        })
    }

    /// Reads the compliance observations of procedures in `[from, to)`.
    pub(super) fn read_compliance(
        &mut self,
        restaurant_id: Uuid,
        from: i64,
        to: i64,
    ) -> PgResult<()> {
        let arguments = [
            restaurant_id.into(),
            timestamp(from).into(),
            timestamp(to).into(),
            self.sops.clone().into(),
        ];
        sql::for_each(COMPLIANCE, &arguments, |row| {
            let sop = *row.required::<Uuid>(1)?.as_bytes();
            let Some(entity) = self.entity_of(NOBODY, sop)? else {
                return Ok(());
            };
            self.charge(size_of::<Event>())?;
            self.events.push(Event {
                entity,
                counterpart: 0,
                occurred_at: micros(row.required(2)?),
                recorded_at: micros(row.required(3)?),
                local_day: 0,
                kind: EventKind::Compliance,
                duration_seconds: f64::NAN,
                rating: f64::NAN,
                quality: row.required(4)?,
            });
            Ok(())
        })
    }

    /// Reads what windowless columns of a plan need about people, by [`Loader::place`].
    pub(super) fn read_facts(
        &mut self,
        restaurant_id: Uuid,
        plan: &Plan,
    ) -> PgResult<Vec<UserFacts>> {
        let mut facts = vec![UserFacts::default(); self.keys.len()];
        let arguments = [restaurant_id.into(), self.users.clone().into()];
        let keys = &self.keys;
        let mut visit = |statement, set: fn(&mut UserFacts, &sql::Row<'_>) -> PgResult<()>| {
            sql::for_each(statement, &arguments, |row| {
                let user = *row.required::<Uuid>(1)?.as_bytes();
                let place = keys.get(&Key::of(Entity::User, user, NOBODY));
                match place.and_then(|place| facts.get_mut(place as usize)) {
                    Some(facts) => set(facts, row),
                    None => Ok(()),
                }
            })
        };
        if plan.needs(Measure::SkillLevel) {
            visit(PROFILES, |facts, row| {
                facts.skill_level = row.get(2)?.unwrap_or(f64::NAN);
                facts.profile_written_at = micros(row.required(3)?);
                Ok(())
            })?;
        }
        if plan.needs(Measure::ExperienceDays) {
            visit(FIRST_INTERACTIONS, |facts, row| {
                let times = (micros(row.required(2)?), micros(row.required(3)?));
                facts.first_interactions.push(times);
                Ok(())
            })?;
        }
        if plan.needs(Measure::Certifications) {
            visit(CERTIFICATIONS, |facts, row| {
                facts.certifications.push(Certification {
                    name: row.required::<i64>(2)?.try_into().map_err(|_| too_many())?,
                    earned_at: micros(row.required(3)?),
                    recorded_at: micros(row.required(4)?),
                    valid_until: row.get(5)?.map_or(i64::MAX, micros),
                });
                Ok(())
            })?;
        }
        Ok(facts)
    }

    /// The histories by [`Loader::place`].
    pub(super) fn into_histories(self) -> Histories {
        Histories::new(self.events, self.keys.len())
    }

    /// Entities in ascending order, and their histories in that order.
    pub(super) fn into_ranked(mut self) -> (Vec<Key>, Histories) {
        let (keys, ranks) = self.keys.into_ranked();
        for event in &mut self.events {
            if let Some(rank) = ranks.get(event.entity as usize) {
                event.entity = *rank;
            }
        }
        let histories = Histories::new(self.events, keys.len());
        (keys, histories)
    }
}

fn micros(time: TimestampWithTimeZone) -> i64 {
    time.into_inner()
}

fn too_many() -> pgrx::pg_sys::panic::ErrorReport {
    internal("more than 2^32 different identifiers")
}
