//! Calls of the functions that the catalogue lists, with arguments worked out from names and types, so that a function
//! which comes later is called without anybody remembering it.

use postgres::Client;

use crate::fixture::TENANTS;
use crate::hostile::own_types::OwnTypes;
use crate::hostile::values;
use crate::{Database, sqlstate};

/// A function or aggregate of schema `sop_ml` that a client can call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Name and argument types.
    pub signature: String,
    /// Its name alone.
    pub name: String,
    /// As in `pg_proc.provolatile`: `i`, `s` or `v`.
    pub volatility: String,
    /// The statement that calls it for the first tenant of the fixture; arguments with a default are left out.
    pub statement: String,
}

/// What a call came to: its rows as text in a fixed order, or SQLSTATE and message.
pub type Answer = Result<Vec<String>, (String, String)>;

/// Every function and aggregate but trigger functions and those that only the server can call (type input and output,
/// parts of aggregates).
///
/// # Panics
/// When a type of argument is new: then `value` has to learn it.
#[must_use]
pub fn calls(database: &Database) -> Vec<Call> {
    // The moments are literals: asked twice, now() would give two answers.
    let moments = database.texts(
        "SELECT to_char(date_trunc('day', now(), 'UTC') - make_interval(days => back), 'YYYY-MM-DD HH24:MI:SS+00')
           FROM unnest(ARRAY[60, 30, 0]) AS back",
    );
    let [from, middle, to] = moments.as_slice() else {
        panic!("three moments, not {moments:?}")
    };
    let moments = Moments { from, middle, to };
    let own_types = OwnTypes::read(database);
    database
        .query(
            "SELECT p.oid::regprocedure::text, p.proname::text, p.provolatile::text, p.prokind = 'a',
                    ARRAY(SELECT coalesce(p.proargnames[n], '') FROM generate_series(1, p.pronargs - p.pronargdefaults) AS n),
                    ARRAY(SELECT pg_catalog.format_type(p.proargtypes[n - 1], NULL)
                            FROM generate_series(1, p.pronargs - p.pronargdefaults) AS n),
                    ARRAY(SELECT (SELECT min(c.relname::text) FROM pg_catalog.pg_attribute AS a
                                    JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
                                   WHERE c.relnamespace = p.pronamespace AND c.relkind IN ('r', 'p') AND NOT a.attisdropped
                                     AND a.attname = p.proargnames[n] AND a.atttypid = p.proargtypes[n - 1])
                            FROM generate_series(1, p.pronargs - p.pronargdefaults) AS n)
               FROM pg_catalog.pg_proc AS p
              WHERE p.pronamespace = 'sop_ml'::regnamespace AND p.prokind IN ('f', 'a')
                AND NOT (p.proargtypes::oid[] || p.prorettype) && ARRAY['internal', 'cstring', 'trigger', 'event_trigger']::regtype[]::oid[]
              ORDER BY 1",
        )
        .iter()
        .map(|row| {
            let (signature, name): (String, String) = (row.get(0), row.get(1));
            let (names, types): (Vec<String>, Vec<String>) = (row.get(4), row.get(5));
            let columns: Vec<Option<String>> = row.get(6);
            let arguments: Vec<String> = names
                .iter()
                .zip(&types)
                .zip(&columns)
                .map(|((argument, kind), table)| {
                    let value = value(&name, argument, kind, table.as_deref(), &moments, &own_types).unwrap_or_else(|| {
                        panic!("{signature}: no value is known for {argument} {kind}")
                    });
                    format!("{value}::{kind}")
                })
                .collect();
            let arguments = arguments.join(", ");
            let statement = if row.get(3) {
                format!("SELECT sop_ml.\"{name}\"({arguments})::text")
            } else {
                format!("SELECT answer::text FROM sop_ml.\"{name}\"({arguments}) AS answer")
            };
            Call {
                signature,
                name,
                volatility: row.get(2),
                statement,
            }
        })
        .collect()
}

/// Asks; the rows come in a fixed order, because a parallel plan has none.
///
/// # Panics
/// When the connection breaks: no call may bring that about.
pub fn answer(client: &mut Client, statement: &str) -> Answer {
    match client.query(statement, &[]) {
        Ok(rows) => {
            let mut lines: Vec<String> = rows
                .iter()
                .map(|row| {
                    row.get::<_, Option<String>>(0)
                        .unwrap_or_else(|| "NULL".to_owned())
                })
                .collect();
            lines.sort_unstable();
            Ok(lines)
        }
        Err(error) => {
            let raised = error
                .as_db_error()
                .unwrap_or_else(|| panic!("{statement}: the connection broke: {error:?}"));
            Err((sqlstate(&error).to_owned(), raised.message().to_owned()))
        }
    }
}

struct Moments<'a> {
    from: &'a str,
    middle: &'a str,
    to: &'a str,
}

