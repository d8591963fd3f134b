//! What the distances do when nothing has changed.
//!
//! For two samples of sizes n and m of one distribution over B bins the population stability index, times 1 / (1/n +
//! 1/m), has asymptotically a chi-square distribution with B - 1 degrees of freedom (Yurdakul, Statistical properties of
//! the population stability index, 2018); Pearson's statistic has the same one, and the Jensen-Shannon divergence (in
//! nats) is an eighth of the index to second order.

use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::statistics::special::chi_square_upper;

/// The chi-square null distribution of a distance between two binned samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Null {
    degrees: f64,
    scale: f64,
}

impl Null {
    /// For samples of these sizes over this many occupied bins; `None` when there is nothing to compare: an empty
    /// sample, or one bin.
    pub(super) fn new(n: f64, m: f64, bins: usize) -> Option<Self> {
        let degrees = f64::from(u32::try_from(bins).ok()?) - 1.0;
        (n > 0.0 && m > 0.0 && degrees >= 1.0).then(|| Self {
            degrees,
            scale: 1.0 / n + 1.0 / m,
        })
    }

    /// How the index relates to the chi-square statistic: index = statistic × scale.
    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    /// Probability of an index at least this large.
    pub(super) fn p_value(&self, index: f64) -> f64 {
        chi_square_upper(index / self.scale, self.degrees)
    }

    /// The index expected from sampling alone.
    pub(super) fn expected(&self) -> f64 {
        self.degrees * self.scale
    }

    /// The index that sampling alone exceeds with probability `significance`.
    pub(super) fn critical(&self, significance: f64) -> f64 {
        ChiSquared::new(self.degrees).map_or(f64::INFINITY, |chi_square| {
            chi_square.inverse_cdf(1.0 - significance) * self.scale
        })
    }
}
