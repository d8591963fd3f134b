//! The form of many values: counts in buckets of equal width on a logarithmic scale.

use super::scale::{Scale, joined};
use crate::statistics::error::StatisticsError;
use crate::statistics::store::Store;

/// So many buckets at most, positive and negative together.
pub(super) const MAX_BUCKETS: usize = 2048;

/// Counts beyond this are not exact as doubles.
pub(crate) const LARGEST_COUNT: u64 = 1 << 53;

/// All doubles fit into [`MAX_BUCKETS`] buckets after at most this many joins at the finest accuracy.
pub(super) const MAX_COLLAPSES: u8 = 16;

/// What every row of positive values touches comes first.
#[derive(Debug, Clone)]
#[repr(C)]
pub(super) struct Buckets {
    pub(super) count: u64,
    /// Over the finite values.
    pub(super) min: f64,
    pub(super) max: f64,
    scale: Scale,
    pub(super) collapses: u8,
    pub(super) positive: Store,
    pub(super) negative: Store,
    pub(super) zero: u64,
    pub(super) negative_infinity: u64,
    pub(super) positive_infinity: u64,
    pub(super) nan: u64,
}

impl Buckets {
    pub(super) fn new(target: f64) -> Self {
        Self {
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            scale: Scale::new(target),
            collapses: 0,
            positive: Store::default(),
            negative: Store::default(),
            zero: 0,
            negative_infinity: 0,
            positive_infinity: 0,
            nan: 0,
        }
    }

    /// The error bound that holds after the collapses so far.
    pub(super) fn relative_error(&self) -> f64 {
        (self.width() / 2.0).tanh()
    }

    /// The bucket of a positive finite magnitude.
    #[inline]
    pub(super) fn index(&self, magnitude: f64) -> i32 {
        joined(self.scale.index(magnitude), self.collapses)
    }

    /// The width of a bucket on the logarithmic scale.
    pub(super) fn width(&self) -> f64 {
        self.scale.width(self.collapses)
    }

    /// The value that stands for a bucket.
    pub(super) fn middle(&self, index: i32) -> f64 {
        self.scale.middle(index, self.collapses)
    }

    #[inline]
    pub(super) fn add(&mut self, value: f64) -> Result<(), StatisticsError> {
        self.count_up(1)?;
        let magnitude = value.abs();
        if !(magnitude > 0.0 && magnitude < f64::INFINITY) {
            self.add_special(value);
            return Ok(());
        }
        if value < self.min {
            self.min = value;
        }
        if value > self.max {
            self.max = value;
        }
        let index = self.index(magnitude);
        let store = if value > 0.0 {
            &mut self.positive
        } else {
            &mut self.negative
        };
        if store.add_one(index) {
            self.collapse_to_fit();
        }
        Ok(())
    }

    /// What adding each of a few values does. The buckets of all are found before the first is looked at, so that the
    /// processor fetches them together.
    pub(super) fn add_all(&mut self, values: &[f64]) -> Result<(), StatisticsError> {
        const TOGETHER: usize = 32;
        for values in values.chunks(TOGETHER) {
            if !values
                .iter()
                .all(|&value| value > 0.0 && value < f64::INFINITY)
            {
                values.iter().try_for_each(|&value| self.add(value))?;
                continue;
            }
            self.count_up(values.len() as u64)?;
            let mut indexes = [0; TOGETHER];
            for (index, &value) in indexes.iter_mut().zip(values) {
                *index = self.scale.index(value);
                self.min = if value < self.min { value } else { self.min };
                self.max = if value > self.max { value } else { self.max };
            }
            for &index in indexes.iter().take(values.len()) {
                if self.positive.add_one(joined(index, self.collapses)) {
                    self.collapse_to_fit();
                }
            }
        }
        Ok(())
    }

    /// Zeros, infinities and NaN, which have no bucket.
    #[cold]
    fn add_special(&mut self, value: f64) {
        match value {
            f64::INFINITY => self.positive_infinity += 1,
            f64::NEG_INFINITY => self.negative_infinity += 1,
            0.0 => {
                self.zero += 1;
                self.min = self.min.min(0.0);
                self.max = self.max.max(0.0);
            }
            _ => self.nan += 1,
        }
    }

    #[inline]
    fn count_up(&mut self, count: u64) -> Result<(), StatisticsError> {
        self.count = self
            .count
            .checked_add(count)
            .filter(|&count| count <= LARGEST_COUNT)
            .ok_or(StatisticsError::Overflow(
                "the count of a percentile_sketch",
            ))?;
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<(), StatisticsError> {
        self.count_up(other.count)?;
        self.negative_infinity += other.negative_infinity;
        self.zero += other.zero;
        self.positive_infinity += other.positive_infinity;
        self.nan += other.nan;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.collapse_by(other.collapses.saturating_sub(self.collapses));
        let steps = self.collapses - other.collapses;
        for (index, count) in other.negative.iter() {
            self.negative.add(joined(index, steps), count);
        }
        for (index, count) in other.positive.iter() {
            self.positive.add(joined(index, steps), count);
        }
        self.collapse_to_fit();
        Ok(())
    }

    #[inline]
    fn collapse_to_fit(&mut self) {
        while self.negative.used() + self.positive.used() > MAX_BUCKETS
            && self.collapses < MAX_COLLAPSES
        {
            self.collapse_by(1);
        }
    }

    pub(super) fn collapse_by(&mut self, steps: u8) {
        if steps > 0 {
            self.negative = self.negative.renumbered(|index| joined(index, steps));
            self.positive = self.positive.renumbered(|index| joined(index, steps));
            self.collapses += steps;
        }
    }

    /// The value of a rank, counted from 0; the first and the last are exact.
    pub(super) fn at(&self, rank: u64) -> f64 {
        let mut left = rank;
        let mut within = |count: u64| {
            let here = left < count;
            left = left.saturating_sub(count);
            here
        };
        if within(self.negative_infinity) {
            return f64::NEG_INFINITY;
        }
        if rank == self.negative_infinity && self.min.is_finite() {
            return self.min;
        }
        let finite = self.count - self.positive_infinity - self.nan;
        if rank + 1 == finite && self.max.is_finite() {
            return self.max;
        }
        for (index, count) in self.negative.iter().rev() {
            if within(count) {
                return (-self.middle(index)).clamp(self.min, self.max);
            }
        }
        if within(self.zero) {
            return 0.0;
        }
        for (index, count) in self.positive.iter() {
            if within(count) {
                return self.middle(index).clamp(self.min, self.max);
            }
        }
        if within(self.positive_infinity) {
            return f64::INFINITY;
        }
        f64::NAN
    }
}
