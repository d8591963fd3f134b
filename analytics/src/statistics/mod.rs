//! Mergeable summaries, intervals and tests of significance.
//!
//! Three states can be stored and merged in any order: [`StatsSummary`] (count, sum and central moments up to the fourth,
//! also of weighted values), [`PercentileSketch`] (quantiles with a relative error bound) and [`RegressionSummary`] (a
//! straight line through points). [`StateDurations`] can be stored but not merged: it depends on order. The intervals and tests work on the numbers that
//! these states give, or on plain slices where the method needs the values themselves.

pub mod error;
pub mod hypothesis;
pub mod interval;
pub mod kolmogorov_smirnov;
pub mod percentile_sketch;
pub mod regression;
pub mod special;
pub mod state_durations;
pub mod stats_summary;

mod double_double;
mod json_float;
mod moving;
mod store;

pub use error::StatisticsError;
pub use hypothesis::{ChiSquareTest, WelchTest, chi_square_counts, welch_t_test};
pub use interval::{
    Interval, MeanInterval, ProportionInterval, mean_interval, mean_interval_by, normal_quantile,
    t_critical, wilson_interval,
};
pub use kolmogorov_smirnov::{KsMethod, KsTest, ks_two_sample};
pub use moving::MovingSummary;
pub use percentile_sketch::{DEFAULT_RELATIVE_ERROR, PercentileSketch};
pub use regression::{
    MovingRegression, RegressionPrediction, RegressionSummary, RegressionTest,
    regression_prediction, regression_test,
};
pub use state_durations::{StateCollector, StateDurations, StateDurationsError};
pub use stats_summary::{Estimator, StatsSummary};
