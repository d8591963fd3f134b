//! Statistics: the states that can be stored and merged, their aggregates and accessors and intervals.

pub(crate) mod aggregate;
mod distinct_agg;
mod percentile_accessors;
mod percentile_agg;
mod profile_accessors;
mod profile_agg;
mod proportion_interval;
mod regression_accessors;
mod regression_agg;
mod state_duration_agg;
mod stats_accessors;
mod stats_agg;
mod step;
mod top_n_agg;
pub(crate) mod types;
