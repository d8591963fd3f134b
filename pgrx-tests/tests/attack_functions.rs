//! Every function of the catalogue, called by a hostile tenant with the other tenant's restaurant and things: the answer
//! is the one for things that do not exist, and the other tenant's rows stay as they are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use sop_ml_e2e::attack::{NOBODY, SHARED_TENANT, attacker, rows_of, scene};
use sop_ml_e2e::canary::OF_B;
use sop_ml_e2e::catalogue::relations;
use sop_ml_e2e::effort::figure;
use sop_ml_e2e::fixture::TENANTS;
use sop_ml_e2e::watch::{Answer, Session, Watch, assert_clean_log};
use sop_ml_e2e::{Database, describe};

const A: &str = TENANTS[0].restaurant_id;
const B: &str = TENANTS[1].restaurant_id;
const NOWHERE: &str = "dddddddd-0000-4000-8000-00000000000d";

struct Argument {
    name: String,
    kind: String,
    has_default: bool,
}

struct Function {
    /// As it is called: with its schema.
    name: String,
    signature: String,
    arguments: Vec<Argument>,
    /// Whether the attacker may call it.
    allowed: bool,
}

impl Function {
    fn of_restaurant(&self) -> bool {
        self.arguments
            .first()
            .is_some_and(|first| first.name == "restaurant_id")
    }
}

/// The functions that SQL can call, with their input arguments.
fn functions(database: &Database) -> Vec<Function> {
    let rows = database.query(
        "SELECT p.oid::regprocedure::text, format('%I.%I', n.nspname, p.proname),
                coalesce(array_agg(coalesce(p.proargnames[a.position], '') ORDER BY a.position) FILTER (WHERE a.position > 0), '{}'),
                coalesce(array_agg(format_type(a.kind, NULL) ORDER BY a.position) FILTER (WHERE a.position > 0), '{}'),
                p.pronargdefaults::int, has_function_privilege('tenant_a', p.oid, 'EXECUTE')
                    AND has_schema_privilege('tenant_a', n.oid, 'USAGE')
           FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
           LEFT JOIN LATERAL unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (kind, position) ON true
          WHERE n.nspname IN ('sop_ml', 'sop_ml_storage') AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
            AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[]) AND NOT 'cstring'::regtype = ANY (p.proargtypes::oid[])
          GROUP BY p.oid, n.nspname, p.proname, p.proargnames, p.pronargdefaults, n.oid ORDER BY 1",
    );
    rows.iter()
        .map(|row| {
            let (names, kinds): (Vec<String>, Vec<String>) = (row.get(2), row.get(3));
            let defaults = usize::try_from(row.get::<_, i32>(4)).unwrap();
            let count = names.len();
            Function {
                signature: row.get(0),
                name: row.get(1),
                arguments: names
                    .into_iter()
                    .zip(kinds)
                    .enumerate()
                    .map(|(number, (name, kind))| Argument {
                        name,
                        kind,
                        has_default: number + defaults >= count,
                    })
                    .collect(),
                allowed: row.get(5),
            }
        })
        .collect()
}

/// A value that stands for something of the other tenant's, or for something that does not exist.
struct Things {
    /// Column name, type and value of what the other tenant has.
    columns: Vec<(String, String, String)>,
}

impl Things {
    fn of_b(database: &Database) -> Self {
        let mut client = database.superuser();
        let mut columns = Vec::new();
        for relation in relations(database).iter().filter(|relation| {
            relation.schema == "sop_ml" && relation.has_restaurant && relation.stores_rows()
        }) {
            let name = relation.qualified();
            let rows = client
                .query(
                    &format!(
                        "SELECT e.key, e.value FROM (SELECT * FROM {name} WHERE restaurant_id = '{B}' LIMIT 1) t,
                                jsonb_each_text(to_jsonb(t)) AS e WHERE e.value IS NOT NULL ORDER BY 1"
                    ),
                    &[],
                )
                .unwrap_or_else(|error| panic!("{name}: {}", describe(&error)));
            for row in rows {
                columns.push((relation.name.clone(), row.get(0), row.get(1)));
            }
        }
        Self { columns }
    }

    /// What an argument of this name may mean: `model` a model's name, `experiment_id` an experiment.
    fn named(&self, argument: &str, is_identifier: bool) -> Vec<String> {
        let mut values: Vec<String> = self
            .columns
            .iter()
            .filter(|(table, column, value)| {
                let shape = value.len() == 36 && value.matches('-').count() == 4;
                let same = column == argument
                    || (table.contains(argument) && column == "name")
                    || (argument.contains("entity_ids")
                        && (column == "user_id" || column == "sop_id"));
                same && shape == is_identifier && value != B
            })
            .map(|(_, _, value)| value.clone())
            .collect();
        values.sort();
        values.dedup();
        values.truncate(4);
        values
    }
}

