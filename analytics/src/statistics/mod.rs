//! Mergeable summaries and intervals.
//!
//! States that can be stored and merged in any order: [`StatsSummary`] (count, sum and central moments up to the fourth, also
//! of weighted values), [`PercentileSketch`] (quantiles with a relative error bound), [`DistinctSketch`] (how many different
//! values), [`TopNSketch`] (the most frequent values), [`DistributionProfile`] (summary, percentiles and counts of what has
//! no number) and [`RegressionSummary`] (a straight line through points). [`StateDurations`] can be stored but not merged: it
//! depends on order. The intervals work on the numbers that these states give; tests of significance are in
//! [`crate::hypothesis_tests`].

pub mod collector;
pub mod distinct_sketch;
pub mod distribution_profile;
pub mod error;
pub mod hash;
pub mod interval;
pub mod percentile_sketch;
pub mod regression;
pub mod sketch_error;
pub mod special;
pub mod state_durations;
pub mod stats_summary;
pub mod top_n_sketch;

mod double_double;
mod json_float;
mod moving;
mod store;

pub use collector::{Collected, Collector, DistinctCollector, PercentileCollector};
pub use distinct_sketch::{DEFAULT_PRECISION_BITS, DistinctSketch};
pub use distribution_profile::{CategoryProfile, DistributionProfile, NumericProfile};
pub use error::StatisticsError;
pub use interval::{
    Interval, MeanInterval, ProportionInterval, mean_interval, mean_interval_by, normal_quantile,
    t_critical, wilson_interval,
};
pub use moving::MovingSummary;
pub use percentile_sketch::{DEFAULT_RELATIVE_ERROR, PercentileSketch};
pub use regression::{
    MovingRegression, RegressionPrediction, RegressionSummary, RegressionTest,
    regression_prediction, regression_test,
};
pub use sketch_error::SketchError;
pub use state_durations::{StateCollector, StateDurations, StateDurationsError};
pub use stats_summary::{Estimator, StatsSummary};
pub use top_n_sketch::{Frequent, TopNSketch};
