//! Distances between a reference and a current sample, judged by size and by significance.
//!
//! Every metric answers two questions: how far apart are the distributions (the effect, compared with fixed bounds), and
//! could sampling alone explain it (a p-value). A [`Severity`](crate::severity::Severity) above none needs both, so that
//! neither a small sample nor a large one raises false alarms. Bins come from the reference alone: a batch cannot move
//! the ruler it is measured with.

mod categorical;
mod judge;
mod null;
mod numeric;
mod ordered;
mod performance;
mod profile;
mod psi;

pub use categorical::{Counts, categorical, missing};
pub use judge::judge;
pub use numeric::{normalized_wasserstein, numeric};
pub use performance::{classification, regression};
pub use profile::{ProfileBin, compare_profiles, profile_bins};
pub use psi::{Bins, jensen_shannon_distance, population_stability_index};

use crate::error::{Classify, ErrorKind};
use crate::hypothesis_tests::HypothesisError;
use crate::progress::Interrupted;
use crate::severity::{Bounds, Severity};
use crate::statistics::StatisticsError;

/// Why drift could not be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DriftError {
    /// Fewer than two or more than a thousand bins.
    #[error("bins must lie between 2 and 1000, not {0}")]
    Bins(usize),
    /// The significance level is no probability strictly between 0 and 1.
    #[error("significance must lie between 0 and 1, not {0}")]
    Significance(f64),
    /// No room for a category of its own.
    #[error("max_categories must lie between 1 and 10000, not {0}")]
    MaxCategories(usize),
    /// Bounds that are not positive, finite and in order.
    #[error("thresholds of {0} must be four positive numbers in increasing order")]
    Thresholds(&'static str),
    /// Profiles that cannot be compared, or moments that overflow when both are put together.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// A test between two windows failed.
    #[error(transparent)]
    Test(#[from] HypothesisError),
    /// The caller asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Classify for DriftError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Interrupted(_) => ErrorKind::Interrupted,
            Self::Statistics(error) => error.kind(),
            Self::Test(error) => error.kind(),
            _ => ErrorKind::InvalidParameter,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Statistics(error) => error.hint(),
            Self::Test(error) => error.hint(),
            _ => None,
        }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Population stability index.
    Psi,
    /// Two-sample Kolmogorov-Smirnov statistic.
    Ks,
    /// Jensen-Shannon distance, base 2.
    JensenShannon,
    /// First Wasserstein distance in units of the reference's standard deviation.
    Wasserstein,
    /// Pearson's chi-square statistic of the two-row table of categories.
    ChiSquare,
    /// Difference of the means in pooled standard deviations (Hedges' g).
    MeanShift,
    /// Difference of the shares of missing values.
    MissingRate,
    /// Difference of the shares of values that are NaN or infinite.
    NotFiniteRate,
    /// Mean absolute error.
    Mae,
    /// Root mean squared error.
    Rmse,
    /// Share of right labels.
    Accuracy,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 11] = [
        Self::Psi,
        Self::Ks,
        Self::JensenShannon,
        Self::Wasserstein,
        Self::ChiSquare,
        Self::MeanShift,
        Self::MissingRate,
        Self::NotFiniteRate,
        Self::Mae,
        Self::Rmse,
        Self::Accuracy,
    ];

    /// The name used in tables, results and options.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Psi => "psi",
            Self::Ks => "ks",
            Self::JensenShannon => "jensen_shannon",
            Self::Wasserstein => "wasserstein",
            Self::ChiSquare => "chi_square",
            Self::MeanShift => "mean_shift",
            Self::MissingRate => "missing_rate",
            Self::NotFiniteRate => "not_finite_rate",
            Self::Mae => "mae",
            Self::Rmse => "rmse",
            Self::Accuracy => "accuracy",
        }
    }

    /// The metric with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == name)
    }

    /// The bounds used unless the caller sets others.
    ///
    /// Those of the index are the customary 0.1 and 0.25, continued by doubling; the others mark about the same shift.
    #[must_use]
    pub const fn default_bounds(self) -> Bounds {
        match self {
            Self::Psi | Self::ChiSquare => Bounds::new(0.1, 0.25, 0.5, 1.0),
            Self::Ks => Bounds::new(0.1, 0.2, 0.3, 0.5),
            Self::JensenShannon => Bounds::new(0.1, 0.2, 0.3, 0.45),
            Self::Wasserstein | Self::MeanShift => Bounds::new(0.15, 0.3, 0.6, 1.0),
            Self::MissingRate | Self::NotFiniteRate => Bounds::new(0.02, 0.05, 0.15, 0.4),
            Self::Mae | Self::Rmse => Bounds::new(0.1, 0.25, 0.5, 1.0),
            Self::Accuracy => Bounds::new(0.02, 0.05, 0.1, 0.2),
        }
    }
}

