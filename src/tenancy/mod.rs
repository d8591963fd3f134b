//! Who is asking: the restaurant of this transaction, what the caller may read, and at which level.
//!
//! Policies call [`current_restaurant`] for rows, so it answers from a cache of this backend. The cache is keyed by
//! everything the answer depends on and is dropped at the end of the transaction and when memberships or role grants
//! change; see [`context`]. Sources, first wins: a signed token, claims of a gateway, role membership; superusers and
//! BYPASSRLS roles may name any restaurant.

mod access_level;
mod cache;
mod claims;
mod context;
mod identity;
mod snapshot;
#[cfg(any(test, feature = "pg_test"))]
mod tests;
mod token;

use pgrx::Uuid;
use pgrx::prelude::*;

pub(crate) use self::access_level::AccessLevel;
use self::context::Context;
pub(crate) use self::context::Submitter;
use crate::error::{PgResult, insufficient_privilege, invalid_parameter, no_data};
use crate::sql;

pub(crate) use cache::register;
pub(crate) use claims::parse_uuid;

const RESTAURANT: &str = include_str!("../../sql/queries/tenancy_restaurant.sql");
const ALL_RESTAURANTS: &str = include_str!("../../sql/queries/tenancy_all_restaurants.sql");

/// The restaurant that this transaction works for, or NULL: then policies show nothing.
#[pg_extern(stable, parallel_safe)]
fn current_restaurant() -> PgResult<cache::CachedUuid> {
    cache::current_restaurant()
}

/// Every restaurant that the caller may read.
#[pg_extern(stable, parallel_safe)]
fn readable_restaurants() -> PgResult<Vec<Uuid>> {
    let readable = cache::with(|context| (!context.sees_all).then(|| context.readable.clone()))?;
    readable.map_or_else(all_restaurants, Ok)
}

/// The restaurants whose rows the views over materialized views show to the caller.
#[pg_extern(stable, parallel_safe)]
fn visible_restaurants() -> PgResult<Vec<Uuid>> {
    let visible = cache::with(|context| {
        if context.sees_all {
            None
        } else if context.group_reader {
            Some(context.readable.clone())
        } else {
            Some(context.current.into_iter().collect())
        }
    })?;
    visible.map_or_else(all_restaurants, Ok)
}

/// Whether the caller has `level` or a higher one at the current restaurant.
#[pg_extern(stable, parallel_safe, strict)]
fn has_access(level: &str) -> PgResult<bool> {
    let wanted = AccessLevel::parse(level).ok_or_else(|| {
        invalid_parameter(format!("unknown access level \"{level}\""))
            .set_hint("Levels are viewer, staff, analyst, manager and owner.")
    })?;
    has_level(wanted)
}

/// Who is asking, in one row.
#[pg_extern(stable, parallel_safe)]
fn caller() -> Result<
    TableIterator<
        'static,
        (
            name!(role_name, String),
            name!(user_id, Option<Uuid>),
            name!(restaurant_id, Option<Uuid>),
            name!(access_level, Option<String>),
            name!(identity_source, String),
        ),
    >,
    pg_sys::panic::ErrorReport,
> {
    let role_name = acting_role()?;
    cache::with(|context| {
        let level = context.level.map(|level| level.name().to_owned());
        TableIterator::once((
            role_name,
            context.user,
            context.current,
            level,
            context.source.name().to_owned(),
        ))
    })
}

/// The name of the role that acts: the outer user, or the one whose job is running.
pub(crate) fn acting_role() -> PgResult<String> {
    role_name(cache::acting_role())
}

fn role_name(role: pg_sys::Oid) -> PgResult<String> {
    // SAFETY: a catalogue look-up inside a transaction; the text is copied at once.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            return Err(insufficient_privilege(
                "the role of this session was dropped",
            ));
        }
        Ok(std::ffi::CStr::from_ptr(name)
            .to_string_lossy()
            .into_owned())
    }
}

/// Run by a trigger on the membership table: every backend forgets what it knew about its caller.
#[pg_trigger]
fn members_changed<'a>(
    trigger: &'a PgTrigger<'a>,
) -> PgResult<Option<PgHeapTuple<'a, impl WhoAllocated>>> {
    let relation = trigger
        .relation()
        .map_err(|error| crate::error::internal(error.to_string()))?;
    // SAFETY: the oid is that of the table whose trigger is running; it exists and is locked.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation.oid()) };
    Ok(None::<PgHeapTuple<'a, AllocatedByPostgres>>)
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.current_restaurant() IS
'The restaurant that this transaction works for, NULL when there is none (policies then show nothing). With access to several restaurants choose one: SET LOCAL sop_ml.restaurant_id = ''…'';';
COMMENT ON FUNCTION sop_ml.readable_restaurants() IS
'Every restaurant that the caller may read: by membership, by the claims of a gateway, or all of them for superusers and BYPASSRLS roles.';
COMMENT ON FUNCTION sop_ml.visible_restaurants() IS
'The restaurants whose rows the summary views show: the current one, all of a group reader''s, or all for superusers and BYPASSRLS roles.';
COMMENT ON FUNCTION sop_ml.has_access(text) IS
'Whether the caller has this access level (viewer, staff, analyst, manager, owner) or a higher one at the current restaurant. Example: SELECT sop_ml.has_access(''analyst'');';
COMMENT ON FUNCTION sop_ml.caller() IS
'Who is asking: database role, application user, restaurant, access level there, and how that is known (token, gateway, membership, unrestricted). Example: SELECT * FROM sop_ml.caller();';
COMMENT ON FUNCTION sop_ml.members_changed() IS
'Trigger function: makes every session look up its memberships again.';
"#,
    name = "comment_tenancy",
    requires = [
        current_restaurant,
        readable_restaurants,
        visible_restaurants,
        has_access,
        caller,
        members_changed
    ]
);

