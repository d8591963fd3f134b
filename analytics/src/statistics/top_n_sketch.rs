//! The most frequent values of any number of values, in bounded memory, with bounds for their counts.
//!
//! A mergeable form of space-saving (Metwally, Agrawal and El Abbadi, 2005) and of its twin, the counters of Misra and Gries
//! (1982), as Agarwal, Cormode, Huang, Phillips, Wei and Yi describe it ("Mergeable summaries", 2012). Each kept value has
//! the number of times it was `seen` since it was last let in, and how often it may have been `missed` before. When twice
//! [`TopNSketch::capacity`] values are kept and another comes, as much is subtracted from all as leaves `capacity` of them,
//! so that a row costs constant time on average (Anderson et al., "A high-performance algorithm for identifying frequent
//! items in data streams", 2017).
//!
//! What is subtracted at once is taken from more than `capacity` values together, hence a value that is not kept has at most
//! `total / (capacity + 1)` rows. Merging adds counts and subtracts in the same way, and keeps the bound for any merge tree.
//! No step depends on the order in which a map holds its values. While no more than twice `capacity` values are different,
//! nothing is subtracted: then all counts are exact and the sketch depends on the multiset of values alone.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::hash::TextHasher;
use super::sketch_error::SketchError;
use crate::budget::BudgetExceeded;

mod codec;

/// The largest n.
const LARGEST_N: i32 = 10_000;

/// Counters per row of the answer that are never given up.
const CAPACITY_PER_ROW: usize = 16;

/// Counts beyond this are not exact as doubles.
const LARGEST_TOTAL: u64 = 1 << 53;

/// So many bytes of kept text at most, whatever the caller allows: the sketch must fit into one stored value.
const LARGEST_TEXT: usize = 256 << 20;

/// What a kept value costs beside its text.
const COUNTER_BYTES: usize = 64;

/// A mergeable sketch of the most frequent texts.
#[derive(Debug, Clone)]
pub struct TopNSketch {
    n: u32,
    /// How many values were added.
    total: u64,
    /// No value that is not kept was added more often.
    absent: u64,
    /// Of all kept values together, with [`COUNTER_BYTES`] each.
    bytes: usize,
    counters: HashMap<Box<str>, Counter, BuildHasherDefault<TextHasher>>,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    /// Since the value was last let in.
    seen: u64,
    /// At most before that.
    missed: u64,
}

/// A value of the answer: its true count lies between `count - error` and `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frequent<'a> {
    /// The value.
    pub value: &'a str,
    /// At most so many rows have it.
    pub count: u64,
    /// By so much the count may be too large.
    pub error: u64,
}

/// The same values with the same counts and bounds.
impl PartialEq for TopNSketch {
    fn eq(&self, other: &Self) -> bool {
        use crate::codec::Codec;
        self.encode() == other.encode()
    }
}

impl TopNSketch {
    /// An empty sketch for the `n` most frequent values.
    ///
    /// # Errors
    /// [`SketchError::TopN`] unless `1 <= n <= 10000`.
    pub fn new(n: i32) -> Result<Self, SketchError> {
        match u32::try_from(n) {
            Ok(checked @ 1..) if n <= LARGEST_N => Ok(Self {
                n: checked,
                total: 0,
                absent: 0,
                bytes: 0,
                counters: HashMap::default(),
            }),
            _ => Err(SketchError::TopN(n)),
        }
    }

    /// How many rows [`TopNSketch::top`] has at most; only sketches that share it can be merged.
    #[must_use]
    pub const fn n(&self) -> u32 {
        self.n
    }

