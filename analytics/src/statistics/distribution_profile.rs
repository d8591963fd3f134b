//! What a column looked like: enough to measure drift against it later, without its rows.
//!
//! A profile counts every row. Numbers are kept as moments and as a sketch, from which quantile bins of any number come;
//! texts as counts of categories. NULL, NaN and infinities are counted beside them, because their share is a feature of a
//! column like its mean.

use super::error::StatisticsError;
use super::percentile_sketch::{LARGEST_COUNT, PercentileSketch};
use super::stats_summary::StatsSummary;

mod categories;
mod codec;

pub use categories::{CAPACITY, CategoryProfile, LONGEST_CATEGORY};

/// The distribution of a column of numbers or of texts.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a state is one per group, and a box would cost each row a cache miss"
)]
pub enum DistributionProfile {
    /// Of numbers.
    Numeric(NumericProfile),
    /// Of texts.
    Text(CategoryProfile),
}

/// Equal profiles have equal bytes.
impl PartialEq for DistributionProfile {
    fn eq(&self, other: &Self) -> bool {
        use crate::codec::Codec;
        self.encode() == other.encode()
    }
}

impl DistributionProfile {
    /// `numbers` or `text`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Numeric(_) => NumericProfile::KIND,
            Self::Text(_) => CategoryProfile::KIND,
        }
    }

    /// The profile of numbers that this is.
    ///
    /// # Errors
    /// [`StatisticsError::ProfileKind`] of a profile of texts.
    pub const fn numeric(&self) -> Result<&NumericProfile, StatisticsError> {
        match self {
            Self::Numeric(profile) => Ok(profile),
            Self::Text(_) => Err(StatisticsError::ProfileKind {
                expected: NumericProfile::KIND,
                found: CategoryProfile::KIND,
            }),
        }
    }

    /// The profile of texts that this is.
    ///
    /// # Errors
    /// [`StatisticsError::ProfileKind`] of a profile of numbers.
    pub const fn text(&self) -> Result<&CategoryProfile, StatisticsError> {
        match self {
            Self::Text(profile) => Ok(profile),
            Self::Numeric(_) => Err(StatisticsError::ProfileKind {
                expected: CategoryProfile::KIND,
                found: NumericProfile::KIND,
            }),
        }
    }

    /// Adds a row of a column of numbers.
    ///
    /// # Errors
    /// [`StatisticsError::ProfileKind`]; [`StatisticsError::Overflow`] as [`NumericProfile::push`].
    pub fn push_number(&mut self, value: Option<f64>) -> Result<(), StatisticsError> {
        match self {
            Self::Numeric(profile) => profile.push(value),
            Self::Text(_) => self.numeric().map(|_| ()),
        }
    }

    /// Adds a row of a column of texts.
    ///
    /// # Errors
    /// [`StatisticsError::ProfileKind`]; [`StatisticsError::Overflow`] when the count passes 2^53.
    pub fn push_text(&mut self, value: Option<&str>) -> Result<(), StatisticsError> {
        match self {
            Self::Text(profile) => profile.push(value),
            Self::Numeric(_) => self.text().map(|_| ()),
        }
    }

    /// Adds all rows of another profile of the same kind.
    ///
    /// # Errors
    /// [`StatisticsError::ProfileKind`]; [`StatisticsError::Overflow`] as [`StatsSummary::merge`].
    pub fn merge(&mut self, other: &Self) -> Result<(), StatisticsError> {
        match (self, other) {
            (Self::Numeric(profile), other) => profile.merge(other.numeric()?),
            (Self::Text(profile), other) => profile.merge(other.text()?),
        }
    }

    /// How many rows, NULLs among them.
    #[must_use]
    pub fn rows(&self) -> u64 {
        match self {
            Self::Numeric(profile) => profile.rows(),
            Self::Text(profile) => profile.rows(),
        }
    }

    /// How many rows were NULL.
    #[must_use]
    pub fn nulls(&self) -> u64 {
        match self {
            Self::Numeric(profile) => profile.nulls,
            Self::Text(profile) => profile.nulls(),
        }
    }

    /// The share of rows that were NULL; `None` without a row.
    #[must_use]
    pub fn null_share(&self) -> Option<f64> {
        let rows = self.rows();
        (rows > 0).then(|| self.nulls() as f64 / rows as f64)
    }
}

/// Counts that add up to at most 2^53, beyond which they are not exact as doubles.
fn checked_total(parts: &[u64]) -> Result<u64, StatisticsError> {
    parts
        .iter()
        .try_fold(0_u64, |sum, part| sum.checked_add(*part))
        .filter(|&sum| sum <= LARGEST_COUNT)
        .ok_or(StatisticsError::Overflow(
            "the count of a distribution_profile",
        ))
}

