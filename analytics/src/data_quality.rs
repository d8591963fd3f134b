//! From counts of failing rows to verdicts and scores.

use crate::error::{Classify, ErrorKind};
use crate::statistics::wilson_interval;

/// Level of the interval around a failure rate.
const LEVEL: f64 = 0.95;
/// A report with a failed check does not score above this.
const FAILED_CAP: f64 = 60.0;
/// A report with a warning does not score above this.
const WARNED_CAP: f64 = 90.0;

/// The verdict on a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Passed.
    Info,
    /// More failures than tolerated without a warning.
    Warn,
    /// More failures than the data may have.
    Fail,
}

impl Verdict {
    /// The name used in tables and results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// Why a check could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum QualityError {
    /// A tolerated rate is no share.
    #[error("{name} must lie between 0 and 1, not {value}")]
    Rate {
        /// The name of the parameter.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// More is tolerated without a warning than at all.
    #[error("warn ({warn}) must not be larger than fail ({fail})")]
    Order {
        /// The rate that is tolerated without a warning.
        warn: f64,
        /// The rate that is tolerated at all.
        fail: f64,
    },
    /// More rows failed than were checked.
    #[error("{failed} of {checked} rows cannot have failed")]
    Counts {
        /// Rows that failed.
        failed: i64,
        /// Rows that were checked.
        checked: i64,
    },
}

impl Classify for QualityError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidParameter
    }

    fn hint(&self) -> Option<String> {
        Some("Give a tolerated rate of 5 % as 0.05; 1 never warns or fails.".to_owned())
    }
}

/// The highest failure rates that pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    warn: f64,
    fail: f64,
}

impl Tolerance {
    /// Checks the two rates; 1 stands for never.
    ///
    /// # Errors
    /// [`QualityError::Rate`] or [`QualityError::Order`].
    pub fn new(warn: f64, fail: f64) -> Result<Self, QualityError> {
        for (name, value) in [("warn", warn), ("fail", fail)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(QualityError::Rate { name, value });
            }
        }
        if warn > fail {
            return Err(QualityError::Order { warn, fail });
        }
        Ok(Self { warn, fail })
    }

    /// The rate that passes without a warning.
    #[must_use]
    pub fn warn(&self) -> f64 {
        self.warn
    }
}

/// A judged check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Share of the checked rows that failed; `None` when none was checked.
    pub rate: Option<f64>,
    /// Lower bound of the 95 % Wilson interval of the rate.
    pub rate_low: Option<f64>,
    /// Upper bound of that interval.
    pub rate_high: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
    /// 100 × the share of rows that passed; `None` when none was checked.
    pub score: Option<f64>,
}

/// Judges a check by the *lower* bound of its failure rate, so that a few rows cannot fail a relation that tolerates
/// some failures, while a single failure counts where none is tolerated.
///
/// # Errors
/// [`QualityError::Counts`] unless `0 <= failed <= checked`.
pub fn judge(checked: i64, failed: i64, tolerance: Tolerance) -> Result<Judgement, QualityError> {
    let counts = QualityError::Counts { failed, checked };
    let Some(interval) = wilson_interval(failed, checked, LEVEL).map_err(|_| counts)? else {
        return Ok(Judgement {
            rate: None,
            rate_low: None,
            rate_high: None,
            verdict: Verdict::Info,
            score: None,
        });
    };
    let low = interval.interval.lower;
    let verdict = if low > tolerance.fail {
        Verdict::Fail
    } else if low > tolerance.warn {
        Verdict::Warn
    } else {
        Verdict::Info
    };
    Ok(Judgement {
        rate: Some(interval.proportion),
        rate_low: Some(low),
        rate_high: Some(interval.interval.upper),
        verdict,
        score: Some(100.0 * (1.0 - interval.proportion)),
    })
}

/// The score of a balance of classes: 100 up to the share of the largest class that passes, from there falling to 0 when
/// there is no other class.
#[must_use]
pub fn balance_score(largest_share: f64, tolerance: Tolerance) -> f64 {
    if tolerance.warn >= 1.0 {
        return 100.0;
    }
    100.0 * ((1.0 - largest_share) / (1.0 - tolerance.warn)).clamp(0.0, 1.0)
}

