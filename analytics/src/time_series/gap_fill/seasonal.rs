//! Fills that know the season.

use crate::progress::Progress;

use super::{GapFillError, Neighbours, interpolated, neighbours, on_line};

/// What is usual in a season, learned from the observations.
struct Season {
    /// The change over the whole grid.
    slope: f64,
    /// The usual value of each place without the slope; `None` of a place with fewer than two observations.
    usual: Vec<Option<f64>>,
}

/// The fill of every bucket that has one.
pub(super) fn seasonal(
    times: &[i64],
    observed: &[f64],
    length: usize,
    progress: &mut impl Progress,
) -> Result<Vec<Option<f64>>, GapFillError> {
    let shares = shares_of_grid(times);
    progress.poll()?;
    let season = Season::learn(&shares, observed, length)?;
    progress.poll()?;
    let pattern: Vec<f64> = shares
        .iter()
        .zip(season.usual.iter().cycle())
        .map(|(share, usual)| usual.map_or(f64::NAN, |usual| season.slope * share + usual))
        .collect();
    let levels: Vec<f64> = observed
        .iter()
        .zip(&pattern)
        .map(|(value, usual)| value - usual)
        .collect();
    let plain = interpolated(times, observed);
    progress.poll()?;
    neighbours(&levels)
        .into_iter()
        .zip(pattern)
        .zip(plain)
        .enumerate()
        .map(|(at, ((around, usual), plain))| {
            if usual.is_nan() {
                return Ok(plain);
            }
            match level(times, around, at).map(|level| level + usual) {
                Some(value) if !value.is_finite() => Err(GapFillError::OutOfRange),
                fill => Ok(fill),
            }
        })
        .collect()
}

fn level(times: &[i64], around: Neighbours, at: usize) -> Option<f64> {
    match (around.before, around.after) {
        (Some(before), Some(after)) => on_line(times, before, after, at),
        (Some((_, level)), None) | (None, Some((_, level))) => Some(level),
        (None, None) => None,
    }
}

/// Times from 0 at the first bucket to 1 at the last.
fn shares_of_grid(times: &[i64]) -> Vec<f64> {
    let (Some(&first), Some(last)) = (times.first(), times.last()) else {
        return Vec::new();
    };
    let length = (last.abs_diff(first) as f64).max(1.0);
    times
        .iter()
        .map(|time| time.abs_diff(first) as f64 / length)
        .collect()
}

impl Season {
    fn learn(shares: &[f64], observed: &[f64], length: usize) -> Result<Self, GapFillError> {
        // A longer season has no second observation of any place.
        let mut places = vec![Vec::new(); length.min(observed.len())];
        for (at, (&share, &value)) in shares.iter().zip(observed).enumerate() {
            if let Some(place) = places.get_mut(at % length)
                && !value.is_nan()
            {
                place.push((share, value));
            }
        }
        places
            .iter_mut()
            .filter(|place| place.len() < 2)
            .for_each(Vec::clear);
        let slope = median(places.iter().flat_map(|place| slopes(place)).collect()).unwrap_or(0.0);
        let usual: Vec<Option<f64>> = places
            .iter()
            .map(|place| {
                median(
                    place
                        .iter()
                        .map(|(share, value)| value - slope * share)
                        .collect(),
                )
            })
            .collect();
        if !slope.is_finite() || usual.iter().flatten().any(|usual| !usual.is_finite()) {
            return Err(GapFillError::OutOfRange);
        }
        Ok(Self { slope, usual })
    }
}

/// The slopes of the first half of the points to the second half, each point used once.
fn slopes(points: &[(f64, f64)]) -> impl Iterator<Item = f64> {
    let half = points.len().div_ceil(2);
    points
        .iter()
        .zip(points.iter().skip(half))
        .map(|(one, other)| (other.1 - one.1) / (other.0 - one.0))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    let middle = values.len() / 2;
    if middle >= values.len() {
        return None;
    }
    let is_odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if is_odd {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(lower * 0.5 + upper * 0.5)
}