    /// How many values were added.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Every value with more than `total / capacity` rows is kept: `16 n`.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.n as usize * CAPACITY_PER_ROW
    }

    /// No value that is not kept was added more often than this; at most `total / (capacity + 1)`.
    #[must_use]
    pub const fn largest_absent(&self) -> u64 {
        self.absent
    }

    /// Adds one value.
    ///
    /// # Errors
    /// [`SketchError::Budget`] when the kept texts would take more than `max_bytes`; [`SketchError::Overflow`] when the
    /// total passes 2^53.
    #[inline]
    pub fn push(&mut self, value: &str, max_bytes: usize) -> Result<(), SketchError> {
        self.count_up(1)?;
        if let Some(counter) = self.counters.get_mut(value) {
            counter.seen += 1;
            return Ok(());
        }
        self.let_in(value, max_bytes)
    }

    fn let_in(&mut self, value: &str, max_bytes: usize) -> Result<(), SketchError> {
        if self.counters.len() >= 2 * self.capacity() {
            self.shrink();
        }
        self.bytes += value.len() + COUNTER_BYTES;
        self.check_bytes(max_bytes)?;
        let counter = Counter {
            seen: 1,
            missed: self.absent,
        };
        self.counters.insert(value.into(), counter);
        Ok(())
    }

    fn count_up(&mut self, count: u64) -> Result<(), SketchError> {
        self.total = self
            .total
            .checked_add(count)
            .filter(|&total| total <= LARGEST_TOTAL)
            .ok_or(SketchError::Overflow("the count of a top_n_sketch"))?;
        Ok(())
    }

    fn check_bytes(&self, max_bytes: usize) -> Result<(), SketchError> {
        let limit = max_bytes.min(LARGEST_TEXT);
        if self.bytes > limit {
            return Err(BudgetExceeded { limit }.into());
        }
        Ok(())
    }

    /// Subtracts what leaves `capacity` values at most.
    fn shrink(&mut self) {
        let capacity = self.capacity();
        // What a counter stands above the bound for absent values; at least 1.
        let mut above: Vec<u64> = self
            .counters
            .values()
            .map(|counter| counter.seen + counter.missed - self.absent)
            .collect();
        if above.len() <= capacity {
            return;
        }
        let (_, largest_to_go, _) =
            above.select_nth_unstable_by(capacity, |one, other| other.cmp(one));
        self.absent += *largest_to_go;
        let (absent, mut bytes) = (self.absent, 0);
        self.counters.retain(|value, counter| {
            let stays = counter.seen + counter.missed > absent;
            bytes += if stays {
                value.len() + COUNTER_BYTES
            } else {
                0
            };
            stays
        });
        self.bytes = bytes;
    }

    /// Adds all values of another sketch.
    ///
    /// # Errors
    /// [`SketchError::TopNMismatch`] when the sketches were made with different n; [`SketchError::Budget`] and
    /// [`SketchError::Overflow`] as [`TopNSketch::push`].
    pub fn merge(&mut self, other: &Self, max_bytes: usize) -> Result<(), SketchError> {
        if self.n != other.n {
            return Err(SketchError::TopNMismatch {
                left: self.n,
                right: other.n,
            });
        }
        self.count_up(other.total)?;
        if other.absent > 0 {
            for (value, counter) in &mut self.counters {
                if !other.counters.contains_key(value) {
                    counter.missed += other.absent;
                }
            }
        }
        for (value, theirs) in &other.counters {
            if let Some(counter) = self.counters.get_mut(value) {
                counter.seen += theirs.seen;
                counter.missed += theirs.missed;
            } else {
                let counter = Counter {
                    seen: theirs.seen,
                    missed: theirs.missed + self.absent,
                };
                self.counters.insert(value.clone(), counter);
                self.bytes += value.len() + COUNTER_BYTES;
            }
        }
        self.absent += other.absent;
        if self.counters.len() > 2 * self.capacity() {
            self.shrink();
        }
        self.check_bytes(max_bytes)
    }

    /// The most frequent values, at most `n`: by descending count, then by ascending error, then by value.
    #[must_use]
    pub fn top(&self) -> Vec<Frequent<'_>> {
        let mut kept: Vec<Frequent<'_>> = self
            .counters
            .iter()
            .map(|(value, counter)| Frequent {
                value,
                count: counter.seen + counter.missed,
                error: counter.missed,
            })
            .collect();
        kept.sort_unstable_by(|one, other| {
            (other.count, one.error, one.value).cmp(&(one.count, other.error, other.value))
        });
        kept.truncate(self.n as usize);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMPLE: usize = 1 << 26;

    #[test]
    fn few_values_are_counted_exactly() {
        let mut sketch = TopNSketch::new(2).unwrap();
        for value in ["grill", "salad", "grill", "bar", "salad", "grill", ""] {
            sketch.push(value, AMPLE).unwrap();
        }
        let top = sketch.top();
        let expected = [("grill", 3), ("salad", 2)];
        assert!(top.iter().map(|row| (row.value, row.count)).eq(expected));
        assert!(top.iter().all(|row| row.error == 0));
        assert_eq!((sketch.total(), sketch.largest_absent()), (7, 0));
        assert!(TopNSketch::new(1).unwrap().top().is_empty());
    }

    #[test]
    fn a_stream_without_frequent_values_says_so() {
        let mut sketch = TopNSketch::new(1).unwrap();
        for value in 0..100_000 {
            sketch.push(&value.to_string(), AMPLE).unwrap();
        }
        assert!(sketch.largest_absent() > 0);
        assert!(sketch.largest_absent() <= 100_000 / 17);
        for row in sketch.top() {
            assert!(row.count - row.error <= 1, "{row:?}");
        }
    }

    #[test]
    fn a_frequent_value_survives_any_flood() {
        let mut sketch = TopNSketch::new(1).unwrap();
        for value in 0..50_000 {
            sketch.push(&value.to_string(), AMPLE).unwrap();
        }
        // Six per cent of the rows, nothing of it before.
        for value in 0..6_400 {
            sketch.push(&format!("late {value}"), AMPLE).unwrap();
            sketch.push("frequent", AMPLE).unwrap();
        }
        let top = sketch.top();
        let row = top.first().unwrap();
        assert_eq!(row.value, "frequent");
        assert!(
            row.count >= 6_400 && row.count - row.error <= 6_400,
            "{row:?}"
        );
    }

    #[test]
    fn arguments_are_checked() {
        for bad in [i32::MIN, -1, 0, 10_001, i32::MAX] {
            assert_eq!(TopNSketch::new(bad).err(), Some(SketchError::TopN(bad)));
        }
        let mut two = TopNSketch::new(2).unwrap();
        assert_eq!(
            two.merge(&TopNSketch::new(3).unwrap(), AMPLE),
            Err(SketchError::TopNMismatch { left: 2, right: 3 })
        );
    }

    #[test]
    fn long_texts_end_in_an_error() {
        let mut sketch = TopNSketch::new(1).unwrap();
        sketch.push(&"x".repeat(900), 1000).unwrap();
        sketch.push(&"x".repeat(900), 1000).unwrap();
        assert_eq!(
            sketch.push("another", 1000),
            Err(SketchError::Budget(BudgetExceeded { limit: 1000 }))
        );
        let mut one = TopNSketch::new(1).unwrap();
        one.push(&"y".repeat(900), 1000).unwrap();
        let mut other = TopNSketch::new(1).unwrap();
        other.push(&"z".repeat(900), 1000).unwrap();
        assert!(matches!(
            one.merge(&other, 1000),
            Err(SketchError::Budget(_))
        ));
    }

    #[test]
    fn memory_is_given_back_when_values_go() {
        let mut sketch = TopNSketch::new(1).unwrap();
        for value in 0..10_000 {
            sketch.push(&format!("{value:0>1000}"), 40_000).unwrap();
        }
        assert!(sketch.bytes <= 33 * 1064);
    }
}
