//! Every routine of schema `sop_ml` that SQL may call, from the catalogue, and the statements that call it.

use std::fmt::Write as _;

use super::own_types::OwnTypes;
use super::reasonable;
use super::values;
use crate::Database;
use crate::fixture::TENANTS;

/// What a routine is, as far as it decides how it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `SELECT … FROM f(…)`.
    Function,
    /// `CALL p(…)`.
    Procedure,
    /// An aggregate; the number of direct arguments, which come before `WITHIN GROUP`, where it has such.
    Aggregate(Option<usize>),
    /// `f(…) OVER (…)` and nothing else.
    Window,
}

/// An input argument.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Empty where the routine names none.
    pub name: String,
    /// As in `format_type`; polymorphic types as the type that the harness puts in their place.
    pub type_name: String,
    /// Whether a call may leave it out.
    pub has_default: bool,
}

/// A routine.
#[derive(Debug, Clone)]
pub struct Routine {
    /// As `regprocedure` prints it.
    pub signature: String,
    /// Schema and name, quoted.
    pub name: String,
    /// How it is called.
    pub kind: Kind,
    /// Its input arguments.
    pub arguments: Vec<Argument>,
    /// Whether the owner of a restaurant may call it.
    pub for_tenants: bool,
    /// Whether its answer may depend on rows.
    pub reads_tables: bool,
    /// Keys of its `options`, as its comment documents them.
    pub option_keys: Vec<String>,
}

/// What the catalogue has, and what of it SQL cannot call.
#[derive(Debug)]
pub struct Routines {
    /// To be called.
    pub callable: Vec<Routine>,
    /// With an argument or a result that SQL has no values of: exercised by what uses them.
    pub uncallable: Vec<String>,
}

