//! From interactions to training rows of a recommender.
//!
//! One row stands for one person and one procedure in one split; its weight is the sum over the interactions of that
//! split. Splits are periods of time for everybody alike: what is trained on happened before what is validated on, and that
//! before what is tested on. Nothing in a row depends on what came after its split, with one exception made on purpose: a
//! negative is a procedure that the person has not touched until the end of the whole range, so that no row says "did
//! not" of something that happened.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::DataPreparationError;
use super::options::{Cut, Feedback, NegativeSampling, RecommendationPlan, RepeatedPairs};
use super::sampling::WeightedSet;
use crate::budget::Budget;
use crate::progress::Progress;

/// How many steps a loop takes between two polls.
const POLL_EVERY: usize = 4096;

/// One interaction. People and procedures are numbered from 0 in the order of their identifiers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interaction {
    /// The person.
    pub user: u32,
    /// The procedure.
    pub sop: u32,
    /// When.
    pub occurred_at: i64,
    /// The rating given; NaN where there is none.
    pub rating: f64,
    /// The number of the type, as [`super::options::interaction_type`] gives it.
    pub kind: u8,
}

/// What training rows are made from.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Interactions of the range, in any order.
    pub interactions: Vec<Interaction>,
    /// Pairs of person and procedure that met before the range, in any order.
    pub earlier: Vec<(u32, u32)>,
    /// A number per person that stays the same whoever else is there; it selects the person's random stream.
    pub streams: Vec<u64>,
    /// How many procedures there are.
    pub sops: usize,
}

/// The part of the data that a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose between models.
    Validation,
    /// To measure the chosen one.
    Test,
}

impl Split {
    /// Every split, in time order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name used in SQL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// One training row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainingRow {
    /// The person.
    pub user: u32,
    /// The procedure.
    pub sop: u32,
    /// What a model should predict: 1 or 0, or the rating.
    pub label: f64,
    /// How much the row counts.
    pub weight: f64,
    /// The split.
    pub split: Split,
    /// The latest interaction behind the row; a negative takes that of its positive.
    pub occurred_at: i64,
}

/// The rows, made person by person as they are asked for: in order of person, split, time, procedure.
#[derive(Debug, Clone)]
pub struct TrainingRows {
    plan: RecommendationPlan,
    interactions: Vec<Interaction>,
    earlier: Vec<(u32, u32)>,
    streams: Vec<u64>,
    /// First moment of validation, first moment of tests, end of the range.
    bounds: [i64; 3],
    candidates: [WeightedSet; 3],
    random: ChaCha8Rng,
    next_interaction: usize,
    rows: std::vec::IntoIter<TrainingRow>,
}

impl TrainingRows {
    /// Sorts, cuts and counts. The candidates for negatives are charged to `budget`; the source was by who read it.
    ///
    /// # Errors
    /// [`DataPreparationError::Budget`] and [`DataPreparationError::Interrupted`].
    pub fn new(
        source: Source,
        plan: RecommendationPlan,
        budget: &mut Budget,
        progress: &mut impl Progress,
    ) -> Result<Self, DataPreparationError> {
        let Source {
            mut interactions,
            mut earlier,
            streams,
            sops,
        } = source;
        let bounds = bounds(&plan, &interactions, budget)?;
        progress.poll()?;
        // A total order: sums of floats must not depend on the order in which rows were read.
        interactions.sort_unstable_by(|a, b| {
            (a.user, a.sop, a.occurred_at, a.kind)
                .cmp(&(b.user, b.sop, b.occurred_at, b.kind))
                .then(a.rating.total_cmp(&b.rating))
        });
        progress.poll()?;
        earlier.sort_unstable();
        // Weights, tree, and the counts below, for three splits.
        budget.charge(sops.saturating_mul(3 * 3 * size_of::<u64>()))?;
        let candidates = candidates(&plan, &interactions, bounds, sops, progress)?;
        Ok(Self {
            random: ChaCha8Rng::seed_from_u64(plan.seed),
            plan,
            interactions,
            earlier,
            streams,
            bounds,
            candidates,
            next_interaction: 0,
            rows: Vec::new().into_iter(),
        })
    }

    /// First moment of validation and first moment of tests.
    #[must_use]
    pub const fn split_times(&self) -> (i64, i64) {
        let [validation_from, test_from, _] = self.bounds;
        (validation_from, test_from)
    }

