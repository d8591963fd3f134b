//! Every aggregate of the extension with rows to run it on, and its answers in a form that plans can be compared by.
//!
//! All of it comes from the catalogue: an aggregate that is added is run, too.

use std::collections::BTreeMap;

use postgres::Client;

use crate::hostile::{reasonable, values};
use crate::{Database, describe, sqlstate};

/// Rows of the sample of an aggregate over numbers, texts and the like.
const ROWS: usize = 1_200;
/// Rows of a sample of stored states, each of which is an aggregate itself.
const STATES: usize = 210;

/// States of these types are equal byte for byte, whatever the plan, as long as a sample like ours is kept exactly or in
/// buckets.
const BYTE_FOR_BYTE: &[&str] = &["sop_ml.percentile_sketch"];

/// An argument of an aggregate.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Its name; empty where it has none.
    pub name: String,
    /// As in `format_type`.
    pub kind: String,
}

/// An aggregate and the relation that holds a sample for it: `part`, `grp`, `id` from 1 without gaps, `a1` … `an`.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// As `regprocedure` prints it, and for states how they were made.
    pub label: String,
    /// Schema and name, quoted.
    pub name: String,
    /// What it takes.
    pub arguments: Vec<Argument>,
    /// The type of its answer.
    pub result: String,
    /// Whether partial states can be put together.
    pub has_combine: bool,
    /// Whether its definition allows parallel plans.
    pub is_parallel_safe: bool,
    /// The partitioned relation with its sample.
    pub relation: String,
    /// Expressions over `s`, a state of the result's type.
    pub answers: Vec<String>,
}

/// The answers of one query: one entry per group, by its key.
pub type Answers = BTreeMap<String, Vec<Option<String>>>;

/// All aggregates, each with a sample relation that this makes in schema `public` as a partitioned table of three
/// partitions.
///
/// # Panics
/// When a sample cannot be made: then `column` below has to learn an argument.
#[must_use]
pub fn read(database: &Database) -> Vec<Aggregate> {
    let rows = database.query(
        "SELECT p.oid::regprocedure::text, format('%I.%I', n.nspname, p.proname),
                ARRAY(SELECT format_type(kind, NULL) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (kind, place) ORDER BY place),
                coalesce(p.proargnames, array_fill(''::text, ARRAY[greatest(p.pronargs, 1)])),
                format_type(p.prorettype, NULL), a.aggcombinefn <> 0, p.proparallel = 's',
                ARRAY(SELECT kind.typnamespace = 'sop_ml'::regnamespace
                        FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (oid, place) JOIN pg_type AS kind USING (oid) ORDER BY place)
           FROM pg_aggregate AS a JOIN pg_proc AS p ON p.oid = a.aggfnoid JOIN pg_namespace AS n ON n.oid = p.pronamespace
          WHERE n.nspname = 'sop_ml' AND a.aggkind = 'n'
            -- Over stored bytes of two states that belong together: the roll-up's own, tested by its golden SQL.
            AND NOT 'bytea'::regtype = ANY (p.proargtypes::oid[])
          ORDER BY 1",
    );
    let mut plain = Vec::new();
    let mut over_states = Vec::new();
    for row in &rows {
        let (kinds, names): (Vec<String>, Vec<String>) = (row.get(2), row.get(3));
        let arguments = kinds.into_iter().zip(names);
        let aggregate = Aggregate {
            label: row.get(0),
            name: row.get(1),
            arguments: arguments
                .map(|(kind, name)| Argument { name, kind })
                .collect(),
            result: row.get(4),
            has_combine: row.get(5),
            is_parallel_safe: row.get(6),
            relation: String::new(),
            answers: Vec::new(),
        };
        let own: Vec<bool> = row.get(7);
        if own.contains(&true) {
            over_states.push(aggregate);
        } else {
            plain.push(aggregate);
        }
    }
    // Every aggregate over states meets the states of every aggregate that makes them.
    let mut found = plain.clone();
    for aggregate in over_states {
        let Some(kind) = aggregate.arguments.first().map(|first| first.kind.clone()) else {
            continue;
        };
        let makers: Vec<&Aggregate> = plain.iter().filter(|maker| maker.result == kind).collect();
        assert!(!makers.is_empty(), "no aggregate makes a {kind}");
        for maker in makers {
            let mut aggregate = aggregate.clone();
            aggregate.label = format!("{} of {}", aggregate.label, maker.label);
            aggregate.relation = format!("states_{}", found.len());
            make_relation(database, &aggregate, Some(maker));
            found.push(aggregate);
        }
    }
    for (at, aggregate) in found.iter_mut().enumerate() {
        if aggregate.relation.is_empty() {
            aggregate.relation = format!("rows_{at}");
            make_relation(database, aggregate, None);
        }
    }
    let accessors = accessors(database);
    for aggregate in &mut found {
        aggregate.answers = working_answers(database, aggregate, &accessors);
    }
    found
}

