//! Feature values per window from histories of events.
//!
//! A feature is a [`Measure`] of an [`Entity`] over a window `[as_of - length, as_of)`. Nothing that happened at or after
//! `as_of`, and nothing that was not known then ([`Moment::knows`]), can influence a value: that is checked for each
//! event, not left to the query that loads them. A value that cannot be known (no rating in the window, no rate without
//! an attempt) is `None`; counts are zero.

pub mod matrix;
pub mod names;
pub mod window;

use crate::error::{Classify, ErrorKind};

/// Microseconds of an hour.
pub const HOUR: i64 = 3_600_000_000;
/// Microseconds of a day of 24 hours.
pub const DAY: i64 = 24 * HOUR;

/// What a feature describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entity {
    /// One standard operating procedure.
    Sop,
    /// One person.
    User,
    /// One person with one procedure.
    UserSop,
}

impl Entity {
    /// Every entity.
    pub const ALL: [Self; 3] = [Self::Sop, Self::User, Self::UserSop];

    /// The name used in SQL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sop => "sop",
            Self::User => "user",
            Self::UserSop => "user_sop",
        }
    }

    /// Reads the name used in SQL.
    ///
    /// # Errors
    /// [`FeatureError::Entity`] for anything else.
    pub fn parse(name: &str) -> Result<Self, FeatureError> {
        Self::ALL
            .into_iter()
            .find(|entity| entity.name() == name)
            .ok_or_else(|| FeatureError::Entity(name.to_owned()))
    }
}

/// What is measured, without its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Interactions of any type.
    Interactions,
    /// Interactions of type `view`.
    Views,
    /// Interactions of type `start`.
    Starts,
    /// Interactions of type `complete`.
    Completions,
    /// Interactions of type `skip`.
    Skips,
    /// Interactions that carry a rating.
    Ratings,
    /// Different people.
    ActiveUsers,
    /// Different procedures.
    ActiveSops,
    /// Completions per attempt.
    CompletionRate,
    /// Skips per attempt.
    SkipRate,
    /// Mean seconds of a completion.
    DurationMean,
    /// Median seconds of a completion.
    DurationMedian,
    /// 95th percentile of the seconds of a completion.
    DurationP95,
    /// Mean rating.
    RatingMean,
    /// Mean quality score of the interactions that were inspected.
    QualityMean,
    /// How many compliance observations there are.
    ComplianceObservations,
    /// Mean of the compliance observations.
    ComplianceMean,
    /// Least-squares slope of completions per day.
    CompletionsSlope,
    /// Hours since the latest completion.
    HoursSinceCompletion,
    /// Hours since the latest interaction.
    HoursSinceInteraction,
    /// Days in a row with a completion, up to `as_of`.
    StreakDays,
    /// The longest run of days with a completion.
    LongestStreakDays,
    /// Skill level of the profile.
    SkillLevel,
    /// Days since the first known interaction.
    ExperienceDays,
    /// Valid certifications.
    Certifications,
}

impl Measure {
    /// Every measure, in the order in which results list them.
    pub const ALL: [Self; 25] = [
        Self::Interactions,
        Self::Views,
        Self::Starts,
        Self::Completions,
        Self::Skips,
        Self::Ratings,
        Self::ActiveUsers,
        Self::ActiveSops,
        Self::CompletionRate,
        Self::SkipRate,
        Self::DurationMean,
        Self::DurationMedian,
        Self::DurationP95,
        Self::RatingMean,
        Self::QualityMean,
        Self::ComplianceObservations,
        Self::ComplianceMean,
        Self::CompletionsSlope,
        Self::HoursSinceCompletion,
        Self::HoursSinceInteraction,
        Self::StreakDays,
        Self::LongestStreakDays,
        Self::SkillLevel,
        Self::ExperienceDays,
        Self::Certifications,
    ];

