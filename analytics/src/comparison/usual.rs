//! What is usual, from recent periods, and the test of a new one against it.

use super::predictive::{MOST_EXACT_TRIALS, count_tails, rate_tails, two_sided};
use super::{ALPHA, Bucket, Finding, Kind, Standing, finite};
use crate::aggregation::{
    MAD_TO_STDDEV, MIN_BASELINE_DAYS, MIN_VERDICT_DAYS, Verdict, median, rolling_median,
};
use crate::statistics::special::{normal_upper_quantile, t_two_sided, t_two_sided_critical};

/// A rate of fewer trials than this has no verdict.
pub const MIN_TRIALS: f64 = 5.0;

/// Where the median period has fewer trials than this, rates of periods are so coarse that their median misleads: the centre
/// is the rate of all trials together.
const SPARSE_TRIALS: f64 = 20.0;

/// Where the median period has fewer events than this, the centre is the mean.
const SPARSE_EVENTS: f64 = 10.0;

/// Autocorrelations beyond this cannot be told from it by a few weeks of data.
const LARGEST_AUTOCORRELATION: f64 = 0.8;

/// The median absolute deviation of n normal values is as exact as a standard deviation from this share of them.
pub(super) const EFFICIENCY: f64 = 0.37;

/// As many degrees of freedom as make no difference to infinitely many.
const MANY: f64 = 1e6;

/// Recent periods in a few figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// What the periods hold.
    pub kind: Kind,
    /// How many periods.
    pub n: usize,
    /// The usual level: the median of the periods; for rates of few trials the rate of all trials together, for few events the
    /// mean.
    pub centre: f64,
    /// The spread of a typical period, sampling included, on the scale of a standard deviation.
    pub stddev: f64,
    /// The variance between periods that sampling does not explain.
    pub between: f64,
    /// Correlation of neighbouring periods, between 0 and 0.8.
    pub autocorrelation: f64,
    /// Variance of single measurements within periods; NaN when no period tells.
    within: f64,
    /// Degrees of freedom of `within`.
    within_freedom: f64,
    /// Whether the spread comes from the median absolute deviation.
    is_robust: bool,
    /// All trials or events, for how far a rate can be from 0 and 1.
    size: f64,
}

impl Usual {
    /// Summarises recent open periods of one kind, in time order. Periods of another kind than the last one and those
    /// without a level are left out; fewer than [`MIN_BASELINE_DAYS`] give `None`.
    #[must_use]
    pub fn of(recent: &[Bucket]) -> Option<Self> {
        let kind = recent.last()?.kind();
        let mut buckets = Vec::with_capacity(recent.len());
        let mut levels = Vec::with_capacity(recent.len());
        for bucket in recent.iter().filter(|bucket| bucket.kind() == kind) {
            if let Some(level) = bucket.level() {
                buckets.push(*bucket);
                levels.push(level);
            }
        }
        let n = levels.len();
        if n < MIN_BASELINE_DAYS {
            return None;
        }
        let robust = rolling_median(&levels)?;
        let mut usual = Self {
            kind,
            n,
            centre: robust.value,
            stddev: robust.stddev,
            between: 0.0,
            autocorrelation: autocorrelation(&levels),
            within: f64::NAN,
            within_freedom: 0.0,
            is_robust: true,
            size: 0.0,
        };
        match kind {
            Kind::Measurement => usual.of_measurements(&buckets, &levels),
            Kind::Rate => usual.of_rates(&buckets, &levels),
            Kind::Count => usual.of_counts(&levels),
        }
        usual.between *= usual.shortfall();
        usual.between.is_finite().then_some(usual)
    }

    /// By how much the variance of n periods around their own centre falls short of that of all periods: they share
    /// what they are wrong about, `(n - c) / (n - d)` for the design effect d, with c = 1 where the estimate allows for one
    /// centre already. At most 2.
    fn shortfall(&self) -> f64 {
        let n = self.n as f64;
        let allowed = if self.is_robust { 0.0 } else { 1.0 };
        let left = n - self.design_effect();
        if left > (n - allowed) / 2.0 {
            (n - allowed) / left
        } else {
            2.0
        }
    }

