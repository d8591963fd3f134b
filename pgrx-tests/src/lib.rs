//! End-to-end tests of `sop_ml` see the extension as a client does: through connections, `psql`, `pg_dump` and
//! `pg_restore`, against throw-away servers that `scripts/cluster.sh` starts.
//!
//! [`shared`] is one server per test binary; a test takes a database of its own from it. A test that needs another server
//! (a restore into a fresh cluster) starts one with [`Cluster::start`].
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a harness for tests: what goes wrong here has to end the test with a message"
)]

pub mod aggregates;
pub mod attack;
pub mod blocks;
pub mod calls;
pub mod canary;
pub mod catalogue;
mod cluster;
mod database;
pub mod dump;
pub mod effort;
pub mod fixture;
pub mod fuzz;
pub mod golden;
pub mod history;
pub mod hostile;
pub mod integrity;
pub mod pages;
mod pgbouncer;
pub mod previous_version;
mod private_server;
pub mod process;
pub mod releases;
pub mod schema_doc;
pub mod series;
pub mod strike;
pub mod tokens;
pub mod user_objects;
pub mod watch;

pub use cluster::{Cluster, shared};
pub use database::{Database, Output, describe, sqlstate};
pub use pgbouncer::PgBouncer;
pub use private_server::PrivateServer;

use std::path::{Path, PathBuf};

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in a folder of the workspace")
        .to_owned()
}
