//! A line through a moving frame of points.

use super::RegressionSummary;
use crate::statistics::error::StatisticsError;

/// Rounding errors add up with each removal; two doubles have digits for this many.
const REMOVALS_UP_TO: u32 = 4096;

/// A moment may shrink to this share of its largest value before the digits that rounded away matter.
const MOMENT_DOWN_TO: f64 = 1.0 / 1024.0;

/// A [`RegressionSummary`] from which points can be taken out while that costs no accuracy.
///
/// [`MovingRegression::remove`] says no where a NaN or an infinity leaves, when x or y has come to vary much less than
/// before, and after some thousand removals. The caller then starts again from the points of the frame, as PostgreSQL does
/// when an inverse transition function returns NULL.
#[derive(Debug, Clone, Copy, Default)]
pub struct MovingRegression {
    summary: RegressionSummary,
    largest_xx: f64,
    largest_yy: f64,
    removals: u32,
}

impl MovingRegression {
    /// Adds one point; y first.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] as [`RegressionSummary::push`].
    pub fn push(&mut self, y: f64, x: f64) -> Result<(), StatisticsError> {
        self.summary.push(y, x)?;
        // NaN does not count.
        self.largest_xx = self.largest_xx.max(self.summary.xx.high);
        self.largest_yy = self.largest_yy.max(self.summary.yy.high);
        Ok(())
    }

    /// Takes out a point that was added and reports whether that was possible; if not, nothing has changed.
    #[must_use]
    pub fn remove(&mut self, y: f64, x: f64) -> bool {
        let known = self.summary.x.is_finite() && self.summary.y.is_finite();
        if !known || self.summary.n < 2 || self.removals >= REMOVALS_UP_TO {
            return false;
        }
        let mut reduced = self.summary;
        reduced.subtract(y, x);
        if reduced.xx.high < MOMENT_DOWN_TO * self.largest_xx
            || reduced.yy.high < MOMENT_DOWN_TO * self.largest_yy
        {
            return false;
        }
        self.summary = reduced;
        self.removals += 1;
        true
    }

    /// The summary of the points in the frame.
    #[must_use]
    pub fn summary(&self) -> &RegressionSummary {
        &self.summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::regression_test;

    /// Runs a frame over points as PostgreSQL would and compares each answer with a fresh summary.
    fn compare(points: &[(f64, f64)], frame: usize) -> usize {
        let mut moving = MovingRegression::default();
        let mut restarts = 0;
        for (end, &(y, x)) in points.iter().enumerate() {
            let start = (end + 1).saturating_sub(frame);
            if end >= frame {
                let (y, x) = points[start - 1];
                if !moving.remove(y, x) {
                    restarts += 1;
                    moving = MovingRegression::default();
                    for &(y, x) in &points[start..end] {
                        moving.push(y, x).unwrap();
                    }
                }
            }
            moving.push(y, x).unwrap();
            let fresh =
                RegressionSummary::from_points(points[start..=end].iter().copied()).unwrap();
            let found = moving.summary();
            assert_eq!(found.n, fresh.n);
            let same = |what: &str, found: Option<f64>, fresh: Option<f64>| match (found, fresh) {
                (Some(found), Some(fresh)) => assert!(
                    (found.is_nan() && fresh.is_nan())
                        || found == fresh
                        || (found - fresh).abs() <= 1e-12 * fresh.abs(),
                    "{what} at {end}: {found} {fresh}"
                ),
                (found, fresh) => assert_eq!(found, fresh, "{what} at {end}"),
            };
            same("slope", found.slope(), fresh.slope());
            same("intercept", found.intercept(), fresh.intercept());
            same("r2", found.r2(), fresh.r2());
            let test = |summary| regression_test(summary, 0.95).unwrap();
            same(
                "error",
                test(found).and_then(|test| test.slope_error),
                test(&fresh).and_then(|test| test.slope_error),
            );
        }
        restarts
    }

    fn noise(n: usize) -> Vec<f64> {
        let mut state = 42_u64;
        (0..n)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 40) as f64 / f64::from(1 << 24)
            })
            .collect()
    }

    #[test]
    fn a_moving_frame_equals_fresh_lines() {
        // Seconds since 1970 and values on a large offset.
        let points: Vec<_> = noise(20_000)
            .into_iter()
            .zip(0..)
            .map(|(noise, i)| {
                (
                    1e9 + 0.001 * f64::from(i) + noise,
                    1.7e9 + 60.0 * f64::from(i),
                )
            })
            .collect();
        let restarts = compare(&points, 50);
        assert!(restarts <= 20_000 / 4096 + 1, "{restarts} restarts");
    }

    #[test]
    fn spikes_constants_and_not_a_number_leave_no_error_behind() {
        let mut points: Vec<_> = noise(3000)
            .into_iter()
            .zip(0..)
            .map(|(noise, i)| (noise, f64::from(i)))
            .collect();
        points[500].0 = 1e12;
        points[900].1 = -1e15;
        points[1500].0 = f64::NAN;
        points[1520].1 = f64::INFINITY;
        for point in &mut points[2000..2100] {
            point.0 = 0.1;
        }
        for point in &mut points[2200..2300] {
            point.1 = 0.3;
        }
        for (point, i) in points[2500..2700].iter_mut().zip(0..) {
            *point = (7.0 + 3.0 * f64::from(i), f64::from(i));
        }
        compare(&points, 40);
    }
}
