//! Tests of significance with their effect sizes, and what to do with many p-values at once.
//!
//! One concept a file. A test takes summaries where they are enough, slices where it needs the values themselves, and
//! answers with an [`Outcome`]; `None` where the data cannot answer (an empty sample, nothing that varies). What orders
//! values refuses NaN; infinities are ordinary extremes unless a test says otherwise.

pub mod anderson_darling;
pub mod bootstrap;
pub mod contingency;
pub mod distributions;
pub mod error;
pub mod estimate;
pub mod kolmogorov_distribution;
pub mod kolmogorov_smirnov;
pub mod multiple_testing;
pub mod outcome;
pub mod proportions;
pub mod ranks;
pub mod resampling;
pub mod signed_ranks;
pub mod t_tests;
pub mod variance;

mod hypergeometric;
mod noncentral;

pub use anderson_darling::anderson_darling_test;
pub use bootstrap::{BootstrapMethod, BootstrapPlan, BootstrapResult, bootstrap_interval};
pub use contingency::{ChiSquareTest, chi_square_contingency, chi_square_counts, fisher_test};
pub use distributions::Distribution;
pub use error::HypothesisError;
pub use estimate::Statistic;
pub use kolmogorov_smirnov::{
    KsMethod, KsTest, ks_one_sample, ks_outcome, ks_two_sample, ks_two_sample_by,
};
pub use multiple_testing::{Adjustment, AdjustmentError, adjust_p_values};
pub use outcome::{Alternative, Effect, Outcome};
pub use proportions::z_test_proportions;
pub use ranks::mann_whitney_test;
pub use resampling::{PermutationPlan, permutation_test};
pub use signed_ranks::wilcoxon_signed_rank_test;
pub use t_tests::{MeanComparison, paired_t_test, welch_t_test};
pub use variance::{AnovaMethod, Center, VarianceTest, anova_test, levene_test};
