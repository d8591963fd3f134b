//! Percentiles of any number of values in bounded memory with a relative error bound.
//!
//! Up to [`EXACT_UP_TO`] values are kept as they are. Beyond, each value falls into the bucket `ceil(ln |x| / ln γ)` with
//! `γ = (1 + α) / (1 - α)`, whose middle is at most the share α away from it (Masson, Rim and Lee, "DDSketch", 2019).
//! When more than [`buckets::MAX_BUCKETS`] buckets are in use, neighbours are joined in pairs, which squares γ (Epicoco et al.,
//! "UDDSketch", 2020): the bound then grows for all percentiles alike, [`PercentileSketch::relative_error`] tells it.
//!
//! Each of these steps depends on the multiset of values alone, so that any split of the values, in any order, merged by
//! any tree, ends in the same sketch, byte for byte.

use super::collector::Collected;
use super::error::StatisticsError;
use buckets::Buckets;
pub(crate) use buckets::LARGEST_COUNT;

mod buckets;
mod cells;
mod codec;
mod scale;

pub(crate) use cells::Cell;
mod compact;

/// The relative error bound of a sketch that was not told another.
pub const DEFAULT_RELATIVE_ERROR: f64 = 0.01;

/// So many values are kept exactly.
pub(super) const EXACT_UP_TO: usize = 64;

/// A mergeable sketch of the distribution of doubles.
///
/// Values are ordered as PostgreSQL orders float8: -Infinity, finite values, Infinity, NaN. All of them count.
#[derive(Debug, Clone)]
pub struct PercentileSketch {
    target: f64,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// In the order of arrival.
    Exact(Vec<f64>),
    /// Not boxed: nearly every state has buckets, and a box would cost each row a cache miss.
    Buckets(Buckets),
}

/// Equal multisets at equal accuracy are equal, in whatever order they arrived.
impl PartialEq for PercentileSketch {
    fn eq(&self, other: &Self) -> bool {
        use crate::codec::Codec;
        self.encode() == other.encode()
    }
}

impl Default for PercentileSketch {
    fn default() -> Self {
        Self {
            target: DEFAULT_RELATIVE_ERROR,
            form: Form::Exact(Vec::new()),
        }
    }
}

/// One representation for equal values: no negative zero, one NaN.
fn canonical(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else {
        value + 0.0
    }
}

/// PostgreSQL's order: NaN last. [`f64::total_cmp`] agrees on canonical values.
fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The relative error bound of the sketch inside a distribution profile: fine enough for histograms of values whose
/// spread is a small share of their size.
pub(crate) const PROFILE_RELATIVE_ERROR: f64 = 0.0005;

impl PercentileSketch {
    /// The empty sketch of a distribution profile.
    pub(crate) const fn of_profile() -> Self {
        Self {
            target: PROFILE_RELATIVE_ERROR,
            form: Form::Exact(Vec::new()),
        }
    }
    /// So many values are kept exactly.
    pub const EXACT_VALUES: usize = EXACT_UP_TO;

    /// An empty sketch with its own error bound.
    ///
    /// # Errors
    /// [`StatisticsError::RelativeError`] unless `0.0001 <= relative_error <= 0.5`.
    pub fn with_relative_error(relative_error: f64) -> Result<Self, StatisticsError> {
        if (0.0001..=0.5).contains(&relative_error) {
            Ok(Self {
                target: relative_error,
                form: Form::Exact(Vec::new()),
            })
        } else {
            Err(StatisticsError::RelativeError(relative_error))
        }
    }

    /// A sketch of values with the default error bound.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] as [`PercentileSketch::push`].
    pub fn from_values(values: impl IntoIterator<Item = f64>) -> Result<Self, StatisticsError> {
        let mut sketch = Self::default();
        for value in values {
            sketch.push(value)?;
        }
        Ok(sketch)
    }

    /// Adds one value.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] when the count passes 2^53.
    #[inline]
    pub fn push(&mut self, value: f64) -> Result<(), StatisticsError> {
        match &mut self.form {
            Form::Buckets(buckets) => buckets.add(value),
            Form::Exact(values) if values.len() < EXACT_UP_TO => {
                values.push(canonical(value));
                Ok(())
            }
            Form::Exact(_) => self.buckets()?.add(value),
        }
    }

