//! The sparse form in memory: a small table with open addressing.

/// Slots of the first table; a power of two.
const FIRST_SLOTS: usize = 16;

/// A set of tokens with one token an index, the one of the highest rank.
#[derive(Debug, Clone, Default)]
pub(super) struct Tokens {
    /// Empty or a power of two; 0 marks a free slot, because no rank is 0.
    slots: Vec<u32>,
    used: usize,
}

impl Tokens {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            used: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.used
    }

    /// In no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.slots.iter().copied().filter(|&token| token != 0)
    }

    /// In ascending order.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let mut tokens: Vec<u32> = self.iter().collect();
        tokens.sort_unstable();
        tokens
    }

    #[inline]
    pub(super) fn insert(&mut self, token: u32) {
        // Three quarters at most are used.
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        if place(&mut self.slots, token) {
            self.used += 1;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let more = (self.slots.len() * 2).max(FIRST_SLOTS);
        let old = std::mem::replace(&mut self.slots, vec![0; more]);
        for token in old.into_iter().filter(|&token| token != 0) {
            place(&mut self.slots, token);
        }
    }
}

/// Whether the index is new. The table must have a free slot.
#[inline]
fn place(slots: &mut [u32], token: u32) -> bool {
    let mask = slots.len().wrapping_sub(1);
    // Tokens come sorted out of storage: multiplying scatters neighbours.
    let mut at = ((token >> 6).wrapping_mul(0x9E37_79B1) >> 6) as usize & mask;
    while let Some(slot) = slots.get_mut(at) {
        if *slot == 0 {
            *slot = token;
            return true;
        }
        if *slot >> 6 == token >> 6 {
            *slot = token.max(*slot);
            return false;
        }
        at = (at + 1) & mask;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_rank_of_an_index_stays() {
        let mut tokens = Tokens::new();
        for (index, rank) in [(7, 3), (7, 5), (7, 4), (0, 1), ((1 << 26) - 1, 39)] {
            tokens.insert((index << 6) | rank);
        }
        assert_eq!(tokens.len(), 3);
        assert_eq!(
            tokens.sorted(),
            [1, (7 << 6) | 5, (((1 << 26) - 1) << 6) | 39]
        );
    }

    #[test]
    fn many_neighbours_find_room() {
        let mut tokens = Tokens::new();
        for index in (0..12_000_u32).rev().chain(0..12_000) {
            tokens.insert((index << 6) | 2);
        }
        assert_eq!(tokens.len(), 12_000);
        assert!(
            tokens
                .sorted()
                .into_iter()
                .eq((0..12_000).map(|index| (index << 6) | 2))
        );
    }
}
