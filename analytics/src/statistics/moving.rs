//! A summary over a moving frame of rows.

use super::error::StatisticsError;
use super::stats_summary::StatsSummary;

/// Rounding errors add up with each removal; this many lose less than four decimal digits of sixteen.
const REMOVALS_UP_TO: u32 = 4096;

/// A moment may shrink to this share of its largest value before the digits that rounded away matter.
const SECOND_MOMENT_DOWN_TO: f64 = 1.0 / 16.0;
const FOURTH_MOMENT_DOWN_TO: f64 = 1.0 / 256.0;

/// A [`StatsSummary`] from which values can be taken out while that costs no accuracy.
///
/// [`MovingSummary::remove`] says no when the last copy of the minimum or maximum, a NaN or an infinity leaves, when the
/// moments have shrunk so far that their leading digits are gone, and after some thousand removals. The caller then
/// starts again from the rows of the frame, as PostgreSQL does when an inverse transition function returns NULL.
#[derive(Debug, Clone, Copy, Default)]
pub struct MovingSummary {
    summary: StatsSummary,
    at_min: u64,
    at_max: u64,
    largest_m2: f64,
    largest_m4: f64,
    removals: u32,
}

impl MovingSummary {
    /// Adds one value.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] as [`StatsSummary::push`].
    pub fn push(&mut self, value: f64) -> Result<(), StatisticsError> {
        let (min, max) = (self.summary.min, self.summary.max);
        let empty = self.summary.n == 0;
        self.summary.push(value)?;
        if empty || value < min {
            self.at_min = 1;
        } else if value == min {
            self.at_min += 1;
        }
        if empty || value > max {
            self.at_max = 1;
        } else if value == max {
            self.at_max += 1;
        }
        self.largest_m2 = self.largest_m2.max(self.summary.m2);
        self.largest_m4 = self.largest_m4.max(self.summary.m4);
        Ok(())
    }

    /// Takes out a value that was added and reports whether that was possible; if not, nothing has changed.
    #[must_use]
    pub fn remove(&mut self, value: f64) -> bool {
        let (min, max) = (self.summary.min, self.summary.max);
        if !(min.is_finite() && max.is_finite()) || self.removals >= REMOVALS_UP_TO {
            return false;
        }
        let (lowest, highest) = (value == min, value == max);
        if (lowest && self.at_min < 2) || (highest && self.at_max < 2) || self.summary.n < 2 {
            return false;
        }
        let mut reduced = self.summary;
        reduced.subtract(value + 0.0);
        if reduced.m2 < SECOND_MOMENT_DOWN_TO * self.largest_m2
            || reduced.m4 < FOURTH_MOMENT_DOWN_TO * self.largest_m4
        {
            return false;
        }
        self.summary = reduced;
        self.at_min -= u64::from(lowest);
        self.at_max -= u64::from(highest);
        self.removals += 1;
        true
    }

    /// The summary of the values in the frame.
    #[must_use]
    pub fn summary(&self) -> &StatsSummary {
        &self.summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a frame over values as PostgreSQL would and compares each answer with a fresh summary.
    fn compare(values: &[f64], frame: usize) -> usize {
        let mut moving = MovingSummary::default();
        let mut restarts = 0;
        for (end, &value) in values.iter().enumerate() {
            let start = (end + 1).saturating_sub(frame);
            if end >= frame && !moving.remove(values[start - 1]) {
                restarts += 1;
                moving = MovingSummary::default();
                for &value in &values[start..end] {
                    moving.push(value).unwrap();
                }
            }
            moving.push(value).unwrap();
            let fresh = StatsSummary::from_values(values[start..=end].iter().copied()).unwrap();
            let state = moving.summary();
            assert_eq!(
                (state.n, state.min.to_bits(), state.max.to_bits()),
                (fresh.n, fresh.min.to_bits(), fresh.max.to_bits())
            );
            let scale2 = fresh.m2.max(f64::MIN_POSITIVE);
            if fresh.m2.is_nan() {
                assert!(state.m2.is_nan());
                continue;
            }
            assert!((state.m2 - fresh.m2).abs() <= 1e-10 * scale2, "m2 at {end}");
            assert!(
                (state.m4 - fresh.m4).abs() <= 1e-9 * fresh.m4,
                "m4 at {end}"
            );
            let sum = fresh.sum().unwrap();
            assert!((state.sum().unwrap() - sum).abs() <= 1e-12 * sum.abs().max(1.0));
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
    fn a_moving_frame_equals_fresh_summaries() {
        let restarts = compare(&noise(20_000), 50);
        assert!(restarts < 20_000 * 3 / 50, "{restarts} restarts");
        let offset: Vec<f64> = noise(6000).iter().map(|value| value + 1e9).collect();
        compare(&offset, 100);
    }

    #[test]
    fn a_spike_leaves_no_error_behind() {
        let mut values = noise(3000);
        values[500] = 1e12;
        values[1500] = -1e12;
        values[1501] = -1e12;
        values[2500] = f64::NAN;
        values[2501] = f64::INFINITY;
        compare(&values, 40);
    }

    #[test]
    fn ties_and_constants_need_no_restart() {
        assert!(compare(&[2.5; 1000], 10) == 0);
        let steps: Vec<f64> = (0..1000).map(|i| f64::from(i % 3)).collect();
        assert!(compare(&steps, 30) < 10);
    }
}