/// An expression for an argument. What is named like a column of a table is taken from a row of the tenant.
fn value(
    function: &str,
    argument: &str,
    kind: &str,
    table: Option<&str>,
    moments: &Moments<'_>,
    own_types: &OwnTypes,
) -> Option<String> {
    let tenant = TENANTS[0].restaurant_id;
    let Moments { from, middle, to } = moments;
    let is_later = ["to_", "as_of", "until", "end"]
        .iter()
        .any(|part| argument.contains(part));
    let is_share = ["level", "fraction", "rate", "share"]
        .iter()
        .any(|part| argument.contains(part));
    let own = |name: &str| own_types.ordinary(&format!("sop_ml.{name}"));
    let text = match (argument, kind) {
        ("restaurant_id", "uuid") => format!("'{tenant}'"),
        ("entity", "text") => "'sop'".to_owned(),
        ("level", "text") => "'viewer'".to_owned(),
        ("kind", "text") if function == "register_dataset" => "'recommendation'".to_owned(),
        ("kind", "text") if function.contains("link_host") => "'users'".to_owned(),
        ("job_name", "text") => "'compute_baselines'".to_owned(),
        ("source", "text") => "'custom'".to_owned(),
        ("severity", "text") => "'low'".to_owned(),
        ("purpose", "text") => "'training'".to_owned(),
        ("state", "text") => "'denied'".to_owned(),
        ("model", "text") => format!(
            "(SELECT name FROM sop_ml.sop_ml_models WHERE restaurant_id = '{tenant}' ORDER BY 1 LIMIT 1)"
        ),
        ("entity_ids", "uuid[]") => "ARRAY[md5('sop 1')::uuid, md5('sop 2')::uuid]".to_owned(),
        ("feature_names", "text[]") => {
            "'{completions:30d,completion_rate:7d,compliance_mean:30d}'".to_owned()
        }
        ("metric_names", "text[]") => "array_fill('metric'::text, ARRAY[10])".to_owned(),
        ("sop_ids", "uuid[]") => "NULL".to_owned(),
        ("group_labels", "text[]") => "'{a,b,a,b,a,b,a,b,a,b}'".to_owned(),
        (_, "text[]") => "'{one,two}'".to_owned(),
        ("relation", "regclass") => "'sop_ml.sop_user_interactions'".to_owned(),
        ("reference", "tstzrange") => format!("'[{from},{middle})'"),
        (_, "tstzrange") => format!("'[{middle},{to})'"),
        (_, "timestamp with time zone") if is_later => format!("'{to}'"),
        (_, "timestamp with time zone") => format!("'{from}'"),
        ("observed_at", "timestamp with time zone[]") => format!(
            "(SELECT array_agg('{from}'::timestamptz + i * interval '1 hour' ORDER BY i) FROM generate_series(1, 10) AS i)"
        ),
        (_, "timestamp with time zone[]") => format!("'{{\"{to}\"}}'"),
        (_, "date") => format!("('{to}'::timestamptz - interval '1 day')"),
        (_, "interval") => "'7 days'".to_owned(),
        (_, "interval[]") => "'{1 day,7 days}'".to_owned(),
        (name, "uuid" | "text") if table.is_some() => format!(
            "(SELECT \"{name}\" FROM sop_ml.\"{}\" WHERE restaurant_id = '{tenant}' ORDER BY 1 LIMIT 1)",
            table?
        ),
        (_, "jsonb") => "'{}'".to_owned(),
        (_, "boolean") => "true".to_owned(),
        ("precision_bits", "integer") => "12".to_owned(),
        (_, "integer") => "3".to_owned(),
        ("trials" | "n" | "reference_n", "bigint") => "10".to_owned(),
        (_, "bigint") => "3".to_owned(),
        ("relative_error", "double precision") => "0.01".to_owned(),
        (_, "double precision") if is_share => "0.9".to_owned(),
        ("denominator" | "reference_denominator", "double precision") => "10".to_owned(),
        (_, "double precision") => "2.5".to_owned(),
        ("counts", "bigint[]") => "'{{8,2},{1,5}}'".to_owned(),
        ("p", "double precision[]") => "'{0.01,0.2,0.5}'".to_owned(),
        ("fractions", "double precision[]") => "'{0.1,0.5,0.9}'".to_owned(),
        (_, "double precision[]" | "bigint[]" | "integer[]") => {
            "'{1,2,3,4,5,6,7,8,9,10}'".to_owned()
        }
        (_, "sop_ml.distribution_profile") if function.contains("categories") => {
            "(SELECT sop_ml.profile_agg_text(x::text) FROM generate_series(1, 9) AS x)".to_owned()
        }
        (_, kind) if kind.starts_with("sop_ml.") => own_types.ordinary(kind),
        (name, "bytea") if name.contains("percentile") => {
            format!("{}::bytea", own("percentile_sketch"))
        }
        (_, "bytea") => {
            let stored = function.strip_suffix("_from_bytea");
            format!("{}::bytea", own(stored.unwrap_or("stats_summary")))
        }
        (_, "boolean[]") => "array_fill(true, ARRAY[10])".to_owned(),
        ("grain", "text") => "'day'".to_owned(),
        ("method", "text") => "'holm'".to_owned(),
        (_, "text") => "'fixture_0'".to_owned(),
        (_, kind) => values::ordinary(kind)?,
    };
    Some(text)
}