/// Arguments whose values are few and known: with another value a function would refuse the call before it looks at rows.
fn ordinary(argument: &str) -> Option<&'static str> {
    Some(match argument {
        "entity" => "'sop'",
        "kind" => "'interactions'",
        "grain" => "'day'",
        "time_zone" => "'Europe/Vienna'",
        "source" => "'custom'",
        "severity" => "'low'",
        "purpose" => "'training'",
        "state" => "'denied'",
        "feature_names" => "NULL",
        _ => return None,
    })
}

/// An SQL expression for an argument; `thing` chooses among what the other tenant has, `None` what does not exist.
fn expression(
    argument: &Argument,
    things: &Things,
    thing: Option<usize>,
    relation: &str,
) -> (String, Option<String>) {
    if let Some(value) = ordinary(&argument.name) {
        return (value.to_owned(), None);
    }
    let kind = argument.kind.as_str();
    if ["uuid", "uuid[]", "text", "text[]"].contains(&kind) {
        let identifier = kind.starts_with("uuid");
        let theirs = things.named(&argument.name, identifier);
        let value = match thing {
            Some(number) if !theirs.is_empty() => theirs[number % theirs.len()].clone(),
            Some(_) if identifier => things.named("user_id", true)[0].clone(),
            Some(_) => "canary_bbbb_name".to_owned(),
            None if identifier => NOWHERE.to_owned(),
            None => "nothing_of_this_name".to_owned(),
        };
        let quoted = format!("'{value}'");
        let text = if kind.ends_with("[]") {
            format!("ARRAY[{quoted}]::{kind}")
        } else {
            quoted
        };
        return (text, Some(value));
    }
    let text = match kind {
        "timestamp with time zone" if argument.name.starts_with("from") => {
            "now() - interval '20 days'".to_owned()
        }
        "timestamp with time zone" => "now()".to_owned(),
        "timestamp with time zone[]" => "ARRAY[now()]".to_owned(),
        "interval" => "interval '7 days'".to_owned(),
        "interval[]" => "ARRAY[interval '7 days']".to_owned(),
        "tstzrange" if argument.name.contains("reference") => {
            "tstzrange('2001-01-01', '2020-01-01')".to_owned()
        }
        "tstzrange" => "tstzrange(now() - interval '20 days', now() + interval '1 day')".to_owned(),
        "date" => "current_date".to_owned(),
        "regclass" => format!("'{relation}'"),
        "jsonb" => "'{}'".to_owned(),
        "boolean" => "true".to_owned(),
        "bytea" => "'\\x00'".to_owned(),
        "sop_ml.stats_summary" => {
            "(SELECT sop_ml.stats_agg(x) FROM generate_series(1, 9) AS x)".to_owned()
        }
        "sop_ml.distribution_profile" => {
            "(SELECT sop_ml.profile_agg(x) FROM generate_series(1, 9) AS x)".to_owned()
        }
        "sop_ml.percentile_sketch" => {
            "(SELECT sop_ml.percentile_agg(x) FROM generate_series(1, 9) AS x)".to_owned()
        }
        "sop_ml.distinct_sketch" => {
            "(SELECT sop_ml.distinct_agg(x) FROM generate_series(1, 9) AS x)".to_owned()
        }
        "sop_ml.top_n_sketch" => {
            "(SELECT sop_ml.top_n_agg(x::text, 3) FROM generate_series(1, 9) AS x)".to_owned()
        }
        "sop_ml.regression_summary" => {
            "(SELECT sop_ml.regression_agg(x * x, x) FROM generate_series(1, 9) AS x)".to_owned()
        }
        "sop_ml.state_durations" => "(SELECT sop_ml.state_duration_agg('step', now()))".to_owned(),
        kind if kind.ends_with("[]") => "ARRAY[1, 2, 3, 4, 5, 6, 7, 8]".to_owned(),
        kind if [
            "integer",
            "bigint",
            "smallint",
            "double precision",
            "real",
            "numeric",
        ]
        .contains(&kind) =>
        {
            "1".to_owned()
        }
        _ => "NULL".to_owned(),
    };
    (text, None)
}

struct Call {
    statement: String,
    asked: Vec<String>,
}

