//! Counts by bucket number, sparse over a wide range and dense within it.

/// Buckets per page: neighbours in value are neighbours in memory.
const PAGE: i32 = 64;

/// Counts of buckets in pages of [`PAGE`], allocated when first used.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    pages: Vec<Page>,
    used: usize,
    /// Where the last page was: the next value is often near.
    last: usize,
}

#[derive(Debug, Clone)]
struct Page {
    number: i32,
    counts: Box<[u64; PAGE as usize]>,
}

impl Store {
    /// How many buckets are not empty.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Adds to a bucket. The caller keeps the sum of all counts within u64.
    pub(super) fn add(&mut self, index: i32, count: u64) {
        let number = index.div_euclid(PAGE);
        if self.pages.get(self.last).map(|page| page.number) != Some(number) {
            self.last = self.find_or_insert(number);
        }
        let slot = index.rem_euclid(PAGE) as usize;
        let cell = self
            .pages
            .get_mut(self.last)
            .and_then(|page| page.counts.get_mut(slot));
        if let Some(cell) = cell {
            self.used += usize::from(*cell == 0 && count > 0);
            *cell += count;
        }
    }

    fn find_or_insert(&mut self, number: i32) -> usize {
        match self.pages.binary_search_by_key(&number, |page| page.number) {
            Ok(at) => at,
            Err(at) => {
                let counts = Box::new([0; PAGE as usize]);
                self.pages.insert(at, Page { number, counts });
                at
            }
        }
    }

    /// The buckets that are not empty, by ascending number.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> + '_ {
        self.pages.iter().flat_map(|page| {
            let first = page.number * PAGE;
            page.counts
                .iter()
                .enumerate()
                .filter(|(_, count)| **count > 0)
                .map(move |(slot, &count)| (first + slot as i32, count))
        })
    }

    /// The same counts with each bucket moved.
    pub(super) fn renumbered(&self, number: impl Fn(i32) -> i32) -> Self {
        let mut store = Self::default();
        for (index, count) in self.iter() {
            store.add(number(index), count);
        }
        store
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_come_back_in_order_also_below_zero() {
        let mut store = Store::default();
        for index in [5, -1, -64, -65, 64, 63, 5, 1000, -100_000] {
            store.add(index, 2);
        }
        let found: Vec<_> = store.iter().collect();
        assert_eq!(
            found,
            [
                (-100_000, 2),
                (-65, 2),
                (-64, 2),
                (-1, 2),
                (5, 4),
                (63, 2),
                (64, 2),
                (1000, 2)
            ]
        );
        assert_eq!(store.used(), 8);
        assert!(store.iter().rev().eq(found.into_iter().rev()));
        assert_eq!(
            store.renumbered(|_| 7).iter().collect::<Vec<_>>(),
            [(7, 18)]
        );
    }
}
