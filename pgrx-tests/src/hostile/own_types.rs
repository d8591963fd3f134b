//! The base types of the extension: how values of them are made, from the catalogue.

use super::reasonable;
use super::values::{self, Hostile};
use crate::Database;

/// A base type of schema `sop_ml` and an aggregate that makes values of it.
#[derive(Debug, Clone)]
pub struct OwnType {
    /// As in `format_type`.
    pub name: String,
    /// `agg(x)` as the name of the aggregate alone.
    maker: String,
    /// The types of its arguments.
    arguments: Vec<String>,
    /// The names of its arguments.
    names: Vec<String>,
}

/// All of them.
#[derive(Debug)]
pub struct OwnTypes(pub Vec<OwnType>);

impl OwnTypes {
    /// Reads the catalogue.
    ///
    /// # Panics
    /// When no aggregate makes values of a type: then the harness has to learn another way.
    #[must_use]
    pub fn read(database: &Database) -> Self {
        let rows = database.query(
            "SELECT format_type(t.oid, NULL), maker.name, maker.types, maker.names
               FROM pg_type t
               LEFT JOIN LATERAL (
                    SELECT format('%I.%I', n.nspname, p.proname) AS name,
                           ARRAY(SELECT format_type(type, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, position)
                                  ORDER BY position) AS types,
                           coalesce(p.proargnames::text[], array_fill(''::text, ARRAY[p.pronargs::integer])) AS names
                      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                      JOIN pg_aggregate a ON a.aggfnoid = p.oid AND a.aggkind = 'n'
                     WHERE p.prorettype = t.oid
                       AND NOT EXISTS (SELECT FROM unnest(p.proargtypes) AS x (type) JOIN pg_type y ON y.oid = x.type
                                        WHERE y.typnamespace = 'sop_ml'::regnamespace)
                     ORDER BY p.pronargs, 1 LIMIT 1) AS maker ON true
              WHERE t.typnamespace = 'sop_ml'::regnamespace AND t.typtype = 'b' AND t.typelem = 0
              ORDER BY 1",
        );
        Self(
            rows.iter()
                .map(|row| {
                    let name: String = row.get(0);
                    let maker: Option<String> = row.get(1);
                    OwnType {
                        maker: maker.unwrap_or_else(|| panic!("no aggregate makes a {name}")),
                        arguments: row.get(2),
                        names: row.get(3),
                        name,
                    }
                })
                .collect(),
        )
    }

    /// An ordinary value; NULL of a type that is neither ours nor known.
    #[must_use]
    pub fn ordinary(&self, type_name: &str) -> String {
        match self.find(type_name.trim_end_matches("[]")) {
            Some(own) if type_name.ends_with("[]") => {
                format!("ARRAY[{0}, {0}]", own.made("generate_series(1, 50)", None))
            }
            Some(own) => own.made("generate_series(1, 50)", None),
            None => format!("NULL::{type_name}"),
        }
    }

    /// Hostile values of any type, ours or the server's.
    #[must_use]
    pub fn hostile(&self, type_name: &str) -> Vec<Hostile> {
        let of_server = values::of_type(type_name);
        if !of_server.is_empty() {
            return with_stored(type_name, of_server, self);
        }
        if let Some(own) = self.find(type_name) {
            return own.hostile();
        }
        if let Some(element) = type_name.strip_suffix("[]")
            && let Some(own) = self.find(element)
        {
            // A million copies of a state are gigabytes.
            return values::arrays_of(
                element,
                &own.hostile(),
                &own.made("generate_series(1, 50)", None),
            )
            .into_iter()
            .filter(|value| !value.large)
            .collect();
        }
        vec![Hostile {
            sql: format!("NULL::{type_name}"),
            large: false,
        }]
    }

    fn find(&self, type_name: &str) -> Option<&OwnType> {
        self.0.iter().find(|own| own.name == type_name)
    }
}

/// Bytes may be a stored state of any of our types: whole, cut, extended.
fn with_stored(type_name: &str, mut values: Vec<Hostile>, own_types: &OwnTypes) -> Vec<Hostile> {
    if type_name != "bytea" {
        return values;
    }
    for own in &own_types.0 {
        let stored = format!("({})::bytea", own.made("generate_series(1, 50)", None));
        for sql in [
            stored.clone(),
            format!("substr({stored}, 1, 20)"),
            format!("({stored} || '\\x00'::bytea)"),
            format!("set_byte({stored}, 0, 255)"),
            format!("set_byte({stored}, 9, 255)"),
        ] {
            values.push(Hostile { sql, large: false });
        }
    }
    values
}

impl OwnType {
    /// A value made from rows, all with `value` in the first column where that is given.
    fn made(&self, rows: &str, value: Option<&str>) -> String {
        let arguments: Vec<String> = self
            .arguments
            .iter()
            .zip(&self.names)
            .enumerate()
            .map(|(at, (type_name, name))| match value {
                Some(value) if at == 0 => value.to_owned(),
                // What rows differ in; the same name may mean one word to a function.
                _ => reasonable::argument(name, type_name)
                    .filter(|_| at > 0)
                    .map(ToOwned::to_owned)
                    .or_else(|| values::series(type_name))
                    .unwrap_or_else(|| format!("NULL::{type_name}")),
            })
            .collect();
        format!(
            "(SELECT {}({}) FROM {rows} AS i)",
            self.maker,
            arguments.join(", ")
        )
    }

    fn hostile(&self) -> Vec<Hostile> {
        let small = |sql| Hostile { sql, large: false };
        let mut found = vec![small(format!("NULL::{}", self.name))];
        for rows in [
            "generate_series(1, 1)",
            "generate_series(1, 2)",
            "generate_series(1, 1000)",
        ] {
            found.push(small(self.made(rows, None)));
        }
        let first = self
            .arguments
            .first()
            .map_or("double precision", String::as_str);
        for value in values::of_type(first).iter().filter(|value| !value.large) {
            for rows in ["generate_series(1, 1)", "generate_series(1, 20)"] {
                found.push(small(self.made(rows, Some(&value.sql))));
            }
        }
        // Both ends of the range in one state.
        if first == "double precision" {
            for spread in [
                "(CASE WHEN i % 2 = 0 THEN 1e308 ELSE -1e308 END)::float8",
                "(CASE WHEN i % 2 = 0 THEN 1e308 ELSE 5e-324 END)::float8",
                "(CASE i % 3 WHEN 0 THEN 'Infinity' WHEN 1 THEN '-Infinity' ELSE '1' END)::float8",
                "(CASE i % 2 WHEN 0 THEN 'NaN' ELSE '1' END)::float8",
                "exp(i % 600 - 300)::float8",
            ] {
                found.push(small(self.made("generate_series(1, 1000)", Some(spread))));
            }
        }
        found.push(Hostile {
            sql: self.made("generate_series(1, 1000000)", None),
            large: true,
        });
        found
    }
}
