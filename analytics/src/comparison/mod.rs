//! How a period stands against another one and against what is usual, with all sources of chance counted.
//!
//! Two things make a day differ from other days without anything having changed: *sampling* (a rate of three starts, a mean
//! of five measurements, a count of seven) and the spread *between* periods (weather, weekdays, guests). Tests that know
//! only the first call every other day significant; tests that know only the second take a rate of one start at its word.
//! Here the variance of a period is the sum of both:
//!
//! - sampling: `p (1 - p) / n` for rates, `s² / n` for measurements, the expected count for counts;
//! - between periods: what is left of the robust spread of recent periods after their sampling variances are taken off,
//!   never below 0;
//! - the error of the centre itself, inflated by `(1 + r) / (1 - r)` for an autocorrelation r of neighbouring periods
//!   (Kish's design effect of an AR(1) series), which also lowers the degrees of freedom.
//!
//! [`Usual`] is the summary of recent periods and [`Usual::compare`] the test of a new one; [`compare_pair`] tests two
//! periods against each other; [`compare_series`] does both, and the same period of last year, for all buckets of a series.
//! Verdicts need an adjustment for many series, which belongs to whoever sees them all: a [`Finding`] says what the verdict
//! would be if its p-value holds ([`Standing`]).

mod calendar;
mod pair;
mod predictive;
mod series;
mod usual;

pub use calendar::{Grain, last_year, previous_period};
pub use pair::{Spread, compare_pair};
pub use series::{ComparedBucket, SeriesError, compare_series};
pub use usual::{MIN_TRIALS, Usual, compare_with_stored, word};

/// A difference smaller than this share of the reference is none, however certain it is.
pub const MIN_RELATIVE_DIFFERENCE: f64 = 0.01;

/// The level of tests and the complement of the confidence of intervals.
pub const ALPHA: f64 = 0.05;

/// What a series measures, and so what chance does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Values with a mean.
    Measurement,
    /// Successes out of trials.
    Rate,
    /// Events.
    Count,
}

/// One period of a series. NaN stands for what its kind does not have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// First local day, in days since any fixed day that the whole series shares; the calendar functions take 2000-01-01.
    pub day: i32,
    /// How many days of the period are over.
    pub days: f64,
    /// Measurements, or rows counted.
    pub n: f64,
    /// Sum of the measurements, or the count itself.
    pub total: f64,
    /// Mean of the measurements.
    pub mean: f64,
    /// Sample standard deviation of the measurements.
    pub stddev: f64,
    /// Successes.
    pub numerator: f64,
    /// Trials.
    pub denominator: f64,
    /// Nobody worked: such periods are no yardstick.
    pub is_closed: bool,
    /// The period is not over yet: its count cannot be compared with whole ones.
    pub is_running: bool,
}

impl Bucket {
    /// What the bucket holds.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if !self.denominator.is_nan() {
            Kind::Rate
        } else if !self.mean.is_nan() {
            Kind::Measurement
        } else {
            Kind::Count
        }
    }

    /// The figure that is compared: rate, mean or total; `None` when it is not there or not finite.
    #[must_use]
    pub fn level(&self) -> Option<f64> {
        let level = match self.kind() {
            Kind::Rate if self.denominator > 0.0 && self.numerator >= 0.0 => {
                self.successes() / self.denominator
            }
            Kind::Rate => f64::NAN,
            Kind::Measurement => self.mean,
            Kind::Count => self.total,
        };
        level.is_finite().then_some(level)
    }

    /// Successes, of which there are at most as many as trials.
    #[must_use]
    pub fn successes(&self) -> f64 {
        self.numerator.min(self.denominator)
    }
}

/// Whether a verdict may follow from the p-value of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Too few periods, trials or events: no verdict.
    Insufficient,
    /// The difference is below [`MIN_RELATIVE_DIFFERENCE`]: none, whatever the p-value.
    Immaterial,
    /// A difference that counts if its p-value holds; without a p-value (periods that never varied) it counts.
    Material,
}

impl Standing {
    /// 0, 1 and 2: for tables.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Standing::Insufficient => 0,
            Standing::Immaterial => 1,
            Standing::Material => 2,
        }
    }

    pub(crate) fn of(difference: f64, reference: f64, is_sufficient: bool) -> Self {
        if !is_sufficient {
            Standing::Insufficient
        } else if difference != 0.0 && difference.abs() >= MIN_RELATIVE_DIFFERENCE * reference.abs()
        {
            Standing::Material
        } else {
            Standing::Immaterial
        }
    }
}

/// How a period differs from a reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// The level that it is compared with.
    pub reference: f64,
    /// Level minus reference.
    pub difference: f64,
    /// In percent of the size of the reference; `None` when that is 0.
    pub percent: Option<f64>,
    /// Lower end of the 95 % interval of the difference; `None` when its error is not known.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Two-sided; `None` when there is nothing to test with.
    pub p_value: Option<f64>,
    /// In standard units; see the comparing function.
    pub effect_size: Option<f64>,
    /// What may be concluded.
    pub standing: Standing,
}

pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
