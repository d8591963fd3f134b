//! What a person allows: stated per purpose, read with its defaults.
//!
//! What follows from it is in view `sop_training_exclusions`, which every statement that learns from people excludes.

use crate::jsonb::JsonB;
use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::required;
use crate::error::{PgResult, insufficient_privilege, internal, invalid_parameter};
use crate::{options, sql, tenancy};

const LOCK: &str = include_str!("../sql/queries/privacy_lock.sql");
const INSERT: &str = include_str!("../sql/queries/privacy_insert.sql");
const UPDATE: &str = include_str!("../sql/queries/privacy_update.sql");
const LIST: &str = include_str!("../sql/queries/privacy_list.sql");

const ALLOWED: &str = "allowed";
const DENIED: &str = "denied";

/// Every purpose and what holds while nothing is stated. Data leaves its restaurant only for those who agreed.
const PURPOSES: [(&str, &str); 4] = [
    ("personalisation", ALLOWED),
    ("training", ALLOWED),
    ("experimentation", ALLOWED),
    ("cross_restaurant", DENIED),
];

/// What goes with a declaration; the names are those of the columns.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Declaration {
    source: Option<Source>,
    legal_basis: Option<String>,
    policy_version: Option<String>,
    notice_language: Option<String>,
    evidence: Option<Value>,
    request_id: Option<String>,
    note: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    User,
    Manager,
    Contract,
    Import,
    Law,
}

/// States a preference and tells what was stated before.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn set_privacy_preference(
    restaurant_id: Option<Uuid>,
    user_id: Option<Uuid>,
    purpose: Option<&str>,
    state: Option<&str>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(user_id, Uuid),
            name!(purpose, String),
            name!(old_state, Option<String>),
            name!(new_state, String),
            name!(since, TimestampWithTimeZone),
        ),
    >,
    ErrorReport,
> {
    let user_id = required("user_id", user_id)?;
    let purpose = required("purpose", purpose)?;
    let state = required("state", state)?;
    if !PURPOSES.iter().any(|(name, _)| *name == purpose) {
        return Err(
            invalid_parameter(format!("unknown purpose \"{purpose}\"")).set_hint(
                "Purposes are personalisation, training, experimentation and cross_restaurant.",
            ),
        );
    }
    if ![ALLOWED, DENIED].contains(&state) {
        return Err(invalid_parameter(format!(
            "state must be 'allowed' or 'denied', not '{state}'"
        )));
    }
    let declaration = declaration(options)?;
    sql::require_writable(c"set_privacy_preference()");
    let restaurant_id = tenancy::resolve(restaurant_id)?;
    tenancy::require_known(restaurant_id)?;
    let (old_state, (new_state, since)) =
        store(restaurant_id, user_id, purpose, state, &declaration)?;
    Ok(TableIterator::once((
        user_id,
        purpose.to_owned(),
        old_state,
        new_state,
        since,
    )))
}

/// One row per purpose.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn privacy_preferences(
    restaurant_id: Option<Uuid>,
    user_id: Option<Uuid>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(purpose, String),
            name!(state, String),
            name!(is_default, bool),
            name!(previous_state, Option<String>),
            name!(since, Option<TimestampWithTimeZone>),
            name!(source, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let user_id = required("user_id", user_id)?;
    let restaurant_id = tenancy::resolve_readable(restaurant_id)?;
    let (purposes, defaults): (Vec<&str>, Vec<&str>) = PURPOSES.into_iter().unzip();
    let rows = sql::select(
        LIST,
        &[
            restaurant_id.into(),
            user_id.into(),
            purposes.into(),
            defaults.into(),
        ],
        |row| {
            Ok((
                row.required(1)?,
                row.required(2)?,
                row.required(3)?,
                row.get(4)?,
                row.get(5)?,
                row.get(6)?,
            ))
        },
    )?;
    Ok(TableIterator::new(rows))
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.set_privacy_preference(uuid, uuid, text, text, jsonb) IS
'States what a person allows or denies for a purpose (personalisation, training, experimentation, cross_restaurant) and returns the state before (NULL when nothing was stated) and now. A denied training or personalisation takes effect in every training and recommendation read that starts after the commit. Managers and higher. Options: source (user, manager, contract, import, law), legal_basis, policy_version, notice_language, evidence, request_id, note. Example: SELECT * FROM sop_ml.set_privacy_preference(NULL, ''…''::uuid, ''training'', ''denied'');';
COMMENT ON FUNCTION sop_ml.privacy_preferences(uuid, uuid) IS
'What holds for a person: one row per purpose, stated or by default (cross_restaurant is denied by default, the others are allowed). Example: SELECT purpose, state, is_default FROM sop_ml.privacy_preferences(NULL, ''…''::uuid);';
"#,
    name = "comment_privacy",
    requires = [set_privacy_preference, privacy_preferences]
);

/// Reads the options: unknown keys and sources are refused here, the rest by the columns' types.
fn declaration(options: Option<JsonB>) -> PgResult<JsonB> {
    let declaration: Declaration = options::parse(options)?;
    serde_json::to_value(declaration)
        .map(JsonB)
        .map_err(|error| internal(error.to_string()))
}

/// What is stored now, and since when.
type Stated = (String, TimestampWithTimeZone);

/// Returns the state before, which is certain: the row was locked, or it did not exist.
fn store(
    restaurant_id: Uuid,
    user_id: Uuid,
    purpose: &str,
    state: &str,
    declaration: &JsonB,
) -> PgResult<(Option<String>, Stated)> {
    let stated = |row: &sql::Row<'_>| Ok((row.required(1)?, row.required(2)?));
    let write = |statement| {
        let arguments = [
            restaurant_id.into(),
            user_id.into(),
            purpose.into(),
            state.into(),
            JsonB(declaration.0.clone()).into(),
        ];
        sql::modify(statement, &arguments, stated).map(|rows| rows.into_iter().next())
    };
    loop {
        let known = sql::modify(
            LOCK,
            &[restaurant_id.into(), user_id.into(), purpose.into()],
            |row| row.required::<String>(1),
        )?;
        if let Some(old_state) = known.into_iter().next() {
            let stored = write(UPDATE)?.ok_or_else(|| {
                insufficient_privilege("privacy preferences are for managers of the restaurant")
            })?;
            return Ok((Some(old_state), stored));
        }
        if let Some(stored) = write(INSERT)? {
            return Ok((None, stored));
        }
        // Somebody else stated it between the two statements: now there is a row to lock.
        pgrx::check_for_interrupts!();
    }
}
