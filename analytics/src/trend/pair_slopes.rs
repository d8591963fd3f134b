//! Order statistics of the slopes of all pairs of points, without looking at all pairs.
//!
//! A pair's slope is below θ when the line of slope θ through the earlier point passes above the later one: when the
//! residuals y − θx of the two stand in the wrong order. So the number of slopes below θ is the number of inversions of
//! the residuals, which sorting finds in O(n log n). A bracket [a, b) around a wanted rank is narrowed by drawing some
//! pairs whose slopes lie in it, with equal chance, and counting at two quantiles of the draw (Dillencourt, Mount and
//! Netanyahu 1992; Matoušek 1991): each round leaves about one pair in a hundred. What is left in the end is held in
//! memory and selected from. The draw decides how long that takes, never what comes out.

use std::ops::Range;

use super::TrendError;
use super::slope_search::{EFFORT, slopes_at};
use super::sorting::{Count, Inversions, each_inversion, inverse, sort};
use crate::progress::Progress;

/// Pairs up to this number are held in memory (16 MB).
pub(super) const HELD: u64 = 1 << 21;

/// Points in one or more groups; pairs are formed within groups.
#[derive(Debug, Clone, Copy)]
pub(super) struct PairSlopes<'a> {
    x: &'a [f64],
    y: &'a [f64],
    ends: &'a [usize],
}

/// A slope, how many are below it, and the order of the points by residual there.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) slope: f64,
    pub(super) below: u64,
    order: Option<Vec<u32>>,
}

impl Bound {
    /// A bound whose order is found when it is needed.
    pub(super) fn new(slope: f64, below: u64) -> Self {
        Self {
            slope,
            below,
            order: None,
        }
    }

    /// The same without the memory of its order.
    pub(super) fn without_order(&self) -> Self {
        Self::new(self.slope, self.below)
    }
}

impl<'a> PairSlopes<'a> {
    /// Points of which each group, up to the next of `ends`, is sorted by x, and by y where x repeats.
    pub(super) fn new(x: &'a [f64], y: &'a [f64], ends: &'a [usize]) -> Self {
        Self { x, y, ends }
    }

