//! Options of recommendation training data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DataPreparationError;
use crate::features::DAY;

/// The interaction types and the weight that each adds to an implicit positive unless the caller says otherwise.
///
/// A completion says most, a look little; a skip says nothing good and a search nothing about one procedure.
pub const INTERACTION_TYPES: [(&str, f64); 9] = [
    ("view", 1.0),
    ("start", 2.0),
    ("complete", 5.0),
    ("skip", 0.0),
    ("bookmark", 4.0),
    ("share", 4.0),
    ("rate", 1.0),
    ("search", 0.0),
    ("feedback", 1.0),
];

/// Where labels come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Feedback {
    /// What people did: label 1, weighted by type.
    #[default]
    Implicit,
    /// What people said: the label is the rating.
    Explicit,
    /// What people did, corrected by what they said.
    Both,
}

/// How items that a person never touched are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NegativeSampling {
    /// In proportion to how often everybody interacted with them.
    #[default]
    Popularity,
    /// All alike.
    Uniform,
}

/// What becomes of a pair in a later split when an earlier split has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RepeatedPairs {
    /// It stays: procedures are repeated, and to predict the repetition is the task.
    #[default]
    Keep,
    /// It goes: the task is to predict procedures that are new to a person.
    Drop,
}

/// Options as the caller gives them.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecommendationOptions {
    /// Where labels come from.
    pub feedback: Feedback,
    /// Weights per interaction type that replace the defaults.
    pub weights: BTreeMap<String, f64>,
    /// After how many days a weight has halved; `None` for no decay.
    pub half_life_days: Option<f64>,
    /// Negatives for each positive; by default 4, and 0 with explicit feedback.
    pub negatives_per_positive: Option<i64>,
    /// How negatives are chosen.
    pub negative_sampling: NegativeSampling,
    /// The weight of a negative.
    pub negative_weight: f64,
    /// Seed of everything random.
    pub seed: i64,
    /// Share of the interactions, the latest before the test split, for validation.
    pub validation_fraction: Option<f64>,
    /// Share of the interactions, the latest, for tests.
    pub test_fraction: Option<f64>,
    /// Where validation begins.
    pub validation_from: Option<String>,
    /// Where tests begin.
    pub test_from: Option<String>,
    /// People with fewer interactions in the training split are left out.
    pub min_interactions: i64,
    /// Whether a later split may repeat a pair.
    pub repeated_pairs: RepeatedPairs,
    /// With feedback `both`, the rating from which a pair is positive.
    pub positive_rating: f64,
}

impl Default for RecommendationOptions {
    fn default() -> Self {
        Self {
            feedback: Feedback::default(),
            weights: BTreeMap::new(),
            half_life_days: Some(90.0),
            negatives_per_positive: None,
            negative_sampling: NegativeSampling::default(),
            negative_weight: 1.0,
            seed: 0,
            validation_fraction: None,
            test_fraction: None,
            validation_from: None,
            test_from: None,
            min_interactions: 0,
            repeated_pairs: RepeatedPairs::default(),
            positive_rating: 4.0,
        }
    }
}

/// How the range is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    /// At these times.
    Times {
        /// First moment of validation.
        validation_from: i64,
        /// First moment of tests.
        test_from: i64,
    },
    /// So that the last interactions make up these shares.
    Fractions {
        /// Share of validation.
        validation: f64,
        /// Share of tests.
        test: f64,
    },
}

/// Checked options.
#[derive(Debug, Clone, PartialEq)]
pub struct RecommendationPlan {
    pub(super) to_time: i64,
    pub(super) feedback: Feedback,
    pub(super) weights: [f64; INTERACTION_TYPES.len()],
    /// Half-life in microseconds.
    pub(super) half_life: Option<f64>,
    pub(super) negatives_per_positive: usize,
    pub(super) negative_sampling: NegativeSampling,
    pub(super) negative_weight: f64,
    pub(super) seed: u64,
    pub(super) cut: Cut,
    pub(super) min_interactions: usize,
    pub(super) repeated_pairs: RepeatedPairs,
    pub(super) positive_rating: f64,
}

/// The number of an interaction type.
#[must_use]
pub fn interaction_type(name: &str) -> Option<u8> {
    INTERACTION_TYPES
        .iter()
        .zip(0..)
        .find(|((known, _), _)| *known == name)
        .map(|(_, number)| number)
}