    /// Makes the rows of the next person; `None` when there is nobody left.
    fn next_person(&mut self) -> Option<Vec<TrainingRow>> {
        let rest = self.interactions.get(self.next_interaction..)?;
        let user = rest.first()?.user;
        let length = rest.partition_point(|interaction| interaction.user == user);
        let own = rest.get(..length)?;
        self.next_interaction += length;
        let [validation_from, ..] = self.bounds;
        let in_training = own
            .iter()
            .filter(|i| i.occurred_at < validation_from)
            .count();
        if in_training < self.plan.min_interactions {
            return Some(Vec::new());
        }
        let mut rows = positives(&self.plan, self.bounds, own);
        let mut seen: Vec<u32> = own.iter().map(|interaction| interaction.sop).collect();
        let from = self.earlier.partition_point(|(other, _)| *other < user);
        let earlier = self.earlier.get(from..).unwrap_or_default();
        seen.extend(
            earlier
                .iter()
                .take_while(|(other, _)| *other == user)
                .map(|(_, sop)| *sop),
        );
        seen.sort_unstable();
        seen.dedup();
        self.add_negatives(user, &mut rows, seen);
        rows.sort_unstable_by_key(|row| (row.split, row.occurred_at, row.sop));
        Some(rows)
    }

    fn add_negatives(&mut self, user: u32, rows: &mut Vec<TrainingRow>, mut excluded: Vec<u32>) {
        let per_positive = self.plan.negatives_per_positive;
        if per_positive == 0 {
            return;
        }
        let mut random = self.random.clone();
        random.set_stream(self.streams.get(user as usize).copied().unwrap_or_default());
        for (split, candidates) in Split::ALL.into_iter().zip(&mut self.candidates) {
            let mut positives: Vec<(i64, u32)> = rows
                .iter()
                .filter(|row| row.split == split && row.label > 0.0)
                .map(|row| (row.occurred_at, row.sop))
                .collect();
            if positives.is_empty() {
                continue;
            }
            positives.sort_unstable();
            let mut removed: Vec<(u32, u64)> = excluded
                .iter()
                .map(|&sop| (sop, candidates.set(sop as usize, 0)))
                .collect();
            let known = removed.len();
            let slots = positives
                .iter()
                .flat_map(|(time, _)| std::iter::repeat_n(*time, per_positive));
            for occurred_at in slots {
                if candidates.total() == 0 {
                    break;
                }
                // The bias of a multiply-shift is below 2^-32 for any catalogue that fits into memory.
                let point = (u128::from(random.next_u64()) * u128::from(candidates.total())) >> 64;
                let item = candidates.at(point as u64);
                let sop = item as u32;
                removed.push((sop, candidates.set(item, 0)));
                rows.push(TrainingRow {
                    user,
                    sop,
                    label: 0.0,
                    weight: self.plan.negative_weight,
                    split,
                    occurred_at,
                });
            }
            for &(sop, weight) in &removed {
                candidates.set(sop as usize, weight);
            }
            if self.plan.repeated_pairs == RepeatedPairs::Drop {
                excluded.extend(removed.iter().skip(known).map(|(sop, _)| *sop));
            }
        }
    }
}

impl Iterator for TrainingRows {
    type Item = TrainingRow;

    fn next(&mut self) -> Option<TrainingRow> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(row);
            }
            self.rows = self.next_person()?.into_iter();
        }
    }
}

/// Whether an interaction can make a row.
fn contributes(plan: &RecommendationPlan, interaction: &Interaction) -> bool {
    match plan.feedback {
        Feedback::Explicit => interaction.rating.is_finite(),
        Feedback::Implicit | Feedback::Both => type_weight(plan, interaction) > 0.0,
    }
}

fn type_weight(plan: &RecommendationPlan, interaction: &Interaction) -> f64 {
    plan.weights
        .get(interaction.kind as usize)
        .copied()
        .unwrap_or_default()
}

