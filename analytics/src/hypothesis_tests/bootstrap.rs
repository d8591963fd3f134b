//! The bootstrap: an interval for any statistic, from samples drawn out of the sample.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::error::{HypothesisError, finite, named};
use super::estimate::{Estimate, Statistic};
use super::resampling::check_repetitions;
use super::variance::{mean, median, trimmed};
use crate::progress::Progress;
use crate::statistics::interval::check_level;
use crate::statistics::special::{normal_upper, normal_upper_quantile};
use crate::statistics::{Estimator, Interval, StatsSummary};

const POLL_EVERY: usize = 4096;

/// How the interval is read off the resampled statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootstrapMethod {
    /// Their percentiles.
    Percentile,
    /// Their percentiles, corrected for bias and acceleration (Efron 1987).
    Bca,
}

impl BootstrapMethod {
    /// The method of this name.
    ///
    /// # Errors
    /// [`HypothesisError::Word`] for any other name.
    pub fn named(name: &str) -> Result<Self, HypothesisError> {
        let choices = [("bca", Self::Bca), ("percentile", Self::Percentile)];
        named("method", "bca or percentile", &choices, name)
    }
}

/// How a bootstrap is carried out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BootstrapPlan {
    /// What is estimated.
    pub statistic: Statistic,
    /// How the interval is found.
    pub method: BootstrapMethod,
    /// How many resamples, 1 to [`super::resampling::LARGEST_REPETITIONS`].
    pub resamples: i64,
    /// The level of the interval.
    pub level: f64,
    /// Where the random numbers start.
    pub seed: i64,
}

/// An estimate with its bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BootstrapResult {
    /// The statistic of the sample, or its difference between two.
    pub estimate: f64,
    /// The interval.
    pub interval: Interval,
    /// The standard deviation of the resampled statistics.
    pub standard_error: f64,
    /// Their mean less the estimate.
    pub bias: f64,
    /// How the interval was found: `bca` falls back to `percentile` where its corrections do not exist.
    pub method: &'static str,
    /// How many values were used.
    pub n: u64,
}

/// The bootstrap interval of a statistic of one sample, or of its difference between two (first minus second).
///
/// BCa needs an acceleration, which a sample that gives the same statistic whichever value is left out has not, and a
/// bias that is not total; where either is missing the percentile interval is the answer and `method` says so. `None` when
/// a sample is empty or its statistic does not exist.
///
/// # Errors
/// [`HypothesisError::NotFinite`]; [`HypothesisError::Repetitions`]; [`HypothesisError::TooManyDraws`]; a level that is not inside (0, 1);
/// [`HypothesisError::Interrupted`].
pub fn bootstrap_interval(
    sample: &[f64],
    second: Option<&[f64]>,
    plan: BootstrapPlan,
    progress: &mut dyn Progress,
) -> Result<Option<BootstrapResult>, HypothesisError> {
    let level = check_level(plan.level)?;
    let resamples = check_repetitions(
        "resamples",
        plan.resamples,
        sample.len().saturating_add(second.map_or(0, <[f64]>::len)),
    )?;
    finite(sample, "sample")?;
    let samples: Vec<&[f64]> = std::iter::once(sample).chain(second).collect();
    if let Some(second) = second {
        finite(second, "second_sample")?;
    }
    let mut estimate = Estimate::new(plan.statistic);
    let mut observed = 0.0;
    for (sample, sign) in samples.iter().zip([1.0, -1.0]) {
        let Some(value) = estimate.of(sample)? else {
            return Ok(None);
        };
        observed += sign * value;
    }
    let mut random = ChaCha8Rng::seed_from_u64(plan.seed.cast_unsigned());
    let mut drawn = Vec::new();
    let mut replicates = Vec::with_capacity(resamples as usize);
    for _ in 0..resamples {
        let mut replicate = 0.0;
        for (sample, sign) in samples.iter().zip([1.0, -1.0]) {
            drawn.clear();
            for index in 0..sample.len() {
                if index % POLL_EVERY == 0 {
                    progress.poll()?;
                }
                let from = random.random_range(0..sample.len());
                drawn.extend(sample.get(from));
            }
            replicate += sign * estimate.of(&drawn)?.unwrap_or(f64::NAN);
        }
        replicates.push(replicate);
    }
    replicates.sort_unstable_by(f64::total_cmp);
    let spread = StatsSummary::from_values(replicates.iter().copied())?;
    let corrected = match plan.method {
        BootstrapMethod::Percentile => None,
        BootstrapMethod::Bca => {
            let mut jackknives = Vec::with_capacity(samples.len());
            for sample in &samples {
                jackknives.push(leave_one_out(sample, plan.statistic, progress)?);
            }
            bca(observed, &replicates, &jackknives, level)
        }
    };
    let tail = (1.0 - level) / 2.0;
    let interval = corrected.unwrap_or_else(|| Interval {
        lower: percentile(&replicates, tail),
        upper: percentile(&replicates, 1.0 - tail),
    });
    Ok(Some(BootstrapResult {
        estimate: observed,
        interval,
        standard_error: spread.stddev(Estimator::Sample).unwrap_or(0.0),
        bias: spread.mean().unwrap_or(observed) - observed,
        method: if corrected.is_some() {
            "bca"
        } else {
            "percentile"
        },
        n: samples.iter().map(|sample| sample.len() as u64).sum(),
    }))
}

