//! Working out who the caller is. Runs once per transaction and setting; [`super::cache`] keeps the answer.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::{Uuid, pg_sys};

use super::access_level::AccessLevel;
use super::claims::{Claims, parse_uuid};
use super::identity;
use super::snapshot;
use super::token;
use crate::error::{PgResult, insufficient_privilege, invalid_parameter};
use crate::{settings, sql};

const MEMBERSHIPS: &str = include_str!("../../sql/queries/tenancy_memberships.sql");
const USER_MEMBERSHIPS: &str = include_str!("../../sql/queries/tenancy_user_memberships.sql");
const CALLER_ROLES: &str = include_str!("../../sql/queries/tenancy_caller_roles.sql");

/// Seconds between the epochs of Unix (1970) and PostgreSQL (2000).
const EPOCH_DIFFERENCE: f64 = 946_684_800.0;

/// How the caller is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Source {
    /// A signed token.
    Token,
    /// A gateway, with claims or with its choice of a restaurant.
    Gateway,
    /// Membership of the database role.
    #[default]
    Membership,
    /// Superuser or BYPASSRLS: nothing restricts this caller.
    Unrestricted,
}

impl Source {
    /// Its name in SQL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Gateway => "gateway",
            Self::Membership => "membership",
            Self::Unrestricted => "unrestricted",
        }
    }
}

/// What is known about the caller.
#[derive(Debug, Clone, Default)]
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
    /// How this is known.
    pub(crate) source: Source,
    /// The application user that a token or a gateway names.
    pub(crate) user: Option<Uuid>,
    /// When this has to be worked out again: a token or a membership ends.
    pub(crate) expires_at: Option<pg_sys::TimestampTz>,
}

/// Where the caller's claims come from, in the order in which they count.
enum Evidence {
    /// A verified token and when it expires.
    Token(Claims, pg_sys::TimestampTz),
    /// A gateway's claims about its client.
    Gateway(Claims),
    /// A gateway that passes no claims: its choice of a restaurant is believed.
    GatewayChoice,
    /// Nothing but the database role.
    Role,
}

/// Works out the context of the outer user: the one who sent the statement, whatever SECURITY DEFINER function it may
/// be inside.
pub(crate) fn look_up(
    outer_user: pg_sys::Oid,
    gateway_claims: Option<&[u8]>,
    now: pg_sys::TimestampTz,
) -> PgResult<Context> {
    let chosen = chosen_restaurant()?;
    let evidence = evidence(gateway_claims, now)?;
    // SAFETY: catalogue look-ups by oid inside a transaction.
    let sees_all =
        unsafe { pg_sys::superuser_arg(outer_user) || pg_sys::has_bypassrls_privilege(outer_user) };
    if sees_all {
        return Ok(of_all_seeing(evidence, chosen));
    }
    let roles = caller_roles(outer_user)?;
    match evidence {
        Evidence::Token(claims, expires_at) => {
            from_claims(claims, Some(expires_at), chosen, &roles)
        }
        Evidence::Gateway(claims) => from_claims(claims, None, chosen, &roles),
        Evidence::GatewayChoice => Ok(Context {
            current: chosen,
            readable: chosen.into_iter().collect(),
            level: roles.level,
            group_reader: roles.group_reader,
            source: Source::Gateway,
            ..Context::default()
        }),
        Evidence::Role => from_membership(outer_user, chosen, &roles),
    }
}

fn evidence(gateway_claims: Option<&[u8]>, now: pg_sys::TimestampTz) -> PgResult<Evidence> {
    let token = settings::jwt();
    if !token.is_empty() {
        let keys = settings::jwks();
        let verified = token::verify(token, keys, settings::jwt_audience(), unix_seconds(now))
            .ok_or_else(|| insufficient_privilege("invalid token"))?;
        return Ok(Evidence::Token(
            verified.claims,
            timestamp(verified.expires_at),
        ));
    }
    match gateway_claims {
        None => Ok(Evidence::Role),
        Some([]) => Ok(Evidence::GatewayChoice),
        Some(text) => Claims::parse(text)
            .map(Evidence::Gateway)
            .ok_or_else(|| insufficient_privilege("invalid claims")),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a moment in microseconds; a double holds it to the second until the year 287396"
)]
fn unix_seconds(moment: pg_sys::TimestampTz) -> f64 {
    moment as f64 / 1e6 + EPOCH_DIFFERENCE
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from float saturates: a token without a sensible end ends with time itself"
)]
fn timestamp(unix_seconds: f64) -> pg_sys::TimestampTz {
    ((unix_seconds - EPOCH_DIFFERENCE) * 1e6) as pg_sys::TimestampTz
}

