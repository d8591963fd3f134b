//! Weighted draws without replacement.

/// A set of items with integer weights that can be drawn in proportion to them, in logarithmic time (a Fenwick tree).
///
/// Integers make the draws exact: no rounding can change which item a random number selects.
#[derive(Debug, Clone)]
pub(super) struct WeightedSet {
    weights: Vec<u64>,
    /// `tree[i]` is the sum of the `lowest_bit(i + 1)` weights that end at `i`.
    tree: Vec<u64>,
    total: u64,
}

impl WeightedSet {
    pub(super) fn new(weights: Vec<u64>) -> Self {
        let mut set = Self {
            tree: vec![0; weights.len()],
            weights: vec![0; weights.len()],
            total: 0,
        };
        for (item, weight) in weights.into_iter().enumerate() {
            set.set(item, weight);
        }
        set
    }

    /// The sum of all weights: zero when there is nothing to draw.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// Changes a weight and returns the former; 0 removes the item. Unknown items have weight 0 and keep it.
    pub(super) fn set(&mut self, item: usize, weight: u64) -> u64 {
        let Some(place) = self.weights.get_mut(item) else {
            return 0;
        };
        let former = std::mem::replace(place, weight);
        self.total = self.total.wrapping_sub(former).wrapping_add(weight);
        let mut position = item + 1;
        while let Some(sum) = self.tree.get_mut(position - 1) {
            // Each sum stays a sum of weights: it cannot end below zero, whatever the order of the two steps.
            *sum = sum.wrapping_sub(former).wrapping_add(weight);
            position += position & position.wrapping_neg();
        }
        former
    }

    /// The item on which `point` in `0..total` falls.
    pub(super) fn at(&self, point: u64) -> usize {
        let mut remaining = point;
        let mut position = 0;
        let mut step = self.tree.len().checked_ilog2().map_or(0, |bits| 1 << bits);
        while step > 0 {
            if let Some(&sum) = self.tree.get(position + step - 1)
                && sum <= remaining
            {
                remaining -= sum;
                position += step;
            }
            step /= 2;
        }
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_point_falls_on_the_item_of_the_running_sum(
            weights in proptest::collection::vec(0_u64..5, 0..40),
            removed in proptest::collection::vec(0_usize..50, 0..10),
        ) {
            let mut set = WeightedSet::new(weights.clone());
            let mut left = weights;
            for item in removed {
                prop_assert_eq!(set.set(item, 0), left.get(item).copied().unwrap_or(0));
                if let Some(weight) = left.get_mut(item) {
                    *weight = 0;
                }
            }
            let expected: Vec<usize> = left
                .iter()
                .enumerate()
                .flat_map(|(item, weight)| std::iter::repeat_n(item, *weight as usize))
                .collect();
            prop_assert_eq!(set.total(), expected.len() as u64);
            for (point, item) in expected.into_iter().enumerate() {
                prop_assert_eq!(set.at(point as u64), item);
            }
        }
    }
}