    /// Adds all values of another sketch.
    ///
    /// # Errors
    /// [`StatisticsError::SketchMismatch`] when the sketches were made with different error bounds;
    /// [`StatisticsError::Overflow`] when the count passes 2^53.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatisticsError> {
        if self.target.to_bits() != other.target.to_bits() {
            return Err(StatisticsError::SketchMismatch {
                left: self.target,
                right: other.target,
            });
        }
        match &other.form {
            Form::Exact(values) => self.add_all(values),
            Form::Buckets(buckets) => self.buckets()?.merge(buckets),
        }
    }

    /// The bucket form of this sketch, which it takes on.
    fn buckets(&mut self) -> Result<&mut Buckets, StatisticsError> {
        if let Form::Exact(values) = &self.form {
            let mut buckets = Buckets::new(self.target);
            buckets.add_all(values)?;
            self.form = Form::Buckets(buckets);
        }
        match &mut self.form {
            Form::Buckets(buckets) => Ok(buckets),
            Form::Exact(_) => Err(StatisticsError::Overflow("percentile_sketch")),
        }
    }

    /// The values themselves, in the order of arrival, while they are kept exactly.
    #[must_use]
    pub fn exact_values(&self) -> Option<&[f64]> {
        match &self.form {
            Form::Exact(values) => Some(values),
            Form::Buckets(_) => None,
        }
    }

    /// How many values.
    #[must_use]
    pub fn n(&self) -> u64 {
        match &self.form {
            Form::Exact(values) => values.len() as u64,
            Form::Buckets(buckets) => buckets.count,
        }
    }

    /// The error bound that the sketch was made with; only sketches that share it can be merged.
    #[must_use]
    pub fn target_relative_error(&self) -> f64 {
        self.target
    }

    /// The error bound that holds now: 0 while the values are kept exactly, the target after that, more when the values
    /// span so many orders of magnitude that buckets had to be joined.
    #[must_use]
    pub fn relative_error(&self) -> f64 {
        match &self.form {
            Form::Exact(_) => 0.0,
            Form::Buckets(buckets) if buckets.collapses == 0 => self.target,
            Form::Buckets(buckets) => buckets.relative_error(),
        }
    }

    /// The smallest value in PostgreSQL's order, exactly; `None` of nothing.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        match &self.form {
            Form::Exact(values) => values.iter().copied().min_by(f64::total_cmp),
            Form::Buckets(buckets) => Some(buckets.at(0)),
        }
    }

    /// The largest value in PostgreSQL's order, exactly; `None` of nothing.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        match &self.form {
            Form::Exact(values) => values.iter().copied().max_by(f64::total_cmp),
            Form::Buckets(buckets) => Some(buckets.at(buckets.count - 1)),
        }
    }

    /// The value below which the share `fraction` of the values lies, interpolated between neighbours as
    /// `percentile_cont` does; `None` of nothing.
    ///
    /// Its distance from what `percentile_cont` gives is at most [`PercentileSketch::relative_error`] times that value, if
    /// the two neighbours have the same sign.
    ///
    /// # Errors
    /// [`StatisticsError::Fraction`] unless `0 <= fraction <= 1`.
    pub fn percentile(&self, fraction: f64) -> Result<Option<f64>, StatisticsError> {
        Ok(self.percentiles(&[fraction])?.pop().flatten())
    }

    /// Several percentiles at once, in the order asked for.
    ///
    /// # Errors
    /// [`StatisticsError::Fraction`] unless every fraction lies in [0, 1].
    pub fn percentiles(&self, fractions: &[f64]) -> Result<Vec<Option<f64>>, StatisticsError> {
        if let Some(&bad) = fractions.iter().find(|f| !(0.0..=1.0).contains(*f)) {
            return Err(StatisticsError::Fraction(bad));
        }
        let ordered = match &self.form {
            Form::Exact(values) => sorted(values),
            Form::Buckets(_) => Vec::new(),
        };
        let at = |rank: u64| match &self.form {
            Form::Exact(_) => ordered.get(rank as usize).copied().unwrap_or(f64::NAN),
            Form::Buckets(buckets) => buckets.at(rank),
        };
        let n = self.n();
        Ok(fractions
            .iter()
            .map(|fraction| {
                let last = n.checked_sub(1)?;
                let position = fraction * last as f64;
                let low = at(position.floor() as u64);
                let high = at((position.ceil() as u64).min(last));
                let share = position - position.floor();
                Some(if share == 0.0 || low == high {
                    low
                } else {
                    low + share * (high - low)
                })
            })
            .collect())
    }
}

impl Collected for PercentileSketch {
    type Value = f64;
    type Parameter = f64;
    type Error = StatisticsError;

    fn empty_with(relative_error: f64) -> Self {
        Self {
            target: relative_error,
            form: Form::Exact(Vec::new()),
        }
    }

    fn parameter(&self) -> f64 {
        self.target
    }