/// Reads `pg_proc`.
///
/// # Panics
/// When a routine is of a kind that this module does not know.
#[must_use]
pub fn read(database: &Database) -> Routines {
    let rows = database.query(&format!(
        "SELECT p.oid::regprocedure::text, format('%I.%I', n.nspname, p.proname), p.prokind::text,
                CASE WHEN a.aggkind <> 'n' THEN a.aggnumdirectargs::integer END,
                ARRAY(SELECT format_type(CASE t.typname
                                             WHEN 'anyarray' THEN 'float8[]'::regtype
                                             WHEN 'anycompatiblearray' THEN 'float8[]'::regtype
                                             WHEN 'anyrange' THEN 'tstzrange'::regtype
                                             WHEN 'anyenum' THEN 'text'::regtype
                                             ELSE CASE WHEN t.typname LIKE 'any%' THEN 'float8'::regtype ELSE t.oid END
                                         END, NULL)
                        FROM unnest(p.proargtypes) WITH ORDINALITY AS argument (type, position)
                        JOIN pg_type t ON t.oid = argument.type ORDER BY argument.position),
                ARRAY(SELECT coalesce(argument.name, '')
                        FROM unnest(p.proargnames,
                                    coalesce(p.proargmodes, array_fill('i'::\"char\", ARRAY[p.pronargs::integer])))
                             WITH ORDINALITY AS argument (name, mode, position)
                       WHERE argument.mode IN ('i', 'b', 'v') ORDER BY argument.position),
                (p.pronargs - p.pronargdefaults)::integer,
                has_function_privilege('{role}', p.oid, 'EXECUTE'),
                coalesce(substring(obj_description(p.oid, 'pg_proc') FROM 'Options: ([a-z0-9_, ]+)\\.'), ''),
                p.prorettype IN ('internal'::regtype, 'trigger'::regtype, 'event_trigger'::regtype, 'cstring'::regtype)
                    OR EXISTS (SELECT FROM unnest(p.proargtypes) AS argument (type)
                                WHERE argument.type IN ('internal'::regtype, 'cstring'::regtype)),
                p.provolatile <> 'i'
           FROM pg_proc p
           JOIN pg_namespace n ON n.oid = p.pronamespace
           LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
          WHERE n.nspname = 'sop_ml'
          ORDER BY 1",
        role = TENANTS[0].role
    ));
    let mut routines = Routines {
        callable: Vec::new(),
        uncallable: Vec::new(),
    };
    for row in &rows {
        let signature: String = row.get(0);
        if row.get(9) {
            routines.uncallable.push(signature);
            continue;
        }
        let direct: Option<i32> = row.get(3);
        let kind = match row.get::<_, &str>(2) {
            "f" => Kind::Function,
            "p" => Kind::Procedure,
            "a" => Kind::Aggregate(direct.map(|count| usize::try_from(count).unwrap_or(0))),
            "w" => Kind::Window,
            other => panic!("{signature}: unknown kind {other}"),
        };
        let (types, names): (Vec<String>, Vec<String>) = (row.get(4), row.get(5));
        let without_default = usize::try_from(row.get::<_, i32>(6)).unwrap_or(0);
        let arguments = types
            .into_iter()
            .enumerate()
            .map(|(at, type_name)| Argument {
                name: names.get(at).cloned().unwrap_or_default(),
                type_name,
                has_default: at >= without_default,
            })
            .collect();
        routines.callable.push(Routine {
            signature,
            name: row.get(1),
            kind,
            arguments,
            for_tenants: row.get(7),
            reads_tables: row.get(10),
            option_keys: row
                .get::<_, &str>(8)
                .split(", ")
                .filter(|key| !key.is_empty())
                .map(ToOwned::to_owned)
                .collect(),
        });
    }
    routines
}

/// What is read from every answer: rows, length of their text (so that every output function runs), and an SQLSTATE that
/// a report of failures mentions.
const ANSWER: &str = "count(*), coalesce(sum(length(called::text)), 0),
 min(CASE WHEN strpos(called::text, 'SQLSTATE ') > 0 THEN substring(called::text FROM 'SQLSTATE ([0-9A-Z]{5})') END)";

impl Routine {
    /// A call with these expressions; `None` leaves an argument to its default.
    #[must_use]
    pub fn call(&self, arguments: &[Option<&str>]) -> String {
        let list = self.list(arguments);
        match self.kind {
            Kind::Function => format!("SELECT {ANSWER} FROM {}({list}) AS called", self.name),
            Kind::Procedure => format!("CALL {}({list})", self.name),
            Kind::Window => format!(
                "SELECT {ANSWER} FROM (SELECT {}({list}) OVER (ORDER BY i) AS called FROM generate_series(1, 20) AS i) AS answers",
                self.name
            ),
            Kind::Aggregate(_) => self.aggregate(arguments, Shape::Plain, 20, None),
        }
    }

    /// A call in the list of a SELECT that stops at the first row: what a set left unfinished does.
    #[must_use]
    pub fn interrupted_call(&self, arguments: &[Option<&str>]) -> Option<String> {
        (self.kind == Kind::Function)
            .then(|| format!("SELECT {}({}) LIMIT 1", self.name, self.list(arguments)))
    }

    fn list(&self, arguments: &[Option<&str>]) -> String {
        let mut list = String::new();
        for (argument, value) in self.arguments.iter().zip(arguments) {
            let Some(value) = value else { continue };
            if !list.is_empty() {
                list.push_str(", ");
            }
            let _ = if argument.has_default {
                write!(list, "\"{}\" => {value}", argument.name)
            } else {
                write!(list, "{value}")
            };
        }
        list
    }

    /// A call of an aggregate over `rows` rows, in which `special`, where given, is the value of one argument in every
    /// fifth row.
    #[must_use]
    pub fn aggregate(
        &self,
        arguments: &[Option<&str>],
        shape: Shape,
        rows: usize,
        special: Option<(usize, &str)>,
    ) -> String {
        let direct = match self.kind {
            Kind::Aggregate(direct) => direct,
            _ => None,
        };
        let first_column = direct.unwrap_or(0);
        let mut columns = String::new();
        for (at, value) in arguments.iter().enumerate().skip(first_column) {
            let value = value.unwrap_or("NULL");
            let _ = match special {
                Some((place, hostile)) if place == at => write!(
                    columns,
                    ", CASE WHEN i % 5 = 0 THEN {hostile} ELSE {value} END AS x{at}"
                ),
                _ => write!(columns, ", {value} AS x{at}"),
            };
        }
        let names: Vec<String> = (first_column..arguments.len())
            .map(|at| format!("x{at}"))
            .collect();
        let names = if names.is_empty() {
            "*".to_owned()
        } else {
            names.join(", ")
        };
        let head = match direct {
            Some(count) => {
                let values: Vec<&str> = arguments
                    .iter()
                    .take(count)
                    .map(|value| value.unwrap_or("NULL"))
                    .collect();
                format!(
                    "{}({}) WITHIN GROUP (ORDER BY {names})",
                    self.name,
                    values.join(", ")
                )
            }
            None => format!("{}({names})", self.name),
        };
        let (call, tail, source) = match shape {
            Shape::Plain => (head, "", "generate_series(1, ROWS) AS i"),
            Shape::Emptied => (
                format!("{head} FILTER (WHERE false)"),
                "",
                "generate_series(1, ROWS) AS i",
            ),
            Shape::Filtered => (
                format!("{head} FILTER (WHERE i % 3 = 0)"),
                "",
                "generate_series(1, ROWS) AS i",
            ),
            Shape::Grouped => (head, " GROUP BY i % 3", "generate_series(1, ROWS) AS i"),
            Shape::Moving => (
                format!("{head} OVER (ORDER BY i ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)"),
                "",
                "generate_series(1, ROWS) AS i",
            ),
            Shape::Parallel => (
                head,
                "",
                "(SELECT i FROM hostile.numbers WHERE i <= ROWS) AS numbers",
            ),
        };
        format!(
            "SELECT {ANSWER} FROM (SELECT {call} AS called FROM (SELECT i{columns} FROM {}) AS input{tail}) AS answers",
            source.replace("ROWS", &rows.to_string())
        )
    }

    /// The shapes in which this aggregate may be called.
    #[must_use]
    pub fn shapes(&self) -> &'static [Shape] {
        match self.kind {
            Kind::Aggregate(None) => &[
                Shape::Plain,
                Shape::Emptied,
                Shape::Filtered,
                Shape::Grouped,
                Shape::Moving,
                Shape::Parallel,
            ],
            // Ordered-set aggregates know no OVER.
            Kind::Aggregate(Some(_)) => &[
                Shape::Plain,
                Shape::Emptied,
                Shape::Filtered,
                Shape::Grouped,
            ],
            _ => &[],
        }
    }

    /// Expressions with which a call makes sense; `None` where the default does.
    #[must_use]
    pub fn reasonable(&self, own_types: &OwnTypes) -> Vec<Option<String>> {
        let one = |argument: &Argument| {
            let fitting = reasonable::argument(&argument.name, &argument.type_name);
            let stored = self.name.strip_suffix("_from_bytea");
            if let Some(value) = fitting {
                value.to_owned()
            } else if let Some(type_name) = stored.filter(|_| argument.type_name == "bytea") {
                format!("({})::bytea", own_types.ordinary(type_name))
            } else if matches!(self.kind, Kind::Aggregate(_)) {
                // The rows of an aggregate differ.
                values::series(&argument.type_name)
                    .unwrap_or_else(|| own_types.ordinary(&argument.type_name))
            } else {
                values::ordinary(&argument.type_name)
                    .unwrap_or_else(|| own_types.ordinary(&argument.type_name))
            }
        };
        self.arguments
            .iter()
            // A default may mean what only operators may ask for.
            .map(|argument| {
                (!argument.has_default || argument.name == "restaurant_id").then(|| one(argument))
            })
            .collect()
    }
}

/// How an aggregate is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Over all rows.
    Plain,
    /// With a FILTER that leaves no row.
    Emptied,
    /// With a FILTER that leaves some.
    Filtered,
    /// With GROUP BY.
    Grouped,
    /// Over a window that moves, so that rows leave it.
    Moving,
    /// Over a table, in parallel where the session forces it: partial states are written, read and combined.
    Parallel,
}
