//! `self_check()`: the rules that keep tenants apart and data whole, each asked of the catalogues.
//!
//! A rule is a statement of `sql/queries/self_check_*.sql` that returns what breaks it: the object, and how.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::PgResult;
use crate::{install, sql};

const REGISTER: &str = include_str!("../sql/queries/self_check_register.sql");

/// What a rule's statement takes as parameters.
enum Takes {
    /// Nothing.
    Nothing,
    /// The version of the library.
    Version,
    /// Names and checksums of the migrations.
    Migrations,
}

struct Rule {
    name: &'static str,
    statement: &'static str,
    takes: Takes,
    hint: &'static str,
}

const fn rule(name: &'static str, statement: &'static str, hint: &'static str) -> Rule {
    Rule {
        name,
        statement,
        takes: Takes::Nothing,
        hint,
    }
}

/// What `install()` puts right by itself.
const INSTALL: &str = "Run SELECT * FROM sop_ml.install(); as superuser or owner of the extension.";

const RULES: &[Rule] = &[
    rule(
        "row_security",
        include_str!("../sql/queries/self_check_row_security.sql"),
        "ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; install() does it for the tables and partitions of sop_ml.",
    ),
    rule(
        "policy_per_command",
        include_str!("../sql/queries/self_check_policy_per_command.sql"),
        INSTALL,
    ),
    rule(
        "policy_once",
        include_str!("../sql/queries/self_check_policy_once.sql"),
        "Permissive policies add rows: narrow with CREATE POLICY … AS RESTRICTIVE, or drop the further policy.",
    ),
    rule(
        "policy_subselect",
        include_str!("../sql/queries/self_check_policy_subselect.sql"),
        "Compare restaurant_id with sop_ml.current_restaurant() directly.",
    ),
    rule(
        "policy_function",
        include_str!("../sql/queries/self_check_policy_function.sql"),
        "Mark the function STABLE if that is the truth, or do without it.",
    ),
    rule(
        "policy_always_true",
        include_str!("../sql/queries/self_check_policy_always_true.sql"),
        "Drop the policy, or compare restaurant_id with sop_ml.current_restaurant(); a role that may see all is made with BYPASSRLS.",
    ),
    rule(
        "tenant_key",
        include_str!("../sql/queries/self_check_tenant_key.sql"),
        "Every table in schema sop_ml has restaurant_id uuid NOT NULL; other tables belong into a schema of their own.",
    ),
    rule(
        "primary_key",
        include_str!("../sql/queries/self_check_primary_key.sql"),
        "ALTER TABLE … ADD PRIMARY KEY (restaurant_id, …).",
    ),
    rule(
        "key_leads",
        include_str!("../sql/queries/self_check_key_leads.sql"),
        "Put restaurant_id first in the key.",
    ),
    rule(
        "foreign_key_index",
        include_str!("../sql/queries/self_check_foreign_key_index.sql"),
        "CREATE INDEX on the columns of the foreign key.",
    ),
    rule(
        "duplicate_index",
        include_str!("../sql/queries/self_check_duplicate_index.sql"),
        "DROP INDEX on the one that is not of sop_ml.",
    ),
    rule(
        "invalid_index",
        include_str!("../sql/queries/self_check_invalid_index.sql"),
        "REINDEX INDEX CONCURRENTLY for an index; ALTER TABLE … VALIDATE CONSTRAINT for a constraint.",
    ),
    rule(
        "leakproof_column",
        include_str!("../sql/queries/self_check_leakproof_column.sql"),
        "Use uuid, bigint, integer, float8, text, date, timestamptz or boolean: text with a CHECK in place of an enum.",
    ),
    rule(
        "definer_search_path",
        include_str!("../sql/queries/self_check_definer_search_path.sql"),
        "ALTER FUNCTION … SET search_path = pg_catalog, pg_temp.",
    ),
    rule(
        "public_function",
        include_str!("../sql/queries/self_check_public_function.sql"),
        "REVOKE EXECUTE ON FUNCTION … FROM PUBLIC.",
    ),
    rule(
        "public_privilege",
        include_str!("../sql/queries/self_check_public_privilege.sql"),
        INSTALL,
    ),
    rule(
        "storage_closed",
        include_str!("../sql/queries/self_check_storage_closed.sql"),
        "REVOKE it, or DROP the policy: rows are reached through the tables and views of schema sop_ml.",
    ),
    rule(
        "schema_create",
        include_str!("../sql/queries/self_check_schema_create.sql"),
        INSTALL,
    ),
    rule(
        "beyond_rows",
        include_str!("../sql/queries/self_check_beyond_rows.sql"),
        "REVOKE TRUNCATE, REFERENCES, TRIGGER, MAINTAIN ON … FROM the role.",
    ),
    rule(
        "role_attributes",
        include_str!("../sql/queries/self_check_role_attributes.sql"),
        "ALTER ROLE …; a missing role: CREATE ROLE … NOLOGIN (sop_ml_operator: NOLOGIN BYPASSRLS), then install().",
    ),
    rule(
        "view_security",
        include_str!("../sql/queries/self_check_view_security.sql"),
        "ALTER VIEW … SET (security_invoker = true).",
    ),
    rule(
        "materialized_view",
        include_str!("../sql/queries/self_check_materialized_view.sql"),
        "ALTER MATERIALIZED VIEW … SET SCHEMA sop_ml_storage, with a security_barrier view before it.",
    ),
    rule(
        "argument_name",
        include_str!("../sql/queries/self_check_argument_name.sql"),
        "Name the argument so that name => value can be written without quotes.",
    ),
    rule(
        "overload",
        include_str!("../sql/queries/self_check_overload.sql"),
        "Give one of the functions another name.",
    ),
    rule(
        "stable_function",
        include_str!("../sql/queries/self_check_stable_function.sql"),
        "Mark a function that writes VOLATILE, and one that only reads STABLE PARALLEL SAFE.",
    ),
    rule(
        "trigger_enabled",
        include_str!("../sql/queries/self_check_trigger_enabled.sql"),
        "ALTER TABLE … ENABLE TRIGGER …; a missing trigger is made by install().",
    ),
    rule(
        "extension_member",
        include_str!("../sql/queries/self_check_extension_member.sql"),
        "ALTER EXTENSION sop_ml DROP TABLE … (the rows stay).",
    ),
    Rule {
        name: "version",
        statement: include_str!("../sql/queries/self_check_version.sql"),
        takes: Takes::Version,
        hint: "ALTER EXTENSION sop_ml UPDATE; if that is done already, reconnect to load the new library.",
    },
    Rule {
        name: "migrations",
        statement: include_str!("../sql/queries/self_check_migrations.sql"),
        takes: Takes::Migrations,
        hint: INSTALL,
    },
];

