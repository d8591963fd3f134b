//! Mergeable summaries, intervals and tests of significance.
//!
//! States that can be stored and merged in any order: [`StatsSummary`] (count, sum and central moments up to the fourth),
//! [`PercentileSketch`] (quantiles with a relative error bound), [`DistinctSketch`] (how many different values),
//! [`TopNSketch`] (the most frequent values) and [`DistributionProfile`] (summary, percentiles and counts of what has no
//! number). The intervals and tests work on the numbers that these states give, or on plain slices where the method needs
//! the values themselves.

pub mod distinct_sketch;
pub mod distribution_profile;
pub mod error;
pub mod hash;
pub mod hypothesis;
pub mod interval;
pub mod kolmogorov_smirnov;
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
pub use hypothesis::{ChiSquareTest, WelchTest, chi_square_counts, welch_t_test};
pub use interval::{
    Interval, MeanInterval, ProportionInterval, mean_interval, normal_quantile, t_critical,
    wilson_interval,
};
pub use kolmogorov_smirnov::{KsMethod, KsTest, ks_two_sample};
pub use moving::MovingSummary;
pub use percentile_sketch::{DEFAULT_RELATIVE_ERROR, PercentileSketch};
pub use sketch_error::SketchError;
pub use stats_summary::{Estimator, StatsSummary};
pub use top_n_sketch::{Frequent, TopNSketch};
