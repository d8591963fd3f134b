//! What the catalogue says about the relation under test.

use pgrx::pg_sys;
use pgrx::spi::{quote_identifier, quote_qualified_identifier};

use crate::error::{PgResult, invalid_parameter};
use crate::regclass::RegClass;
use crate::sql;

const RELATION: &str = include_str!("../../sql/queries/data_quality_relation.sql");
const COLUMNS: &str = include_str!("../../sql/queries/data_quality_columns.sql");
const KEYS: &str = include_str!("../../sql/queries/data_quality_keys.sql");

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) not_null: bool,
}

impl Column {
    /// Whether the type has NaN and infinities.
    pub(super) fn has_not_finite(&self) -> bool {
        matches!(
            self.type_name.as_str(),
            "double precision" | "real" | "numeric"
        )
    }

    /// Whether the type is a point in time.
    pub(super) fn is_time(&self) -> bool {
        matches!(
            self.type_name.as_str(),
            "timestamp with time zone" | "timestamp without time zone" | "date"
        )
    }

    /// Whether values of the type can be told apart and grouped by.
    pub(super) fn is_comparable(&self) -> bool {
        matches!(
            self.type_name.as_str(),
            "boolean"
                | "smallint"
                | "integer"
                | "bigint"
                | "real"
                | "double precision"
                | "numeric"
                | "text"
                | "character varying"
                | "character"
                | "uuid"
                | "jsonb"
        )
    }
}

/// A relation with its columns and keys.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    kind: String,
    pub(super) columns: Vec<Column>,
    /// Columns of the unique keys, the primary key first.
    pub(super) keys: Vec<Vec<String>>,
}

impl Relation {
    /// Reads the catalogue.
    ///
    /// # Errors
    /// 22023 when there is no such relation, or when it has no rows to read (an index, a sequence, a type).
    pub(super) fn read(relation: RegClass) -> PgResult<Self> {
        let oid: pg_sys::Oid = relation.oid();
        let names = sql::select_one(RELATION, &[oid.into()], |row| {
            let text = |at| row.required::<String>(at);
            Ok((text(1)?, text(2)?, text(3)?))
        })?;
        let (schema, name, kind) = names.ok_or_else(|| {
            invalid_parameter(format!("there is no relation with oid {}", oid.to_u32()))
        })?;
        if !matches!(kind.as_str(), "r" | "p" | "v" | "m" | "f") {
            return Err(invalid_parameter(format!(
                "relation {schema}.{name} has no rows to check"
            ))
            .set_hint("Name a table, a view, a materialized view or a foreign table."));
        }
        let columns = sql::select(COLUMNS, &[oid.into()], |row| {
            Ok(Column {
                name: row.required(1)?,
                type_name: row.required(2)?,
                not_null: row.required(3)?,
            })
        })?;
        let keys = sql::select(KEYS, &[oid.into()], |row| row.required::<Vec<String>>(1))?;
        Ok(Self {
            schema,
            name,
            kind,
            columns,
            keys,
        })
    }

    /// Schema and name as rules and reports have them.
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Schema and name quoted by the server.
    pub(super) fn sql(&self) -> String {
        quote_qualified_identifier(&self.schema, &self.name)
    }

    /// The column with this name.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether rows belong to restaurants.
    pub(super) fn has_tenants(&self) -> bool {
        self.column("restaurant_id")
            .is_some_and(|column| column.type_name == "uuid")
    }

    /// Whether a constraint excludes that two rows of a restaurant agree in these columns.
    pub(super) fn guarantees_unique(&self, columns: &[String]) -> bool {
        let tenants = self.has_tenants();
        self.keys.iter().any(|key| {
            key.iter()
                .all(|name| columns.contains(name) || (tenants && name == "restaurant_id"))
        })
    }

    /// An expression that names the row `t` as JSON, and what to sort it by; `None` when nothing names a row.
    pub(super) fn row_key(&self) -> Option<(String, String)> {
        let Some(key) = self.keys.first() else {
            return matches!(self.kind.as_str(), "r" | "m").then(|| {
                let json = "pg_catalog.jsonb_build_object('ctid', t.ctid)";
                (json.to_owned(), "t.ctid".to_owned())
            });
        };
        let sort: Vec<String> = key
            .iter()
            .map(|name| format!("t.{}", quote_identifier(name)))
            .collect();
        let tenants = self.has_tenants();
        let parts: Vec<String> = key
            .iter()
            .filter(|name| key.len() == 1 || !tenants || *name != "restaurant_id")
            .map(|name| json_pair(name))
            .collect();
        Some((
            format!("pg_catalog.jsonb_build_object({})", parts.join(", ")),
            sort.join(", "),
        ))
    }
}

/// `'name', t.name` for jsonb_build_object.
pub(super) fn json_pair(name: &str) -> String {
    format!(
        "{}::text, t.{}",
        pgrx::spi::quote_literal(name),
        quote_identifier(name)
    )
}
