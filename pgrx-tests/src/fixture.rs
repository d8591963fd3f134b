//! Rows in every table, worked out from the catalogue, so that a table which comes later is covered by the tests that
//! enumerate relations without anybody remembering it.

use std::fmt::Write as _;

use postgres::Client;

use crate::{Database, catalogue, describe};

/// A restaurant of the tests and the login role that owns it.
#[derive(Debug, Clone, Copy)]
pub struct Tenant {
    /// Its key.
    pub restaurant_id: &'static str,
    /// Login role with access level `owner` there and nowhere else.
    pub role: &'static str,
}

/// Two ordinary tenants.
pub const TENANTS: [Tenant; 2] = [
    Tenant {
        restaurant_id: "aaaaaaaa-0000-4000-8000-000000000001",
        role: "tenant_a",
    },
    Tenant {
        restaurant_id: "bbbbbbbb-0000-4000-8000-000000000002",
        role: "tenant_b",
    },
];

/// A column that a row cannot do without.
struct Column {
    name: String,
    kind: String,
    /// The values that a CHECK of the form `column IN (…)` allows.
    allowed: Vec<String>,
    /// Whether a CHECK wants a JSON array.
    is_array: bool,
    /// A column of another table that this one has to point at, for example `"sop_ml"."sop_ml_models"` and `model_id`.
    points_at: Option<(String, String)>,
}

/// Makes both tenants with their login roles and one row of each in every table (two in partitioned tables: one in a
/// month's partition, one in the default partition), and refreshes the materialized views; returns the tables, with their schema, that have been filled.
///
/// # Panics
/// When a table cannot be filled: then this module has to learn a rule for its columns.
pub fn fill(database: &Database) -> Vec<String> {
    let mut client = database.superuser();
    for tenant in TENANTS {
        client
            .batch_execute(&format!(
                "DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
                 GRANT sop_ml_owner TO {role};
                 INSERT INTO sop_ml.sop_restaurants (restaurant_id, name, time_zone) VALUES ('{id}', '{role}', 'Europe/Vienna');
                 INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level) VALUES ('{id}', '{role}', 'owner');",
                role = tenant.role,
                id = tenant.restaurant_id
            ))
            .unwrap_or_else(|error| panic!("tenant {}: {}", tenant.role, describe(&error)));
    }
    let mut waiting: Vec<_> = catalogue::relations(database)
        .into_iter()
        .filter(|relation| {
            relation.has_restaurant
                && !relation.is_partition
                && matches!(relation.kind.as_str(), "r" | "p")
                && !["sop_restaurants", "sop_restaurant_members"].contains(&relation.name.as_str())
        })
        .collect();
    let mut filled = vec![
        "\"sop_ml\".\"sop_restaurants\"".to_owned(),
        "\"sop_ml\".\"sop_restaurant_members\"".to_owned(),
    ];
    // A table that points at one which is still empty is tried again after the others.
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut problems = String::new();
        waiting.retain(|relation| {
            let name = relation.qualified();
            match fill_table(&mut client, &name, relation.kind == "p") {
                Ok(()) => {
                    filled.push(name);
                    false
                }
                Err(problem) => {
                    let _ = writeln!(problems, "{name}: {problem}");
                    true
                }
            }
        });
        assert!(
            waiting.len() < before,
            "tables that stay empty:\n{problems}"
        );
    }
    // The summaries show days, and are what they were when they were last refreshed.
    database.run(
        "UPDATE sop_ml.sop_performance_aggregates SET grain = 'day';
         REFRESH MATERIALIZED VIEW sop_ml_storage.sop_daily_performance_summary;
         REFRESH MATERIALIZED VIEW sop_ml_storage.sop_weekly_performance_trends;",
    );
    filled
}

