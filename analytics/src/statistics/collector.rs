//! Sketches that take value after value, as an aggregate with many groups gives them.

use super::distinct_sketch::DistinctSketch;
use super::hash::{xxh64, xxh64_of_integer};
use super::percentile_sketch::PercentileSketch;

/// So many values wait until they are counted: with the rest of the collector, four cache lines.
const WAITING: usize = 29;

/// A sketch that counts several values at once for less than one after the other.
pub trait Collected: Clone {
    /// What is counted.
    type Value: Copy + Default;
    /// What a sketch is made with; only sketches that share it can be merged.
    type Parameter: Copy;
    /// Why values or sketches are refused.
    type Error;

    /// An empty sketch, made with what another one was made with.
    fn empty_with(parameter: Self::Parameter) -> Self;

    /// What this sketch was made with.
    fn parameter(&self) -> Self::Parameter;

    /// Adds some values.
    ///
    /// # Errors
    /// As adding one of them.
    fn add_all(&mut self, values: &[Self::Value]) -> Result<(), Self::Error>;

    /// Adds all values of another sketch.
    ///
    /// # Errors
    /// As the method of this name of the sketch.
    fn merge(&mut self, other: &Self) -> Result<(), Self::Error>;

    /// Adds all values of an encoded sketch.
    ///
    /// # Errors
    /// As the method of this name of the sketch.
    fn merge_encoded(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Collects values for a sketch.
///
/// The rows of an aggregate come group by turns, so that each finds the memory of its group far from the processor. A sketch
/// would be fetched in three or four places for each row; here a row is written down beside the last one, and 29 rows are
/// counted together.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct Collector<S: Collected> {
    length: usize,
    waiting: [S::Value; WAITING],
    parameter: S::Parameter,
    /// Everything that does not wait; none while nothing was counted, so that the collectors themselves lie densely.
    counted: Option<Box<S>>,
}

/// Collects doubles.
pub type PercentileCollector = Collector<PercentileSketch>;

/// Collects hashes of values.
pub type DistinctCollector = Collector<DistinctSketch>;

impl<S: Collected + Default> Default for Collector<S> {
    fn default() -> Self {
        Self::like(&S::default())
    }
}

impl<S: Collected> From<S> for Collector<S> {
    fn from(sketch: S) -> Self {
        let mut collector = Self::like(&sketch);
        collector.counted = Some(Box::new(sketch));
        collector
    }
}

impl<S: Collected> Collector<S> {
    /// A collector of nothing, for a sketch that can be merged with this one.
    #[must_use]
    pub fn like(sketch: &S) -> Self {
        Self {
            length: 0,
            waiting: [S::Value::default(); WAITING],
            parameter: sketch.parameter(),
            counted: None,
        }
    }

    /// What the sketch will be made with.
    #[must_use]
    pub fn parameter(&self) -> S::Parameter {
        self.parameter
    }

    /// Adds one value.
    ///
    /// # Errors
    /// As [`Collected::add_all`].
    #[inline]
    pub fn push(&mut self, value: S::Value) -> Result<(), S::Error> {
        if let Some(place) = self.waiting.get_mut(self.length) {
            *place = value;
            self.length += 1;
            return Ok(());
        }
        self.count_waiting()?;
        self.waiting[0] = value;
        self.length = 1;
        Ok(())
    }

    /// Adds all values of a sketch.
    ///
    /// # Errors
    /// As [`Collected::merge`].
    pub fn merge(&mut self, sketch: &S) -> Result<(), S::Error> {
        self.counted().merge(sketch)
    }

    /// Adds all values of an encoded sketch.
    ///
    /// # Errors
    /// As [`Collected::merge_encoded`].
    pub fn merge_encoded(&mut self, bytes: &[u8]) -> Result<(), S::Error> {
        self.counted().merge_encoded(bytes)
    }

    /// Adds all values of another collector.
    ///
    /// # Errors
    /// As [`Collected::merge`].
    pub fn merge_collector(&mut self, other: &Self) -> Result<(), S::Error> {
        match &other.counted {
            Some(counted) => self.merge(counted)?,
            // Tells whether the two belong together.
            None => self.merge(&S::empty_with(other.parameter))?,
        }
        self.counted().add_all(other.waiting())
    }

    /// The sketch of all values so far.
    ///
    /// # Errors
    /// As [`Collected::add_all`].
    pub fn finish(&self) -> Result<S, S::Error> {
        let mut whole = match &self.counted {
            Some(counted) => S::clone(counted),
            None => S::empty_with(self.parameter),
        };
        whole.add_all(self.waiting())?;
        Ok(whole)
    }

    fn waiting(&self) -> &[S::Value] {
        self.waiting.get(..self.length).unwrap_or_default()
    }

    /// The sketch of what does not wait.
    fn counted(&mut self) -> &mut S {
        let parameter = self.parameter;
        self.counted
            .get_or_insert_with(|| Box::new(S::empty_with(parameter)))
    }

    #[cold]
    fn count_waiting(&mut self) -> Result<(), S::Error> {
        let waiting = self.waiting;
        let length = std::mem::take(&mut self.length);
        self.counted()
            .add_all(waiting.get(..length).unwrap_or_default())
    }
}

impl DistinctCollector {
    /// Adds the bytes of a text or a uuid.
    ///
    /// # Errors
    /// As [`Collected::add_all`].
    #[inline]
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Result<(), <DistinctSketch as Collected>::Error> {
        self.push(xxh64(bytes))
    }

    /// Adds an integer: its eight bytes, little-endian.
    ///
    /// # Errors
    /// As [`Collected::add_all`].
    #[inline]
    pub fn push_integer(&mut self, value: i64) -> Result<(), <DistinctSketch as Collected>::Error> {
        self.push(xxh64_of_integer(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{SketchError, StatisticsError};

    #[test]
    fn collectors_of_different_parameters_are_refused_whatever_waits() {
        let fine = PercentileSketch::with_relative_error(0.001).unwrap();
        let coarse = PercentileSketch::default();
        for n in [0, 1, 29, 30, 100] {
            let mut others = PercentileCollector::like(&fine);
            (0..n).for_each(|value| others.push(f64::from(value)).unwrap());
            let merged = PercentileCollector::like(&coarse).merge_collector(&others);
            assert!(matches!(
                merged,
                Err(StatisticsError::SketchMismatch { .. })
            ));
        }
        let precise = DistinctCollector::like(&DistinctSketch::with_precision(18).unwrap());
        assert!(matches!(
            DistinctCollector::default().merge_collector(&precise),
            Err(SketchError::PrecisionMismatch { .. })
        ));
    }

    #[test]
    fn nothing_collected_is_the_empty_sketch() {
        let empty = PercentileCollector::default().finish().unwrap();
        assert_eq!((empty.n(), empty.min()), (0, None));
        assert_eq!(DistinctCollector::default().finish().unwrap().count(), 0);
    }
}