    fn groups(&self) -> impl Iterator<Item = Range<usize>> + 'a {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(self.ends.iter().copied())
            .map(|(start, end)| start..end)
    }

    fn point(&self, index: usize) -> (f64, f64) {
        let x = self.x.get(index).copied().unwrap_or_default();
        (x, self.y.get(index).copied().unwrap_or_default())
    }

    /// How many pairs of points at different x there are.
    pub(super) fn pairs(&self) -> u64 {
        let pairs = |count: usize| count as u64 * (count as u64).saturating_sub(1) / 2;
        self.groups()
            .map(|group| {
                let here = self.x.get(group).unwrap_or_default();
                let coincident: u64 = here
                    .chunk_by(|a, b| a == b)
                    .map(|run| pairs(run.len()))
                    .sum();
                pairs(here.len()) - coincident
            })
            .sum()
    }

    /// The slopes at ranks from 0, ascending, each below [`Self::pairs`].
    ///
    /// Rounded as dividing the differences rounds; among slopes that differ by no more than that, the one at a rank is
    /// any of them.
    pub(super) fn at_ranks<const K: usize>(
        &self,
        wanted: [u64; K],
        progress: &mut impl Progress,
    ) -> Result<[f64; K], TrendError> {
        let pairs = self.pairs();
        if pairs <= HELD {
            let mut slopes = self.every_slope(pairs, progress)?;
            return Ok(wanted.map(|rank| select(&mut slopes, rank)));
        }
        let mut ranks = wanted.to_vec();
        ranks.sort_unstable();
        ranks.dedup();
        let found = slopes_at(*self, &ranks, EFFORT, progress)?;
        Ok(wanted.map(|rank| {
            let slope = found.iter().find(|(known, _)| *known == rank);
            slope.map_or(f64::NAN, |(_, slope)| *slope)
        }))
    }

    /// All of them.
    pub(super) fn every_slope(
        &self,
        pairs: u64,
        progress: &mut impl Progress,
    ) -> Result<Vec<f64>, TrendError> {
        let mut slopes = Vec::with_capacity(usize::try_from(pairs).unwrap_or_default());
        for group in self.groups() {
            let x = self.x.get(group.clone()).unwrap_or_default();
            let y = self.y.get(group).unwrap_or_default();
            for (index, (&xi, &yi)) in x.iter().zip(y).enumerate() {
                let later_x = x.get(index + 1..).unwrap_or_default();
                let later_y = y.get(index + 1..).unwrap_or_default();
                for (&xj, &yj) in later_x.iter().zip(later_y) {
                    if xi != xj {
                        slopes.push((yj - yi) / (xj - xi));
                    }
                }
                if index.is_multiple_of(64) {
                    progress.poll()?;
                }
            }
        }
        Ok(slopes)
    }

    /// Each group's points ranked by residual at a slope, equal ones by index.
    fn order(&self, slope: f64, progress: &mut impl Progress) -> Result<Vec<u32>, TrendError> {
        let mut order = Vec::with_capacity(self.x.len());
        let mut keys: Vec<(f64, u32)> = Vec::new();
        for group in self.groups() {
            let start = group.start;
            keys.clear();
            keys.extend(
                group
                    .zip(0_u32..)
                    .map(|(index, place)| (self.residual(index, slope).0, place)),
            );
            let low = |place: u32| self.residual(start + place as usize, slope).1;
            sort(
                &mut keys,
                &|a, b| {
                    a.0.total_cmp(&b.0)
                        .then_with(|| low(a.1).total_cmp(&low(b.1)))
                        .then(a.1.cmp(&b.1))
                },
                progress,
            )?;
            order.extend(inverse(keys.iter().map(|key| key.1)));
        }
        Ok(order)
    }

    /// y − slope · x in twice the precision of a double: the order of points whose residuals are equal to the last bit of
    /// one decides which side of `slope` their pair is on.
    fn residual(&self, index: usize, slope: f64) -> (f64, f64) {
        let (x, y) = self.point(index);
        if slope == f64::NEG_INFINITY {
            return (x + 0.0, 0.0);
        }
        if slope == f64::INFINITY {
            return (0.0 - x, 0.0);
        }
        let product = slope * x;
        let product_error = slope.mul_add(x, -product);
        let sum = y - product;
        let part = sum - y;
        let sum_error = (y - (sum - part)) - (product + part);
        let low = sum_error - product_error;
        let high = sum + low;
        let rest = low - (high - sum);
        (high + 0.0, if rest.is_finite() { rest + 0.0 } else { 0.0 })
    }

    /// How many slopes are below one.
    pub(super) fn bound(
        &self,
        slope: f64,
        progress: &mut impl Progress,
    ) -> Result<Bound, TrendError> {
        let order = self.order(slope, progress)?;
        let mut below = Count::default();
        for group in self.groups() {
            let mut permutation = order.get(group).unwrap_or_default().to_vec();
            each_inversion(&mut permutation, &mut below, progress)?;
        }
        Ok(Bound {
            slope,
            below: below.0,
            order: Some(order),
        })
    }

    /// Shows the slopes in [low, high) to a visitor: the inversions between the two orders.
    pub(super) fn between(
        &self,
        low: &mut Bound,
        high: &mut Bound,
        chosen: Chosen,
        progress: &mut impl Progress,
    ) -> Result<Vec<f64>, TrendError> {
        let from = match low.order.take() {
            Some(order) => order,
            None => self.order(low.slope, progress)?,
        };
        let to = match high.order.take() {
            Some(order) => order,
            None => self.order(high.slope, progress)?,
        };
        let mut visitor = Visitor {
            points: self,
            start: 0,
            places: Vec::new(),
            slopes: Vec::new(),
            passed: 0,
            next: 0,
            chosen,
        };
        for group in self.groups() {
            let from = from.get(group.clone()).unwrap_or_default();
            let to = to.get(group.clone()).unwrap_or_default();
            let mut permutation = vec![0_u32; from.len()];
            for (&place, &rank) in from.iter().zip(to) {
                if let Some(slot) = permutation.get_mut(place as usize) {
                    *slot = rank;
                }
            }
            visitor.start = group.start;
            visitor.places = inverse(to.iter().copied());
            each_inversion(&mut permutation, &mut visitor, progress)?;
        }
        Ok(visitor.slopes)
    }
}