/// Between the neighbours, as `percentile_cont` and numpy do.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len().saturating_sub(1)) as f64;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    let below = at(position.floor() as usize);
    let above = at(position.ceil() as usize);
    below + (above - below) * position.fract()
}

/// Efron's interval of a statistic of one sample from given resampled statistics, sorted; `None` where it does not exist.
///
/// # Errors
/// [`HypothesisError::Interrupted`]; an overflow of the sums.
pub fn bca_of_replicates(
    sample: &[f64],
    statistic: Statistic,
    replicates: &[f64],
    level: f64,
    progress: &mut dyn Progress,
) -> Result<Option<Interval>, HypothesisError> {
    let Some(observed) = Estimate::new(statistic).of(sample)? else {
        return Ok(None);
    };
    let jackknife = leave_one_out(sample, statistic, progress)?;
    Ok(bca(observed, replicates, &[jackknife], check_level(level)?))
}

/// Efron's interval from sorted replicates and the statistics with one value left out, per sample.
///
/// Efron and Tibshirani (1993), sections 14.3 and 15.4: the form of scipy.
fn bca(observed: f64, replicates: &[f64], jackknives: &[Vec<f64>], level: f64) -> Option<Interval> {
    let below = replicates.partition_point(|value| *value < observed);
    let up_to = replicates.partition_point(|value| *value <= observed);
    let share = (below + up_to) as f64 / (2.0 * replicates.len() as f64);
    let bias = quantile(share)?;
    let (mut cubes, mut squares) = (0.0, 0.0);
    for values in jackknives {
        let n = values.len() as f64;
        let centre = mean(values).ok()?;
        let (mut cube, mut square) = (0.0, 0.0);
        for value in values {
            let influence = (n - 1.0) * (centre - value);
            cube += influence.powi(3);
            square += influence * influence;
        }
        cubes += cube / n.powi(3);
        squares += square / (n * n);
    }
    let acceleration = cubes / squares.powf(1.5) / 6.0;
    if !acceleration.is_finite() {
        return None;
    }
    let z = normal_upper_quantile((1.0 - level) / 2.0);
    let at = |z: f64| {
        let moved = bias + z;
        let corrected = bias + moved / (1.0 - acceleration * moved);
        percentile(replicates, normal_upper(-corrected))
    };
    Some(Interval {
        lower: at(-z),
        upper: at(z),
    })
}

/// The z below which this share lies; `None` for all or nothing.
fn quantile(share: f64) -> Option<f64> {
    (share > 0.0 && share < 1.0).then(|| {
        if share < 0.5 {
            -normal_upper_quantile(share)
        } else {
            normal_upper_quantile(1.0 - share)
        }
    })
}

