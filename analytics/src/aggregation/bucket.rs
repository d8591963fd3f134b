//! What a bucket keeps of its measurements while it is being filled, from values or from stored buckets.

use crate::statistics::{
    Estimator, PercentileSketch, StatisticsError, StatsSummary, mean_interval,
};

/// Confidence of the interval of a bucket's mean.
const LEVEL: f64 = 0.95;

/// The percentiles that every bucket shows.
pub const BUCKET_PERCENTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// Both states of a bucket that is made from values.
///
/// While the sketch keeps its values exactly, the summary is not needed and worked out at the end from the values in
/// ascending order: hours of few readings are the same to the last bit in whatever order the rows came.
#[derive(Debug, Clone, Default)]
pub struct BucketValues {
    sketch: PercentileSketch,
    /// Of all values, once the sketch does not keep them any more.
    summary: Option<StatsSummary>,
}

impl BucketValues {
    /// Adds a value; NaN and infinities are not measured.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] when the values are so large that their moments are infinite.
    #[inline]
    pub fn push(&mut self, value: f64) -> Result<(), StatisticsError> {
        if !value.is_finite() {
            return Ok(());
        }
        if let Some(summary) = &mut self.summary {
            summary.push(value)?;
            return self.sketch.push(value);
        }
        self.push_exactly(value)
    }

    fn push_exactly(&mut self, value: f64) -> Result<(), StatisticsError> {
        let known = self.sketch.n();
        if known == PercentileSketch::EXACT_VALUES as u64 {
            let mut summary = self.summary()?;
            summary.push(value)?;
            self.summary = Some(summary);
        }
        self.sketch.push(value)
    }

    /// Count, sum and moments of all values.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] as [`BucketValues::push`].
    pub fn summary(&self) -> Result<StatsSummary, StatisticsError> {
        if let Some(summary) = self.summary {
            return Ok(summary);
        }
        let mut values = self.sketch.exact_values().unwrap_or_default().to_vec();
        values.sort_unstable_by(f64::total_cmp);
        StatsSummary::from_values(values)
    }

    /// Their distribution.
    #[must_use]
    pub fn sketch(&self) -> &PercentileSketch {
        &self.sketch
    }
}

/// Both states of a bucket that is made from those of finer ones.
#[derive(Debug, Clone, Default)]
pub struct StoredBucket {
    /// Of all values.
    pub summary: StatsSummary,
    /// Of all values; `None` when no part had one.
    pub sketch: Option<PercentileSketch>,
}

impl StoredBucket {
    /// Adds a finer bucket.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`], and [`StatisticsError::SketchMismatch`] when sketches have different error bounds.
    pub fn merge(
        &mut self,
        summary: &StatsSummary,
        sketch: Option<PercentileSketch>,
    ) -> Result<(), StatisticsError> {
        self.summary.merge(summary)?;
        match (&mut self.sketch, sketch) {
            (_, None) => {}
            (own @ None, Some(sketch)) => *own = Some(sketch),
            (Some(own), Some(sketch)) => own.merge(&sketch)?,
        }
        Ok(())
    }
}

/// The finished columns of a bucket: n, total, mean, sample standard deviation, minimum, maximum,
/// [`BUCKET_PERCENTILES`], and the bounds of the mean's 95 % interval.
///
/// # Errors
/// None for states that were made from values.
pub fn bucket_measures(
    summary: &StatsSummary,
    sketch: Option<&PercentileSketch>,
) -> Result<Vec<Option<f64>>, StatisticsError> {
    let interval = mean_interval(summary, LEVEL)?;
    let mut measures = Vec::with_capacity(12);
    measures.extend([
        Some(summary.n() as f64),
        summary.sum(),
        summary.mean(),
        summary.stddev(Estimator::Sample),
        summary.min(),
        summary.max(),
    ]);
    match sketch {
        None => measures.extend([None; BUCKET_PERCENTILES.len()]),
        Some(sketch) => measures.extend(sketch.percentiles(&BUCKET_PERCENTILES)?),
    }
    measures.push(interval.map(|found| found.interval.lower));
    measures.push(interval.map(|found| found.interval.upper));
    Ok(measures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;

    fn filled(values: impl IntoIterator<Item = f64>) -> BucketValues {
        let mut bucket = BucketValues::default();
        for value in values {
            bucket.push(value).unwrap();
        }
        bucket
    }

    #[test]
    fn few_values_are_the_same_in_any_order() {
        let values: Vec<f64> = (0..64)
            .map(|i| f64::from(i * 37 % 64).sqrt() * 1e3)
            .collect();
        let there = filled(values.iter().copied());
        let back = filled(values.iter().rev().copied());
        assert_eq!(
            there.summary().unwrap().encode(),
            back.summary().unwrap().encode()
        );
        assert_eq!(there.sketch().encode(), back.sketch().encode());
    }

    #[test]
    fn many_values_are_all_counted() {
        for n in [1, 63, 64, 65, 66, 1000_i32] {
            let values = || (1..=n).map(f64::from);
            let bucket = filled(values());
            let (found, expected) = (
                bucket.summary().unwrap(),
                StatsSummary::from_values(values()).unwrap(),
            );
            assert_eq!((found.n(), found.sum()), (n as u64, expected.sum()));
            let close = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * b.abs(),
                (a, b) => a == b,
            };
            assert!(close(
                found.variance(Estimator::Sample),
                expected.variance(Estimator::Sample)
            ));
            assert_eq!(
                *bucket.sketch(),
                PercentileSketch::from_values(values()).unwrap()
            );
        }
    }

    #[test]
    fn what_is_not_finite_is_not_measured() {
        let bucket = filled([1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 3.0]);
        assert_eq!(bucket.summary().unwrap().mean(), Some(2.0));
        assert_eq!(bucket.sketch().n(), 2);
        let nothing = filled([f64::NAN]);
        assert_eq!(nothing.summary().unwrap().n(), 0);
        let found = bucket_measures(&nothing.summary().unwrap(), Some(nothing.sketch())).unwrap();
        assert_eq!((found.len(), found[0]), (12, Some(0.0)));
        assert!(found[1..].iter().all(Option::is_none));
    }

    #[test]
    fn values_too_large_for_moments_are_an_error() {
        let mut bucket = filled([1e200, -1e200]);
        assert!(bucket.summary().is_err());
        for _ in 0..62 {
            bucket.push(1.0).unwrap();
        }
        assert!(bucket.push(1.0).is_err());
    }

    #[test]
    fn parts_make_the_whole() {
        let mut stored = StoredBucket::default();
        let mut all = Vec::new();
        for part in 0..5 {
            let values: Vec<f64> = (0..40).map(|i| f64::from(part * 100 + i) / 8.0).collect();
            let bucket = filled(values.iter().copied());
            stored
                .merge(&bucket.summary().unwrap(), Some(bucket.sketch().clone()))
                .unwrap();
            all.extend(values);
        }
        stored.merge(&StatsSummary::default(), None).unwrap();
        assert_eq!(stored.summary.n(), 200);
        assert_eq!(
            stored.sketch.unwrap(),
            PercentileSketch::from_values(all).unwrap()
        );
    }
}
