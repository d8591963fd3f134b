//! Canaries: every value of a tenant's rows that can be recognised is made recognisable, so that a leak is seen whatever
//! way it takes: as text, as a number, inside a document, as an extreme or as a planner's statistic.

use postgres::Client;

use crate::fixture::TENANTS;
use crate::{Database, catalogue, describe, fixture};

/// How the texts of each of [`TENANTS`] begin.
pub const TEXTS: [&str; 2] = ["canary_aaaa", "canary_bbbb"];
/// The numbers of the second tenant, as the server prints them; the first keeps the fixture's, so that functions find
/// ordinary values in its rows.
pub const NUMBERS: [&str; 2] = ["424242.25", "1424242424"];

/// What must never reach the first tenant.
pub const OF_B: [&str; 3] = [TEXTS[1], NUMBERS[0], NUMBERS[1]];
/// What must never reach the second one.
pub const OF_A: [&str; 1] = [TEXTS[0]];

/// Columns that decide who is who or how rows are computed; a canary there would switch the tenant off.
const KEPT: [&str; 4] = ["role_name", "time_zone", "granted_by", "created_by"];

/// [`fixture::fill`], then a canary in every column of both tenants' rows that takes one; returns how many columns of
/// the second tenant's rows have one.
///
/// # Panics
/// When a table takes none at all.
pub fn fill(database: &Database) -> usize {
    let filled = fixture::fill(database);
    let mut client = database.superuser();
    let mut planted = 0;
    for table in &filled {
        let triggers = switch_triggers_off(&mut client, table);
        let columns = columns(&mut client, table);
        let mut of_table = 0;
        for (number, tenant) in TENANTS.iter().enumerate() {
            for (column, kind) in &columns {
                let done = plant(
                    &mut client,
                    table,
                    column,
                    kind,
                    number,
                    tenant.restaurant_id,
                );
                of_table += usize::from(done && number == 1);
            }
        }
        switch_triggers_on(&mut client, table, &triggers);
        // These hold keys, times and states only.
        let nothing_to_mark = [
            "\"sop_ml_storage\".\"dirty_buckets\"",
            "\"sop_ml\".\"sop_performance_days\"",
        ]
        .contains(&table.as_str());
        assert!(of_table > 0 || nothing_to_mark, "{table} took no canary");
        planted += of_table;
    }
    for view in catalogue::relations(database)
        .iter()
        .filter(|relation| relation.kind == "m")
    {
        database.run(&format!("REFRESH MATERIALIZED VIEW {}", view.qualified()));
    }
    // The planner's statistics hold values too.
    database.run("ANALYZE");
    planted
}

fn columns(client: &mut Client, table: &str) -> Vec<(String, String)> {
    client
        .query(
            "SELECT attname::text, pg_catalog.format_type(atttypid, NULL) FROM pg_catalog.pg_attribute
              WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
                AND attidentity = '' ORDER BY attnum",
            &[&table],
        )
        .expect("the catalogue can be read")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .filter(|(name, _): &(String, String)| !KEPT.contains(&name.as_str()))
        .collect()
}

/// Tries the forms that a column's type allows, the plainest first; constraints decide.
fn plant(
    client: &mut Client,
    table: &str,
    column: &str,
    kind: &str,
    tenant: usize,
    restaurant: &str,
) -> bool {
    let marker = TEXTS.get(tenant).copied().unwrap_or_default();
    let text = format!("'{marker}_{column}'");
    // For keys: one row's value differs from another's.
    let of_row = format!("'{marker}_{column}_' || md5(ctid::text || tableoid::text)");
    let [number, whole] = NUMBERS;
    let forms: Vec<String> = match kind {
        "text" => vec![text, of_row],
        _ if tenant == 0 => vec![],
        "text[]" => vec![format!("ARRAY[{text}]")],
        "jsonb" => vec![
            format!("jsonb_build_object({text}, {text})"),
            format!("jsonb_build_array({text})"),
            format!("to_jsonb({text}::text)"),
        ],
        "bytea" if column.contains("percentile_state") => {
            vec![format!(
                "(SELECT sop_ml.percentile_agg({number}::float8))::bytea"
            )]
        }
        "bytea" if column.contains("state") => {
            vec![format!(
                "(SELECT sop_ml.stats_agg({number}::float8))::bytea"
            )]
        }
        "bytea" => vec![format!("convert_to({text}, 'UTF8')")],
        "double precision" | "real" | "numeric" => vec![number.to_owned()],
        "double precision[]" | "real[]" => vec![format!("ARRAY[{number}]")],
        "bigint" | "integer" => vec![whole.to_owned()],
        _ => vec![],
    };
    forms.iter().any(|form| {
        client
            .execute(
                &format!(
                    "UPDATE {table} SET \"{column}\" = {form} WHERE restaurant_id = '{restaurant}'"
                ),
                &[],
            )
            .is_ok_and(|rows| rows > 0)
    })
}

/// Triggers guard logs and keys against exactly such changes.
fn switch_triggers_off(client: &mut Client, table: &str) -> Vec<(String, String)> {
    let triggers = client
        .query(
            "SELECT pg_catalog.quote_ident(tgname),
                    CASE tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END
               FROM pg_catalog.pg_trigger
              WHERE tgrelid = $1::text::regclass AND NOT tgisinternal AND tgenabled <> 'D'",
            &[&table],
        )
        .expect("the catalogue can be read")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    alter(client, &format!("ALTER TABLE {table} DISABLE TRIGGER USER"));
    triggers
}

fn switch_triggers_on(client: &mut Client, table: &str, triggers: &[(String, String)]) {
    for (trigger, how) in triggers {
        alter(
            client,
            &format!("ALTER TABLE {table} {how} TRIGGER {trigger}"),
        );
    }
}

fn alter(client: &mut Client, statement: &str) {
    client
        .batch_execute(statement)
        .unwrap_or_else(|error| panic!("{statement}: {}", describe(&error)));
}