/// The statistic without each value in turn, in `O(n log n)`; the order of the answers has no meaning.
fn leave_one_out(
    sample: &[f64],
    statistic: Statistic,
    progress: &mut dyn Progress,
) -> Result<Vec<f64>, HypothesisError> {
    let n = sample.len();
    let mut sorted = sample.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    progress.poll()?;
    if n < 2 {
        return Ok(Vec::new());
    }
    let rest = (n - 1) as f64;
    let answers = match statistic {
        Statistic::Mean => {
            let centre = mean(&sorted)?;
            sorted
                .iter()
                .map(|value| centre - (value - centre) / rest)
                .collect()
        }
        Statistic::StandardDeviation => {
            let summary = StatsSummary::from_values(sorted.iter().copied())?;
            let centre = summary.mean().unwrap_or(f64::NAN);
            let squares = summary.variance(Estimator::Sample).unwrap_or(0.0) * rest;
            sorted
                .iter()
                .map(|value| {
                    let part = (value - centre).powi(2) * (n as f64 / rest);
                    ((squares - part).max(0.0) / (rest - 1.0)).sqrt()
                })
                .collect()
        }
        Statistic::Median => {
            // Without a value of the lower half the middle moves up, and the other way round.
            let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
            let half = n / 2;
            (0..n)
                .map(|left_out| {
                    let skip = |index: usize| at(if index >= left_out { index + 1 } else { index });
                    if (n - 1) % 2 == 1 {
                        skip((n - 1) / 2)
                    } else {
                        skip(half - 1).midpoint(skip(half))
                    }
                })
                .collect()
        }
        Statistic::TrimmedMean(trim) => {
            // The kept values lie at cut..n - 1 - cut after one is taken out. Sums relative to the median keep digits.
            let origin = median(&sorted);
            let cut = (n - 1) - trimmed(sorted.get(1..).unwrap_or_default(), trim).len();
            let cut = cut / 2;
            let kept = (n - 1 - 2 * cut) as f64;
            let mut sums = Vec::with_capacity(n + 1);
            let mut sum = 0.0;
            sums.push(sum);
            for value in &sorted {
                sum += value - origin;
                sums.push(sum);
            }
            let upto = |index: usize| sums.get(index).copied().unwrap_or(f64::NAN);
            let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN) - origin;
            (0..n)
                .map(|left_out| {
                    // Of the n sorted values, those from cut to n - cut without the one left out, or without a
                    // neighbour of the cut ends when that one is cut anyway.
                    let window = upto(n - cut) - upto(cut);
                    let dropped = left_out.clamp(cut, n - 1 - cut);
                    origin + (window - at(dropped)) / kept
                })
                .collect()
        }
    };
    progress.poll()?;
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    const STATISTICS: [Statistic; 4] = [
        Statistic::Mean,
        Statistic::Median,
        Statistic::TrimmedMean(0.2),
        Statistic::StandardDeviation,
    ];

    fn plan(statistic: Statistic, method: BootstrapMethod, seed: i64) -> BootstrapPlan {
        BootstrapPlan {
            statistic,
            method,
            resamples: 999,
            level: 0.9,
            seed,
        }
    }

    #[test]
    fn leaving_one_out_is_what_it_says() {
        for n in [3_usize, 4, 5, 9, 10, 11, 12] {
            let sample: Vec<f64> = (0..n).map(|i| ((i * i * 7) % 23) as f64 + 0.25).collect();
            for statistic in STATISTICS {
                let mut found = leave_one_out(&sample, statistic, &mut Uninterruptible).unwrap();
                let mut expected: Vec<f64> = (0..n)
                    .map(|i| {
                        let mut rest = sample.clone();
                        rest.remove(i);
                        Estimate::new(statistic).of(&rest).unwrap().unwrap()
                    })
                    .collect();
                found.sort_by(f64::total_cmp);
                expected.sort_by(f64::total_cmp);
                for (a, b) in found.iter().zip(&expected) {
                    assert!((a - b).abs() < 1e-12, "{statistic:?} of {n}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn a_symmetric_case_is_the_percentile_interval() {
        let replicates: Vec<f64> = (-50..=50).map(f64::from).collect();
        let jackknife = vec![-1.0, 0.0, 1.0];
        let found = bca(0.0, &replicates, &[jackknife], 0.9).unwrap();
        assert!((found.lower + 45.0).abs() < 1e-9 && (found.upper - 45.0).abs() < 1e-9);
    }

    #[test]
    fn seeds_decide() {
        let sample: Vec<f64> = (0..40).map(|i| f64::from(i * i % 37)).collect();
        for statistic in STATISTICS {
            for method in [BootstrapMethod::Bca, BootstrapMethod::Percentile] {
                let run = |seed| {
                    bootstrap_interval(
                        &sample,
                        None,
                        plan(statistic, method, seed),
                        &mut Uninterruptible,
                    )
                    .unwrap()
                    .unwrap()
                };
                let found = run(5);
                assert_eq!(found, run(5));
                assert_ne!(found, run(6));
                assert!(found.interval.lower < found.estimate, "{statistic:?}");
                assert!(found.interval.upper > found.estimate, "{statistic:?}");
            }
        }
    }

    #[test]
    fn what_has_no_interval() {
        let run = |sample: &[f64], second, statistic| {
            let plan = plan(statistic, BootstrapMethod::Bca, 0);
            bootstrap_interval(sample, second, plan, &mut Uninterruptible)
        };
        assert_eq!(run(&[], None, Statistic::Mean).unwrap(), None);
        assert_eq!(
            run(&[1.0], None, Statistic::StandardDeviation).unwrap(),
            None
        );
        assert_eq!(run(&[1.0, 2.0], Some(&[]), Statistic::Mean).unwrap(), None);
        let constant = run(&[2.0; 5], None, Statistic::Mean).unwrap().unwrap();
        assert_eq!(
            (constant.method, constant.interval.lower),
            ("percentile", 2.0)
        );
        let difference = run(&[5.0, 6.0, 9.0], Some(&[1.0, 2.0, 2.5]), Statistic::Median).unwrap();
        assert_eq!(difference.unwrap().estimate, 4.0);
        assert!(run(&[f64::INFINITY], None, Statistic::Mean).is_err());
    }
}