    fn of_measurements(&mut self, buckets: &[Bucket], levels: &[f64]) {
        let (mut squares, mut freedom) = (0.0, 0.0);
        for bucket in buckets
            .iter()
            .filter(|b| b.n >= 2.0 && b.stddev.is_finite())
        {
            squares += (bucket.n - 1.0) * bucket.stddev.powi(2);
            freedom += bucket.n - 1.0;
        }
        if freedom > 0.0 {
            self.within = squares / freedom;
            self.within_freedom = freedom;
        }
        let within = if self.within.is_finite() {
            self.within
        } else {
            0.0
        };
        self.between = self.robust_between(levels, buckets.iter().map(|b| within / b.n.max(1.0)));
    }

    /// The variance between periods for which half of the periods lie within 0.6745 of their own standard deviations from
    /// the centre, sampling and this variance together: the median of `(1.4826 d)² − s²` over deviations d and sampling
    /// variances s² (Paule and Mandel's equation with the median in place of the mean). Where more than half of the periods
    /// agree exactly: the square of the spread less the mean sampling variance.
    fn robust_between(&self, levels: &[f64], sampling: impl Iterator<Item = f64> + Clone) -> f64 {
        let deviations = levels.iter().map(|level| (level - self.centre).abs());
        let exact = deviations.clone().filter(|d| *d == 0.0).count();
        let between = if 2 * exact > self.n {
            self.stddev.powi(2) - sampling.sum::<f64>() / self.n as f64
        } else {
            let mut excess: Vec<f64> = deviations
                .zip(sampling)
                .map(|(d, s)| (MAD_TO_STDDEV * d).powi(2) - s)
                .collect();
            median(&mut excess).unwrap_or(f64::NAN)
        };
        between.max(0.0)
    }

    fn of_rates(&mut self, buckets: &[Bucket], levels: &[f64]) {
        let mut trials: Vec<f64> = buckets.iter().map(|b| b.denominator).collect();
        let all: f64 = trials.iter().sum();
        let squares: f64 = trials.iter().map(|n| n * n).sum();
        let typical = median(&mut trials).unwrap_or(0.0);
        self.size = all;
        if typical >= SPARSE_TRIALS {
            let p = self.centre;
            let sampling = buckets.iter().map(|b| p * (1.0 - p) / b.denominator);
            self.between = self.robust_between(levels, sampling);
            return;
        }
        self.is_robust = false;
        let successes: f64 = buckets.iter().map(Bucket::successes).sum();
        let p = successes / all;
        // Moments of proportions of unequal sizes: the weighted squares exceed those of pure sampling by
        // (N - Σn²/N) times the variance between.
        let weighted: f64 = buckets
            .iter()
            .map(|b| b.denominator * (b.successes() / b.denominator - p).powi(2))
            .sum();
        let excess = weighted - (self.n as f64 - 1.0) * p * (1.0 - p);
        let scale = all - squares / all;
        self.centre = p;
        self.between = if scale > 0.0 {
            (excess / scale).max(0.0).min(p * (1.0 - p))
        } else {
            0.0
        };
        self.stddev = (self.between + p * (1.0 - p) / typical).sqrt();
    }

    fn of_counts(&mut self, levels: &[f64]) {
        let n = self.n as f64;
        self.size = levels.iter().sum();
        let mut expected = self.centre;
        if self.centre < SPARSE_EVENTS {
            self.is_robust = false;
            expected = self.size / n;
            let squares: f64 = levels.iter().map(|v| (v - expected).powi(2)).sum();
            self.centre = expected;
            self.stddev = (squares / (n - 1.0)).sqrt();
        }
        self.between = (self.stddev.powi(2) - expected).max(0.0);
    }

