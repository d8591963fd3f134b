//! Counts by bucket number, sparse over a wide range and dense within it.

/// A window is at most so wide; counts further apart lie in pages.
const WIDEST_WINDOW: i32 = 4096;

/// Buckets per page: neighbours in value are neighbours in memory.
const PAGE: i32 = 64;

/// Counts of buckets: values of one kind lie near each other, so that one array holds them all.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    /// The number of the first bucket of the window.
    first: i32,
    /// How many buckets are not empty.
    used: u32,
    /// Small counts, near each other: half the memory, and half the cache misses of many groups.
    window: Vec<u32>,
    /// Everything, once the window cannot hold it.
    pages: Pages,
}

impl Store {
    /// How many buckets are not empty.
    pub(super) fn used(&self) -> usize {
        self.used as usize
    }

    /// Adds one to a bucket and says whether it was empty.
    #[inline]
    pub(super) fn add_one(&mut self, index: i32) -> bool {
        let offset = index.wrapping_sub(self.first).cast_unsigned() as usize;
        if let Some(cell) = self.window.get_mut(offset)
            && let Some(more) = cell.checked_add(1)
        {
            *cell = more;
            let was_empty = more == 1;
            self.used += u32::from(was_empty);
            return was_empty;
        }
        self.add(index, 1)
    }

    /// Adds to a bucket and says whether it was empty. The caller keeps the sum of all counts within u64.
    pub(super) fn add(&mut self, index: i32, count: u64) -> bool {
        let was_empty = match self.cell(index) {
            Some(cell) => match u64::from(*cell)
                .checked_add(count)
                .and_then(|more| u32::try_from(more).ok())
            {
                Some(more) => {
                    let was_empty = *cell == 0 && more > 0;
                    *cell = more;
                    was_empty
                }
                None => {
                    self.use_pages();
                    self.pages.add(index, count)
                }
            },
            None => {
                self.use_pages();
                self.pages.add(index, count)
            }
        };
        self.used += u32::from(was_empty);
        was_empty
    }

    /// The place in the window, which is made to reach as far as it can.
    fn cell(&mut self, index: i32) -> Option<&mut u32> {
        if !self.pages.0.is_empty() {
            return None;
        }
        let end = self.first + self.window.len() as i32;
        if self.window.is_empty() || index < self.first || index >= end {
            self.widen(index)?;
        }
        let offset = usize::try_from(index - self.first).ok()?;
        self.window.get_mut(offset)
    }

    /// Moves an end of the window past `index`, with some room to spare.
    #[cold]
    fn widen(&mut self, index: i32) -> Option<()> {
        let length = self.window.len() as i32;
        let (first, end) = match length {
            0 => (index, index + 1),
            _ => (self.first.min(index), (self.first + length).max(index + 1)),
        };
        if end - first > WIDEST_WINDOW {
            return None;
        }
        let room = (8 + length / 4).min(WIDEST_WINDOW - (end - first));
        let (first, end) = match length {
            0 => (first - room / 2, end + room / 2),
            _ if index < self.first => (first - room, end),
            _ => (first, end + room),
        };
        let before = if length == 0 { 0 } else { self.first - first };
        let mut window = vec![0; usize::try_from(end - first).ok()?];
        for (new, old) in window
            .iter_mut()
            .skip(usize::try_from(before).ok()?)
            .zip(&self.window)
        {
            *new = *old;
        }
        self.first = first;
        self.window = window;
        Some(())
    }

    #[cold]
    fn use_pages(&mut self) {
        for (&count, index) in self.window.iter().zip(self.first..) {
            if count > 0 {
                self.pages.add(index, u64::from(count));
            }
        }
        self.window = Vec::new();
    }

    /// The buckets that are not empty, by ascending number.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> + '_ {
        let window = self
            .window
            .iter()
            .enumerate()
            .map(|(offset, &count)| (self.first + offset as i32, u64::from(count)));
        let pages = self.pages.0.iter().flat_map(|page| {
            let first = page.number * PAGE;
            page.counts
                .iter()
                .enumerate()
                .map(move |(slot, &count)| (first + slot as i32, count))
        });
        window.chain(pages).filter(|(_, count)| *count > 0)
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

/// Counts in pages of [`PAGE`], allocated when first used, by ascending number.
#[derive(Debug, Clone, Default)]
struct Pages(Vec<Page>);

#[derive(Debug, Clone)]
struct Page {
    number: i32,
    counts: Box<[u64; PAGE as usize]>,
}

impl Pages {
    /// Whether the bucket was empty.
    fn add(&mut self, index: i32, count: u64) -> bool {
        let number = index.div_euclid(PAGE);
        let at = match self.0.binary_search_by_key(&number, |page| page.number) {
            Ok(at) => at,
            Err(at) => {
                let counts = Box::new([0; PAGE as usize]);
                self.0.insert(at, Page { number, counts });
                at
            }
        };
        let slot = index.rem_euclid(PAGE) as usize;
        let cell = self
            .0
            .get_mut(at)
            .and_then(|page| page.counts.get_mut(slot));
        cell.is_some_and(|cell| {
            let was_empty = *cell == 0 && count > 0;
            *cell += count;
            was_empty
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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

    #[test]
    fn windows_grow_at_both_ends_and_become_pages() {
        for (reach, count) in [(30, 1), (2000, 1), (5000, 1), (100, u64::from(u32::MAX))] {
            let mut store = Store::default();
            let mut expected = BTreeMap::new();
            for step in 0..3 * reach {
                let index = (step * 7919) % (2 * reach + 1) - reach;
                let was_empty = if count == 1 {
                    store.add_one(index)
                } else {
                    store.add(index, count)
                };
                assert_eq!(was_empty, !expected.contains_key(&index));
                *expected.entry(index).or_insert(0) += count;
            }
            assert_eq!(store.used(), expected.len());
            assert!(store.iter().eq(expected.clone()));
            assert!(store.iter().rev().eq(expected.into_iter().rev()));
        }
    }

    #[test]
    fn a_count_outgrows_the_window() {
        let mut store = Store::default();
        store.add(3, u64::from(u32::MAX));
        assert!(!store.add_one(3));
        assert!(store.add_one(4));
        assert!(store.iter().eq([(3, 1 << 32), (4, 1)]));
        assert_eq!(store.used(), 2);
    }
}
