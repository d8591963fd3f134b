//! The Theil-Sen slope: the median slope of all pairs (Theil 1950, Sen 1968).

use super::{MIN_POINTS, TrendError, observations, probability, tie_correction};
use crate::progress::Progress;
use crate::statistics::special::normal_upper_quantile;

/// The longest series accepted: 200 million pairs, a few seconds.
pub const MAX_POINTS: usize = 20_000;

/// Pairs up to this number are held in memory (16 MB); beyond it ranks are found by counting, in constant memory.
const SLOPES_IN_MEMORY: usize = 2_000_000;

/// Leading bits that one counting pass tells apart.
const DIGIT_BITS: u32 = 16;

/// A robust line with a confidence interval for its slope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TheilSen {
    /// Observations that are present.
    pub n: usize,
    /// The median slope of all pairs at different positions.
    pub slope: f64,
    /// The median of the values minus slope times the median of the positions.
    pub intercept: f64,
    /// Lower bound of Sen's interval.
    pub slope_low: f64,
    /// Upper bound of Sen's interval.
    pub slope_high: f64,
}

/// The median slope of all pairs, with Sen's interval at the given confidence (0.95 for 95 %).
///
/// Exact for every accepted length: up to 2 000 observations all slopes are held, beyond that the wanted ranks are found
/// by at most four counting passes over the pairs in 2 MB. NaN elements are missing. Fewer than [`MIN_POINTS`]
/// observations, or all at one position, give `None`.
///
/// # Errors
/// Unequal lengths, a position that is not finite, an infinite value, a confidence outside (0, 1), more than
/// [`MAX_POINTS`] observations, an interruption.
pub fn theil_sen(
    positions: &[f64],
    series: &[f64],
    confidence: f64,
    progress: &mut impl Progress,
) -> Result<Option<TheilSen>, TrendError> {
    let confidence = probability("confidence_level", confidence)?;
    let (x, y) = observations(positions, series)?;
    let n = x.len();
    if n < MIN_POINTS {
        return Ok(None);
    }
    if n > MAX_POINTS {
        return Err(TrendError::TooLong {
            found: n,
            limit: MAX_POINTS,
        });
    }
    let (sorted_x, sorted_y) = (sorted(&x), sorted(&y));
    let tied_positions: usize = sorted_x
        .chunk_by(|a, b| a == b)
        .map(|group| group.len() * (group.len() - 1) / 2)
        .sum();
    let pairs = n * (n - 1) / 2 - tied_positions;
    if pairs == 0 {
        return Ok(None);
    }

    // Sen (1968), equation 2.6; the ranks are rounded as scipy.stats.theilslopes does.
    let count = n as f64;
    let variance = (count * (count - 1.0) * (2.0 * count + 5.0)
        - tie_correction(&sorted_x)
        - tie_correction(&sorted_y))
        / 18.0;
    let z = normal_upper_quantile((1.0 - confidence) / 2.0);
    let spread = z * variance.max(0.0).sqrt();
    let last = pairs - 1;
    // A float-to-integer cast saturates: below 0 becomes 0.
    let high = (((pairs as f64 + spread) / 2.0).round_ties_even() as usize).min(last);
    let low = (((pairs as f64 - spread) / 2.0).round_ties_even() as usize).saturating_sub(1);
    let wanted = [low.min(last), last / 2, pairs / 2, high];

    let points = Points { x: &x, y: &y };
    let [slope_low, median_low, median_high, slope_high] = if pairs <= SLOPES_IN_MEMORY {
        points.ranks_in_memory(pairs, wanted, progress)?
    } else {
        points.ranks_by_counting(wanted, progress)?
    };
    let slope = midpoint(median_low, median_high);
    Ok(Some(TheilSen {
        n,
        slope,
        intercept: median_of_sorted(&sorted_y) - slope * median_of_sorted(&sorted_x),
        slope_low,
        slope_high,
    }))
}

/// The observations, as the source of all pairwise slopes.
struct Points<'a> {
    x: &'a [f64],
    y: &'a [f64],
}

