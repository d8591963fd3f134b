//! The audit log's hash chain: what an entry hashes to, and where a chain is broken.
//!
//! Entries are written by triggers (`sql/idempotent/110_audit.sql`); the end of each chain lies in
//! `sop_ml_storage.audit_heads`, so that missing last entries are seen too.

use crate::jsonb::JsonB;
use pgrx::Uuid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::arguments::required;
use crate::error::{PgResult, internal, invalid_parameter};
use crate::tenancy::{self, AccessLevel};
use crate::{options, sql};

const VERIFY: &str = include_str!("../sql/queries/audit_verify.sql");

/// What `verify_audit` accepts: a number and a hash that were noted outside of the database.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    anchor_entry: Option<i64>,
    anchor_hash: Option<String>,
}

/// SHA-256 over version, previous hash and fields, each with its length: no two different entries have one input.
#[pg_extern(immutable, parallel_safe)]
fn audit_hash(
    previous_hash: Option<&[u8]>,
    fields: Option<pgrx::Array<'_, &str>>,
) -> PgResult<Vec<u8>> {
    let fields = required("fields", fields)?;
    let mut hash = Sha256::new();
    hash.update([1]);
    update(&mut hash, previous_hash);
    let count = u64::try_from(fields.len()).map_err(|error| internal(error.to_string()))?;
    hash.update(count.to_le_bytes());
    for field in fields.iter() {
        update(&mut hash, field.map(str::as_bytes));
    }
    Ok(hash.finalize().to_vec())
}

/// A mark for NULL or not, the length, the bytes.
fn update(hash: &mut Sha256, bytes: Option<&[u8]>) {
    match bytes {
        None => hash.update([0]),
        Some(bytes) => {
            hash.update([1]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
    }
}

/// Recomputes a restaurant's chain and reports its first break.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn verify_audit(
    restaurant_id: default!(Option<Uuid>, "NULL"),
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(restaurant_id, Uuid),
            name!(entries, i64),
            name!(is_intact, bool),
            name!(first_break, Option<i64>),
            name!(reason, Option<String>),
            name!(head_hash, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let options: Options = options::parse(options)?;
    if options.anchor_entry.is_some() != options.anchor_hash.is_some() {
        return Err(invalid_parameter(
            "invalid options: anchor_entry and anchor_hash go together",
        ));
    }
    let restaurant = tenancy::resolve_readable(restaurant_id)?;
    tenancy::require(AccessLevel::Manager)?;
    let arguments = [
        restaurant.into(),
        options.anchor_entry.into(),
        options.anchor_hash.into(),
    ];
    // The heads lie where no tenant may look.
    let report = tenancy::privileged(|| {
        sql::select(VERIFY, &arguments, |row| {
            let first_break = row.get::<i64>(2)?;
            Ok((
                restaurant,
                row.required(1)?,
                first_break.is_none(),
                first_break,
                row.get(3)?,
                row.get(4)?,
            ))
        })
    })?;
    Ok(TableIterator::new(report))
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.audit_hash(bytea, text[]) IS
'SHA-256 over the hash of the previous audit entry and the fields of an entry, each with its length. Used by the audit log''s trigger and by verify_audit.';
COMMENT ON FUNCTION sop_ml.verify_audit(uuid, jsonb) IS
'Recomputes the hash chain of a restaurant''s audit log and reports the first entry that was changed, removed or put in; for managers. Options: anchor_entry and anchor_hash (a number and a head_hash noted outside of the database). Example: SELECT * FROM sop_ml.verify_audit();';
"#,
    name = "comment_audit",
    requires = [audit_hash, verify_audit]
);
