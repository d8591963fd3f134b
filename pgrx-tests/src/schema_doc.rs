//! `docs/schema.md`: every table with its columns and their comments, and one picture of how the tables hang together,
//! written from the catalogue so that it cannot go stale unnoticed (`make doc` writes it, a test compares).

use std::fmt::Write as _;

use postgres::Client;

use crate::Database;

/// The groups of the page, in migration order, with the tables that each migration makes.
const GROUPS: [(&str, &[&str]); 8] = [
    (
        "Tenancy (036)",
        &[
            "sop_restaurants",
            "sop_restaurant_members",
            "sop_training_records",
            "sop_schema_migrations",
        ],
    ),
    (
        "Training data (037)",
        &[
            "sop_training_datasets",
            "sop_ml_features",
            "sop_ml_models",
            "sop_ml_training_jobs",
            "sop_ml_predictions",
        ],
    ),
    (
        "Performance aggregates (038)",
        &[
            "sop_performance_aggregates",
            "sop_performance_days",
            "sop_performance_trends",
            "sop_performance_baselines",
            "sop_peer_benchmarks",
        ],
    ),
    (
        "Predictive modelling (039)",
        &[
            "sop_feature_engineering",
            "sop_predictive_models",
            "sop_prediction_scenarios",
            "sop_model_predictions",
            "sop_model_performance_tracking",
        ],
    ),
    (
        "Time series (040)",
        &[
            "sop_time_series_data",
            "sop_time_series_batches",
            "sop_retired_periods",
            "sop_time_series_patterns",
            "sop_time_series_forecasts",
            "sop_time_series_anomalies",
            "sop_time_series_compression_policies",
        ],
    ),
    (
        "Recommendation (041)",
        &[
            "sop_user_interactions",
            "sop_content_features",
            "sop_user_profiles",
            "sop_generated_recommendations",
            "sop_recommendation_models",
            "sop_recommendation_analytics",
        ],
    ),
    (
        "A/B testing (042)",
        &[
            "sop_ab_experiments",
            "sop_ab_participants",
            "sop_ab_events",
            "sop_ab_results",
            "sop_ab_monitoring",
            "sop_ab_feature_flags",
        ],
    ),
    (
        "Operations (043)",
        &[
            "sop_alerts",
            "sop_audit_log",
            "sop_job_queue",
            "sop_job_runs",
            "sop_event_outbox",
            "sop_privacy_preferences",
            "sop_pii_columns",
            "sop_quality_reports",
        ],
    ),
];

/// The page for the schema that the database has.
///
/// # Panics
/// When a table belongs to no group: then [`GROUPS`] has to name it.
#[must_use]
pub fn page(database: &Database) -> String {
    let mut client = database.superuser();
    let mut page = String::from(
        "# Schema\n\n\
         Written by `make doc` from the comments in the database; edit those (`sql/idempotent/5*_comments_*.sql`), not this \
         page.\n\nEvery table has `restaurant_id` first in its keys; the nil uuid is the shared tenant. Tables marked \
         *partitioned* have one partition a month in schema `sop_ml_storage`, and a default partition for everything \
         else.\n\n",
    );
    let tables = names(
        &mut client,
        "c.relkind IN ('r', 'p') AND NOT c.relispartition",
    );
    let grouped: Vec<&str> = GROUPS
        .iter()
        .flat_map(|(_, tables)| tables.iter().copied())
        .collect();
    let missing: Vec<&String> = tables
        .iter()
        .filter(|name| !grouped.contains(&name.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "tables that no group of the page names: {missing:?}"
    );

    picture(&mut client, &mut page);
    for (title, members) in GROUPS {
        let _ = writeln!(page, "## {title}\n");
        for table in members
            .iter()
            .filter(|name| tables.iter().any(|table| table == *name))
        {
            relation(&mut client, &mut page, table);
        }
    }
    let views = names(&mut client, "c.relkind = 'v'");
    if !views.is_empty() {
        page.push_str("## Views\n\n");
        for view in views {
            relation(&mut client, &mut page, &view);
        }
    }
    // Exactly one line break at the end.
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn names(client: &mut Client, condition: &str) -> Vec<String> {
    client
        .query(
            &format!(
                "SELECT c.relname::text FROM pg_catalog.pg_class c
                  WHERE c.relnamespace = 'sop_ml'::regnamespace AND {condition} ORDER BY 1"
            ),
            &[],
        )
        .expect("the catalogue can be read")
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// A mermaid diagram of the foreign keys; those to `sop_restaurants`, which most tables have, are left out.
fn picture(client: &mut Client, page: &mut String) {
    page.push_str(
        "Foreign keys between the tables (most tables also point at `sop_restaurants`, which is left out here):\n\n\
         ```mermaid\nerDiagram\n",
    );
    let keys = client
        .query(
            "SELECT DISTINCT c.relname::text, f.relname::text,
                    (SELECT string_agg(a.attname, ' ' ORDER BY k.position)
                       FROM unnest(f_key.conkey) WITH ORDINALITY AS k (number, position)
                       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                      WHERE a.attname NOT LIKE '%restaurant_id') AS columns
               FROM pg_catalog.pg_constraint f_key
               JOIN pg_catalog.pg_class c ON c.oid = f_key.conrelid AND NOT c.relispartition
               JOIN pg_catalog.pg_class f ON f.oid = f_key.confrelid
              WHERE f_key.contype = 'f' AND c.relnamespace = 'sop_ml'::regnamespace AND f.relname <> 'sop_restaurants'
              ORDER BY 2, 1, 3",
            &[],
        )
        .expect("the catalogue can be read");
    for row in keys {
        let (from, to): (String, String) = (row.get(0), row.get(1));
        let columns: Option<String> = row.get(2);
        let _ = writeln!(
            page,
            "    {to} ||--o{{ {from} : \"{}\"",
            columns.unwrap_or_default()
        );
    }
    page.push_str("```\n\n");
}

fn relation(client: &mut Client, page: &mut String, name: &str) {
    let row = client
        .query_one(
            "SELECT coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), ''), c.relkind = 'p',
                    (SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k
                      WHERE k.conrelid = c.oid AND k.contype = 'p')
               FROM pg_catalog.pg_class c
              WHERE c.relnamespace = 'sop_ml'::regnamespace AND c.relname = $1",
            &[&name],
        )
        .expect("the relation exists");
    let (comment, partitioned): (String, bool) = (row.get(0), row.get(1));
    let key: Option<String> = row.get(2);
    let _ = writeln!(page, "### {name}\n\n{}\n", cell(&comment));
    if let Some(key) = key {
        let _ = writeln!(
            page,
            "{}{}.\n",
            key.replacen("PRIMARY KEY", "Key:", 1),
            if partitioned { "; partitioned" } else { "" }
        );
    }
    page.push_str("| column | type | | meaning |\n|---|---|---|---|\n");
    let columns = client
        .query(
            "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
                    coalesce(pg_catalog.col_description(a.attrelid, a.attnum), '')
               FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = pg_catalog.format('sop_ml.%I', $1::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped
              ORDER BY a.attnum",
            &[&name],
        )
        .expect("the relation has columns");
    for row in columns {
        let (column, kind): (String, String) = (row.get(0), row.get(1));
        let (not_null, meaning): (bool, String) = (row.get(2), row.get(3));
        let _ = writeln!(
            page,
            "| {column} | {} | {} | {} |",
            kind.replace("timestamp with time zone", "timestamptz")
                .replace("double precision", "float8"),
            if not_null { "not null" } else { "" },
            cell(&meaning)
        );
    }
    page.push('\n');
}

/// Text for a cell of a markdown table.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
