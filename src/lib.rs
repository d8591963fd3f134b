//! `sop_ml`: machine learning and analytics for restaurant standard operating procedures, inside PostgreSQL.
//!
//! One thin file per capability: unpack the SQL arguments, read rows as the caller, call [`sop_analytics`], map the error,
//! pack the answer. The mathematics lives in `analytics/`, the statements in `sql/`; `docs/architecture.md` has the map.
#![cfg_attr(
    any(test, feature = "pg_test"),
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    ),
    doc = "Tests may fail loudly: the lints guard code that runs in a server."
)]
#![allow(
    clippy::result_large_err,
    reason = "errors are pgrx's ErrorReport: at most one per statement, never where speed matters"
)]
#![allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns of a table function from its signature: an alias would hide them"
)]

use pgrx::prelude::*;

#[macro_use]
mod sop_type;

mod aggregation;
mod alerts;
mod anomalies;
mod archive;
mod arguments;
mod arrays;
mod audit;
mod bulk_load;
mod capabilities;
mod data_preparation;
mod data_quality;
mod drift;
mod encoding;
mod error;
mod features;
mod host_links;
mod hypothesis_tests;
mod ingest;
mod install;
mod interrupts;
mod jobs;
mod jsonb;
mod models;
mod options;
mod partitions;
mod period;
mod privacy;
mod regclass;
mod retention;
mod schedule;
mod search_path;
mod self_check;
mod settings;
mod sql;
mod statistics;
mod subtransaction;
mod tenancy;
mod time_series;
mod timescaledb;
mod trend;

::pgrx::pg_module_magic!(name, version);

#[pg_guard]
extern "C-unwind" fn _PG_init() {
    settings::register();
    tenancy::register();
    timescaledb::register();
}

/// Required by `cargo pgrx test`: called before the test server starts.
#[cfg(test)]
pub mod pg_test {
    /// Nothing to prepare.
    pub fn setup(_options: Vec<&str>) {}

    /// The settings of the test server.
    #[must_use]
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec![]
    }
}
