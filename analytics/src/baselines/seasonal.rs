//! Baselines of parts of the week: a weekday, or an hour of a weekday.

use std::collections::BTreeMap;

use super::predicted;
use crate::aggregation::{Baseline, MAD_TO_STDDEV, MEAN_DEVIATION_TO_STDDEV, median};

/// A part of the week that was seen fewer times than this has no baseline.
pub const MIN_PERIODS_OF_SEGMENT: usize = 3;

/// The baseline of every segment that was seen at least [`MIN_PERIODS_OF_SEGMENT`] times, by segment.
///
/// The value is the median of the segment's periods. Few periods say little about their spread, so all segments share one:
/// 1.4826 times the median absolute deviation of all periods from their segments' medians (1.2533 times the mean one where
/// more than half are 0), times √(N / (N − k)) for k medians taken from N periods, with N − k degrees of freedom. NaN
/// and infinite periods are missing.
#[must_use]
pub fn seasonal(periods: &[f64], segments: &[u16]) -> Vec<(u16, Baseline)> {
    let mut parts: BTreeMap<u16, Vec<f64>> = BTreeMap::new();
    for (&value, &segment) in periods.iter().zip(segments) {
        if value.is_finite() {
            parts.entry(segment).or_default().push(value);
        }
    }
    parts.retain(|_, values| values.len() >= MIN_PERIODS_OF_SEGMENT);
    let mut centres = Vec::with_capacity(parts.len());
    let mut deviations = Vec::new();
    for (&segment, values) in &mut parts {
        if let Some(centre) = median(values) {
            deviations.extend(values.iter().map(|value| (value - centre).abs()));
            centres.push((segment, centre, values.len()));
        }
    }
    let n = deviations.len() as f64;
    let freedom = n - centres.len() as f64;
    let Some(typical) = median(&mut deviations) else {
        return Vec::new();
    };
    let spread = if typical > 0.0 {
        MAD_TO_STDDEV * typical
    } else {
        MEAN_DEVIATION_TO_STDDEV * deviations.iter().sum::<f64>() / n
    };
    let stddev = spread * (n / freedom).sqrt();
    centres
        .into_iter()
        .map(|(segment, centre, seen)| {
            (
                segment,
                predicted(centre, stddev, seen as f64, freedom, seen),
            )
        })
        .filter(|(_, baseline)| baseline.lower.is_finite() && baseline.upper.is_finite())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_keep_their_own_level_and_share_the_spread() {
        let periods = [10.0, 11.0, 12.0, 50.0, 51.0, 52.0, 7.0];
        let found = seasonal(&periods, &[1, 1, 1, 6, 6, 6, 7]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].0, found[0].1.value), (1, 11.0));
        assert_eq!((found[1].0, found[1].1.value), (6, 51.0));
        assert_eq!(found[0].1.stddev, found[1].1.stddev);
        assert!(found[0].1.upper < 20.0);
    }

    #[test]
    fn nothing_and_constants() {
        assert!(seasonal(&[], &[]).is_empty());
        assert!(seasonal(&[1.0, f64::NAN, 1.0], &[1, 1, 1]).is_empty());
        let found = seasonal(&[4.0; 3], &[2; 3]);
        assert_eq!((found[0].1.lower, found[0].1.upper), (4.0, 4.0));
    }
}
