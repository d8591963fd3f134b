//! Few points that draw the same picture as many.

use crate::error::{Classify, ErrorKind};

/// Why points were not selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownsampleError {
    /// A method that does not exist.
    #[error("unknown downsampling method \"{0}\"")]
    UnknownMethod(String),
    /// Fewer points than the method can keep.
    #[error("threshold must be at least {smallest} for method {method}, not {value}", method = .method.as_str())]
    Threshold {
        /// The method.
        method: DownsampleMethod,
        /// The fewest points that it keeps.
        smallest: i32,
        /// What was given.
        value: i32,
    },
    /// Times and values do not pair up.
    #[error("{times} times for {values} values")]
    LengthMismatch {
        /// How many times there are.
        times: usize,
        /// How many values there are.
        values: usize,
    },
    /// A time before the one that precedes it.
    #[error("time {position} lies before the one that precedes it")]
    Unsorted {
        /// Its position, from 1.
        position: usize,
    },
    /// A value that no picture has room for.
    #[error("value {position} is infinite")]
    Infinite {
        /// Its position, from 1.
        position: usize,
    },
}

impl Classify for DownsampleError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidParameter
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownMethod(_) => {
                let names = DownsampleMethod::ALL.map(DownsampleMethod::as_str);
                return Some(format!("The methods are {}.", names.join(", ")));
            }
            Self::Unsorted { .. } => "Order the points by time.",
            Self::Infinite { .. } => "NaN and NULL values count as missing; infinities do not.",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Which points are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownsampleMethod {
    /// Largest triangle three buckets (Steinarsson 2013): the shape that the eye sees, for line charts.
    Lttb,
    /// The smallest and the largest value of each bucket: no extreme is lost, for limits that must not be exceeded.
    MinMax,
}

impl DownsampleMethod {
    /// Every method.
    pub const ALL: [Self; 2] = [Self::Lttb, Self::MinMax];

    /// The name in SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lttb => "lttb",
            Self::MinMax => "min_max",
        }
    }

    /// The first and the last point, and one bucket's share between them.
    const fn smallest_threshold(self) -> i32 {
        match self {
            Self::Lttb => 3,
            Self::MinMax => 4,
        }
    }

    /// How many points a bucket can give.
    const fn points_per_bucket(self) -> usize {
        match self {
            Self::Lttb => 1,
            Self::MinMax => 2,
        }
    }
}

/// Unchecked parameters of [`downsample`].
#[derive(Debug, Clone, Copy)]
pub struct DownsampleOptions<'a> {
    /// The name of a [`DownsampleMethod`].
    pub method: &'a str,
    /// The most points to keep: at least 3, and 4 for `min_max`.
    pub threshold: i32,
}

/// Checked parameters of [`downsample`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Downsample {
    method: DownsampleMethod,
    threshold: usize,
}

impl DownsampleOptions<'_> {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`DownsampleError::UnknownMethod`], [`DownsampleError::Threshold`].
    pub fn check(self) -> Result<Downsample, DownsampleError> {
        let method = DownsampleMethod::ALL
            .into_iter()
            .find(|method| method.as_str() == self.method)
            .ok_or_else(|| DownsampleError::UnknownMethod(self.method.to_owned()))?;
        let smallest = method.smallest_threshold();
        let threshold = usize::try_from(self.threshold)
            .ok()
            .filter(|_| self.threshold >= smallest)
            .ok_or(DownsampleError::Threshold {
                method,
                smallest,
                value: self.threshold,
            })?;
        Ok(Downsample { method, threshold })
    }
}

