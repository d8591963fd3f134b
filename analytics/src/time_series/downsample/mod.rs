//! Few points that draw the same picture as many.

mod options;

pub use options::{Downsample, DownsampleError, DownsampleMethod, DownsampleOptions};

use crate::progress::{Interrupted, Progress};

/// Points between two looks at whether the caller wants to stop.
const POLL_EVERY: usize = 4096;

/// The indexes of the points to draw, ascending, at most as many as the threshold.
///
/// A point whose value is NaN has no place in the picture: the answer is that of the series without such points. Of the
/// others the first and the last are always kept, and all when there are no more than the threshold. Points of one time are
/// allowed and keep their order. Where several points of a bucket are equally good, the first of them is kept. Linear in the
/// number of points; nothing is allocated but the answer.
///
/// The points between the first and the last are dealt into buckets of equal counts.
///
/// * `lttb` keeps of each bucket the point that spans the largest triangle with the point kept before it and the mean of the
///   next bucket (S. Steinarsson, "Downsampling time series for visual representation", University of Iceland 2013, 4.2).
///   It keeps exactly as many points as the threshold says.
/// * `min_max` keeps the smallest and the largest value of each bucket, thus those of the whole series.
///
/// # Errors
/// [`DownsampleError::LengthMismatch`]; [`DownsampleError::Unsorted`] for a time before the one that precedes it;
/// [`DownsampleError::Infinite`]; [`DownsampleError::Interrupted`] when the caller asks to stop.
///
/// # Example
/// ```
/// use sop_analytics::progress::Uninterruptible;
/// use sop_analytics::time_series::{DownsampleOptions, downsample};
///
/// let plan = DownsampleOptions { method: "lttb", threshold: 3 }.check()?;
/// let values = [4.0, 4.1, 9.5, 4.0, 4.2, 4.1];
/// let kept = downsample(&[0, 60, 120, 180, 240, 300], &values, &plan, &mut Uninterruptible)?;
/// assert_eq!(kept, [0, 2, 5]);
/// # Ok::<(), sop_analytics::time_series::DownsampleError>(())
/// ```
pub fn downsample(
    times: &[i64],
    values: &[f64],
    plan: &Downsample,
    progress: &mut impl Progress,
) -> Result<Vec<usize>, DownsampleError> {
    check_points(times, values)?;
    let drawn = Points::new(times, values);
    let count = drawn.clone().count();
    if count <= plan.threshold {
        return Ok(drawn.map(|point| point.index).collect());
    }
    let mut kept = Vec::with_capacity(plan.threshold);
    let buckets = Buckets {
        inner: count - 2,
        count: (plan.threshold - 2) / plan.method.points_per_bucket(),
    };
    let mut points = drawn.clone();
    let Some(first) = points.next() else {
        return Ok(kept);
    };
    kept.push(first.index);
    match plan.method {
        DownsampleMethod::Lttb => {
            largest_triangles(first, points.clone(), buckets, &mut kept, progress)?;
        }
        DownsampleMethod::MinMax => extremes(&mut points, buckets, &mut kept, progress)?,
    }
    kept.extend(drawn.last_index());
    Ok(kept)
}

fn check_points(times: &[i64], values: &[f64]) -> Result<(), DownsampleError> {
    if times.len() != values.len() {
        return Err(DownsampleError::LengthMismatch {
            times: times.len(),
            values: values.len(),
        });
    }
    let descents = times.iter().zip(times.iter().skip(1));
    if let Some(at) = descents.into_iter().position(|(one, next)| next < one) {
        return Err(DownsampleError::Unsorted { position: at + 2 });
    }
    match values.iter().position(|value| value.is_infinite()) {
        Some(at) => Err(DownsampleError::Infinite { position: at + 1 }),
        None => Ok(()),
    }
}

/// A point of the picture; its time counts from the first of the series, so that doubles hold it well.
#[derive(Debug, Clone, Copy)]
struct Point {
    index: usize,
    x: f64,
    y: f64,
}

/// The points that have a value.
#[derive(Debug, Clone)]
struct Points<'a> {
    times: &'a [i64],
    values: &'a [f64],
    origin: i64,
    next: usize,
}

