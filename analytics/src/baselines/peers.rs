//! Figures over a group of restaurants that say little about any one of them.
//!
//! A quantile of a small group *is* the value of one of its members. So quantiles are Harrell and Davis's (1982), weighted means
//! of all members; each contribution is drawn in to Tukey's fences first, so that one restaurant moves a figure only so
//! far; and what leaves is rounded.

use crate::statistics::special::beta_regularised;

/// Fewer others than this give no answer.
pub const MIN_PEERS: usize = 5;

/// The only quantiles that are ever computed: extremes would be the value of one restaurant.
pub const PEER_QUANTILES: [f64; 3] = [0.25, 0.5, 0.75];

/// Sorts contributions and draws those beyond Tukey's fences (quartiles ± 1.5 interquartile ranges, linear interpolation) in
/// to the fence. Values that are not finite are left out.
#[must_use]
pub fn bounded(contributions: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = contributions
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    if let (Some(low), Some(high)) = (interpolated(&sorted, 0.25), interpolated(&sorted, 0.75)) {
        let reach = 1.5 * (high - low);
        for value in &mut sorted {
            *value = value.max(low - reach).min(high + reach);
        }
    }
    sorted
}

/// Harrell and Davis's estimate of a quantile, `0 < q < 1`, of sorted values: each order statistic i of n weighs
/// `I(i/n) − I((i − 1)/n)`, the regularised incomplete beta function with (n + 1) q and (n + 1) (1 − q).
///
/// `None` without values.
#[must_use]
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let n = sorted.len() as f64;
    if sorted.is_empty() {
        return None;
    }
    let (a, b) = ((n + 1.0) * q, (n + 1.0) * (1.0 - q));
    let mut before = 0.0;
    let mut sum = 0.0;
    for (i, value) in (1_u32..).zip(sorted) {
        let i = f64::from(i);
        let now = if i >= n {
            1.0
        } else {
            beta_regularised(a, b, i / n, (n - i) / n)
        };
        sum += (now - before) * value;
        before = now;
    }
    sum.is_finite().then_some(sum)
}

/// The share in percent of others that lie below a value, those equal to it counted half, in steps of ten.
///
/// `None` without others or when the value is not finite.
#[must_use]
pub fn percentile_rank(value: f64, others: &[f64]) -> Option<f64> {
    if others.is_empty() || !value.is_finite() {
        return None;
    }
    let below = others.iter().filter(|&&other| other < value).count() as f64;
    let equal = others.iter().filter(|&&other| other == value).count() as f64;
    let rank = 100.0 * (below + equal / 2.0) / others.len() as f64;
    Some((rank / 10.0).round() * 10.0)
}

/// A number rounded to two significant digits.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let whole = round_to_digits(value);
    if whole.is_finite() { whole } else { value }
}

fn round_to_digits(value: f64) -> f64 {
    let digits = 1 - value.abs().log10().floor() as i32;
    // Dividing by a power of ten is exact where multiplying by its inverse is not.
    if digits >= 0 {
        let scale = 10f64.powi(digits.min(300));
        (value * scale).round() / scale
    } else {
        let scale = 10f64.powi(-digits);
        (value / scale).round() * scale
    }
}

/// A number of restaurants, rounded down to a multiple of five.
#[must_use]
pub fn round_down(count: usize) -> usize {
    count / 5 * 5
}

fn interpolated(sorted: &[f64], q: f64) -> Option<f64> {
    let position = (sorted.len().checked_sub(1)?) as f64 * q;
    let low = sorted.get(position.floor() as usize)?;
    let high = sorted.get(position.ceil() as usize)?;
    Some(low + (high - low) * position.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_member_alone_is_a_quantile() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
        for q in PEER_QUANTILES {
            let found = quantile(&sorted, q).unwrap();
            assert!(
                sorted.iter().all(|value| (found - value).abs() > 1e-3),
                "{found}"
            );
            // No member weighs more than half.
            for at in 0..sorted.len() {
                let mut moved = sorted;
                moved[at] += 1.0;
                assert!((quantile(&moved, q).unwrap() - found).abs() < 0.5);
            }
        }
    }

    #[test]
    fn one_member_moves_a_figure_only_so_far() {
        let mut group = vec![10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
        group[5] = 1e12;
        let far = quantile(&bounded(&group), 0.75).unwrap();
        assert!(far < 30.0, "{far}");
        assert_eq!(
            bounded(&[f64::NAN, 2.0, f64::INFINITY, 1.0]),
            vec![1.0, 2.0]
        );
        assert!(bounded(&[]).is_empty());
    }

    #[test]
    fn ranks() {
        let others = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(percentile_rank(0.0, &others), Some(0.0));
        assert_eq!(percentile_rank(9.0, &others), Some(100.0));
        assert_eq!(percentile_rank(3.0, &others), Some(50.0));
        assert_eq!(percentile_rank(f64::NAN, &others), None);
        assert_eq!(percentile_rank(1.0, &[]), None);
    }

    #[test]
    fn rounding() {
        assert_eq!(rounded(0.9347), 0.93);
        assert_eq!(rounded(1234.0), 1200.0);
        assert_eq!(rounded(-0.004_56), -0.0046);
        assert_eq!(rounded(99.9), 100.0);
        assert_eq!(rounded(0.0), 0.0);
        assert!(rounded(1e-320).is_finite() && rounded(f64::MAX).is_finite());
        assert_eq!((round_down(5), round_down(9), round_down(10)), (5, 5, 10));
    }

    #[test]
    fn quantiles_of_nothing_and_of_one() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[3.0], 0.5), Some(3.0));
    }
}