    /// The name used in SQL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interactions => "interactions",
            Self::Views => "views",
            Self::Starts => "starts",
            Self::Completions => "completions",
            Self::Skips => "skips",
            Self::Ratings => "ratings",
            Self::ActiveUsers => "active_users",
            Self::ActiveSops => "active_sops",
            Self::CompletionRate => "completion_rate",
            Self::SkipRate => "skip_rate",
            Self::DurationMean => "duration_mean",
            Self::DurationMedian => "duration_median",
            Self::DurationP95 => "duration_p95",
            Self::RatingMean => "rating_mean",
            Self::QualityMean => "quality_mean",
            Self::ComplianceObservations => "compliance_observations",
            Self::ComplianceMean => "compliance_mean",
            Self::CompletionsSlope => "completions_slope",
            Self::HoursSinceCompletion => "hours_since_completion",
            Self::HoursSinceInteraction => "hours_since_interaction",
            Self::StreakDays => "streak_days",
            Self::LongestStreakDays => "longest_streak_days",
            Self::SkillLevel => "skill_level",
            Self::ExperienceDays => "experience_days",
            Self::Certifications => "certifications",
        }
    }

    /// Reads the name used in SQL.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }

    /// Whether the measure is a property at a moment and takes no window.
    #[must_use]
    pub const fn is_windowless(self) -> bool {
        matches!(
            self,
            Self::SkillLevel | Self::ExperienceDays | Self::Certifications
        )
    }

    /// Whether the measure exists for this entity.
    #[must_use]
    pub const fn applies_to(self, entity: Entity) -> bool {
        match self {
            Self::ActiveUsers | Self::ComplianceObservations | Self::ComplianceMean => {
                matches!(entity, Entity::Sop)
            }
            Self::ActiveSops | Self::SkillLevel | Self::ExperienceDays | Self::Certifications => {
                matches!(entity, Entity::User)
            }
            _ => true,
        }
    }

    /// The windowed measures of one entity, in listing order.
    pub fn windowed(entity: Entity) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |measure| !measure.is_windowless() && measure.applies_to(entity))
    }
}

/// Why features cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// The entity is none of `sop`, `user`, `user_sop`.
    #[error("entity must be 'sop', 'user' or 'user_sop', not '{0}'")]
    Entity(String),
    /// A window is not a positive length of time.
    #[error("windows must be longer than zero and finite, not {0} microseconds")]
    Window(i64),
    /// More windows than anybody can mean; each is one pass over the events of each entity.
    #[error("windows has {0} elements; at most {limit} are allowed", limit = matrix::MOST_WINDOWS)]
    Windows(usize),
    /// `as_of` is infinite, or has no local day in every time zone.
    #[error("as_of must be a finite time between the years 1 and 9999")]
    AsOf,
    /// Neither one moment for all entities nor one for each.
    #[error("as_of has {moments} elements for {entities} entities: give 1 or as many")]
    Lengths {
        /// How many entities were asked for.
        entities: usize,
        /// How many moments were given.
        moments: usize,
    },
    /// `user_sop` entities are pairs, so there must be an even number of identifiers.
    #[error("entity 'user_sop' needs pairs of user and SOP, but entity_ids has {0} elements")]
    Pairs(usize),
    /// A feature name that nobody registered.
    #[error("unknown feature '{name}' of entity '{entity}'")]
    Unknown {
        /// The name as asked for.
        name: String,
        /// The entity asked for.
        entity: &'static str,
        /// The registered names closest to it, closest first.
        nearest: Vec<String>,
    },
}

impl Classify for FeatureError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidParameter
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest, .. } if !nearest.is_empty() => {
                Some(format!("The nearest known names: {}.", nearest.join(", ")))
            }
            Self::Unknown { entity, .. } => Some(format!(
                "SELECT name FROM sop_ml.sop_ml_features WHERE entity = '{entity}' lists what is registered."
            )),
            Self::Pairs(_) => {
                Some("For example: ARRAY[ARRAY[user_1, sop_1], ARRAY[user_2, sop_2]].".to_owned())
            }
            _ => None,
        }
    }
}

/// One interaction, reduced to what features need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// Whose history this belongs to: an index chosen by the caller.
    pub entity: u32,
    /// The other side: the person of a procedure, the procedure of a person.
    pub counterpart: u32,
    /// When it happened.
    pub occurred_at: i64,
    /// When it was recorded.
    pub recorded_at: i64,
    /// The day of `occurred_at` in the restaurant's time zone, as a day number.
    pub local_day: i32,
    /// What happened.
    pub kind: EventKind,
    /// Seconds that it took; NaN where there is none.
    pub duration_seconds: f64,
    /// The rating given; NaN where there is none.
    pub rating: f64,
    /// The quality score of the work; NaN where there is none.
    pub quality: f64,
}