    fn add_all(&mut self, values: &[f64]) -> Result<(), StatisticsError> {
        match &mut self.form {
            Form::Buckets(buckets) => buckets.add_all(values),
            Form::Exact(kept) if kept.len() + values.len() <= EXACT_UP_TO => {
                kept.extend(values.iter().copied().map(canonical));
                Ok(())
            }
            Form::Exact(_) => self.buckets()?.add_all(values),
        }
    }

    fn merge(&mut self, other: &Self) -> Result<(), StatisticsError> {
        self.merge(other)
    }

    fn merge_encoded(&mut self, bytes: &[u8]) -> Result<(), StatisticsError> {
        self.merge_encoded(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sketches_answer_like_percentile_cont() {
        let sketch = PercentileSketch::from_values([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(sketch.percentile(0.5).unwrap(), Some(2.5));
        assert_eq!(sketch.percentile(0.25).unwrap(), Some(1.75));
        assert_eq!(
            (sketch.min(), sketch.max(), sketch.n()),
            (Some(1.0), Some(4.0), 4)
        );
        assert_eq!(sketch.relative_error(), 0.0);
        assert_eq!(PercentileSketch::default().percentile(0.5).unwrap(), None);
        for bad in [-0.01, 1.01, f64::NAN] {
            assert!(matches!(
                sketch.percentile(bad),
                Err(StatisticsError::Fraction(_))
            ));
        }
    }

    #[test]
    fn the_error_bound_is_checked() {
        for bad in [0.0, -0.1, 0.6, f64::NAN, 1e-5] {
            assert!(matches!(
                PercentileSketch::with_relative_error(bad),
                Err(StatisticsError::RelativeError(_))
            ));
        }
        let mut fine = PercentileSketch::with_relative_error(0.001).unwrap();
        assert!(matches!(
            fine.merge(&PercentileSketch::default()),
            Err(StatisticsError::SketchMismatch { .. })
        ));
    }

    #[test]
    fn every_double_fits() {
        for target in [0.0001, 0.01, 0.5] {
            let mut sketch = PercentileSketch::with_relative_error(target).unwrap();
            let mut values = Vec::new();
            for exponent in -1074..1024 {
                for sign in [-1.0, 1.0] {
                    let value = sign * 2.0_f64.powi(exponent);
                    values.push(value);
                    sketch.push(value).unwrap();
                }
            }
            values.sort_by(f64::total_cmp);
            let bound = sketch.relative_error();
            assert!(bound >= target && bound < 1.0, "{bound}");
            let last = values.len() - 1;
            for (rank, value) in values.iter().enumerate() {
                let fraction = rank as f64 / last as f64;
                let position = (fraction * last as f64).floor() as usize;
                if position != rank {
                    continue;
                }
                let found = sketch.percentile(fraction).unwrap().unwrap();
                // Subnormal numbers have fewer digits than the bound asks for.
                let slack = bound * value.abs() * (1.0 + 1e-9) + 5e-324;
                assert!((found - value).abs() <= slack, "{value} {found}");
            }
        }
    }

    #[test]
    fn zeros_infinities_and_nan_have_their_places() {
        let mut values = vec![f64::NEG_INFINITY, f64::INFINITY, f64::NAN, 0.0, -0.0];
        values.extend((1..=100).map(f64::from));
        values.extend((1..=100).map(|i| -f64::from(i)));
        let sketch = PercentileSketch::from_values(values.iter().copied()).unwrap();
        assert_eq!(sketch.n(), 205);
        assert_eq!(sketch.min(), Some(f64::NEG_INFINITY));
        assert!(sketch.max().unwrap().is_nan());
        let at = |rank: f64| sketch.percentile(rank / 204.0).unwrap().unwrap();
        assert_eq!(at(0.0), f64::NEG_INFINITY);
        assert_eq!(at(1.0), -100.0);
        assert_eq!(at(102.0), 0.0);
        assert_eq!(at(203.0), f64::INFINITY);
        assert!(at(204.0).is_nan());
    }

    #[test]
    fn only_special_values() {
        let sketch = PercentileSketch::from_values([f64::INFINITY; 100]).unwrap();
        assert_eq!(sketch.percentile(0.3).unwrap(), Some(f64::INFINITY));
        let zeros = PercentileSketch::from_values([0.0; 100]).unwrap();
        assert_eq!(zeros.percentile(0.3).unwrap(), Some(0.0));
        let nan = PercentileSketch::from_values([f64::NAN; 100]).unwrap();
        assert!(nan.percentile(0.0).unwrap().unwrap().is_nan());
        assert!(nan.min().unwrap().is_nan());
    }
}
