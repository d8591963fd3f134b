//! Which model a text means: `'name'`, `'name@alias'` or `'name@7'`.

use pgrx::Uuid;

use crate::error::{PgResult, invalid_parameter, no_data};
use crate::sql;

const RESOLVE: &str = include_str!("../sql/queries/models_resolve.sql");

/// One version of a model.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// Who owns it: the restaurant, or the shared tenant.
    pub(crate) restaurant_id: Uuid,
    /// Its identity.
    pub(crate) model_id: Uuid,
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: i32,
}

/// A reference taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Reference<'a> {
    name: &'a str,
    version: Option<i32>,
    alias: Option<&'a str>,
}

impl<'a> Reference<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (name, selector) = match text.split_once('@') {
            None => (text, None),
            Some((name, selector)) => (name, Some(selector)),
        };
        let (version, alias) = match selector {
            None => (None, None),
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                (Some(digits.parse().ok()?), None)
            }
            Some(alias) => (None, Some(alias)),
        };
        let sound = !name.is_empty() && alias.is_none_or(|a| !a.is_empty() && !a.contains('@'));
        sound.then_some(Self {
            name,
            version,
            alias,
        })
    }
}

/// Finds the model among those of the restaurant and the shared ones.
///
/// # Errors
/// 22023 when the text is no reference; 02000 when there is no such model for the caller.
pub(crate) fn resolve(restaurant_id: Uuid, model: &str) -> PgResult<Model> {
    const FORMS: &str = "Write a model as 'name', 'name@alias' or 'name@7'.";
    let reference = Reference::parse(model).ok_or_else(|| {
        invalid_parameter(format!("invalid model reference \"{model}\"")).set_hint(FORMS)
    })?;
    sql::select_one(
        RESOLVE,
        &[
            restaurant_id.into(),
            reference.name.into(),
            reference.version.into(),
            reference.alias.into(),
        ],
        |row| {
            Ok(Model {
                restaurant_id: row.required(1)?,
                model_id: row.required(2)?,
                name: row.required(3)?,
                version: row.required(4)?,
            })
        },
    )?
    .ok_or_else(|| no_data(format!("there is no model \"{model}\"")).set_hint(FORMS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        let parse = |text| Reference::parse(text).map(|r| (r.name, r.version, r.alias));
        assert_eq!(parse("demand"), Some(("demand", None, None)));
        assert_eq!(parse("demand@7"), Some(("demand", Some(7), None)));
        assert_eq!(
            parse("demand@champion"),
            Some(("demand", None, Some("champion")))
        );
        assert_eq!(parse("demand@7b"), Some(("demand", None, Some("7b"))));
        for bad in ["", "@7", "demand@", "a@b@c", "demand@99999999999"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