impl RecommendationOptions {
    /// Checks the options for a range `[from_time, to_time)`; `from_time` may be `i64::MIN` for everything before.
    ///
    /// # Errors
    /// One error per option outside its domain.
    pub fn check(
        &self,
        from_time: i64,
        to_time: i64,
    ) -> Result<RecommendationPlan, DataPreparationError> {
        if from_time >= to_time || to_time == i64::MAX {
            return Err(DataPreparationError::Range);
        }
        let half_life = match self.half_life_days {
            None => None,
            Some(days) if days.is_finite() && days > 0.0 => Some(days * DAY as f64),
            Some(days) => return Err(DataPreparationError::HalfLife(days)),
        };
        if !(self.negative_weight.is_finite() && self.negative_weight > 0.0) {
            return Err(DataPreparationError::NegativeWeight(self.negative_weight));
        }
        if !self.positive_rating.is_finite() {
            return Err(DataPreparationError::PositiveRating(self.positive_rating));
        }
        let min_interactions = usize::try_from(self.min_interactions)
            .map_err(|_| DataPreparationError::MinInteractions(self.min_interactions))?;
        Ok(RecommendationPlan {
            to_time,
            feedback: self.feedback,
            weights: self.checked_weights()?,
            half_life,
            negatives_per_positive: self.checked_negatives()?,
            negative_sampling: self.negative_sampling,
            negative_weight: self.negative_weight,
            seed: self.seed.cast_unsigned(),
            cut: self.checked_cut(from_time, to_time)?,
            min_interactions,
            repeated_pairs: self.repeated_pairs,
            positive_rating: self.positive_rating,
        })
    }

    fn checked_weights(&self) -> Result<[f64; INTERACTION_TYPES.len()], DataPreparationError> {
        let mut weights = INTERACTION_TYPES.map(|(_, weight)| weight);
        for (name, &weight) in &self.weights {
            let place = interaction_type(name).and_then(|number| weights.get_mut(number as usize));
            let Some(place) = place else {
                return Err(DataPreparationError::UnknownInteractionType(name.clone()));
            };
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(DataPreparationError::Weight {
                    interaction_type: name.clone(),
                    weight,
                });
            }
            *place = weight;
        }
        Ok(weights)
    }

    fn checked_negatives(&self) -> Result<usize, DataPreparationError> {
        match (self.feedback, self.negatives_per_positive) {
            (Feedback::Explicit, None | Some(0)) => Ok(0),
            (Feedback::Explicit, Some(_)) => Err(DataPreparationError::NegativesForExplicit),
            (_, None) => Ok(4),
            (_, Some(number)) => usize::try_from(number)
                .ok()
                .filter(|number| *number <= 1000)
                .ok_or(DataPreparationError::NegativesPerPositive(number)),
        }
    }

    fn checked_cut(&self, from_time: i64, to_time: i64) -> Result<Cut, DataPreparationError> {
        let has_times = self.validation_from.is_some() || self.test_from.is_some();
        let has_fractions = self.validation_fraction.is_some() || self.test_fraction.is_some();
        if has_times && has_fractions {
            return Err(DataPreparationError::FractionsAndTimes);
        }
        if !has_times {
            let validation = self.validation_fraction.unwrap_or(0.1);
            let test = self.test_fraction.unwrap_or(0.1);
            // Written so that NaN fails.
            if !(validation >= 0.0 && test >= 0.0 && validation + test < 1.0) {
                return Err(DataPreparationError::Fractions { validation, test });
            }
            return Ok(Cut::Fractions { validation, test });
        }
        let test_from = split_time("test_from", self.test_from.as_deref())?.unwrap_or(to_time);
        let validation_from =
            split_time("validation_from", self.validation_from.as_deref())?.unwrap_or(test_from);
        if from_time <= validation_from && validation_from <= test_from && test_from <= to_time {
            Ok(Cut::Times {
                validation_from,
                test_from,
            })
        } else {
            Err(DataPreparationError::SplitOrder)
        }
    }
}