/// An ordinary value of an argument in row `i`; some are NULL, none of those that have to be the same in all rows.
fn column(argument: &Argument, place: usize) -> String {
    let kind = &argument.kind;
    match (argument.name.as_str(), kind.as_str()) {
        ("n" | "capacity" | "size", "integer" | "bigint") => return format!("40::{kind}"),
        ("precision_bits", "integer") => return "12".to_owned(),
        ("weight", "double precision") => return "((1 + i % 5) / 4.0)::float8".to_owned(),
        (name, _) => {
            if let Some(constant) = reasonable::argument(name, kind).filter(|_| place > 0) {
                return constant.to_owned();
            }
        }
    }
    let value = match kind.as_str() {
        "double precision" if place == 0 => "power(i * 7919 % 1009 / 50.0, 2)::float8".to_owned(),
        "double precision" => "(i * 104729 % 997 / 4.0 + sqrt(i))::float8".to_owned(),
        "text" => "('category ' || i * 7919 % 1009 % 23)".to_owned(),
        "uuid" => "md5((i * 7919 % 211)::text)::uuid".to_owned(),
        "bigint" => "(9007199254740992 + i * 7919 % 211)".to_owned(),
        "timestamp with time zone" => {
            return "(timestamptz '2026-01-01' + i * interval '1 minute')".to_owned();
        }
        _ => values::series(kind).unwrap_or_else(|| panic!("aggregates.rs has no value of {kind}")),
    };
    format!("CASE WHEN i % {} <> 0 THEN {value} END", 11 + 2 * place)
}

fn make_relation(database: &Database, aggregate: &Aggregate, maker: Option<&Aggregate>) {
    let name = &aggregate.relation;
    let columns: Vec<String> = aggregate
        .arguments
        .iter()
        .enumerate()
        .map(|(at, argument)| format!("a{} {}", at + 1, argument.kind))
        .collect();
    let values: Vec<String> = aggregate
        .arguments
        .iter()
        .enumerate()
        .map(|(at, argument)| match maker.filter(|_| at == 0) {
            // States of one value, of a few, and of more than are kept exactly; some are NULL.
            Some(maker) => {
                let inner: Vec<String> = maker
                    .arguments
                    .iter()
                    .enumerate()
                    .map(|(at, argument)| column(argument, at))
                    .collect();
                format!(
                    "CASE WHEN k % 11 <> 0 THEN (SELECT {}({}) FROM generate_series(k * 3, k * 3 + k * k % 90) AS i) END",
                    maker.name,
                    inner.join(", ")
                )
            }
            None => format!("(SELECT {} FROM (VALUES (k)) AS one (i))", column(argument, at)),
        })
        .collect();
    let count = if maker.is_some() { STATES } else { ROWS };
    database.run(&format!(
        "CREATE TABLE {name} (part integer NOT NULL, grp integer NOT NULL, id integer NOT NULL, {columns}) PARTITION BY LIST (part);
         CREATE TABLE {name}_0 PARTITION OF {name} FOR VALUES IN (0) WITH (parallel_workers = 2);
         CREATE TABLE {name}_1 PARTITION OF {name} FOR VALUES IN (1) WITH (parallel_workers = 2);
         CREATE TABLE {name}_2 PARTITION OF {name} FOR VALUES IN (2) WITH (parallel_workers = 2);
         INSERT INTO {name} SELECT k % 3, k % 5, k, {values} FROM generate_series(1, {count}) AS k;
         CREATE TABLE {name}_plain WITH (parallel_workers = 3) AS SELECT * FROM {name} ORDER BY id;
         ANALYZE {name}; ANALYZE {name}_plain",
        columns = columns.join(", "),
        values = values.join(", ")
    ));
}