/// Runs `work` as the submitter of a job: with the rights of that role, and with its context at that restaurant.
///
/// # Errors
/// 42501 when the submitter's membership has ended; otherwise what the work raises.
pub(crate) fn as_submitter<T>(
    submitter: &Submitter,
    restaurant: Uuid,
    work: impl FnOnce() -> PgResult<T>,
) -> PgResult<T> {
    let context = context::of_submitter(submitter, restaurant)?;
    let _pinned = cache::pin(context, submitter.role);
    identity::as_role(submitter.role, work)
}

/// Runs a fixed look-up that the caller's own rights do not cover; whether the caller may have its answer is asked before.
pub(crate) fn privileged<T>(look_up: impl FnOnce() -> PgResult<T>) -> PgResult<T> {
    identity::as_superuser(look_up)
}

/// Whether a text is a key set that tokens can be verified with.
///
/// # Errors
/// What is wrong with it, for the administrator.
pub(crate) fn check_keys(text: &str) -> Result<(), String> {
    token::KeySet::parse(text).map(|_| ())
}

/// Fails unless the caller has at least this level at the restaurant that it works for.
///
/// # Errors
/// 42501, naming the level.
pub(crate) fn require(level: AccessLevel) -> PgResult<()> {
    if has_level(level)? {
        return Ok(());
    }
    Err(insufficient_privilege(format!(
        "this needs access level {} at the current restaurant",
        level.name()
    )))
}

/// Fails when there is no such restaurant. Tenants can only name their own; superusers and operators any.
///
/// # Errors
/// 02000, naming it.
pub(crate) fn require_known(restaurant: Uuid) -> PgResult<()> {
    if is_known(restaurant)? {
        return Ok(());
    }
    Err(no_data(format!("there is no restaurant {restaurant}")))
}

/// Whether there is such a restaurant, as far as the caller may see.
pub(crate) fn is_known(restaurant: Uuid) -> PgResult<bool> {
    let found = sql::select_one(RESTAURANT, &[restaurant.into()], |row| {
        row.required::<bool>(1)
    })?;
    Ok(found.is_some())
}

fn all_restaurants() -> PgResult<Vec<Uuid>> {
    sql::select(ALL_RESTAURANTS, &[], |row| row.required(1))
}

/// Whether the caller sees every restaurant: superusers and BYPASSRLS roles.
pub(crate) fn may_see_all() -> PgResult<bool> {
    cache::with(|context| context.sees_all)
}

/// Whether the caller has at least this level at the restaurant that it works for.
pub(crate) fn has_level(level: AccessLevel) -> PgResult<bool> {
    cache::with(|context| context.sees_all || context.level >= Some(level))
}

/// Whether this is the restaurant that the transaction works for.
pub(crate) fn is_current(restaurant: Uuid) -> PgResult<bool> {
    cache::with(|context| context.current == Some(restaurant))
}

/// The restaurant that a function works on: the argument, or the current one when it is NULL.
///
/// # Errors
/// 42501 when there is no context, or when the caller may not work on that restaurant. The message is the same whether
/// the restaurant exists or not.
pub(crate) fn resolve(restaurant_id: Option<Uuid>) -> PgResult<Uuid> {
    resolve_among(restaurant_id, |context, wanted| {
        context.current == Some(wanted)
    })
}

/// As [`resolve`], for functions that only read: group readers may name any of their restaurants.
pub(crate) fn resolve_readable(restaurant_id: Option<Uuid>) -> PgResult<Uuid> {
    resolve_among(restaurant_id, |context, wanted| {
        context.current == Some(wanted)
            || (context.group_reader && context.readable.contains(&wanted))
    })
}

fn resolve_among(
    restaurant_id: Option<Uuid>,
    allowed: impl Fn(&Context, Uuid) -> bool,
) -> PgResult<Uuid> {
    cache::with(|context| match restaurant_id.or(context.current) {
        None => Err(no_context()),
        Some(wanted) if context.sees_all || allowed(context, wanted) => Ok(wanted),
        Some(_) => Err(
            insufficient_privilege("no access to this restaurant").set_hint(
                "Pass NULL to work on the current restaurant, or choose one you are a member of: \
             SET LOCAL sop_ml.restaurant_id = '…';",
            ),
        ),
    })?
}

fn no_context() -> pg_sys::panic::ErrorReport {
    insufficient_privilege("no restaurant is selected").set_hint(
        "Members of one restaurant need nothing; members of several choose one with \
         SET LOCAL sop_ml.restaurant_id = '…'; everybody else has to be added to sop_restaurant_members.",
    )
}
