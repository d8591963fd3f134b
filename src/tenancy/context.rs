//! Working out who the caller is. Runs once per transaction and setting; [`super::cache`] keeps the answer.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{Uuid, pg_sys};
use serde::Deserialize;

use super::access_level::AccessLevel;
use crate::error::{PgResult, insufficient_privilege, invalid_parameter};
use crate::{search_path, settings, sql};

const MEMBERSHIPS: &str = include_str!("../../sql/queries/tenancy_memberships.sql");
const CALLER_ROLES: &str = include_str!("../../sql/queries/tenancy_caller_roles.sql");

/// What is known about the caller.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// The restaurant that this transaction works for.
    pub(crate) current: Option<Uuid>,
    /// Every restaurant that the caller may read; empty and unused when `sees_all`.
    pub(crate) readable: Vec<Uuid>,
    /// The caller's level at the current restaurant.
    pub(crate) level: Option<AccessLevel>,
    /// Member of `sop_ml_group_reader`.
    pub(crate) group_reader: bool,
    /// Superuser or BYPASSRLS: row-level security does not apply to this caller.
    pub(crate) sees_all: bool,
}

/// The claims that a gateway passes on for its client.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Claims {
    restaurant: Option<String>,
    restaurants: Vec<String>,
    role: Option<String>,
}

/// Works out the context of the outer user: the one who sent the statement, whatever SECURITY DEFINER function it may
/// be inside.
pub(crate) fn look_up(outer_user: pg_sys::Oid, gateway_claims: Option<&[u8]>) -> PgResult<Context> {
    let chosen = chosen_restaurant()?;
    // SAFETY: catalogue look-ups by oid inside a transaction.
    let sees_all =
        unsafe { pg_sys::superuser_arg(outer_user) || pg_sys::has_bypassrls_privilege(outer_user) };
    if sees_all {
        return Ok(Context {
            current: chosen,
            sees_all,
            ..Context::default()
        });
    }
    let roles = caller_roles(outer_user)?;
    match gateway_claims {
        Some(claims) => from_claims(claims, chosen, &roles),
        None => from_membership(outer_user, chosen, &roles),
    }
}

/// `sop_ml.restaurant_id`, or `None` when it is unset.
fn chosen_restaurant() -> PgResult<Option<Uuid>> {
    let text = settings::restaurant_id();
    if text.is_empty() {
        return Ok(None);
    }
    parse_uuid(&String::from_utf8_lossy(text))
        .map(Some)
        .ok_or_else(|| {
            invalid_parameter("sop_ml.restaurant_id is not a uuid").set_hint(
                "Set it to the restaurant_id of one of your restaurants, or to an empty string.",
            )
        })
}

fn from_claims(claims: &[u8], chosen: Option<Uuid>, roles: &Roles) -> PgResult<Context> {
    if claims.is_empty() {
        return Ok(Context {
            current: chosen,
            readable: chosen.into_iter().collect(),
            level: roles.level,
            group_reader: roles.group_reader,
            sees_all: false,
        });
    }
    let claims: Claims = serde_json::from_slice(claims).map_err(|_| invalid_claims())?;
    let named = claims
        .restaurant
        .as_deref()
        .map(|text| parse_uuid(text).ok_or_else(invalid_claims))
        .transpose()?;
    let mut readable = named.into_iter().collect::<Vec<_>>();
    for text in &claims.restaurants {
        readable.push(parse_uuid(text).ok_or_else(invalid_claims)?);
    }
    readable.sort_unstable();
    readable.dedup();
    let narrowed = match claims.role.as_deref() {
        None => roles.level,
        Some(role) => roles
            .level
            .min(Some(AccessLevel::parse(role).ok_or_else(invalid_claims)?)),
    };
    Ok(Context {
        current: match named {
            Some(restaurant) if chosen.is_none() => Some(restaurant),
            _ => choose(chosen, &readable),
        },
        readable,
        level: narrowed,
        group_reader: roles.group_reader,
        sees_all: false,
    })
}

fn from_membership(
    outer_user: pg_sys::Oid,
    chosen: Option<Uuid>,
    roles: &Roles,
) -> PgResult<Context> {
    let memberships = as_superuser(|| {
        sql::select(MEMBERSHIPS, &[outer_user.into()], |row| {
            Ok((row.required::<Uuid>(1)?, row.required::<String>(2)?))
        })
    })?;
    let mut readable = memberships.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    readable.sort_unstable();
    readable.dedup();
    let current = choose(chosen, &readable);
    let level = memberships
        .iter()
        .filter(|(id, _)| Some(*id) == current)
        .filter_map(|(_, level)| AccessLevel::parse(level))
        .max();
    Ok(Context {
        current,
        readable,
        level,
        group_reader: roles.group_reader,
        sees_all: false,
    })
}

/// The chosen one if it is among the allowed; the only one if nothing was chosen; otherwise none.
fn choose(chosen: Option<Uuid>, allowed: &[Uuid]) -> Option<Uuid> {
    match (chosen, allowed) {
        (Some(id), _) => allowed.contains(&id).then_some(id),
        (None, [only]) => Some(*only),
        (None, _) => None,
    }
}

/// What the caller's database roles say.
struct Roles {
    level: Option<AccessLevel>,
    group_reader: bool,
}

fn caller_roles(outer_user: pg_sys::Oid) -> PgResult<Roles> {
    let names = as_superuser(|| {
        sql::select(CALLER_ROLES, &[outer_user.into()], |row| {
            row.required::<String>(1)
        })
    })?;
    Ok(Roles {
        level: names
            .iter()
            .filter_map(|name| AccessLevel::parse(name.strip_prefix("sop_ml_")?))
            .max(),
        group_reader: names.iter().any(|name| name == "sop_ml_group_reader"),
    })
}

/// Runs a fixed look-up as the bootstrap superuser, so that the membership table's own policies do not apply to it.
///
/// Not SECURITY DEFINER: the caller cannot reach this switch with statements of his own.
fn as_superuser<T>(look_up: impl FnOnce() -> PgResult<T>) -> PgResult<T> {
    struct Restore {
        user: pg_sys::Oid,
        security_context: i32,
    }
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: puts back what `GetUserIdAndSecContext` returned in this same call.
            unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.security_context) };
        }
    }
    let mut saved = Restore {
        user: pg_sys::InvalidOid,
        security_context: 0,
    };
    // SAFETY: reads and sets two variables of this backend; `Restore` puts them back, also when an error unwinds.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut saved.user, &mut saved.security_context);
        pg_sys::SetUserIdAndSecContext(
            pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID),
            saved.security_context
                | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32
                | pg_sys::SECURITY_RESTRICTED_OPERATION as i32,
        );
    }
    search_path::pinned(look_up)
}

fn invalid_claims() -> ErrorReport {
    insufficient_privilege("invalid claims")
}

/// The canonical form only: 32 hexadecimal digits, with or without hyphens between the groups.
fn parse_uuid(text: &str) -> Option<Uuid> {
    let digits = text.replace('-', "");
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    let value = u128::from_str_radix(&digits, 16).ok()?;
    Some(Uuid::from_bytes(value.to_be_bytes()))
}