/// Calls of functions that read one state of a type: the type, and an expression over `s`.
fn accessors(database: &Database) -> Vec<(String, String)> {
    let rows = database.query(
        "SELECT format('%I.%I', n.nspname, p.proname),
                ARRAY(SELECT format_type(kind, NULL) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (kind, place) ORDER BY place),
                p.proargnames, p.pronargdefaults::int
           FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
          WHERE n.nspname = 'sop_ml' AND p.prokind = 'f' AND p.provolatile = 'i' AND p.proargnames IS NOT NULL
            AND NOT p.prorettype IN ('internal'::regtype, 'cstring'::regtype, 'bytea'::regtype)
            AND (SELECT count(*) FROM unnest(p.proargtypes::oid[]) AS a (oid) JOIN pg_type AS kind USING (oid)
                  WHERE kind.typnamespace = n.oid) = 1
          ORDER BY p.oid::regprocedure::text",
    );
    let mut found = Vec::new();
    for row in &rows {
        let name: String = row.get(0);
        let (kinds, names): (Vec<String>, Vec<String>) = (row.get(1), row.get(2));
        let required = kinds.len() - usize::try_from(row.get::<_, i32>(3)).unwrap_or(0);
        let mut state = None;
        let arguments: Option<Vec<String>> = kinds
            .iter()
            .zip(&names)
            .take(required)
            .map(|(kind, name)| {
                if kind.starts_with("sop_ml.") && !kind.ends_with("[]") {
                    state = Some(kind.clone());
                    return Some("s".to_owned());
                }
                reasonable::argument(name, kind)
                    .map(ToOwned::to_owned)
                    .or_else(|| values::ordinary(kind))
            })
            .collect();
        if let (Some(kind), Some(arguments)) = (state, arguments) {
            found.push((
                kind,
                format!(
                    "(SELECT string_agg(r::text, ' ') FROM {name}({}) AS r)",
                    arguments.join(", ")
                ),
            ));
        }
    }
    found
}

/// The accessors that answer for states of this aggregate; one for another kind of state raises.
fn working_answers(
    database: &Database,
    aggregate: &Aggregate,
    accessors: &[(String, String)],
) -> Vec<String> {
    let mut client = database.superuser();
    let mut found = Vec::new();
    for (kind, accessor) in accessors {
        if *kind != aggregate.result {
            continue;
        }
        let query = format!(
            "SELECT {accessor} FROM (SELECT {} AS s FROM {}) AS q",
            aggregate.call(""),
            aggregate.relation
        );
        match client.query(&query, &[]) {
            Ok(_) => found.push(accessor.clone()),
            Err(error) if sqlstate(&error) == "22023" => {}
            Err(error) => panic!("{query}: {}", describe(&error)),
        }
    }
    if found.is_empty() {
        found.push("s::text".to_owned());
    }
    found
}

impl Aggregate {
    /// A call over the columns of its relation; `inside` comes after the arguments (`ORDER BY id`). An aggregate whose
    /// states cannot be put together may depend on the order of rows and always gets one.
    #[must_use]
    pub fn call(&self, inside: &str) -> String {
        let columns = self.columns().join(", ");
        let inside = if inside.is_empty() && !self.has_combine {
            "ORDER BY id"
        } else {
            inside
        };
        format!("{}({columns} {inside})", self.name)
    }

