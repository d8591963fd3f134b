//! A past for the two tenants of the fixture: months of raw rows that all lie in default partitions, as they do when
//! nobody has maintained the partitions for a while.

use std::fmt::Write as _;

use crate::fixture::{self, TENANTS};
use crate::{Database, catalogue};

/// Days of the past that have raw rows.
pub const DAYS: i32 = 100;

/// Fills every table as [`fixture::fill`] does, then gives both tenants observations and interactions on each of the last
/// [`DAYS`] days, and rows in every other partitioned table in each of the last four months.
///
/// # Panics
/// When a row is refused.
pub fn fill(database: &Database) {
    fixture::fill(database);
    let mut statements = String::new();
    for tenant in TENANTS {
        let _ = write!(
            statements,
            "INSERT INTO sop_ml.sop_time_series_data (restaurant_id, metric_name, sop_id, observed_at, value)
             SELECT '{id}', metric, md5('sop ' || sop)::uuid, {moment}, 20 + 5 * sin(day) + hour + sop
               FROM unnest(ARRAY['completion_minutes', 'compliance_score']) AS metric,
                    generate_series(1, 2) AS sop, generate_series(1, {DAYS}) AS day, unnest(ARRAY[9, 13, 19]) AS hour;
             INSERT INTO sop_ml.sop_user_interactions
                    (restaurant_id, user_id, sop_id, interaction_type, occurred_at, duration_seconds, rating)
             SELECT '{id}', md5('user ' || day % 5)::uuid, md5('sop ' || 1 + day % 2)::uuid, what, {moment},
                    CASE what WHEN 'complete' THEN 300 + day END, CASE what WHEN 'rate' THEN 1 + day % 5 END
               FROM generate_series(1, {DAYS}) AS day,
                    (VALUES ('view', 8), ('start', 9), ('complete', 10), ('rate', 11)) AS did (what, hour);",
            id = tenant.restaurant_id,
            moment = "date_trunc('day', now(), 'UTC') + make_interval(days => -day, hours => hour)",
        );
    }
    for statement in copies_over_the_past(database) {
        statements.push_str(&statement);
    }
    statements.push_str("ANALYZE;");
    database.run(&statements);
}

/// Statements that copy the fixture's rows of each partitioned table to the middle of each of the last four months: new
/// keys, everything else the same. The two tables filled above are left out.
fn copies_over_the_past(database: &Database) -> Vec<String> {
    let statements = database.texts(
        "SELECT format(
                    'INSERT INTO %1$s (%2$s) SELECT %3$s FROM %1$s AS old, generate_series(1, 4) AS back,
                            jsonb_populate_record(old, jsonb_build_object(%4$s)) AS copy
                      WHERE old.%5$I > now() - interval ''1 day'';',
                    t.partrelid::regclass,
                    string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum),
                    string_agg(format('copy.%I', a.attname), ', ' ORDER BY a.attnum),
                    string_agg(CASE
                        WHEN a.attnum = t.partattrs[0] THEN
                            format('%L, old.%I - make_interval(months => back)', a.attname, a.attname)
                        WHEN a.attname <> 'restaurant_id' AND a.attnum = ANY (k.conkey) AND a.atttypid = 'uuid'::regtype THEN
                            format('%L, md5(old.%I::text || back)::uuid', a.attname, a.attname)
                    END, ', '),
                    min(a.attname) FILTER (WHERE a.attnum = t.partattrs[0]))
           FROM pg_catalog.pg_partitioned_table t
           JOIN pg_catalog.pg_constraint k ON k.conrelid = t.partrelid AND k.contype = 'p'
           JOIN pg_catalog.pg_attribute a
             ON a.attrelid = t.partrelid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
          WHERE t.partrelid::regclass NOT IN ('sop_ml.sop_time_series_data'::regclass, 'sop_ml.sop_user_interactions'::regclass)
          GROUP BY t.partrelid",
    );
    assert!(!statements.is_empty(), "no other partitioned table");
    statements
}

/// How many rows of the tenants' past lie in default partitions: what a run of `maintain_partitions` has to move.
#[must_use]
pub fn rows_in_default_partitions(database: &Database) -> i64 {
    catalogue::relations(database)
        .iter()
        .filter(|relation| relation.is_partition && relation.name.ends_with("_default"))
        .map(|relation| database.count(&format!("SELECT count(*) FROM {}", relation.qualified())))
        .sum()
}