/// Parameters as given; [`DriftParameters::check`] makes them usable.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftParameters {
    /// Quantile bins of the reference.
    pub bins: usize,
    /// Level at which sampling noise is ruled out.
    pub significance: f64,
    /// Categories that keep a bin of their own; the rest shares one.
    pub max_categories: usize,
    /// Bounds that replace the default ones.
    pub bounds: Vec<(Metric, Bounds)>,
}

impl Default for DriftParameters {
    fn default() -> Self {
        Self {
            bins: 10,
            significance: 0.05,
            max_categories: 50,
            bounds: Vec::new(),
        }
    }
}

impl DriftParameters {
    /// Checks every parameter.
    ///
    /// # Errors
    /// The first one outside its domain.
    pub fn check(self) -> Result<Drift, DriftError> {
        if !(2..=1000).contains(&self.bins) {
            return Err(DriftError::Bins(self.bins));
        }
        if !(self.significance > 0.0 && self.significance < 1.0) {
            return Err(DriftError::Significance(self.significance));
        }
        if !(1..=10_000).contains(&self.max_categories) {
            return Err(DriftError::MaxCategories(self.max_categories));
        }
        if let Some((metric, _)) = self.bounds.iter().find(|(_, bounds)| !bounds.is_valid()) {
            return Err(DriftError::Thresholds(metric.as_str()));
        }
        Ok(Drift(self))
    }
}

/// Checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift(DriftParameters);

impl Drift {
    pub(crate) fn bins(&self) -> usize {
        self.0.bins
    }

    pub(crate) fn significance(&self) -> f64 {
        self.0.significance
    }

    pub(crate) fn max_categories(&self) -> usize {
        self.0.max_categories
    }

    /// The bounds of a metric.
    #[must_use]
    pub fn bounds(&self, metric: Metric) -> Bounds {
        self.0
            .bounds
            .iter()
            .rev()
            .find(|(of, _)| *of == metric)
            .map_or(metric.default_bounds(), |(_, bounds)| *bounds)
    }
}

/// One metric of one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// What was measured.
    pub metric: Metric,
    /// Its value; `None` where it is not defined (a constant reference has no standard deviation).
    pub value: Option<f64>,
    /// The same quantity in the reference, for metrics that each window has.
    pub reference_value: Option<f64>,
    /// Size of the change on the scale of the bounds, sampling bias taken off.
    pub effect: f64,
    /// Probability of a change at least as large when both samples come from one distribution.
    pub p_value: Option<f64>,
    /// The p-value that guards the severity: its own, or for a metric without one that of a test on the same samples.
    pub guard: Option<f64>,
    /// The value beyond which severity is not none (before adjustment for several subjects).
    pub threshold: Option<f64>,
    /// The verdict of [`judge`]; none before.
    pub severity: Severity,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_round_trip() {
        for metric in Metric::ALL {
            assert_eq!(Metric::parse(metric.as_str()), Some(metric));
            assert!(metric.default_bounds().is_valid(), "{}", metric.as_str());
        }
        assert_eq!(Metric::parse("PSI"), None);
    }

    #[test]
    fn parameters_outside_their_domain_are_named() {
        let check = |change: fn(&mut DriftParameters)| {
            let mut parameters = DriftParameters::default();
            change(&mut parameters);
            parameters.check().unwrap_err()
        };
        assert_eq!(check(|p| p.bins = 1), DriftError::Bins(1));
        assert_eq!(
            check(|p| p.significance = 1.0),
            DriftError::Significance(1.0)
        );
        assert!(matches!(
            check(|p| p.significance = f64::NAN),
            DriftError::Significance(_)
        ));
        assert_eq!(
            check(|p| p.max_categories = 0),
            DriftError::MaxCategories(0)
        );
        let unordered = check(|p| p.bounds = vec![(Metric::Ks, Bounds::new(0.5, 0.2, 0.6, 1.0))]);
        assert_eq!(unordered, DriftError::Thresholds("ks"));
        assert_eq!(unordered.kind(), ErrorKind::InvalidParameter);
    }
}
