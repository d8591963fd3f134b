//! All comparisons of a series of buckets in one pass.

use super::calendar::{Grain, last_year, previous_period};
use super::pair::{Spread, compare_pair};
use super::{Bucket, Finding, Usual};
use crate::error::{Classify, ErrorKind};
use crate::progress::{Interrupted, Progress};

/// A day follows the last open one of as many days before it.
const DAYS_BACK: i32 = 7;

/// Comparisons of one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ComparedBucket {
    /// Position in the series.
    pub place: usize,
    /// With the period before.
    pub previous: Option<Finding>,
    /// With the same period of last year.
    pub last_year: Option<Finding>,
    /// With what is usual.
    pub baseline: Option<Finding>,
    /// What is usual, where enough periods tell.
    pub usual: Option<Usual>,
}

/// Why a series cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// Whatever comes before a bucket has to stand before it.
    #[error("buckets must be in time order")]
    Order,
    /// One spread and one mark for each bucket.
    #[error("there must be one element for each bucket")]
    Lengths,
    /// The caller asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Classify for SeriesError {
    fn kind(&self) -> ErrorKind {
        match self {
            SeriesError::Order | SeriesError::Lengths => ErrorKind::InvalidParameter,
            SeriesError::Interrupted(inner) => inner.kind(),
        }
    }
}

/// Compares the wanted buckets of a series with the one before, with last year's and with the baseline.
///
/// A day is compared with the last open one of the seven days before it, longer periods with the adjacent one if it is
/// open. The baseline rests on the open periods among the [`Grain::baseline_periods`] before. `spreads` holds, for
/// periods longer than a day, what is known about the spread of days (ignored for days, whose spread the series itself tells);
/// both slices have one element for each bucket.
///
/// # Errors
/// Buckets out of order, slices of another length, an interrupt.
pub fn compare_series(
    grain: Grain,
    buckets: &[Bucket],
    spreads: &[Option<Spread>],
    is_wanted: &[bool],
    progress: &mut impl Progress,
) -> Result<Vec<ComparedBucket>, SeriesError> {
    if spreads.len() != buckets.len() || is_wanted.len() != buckets.len() {
        return Err(SeriesError::Lengths);
    }
    if !buckets.is_sorted_by_key(|bucket| bucket.day) {
        return Err(SeriesError::Order);
    }
    let mut found = Vec::new();
    let mut recent = Vec::new();
    let wanted = buckets.iter().zip(spreads).zip(is_wanted).enumerate();
    for (place, ((bucket, spread), _)) in wanted.filter(|(_, (_, wanted))| **wanted) {
        progress.poll()?;
        let past = buckets.get(..place).unwrap_or_default();
        let from = grain.back(bucket.day, grain.baseline_periods());
        let first = past.partition_point(|earlier| earlier.day < from);
        let before = past.partition_point(|earlier| earlier.day < bucket.day);
        recent.clear();
        recent.extend(
            past.get(first..before)
                .unwrap_or_default()
                .iter()
                .filter(|earlier| !earlier.is_closed),
        );
        let usual = Usual::of(&recent);
        let spread = spread.filter(|_| grain != Grain::Day);
        let of_days = usual.as_ref().filter(|_| grain == Grain::Day);
        let against = |reference: &Bucket| {
            let days = (open_days(bucket, spread), open_days(reference, spread));
            compare_pair(bucket, reference, of_days, spread, days)
        };
        let previous = past
            .get(..before)
            .and_then(|past| previous_of(grain, past, bucket.day));
        let year_ago = last_year(grain, bucket.day).and_then(|day| {
            let at = past.partition_point(|earlier| earlier.day < day);
            past.get(at)
                .filter(|earlier| earlier.day == day && !earlier.is_closed)
        });
        found.push(ComparedBucket {
            place,
            previous: previous.and_then(against),
            last_year: year_ago.and_then(against),
            baseline: usual.and_then(|usual| usual.compare(bucket)),
            usual,
        });
    }
    Ok(found)
}

fn previous_of(grain: Grain, past: &[Bucket], day: i32) -> Option<&Bucket> {
    let earliest = match grain {
        Grain::Day => day.saturating_sub(DAYS_BACK),
        _ => previous_period(grain, day),
    };
    past.iter()
        .rev()
        .take_while(|earlier| earlier.day >= earliest)
        .find(|earlier| !earlier.is_closed)
}

/// Open days of a period: its days times the share of days that have been open lately.
fn open_days(bucket: &Bucket, spread: Option<Spread>) -> f64 {
    let open = spread.map_or(1.0, |spread| {
        spread.n / f64::from(Grain::Day.baseline_periods())
    });
    bucket.days * open.clamp(0.0, 1.0)
}