    /// How much longer a series has to be than an uncorrelated one to say as much: `(1 + r) / (1 - r)`.
    #[must_use]
    pub fn design_effect(&self) -> f64 {
        design_effect(self.autocorrelation)
    }

    /// Degrees of freedom of the spread between periods: effective periods less one, or 37 % of them where the spread is a
    /// median absolute deviation.
    #[must_use]
    pub fn freedom(&self) -> f64 {
        let effective = self.n as f64 / self.design_effect();
        let freedom = if self.is_robust {
            EFFICIENCY * effective
        } else {
            effective - 1.0
        };
        freedom.max(1.0)
    }

    /// The sampling variance that a period like this has if nothing has changed; 0 where it is not known.
    pub(super) fn sampling(&self, bucket: &Bucket) -> f64 {
        match self.kind {
            Kind::Rate => {
                let p = self.probability();
                p * (1.0 - p) / bucket.denominator
            }
            Kind::Count => self.expected(),
            Kind::Measurement if self.within.is_finite() => self.within / bucket.n.max(1.0),
            Kind::Measurement => 0.0,
        }
    }

    pub(super) fn within_freedom(&self) -> f64 {
        self.within_freedom
    }

    /// The centre of a rate, kept away from 0 and 1 by what as many trials cannot exclude.
    fn probability(&self) -> f64 {
        let margin = 0.5 / (self.size + 1.0);
        self.centre.clamp(margin, 1.0 - margin)
    }

    /// The expected count; half an event in all periods where none was seen.
    fn expected(&self) -> f64 {
        self.centre.max(0.5 / self.n as f64)
    }

    /// Tests a new period against the recent ones.
    ///
    /// Measurements: Student's t with the degrees of freedom of the sum of variances (Satterthwaite). Rates and counts: twice
    /// the smaller tail of the beta-binomial or negative binomial distribution that has this mean and variance; because the
    /// variance is itself estimated, the normal score of that probability is then read as Student's t. The effect size
    /// is the difference in units of the standard deviation that a period of this size should have.
    ///
    /// Insufficient are fewer than [`MIN_VERDICT_DAYS`] periods, a rate of fewer than [`MIN_TRIALS`] trials or of so few that
    /// no outcome at all would be significant, and the count of a period that is not over. `None` when the level is missing or
    /// the period is of another kind.
    #[must_use]
    pub fn compare(&self, bucket: &Bucket) -> Option<Finding> {
        let level = bucket.level().filter(|_| bucket.kind() == self.kind)?;
        let difference = level - self.centre;
        let sampling = self.sampling(bucket);
        let centre_error = self.stddev.powi(2) * self.design_effect() / self.n as f64;
        let around = self.between + centre_error;
        let variance = around + sampling;
        let freedom = self.total_freedom(around, sampling);
        let mut finding = Finding {
            reference: self.centre,
            difference,
            percent: finite(100.0 * difference / self.centre.abs()),
            low: Some(difference),
            high: Some(difference),
            p_value: None,
            effect_size: None,
            standing: Standing::Insufficient,
        };
        let mut is_sufficient = self.n >= MIN_VERDICT_DAYS;
        if variance > 0.0 && variance.is_finite() {
            let error = variance.sqrt();
            let reach = t_two_sided_critical(1.0 - ALPHA, freedom) * error;
            finding.low = Some(difference - reach);
            finding.high = Some(difference + reach);
            let own = (self.between + sampling).sqrt();
            finding.effect_size = finite(difference / own);
            let p = self.p_value(bucket, around, difference / error, freedom);
            finding.p_value = finite(p);
        }
        if self.kind == Kind::Rate {
            let can_tell = bucket.denominator >= MIN_TRIALS
                && (bucket.denominator > MOST_EXACT_TRIALS || self.is_decidable(bucket, around));
            is_sufficient = is_sufficient && can_tell;
        }
        if self.kind == Kind::Count && bucket.is_running {
            is_sufficient = false;
            finding.p_value = None;
        }
        finding.standing = Standing::of(difference, self.centre, is_sufficient);
        Some(finding)
    }

