//! The demo's data.
//!
//! [`generate`] writes psql scripts that load a synthetic restaurant group whose every result is known beforehand
//! ([`Truth`]); [`real::write`] writes one that loads real data made by others. Both load as superuser into a database in
//! which `CREATE EXTENSION sop_ml` has been done. Equal seeds give equal bytes.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing),
    doc = "Tests may fail loudly."
)]

mod calendar;
mod copy;
mod dirty;
mod experiments;
mod id;
mod metrics;
mod models;
mod random;
pub mod real;
mod runs;
mod script;
mod truth;
mod world;

pub use calendar::{DAYS, FIRST_DAY, day, last_day};
pub use id::Id;
pub use script::generate;
pub use truth::{
    Anomalies, ClosedDays, Dirty, DriftingModel, Experiment, Fault, FaultKind, LateRows, ModelName,
    Trend, Truth,
};
pub use world::{RESTAURANTS, Restaurant, SOPS, STAFF};