impl<'a> Points<'a> {
    fn new(times: &'a [i64], values: &'a [f64]) -> Self {
        Self {
            times,
            values,
            origin: times.first().copied().unwrap_or(0),
            next: 0,
        }
    }

    fn last_index(&self) -> Option<usize> {
        self.values.iter().rposition(|value| !value.is_nan())
    }
}

impl Iterator for Points<'_> {
    type Item = Point;

    fn next(&mut self) -> Option<Point> {
        loop {
            let index = self.next;
            let (&time, &y) = self.times.get(index).zip(self.values.get(index))?;
            self.next += 1;
            if !y.is_nan() {
                // No earlier than the origin, so that the distance fits a u64.
                let x = time.abs_diff(self.origin) as f64;
                return Some(Point { index, x, y });
            }
        }
    }
}

/// Equal shares of the points between the first and the last.
#[derive(Debug, Clone, Copy)]
struct Buckets {
    inner: usize,
    count: usize,
}

impl Buckets {
    /// The sizes in order; they add up to the inner points.
    fn sizes(self) -> impl Iterator<Item = usize> {
        // Whole numbers: the quotient of Steinarsson's program, without its rounding.
        let start = move |bucket: usize| {
            (bucket as u128 * self.inner as u128 / self.count.max(1) as u128) as usize
        };
        (0..self.count).map(move |bucket| start(bucket + 1) - start(bucket))
    }
}

fn largest_triangles(
    first: Point,
    mut points: Points<'_>,
    buckets: Buckets,
    kept: &mut Vec<usize>,
    progress: &mut impl Progress,
) -> Result<(), Interrupted> {
    let mut before = first;
    let mut ahead = points.clone();
    let mut sizes = buckets.sizes();
    for _ in 0..sizes.next().unwrap_or(0) {
        ahead.next();
    }
    for (size, next_size) in buckets.sizes().zip(sizes.chain(std::iter::once(1))) {
        let next = mean(ahead.by_ref().take(next_size), progress)?;
        let mut largest = f64::NEG_INFINITY;
        let mut best = None;
        for (position, point) in points.by_ref().take(size).enumerate() {
            poll_at(position, progress)?;
            let area = twice_the_area(before, point, next);
            if best.is_none() || area > largest {
                largest = area;
                best = Some(point);
            }
        }
        if let Some(point) = best {
            kept.push(point.index);
            before = point;
        }
    }
    Ok(())
}

fn poll_at(position: usize, progress: &mut impl Progress) -> Result<(), Interrupted> {
    if position.is_multiple_of(POLL_EVERY) {
        progress.poll()?;
    }
    Ok(())
}

/// The mean of a bucket, which is not empty.
fn mean(
    points: impl Iterator<Item = Point>,
    progress: &mut impl Progress,
) -> Result<(f64, f64), Interrupted> {
    let (mut n, mut x, mut y) = (0.0, 0.0, 0.0);
    for (position, point) in points.enumerate() {
        poll_at(position, progress)?;
        n += 1.0;
        x += point.x;
        y += point.y;
    }
    Ok((x / n, y / n))
}

fn twice_the_area(a: Point, b: Point, c: (f64, f64)) -> f64 {
    ((a.x - c.0) * (b.y - a.y) - (a.x - b.x) * (c.1 - a.y)).abs()
}

fn extremes(
    points: &mut Points<'_>,
    buckets: Buckets,
    kept: &mut Vec<usize>,
    progress: &mut impl Progress,
) -> Result<(), Interrupted> {
    for size in buckets.sizes() {
        let mut bucket = points.by_ref().take(size);
        let Some(first) = bucket.next() else {
            continue;
        };
        let (mut low, mut high) = (first, first);
        for (position, point) in bucket.enumerate() {
            poll_at(position, progress)?;
            if point.y < low.y {
                low = point;
            }
            if point.y > high.y {
                high = point;
            }
        }
        kept.push(low.index.min(high.index));
        if low.index != high.index {
            kept.push(low.index.max(high.index));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