/// The indexes of the points to draw, ascending, at most as many as the threshold.
///
/// A point whose value is NaN has no place in the picture: the answer is that of the series without such points. Of the
/// others the first and the last are always kept, and all when there are no more than the threshold. Points of one time are
/// allowed and keep their order. Where several points of a bucket are equally good, the first of them is kept. One pass over
/// the points for each of them to be looked at twice; nothing is allocated but the answer.
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
/// [`DownsampleError::Infinite`].
///
/// # Example
/// ```
/// use sop_analytics::time_series::{DownsampleOptions, downsample};
///
/// let plan = DownsampleOptions { method: "lttb", threshold: 3 }.check()?;
/// let values = [4.0, 4.1, 9.5, 4.0, 4.2, 4.1];
/// assert_eq!(downsample(&[0, 60, 120, 180, 240, 300], &values, &plan)?, [0, 2, 5]);
/// # Ok::<(), sop_analytics::time_series::DownsampleError>(())
/// ```
pub fn downsample(
    times: &[i64],
    values: &[f64],
    plan: &Downsample,
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
        DownsampleMethod::Lttb => largest_triangles(first, points.clone(), buckets, &mut kept),
        DownsampleMethod::MinMax => extremes(&mut points, buckets, &mut kept),
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
) {
    let mut before = first;
    let mut ahead = points.clone();
    let mut sizes = buckets.sizes();
    for _ in 0..sizes.next().unwrap_or(0) {
        ahead.next();
    }
    for (size, next_size) in buckets.sizes().zip(sizes.chain(std::iter::once(1))) {
        let next = mean(ahead.by_ref().take(next_size));
        let mut largest = f64::NEG_INFINITY;
        let mut best = None;
        for point in points.by_ref().take(size) {
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
}

/// The mean of a bucket, which is not empty.
fn mean(points: impl Iterator<Item = Point>) -> (f64, f64) {
    let (mut n, mut x, mut y) = (0.0, 0.0, 0.0);
    for point in points {
        n += 1.0;
        x += point.x;
        y += point.y;
    }
    (x / n, y / n)
}

fn twice_the_area(a: Point, b: Point, c: (f64, f64)) -> f64 {
    ((a.x - c.0) * (b.y - a.y) - (a.x - b.x) * (c.1 - a.y)).abs()
}

fn extremes(points: &mut Points<'_>, buckets: Buckets, kept: &mut Vec<usize>) {
    for size in buckets.sizes() {
        let mut bucket = points.by_ref().take(size);
        let Some(first) = bucket.next() else {
            continue;
        };
        let (mut low, mut high) = (first, first);
        for point in bucket {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(method: &str, threshold: i32) -> Downsample {
        DownsampleOptions { method, threshold }.check().unwrap()
    }

    fn times(n: usize) -> Vec<i64> {
        (0..n as i64).collect()
    }

    #[test]
    fn parameters_are_checked() {
        let refused = |method, threshold| {
            let options = DownsampleOptions { method, threshold };
            options.check().unwrap_err()
        };
        assert_eq!(
            refused("mean", 100).to_string(),
            "unknown downsampling method \"mean\""
        );
        assert_eq!(
            refused("mean", 100).hint().unwrap(),
            "The methods are lttb, min_max."
        );
        assert_eq!(
            refused("lttb", 2).to_string(),
            "threshold must be at least 3 for method lttb, not 2"
        );
        assert_eq!(
            refused("min_max", 3).to_string(),
            "threshold must be at least 4 for method min_max, not 3"
        );
        assert!(matches!(
            refused("lttb", i32::MIN),
            DownsampleError::Threshold { .. }
        ));
    }

    #[test]
    fn points_are_checked() {
        let plan = plan("lttb", 3);
        let refused = |times: &[i64], values: &[f64]| downsample(times, values, &plan).unwrap_err();
        assert_eq!(
            refused(&[1, 2], &[1.0]),
            DownsampleError::LengthMismatch {
                times: 2,
                values: 1
            }
        );
        assert_eq!(
            refused(&[1, 3, 2], &[1.0; 3]),
            DownsampleError::Unsorted { position: 3 }
        );
        assert_eq!(
            refused(&[1, 2], &[1.0, f64::NEG_INFINITY]),
            DownsampleError::Infinite { position: 2 }
        );
    }

    /// Six points, four kept: the buckets are {1, 2} and {3, 4}.
    ///
    /// With A = (0, 0) and the mean of the second bucket C = (3.5, 2): point 1 = (1, 1) spans |−3.5·1 + 1·2| = 1.5, point 2 =
    /// (2, 5) spans |−3.5·5 + 2·2| = 13.5. With A = (2, 5) and C = (5, 0): point 3 = (3, 0) spans |−3·(−5) + 1·(−5)| = 10,
    /// point 4 = (4, 4) spans |−3·(−1) + 2·(−5)| = 7.
    #[test]
    fn an_example_by_hand() {
        let values = [0.0, 1.0, 5.0, 0.0, 4.0, 0.0];
        let kept = downsample(&times(6), &values, &plan("lttb", 4));
        assert_eq!(kept, Ok(vec![0, 2, 3, 5]));
        let kept = downsample(&times(6), &values, &plan("min_max", 4));
        assert_eq!(kept, Ok(vec![0, 2, 3, 5]));
        let kept = downsample(&times(6), &values, &plan("min_max", 6));
        assert_eq!(kept, Ok(vec![0, 1, 2, 3, 4, 5]));
    }

    #[test]
    fn few_points_are_all_kept() {
        for n in 0..=4 {
            let values = vec![1.0; n];
            for method in ["lttb", "min_max"] {
                let kept = downsample(&times(n), &values, &plan(method, 4));
                assert_eq!(kept, Ok((0..n).collect()));
            }
        }
        assert_eq!(
            downsample(&times(3), &[f64::NAN; 3], &plan("lttb", 3)),
            Ok(vec![])
        );
    }

    #[test]
    fn a_constant_gives_the_first_of_each_bucket() {
        let kept = downsample(&times(8), &[2.0; 8], &plan("lttb", 5));
        assert_eq!(kept, Ok(vec![0, 1, 3, 5, 7]));
        let kept = downsample(&times(8), &[2.0; 8], &plan("min_max", 8));
        assert_eq!(kept, Ok((0..8).collect()));
        let kept = downsample(&[7; 8], &[2.0; 8], &plan("min_max", 4));
        assert_eq!(kept, Ok(vec![0, 1, 7]));
    }

    #[test]
    fn the_largest_numbers_do_not_disturb_the_count() {
        let times: Vec<i64> = vec![i64::MIN, i64::MIN, -1, 0, 0, 1, i64::MAX, i64::MAX];
        let values = [
            f64::MAX,
            f64::MIN,
            0.0,
            f64::MAX,
            f64::MIN,
            1.0,
            f64::MAX,
            0.0,
        ];
        let kept = downsample(&times, &values, &plan("lttb", 5)).unwrap();
        assert_eq!(kept.len(), 5);
    }
}
