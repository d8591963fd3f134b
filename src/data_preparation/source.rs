//! Reading the interactions behind training data.

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use sop_analytics::budget::Budget;
use sop_analytics::data_preparation::intern::Interner;
use sop_analytics::data_preparation::options::interaction_type;
use sop_analytics::data_preparation::recommendation::{Interaction, Source};

use crate::error::{PgResult, from_analytics, internal};
use crate::sql;

const INTERACTIONS: &str = include_str!("../../sql/queries/data_preparation_interactions.sql");
const EARLIER_PAIRS: &str = include_str!("../../sql/queries/data_preparation_earlier_pairs.sql");

type Id = [u8; 16];

/// Interactions, and whom their numbers stand for.
pub(super) struct Interactions {
    pub(super) source: Source,
    pub(super) users: Vec<Id>,
    pub(super) sops: Vec<Id>,
}

/// Reads the interactions of `[from_time, to_time)`; every row kept is charged to the budget.
pub(super) fn read(
    restaurant_id: Uuid,
    from_time: i64,
    to_time: i64,
    budget: &mut Budget,
) -> PgResult<Interactions> {
    let mut users = Interner::default();
    let mut sops = Interner::default();
    let mut interactions = Vec::new();
    let arguments = [
        restaurant_id.into(),
        timestamp(from_time)?.into(),
        timestamp(to_time)?.into(),
    ];
    sql::for_each(INTERACTIONS, &arguments, |row| {
        let user = intern(&mut users, row.required(1)?, budget)?;
        let sop = intern(&mut sops, row.required(2)?, budget)?;
        let kind: String = row.required(3)?;
        charge(budget, size_of::<Interaction>())?;
        interactions.push(Interaction {
            user,
            sop,
            kind: interaction_type(&kind)
                .ok_or_else(|| internal(format!("unknown interaction type '{kind}'")))?,
            occurred_at: row.required::<TimestampWithTimeZone>(4)?.into_inner(),
            rating: row.get(5)?.unwrap_or(f64::NAN),
        });
        Ok(())
    })?;
    let mut earlier = Vec::new();
    if from_time > i64::MIN {
        sql::for_each(
            EARLIER_PAIRS,
            &[restaurant_id.into(), timestamp(from_time)?.into()],
            |row| {
                let user = users.get(row.required::<Uuid>(1)?.as_bytes());
                let sop = sops.get(row.required::<Uuid>(2)?.as_bytes());
                if let Some(pair) = user.zip(sop) {
                    charge(budget, size_of::<(u32, u32)>())?;
                    earlier.push(pair);
                }
                Ok(())
            },
        )?;
    }
    // Numbers in the order of identifiers make the result independent of the order in which rows were read.
    let (users, user_ranks) = users.into_ranked();
    let (sops, sop_ranks) = sops.into_ranked();
    let rank = |ranks: &[u32], number: &mut u32| {
        if let Some(rank) = ranks.get(*number as usize) {
            *number = *rank;
        }
    };
    for interaction in &mut interactions {
        rank(&user_ranks, &mut interaction.user);
        rank(&sop_ranks, &mut interaction.sop);
    }
    for (user, sop) in &mut earlier {
        rank(&user_ranks, user);
        rank(&sop_ranks, sop);
    }
    let streams = users.iter().map(stream).collect();
    let source = Source {
        interactions,
        earlier,
        streams,
        sops: sops.len(),
    };
    Ok(Interactions {
        source,
        users,
        sops,
    })
}

fn intern(interner: &mut Interner<Id>, id: Uuid, budget: &mut Budget) -> PgResult<u32> {
    let (number, is_new) = interner
        .intern(*id.as_bytes())
        .ok_or_else(|| internal("more than 2^32 different identifiers"))?;
    if is_new {
        charge(budget, Interner::<Id>::bytes_per_key())?;
    }
    Ok(number)
}

fn charge(budget: &mut Budget, bytes: usize) -> PgResult<()> {
    budget.charge(bytes).map_err(from_analytics)
}

/// A person's random stream: both halves of the identifier take part, since identifiers may differ in either alone.
fn stream(id: &Id) -> u64 {
    let bits = u128::from_be_bytes(*id);
    (bits >> 64) as u64 ^ (bits as u64).rotate_left(32)
}

fn timestamp(microseconds: i64) -> PgResult<TimestampWithTimeZone> {
    TimestampWithTimeZone::try_from(microseconds)
        .map_err(|error| internal(format!("time out of range: {error}")))
}
