//! Small numbers for identifiers.

use std::collections::HashMap;
use std::hash::Hash;

/// Gives each distinct key a small number, in the order of first appearance.
#[derive(Debug, Clone)]
pub struct Interner<K> {
    numbers: HashMap<K, u32>,
    keys: Vec<K>,
}

impl<K> Default for Interner<K> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            keys: Vec::new(),
        }
    }
}

impl<K: Copy + Eq + Hash + Ord> Interner<K> {
    /// The number of a key, and whether it is new. `None` when there are more than `u32::MAX` keys.
    pub fn intern(&mut self, key: K) -> Option<(u32, bool)> {
        if let Some(&number) = self.numbers.get(&key) {
            return Some((number, false));
        }
        let number = u32::try_from(self.keys.len()).ok()?;
        self.numbers.insert(key, number);
        self.keys.push(key);
        Some((number, true))
    }

    /// The number of a key that was interned.
    pub fn get(&self, key: &K) -> Option<u32> {
        self.numbers.get(key).copied()
    }

    /// How many distinct keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key yet.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Bytes to charge for one new key.
    pub const fn bytes_per_key() -> usize {
        // Map entry at its usual load, and the key once more in the list.
        2 * (size_of::<K>() + size_of::<u32>()) + size_of::<K>()
    }

    /// The keys in ascending order, and for each number its place among them.
    pub fn into_ranked(self) -> (Vec<K>, Vec<u32>) {
        let mut order: Vec<(K, u32)> = self.keys.into_iter().zip(0..).collect();
        order.sort_unstable();
        let mut ranks = vec![0; order.len()];
        for (rank, (_, number)) in (0..).zip(&order) {
            if let Some(place) = ranks.get_mut(*number as usize) {
                *place = rank;
            }
        }
        (order.into_iter().map(|(key, _)| key).collect(), ranks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_do_not_depend_on_the_order_of_arrival() {
        let mut interner = Interner::default();
        for key in ["c", "a", "b", "a"] {
            interner.intern(key);
        }
        assert_eq!(interner.get(&"b"), Some(2));
        let (keys, ranks) = interner.into_ranked();
        assert_eq!(keys, ["a", "b", "c"]);
        assert_eq!(ranks, [2, 0, 1]);
    }
}
