//! Counts of categories: exact up to a capacity, with a guarantee and an explicit rest beyond.

use std::collections::BTreeMap;

use super::checked_total;
use crate::statistics::error::StatisticsError;

/// So many categories are counted exactly.
pub const CAPACITY: usize = 1000;

/// Longer texts are told apart by so many characters at their beginning.
pub const LONGEST_CATEGORY: usize = 200;

/// The distribution of a column of texts.
///
/// Up to [`CAPACITY`] different texts are counted exactly. When one more comes, each of the others and the new one give
/// one row to the rest, and categories without a row leave (Misra and Gries, "Finding repeated elements", 1982); merged
/// profiles give the rest what the largest category beyond the capacity has (Agarwal et al., "Mergeable summaries",
/// 2012). Each such step takes at least `CAPACITY + 1` rows for one row of a category, so that, in whatever order rows and
/// profiles meet,
/// - counts and rest always add up to the number of values,
/// - a count is never too high and too low by at most [`CategoryProfile::error_bound`], rest / (`CAPACITY` + 1), and
/// - every category with more rows than that bound is there.
#[derive(Debug, Clone, Default)]
pub struct CategoryProfile {
    pub(super) nulls: u64,
    pub(super) rest: u64,
    pub(super) counts: BTreeMap<String, u64>,
    /// The sum of counts and rest.
    pub(super) values: u64,
}

/// The part of a text that tells its category.
fn beginning(text: &str) -> &str {
    if text.len() <= LONGEST_CATEGORY {
        return text;
    }
    match text.char_indices().nth(LONGEST_CATEGORY) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

impl CategoryProfile {
    /// What this kind holds.
    pub const KIND: &'static str = "text";

    /// Adds a row.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] when the count passes 2^53.
    pub fn push(&mut self, value: Option<&str>) -> Result<(), StatisticsError> {
        checked_total(&[self.rows(), 1])?;
        let Some(text) = value else {
            self.nulls += 1;
            return Ok(());
        };
        self.values += 1;
        let name = beginning(text);
        if let Some(count) = self.counts.get_mut(name) {
            *count += 1;
        } else if self.counts.len() < CAPACITY {
            self.counts.insert(name.to_owned(), 1);
        } else {
            self.give_to_rest(1, 1);
        }
        Ok(())
    }

    /// Takes `each` rows from every category, and `more` rows that have none, to the rest.
    fn give_to_rest(&mut self, each: u64, more: u64) {
        let mut given = more;
        self.counts.retain(|_, count| {
            given += each.min(*count);
            *count = count.saturating_sub(each);
            *count > 0
        });
        self.rest += given;
    }

    /// Takes a row out again and reports whether that was possible: not when something was given to the rest.
    #[must_use]
    pub fn remove(&mut self, value: Option<&str>) -> bool {
        let Some(text) = value else {
            let some = self.nulls > 0;
            self.nulls -= u64::from(some);
            return some;
        };
        let name = beginning(text);
        let (true, Some(count)) = (self.rest == 0, self.counts.get_mut(name)) else {
            return false;
        };
        *count -= 1;
        self.values -= 1;
        if *count == 0 {
            self.counts.remove(name);
        }
        true
    }

    /// Adds all rows of another profile.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] when the count passes 2^53.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatisticsError> {
        checked_total(&[self.rows(), other.rows()])?;
        self.nulls += other.nulls;
        self.rest += other.rest;
        self.values += other.values;
        for (name, count) in &other.counts {
            if let Some(own) = self.counts.get_mut(name) {
                *own += count;
            } else {
                self.counts.insert(name.clone(), *count);
            }
        }
        if self.counts.len() > CAPACITY {
            let mut counts: Vec<u64> = self.counts.values().copied().collect();
            counts.sort_unstable();
            if let Some(&largest_beyond) = counts.iter().rev().nth(CAPACITY) {
                self.give_to_rest(largest_beyond, 0);
            }
        }
        Ok(())
    }

    /// How many rows, NULLs among them.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.nulls + self.values
    }

    /// How many rows were NULL.
    #[must_use]
    pub const fn nulls(&self) -> u64 {
        self.nulls
    }

    /// How many rows were not NULL.
    #[must_use]
    pub const fn values(&self) -> u64 {
        self.values
    }

    /// How many values are in no category; 0 while all counts are exact.
    #[must_use]
    pub const fn rest(&self) -> u64 {
        self.rest
    }

    /// How many values each category may have beyond its count.
    #[must_use]
    pub const fn error_bound(&self) -> u64 {
        self.rest / (CAPACITY as u64 + 1)
    }

    /// The categories by name.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// The categories from the most frequent to the least, equally frequent ones by name.
    #[must_use]
    pub fn ranked(&self) -> Vec<(&str, u64)> {
        let mut ranked: Vec<(&str, u64)> = self
            .counts
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .collect();
        ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        ranked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile<'a>(values: impl IntoIterator<Item = &'a str>) -> CategoryProfile {
        let mut profile = CategoryProfile::default();
        for value in values {
            profile.push(Some(value)).unwrap();
        }
        profile
    }

    #[test]
    fn up_to_the_capacity_everything_is_exact() {
        let names: Vec<String> = (0..CAPACITY).map(|i| format!("c{i}")).collect();
        let full = profile(names.iter().chain(&names).map(String::as_str));
        assert_eq!((full.rest(), full.error_bound()), (0, 0));
        assert!(full.counts().values().all(|count| *count == 2));
        let mut one_more = full.clone();
        one_more.push(Some("new")).unwrap();
        assert_eq!(one_more.rest(), CAPACITY as u64 + 1);
        assert_eq!(one_more.error_bound(), 1);
        assert!(one_more.counts().values().all(|count| *count == 1));
        assert_eq!(one_more.values(), full.values() + 1);
    }

    #[test]
    fn merging_beyond_the_capacity_keeps_the_frequent_ones() {
        let mut whole = CategoryProfile::default();
        for part in 0..5 {
            let mut values = vec!["often".to_owned(); 400];
            values.extend((0..900).map(|i| format!("{part}-{i}")));
            whole
                .merge(&profile(values.iter().map(String::as_str)))
                .unwrap();
        }
        assert_eq!(whole.values(), 5 * 1300);
        let often = whole.counts()["often"];
        assert!(often <= 2000 && often + whole.error_bound() >= 2000);
        assert!(whole.counts().len() <= CAPACITY);
        assert_eq!(
            whole.rest() + whole.counts().values().sum::<u64>(),
            whole.values()
        );
    }

    #[test]
    fn long_texts_are_told_apart_by_their_beginning() {
        let long = "ä".repeat(300);
        let found = profile([long.as_str(), &"ä".repeat(200), &"a".repeat(201), ""]);
        assert_eq!(found.counts().len(), 3);
        assert_eq!(found.counts()[&"ä".repeat(200)], 2);
        assert_eq!(found.counts()[""], 1);
    }

    #[test]
    fn rows_can_leave_while_all_is_exact() {
        let mut found = profile(["a", "b", "a"]);
        found.push(None).unwrap();
        assert!(found.remove(Some("a")) && found.remove(Some("b")) && found.remove(None));
        assert!(!found.remove(Some("b")) && !found.remove(None));
        assert_eq!(found.ranked(), [("a", 1)]);
        assert_eq!((found.rows(), found.values()), (1, 1));
        found.rest = 1001;
        assert!(!found.remove(Some("a")));
    }
}
