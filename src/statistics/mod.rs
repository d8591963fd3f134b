//! Statistics: the states that can be stored and merged, their aggregates and accessors, intervals and tests.

pub(crate) mod aggregate;
mod distinct_agg;
mod percentile_accessors;
mod percentile_agg;
mod profile_accessors;
mod profile_agg;
mod stats_accessors;
mod stats_agg;
mod step;
mod tests_of_significance;
mod top_n_agg;
pub(crate) mod types;