    /// Satterthwaite's degrees of freedom of the sum of the variance around the centre and the sampling variance.
    fn total_freedom(&self, around: f64, sampling: f64) -> f64 {
        let mut share = around.powi(2) / self.freedom();
        if self.kind == Kind::Measurement && self.within_freedom > 0.0 {
            share += sampling.powi(2) / self.within_freedom;
        }
        let freedom = (around + sampling).powi(2) / share;
        if freedom.is_finite() {
            freedom.clamp(1.0, MANY)
        } else {
            MANY
        }
    }

    fn p_value(&self, bucket: &Bucket, around: f64, t: f64, freedom: f64) -> f64 {
        let tails = match self.kind {
            Kind::Rate if bucket.denominator <= MOST_EXACT_TRIALS => rate_tails(
                bucket.successes().round(),
                bucket.denominator.round(),
                self.probability(),
                around,
            ),
            Kind::Count => count_tails(bucket.total.round(), self.expected(), around),
            Kind::Rate | Kind::Measurement => return t_two_sided(t, freedom),
        };
        let p = two_sided(tails);
        if freedom >= MANY || p <= 0.0 || p >= 1.0 {
            return p;
        }
        t_two_sided(normal_upper_quantile(p / 2.0), freedom)
    }

    /// Whether the most extreme outcome, on one side at least, would be significant.
    fn is_decidable(&self, bucket: &Bucket, around: f64) -> bool {
        let trials = bucket.denominator.round();
        [0.0, trials].iter().any(|&outcome| {
            two_sided(rate_tails(outcome, trials, self.probability(), around)) < ALPHA
        })
    }
}

/// `(1 + r) / (1 - r)`.
pub(super) fn design_effect(autocorrelation: f64) -> f64 {
    (1.0 + autocorrelation) / (1.0 - autocorrelation)
}

/// The correlation of neighbours, with the bias (1 + 4 r) / n of short series added back (Marriott and Pope 1954), between 0 and
/// [`LARGEST_AUTOCORRELATION`]; 0 for constant series.
fn autocorrelation(levels: &[f64]) -> f64 {
    let mean = levels.iter().sum::<f64>() / levels.len() as f64;
    let squares: f64 = levels.iter().map(|v| (v - mean).powi(2)).sum();
    let products: f64 = levels
        .iter()
        .zip(levels.iter().skip(1))
        .map(|(a, b)| (a - mean) * (b - mean))
        .sum();
    let r = products / squares;
    if r.is_finite() {
        let r = r + (1.0 + 4.0 * r) / levels.len() as f64;
        r.clamp(0.0, LARGEST_AUTOCORRELATION)
    } else {
        0.0
    }
}

/// Compares a bucket with a stored baseline: a value, the spread of a period where there is one (a target has none), and the
/// number of periods behind it. As [`Usual::compare`], with the bucket's own measurements for its sampling error.
///
/// `None` when the level or the value is missing or not finite.
#[must_use]
pub fn compare_with_stored(
    bucket: &Bucket,
    value: f64,
    stddev: Option<f64>,
    n: Option<f64>,
) -> Option<Finding> {
    if !value.is_finite() {
        return None;
    }
    let kind = bucket.kind();
    let periods = n.filter(|_| stddev.is_some()).unwrap_or(MANY);
    let trials = if kind == Kind::Rate {
        bucket.denominator * periods
    } else {
        0.0
    };
    let mut usual = Usual {
        kind,
        n: periods.clamp(1.0, MANY) as usize,
        centre: value,
        stddev: stddev.unwrap_or(0.0),
        between: 0.0,
        autocorrelation: 0.0,
        within: f64::NAN,
        within_freedom: 0.0,
        is_robust: false,
        size: trials,
    };
    if bucket.n >= 2.0 && bucket.stddev.is_finite() {
        usual.within = bucket.stddev.powi(2);
        usual.within_freedom = bucket.n - 1.0;
    }
    usual.between = (usual.stddev.powi(2) - usual.sampling(bucket)).max(0.0);
    if !usual.between.is_finite() {
        return None;
    }
    let mut finding = usual.compare(bucket)?;
    // One measurement says nothing about its own error, and a target nothing about the spread.
    if kind == Kind::Measurement && stddev.is_none() && bucket.n < 2.0 {
        finding.standing = Standing::Insufficient;
    }
    Some(finding)
}