fn call(
    function: &Function,
    things: &Things,
    restaurant: &str,
    thing: Option<usize>,
    relation: &str,
    all: bool,
) -> Call {
    let mut asked = vec![restaurant.trim_matches('\'').to_owned()];
    let mut arguments = Vec::new();
    for argument in &function.arguments {
        let (text, value) = if argument.name == "restaurant_id" {
            (restaurant.to_owned(), None)
        } else if argument.has_default && !all {
            continue;
        } else {
            expression(argument, things, thing, relation)
        };
        asked.extend(value);
        let kind = &argument.kind;
        arguments.push(if argument.name.is_empty() {
            format!("({text})::{kind}")
        } else {
            format!("{} => ({text})::{kind}", argument.name)
        });
    }
    Call {
        statement: format!("SELECT * FROM {}({})", function.name, arguments.join(", ")),
        asked,
    }
}

/// An answer without what was asked for, identifiers made on the way, times and figures.
fn shape(answer: &Answer, asked: &[String]) -> String {
    let mut text = answer.text();
    for value in asked {
        text = text.replace(value.as_str(), "<asked>");
    }
    let mut shape = String::new();
    for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        let (core, end) = word.split_at(
            word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                .len(),
        );
        if core.len() == 36 && core.matches('-').count() == 4 {
            shape.push_str("<id>");
        } else if core.chars().any(|c| c.is_ascii_digit()) {
            shape.push('#');
        } else {
            shape.push_str(core);
        }
        shape.push_str(end);
    }
    shape
}

fn in_transaction(session: &mut Session, statement: &str) -> Answer {
    let answer = session.attack(&format!("BEGIN; {statement}; ROLLBACK"));
    session.run("ROLLBACK");
    answer
}

/// The relations to try a function with when it takes one: all of them, or every eighth in the quick form.
fn relations_for(function: &Function, database: &Database) -> Vec<String> {
    if function
        .arguments
        .iter()
        .any(|argument| argument.kind == "regclass")
    {
        relations(database)
            .iter()
            .filter(|relation| relation.kind != "S")
            .step_by(figure(8, 1))
            .map(sop_ml_e2e::catalogue::Relation::qualified)
            .collect()
    } else {
        vec![String::new()]
    }
}

#[test]
fn answers_about_foreign_things_are_those_about_nothing() {
    let database = scene("functions_probe");
    let things = Things::of_b(&database);
    let before = rows_of(&database, B);
    let mut session = attacker(&database);
    let (mut calls, mut of_restaurant, mut answered) = (0, 0, 0);
    for function in functions(&database)
        .iter()
        .filter(|function| function.allowed)
    {
        of_restaurant += usize::from(function.of_restaurant());
        for relation in relations_for(function, &database) {
            let name = &function.signature;
            // What names a relation names no thing: one round for each relation.
            let rounds = if relation.is_empty() { figure(2, 5) } else { 1 };
            for (all, number) in [(false, 0), (true, 0), (false, 1), (false, 2), (false, 3)]
                .into_iter()
                .take(rounds)
            {
                let mut ask = |restaurant: &str, thing: Option<usize>| {
                    let call = call(function, &things, restaurant, thing, &relation, all);
                    let answer = in_transaction(&mut session, &call.statement);
                    calls += 1;
                    (shape(&answer, &call.asked), answer, call.statement)
                };
                // A thing of the other tenant's, asked for as a thing of one's own.
                for restaurant in ["NULL".to_owned(), format!("'{A}'")] {
                    let (yes, answer, statement) = ask(&restaurant, Some(number));
                    let (no, ..) = ask(&restaurant, None);
                    assert_eq!(yes, no, "{name} tells that something exists: {statement}");
                    answered += usize::from(answer.code().is_empty());
                }
                if !function.of_restaurant() {
                    break;
                }
                // The other restaurant, the shared one, and one that does not exist.
                let (none, ..) = ask(&format!("'{NOBODY}'"), Some(number));
                for restaurant in [B, SHARED_TENANT] {
                    let (shape, answer, statement) = ask(&format!("'{restaurant}'"), Some(number));
                    assert_ne!(
                        answer.code(),
                        "",
                        "{name} works on a foreign restaurant: {statement}"
                    );
                    assert_eq!(
                        shape, none,
                        "{name} tells that a restaurant exists: {statement}"
                    );
                }
            }
        }
    }
    assert!(
        of_restaurant >= 10,
        "only {of_restaurant} functions take a restaurant"
    );
    assert!(
        answered >= 50,
        "only {answered} calls were answered without an error"
    );
    assert_eq!(before, rows_of(&database, B));
    let _ = assert_clean_log(&database, &session);
    println!(
        "attack_functions: {calls} calls of {of_restaurant} functions over restaurants and of the others, {answered} without an error"
    );
}