    /// Its columns: `a1`, `a2` …
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        (1..=self.arguments.len())
            .map(|at| format!("a{at}"))
            .collect()
    }

    /// The sample with NULL in every column that is not a parameter.
    #[must_use]
    pub fn only_nulls(&self, relation: &str) -> String {
        let columns: Vec<String> = self
            .arguments
            .iter()
            .enumerate()
            .map(|(at, argument)| {
                let column = format!("a{}", at + 1);
                let is_parameter = at > 0 && !self::column(argument, at).starts_with("CASE");
                if is_parameter {
                    column
                } else {
                    // Not a constant, so that the planner does not fold it away.
                    format!("CASE WHEN id < 0 THEN {column} END AS {column}")
                }
            })
            .collect();
        format!(
            "(SELECT part, grp, id, {} FROM {relation}) AS r",
            columns.join(", ")
        )
    }

    /// The answers of a query that returns `k`, a key, and `s`, a state.
    ///
    /// # Panics
    /// When the query fails.
    pub fn ask(&self, client: &mut Client, query: &str) -> Answers {
        let bytes = if BYTE_FOR_BYTE.contains(&self.result.as_str()) {
            "md5(s::text)"
        } else {
            "NULL::text"
        };
        let statement = format!(
            "SELECT k::text, {bytes}, {} FROM ({query}) AS q (k, s)",
            self.answers.join(", ")
        );
        let rows = client
            .query(&statement, &[])
            .unwrap_or_else(|error| panic!("{}: {statement}: {}", self.label, describe(&error)));
        let mut found = Answers::new();
        for row in &rows {
            let key: Option<String> = row.get(0);
            let answers = (1..row.len()).map(|at| row.get(at)).collect();
            let before = found.insert(key.unwrap_or_default(), answers);
            assert!(before.is_none(), "{}: a key came twice", self.label);
        }
        found
    }
}

/// The first difference between two answers: other text, or numbers that differ by more than one in 10⁹.
#[must_use]
pub fn difference(found: &Answers, expected: &Answers) -> Option<String> {
    if found.keys().ne(expected.keys()) {
        return Some(format!(
            "keys {:?} instead of {:?}",
            found.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>()
        ));
    }
    for ((key, found), expected) in found.iter().zip(expected.values()) {
        for (found, expected) in found.iter().zip(expected) {
            let same = match (found, expected) {
                (Some(found), Some(expected)) => is_close(found, expected),
                (found, expected) => found == expected,
            };
            if !same {
                return Some(format!("group {key}: {found:?} instead of {expected:?}"));
            }
        }
    }
    None
}

fn is_close(found: &str, expected: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '+')))
            .map(ToOwned::to_owned)
            .collect()
    };
    let (found, expected) = (parts(found), parts(expected));
    found.len() == expected.len()
        && found.iter().zip(&expected).all(|(found, expected)| {
            match (found.parse::<f64>(), expected.parse::<f64>()) {
                (Ok(a), Ok(b)) if a.is_finite() && b.is_finite() => {
                    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) + 1e-12
                }
                _ => found == expected,
            }
        })
}

/// The name of the setting that puts a Gather above plans which do not need one.
#[must_use]
pub fn force_parallel(client: &mut Client) -> &'static str {
    let row = client
        .query_one("SELECT current_setting('server_version_num')::int", &[])
        .expect("a server has a version");
    if row.get::<_, i32>(0) >= 160_000 {
        "debug_parallel_query"
    } else {
        "force_parallel_mode"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_rows_are_compared_as_numbers() {
        assert!(is_close("(1.0000000001,a)", "(1,a)"));
        assert!(!is_close("(1.00000001,a)", "(1,a)"));
        assert!(!is_close("(1,a)", "(1,b)"));
        assert!(!is_close("(1,)", "(1,2)"));
        assert!(is_close("NaN Infinity", "NaN Infinity"));
        assert!(!is_close("NaN", "1"));
        let one = |text: Option<&str>| -> Answers {
            [("k".to_owned(), vec![text.map(ToOwned::to_owned)])].into()
        };
        assert_eq!(difference(&one(Some("1")), &one(Some("1"))), None);
        assert!(difference(&one(None), &one(Some("1"))).is_some());
        assert!(difference(&Answers::new(), &one(None)).is_some());
    }
}
