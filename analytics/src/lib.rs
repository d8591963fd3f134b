//! The mathematics of `sop_ml`, without PostgreSQL.
//!
//! Every module takes plain slices and checked parameters and returns plain values or a typed error. The extension
//! crate in `src/` unpacks SQL arguments, calls into here, and packs the answer; nothing here knows a table, a role or a
//! server. What is random takes a seed; what may run long takes a [`progress::Progress`].
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    ),
    doc = "Tests may fail loudly: the lints guard code that runs in a server."
)]

pub mod aggregation;
pub mod anomalies;
pub mod baselines;
pub mod budget;
pub mod codec;
pub mod comparison;
pub mod data_preparation;
pub mod data_quality;
pub mod drift;
pub mod error;
pub mod features;
pub mod hypothesis_tests;
pub mod ingest;
pub mod progress;
pub mod severity;
pub mod statistics;
pub mod time_series;
pub mod trend;
