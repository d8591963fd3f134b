//! A percentile sketch that takes value after value, as an aggregate with many groups gives them.

use super::PercentileSketch;
use crate::statistics::error::StatisticsError;

/// So many values wait until they are counted: with the rest of the collector, four cache lines.
const WAITING: usize = 29;

/// Collects values for a [`PercentileSketch`].
///
/// The rows of an aggregate come group by turns, so that each finds the memory of its group far from the processor. A sketch
/// would be fetched in three or four places for each row; here a row is written down beside the last one, and every
/// [`WAITING`] rows are counted together.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct PercentileCollector {
    length: usize,
    waiting: [f64; WAITING],
    target: f64,
    /// Everything that does not wait; none while nothing was counted, so that the collectors themselves lie densely.
    counted: Option<Box<PercentileSketch>>,
}

impl Default for PercentileCollector {
    fn default() -> Self {
        Self::from(PercentileSketch::default())
    }
}

impl From<PercentileSketch> for PercentileCollector {
    fn from(sketch: PercentileSketch) -> Self {
        Self {
            length: 0,
            waiting: [0.0; WAITING],
            target: sketch.target_relative_error(),
            counted: (sketch.n() > 0).then(|| Box::new(sketch)),
        }
    }
}

impl PercentileCollector {
    /// A collector of nothing, with its own error bound.
    ///
    /// # Errors
    /// As [`PercentileSketch::with_relative_error`].
    pub fn with_relative_error(relative_error: f64) -> Result<Self, StatisticsError> {
        PercentileSketch::with_relative_error(relative_error).map(Self::from)
    }

    /// The error bound that the sketch will be made with.
    #[must_use]
    pub fn target_relative_error(&self) -> f64 {
        self.target
    }

    /// Adds one value.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] when the count passes 2^53.
    #[inline]
    pub fn push(&mut self, value: f64) -> Result<(), StatisticsError> {
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
    /// As [`PercentileSketch::merge`].
    pub fn merge(&mut self, sketch: &PercentileSketch) -> Result<(), StatisticsError> {
        self.counted()?.merge(sketch)
    }

    /// Adds all values of an encoded sketch.
    ///
    /// # Errors
    /// As [`PercentileSketch::merge_encoded`].
    pub fn merge_encoded(&mut self, bytes: &[u8]) -> Result<(), StatisticsError> {
        self.counted()?.merge_encoded(bytes)
    }

    /// Adds all values of another collector.
    ///
    /// # Errors
    /// As [`PercentileSketch::merge`].
    pub fn merge_collector(&mut self, other: &Self) -> Result<(), StatisticsError> {
        self.merge(&other.finish()?)
    }

    /// The sketch of all values so far.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] when the count passes 2^53.
    pub fn finish(&self) -> Result<PercentileSketch, StatisticsError> {
        let mut whole = self.clone();
        whole.count_waiting()?;
        Ok(std::mem::take(whole.counted()?))
    }

    /// The sketch of what does not wait.
    fn counted(&mut self) -> Result<&mut PercentileSketch, StatisticsError> {
        if self.counted.is_none() {
            let empty = PercentileSketch::with_relative_error(self.target)?;
            self.counted = Some(Box::new(empty));
        }
        self.counted
            .as_deref_mut()
            .ok_or(StatisticsError::Overflow("percentile_sketch"))
    }

    #[cold]
    fn count_waiting(&mut self) -> Result<(), StatisticsError> {
        let waiting = self.waiting;
        let length = std::mem::take(&mut self.length).min(WAITING);
        let (waiting, _) = waiting.split_at(length);
        self.counted()?.push_all(waiting)
    }
}
