//! Wilcoxon's signed-rank test of paired values.

use super::error::HypothesisError;
use super::outcome::{Alternative, Effect, Outcome};
use super::ranks::interval_at_one;
use crate::progress::Progress;
use crate::statistics::Interval;
use crate::statistics::interval::{check_level, normal_critical};

/// The exact distribution is used up to this many differences without ties or zeros (scipy's rule).
const EXACT_UP_TO: usize = 50;

/// … and up to this many with them.
const EXACT_WITH_TIES_UP_TO: usize = 13;

const POLL_EVERY: usize = 4096;

/// Wilcoxon's signed-rank test: do differences tend to one side of zero?
///
/// Zero differences are dropped (Wilcoxon's own rule), equal sizes share their mean rank. The statistic is the sum of
/// the positive ranks, for a two-sided alternative the smaller of the two sums, as in scipy. The p-value is exact up to
/// 50 differences, up to 13 when there are ties or zeros, and normal with the correction for ties beyond, without one for
/// continuity. The effect is the matched-pairs rank-biserial correlation, positive ranks less negative ones as a share of
/// all, with the interval by Fisher's z and the standard error of the ranks. `None` when no difference is left.
///
/// # Errors
/// [`HypothesisError::NotANumber`]; a level that is not inside (0, 1); [`HypothesisError::Interrupted`].
pub fn wilcoxon_signed_rank_test(
    differences: &[f64],
    level: f64,
    alternative: Alternative,
    progress: &mut dyn Progress,
) -> Result<Option<Outcome>, HypothesisError> {
    let z_critical = normal_critical(check_level(level)?)?;
    if differences.iter().any(|value| value.is_nan()) {
        return Err(HypothesisError::NotANumber {
            argument: "differences",
        });
    }
    let mut signed: Vec<f64> = differences.iter().copied().filter(|&d| d != 0.0).collect();
    signed.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    progress.poll()?;
    if signed.is_empty() {
        return Ok(None);
    }
    // Ranks doubled: a shared rank is a half at most.
    let mut doubled = Vec::with_capacity(signed.len());
    let (mut positive, mut ties) = (0_u128, 0_u128);
    for (index, group) in signed.chunk_by(|a, b| a.abs() == b.abs()).enumerate() {
        let size = group.len() as u128;
        let rank = 2 * doubled.len() as u128 + size + 1;
        doubled.extend(std::iter::repeat_n(rank, group.len()));
        positive += rank * group.iter().filter(|&&d| d > 0.0).count() as u128;
        ties += size * size * size - size;
        if index % POLL_EVERY == 0 {
            progress.poll()?;
        }
    }
    let count = signed.len() as f64;
    let all = count * (count + 1.0);
    let plus = positive as f64 / 2.0;
    let minus = all / 2.0 - plus;
    let tied = ties > 0 || signed.len() < differences.len();
    let exact = differences.len()
        <= if tied {
            EXACT_WITH_TIES_UP_TO
        } else {
            EXACT_UP_TO
        };
    let p_value = if exact {
        let (less, greater) = sign_flips(&doubled, positive);
        alternative.of_tails(less, greater)
    } else {
        let variance = (all * (2.0 * count + 1.0) - ties as f64 / 2.0) / 24.0;
        alternative.of_normal((plus - all / 4.0) / variance.sqrt())
    };
    let size = (plus - minus) / (all / 2.0);
    let interval = if size.abs() == 1.0 {
        interval_at_one(size, count, z_critical)
    } else {
        let error = (all * (2.0 * count + 1.0) / 6.0).sqrt() / (all / 2.0);
        let (centre, margin) = (size.atanh(), z_critical * error);
        Interval {
            lower: (centre - margin).tanh(),
            upper: (centre + margin).tanh(),
        }
    };
    Ok(Some(Outcome {
        statistic: if alternative == Alternative::TwoSided {
            plus.min(minus)
        } else {
            plus
        },
        df: None,
        p_value,
        effect: Some(Effect {
            size,
            interval: Some(interval),
        }),
        method: if exact { "exact" } else { "asymptotic" },
        n: signed.len() as u64,
    }))
}

/// The shares of the 2ⁿ choices of signs whose positive sum is at most, and at least, the observed one. With n up to 50
/// the counts are exact.
fn sign_flips(doubled: &[u128], positive: u128) -> (f64, f64) {
    let total: usize = doubled
        .iter()
        .filter_map(|&rank| usize::try_from(rank).ok())
        .sum();
    let observed = usize::try_from(positive).unwrap_or(total);
    let mut counts = vec![0.0_f64; total + 1];
    if let Some(first) = counts.first_mut() {
        *first = 1.0;
    }
    for &rank in doubled {
        let Ok(rank) = usize::try_from(rank) else {
            continue;
        };
        for sum in (rank..=total).rev() {
            let without = counts.get(sum - rank).copied().unwrap_or(0.0);
            if let Some(slot) = counts.get_mut(sum) {
                *slot += without;
            }
        }
    }
    let scale = (-(doubled.len() as f64)).exp2();
    let less: f64 = counts.iter().take(observed + 1).sum();
    let greater: f64 = counts.iter().skip(observed).sum();
    (less * scale, greater * scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    fn test(differences: &[f64], alternative: Alternative) -> Option<Outcome> {
        wilcoxon_signed_rank_test(differences, 0.95, alternative, &mut Uninterruptible).unwrap()
    }

    #[test]
    fn special_differences() {
        use Alternative::{Greater, Less, TwoSided};
        assert_eq!(test(&[], TwoSided), None);
        assert_eq!(test(&[0.0, -0.0], TwoSided), None);
        let one = test(&[3.0], Greater).unwrap();
        assert_eq!((one.statistic, one.p_value), (1.0, 0.5));
        let all = test(&[1.0, 2.0, 3.0, f64::INFINITY], TwoSided).unwrap();
        assert_eq!((all.statistic, all.p_value, all.n), (0.0, 0.125, 4));
        assert_eq!(all.effect.unwrap().interval.unwrap().upper, 1.0);
        let mirrored = test(&[-1.0, 2.0, -4.0], Less).unwrap();
        assert_eq!(
            mirrored.p_value,
            test(&[1.0, -2.0, 4.0], Greater).unwrap().p_value
        );
        let tied = vec![1.0; 14];
        assert_eq!(test(&tied, TwoSided).unwrap().method, "asymptotic");
        assert_eq!(test(&tied[..13], TwoSided).unwrap().method, "exact");
        assert!(matches!(
            wilcoxon_signed_rank_test(&[f64::NAN], 0.9, Less, &mut Uninterruptible),
            Err(HypothesisError::NotANumber { .. })
        ));
    }
}