/// The distribution of a column of numbers: moments and quantiles of the finite values, counts of the others.
#[derive(Debug, Clone)]
pub struct NumericProfile {
    pub(super) nulls: u64,
    pub(super) nan: u64,
    pub(super) negative_infinity: u64,
    pub(super) positive_infinity: u64,
    summary: StatsSummary,
    sketch: PercentileSketch,
}

impl Default for NumericProfile {
    fn default() -> Self {
        Self {
            nulls: 0,
            nan: 0,
            negative_infinity: 0,
            positive_infinity: 0,
            summary: StatsSummary::default(),
            sketch: PercentileSketch::of_profile(),
        }
    }
}

impl NumericProfile {
    /// What this kind holds.
    pub const KIND: &'static str = "numbers";

    /// Adds a row.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] when the sum or a moment leaves float8, or the count passes 2^53.
    pub fn push(&mut self, value: Option<f64>) -> Result<(), StatisticsError> {
        checked_total(&[self.rows(), 1])?;
        match value {
            None => self.nulls += 1,
            Some(f64::INFINITY) => self.positive_infinity += 1,
            Some(f64::NEG_INFINITY) => self.negative_infinity += 1,
            Some(value) if value.is_nan() => self.nan += 1,
            Some(value) => {
                self.summary.push(value)?;
                self.sketch.push(value)?;
            }
        }
        Ok(())
    }

    /// Adds all rows of another profile.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] as [`NumericProfile::push`].
    pub fn merge(&mut self, other: &Self) -> Result<(), StatisticsError> {
        checked_total(&[self.rows(), other.rows()])?;
        self.summary.merge(&other.summary)?;
        self.sketch.merge(&other.sketch)?;
        self.nulls += other.nulls;
        self.nan += other.nan;
        self.negative_infinity += other.negative_infinity;
        self.positive_infinity += other.positive_infinity;
        Ok(())
    }

    /// How many rows, NULLs among them.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.nulls + self.not_finite() + self.summary.n()
    }

    /// How many rows were NULL.
    #[must_use]
    pub const fn nulls(&self) -> u64 {
        self.nulls
    }

    /// How many values were NaN.
    #[must_use]
    pub const fn nan(&self) -> u64 {
        self.nan
    }

    /// How many values were infinite.
    #[must_use]
    pub const fn infinite(&self) -> u64 {
        self.negative_infinity + self.positive_infinity
    }

    /// How many values were NaN or infinite.
    #[must_use]
    pub const fn not_finite(&self) -> u64 {
        self.nan + self.infinite()
    }

    /// Count, moments and extremes of the finite values.
    #[must_use]
    pub const fn summary(&self) -> &StatsSummary {
        &self.summary
    }

    /// Quantiles of the finite values.
    #[must_use]
    pub const fn sketch(&self) -> &PercentileSketch {
        &self.sketch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_counts_and_only_finite_numbers_have_moments() {
        let mut profile = NumericProfile::default();
        for value in [
            Some(1.0),
            None,
            Some(f64::NAN),
            Some(3.0),
            Some(f64::INFINITY),
            Some(f64::NEG_INFINITY),
            Some(f64::NEG_INFINITY),
            None,
        ] {
            profile.push(value).unwrap();
        }
        assert_eq!(
            (
                profile.rows(),
                profile.nulls(),
                profile.nan(),
                profile.infinite()
            ),
            (8, 2, 1, 3)
        );
        assert_eq!(profile.summary().mean(), Some(2.0));
        assert_eq!(profile.sketch().percentile(0.5).unwrap(), Some(2.0));
        let profile = DistributionProfile::Numeric(profile);
        assert_eq!(profile.null_share(), Some(0.25));
        assert_eq!(
            DistributionProfile::Numeric(NumericProfile::default()).null_share(),
            None
        );
    }

    #[test]
    fn kinds_do_not_mix() {
        let mut numbers = DistributionProfile::Numeric(NumericProfile::default());
        let mut texts = DistributionProfile::Text(CategoryProfile::default());
        assert!(matches!(
            numbers.merge(&texts),
            Err(StatisticsError::ProfileKind {
                expected: "numbers",
                found: "text"
            })
        ));
        assert!(texts.merge(&numbers).is_err());
        assert!(numbers.push_text(Some("a")).is_err());
        assert!(texts.push_number(Some(1.0)).is_err());
        assert!(numbers.text().is_err() && texts.numeric().is_err());
    }

    #[test]
    fn overflow_is_an_error() {
        let mut profile = NumericProfile::default();
        profile.push(Some(1e300)).unwrap();
        assert!(matches!(
            profile.push(Some(-1e300)),
            Err(StatisticsError::Overflow(_))
        ));
    }
}