/// Which inversions are wanted.
pub(super) enum Chosen {
    /// All of them, up to twice [`HELD`].
    All,
    /// Those with these ascending numbers.
    Numbers(Vec<u64>),
}

/// Turns inversions into slopes.
struct Visitor<'a> {
    points: &'a PairSlopes<'a>,
    start: usize,
    /// Which point of the group has a rank.
    places: Vec<u32>,
    slopes: Vec<f64>,
    passed: u64,
    next: usize,
    chosen: Chosen,
}

impl Visitor<'_> {
    fn slope(&self, first: u32, second: u32) -> Option<f64> {
        let place = |rank: u32| self.places.get(rank as usize).copied();
        let (first_x, first_y) = self.points.point(self.start + place(first)? as usize);
        let (second_x, second_y) = self.points.point(self.start + place(second)? as usize);
        (first_x != second_x).then(|| (second_y - first_y) / (second_x - first_x))
    }
}

impl Inversions for Visitor<'_> {
    #[inline]
    fn meet(&mut self, larger: &[u32], element: u32, inverted: bool) {
        if !inverted {
            return;
        }
        match &self.chosen {
            Chosen::All => {
                for &other in larger {
                    if self.slopes.len() as u64 >= 2 * HELD {
                        return;
                    }
                    if let Some(slope) = self.slope(other, element) {
                        self.slopes.push(slope);
                    }
                }
            }
            Chosen::Numbers(numbers) => {
                let until = self.passed + larger.len() as u64;
                while let Some(&number) = numbers.get(self.next)
                    && number < until
                {
                    self.next += 1;
                    let other = larger.get((number - self.passed) as usize).copied();
                    if let Some(slope) = other.and_then(|other| self.slope(other, element)) {
                        self.slopes.push(slope);
                    }
                }
                self.passed = until;
            }
        }
    }
}

/// The value at a rank; NaN when there is none at all.
pub(super) fn select(values: &mut [f64], rank: u64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let rank = usize::try_from(rank).unwrap_or(last).min(last);
    *values.select_nth_unstable_by(rank, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::super::slope_search::nudge;
    use super::*;
    use crate::progress::Uninterruptible;
    use proptest::prelude::*;

    fn sorted_points(mut points: Vec<(f64, f64)>) -> (Vec<f64>, Vec<f64>) {
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        points.into_iter().unzip()
    }

    proptest! {
        #[test]
        fn counts_below_a_slope_are_those_of_all_pairs(
            points in prop::collection::vec(((0_u8..30).prop_map(f64::from), prop_oneof![
                -1e3..1e3_f64, (-3_i8..3).prop_map(f64::from), Just(1e100), Just(-1e-100)
            ]), 2..60),
            parted in 0.0..1.0_f64,
        ) {
            let (x, y) = sorted_points(points);
            let part = (x.len() as f64 * parted) as usize;
            let ends = [part, x.len()];
            let points = PairSlopes::new(&x, &y, &ends);
            let pairs = points.pairs();
            let mut slopes = points.every_slope(pairs, &mut Uninterruptible).unwrap();
            prop_assert_eq!(slopes.len() as u64, pairs);
            slopes.sort_by(f64::total_cmp);
            for &slope in slopes.iter().step_by(7) {
                // Pairs within rounding of the slope may be on either side of it.
                let (lower, upper) = (nudge(slope, -4), nudge(slope, 4));
                let below = points.bound(slope, &mut Uninterruptible).unwrap().below as usize;
                prop_assert!(slopes.partition_point(|&s| s < lower) <= below);
                prop_assert!(below <= slopes.partition_point(|&s| s < upper));
            }
            let mut found = points
                .between(
                    &mut Bound::new(f64::NEG_INFINITY, 0),
                    &mut Bound::new(f64::INFINITY, pairs),
                    Chosen::All,
                    &mut Uninterruptible,
                )
                .unwrap();
            found.sort_by(f64::total_cmp);
            prop_assert_eq!(found, slopes);
        }
    }
}
