//! Statistics: the states `stats_summary` and `percentile_sketch`, their aggregates and accessors, intervals and tests.

pub(crate) mod aggregate;
mod percentile_accessors;
mod percentile_agg;
mod stats_accessors;
mod stats_agg;
mod tests_of_significance;
mod types;
