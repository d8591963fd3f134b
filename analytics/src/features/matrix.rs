//! Rows of a feature matrix, in the order of columns that the caller asked for.

use super::names::Feature;
use super::window::{Needs, WindowSummary};
use super::{DAY, Event, FeatureError, Measure, Moment};

/// What is known about a person apart from the events of windows.
#[derive(Debug, Clone, PartialEq)]
pub struct UserFacts {
    /// Skill level of the profile; NaN where there is none.
    pub skill_level: f64,
    /// When the profile was last written. What it said before nobody knows.
    pub profile_written_at: i64,
    /// Interactions that were the earliest of all recorded until then: when they happened and when they were recorded.
    pub first_interactions: Vec<(i64, i64)>,
    /// Certifications.
    pub certifications: Vec<Certification>,
}

/// One certification of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certification {
    /// The same number for the same certification.
    pub name: u32,
    /// When it was earned.
    pub earned_at: i64,
    /// When that was recorded.
    pub recorded_at: i64,
    /// When it stops to count; `i64::MAX` for never.
    pub valid_until: i64,
}

impl Default for UserFacts {
    fn default() -> Self {
        Self {
            skill_level: f64::NAN,
            profile_written_at: i64::MAX,
            first_interactions: Vec::new(),
            certifications: Vec::new(),
        }
    }
}

impl UserFacts {
    fn value(&self, measure: Measure, moment: Moment) -> Option<f64> {
        match measure {
            Measure::SkillLevel => (self.profile_written_at < moment.as_of
                && self.skill_level.is_finite())
            .then_some(self.skill_level),
            Measure::ExperienceDays => self
                .first_interactions
                .iter()
                .filter(|(occurred_at, recorded_at)| moment.knows(*occurred_at, *recorded_at))
                .map(|(occurred_at, _)| *occurred_at)
                .min()
                .map(|first| moment.as_of.saturating_sub(first) as f64 / DAY as f64),
            Measure::Certifications => {
                let mut valid: Vec<u32> = self
                    .certifications
                    .iter()
                    .filter(|c| moment.knows(c.earned_at, c.recorded_at))
                    .filter(|c| moment.as_of < c.valid_until)
                    .map(|c| c.name)
                    .collect();
                valid.sort_unstable();
                valid.dedup();
                Some(valid.len() as f64)
            }
            _ => None,
        }
    }
}

/// Which columns come from which window, so that each window is read once per row.
#[derive(Debug, Clone)]
pub struct Plan {
    columns: usize,
    windows: Vec<WindowColumns>,
    windowless: Vec<(usize, Measure)>,
}

#[derive(Debug, Clone)]
struct WindowColumns {
    length: i64,
    needs: Needs,
    columns: Vec<(usize, Measure)>,
}

impl Plan {
    /// Groups features by window.
    #[must_use]
    pub fn new(features: &[Feature]) -> Self {
        let mut windows: Vec<WindowColumns> = Vec::new();
        let mut windowless = Vec::new();
        for (column, feature) in features.iter().enumerate() {
            let Some(length) = feature.length else {
                windowless.push((column, feature.measure));
                continue;
            };
            match windows.iter_mut().find(|window| window.length == length) {
                Some(window) => window.columns.push((column, feature.measure)),
                None => windows.push(WindowColumns {
                    length,
                    needs: Needs::default(),
                    columns: vec![(column, feature.measure)],
                }),
            }
        }
        for window in &mut windows {
            window.needs = Needs::of(window.columns.iter().map(|(_, measure)| *measure));
        }
        Self {
            columns: features.len(),
            windows,
            windowless,
        }
    }

    /// The longest window; `None` when no column needs events.
    #[must_use]
    pub fn longest_window(&self) -> Option<i64> {
        self.windows.iter().map(|window| window.length).max()
    }

    /// Whether a column needs compliance observations.
    #[must_use]
    pub fn needs_compliance(&self) -> bool {
        self.windows
            .iter()
            .flat_map(|window| &window.columns)
            .any(|(_, measure)| {
                matches!(
                    measure,
                    Measure::ComplianceMean | Measure::ComplianceObservations
                )
            })
    }

    /// Whether a column shows this windowless measure.
    #[must_use]
    pub fn needs(&self, measure: Measure) -> bool {
        self.windowless.iter().any(|(_, other)| *other == measure)
    }

    /// One row: the values of all columns for one entity at one moment.
    #[must_use]
    pub fn row(
        &self,
        history: &[Event],
        facts: &UserFacts,
        moment: Moment,
        summary: &mut WindowSummary,
    ) -> Vec<Option<f64>> {
        let mut row = vec![None; self.columns];
        let mut set = |column: usize, value| {
            if let Some(cell) = row.get_mut(column) {
                *cell = value;
            }
        };
        for window in &self.windows {
            summary.scan(history, moment, window.length, window.needs);
            for &(column, measure) in &window.columns {
                set(column, summary.value(measure));
            }
        }
        for &(column, measure) in &self.windowless {
            set(column, facts.value(measure, moment));
        }
        row
    }
}

/// Pairs entities with moments: one moment for all, or one for each.
///
/// # Errors
/// [`FeatureError::Lengths`] for any other number of moments, [`FeatureError::AsOf`] for one outside the years 1 to 9999.
pub fn pair_moments(entities: usize, moments: &[i64]) -> Result<Vec<i64>, FeatureError> {
    if moments.iter().any(|time| !CALENDAR.contains(time)) {
        return Err(FeatureError::AsOf);
    }
    match *moments {
        [moment] => Ok(vec![moment; entities]),
        _ if moments.len() == entities => Ok(moments.to_vec()),
        _ => Err(FeatureError::Lengths {
            entities,
            moments: moments.len(),
        }),
    }
}

/// How many windows one call may ask for.
pub const MOST_WINDOWS: usize = 1000;

/// The years 1 to 9999, in microseconds since 2000.
const CALENDAR: std::ops::Range<i64> = -730_119 * DAY..2_921_940 * DAY;

/// Checks the windows of a call.
///
/// # Errors
/// [`FeatureError::Windows`] for more than [`MOST_WINDOWS`],
/// [`FeatureError::Window`] for the first that is not a positive, finite length.
pub fn check_windows(lengths: &[i64]) -> Result<(), FeatureError> {
    if lengths.len() > MOST_WINDOWS {
        return Err(FeatureError::Windows(lengths.len()));
    }
    match lengths
        .iter()
        .find(|length| **length <= 0 || **length == i64::MAX)
    {
        Some(length) => Err(FeatureError::Window(*length)),
        None => Ok(()),
    }
}
