//! What `kill -9` is tried on: statements that write much, the databases that they start from, and what has to hold after.

use sop_ml_e2e::fixture::TENANTS;
use sop_ml_e2e::{Cluster, Database, history};

/// Something that writes much in one statement. The harness sees to the rest: that the state after a kill is the one before
/// the statement or the one after it, and that the next run leads to the state of an undisturbed one.
pub(crate) struct WritePath {
    pub(crate) name: &'static str,
    /// The database that the statement finds: all its work lies before it.
    pub(crate) start: Start,
    pub(crate) statement: &'static str,
    /// Whether it may run again when it is done already, and then changes nothing.
    pub(crate) is_repeatable: bool,
    /// What has to hold besides when the statement has been completed, maybe more than once.
    pub(crate) check: fn(&Database),
}

pub(crate) const WRITE_PATHS: [WritePath; 8] = [
    WritePath {
        name: "create_extension",
        start: Start::Empty,
        statement: "CREATE EXTENSION sop_ml",
        is_repeatable: false,
        check: all_migrations_are_recorded_once,
    },
    WritePath {
        name: "install",
        start: Start::WithoutTables,
        statement: "SELECT * FROM sop_ml.install()",
        is_repeatable: true,
        check: all_migrations_are_recorded_once,
    },
    WritePath {
        name: "install_over_rows",
        start: Start::Filled,
        statement: "SELECT * FROM sop_ml.install()",
        is_repeatable: true,
        check: all_migrations_are_recorded_once,
    },
    WritePath {
        name: "nightly_run",
        start: Start::Filled,
        statement: "SELECT * FROM sop_ml.run_daily_ml_aggregation()",
        is_repeatable: true,
        check: runs_are_whole_and_the_log_is_empty,
    },
    WritePath {
        name: "maintain_partitions",
        start: Start::Filled,
        statement: "SELECT * FROM sop_ml.maintain_partitions()",
        is_repeatable: true,
        check: recent_rows_left_the_default_partitions,
    },
    WritePath {
        name: "archive_time_series",
        start: Start::RolledUp,
        statement: ARCHIVE,
        is_repeatable: true,
        check: old_rows_are_in_bundles,
    },
    WritePath {
        name: "restore_archive",
        start: Start::Archived,
        statement: "SELECT * FROM sop_ml.restore_archive(NULL, '-infinity', 'infinity',
                        '{\"relations\": [\"sop_time_series_data\", \"sop_user_interactions\", \"sop_ml_predictions\",
                                         \"sop_model_predictions\", \"sop_ab_events\"]}')",
        is_repeatable: true,
        check: no_bundle_is_left,
    },
    WritePath {
        name: "apply_time_series_policies",
        start: Start::RolledUp,
        statement: "SELECT * FROM sop_ml.apply_time_series_policies()",
        // A second run notes that it found nothing.
        is_repeatable: false,
        check: policies_are_applied,
    },
];

/// Of the whole months of all tables.
const ARCHIVE: &str = "SELECT * FROM sop_ml.archive_time_series(NULL, now(),
    '{\"relations\": [\"sop_time_series_data\", \"sop_user_interactions\", \"sop_ml_predictions\", \"sop_model_predictions\",
                     \"sop_ab_events\"]}')";

/// Databases that write paths start from; each is made once and copied for every round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Empty,
    /// The extension as a restore leaves it for a moment.
    WithoutTables,
    /// Months of rows, nothing rolled up, no partition of the past.
    Filled,
    /// The same rolled up, with policies that nobody has applied yet.
    RolledUp,
    /// And whole months in bundles.
    Archived,
}

impl Start {
    pub(crate) const ALL: [Self; 5] = [
        Self::Empty,
        Self::WithoutTables,
        Self::Filled,
        Self::RolledUp,
        Self::Archived,
    ];

    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::WithoutTables => "without_tables",
            Self::Filled => "filled",
            Self::RolledUp => "rolled_up",
            Self::Archived => "archived",
        }
    }

    pub(crate) fn make(self, cluster: &Cluster) {
        let database = cluster.database(self.template());
        database.run("CREATE EXTENSION amcheck");
        match self {
            Self::Empty => {}
            Self::WithoutTables => database.run("SET row_security = off; CREATE EXTENSION sop_ml"),
            Self::Filled => {
                database.run("CREATE EXTENSION sop_ml");
                history::fill(&database);
            }
            Self::RolledUp | Self::Archived => {
                database.run("CREATE EXTENSION sop_ml");
                history::fill(&database);
                database.run("SELECT * FROM sop_ml.run_daily_ml_aggregation()");
                database.run(POLICIES);
                if self == Self::Archived {
                    database.run(ARCHIVE);
                }
            }
        }
    }
}

