//! Statistics: the states `stats_summary`, `percentile_sketch` and `distribution_profile`, their aggregates and accessors, intervals and tests.

mod aggregate;
mod percentile_accessors;
mod percentile_agg;
mod profile_accessors;
mod profile_agg;
mod stats_accessors;
mod stats_agg;
mod tests_of_significance;
pub(crate) mod types;