/// What functions write is the caller's, also when it stays.
#[test]
fn committed_calls_change_no_foreign_row() {
    let database = scene("functions_commit");
    let things = Things::of_b(&database);
    let before = rows_of(&database, B);
    let own = rows_of(&database, A);
    let mut session = attacker(&database);
    for function in functions(&database)
        .iter()
        .filter(|function| function.allowed)
    {
        for relation in relations_for(function, &database) {
            for restaurant in ["NULL".to_owned(), format!("'{A}'"), format!("'{B}'")] {
                for number in 0..if relation.is_empty() { figure(1, 3) } else { 1 } {
                    session.attack(
                        &call(
                            function,
                            &things,
                            &restaurant,
                            Some(number),
                            &relation,
                            false,
                        )
                        .statement,
                    );
                }
                session
                    .attack(&call(function, &things, &restaurant, None, &relation, true).statement);
            }
        }
    }
    assert_eq!(before, rows_of(&database, B));
    assert_ne!(
        own,
        rows_of(&database, A),
        "no call wrote anything, so nothing was tried"
    );
    let _ = assert_clean_log(&database, &session);
}

#[test]
fn what_is_not_granted_is_refused() {
    let database = scene("functions_denied");
    let things = Things::of_b(&database);
    let mut session = attacker(&database);
    let mut denied = 0;
    for function in functions(&database)
        .iter()
        .filter(|function| !function.allowed)
    {
        for restaurant in ["NULL", "'bbbbbbbb-0000-4000-8000-000000000002'"] {
            let call = call(function, &things, restaurant, Some(0), "pg_class", false);
            let answer = session.attack(&call.statement);
            assert_eq!(
                answer.code(),
                "42501",
                "{}: {}",
                call.statement,
                answer.text()
            );
        }
        denied += 1;
    }
    for function in database.texts(
        "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.prorettype = 'trigger'::regtype
            AND p.pronamespace IN ('sop_ml'::regnamespace, 'sop_ml_storage'::regnamespace) ORDER BY 1",
    ) {
        let answer = session.attack(&format!("SELECT {function}"));
        assert_eq!(answer.code(), "42501", "{function}: {}", answer.text());
        denied += 1;
    }
    assert!(denied >= 5, "only {denied} functions are closed to tenants");
    println!("attack_functions: {denied} functions closed to tenants, all refused");
}

/// Without a restaurant: functions say so with a hint, bare queries show nothing.
#[test]
fn without_a_context_functions_say_so() {
    let database = scene("functions_context");
    database.run(&format!(
        "DO $$ BEGIN CREATE ROLE attack_stranger LOGIN; CREATE ROLE attack_both LOGIN; END $$;
         GRANT sop_ml_owner TO attack_stranger, attack_both;
         INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level)
         VALUES ('{A}', 'attack_both', 'owner'), ('{B}', 'attack_both', 'owner')"
    ));
    let things = Things::of_b(&database);
    let mut functions = functions(&database);
    functions.retain(|function| function.allowed && function.of_restaurant());
    assert!(
        functions.len() >= 10,
        "only {} functions take a restaurant",
        functions.len()
    );
    for role in ["attack_stranger", "attack_both"] {
        let mut session = Session::connect(&database, role, Watch::new(&OF_B));
        let mut refused = 0;
        for function in &functions {
            let relation = "sop_ml.sop_user_interactions";
            for restaurant in ["NULL".to_owned(), format!("'{A}'"), format!("'{B}'")] {
                let statement =
                    call(function, &things, &restaurant, Some(0), relation, false).statement;
                let answer = in_transaction(&mut session, &statement);
                // Some arguments are looked at before the caller is; such an error tells nothing of rows.
                if answer.code().starts_with("22") {
                    continue;
                }
                assert_eq!(
                    answer.code(),
                    "42501",
                    "{role}: {statement}: {}",
                    answer.text()
                );
                let hint = answer
                    .failure
                    .and_then(|failure| failure.hint)
                    .unwrap_or_default();
                assert!(
                    hint.contains("restaurant"),
                    "{role}: {statement} gives no hint: {hint:?}"
                );
                refused += 1;
            }
        }
        assert!(
            refused >= 20,
            "only {refused} calls came as far as the missing restaurant"
        );
        for relation in sop_ml_e2e::attack::api(&database) {
            let name = relation.qualified();
            let answer = session.attack(&format!("TABLE {name}"));
            assert_eq!(
                (answer.code(), answer.rows.len()),
                ("", 0),
                "{role}: {name}: {}",
                answer.text()
            );
        }
    }
}
