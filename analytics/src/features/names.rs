//! Registered feature names and what was probably meant.

use std::collections::HashMap;

use super::{Entity, FeatureError, Measure};

/// A registered feature: what to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// What is measured.
    pub measure: Measure,
    /// The length of the window in microseconds; `None` for a windowless measure.
    pub length: Option<i64>,
}

/// The features of one entity by name.
#[derive(Debug, Clone)]
pub struct Registry {
    entity: Entity,
    features: HashMap<String, Feature>,
}

impl Registry {
    /// An empty registry for one entity.
    #[must_use]
    pub fn new(entity: Entity) -> Self {
        Self {
            entity,
            features: HashMap::new(),
        }
    }

    /// Adds a registered name (`sop.completions:30d`; the entity prefix is optional) for a measure and a window.
    ///
    /// What cannot be computed is not added: an unknown measure, one that the entity does not have, a window that is
    /// missing, not positive, or too many. A later entry of one name replaces the earlier.
    pub fn add(&mut self, name: &str, measure: &str, length: Option<i64>) {
        let Some(measure) = Measure::parse(measure) else {
            return;
        };
        let length_fits = match length {
            None => measure.is_windowless(),
            Some(length) => length > 0 && !measure.is_windowless(),
        };
        if length_fits && measure.applies_to(self.entity) {
            let name = self.bare(name).to_owned();
            self.features.insert(name, Feature { measure, length });
        }
    }

    /// Finds the features asked for, in order.
    ///
    /// # Errors
    /// [`FeatureError::Unknown`] for the first name that is not registered, with the nearest that are.
    pub fn resolve<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Feature>, FeatureError> {
        names
            .into_iter()
            .map(|name| {
                self.features
                    .get(self.bare(name))
                    .copied()
                    .ok_or_else(|| FeatureError::Unknown {
                        name: name.to_owned(),
                        entity: self.entity.name(),
                        nearest: self.nearest(name),
                    })
            })
            .collect()
    }

    fn bare<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.entity.name())
            .and_then(|rest| rest.strip_prefix('.'))
            .unwrap_or(name)
    }

    /// Up to three names with the smallest edit distance; ties in alphabetical order.
    fn nearest(&self, name: &str) -> Vec<String> {
        // Longer than any name that could be meant: comparing more would only cost time.
        let asked: Vec<char> = self.bare(name).chars().take(200).collect();
        let mut names: Vec<(usize, &String)> = self
            .features
            .keys()
            .map(|known| (edit_distance(&asked, known), known))
            .collect();
        names.sort_unstable();
        names
            .into_iter()
            .take(3)
            .map(|(_, name)| name.clone())
            .collect()
    }
}

/// Levenshtein's distance: the fewest insertions, deletions and replacements of one character.
fn edit_distance(a: &[char], b: &str) -> usize {
    // distances[i] is the distance between the first i letters of `a` and the letters of `b` seen so far.
    let mut distances: Vec<usize> = (0..=a.len()).collect();
    for letter in b.chars() {
        let mut cells = distances.iter_mut();
        let Some(first) = cells.next() else { break };
        let mut diagonal = *first;
        *first += 1;
        let mut left = *first;
        for (cell, other) in cells.zip(a) {
            let above = *cell;
            left = (diagonal + usize::from(*other != letter))
                .min(above + 1)
                .min(left + 1);
            diagonal = above;
            *cell = left;
        }
    }
    distances.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::DAY;

    fn distance(a: &str, b: &str) -> usize {
        edit_distance(&a.chars().collect::<Vec<_>>(), b)
    }

    #[test]
    fn edit_distances_of_textbooks() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("saturday", "sunday"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("ครัว", "ครัว"), 0);
    }

    #[test]
    fn resolves_in_order_with_and_without_prefix_and_names_the_nearest() {
        let mut registry = Registry::new(Entity::Sop);
        registry.add("sop.completions:7d", "completions", Some(7 * DAY));
        registry.add("sop.completions:30d", "completions", Some(30 * DAY));
        registry.add("sop.views:7d", "views", Some(7 * DAY));
        let found = registry
            .resolve(["views:7d", "sop.completions:30d", "views:7d"])
            .unwrap();
        assert_eq!(found[0], found[2]);
        assert_eq!(found[1].length, Some(30 * DAY));
        let Err(FeatureError::Unknown { name, nearest, .. }) =
            registry.resolve(["views:7d", "completion:7d"])
        else {
            panic!("an unknown name was accepted")
        };
        assert_eq!(name, "completion:7d");
        assert_eq!(nearest[0], "completions:7d");
    }

    #[test]
    fn what_cannot_be_computed_is_not_registered() {
        let mut registry = Registry::new(Entity::User);
        registry.add("user.compliance_mean:7d", "compliance_mean", Some(7 * DAY));
        registry.add("user.views:0d", "views", Some(0));
        registry.add("user.views", "views", None);
        registry.add("user.skill_level:7d", "skill_level", Some(7 * DAY));
        registry.add("user.ndvi:7d", "ndvi", Some(7 * DAY));
        assert!(registry.features.is_empty());
    }
}