impl Points<'_> {
    /// Calls `take` with the slope of every pair of observations at different positions.
    fn for_each_slope(
        &self,
        progress: &mut impl Progress,
        mut take: impl FnMut(f64),
    ) -> Result<(), TrendError> {
        let mut steps = 0_usize;
        for (index, (&xi, &yi)) in self.x.iter().zip(self.y).enumerate() {
            let later_x = self.x.get(index + 1..).unwrap_or_default();
            let later_y = self.y.get(index + 1..).unwrap_or_default();
            for (chunk_x, chunk_y) in later_x.chunks(4096).zip(later_y.chunks(4096)) {
                for (&xj, &yj) in chunk_x.iter().zip(chunk_y) {
                    if xi != xj {
                        take((yj - yi) / (xj - xi));
                    }
                }
                steps += chunk_x.len();
                if steps >= 4096 {
                    steps = 0;
                    progress.poll()?;
                }
            }
        }
        Ok(())
    }

    fn ranks_in_memory<const K: usize>(
        &self,
        pairs: usize,
        wanted: [usize; K],
        progress: &mut impl Progress,
    ) -> Result<[f64; K], TrendError> {
        let mut slopes = Vec::with_capacity(pairs);
        self.for_each_slope(progress, |slope| slopes.push(slope))?;
        Ok(wanted.map(|rank| {
            let (_, &mut slope, _) = slopes.select_nth_unstable_by(rank, f64::total_cmp);
            slope
        }))
    }

    /// Finds each wanted rank digit by digit, from the leading bits of an order-preserving key.
    fn ranks_by_counting<const K: usize>(
        &self,
        wanted: [usize; K],
        progress: &mut impl Progress,
    ) -> Result<[f64; K], TrendError> {
        let mut prefixes = [0_u64; K];
        let mut remaining = wanted;
        for pass in 0..u64::BITS / DIGIT_BITS {
            let below = u64::BITS - (pass + 1) * DIGIT_BITS;
            // Ranks that still share a prefix share its counts.
            let mut tables: Vec<(u64, Vec<usize>)> = Vec::with_capacity(K);
            for &prefix in &prefixes {
                if tables.iter().all(|(known, _)| *known != prefix) {
                    tables.push((prefix, vec![0; 1 << DIGIT_BITS]));
                }
            }
            self.for_each_slope(progress, |slope| {
                let digits = order_key(slope) >> below;
                for (prefix, counts) in &mut tables {
                    if digits >> DIGIT_BITS == *prefix
                        && let Some(count) = counts.get_mut((digits & 0xffff) as usize)
                    {
                        *count += 1;
                    }
                }
            })?;
            for (prefix, rank) in prefixes.iter_mut().zip(&mut remaining) {
                if let Some((_, counts)) = tables.iter().find(|(known, _)| known == prefix) {
                    let mut digit = 0_u64;
                    for &count in counts {
                        if *rank < count {
                            break;
                        }
                        *rank -= count;
                        digit += 1;
                    }
                    *prefix = (*prefix << DIGIT_BITS) | digit;
                }
            }
        }
        Ok(prefixes.map(from_order_key))
    }
}

/// Unsigned integers in the order of `f64::total_cmp`.
fn order_key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}

fn from_order_key(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 {
        key & !(1 << 63)
    } else {
        !key
    })
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// Half the sum, without overflow.
fn midpoint(a: f64, b: f64) -> f64 {
    if a == b { a } else { a / 2.0 + b / 2.0 }
}

/// The median of sorted values; NaN when there are none.
fn median_of_sorted(values: &[f64]) -> f64 {
    match (
        values.get(values.len().saturating_sub(1) / 2),
        values.get(values.len() / 2),
    ) {
        (Some(&low), Some(&high)) => midpoint(low, high),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Interrupted, Uninterruptible};
    use crate::trend::even_positions;
    use proptest::prelude::*;

    fn slope(series: &[f64]) -> Option<TheilSen> {
        theil_sen(
            &even_positions(series.len()),
            series,
            0.95,
            &mut Uninterruptible,
        )
        .unwrap()
    }

    #[test]
    fn one_outlier_does_not_move_the_slope() {
        let mut series: Vec<f64> = (0..30).map(|i| 5.0 + 0.5 * f64::from(i)).collect();
        series[10] = 1e9;
        let answer = slope(&series).unwrap();
        assert_eq!(
            (answer.slope, answer.slope_low, answer.slope_high),
            (0.5, 0.5, 0.5)
        );
    }

    #[test]
    fn constant_short_and_coincident_input() {
        let flat = slope(&[3.0; 5]).unwrap();
        assert_eq!((flat.slope, flat.intercept), (0.0, 3.0));
        assert_eq!((flat.slope_low, flat.slope_high), (0.0, 0.0));
        assert_eq!(slope(&[1.0, f64::NAN, 2.0]), None);
        assert_eq!(
            theil_sen(&[1.0; 4], &[1.0, 2.0, 3.0, 4.0], 0.95, &mut Uninterruptible),
            Ok(None)
        );
    }

    #[test]
    fn series_beyond_the_limit_are_refused() {
        let long = vec![0.0; MAX_POINTS + 1];
        assert!(matches!(
            theil_sen(
                &even_positions(long.len()),
                &long,
                0.95,
                &mut Uninterruptible
            ),
            Err(TrendError::TooLong { .. })
        ));
    }

    #[test]
    fn an_interruption_stops_the_work() {
        struct After(usize);
        impl Progress for After {
            fn poll(&mut self) -> Result<(), Interrupted> {
                self.0 = self.0.checked_sub(1).ok_or(Interrupted)?;
                Ok(())
            }
        }
        let series: Vec<f64> = (0..5000).map(f64::from).collect();
        assert_eq!(
            theil_sen(&even_positions(5000), &series, 0.95, &mut After(3)),
            Err(TrendError::Interrupted(Interrupted))
        );
    }

    proptest! {
        #[test]
        fn counting_finds_the_ranks_that_sorting_finds(
            series in prop::collection::vec(prop_oneof![
                -1e3..1e3_f64, (-3_i8..3).prop_map(f64::from), Just(1e300), Just(-1e300), Just(1e-310)
            ], 3..40),
            share in 0.0..1.0_f64,
        ) {
            let x = even_positions(series.len());
            let points = Points { x: &x, y: &series };
            let pairs = series.len() * (series.len() - 1) / 2;
            let wanted = [0, ((pairs as f64 * share) as usize).min(pairs - 1), pairs - 1];
            let held = points.ranks_in_memory(pairs, wanted, &mut Uninterruptible).unwrap();
            let counted = points.ranks_by_counting(wanted, &mut Uninterruptible).unwrap();
            prop_assert_eq!(held.map(f64::to_bits), counted.map(f64::to_bits));
        }
    }
}
