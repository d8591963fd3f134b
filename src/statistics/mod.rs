//! Statistics: the states `stats_summary`, `percentile_sketch`, `regression_summary` and `state_durations`, their
//! aggregates and accessors, intervals and tests.

mod aggregate;
mod percentile_accessors;
mod percentile_agg;
mod regression_accessors;
mod regression_agg;
mod state_duration_agg;
mod stats_accessors;
mod stats_agg;
mod tests_of_significance;
mod types;
