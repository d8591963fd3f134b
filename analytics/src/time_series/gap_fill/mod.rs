//! Values for the empty buckets of a grid.

mod options;
mod seasonal;

pub use options::{FillMethod, GapFill, GapFillError, GapFillOptions};

use crate::progress::Progress;
use options::Source;

/// A bucket after filling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FilledBucket {
    /// The observation or the fill; `None` where there is neither.
    pub value: Option<f64>,
    /// Whether the value is a fill.
    pub is_filled: bool,
}

/// Fills the empty buckets of a grid.
///
/// `times` are the starts of the buckets, `values` what was observed in them; `None` and NaN are empty. An observation is
/// never changed, and what is filled is marked.
///
/// * `none` fills nothing.
/// * `locf` repeats the last observation, in at most `limit` buckets in a row. Before the first observation it repeats
///   `before_first`, which counts as observed in the bucket before the grid.
/// * `interpolate` draws a line, linear in time, between the observations around a gap. A gap longer than `limit`, and one at
///   either end, stays empty.
/// * `seasonal` adds what is usual at the bucket's place in the season to the level around it:
///   `value = level + slope · time + usual[place]`. `slope` is the median of Theil's incomplete pairs within each place (the
///   first half with the second), `usual` the median of the observations of a place without that slope, and `level` the line
///   between the nearest observations without both; at an end it is the level of the nearest one. Medians keep a spoiled
///   reading from bending the season. A place of the season with fewer than two observations has no usual value: its buckets
///   are filled as `interpolate` does. A gap longer than `limit` stays empty.
/// * `constant` writes one value into all.
///
/// Filling what is filled changes nothing, but for what a limit (or a season not yet known) left empty: to a second call
/// fills are observations.
///
/// Linear in the number of buckets.
///
/// # Errors
/// [`GapFillError::LengthMismatch`]; [`GapFillError::Unsorted`] unless each bucket starts after the one before;
/// [`GapFillError::Infinite`] for an infinite observation and a method that draws lines; [`GapFillError::OutOfRange`] where a
/// seasonal fill exceeds the doubles; [`GapFillError::Interrupted`] when the caller asks to stop.
///
/// # Example
/// ```
/// use sop_analytics::progress::Uninterruptible;
/// use sop_analytics::time_series::{GapFillOptions, gap_fill};
///
/// let plan = GapFillOptions { method: "interpolate", ..Default::default() }.check()?;
/// let observed = [Some(4.0), None, Some(5.0)];
/// let filled = gap_fill(&[0, 60, 120], &observed, &plan, &mut Uninterruptible)?;
/// assert_eq!(filled[1].value, Some(4.5));
/// assert!(filled[1].is_filled);
/// # Ok::<(), sop_analytics::time_series::GapFillError>(())
/// ```
pub fn gap_fill(
    times: &[i64],
    values: &[Option<f64>],
    plan: &GapFill,
    progress: &mut impl Progress,
) -> Result<Vec<FilledBucket>, GapFillError> {
    progress.poll()?;
    check_grid(times, values)?;
    let observed: Vec<f64> = values
        .iter()
        .map(|value| value.unwrap_or(f64::NAN))
        .collect();
    let fills = match plan.source {
        Source::None => vec![None; observed.len()],
        Source::Constant(value) => vec![Some(value); observed.len()],
        Source::Locf {
            limit,
            before_first,
        } => carried_forward(&observed, limit, before_first),
        Source::Interpolate { limit } => {
            check_finite(&observed)?;
            limited(&observed, limit, interpolated(times, &observed))
        }
        Source::Seasonal { limit, seasonality } => {
            check_finite(&observed)?;
            let fills = seasonal::seasonal(times, &observed, seasonality, progress)?;
            limited(&observed, limit, fills)
        }
    };
    Ok(observed
        .iter()
        .zip(fills)
        .map(|(&observed, fill)| {
            if observed.is_nan() {
                FilledBucket {
                    value: fill,
                    is_filled: fill.is_some(),
                }
            } else {
                FilledBucket {
                    value: Some(observed),
                    is_filled: false,
                }
            }
        })
        .collect())
}

fn check_grid(times: &[i64], values: &[Option<f64>]) -> Result<(), GapFillError> {
    if times.len() != values.len() {
        return Err(GapFillError::LengthMismatch {
            times: times.len(),
            values: values.len(),
        });
    }
    let mut steps = times.iter().zip(times.iter().skip(1));
    match steps.position(|(one, next)| next <= one) {
        Some(at) => Err(GapFillError::Unsorted { position: at + 2 }),
        None => Ok(()),
    }
}

fn check_finite(observed: &[f64]) -> Result<(), GapFillError> {
    match observed.iter().position(|value| value.is_infinite()) {
        Some(at) => Err(GapFillError::Infinite { position: at + 1 }),
        None => Ok(()),
    }
}

fn carried_forward(observed: &[f64], limit: usize, before_first: Option<f64>) -> Vec<Option<f64>> {
    let mut last = before_first;
    let mut age = 0_usize;
    observed
        .iter()
        .map(|&value| {
            if value.is_nan() {
                age += 1;
            } else {
                last = Some(value);
                age = 0;
            }
            last.filter(|_| age <= limit)
        })
        .collect()
}

/// The nearest buckets with a value before and after a bucket, the bucket itself included.
#[derive(Debug, Clone, Copy, Default)]
struct Neighbours {
    before: Option<(usize, f64)>,
    after: Option<(usize, f64)>,
}

fn neighbours(values: &[f64]) -> Vec<Neighbours> {
    let mut found = vec![Neighbours::default(); values.len()];
    let mut last = None;
    for ((at, &value), one) in values.iter().enumerate().zip(&mut found) {
        if !value.is_nan() {
            last = Some((at, value));
        }
        one.before = last;
    }
    last = None;
    for ((at, &value), one) in values.iter().enumerate().zip(&mut found).rev() {
        if !value.is_nan() {
            last = Some((at, value));
        }
        one.after = last;
    }
    found
}

fn interpolated(times: &[i64], values: &[f64]) -> Vec<Option<f64>> {
    neighbours(values)
        .into_iter()
        .enumerate()
        .map(|(at, around)| on_line(times, around.before?, around.after?, at))
        .collect()
}

/// The value at bucket `at` of the line through two others; between their values whatever rounding does.
fn on_line(times: &[i64], before: (usize, f64), after: (usize, f64), at: usize) -> Option<f64> {
    let start = *times.get(before.0)?;
    let length = times.get(after.0)?.abs_diff(start);
    if length == 0 {
        return Some(before.1);
    }
    let share = times.get(at)?.abs_diff(start) as f64 / length as f64;
    let value = before.1 * (1.0 - share) + after.1 * share;
    Some(value.max(before.1.min(after.1)).min(before.1.max(after.1)))
}

/// Takes back the fills of gaps that are longer than the limit.
fn limited(observed: &[f64], limit: usize, mut fills: Vec<Option<f64>>) -> Vec<Option<f64>> {
    let gaps = observed.chunk_by(|one, next| one.is_nan() == next.is_nan());
    let mut rest = fills.as_mut_slice();
    for gap in gaps {
        let (here, after) = rest.split_at_mut(gap.len().min(rest.len()));
        if gap.len() > limit {
            here.fill(None);
        }
        rest = after;
    }
    fills
}

#[cfg(test)]
mod tests;