/// The score of a report: the mean over dimensions of the mean score of their checks, at most 90 with a warning and at
/// most 60 with a failed check. `None` when no check was scored.
pub fn overall_score<'a>(
    checks: impl IntoIterator<Item = (&'a str, &'a Judgement)>,
) -> Option<f64> {
    let mut dimensions: std::collections::BTreeMap<&str, (f64, f64)> =
        std::collections::BTreeMap::new();
    let mut worst = Verdict::Info;
    for (dimension, check) in checks {
        worst = worst.max(check.verdict);
        if let Some(score) = check.score {
            let (sum, count) = dimensions.entry(dimension).or_default();
            *sum += score;
            *count += 1.0;
        }
    }
    if dimensions.is_empty() {
        return None;
    }
    let mean = dimensions
        .values()
        .map(|(sum, count)| sum / count)
        .sum::<f64>()
        / dimensions.len() as f64;
    Some(match worst {
        Verdict::Info => mean,
        Verdict::Warn => mean.min(WARNED_CAP),
        Verdict::Fail => mean.min(FAILED_CAP),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(checked: i64, failed: i64, warn: f64, fail: f64) -> Verdict {
        let tolerance = Tolerance::new(warn, fail).unwrap();
        judge(checked, failed, tolerance).unwrap().verdict
    }

    #[test]
    fn tolerances_are_shares_in_order() {
        assert!(matches!(
            Tolerance::new(-0.1, 0.5),
            Err(QualityError::Rate { name: "warn", .. })
        ));
        assert!(matches!(
            Tolerance::new(0.0, f64::NAN),
            Err(QualityError::Rate { name: "fail", .. })
        ));
        assert!(matches!(
            Tolerance::new(0.5, 0.1),
            Err(QualityError::Order { .. })
        ));
    }

    #[test]
    fn few_rows_do_not_flap_and_zero_tolerance_is_strict() {
        assert_eq!(verdict(10, 1, 0.05, 0.2), Verdict::Info);
        assert_eq!(verdict(10_000, 1000, 0.05, 0.2), Verdict::Warn);
        assert_eq!(verdict(10_000, 3000, 0.05, 0.2), Verdict::Fail);
        assert_eq!(verdict(1_000_000, 1, 0.0, 0.0), Verdict::Fail);
        assert_eq!(verdict(1_000_000, 0, 0.0, 0.0), Verdict::Info);
        assert_eq!(verdict(10, 10, 1.0, 1.0), Verdict::Info);
    }

    #[test]
    fn no_rows_have_no_rate_and_no_score() {
        let none = judge(0, 0, Tolerance::new(0.0, 0.0).unwrap()).unwrap();
        assert_eq!((none.rate, none.score), (None, None));
        assert_eq!(none.verdict, Verdict::Info);
        assert!(judge(1, 2, Tolerance::new(0.0, 0.0).unwrap()).is_err());
    }

    #[test]
    fn balance_is_scored_beyond_what_passes() {
        let tolerance = Tolerance::new(0.9, 0.99).unwrap();
        assert_eq!(balance_score(0.5, tolerance), 100.0);
        assert_eq!(balance_score(0.9, tolerance), 100.0);
        assert!((balance_score(0.95, tolerance) - 50.0).abs() < 1e-9);
        assert_eq!(balance_score(1.0, tolerance), 0.0);
        assert_eq!(balance_score(1.0, Tolerance::new(1.0, 1.0).unwrap()), 100.0);
    }

    #[test]
    fn a_failed_check_caps_the_report() {
        let strict = Tolerance::new(0.0, 0.0).unwrap();
        let lenient = Tolerance::new(0.0, 1.0).unwrap();
        let clean = judge(1000, 0, strict).unwrap();
        let warned = judge(1000, 1, lenient).unwrap();
        let failed = judge(1000, 1, strict).unwrap();
        assert_eq!(
            overall_score([("validity", &clean), ("uniqueness", &clean)]),
            Some(100.0)
        );
        assert_eq!(
            overall_score([("validity", &clean), ("uniqueness", &warned)]),
            Some(WARNED_CAP)
        );
        assert_eq!(
            overall_score([("validity", &clean), ("uniqueness", &failed)]),
            Some(FAILED_CAP)
        );
        assert_eq!(overall_score([]), None);
        // Two dimensions weigh the same, however many checks each has.
        let half = judge(1000, 500, Tolerance::new(1.0, 1.0).unwrap()).unwrap();
        assert_eq!(
            overall_score([("a", &half), ("b", &clean), ("b", &clean)]),
            Some(75.0)
        );
    }
}
