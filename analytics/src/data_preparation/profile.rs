//! What the columns of a data set look like.

use std::collections::BinaryHeap;

use serde::Serialize;

use super::digest::RowDigest;
use crate::features::window::quantile;

/// Up to this many rows quantiles are exact; beyond, they come from that many rows chosen by their digest.
pub const SAMPLE_ROWS: usize = 65_536;
/// The sample never holds more numbers than this, however many columns there are.
const SAMPLE_NUMBERS: usize = 4 * SAMPLE_ROWS;
/// The quantiles that a profile lists.
const QUANTILES: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// The description of one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnProfile {
    /// The column's name.
    pub column: String,
    /// How many values there are, without nulls.
    pub n: u64,
    /// How many values are missing (NULL or not finite).
    pub nulls: u64,
    /// The mean.
    pub mean: Option<f64>,
    /// The sample standard deviation; none for fewer than two values.
    pub stddev: Option<f64>,
    /// The smallest value.
    pub min: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
    /// Probabilities and quantiles (linear interpolation, type 7).
    pub quantiles: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Default)]
struct Moments {
    n: u64,
    nulls: u64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Moments {
    fn add(&mut self, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            self.nulls += 1;
            return;
        };
        self.n += 1;
        let from_mean = value - self.mean;
        self.mean += from_mean / self.n as f64;
        self.squares += from_mean * (value - self.mean);
        if self.n == 1 {
            (self.min, self.max) = (value, value);
        } else {
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
    }
}

/// Collects profiles in one pass and bounded memory.
///
/// The rows behind the quantiles are those with the smallest digests: a sample that depends on the data alone, not on
/// its order and not on a seed.
#[derive(Debug, Clone)]
pub struct Profiler {
    columns: Vec<(String, Moments)>,
    capacity: usize,
    sample: BinaryHeap<Sampled>,
}

#[derive(Debug, Clone)]
struct Sampled {
    digest: RowDigest,
    values: Box<[Option<f64>]>,
}

impl PartialEq for Sampled {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Sampled {}

impl PartialOrd for Sampled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sampled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.digest.cmp(&other.digest)
    }
}

impl Profiler {
    /// For columns of these names.
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = String>) -> Self {
        let columns: Vec<_> = columns
            .into_iter()
            .map(|name| (name, Moments::default()))
            .collect();
        Self {
            capacity: (SAMPLE_NUMBERS / columns.len().max(1)).min(SAMPLE_ROWS),
            columns,
            sample: BinaryHeap::new(),
        }
    }

    /// Adds a row: one value per column.
    pub fn add(&mut self, digest: RowDigest, values: &[Option<f64>]) {
        for ((_, moments), value) in self.columns.iter_mut().zip(values) {
            moments.add(*value);
        }
        if self.sample.len() >= self.capacity {
            match self.sample.peek() {
                Some(largest) if digest < largest.digest => self.sample.pop(),
                _ => return,
            };
        }
        self.sample.push(Sampled {
            digest,
            values: values.into(),
        });
    }

    /// The profiles, in column order.
    #[must_use]
    pub fn finish(self) -> Vec<ColumnProfile> {
        let Self {
            columns, sample, ..
        } = self;
        columns
            .into_iter()
            .enumerate()
            .map(|(index, (column, moments))| {
                let mut values: Vec<f64> = sample
                    .iter()
                    .filter_map(|row| row.values.get(index).copied().flatten())
                    .filter(|value| value.is_finite())
                    .collect();
                values.sort_unstable_by(f64::total_cmp);
                let present = moments.n > 0;
                ColumnProfile {
                    column,
                    n: moments.n,
                    nulls: moments.nulls,
                    mean: present.then_some(moments.mean),
                    stddev: (moments.n > 1)
                        .then(|| (moments.squares / (moments.n - 1) as f64).sqrt()),
                    min: present.then_some(moments.min),
                    max: present.then_some(moments.max),
                    quantiles: QUANTILES
                        .into_iter()
                        .filter_map(|probability| {
                            Some((probability, quantile(&values, probability)?))
                        })
                        .collect(),
                }
            })
            .collect()
    }
}
