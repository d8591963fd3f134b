//! Sorting and counting on the way, with an eye on interruptions.

use std::cmp::Ordering;

use super::TrendError;
use crate::progress::Progress;

/// Slices up to this length are sorted between two polls.
const SORTED_AT_ONCE: usize = 1 << 17;

/// Blocks of this many elements are compared pair by pair.
const LEAF: usize = 8;

/// Sorts in place, asking now and then whether to go on.
pub(super) fn sort<T>(
    values: &mut [T],
    compare: &impl Fn(&T, &T) -> Ordering,
    progress: &mut impl Progress,
) -> Result<(), TrendError> {
    progress.poll()?;
    if values.len() <= SORTED_AT_ONCE {
        values.sort_unstable_by(compare);
        return Ok(());
    }
    let middle = values.len() / 2;
    let (low, _, high) = values.select_nth_unstable_by(middle, compare);
    sort(low, compare, progress)?;
    sort(high, compare, progress)
}

/// Told about every element of a permutation: the larger ones that stand before it, piece by piece.
pub(super) trait Inversions {
    /// `larger` stand before `element`; only when `inverted` are they larger than it.
    fn meet(&mut self, larger: &[u32], element: u32, inverted: bool);
}

/// Counts inversions.
#[derive(Default)]
pub(super) struct Count(pub(super) u64);

impl Inversions for Count {
    #[inline]
    fn meet(&mut self, larger: &[u32], _element: u32, inverted: bool) {
        self.0 += if inverted { larger.len() as u64 } else { 0 };
    }
}

/// Shows every inversion of a permutation of 0, 1, …, n − 1 to `inversions`, in O(n log n); destroys the permutation.
///
/// The elements are parted by their highest bit, keeping their order: those with the bit that came before one without it
/// are larger than it. Then each half by the next bit, and so on; short blocks pair by pair.
pub(super) fn each_inversion(
    permutation: &mut Vec<u32>,
    inversions: &mut impl Inversions,
    progress: &mut impl Progress,
) -> Result<(), TrendError> {
    let n = permutation.len();
    let mut parted = vec![0_u32; n];
    let mut half = n.next_power_of_two() / 2;
    while 2 * half > LEAF {
        let blocks = permutation
            .chunks(2 * half)
            .zip(parted.chunks_mut(2 * half));
        let mut since_poll = 0;
        for (block, places) in blocks {
            let (without, with) = places.split_at_mut(half.min(block.len()));
            let (mut zeros, mut ones) = (0, 0);
            for &element in block {
                let bit = element as usize & half != 0;
                inversions.meet(with.get(..ones).unwrap_or_default(), element, !bit);
                // Written to both: the wrong one is overwritten by the next element that belongs there.
                if let Some(place) = with.get_mut(ones) {
                    *place = element;
                }
                ones += usize::from(bit);
                if let Some(place) = without.get_mut(zeros) {
                    *place = element;
                }
                zeros += usize::from(!bit);
            }
            since_poll += block.len();
            if since_poll >= SORTED_AT_ONCE {
                since_poll = 0;
                progress.poll()?;
            }
        }
        std::mem::swap(permutation, &mut parted);
        progress.poll()?;
        half /= 2;
    }
    for block in permutation.chunks(LEAF) {
        for (index, &element) in block.iter().enumerate() {
            for earlier in block.get(..index).unwrap_or_default() {
                inversions.meet(std::slice::from_ref(earlier), element, *earlier > element);
            }
        }
    }
    progress.poll()?;
    Ok(())
}

/// The rank of each value from 0, equal values in the order in which they stand, and Σ over groups of equal values by
/// means of `ties`.
pub(super) fn ranks(
    values: &[f64],
    mut ties: impl FnMut(&[(f64, u32)]),
    progress: &mut impl Progress,
) -> Result<Vec<u32>, TrendError> {
    let mut keys: Vec<(f64, u32)> = values
        .iter()
        .map(|value| value + 0.0)
        .zip(0_u32..)
        .collect();
    sort(
        &mut keys,
        &|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)),
        progress,
    )?;
    for group in keys.chunk_by(|a, b| a.0 == b.0) {
        ties(group);
    }
    Ok(inverse(keys.iter().map(|key| key.1)))
}

/// Where each of 0, 1, …, n − 1 stands in a permutation of them.
pub(super) fn inverse(permutation: impl ExactSizeIterator<Item = u32>) -> Vec<u32> {
    let mut places = vec![0_u32; permutation.len()];
    for (place, element) in (0_u32..).zip(permutation) {
        if let Some(slot) = places.get_mut(element as usize) {
            *slot = place;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;
    use proptest::prelude::*;

    /// Collects pairs (larger, element).
    #[derive(Default)]
    struct Collect(Vec<(u32, u32)>);

    impl Inversions for Collect {
        fn meet(&mut self, larger: &[u32], element: u32, inverted: bool) {
            if inverted {
                self.0.extend(larger.iter().map(|&l| (l, element)));
            }
        }
    }

    proptest! {
        #[test]
        fn each_inversion_is_met_once(values in prop::collection::vec(-20_i8..20, 0..200)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let permutation = ranks(&values, |_| {}, &mut Uninterruptible).unwrap();
            let mut expected = Vec::new();
            for (place, &element) in permutation.iter().enumerate() {
                for &earlier in &permutation[..place] {
                    if earlier > element {
                        expected.push((earlier, element));
                    }
                }
            }
            let (mut collect, mut count) = (Collect::default(), Count::default());
            each_inversion(&mut permutation.clone(), &mut count, &mut Uninterruptible).unwrap();
            each_inversion(&mut permutation.clone(), &mut collect, &mut Uninterruptible).unwrap();
            expected.sort_unstable();
            collect.0.sort_unstable();
            prop_assert_eq!(count.0 as usize, expected.len());
            prop_assert_eq!(collect.0, expected);
        }
    }

    #[test]
    fn long_slices_are_sorted_between_polls() {
        struct Polls(usize);
        impl Progress for Polls {
            fn poll(&mut self) -> Result<(), crate::progress::Interrupted> {
                self.0 += 1;
                Ok(())
            }
        }
        let mut values: Vec<u32> = (0..1 << 20)
            .map(|i: u32| i.wrapping_mul(2_654_435_761))
            .collect();
        let mut polls = Polls(0);
        sort(&mut values, &u32::cmp, &mut polls).unwrap();
        assert!(values.is_sorted());
        assert!(polls.0 >= 8, "{}", polls.0);
    }
}