/// The word for a comparison: `standing` as [`Standing::code`], the difference, the p-value that decides, and which way is good.
/// `None` without a difference; `insufficient_data`; `no_difference` when the difference is immaterial or p is 0.05 or more;
/// else higher or lower, better or worse. Without a p-value a material difference counts.
#[must_use]
pub fn word(
    standing: i32,
    difference: f64,
    p_value: Option<f64>,
    higher_is_better: Option<bool>,
) -> Option<&'static str> {
    if !difference.is_finite() {
        return None;
    }
    let verdict = if standing < Standing::Immaterial.code() {
        Verdict::InsufficientData
    } else if standing < Standing::Material.code() || p_value.is_some_and(|p| p >= ALPHA) {
        Verdict::NoDifference
    } else if difference > 0.0 {
        Verdict::Higher
    } else {
        Verdict::Lower
    };
    Some(verdict.as_str(higher_is_better))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(n: f64, mean: f64, stddev: f64) -> Bucket {
        Bucket {
            day: 0,
            days: 1.0,
            n,
            total: f64::NAN,
            mean,
            stddev,
            numerator: f64::NAN,
            denominator: f64::NAN,
            is_closed: false,
            is_running: false,
        }
    }

    #[test]
    fn a_target_is_judged_by_the_measurements_alone() {
        let day = bucket(16.0, 12.0, 2.0);
        let found = compare_with_stored(&day, 10.0, None, None).unwrap();
        // t = 2 / (2 / 4) with 15 degrees of freedom.
        assert!(
            (found.p_value.unwrap() - 0.001_159_142_148).abs() < 1e-6,
            "{found:?}"
        );
        assert_eq!(found.standing, Standing::Material);
        let one = compare_with_stored(&bucket(1.0, 12.0, f64::NAN), 10.0, None, None).unwrap();
        assert_eq!(one.standing, Standing::Insufficient);
        let rate = Bucket {
            numerator: 3.0,
            denominator: 4.0,
            ..bucket(4.0, f64::NAN, f64::NAN)
        };
        let found = compare_with_stored(&rate, 0.9, None, None).unwrap();
        assert_eq!(found.standing, Standing::Insufficient);
        assert_eq!(compare_with_stored(&rate, f64::NAN, None, None), None);
    }

    #[test]
    fn a_stored_spread_counts() {
        let day = bucket(16.0, 12.0, 2.0);
        let found = compare_with_stored(&day, 10.0, Some(3.0), Some(28.0)).unwrap();
        assert!(found.p_value.unwrap() > 0.3, "{found:?}");
    }

    #[test]
    fn words() {
        assert_eq!(word(2, 1.0, Some(0.01), None), Some("higher"));
        assert_eq!(word(2, -1.0, Some(0.01), Some(false)), Some("better"));
        assert_eq!(word(2, -1.0, None, None), Some("lower"));
        assert_eq!(word(2, 1.0, Some(0.05), None), Some("no_difference"));
        assert_eq!(word(1, 1.0, Some(0.0), None), Some("no_difference"));
        assert_eq!(word(0, 1.0, Some(0.0), None), Some("insufficient_data"));
        assert_eq!(word(2, f64::NAN, Some(0.0), None), None);
    }
}
