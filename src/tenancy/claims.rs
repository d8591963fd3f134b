//! What a verified token, or a trusted gateway, says about its bearer.

use pgrx::Uuid;
use serde::Deserialize;
use serde_json::Value;

use super::access_level::AccessLevel;

/// Claims whose origin has been checked by whoever made this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// `sub`, when it is a uuid: the application user, whose memberships count.
    pub(crate) user: Option<Uuid>,
    /// `restaurant`: the one to work for.
    pub(crate) restaurant: Option<Uuid>,
    /// `restaurant` and `restaurants`, sorted and without doubles.
    pub(crate) restaurants: Vec<Uuid>,
    /// `role`: the highest level that the bearer may use; it narrows, never widens.
    pub(crate) level: Option<AccessLevel>,
}

/// The names and types of the claims; others are the issuer's own business.
#[derive(Debug, Deserialize)]
struct Text {
    sub: Option<String>,
    restaurant: Option<String>,
    restaurants: Option<Vec<String>>,
    role: Option<String>,
}

impl Claims {
    /// Reads claims from JSON text; `None` as in [`Claims::from_json`].
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        Self::from_json(serde_json::from_slice(text).ok()?)
    }

    /// Reads claims; `None` when one that is ours has a wrong form. A `sub` that is no uuid belongs to somebody else's
    /// numbering and is left alone.
    pub(crate) fn from_json(claims: Value) -> Option<Self> {
        let text = Text::deserialize(claims).ok()?;
        let restaurant = match &text.restaurant {
            None => None,
            Some(id) => Some(parse_uuid(id)?),
        };
        let mut restaurants = text
            .restaurants
            .iter()
            .flatten()
            .map(|id| parse_uuid(id))
            .collect::<Option<Vec<_>>>()?;
        restaurants.extend(restaurant);
        restaurants.sort_unstable();
        restaurants.dedup();
        let level = match &text.role {
            None => None,
            Some(name) => Some(AccessLevel::parse(name)?),
        };
        Some(Self {
            user: text.sub.as_deref().and_then(parse_uuid),
            restaurant,
            restaurants,
            level,
        })
    }
}

/// The canonical form only: 32 hexadecimal digits, with or without hyphens.
pub(crate) fn parse_uuid(text: &str) -> Option<Uuid> {
    let digits = text.replace('-', "");
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let value = u128::from_str_radix(&digits, 16).ok()?;
    Some(Uuid::from_bytes(value.to_be_bytes()))
}