/// What kind of event it is, as far as measures tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// `view`.
    View,
    /// `start`.
    Start,
    /// `complete`.
    Complete,
    /// `skip`.
    Skip,
    /// Another interaction.
    Other,
    /// No interaction but a compliance observation; `quality` holds its value.
    Compliance,
}

impl EventKind {
    /// From the interaction type of the database.
    #[must_use]
    pub fn of_interaction(name: &str) -> Self {
        match name {
            "view" => Self::View,
            "start" => Self::Start,
            "complete" => Self::Complete,
            "skip" => Self::Skip,
            _ => Self::Other,
        }
    }
}

/// The moment for which features are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Exclusive end of every window.
    pub as_of: i64,
    /// The day of `as_of` in the restaurant's time zone, as a day number.
    pub local_day: i32,
    /// Since when the restaurant records here; `None` when that is unknown.
    pub live_since: Option<i64>,
}

impl Moment {
    /// Whether something that happened at `occurred_at` and was recorded at `recorded_at` was known at this moment.
    ///
    /// It has to have happened and to have been recorded before. History is the exception: for a moment before the
    /// restaurant recorded anything here, the time at which its history was loaded says nothing about what people knew,
    /// so what was recorded from then on counts from when it happened.
    #[must_use]
    pub fn knows(&self, occurred_at: i64, recorded_at: i64) -> bool {
        let is_history = self
            .live_since
            .is_none_or(|live_since| self.as_of <= live_since && live_since <= recorded_at);
        occurred_at < self.as_of && (recorded_at < self.as_of || is_history)
    }
}

/// Events of many entities, ready to be read by entity and time.
#[derive(Debug, Clone)]
pub struct Histories {
    events: Vec<Event>,
    /// `starts[e]..starts[e + 1]` are the events of entity `e`.
    starts: Vec<usize>,
}

impl Histories {
    /// Sorts events by entity and time. Events of entities `>= entities` are dropped.
    #[must_use]
    pub fn new(mut events: Vec<Event>, entities: usize) -> Self {
        // A total order, so that sums of floats do not depend on the order in which rows were read.
        events.sort_unstable_by(|a, b| {
            (a.entity, a.occurred_at, a.recorded_at, a.counterpart)
                .cmp(&(b.entity, b.occurred_at, b.recorded_at, b.counterpart))
                .then((a.kind as u8).cmp(&(b.kind as u8)))
                .then(a.duration_seconds.total_cmp(&b.duration_seconds))
                .then(a.rating.total_cmp(&b.rating))
                .then(a.quality.total_cmp(&b.quality))
        });
        let starts = (0..=entities)
            .map(|entity| events.partition_point(|event| (event.entity as usize) < entity))
            .collect();
        Self { events, starts }
    }

    /// All events of one entity in time order.
    #[must_use]
    pub fn of(&self, entity: usize) -> &[Event] {
        let from = self.starts.get(entity).copied().unwrap_or_default();
        let to = self.starts.get(entity + 1).copied().unwrap_or(from);
        self.events.get(from..to).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for measure in Measure::ALL {
            assert_eq!(Measure::parse(measure.name()), Some(measure));
        }
        for entity in Entity::ALL {
            assert_eq!(Entity::parse(entity.name()), Ok(entity));
        }
        assert!(matches!(Entity::parse("SOP"), Err(FeatureError::Entity(_))));
    }

    #[test]
    fn late_records_are_unknown_but_loaded_history_is_not() {
        let moment = |as_of, live_since| Moment {
            as_of,
            local_day: 0,
            live_since,
        };
        // Live since 100. A row about 110 that arrived at 150 is unknown at 120 and known at 151.
        assert!(!moment(120, Some(100)).knows(110, 150));
        assert!(!moment(150, Some(100)).knows(110, 150));
        assert!(moment(151, Some(100)).knows(110, 150));
        // History about 10 loaded at 130: it counts for moments before 100 and from 130 on, but not between.
        assert!(moment(50, Some(100)).knows(10, 130));
        assert!(!moment(120, Some(100)).knows(10, 130));
        assert!(moment(131, Some(100)).knows(10, 130));
        // History that says when it was recorded is believed.
        assert!(!moment(50, Some(100)).knows(10, 60));
        assert!(moment(70, Some(100)).knows(10, 60));
        // Nothing is known before it happens.
        assert!(!moment(50, Some(100)).knows(50, 40));
        assert!(!moment(50, None).knows(50, 40));
        assert!(moment(50, None).knows(49, 1000));
    }
}