/// Superusers and BYPASSRLS roles work for whatever restaurant they name; a token that they set must be valid all the same.
fn of_all_seeing(evidence: Evidence, chosen: Option<Uuid>) -> Context {
    let (claims, expires_at) = match evidence {
        Evidence::Token(claims, expires_at) => (claims, Some(expires_at)),
        Evidence::Gateway(claims) => (claims, None),
        Evidence::GatewayChoice | Evidence::Role => (Claims::default(), None),
    };
    Context {
        current: chosen.or(claims.restaurant),
        user: claims.user,
        sees_all: true,
        source: Source::Unrestricted,
        expires_at,
        ..Context::default()
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

/// One row of `sop_restaurant_members`, judged at this moment.
struct Membership {
    restaurant: Uuid,
    level: Option<AccessLevel>,
    is_active: bool,
    ends_at: Option<pg_sys::TimestampTz>,
}

/// What the claims name, less what a membership of the same user says has ended. Claims that name no restaurant leave
/// the choice to the memberships.
fn from_claims(
    claims: Claims,
    expires_at: Option<pg_sys::TimestampTz>,
    chosen: Option<Uuid>,
    roles: &Roles,
) -> PgResult<Context> {
    let memberships = match claims.user {
        None => Vec::new(),
        Some(user) => memberships(USER_MEMBERSHIPS, user.into())?,
    };
    let is_active = |id: Uuid| {
        memberships
            .iter()
            .any(|one| one.restaurant == id && one.is_active)
    };
    let has_ended = |id: Uuid| memberships.iter().any(|one| one.restaurant == id) && !is_active(id);
    let readable: Vec<Uuid> = if claims.restaurants.is_empty() {
        active_restaurants(&memberships)
    } else {
        let named = claims.restaurants.into_iter();
        named.filter(|id| !has_ended(*id)).collect()
    };
    let current = choose(chosen.or(claims.restaurant), &readable);
    let bounds = [claims.level, level_at(current, &memberships)];
    Ok(Context {
        current,
        readable,
        level: bounds
            .into_iter()
            .flatten()
            .fold(roles.level, |level, bound| level.min(Some(bound))),
        group_reader: roles.group_reader,
        sees_all: false,
        source: match expires_at {
            Some(_) => Source::Token,
            None => Source::Gateway,
        },
        user: claims.user,
        expires_at: earliest(expires_at, &memberships),
    })
}

fn from_membership(
    outer_user: pg_sys::Oid,
    chosen: Option<Uuid>,
    roles: &Roles,
) -> PgResult<Context> {
    let memberships = memberships(MEMBERSHIPS, outer_user.into())?;
    let readable = active_restaurants(&memberships);
    let current = choose(chosen, &readable);
    let member = level_at(current, &memberships);
    Ok(Context {
        current,
        readable,
        // A login without any of our roles has rights of its own making; there the membership alone tells.
        level: match roles.level {
            Some(role) => member.min(Some(role)),
            None => member,
        },
        group_reader: roles.group_reader,
        sees_all: false,
        source: Source::Membership,
        user: None,
        expires_at: earliest(None, &memberships),
    })
}

/// Who submitted a job, as its row says.
pub(crate) struct Submitter {
    /// The database role.
    pub(crate) role: pg_sys::Oid,
    /// The application user, when the context named one.
    pub(crate) user: Option<Uuid>,
    /// The level at that time.
    pub(crate) level: Option<AccessLevel>,
    /// Whether a membership of the role was all that made the submitter known.
    pub(crate) by_membership: bool,
}

/// The context in which a job of this submitter runs now: never more than when it was submitted, and nothing when the
/// membership has ended since.
pub(crate) fn of_submitter(submitter: &Submitter, restaurant: Uuid) -> PgResult<Context> {
    // SAFETY: catalogue look-ups by oid inside a transaction.
    let sees_all = unsafe {
        pg_sys::superuser_arg(submitter.role) || pg_sys::has_bypassrls_privilege(submitter.role)
    };
    if sees_all {
        let choice = (restaurant != Uuid::from_bytes([0; 16])).then_some(restaurant);
        return Ok(of_all_seeing(Evidence::Role, choice));
    }
    let roles = caller_roles(submitter.role)?;
    let context = if submitter.by_membership {
        from_membership(submitter.role, Some(restaurant), &roles)?
    } else {
        let claims = Claims {
            user: submitter.user,
            restaurant: Some(restaurant),
            restaurants: vec![restaurant],
            level: None,
        };
        from_claims(claims, None, None, &roles)?
    };
    if context.current.is_none() {
        return Err(insufficient_privilege(
            "the submitter has no access to this restaurant any more",
        ));
    }
    Ok(Context {
        level: context.level.min(submitter.level),
        ..context
    })
}

fn memberships(statement: &str, whose: pgrx::datum::DatumWithOid<'_>) -> PgResult<Vec<Membership>> {
    as_superuser(|| {
        sql::select(statement, &[whose], |row| {
            let ends_at = row.get::<TimestampWithTimeZone>(4)?;
            Ok(Membership {
                restaurant: row.required(1)?,
                level: AccessLevel::parse(&row.required::<String>(2)?),
                is_active: row.required(3)?,
                ends_at: ends_at.map(pg_sys::TimestampTz::from),
            })
        })
    })
}

fn active_restaurants(memberships: &[Membership]) -> Vec<Uuid> {
    let active = memberships.iter().filter(|one| one.is_active);
    let mut ids: Vec<Uuid> = active.map(|one| one.restaurant).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The highest level of the active memberships at a restaurant.
fn level_at(restaurant: Option<Uuid>, memberships: &[Membership]) -> Option<AccessLevel> {
    memberships
        .iter()
        .filter(|one| one.is_active && Some(one.restaurant) == restaurant)
        .filter_map(|one| one.level)
        .max()
}

fn earliest(
    token: Option<pg_sys::TimestampTz>,
    memberships: &[Membership],
) -> Option<pg_sys::TimestampTz> {
    let active = memberships.iter().filter(|one| one.is_active);
    active.filter_map(|one| one.ends_at).chain(token).min()
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

/// Runs a fixed look-up past the policies of what it reads, and sees what is true now.
fn as_superuser<T>(look_up: impl FnOnce() -> PgResult<T>) -> PgResult<T> {
    identity::as_superuser(|| snapshot::with_latest(look_up))
}