/// One that archives for all, and one that drops for each restaurant.
const POLICIES: &str = "
    DELETE FROM sop_ml.sop_time_series_compression_policies;
    INSERT INTO sop_ml.sop_time_series_compression_policies (restaurant_id, policy_id, relation_name, retention, expiry_action)
    SELECT '00000000-0000-0000-0000-000000000000', md5('archive')::uuid, 'sop_time_series_data', interval '40 days', 'archive'
    UNION ALL
    SELECT restaurant_id, md5('drop')::uuid, 'sop_user_interactions', interval '40 days', 'drop' FROM sop_ml.sop_restaurants
     WHERE restaurant_id <> '00000000-0000-0000-0000-000000000000';";

fn all_migrations_are_recorded_once(database: &Database) {
    let recorded = database.count("SELECT count(*) FROM sop_ml.sop_schema_migrations");
    assert!(recorded >= 8, "{recorded} migrations");
}

fn runs_are_whole_and_the_log_is_empty(database: &Database) {
    let steps = database.query(
        "SELECT count(*), count(*) FILTER (WHERE status = 'succeeded'),
                string_agg(format('%s %s: %s', step, status, detail), '; ' ORDER BY step) FILTER (WHERE status <> 'succeeded')
           FROM sop_ml.sop_job_runs WHERE job_name = 'run_daily_ml_aggregation' GROUP BY run_id",
    );
    assert!(!steps.is_empty(), "no run is recorded");
    for run in &steps {
        let (all, succeeded): (i64, i64) = (run.get(0), run.get(1));
        assert_eq!(
            (all, succeeded),
            (8, 8),
            "{:?}",
            run.get::<_, Option<String>>(2)
        );
    }
    assert_eq!(
        database.count("SELECT count(*) FROM sop_ml_storage.dirty_buckets"),
        0
    );
    let doubled = database.count(
        "SELECT count(*) FROM (SELECT FROM sop_ml.sop_performance_aggregates
          GROUP BY restaurant_id, metric_name, sop_id, grain, bucket_start HAVING count(*) > 1) AS twice",
    );
    assert_eq!(doubled, 0, "buckets that are there twice");
}

fn recent_rows_left_the_default_partitions(database: &Database) {
    // What is left are the fixture's rows of 2001: too few for partitions of their own.
    assert_eq!(
        history::rows_in_default_partitions(database),
        TENANTS.len() as i64 * 5
    );
}

fn old_rows_are_in_bundles(database: &Database) {
    for relation in [
        "sop_time_series_data",
        "sop_user_interactions",
        "sop_ml_predictions",
        "sop_model_predictions",
        "sop_ab_events",
    ] {
        let bundled = database.count(&format!(
            "SELECT coalesce(sum(n), 0)::bigint FROM sop_ml_storage.archive_bundles WHERE relation_name = '{relation}'"
        ));
        assert!(bundled > 0, "no bundle of {relation}");
        let remembered = database.count(&format!(
            "SELECT coalesce(sum(n), 0)::bigint FROM sop_ml.sop_retired_periods
              WHERE relation_name = '{relation}' AND action = 'archived'"
        ));
        assert_eq!(bundled, remembered, "{relation}");
    }
}

fn no_bundle_is_left(database: &Database) {
    // The fixture has rows of relations that do not exist.
    for table in [
        "sop_ml_storage.archive_bundles",
        "sop_ml.sop_retired_periods",
    ] {
        let left = database.count(&format!(
            "SELECT count(*) FROM {table} WHERE to_regclass('sop_ml.' || quote_ident(relation_name)) IS NOT NULL"
        ));
        assert_eq!(left, 0, "{table}");
    }
}

fn policies_are_applied(database: &Database) {
    let rows = database.count(
        "SELECT sum(last_rows)::bigint FROM sop_ml.sop_time_series_compression_policies WHERE last_action IN ('archived', 'dropped')",
    );
    assert!(rows > 0);
    assert_eq!(
        rows,
        database.count(
            "SELECT sum(n)::bigint FROM sop_ml.sop_retired_periods
              WHERE relation_name IN ('sop_time_series_data', 'sop_user_interactions')"
        )
    );
}