/// Reads an RFC 3339 time into microseconds since 2000-01-01 UTC.
fn split_time(
    option: &'static str,
    text: Option<&str>,
) -> Result<Option<i64>, DataPreparationError> {
    const EPOCH_OFFSET: i64 = 946_684_800_000_000;
    let Some(text) = text else { return Ok(None) };
    chrono::DateTime::parse_from_rfc3339(text)
        .ok()
        .and_then(|time| time.timestamp_micros().checked_sub(EPOCH_OFFSET))
        .map(Some)
        .ok_or_else(|| DataPreparationError::SplitTime {
            option,
            text: text.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: RecommendationOptions) -> Result<RecommendationPlan, DataPreparationError> {
        options.check(0, 100 * DAY)
    }

    #[test]
    fn every_bad_value_has_its_error() {
        use DataPreparationError as E;
        let default = RecommendationOptions::default;
        assert!(matches!(default().check(1, 1), Err(E::Range)));
        assert!(matches!(default().check(1, i64::MAX), Err(E::Range)));
        assert!(default().check(i64::MIN, 1).is_ok());
        let with = |change: fn(&mut RecommendationOptions)| {
            let mut options = default();
            change(&mut options);
            check(options)
        };
        assert!(matches!(
            with(|o| o.half_life_days = Some(0.0)),
            Err(E::HalfLife(_))
        ));
        assert!(matches!(
            with(|o| o.half_life_days = Some(f64::NAN)),
            Err(E::HalfLife(_))
        ));
        assert!(matches!(
            with(|o| o.negative_weight = 0.0),
            Err(E::NegativeWeight(_))
        ));
        assert!(matches!(
            with(|o| o.negatives_per_positive = Some(-1)),
            Err(E::NegativesPerPositive(-1))
        ));
        assert!(matches!(
            with(|o| o.negatives_per_positive = Some(1001)),
            Err(E::NegativesPerPositive(1001))
        ));
        assert!(matches!(
            with(|o| o.min_interactions = -1),
            Err(E::MinInteractions(-1))
        ));
        assert!(matches!(
            with(|o| o.positive_rating = f64::INFINITY),
            Err(E::PositiveRating(_))
        ));
        assert!(matches!(
            with(|o| o.validation_fraction = Some(0.95)),
            Err(E::Fractions { .. })
        ));
        assert!(matches!(
            with(|o| o.test_fraction = Some(-0.1)),
            Err(E::Fractions { .. })
        ));
        assert!(matches!(
            with(|o| o.test_fraction = Some(f64::NAN)),
            Err(E::Fractions { .. })
        ));
        assert!(matches!(
            with(|o| {
                o.feedback = Feedback::Explicit;
                o.negatives_per_positive = Some(1);
            }),
            Err(E::NegativesForExplicit)
        ));
        assert!(matches!(
            with(|o| {
                o.weights.insert("wave".to_owned(), 1.0);
            }),
            Err(E::UnknownInteractionType(_))
        ));
        assert!(matches!(
            with(|o| {
                o.weights.insert("view".to_owned(), -1.0);
            }),
            Err(E::Weight { .. })
        ));
        assert!(matches!(
            with(|o| o.test_from = Some("soon".to_owned())),
            Err(E::SplitTime {
                option: "test_from",
                ..
            })
        ));
        assert!(matches!(
            with(|o| o.test_from = Some("2001-01-01T00:00:00Z".to_owned())),
            Err(E::SplitOrder)
        ));
        assert!(matches!(
            with(|o| {
                o.test_from = Some("2000-02-01T00:00:00Z".to_owned());
                o.test_fraction = Some(0.1);
            }),
            Err(E::FractionsAndTimes)
        ));
    }

    #[test]
    fn times_count_from_the_year_2000_and_a_missing_one_leaves_its_split_empty() {
        let plan = check(RecommendationOptions {
            validation_from: Some("2000-01-11T01:00:00+01:00".to_owned()),
            ..RecommendationOptions::default()
        })
        .unwrap();
        assert_eq!(
            plan.cut,
            Cut::Times {
                validation_from: 10 * DAY,
                test_from: 100 * DAY
            }
        );
        let plan = check(RecommendationOptions {
            test_from: Some("2000-01-11T00:00:00Z".to_owned()),
            ..RecommendationOptions::default()
        })
        .unwrap();
        assert_eq!(
            plan.cut,
            Cut::Times {
                validation_from: 10 * DAY,
                test_from: 10 * DAY
            }
        );
    }
}