/// Where the splits end.
fn bounds(
    plan: &RecommendationPlan,
    interactions: &[Interaction],
    budget: &mut Budget,
) -> Result<[i64; 3], DataPreparationError> {
    let (validation, test) = match plan.cut {
        Cut::Times {
            validation_from,
            test_from,
        } => return Ok([validation_from, test_from, plan.to_time]),
        Cut::Fractions { validation, test } => (validation, test),
    };
    budget.charge(interactions.len().saturating_mul(size_of::<i64>()))?;
    let mut times: Vec<i64> = interactions
        .iter()
        .filter(|interaction| contributes(plan, interaction))
        .map(|interaction| interaction.occurred_at)
        .collect();
    times.sort_unstable();
    // The time at which this share of the interactions has happened. 1e-9 takes back what subtracting fractions added.
    let time_at = |share: f64| {
        let place = (share * times.len() as f64 - 1e-9).ceil().max(0.0);
        times.get(place as usize).copied().unwrap_or(plan.to_time)
    };
    let mut validation_from = time_at(1.0 - validation - test);
    if let Some(&first) = times.first()
        && validation_from == first
    {
        // Many interactions at the very beginning: a cut there would leave nothing to train on.
        let next = times.partition_point(|time| *time == first);
        validation_from = times.get(next).copied().unwrap_or(plan.to_time);
    }
    let test_from = time_at(1.0 - test).max(validation_from);
    Ok([validation_from, test_from, plan.to_time])
}

fn split_of(bounds: [i64; 3], time: i64) -> Split {
    let [validation_from, test_from, _] = bounds;
    if time < validation_from {
        Split::Train
    } else if time < test_from {
        Split::Validation
    } else {
        Split::Test
    }
}

/// What negatives of each split are drawn from: procedures that somebody had touched by the end of that split.
fn candidates(
    plan: &RecommendationPlan,
    interactions: &[Interaction],
    bounds: [i64; 3],
    sops: usize,
    progress: &mut impl Progress,
) -> Result<[WeightedSet; 3], DataPreparationError> {
    let mut counts = [vec![0_u64; sops], vec![0_u64; sops], vec![0_u64; sops]];
    for chunk in interactions.chunks(POLL_EVERY) {
        progress.poll()?;
        for interaction in chunk {
            let first = split_of(bounds, interaction.occurred_at);
            for (split, count) in Split::ALL.into_iter().zip(&mut counts) {
                if split >= first
                    && let Some(count) = count.get_mut(interaction.sop as usize)
                {
                    *count += 1;
                }
            }
        }
    }
    if plan.negative_sampling == NegativeSampling::Uniform {
        for count in counts.iter_mut().flatten() {
            *count = (*count).min(1);
        }
    }
    Ok(counts.map(WeightedSet::new))
}

/// The rows of one person that come from interactions, which are sorted by procedure and time.
fn positives(
    plan: &RecommendationPlan,
    bounds: [i64; 3],
    interactions: &[Interaction],
) -> Vec<TrainingRow> {
    let mut rows: Vec<TrainingRow> = Vec::new();
    let same_row = |a: &Interaction, b: &Interaction| {
        a.sop == b.sop && split_of(bounds, a.occurred_at) == split_of(bounds, b.occurred_at)
    };
    for group in interactions.chunk_by(same_row) {
        let Some(row) = positive(plan, bounds, group) else {
            continue;
        };
        let repeated = rows.last().is_some_and(|former| former.sop == row.sop);
        if !(repeated && plan.repeated_pairs == RepeatedPairs::Drop) {
            rows.push(row);
        }
    }
    rows
}

/// The row of the interactions of one person with one procedure in one split.
fn positive(
    plan: &RecommendationPlan,
    bounds: [i64; 3],
    group: &[Interaction],
) -> Option<TrainingRow> {
    let last = group
        .iter()
        .rfind(|interaction| contributes(plan, interaction))?;
    let split = split_of(bounds, last.occurred_at);
    let [validation_from, test_from, to_time] = bounds;
    let end = match split {
        Split::Train => validation_from,
        Split::Validation => test_from,
        Split::Test => to_time,
    };
    let decay = |time: i64| match plan.half_life {
        None => 1.0,
        Some(half_life) => (-(end.saturating_sub(time) as f64) / half_life).exp2(),
    };
    let implicit_weight = || {
        group
            .iter()
            .map(|interaction| type_weight(plan, interaction) * decay(interaction.occurred_at))
            .sum()
    };
    let rating = group
        .iter()
        .rev()
        .map(|interaction| interaction.rating)
        .find(|rating| rating.is_finite());
    let (label, weight) = match (plan.feedback, rating) {
        (Feedback::Explicit, Some(rating)) => (rating, decay(last.occurred_at)),
        (Feedback::Explicit, None) => return None,
        (Feedback::Both, Some(rating)) if rating < plan.positive_rating => (0.0, implicit_weight()),
        (Feedback::Both | Feedback::Implicit, _) => (1.0, implicit_weight()),
    };
    Some(TrainingRow {
        user: last.user,
        sop: last.sop,
        label,
        weight,
        split,
        occurred_at: last.occurred_at,
    })
}
