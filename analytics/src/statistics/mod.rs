//! Mergeable summaries and intervals.
//!
//! States that can be stored and merged in any order: [`StatsSummary`] (count, sum and central moments up to the fourth),
//! [`PercentileSketch`] (quantiles with a relative error bound), [`DistinctSketch`] (how many different values),
//! [`TopNSketch`] (the most frequent values) and [`DistributionProfile`] (summary, percentiles and counts of what has no
//! number). The intervals work on the numbers that these states give; tests of significance are in
//! [`crate::hypothesis_tests`].

pub mod distinct_sketch;
pub mod distribution_profile;
pub mod error;
pub mod hash;
pub mod interval;
pub mod percentile_sketch;
pub mod sketch_error;
pub mod special;
pub mod stats_summary;
pub mod top_n_sketch;

mod json_float;
mod moving;
mod store;

pub use distinct_sketch::{DEFAULT_PRECISION_BITS, DistinctSketch};
pub use distribution_profile::{CategoryProfile, DistributionProfile, NumericProfile};
pub use error::StatisticsError;
pub use interval::{
    Interval, MeanInterval, ProportionInterval, mean_interval, normal_quantile, t_critical,
    wilson_interval,
};
pub use moving::MovingSummary;
pub use percentile_sketch::{DEFAULT_RELATIVE_ERROR, PercentileSketch};
pub use sketch_error::SketchError;
pub use stats_summary::{Estimator, StatsSummary};
pub use top_n_sketch::{Frequent, TopNSketch};