/// Some combinations of allowed values exclude each other, so each of the first few is tried. A row that a trigger has
/// made already is as good as an inserted one.
fn fill_table(client: &mut Client, table: &str, partitioned: bool) -> Result<(), String> {
    let columns = required_columns(client, table).map_err(|error| describe(&error))?;
    let mut result = Ok(());
    for choice in 0..3 {
        result = insert(client, table, &columns, partitioned, choice);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn insert(
    client: &mut Client,
    table: &str,
    columns: &[Column],
    partitioned: bool,
    choice: usize,
) -> Result<(), String> {
    let mut transaction = client.transaction().map_err(|error| describe(&error))?;
    for tenant in TENANTS {
        let times: &[&str] = if partitioned {
            &["now()", "timestamptz '2001-02-03 04:05:06+00'"]
        } else {
            &["now()"]
        };
        for (number, time) in times.iter().enumerate() {
            let (names, values): (Vec<_>, Vec<_>) = columns
                .iter()
                .map(|column| {
                    (
                        format!("\"{}\"", column.name),
                        value(column, tenant, number, time, choice),
                    )
                })
                .unzip();
            transaction
                .execute(
                    &format!(
                        "INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT DO NOTHING",
                        names.join(", "),
                        values.join(", ")
                    ),
                    &[],
                )
                .map_err(|error| describe(&error))?;
        }
    }
    transaction.commit().map_err(|error| describe(&error))
}

fn required_columns(client: &mut Client, table: &str) -> Result<Vec<Column>, postgres::Error> {
    // The column that partitions the table is given too, although it may have a default.
    let rows = client.query(
        "SELECT a.attname::text,
                pg_catalog.format_type(a.atttypid, NULL),
                coalesce((SELECT array_agg(value.allowed[1] ORDER BY value.number)
                   FROM pg_catalog.pg_constraint k,
                        pg_catalog.regexp_matches(
                            (pg_catalog.regexp_match(pg_catalog.pg_get_constraintdef(k.oid),
                                                     '\\m' || a.attname || ' = ANY \\(ARRAY\\[([^]]*)'))[1],
                            '''([^'']*)''::text', 'g') WITH ORDINALITY AS value (allowed, number)
                  WHERE k.conrelid = a.attrelid AND k.contype = 'c'), '{}'),
                EXISTS (SELECT FROM pg_catalog.pg_constraint k
                         WHERE k.conrelid = a.attrelid AND k.contype = 'c'
                           AND strpos(pg_catalog.pg_get_constraintdef(k.oid),
                                      'jsonb_typeof(' || a.attname || ') = ''array''') > 0),
                f.target, f.target_column
           FROM pg_catalog.pg_attribute a
           LEFT JOIN LATERAL (
                SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS target, t.attname::text AS target_column
                  FROM pg_catalog.pg_constraint k
                  JOIN pg_catalog.pg_class c ON c.oid = k.confrelid
                  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  JOIN pg_catalog.pg_attribute t
                    ON t.attrelid = k.confrelid AND t.attnum = k.confkey[pg_catalog.array_position(k.conkey, a.attnum)]
                 WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attnum = ANY (k.conkey)
                   AND t.attname <> 'restaurant_id'
                 LIMIT 1) AS f ON true
          WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
            AND a.attgenerated = '' AND a.attidentity = ''
            AND (a.attnotnull AND NOT a.atthasdef
                 OR a.attnum IN (SELECT p.partattrs[0] FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = a.attrelid))
          ORDER BY a.attnum",
        &[&table],
    )?;
    Ok(rows
        .iter()
        .map(|row| Column {
            name: row.get(0),
            kind: row.get(1),
            allowed: row.get(2),
            is_array: row.get(3),
            points_at: row
                .get::<_, Option<String>>(4)
                .zip(row.get::<_, Option<String>>(5)),
        })
        .collect())
}

/// An SQL expression for a column of a tenant's row.
fn value(column: &Column, tenant: Tenant, number: usize, time: &str, choice: usize) -> String {
    let id = tenant.restaurant_id;
    if column.name == "restaurant_id" || column.name.ends_with("_restaurant_id") {
        return format!("'{id}'");
    }
    if let Some((table, target)) = &column.points_at {
        return format!("(SELECT \"{target}\" FROM {table} WHERE restaurant_id = '{id}' LIMIT 1)");
    }
    if let Some(allowed) = column.allowed.get(choice).or(column.allowed.last()) {
        return format!("'{allowed}'");
    }
    match column.kind.as_str() {
        "uuid" => format!("md5('{} {id} {number}')::uuid", column.name),
        "text" => format!("'fixture_{number}'"),
        // A later bound (`to_time`, `window_end`, `valid_until`) has to lie after the earlier one.
        "timestamp with time zone"
            if [
                "to_", "_end", "ends_", "_until", "target", "ended", "expires",
            ]
            .iter()
            .any(|part| column.name.contains(part)) =>
        {
            format!("{time} + interval '1 day'")
        }
        "timestamp with time zone" => time.to_owned(),
        "date" => format!("({time})::date"),
        "interval" => "interval '1 day'".to_owned(),
        "jsonb" if column.is_array => "'[]'".to_owned(),
        "jsonb" => "'{}'".to_owned(),
        "boolean" => "true".to_owned(),
        "bytea" => "'\\x00'".to_owned(),
        kind if kind.ends_with("[]") => "'{}'".to_owned(),
        _ => format!("{}", number + 1),
    }
}