/// Asks every rule of the installation; a row per rule, or one for each object that breaks it.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn self_check() -> Result<
    TableIterator<
        'static,
        (
            name!(rule, String),
            name!(status, String),
            name!(object_name, Option<String>),
            name!(detail, Option<String>),
            name!(hint, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let mut rows = Vec::new();
    for rule in RULES {
        pgrx::check_for_interrupts!();
        let offences = rule.offences()?;
        if offences.is_empty() {
            rows.push((rule.name.to_owned(), "ok".to_owned(), None, None, None));
        }
        rows.extend(offences.into_iter().map(|(object_name, detail)| {
            (
                rule.name.to_owned(),
                "failed".to_owned(),
                Some(object_name),
                Some(detail),
                Some(rule.hint.to_owned()),
            )
        }));
    }
    Ok(TableIterator::new(rows))
}

extension_sql!(
    r#"
COMMENT ON FUNCTION sop_ml.self_check() IS
'Asks every rule of the installation (row-level security, policies, rights, keys, indexes, triggers, functions, versions): one row with status ok for a rule that holds, one row with status failed for each object that breaks it, with what is wrong and what to do. Reads the catalogues only. For owners and operators. Example: SELECT * FROM sop_ml.self_check() WHERE status = ''failed'';';
"#,
    name = "comment_self_check",
    requires = [self_check]
);

impl Rule {
    /// The objects that break the rule, each with how.
    fn offences(&self) -> PgResult<Vec<(String, String)>> {
        let read = |arguments: &[DatumWithOid<'_>]| {
            sql::select(self.statement, arguments, |row| {
                Ok((row.required(1)?, row.required(2)?))
            })
        };
        match self.takes {
            Takes::Nothing => read(&[]),
            Takes::Version => read(&[env!("CARGO_PKG_VERSION").into()]),
            Takes::Migrations if !register_exists()? => Ok(vec![(
                "sop_ml.sop_schema_migrations".to_owned(),
                "the register of migrations is missing: no table was made yet".to_owned(),
            )]),
            Takes::Migrations => {
                let (names, checksums): (Vec<String>, Vec<String>) = install::migrations().unzip();
                read(&[names.into(), checksums.into()])
            }
        }
    }
}

/// A statement that names a missing table cannot even be planned.
fn register_exists() -> PgResult<bool> {
    Ok(sql::select_one(REGISTER, &[], |row| row.required(1))?.unwrap_or(false))
}
