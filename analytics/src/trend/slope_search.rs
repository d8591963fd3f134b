//! Finding slopes at ranks by narrowing brackets around them.

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::TrendError;
use super::pair_slopes::{Bound, Chosen, HELD, PairSlopes, select};
use crate::progress::Progress;

/// How much is held and drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Pairs up to this number are held in memory.
    pub(super) held: u64,
    /// Pairs drawn in one round.
    pub(super) drawn: usize,
}

/// 16 MB of slopes.
pub(super) const EFFORT: Effort = Effort {
    held: HELD,
    drawn: 1 << 17,
};

/// How many standard deviations of the draw are left between a wanted rank and the new bounds.
const MARGIN: f64 = 3.5;

/// A slope is rounded three times; its neighbours within so many steps may be it.
const ROUNDING: i64 = 2;

/// After this many rounds the bracket is halved instead, which ends for sure.
const ROUNDS: u32 = 12;

/// The slopes at ascending ranks, each with its rank.
pub(super) fn slopes_at(
    points: PairSlopes<'_>,
    ranks: &[u64],
    effort: Effort,
    progress: &mut impl Progress,
) -> Result<Vec<(u64, f64)>, TrendError> {
    let pairs = points.pairs();
    let mut search = Search {
        points,
        effort,
        random: ChaCha8Rng::seed_from_u64(pairs),
        found: Vec::with_capacity(ranks.len()),
    };
    let (low, high) = (
        Bound::new(f64::NEG_INFINITY, 0),
        Bound::new(f64::INFINITY, pairs),
    );
    search.narrow(low, high, ranks, 0, progress)?;
    Ok(search.found)
}

/// The search for slopes at ranks.
struct Search<'a> {
    points: PairSlopes<'a>,
    effort: Effort,
    random: ChaCha8Rng,
    found: Vec<(u64, f64)>,
}

impl Search<'_> {
    /// Finds the slopes at ascending `ranks`, all of which lie between the bounds.
    fn narrow(
        &mut self,
        mut low: Bound,
        mut high: Bound,
        ranks: &[u64],
        round: u32,
        progress: &mut impl Progress,
    ) -> Result<(), TrendError> {
        if ranks.is_empty() {
            return Ok(());
        }
        let left = high.below.saturating_sub(low.below);
        if left <= self.effort.held {
            let mut slopes = self
                .points
                .between(&mut low, &mut high, Chosen::All, progress)?;
            for &rank in ranks {
                let slope = select(&mut slopes, rank - low.below);
                self.found.push((rank, slope));
            }
            return Ok(());
        }
        if round > ROUNDS {
            return self.halve(&low, &high, ranks, round, progress);
        }
        let mut numbers: Vec<u64> = (0..self.effort.drawn)
            .map(|_| self.random.random_range(0..left))
            .collect();
        numbers.sort_unstable();
        let chosen = Chosen::Numbers(numbers);
        let mut drawn = self.points.between(&mut low, &mut high, chosen, progress)?;
        drawn.sort_unstable_by(f64::total_cmp);

        for (window, inside) in windows(drawn.len(), low.below, left, ranks) {
            let at = |index: usize| drawn.get(index).copied();
            let first = window.start.and_then(at);
            let last = window.end.and_then(at);
            let mut from = low.without_order();
            if let Some(slope) = first.map(|slope| nudge(slope, -ROUNDING))
                && slope > low.slope
            {
                from = self.points.bound(slope, progress)?;
            }
            let mut to = high.without_order();
            if let Some(slope) = last.map(|slope| nudge(slope, ROUNDING))
                && slope < high.slope
            {
                to = self.points.bound(slope, progress)?;
            }
            // A rank that the draw has put on the wrong side is looked for there.
            let start = inside.partition_point(|&rank| rank < from.below);
            let end = inside.partition_point(|&rank| rank < to.below);
            let (before, rest) = inside.split_at(start);
            let (within, after) = rest.split_at(end.saturating_sub(start));
            let (a, b) = (low.without_order(), from.without_order());
            self.narrow(a, b, before, round + 1, progress)?;
            let (a, b) = (to.without_order(), high.without_order());
            self.narrow(a, b, after, round + 1, progress)?;
            match first {
                // Everything in between is this slope but for rounding.
                Some(slope) if first == last => {
                    self.found.extend(within.iter().map(|&rank| (rank, slope)));
                }
                _ => self.narrow(from, to, within, round + 1, progress)?,
            }
        }
        Ok(())
    }

    /// Halves the bracket in the order of doubles.
    fn halve(
        &mut self,
        low: &Bound,
        high: &Bound,
        ranks: &[u64],
        round: u32,
        progress: &mut impl Progress,
    ) -> Result<(), TrendError> {
        let (from, to) = (order_key(low.slope), order_key(high.slope));
        let middle = from + (to - from) / 2;
        if middle == from {
            let slope = low.slope;
            self.found.extend(ranks.iter().map(|&rank| (rank, slope)));
            return Ok(());
        }
        let bound = self.points.bound(from_order_key(middle), progress)?;
        let (before, after) = ranks.split_at(ranks.partition_point(|&rank| rank < bound.below));
        let at = bound.without_order();
        self.narrow(low.without_order(), at, before, round, progress)?;
        self.narrow(bound, high.without_order(), after, round, progress)
    }
}

/// Where to put new bounds: places in the sorted draw, none where the draw does not reach.
struct Window {
    start: Option<usize>,
    end: Option<usize>,
}

/// A window of the draw around each rank; ranks whose windows touch share one.
fn windows(drawn: usize, below: u64, left: u64, ranks: &[u64]) -> Vec<(Window, &[u64])> {
    let size = drawn as f64;
    let place = |rank: u64| {
        let share = (rank - below) as f64 / left as f64;
        let margin = MARGIN * (size * share * (1.0 - share)).max(0.0).sqrt() + 2.0;
        (share * size - margin, share * size + margin)
    };
    ranks
        .chunk_by(|&a, &b| place(b).0 <= place(a).1)
        .map(|inside| {
            let start = inside.first().map_or(0.0, |&rank| place(rank).0);
            let end = inside.last().map_or(size, |&rank| place(rank).1);
            let window = Window {
                start: (start >= 0.0).then_some(start as usize),
                end: (end < size).then_some(end.ceil() as usize),
            };
            (window, inside)
        })
        .collect()
}

/// The double so many steps up or down.
pub(super) fn nudge(value: f64, steps: i64) -> f64 {
    let limits = (order_key(f64::NEG_INFINITY), order_key(f64::INFINITY));
    let key = order_key(value)
        .saturating_add_signed(steps)
        .clamp(limits.0, limits.1);
    from_order_key(key)
}

/// Unsigned integers in the order of `f64::total_cmp`.
fn order_key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}

fn from_order_key(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 {
        key & !(1 << 63)
    } else {
        !key
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    fn sorted_points(mut points: Vec<(f64, f64)>) -> (Vec<f64>, Vec<f64>) {
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        points.into_iter().unzip()
    }

    /// Compares the search with all pairs, sorted.
    fn check(what: &str, x: &[f64], y: &[f64], ends: &[usize], effort: Effort) {
        let points = PairSlopes::new(x, y, ends);
        let pairs = points.pairs();
        assert!(pairs > effort.held, "{pairs} pairs are held");
        let mut slopes = points.every_slope(pairs, &mut Uninterruptible).unwrap();
        slopes.sort_by(f64::total_cmp);
        let wanted = [
            0,
            1,
            pairs / 3,
            pairs / 2 - 10,
            pairs / 2,
            pairs / 2 + 1,
            pairs - 1,
        ];
        let found = slopes_at(points, &wanted, effort, &mut Uninterruptible).unwrap();
        for rank in wanted {
            let found = found.iter().find(|(r, _)| *r == rank).unwrap().1;
            let expected = slopes[rank as usize];
            assert!(
                (found - expected).abs() <= 1e-15 * expected.abs(),
                "{what}, rank {rank}: {found} instead of {expected}"
            );
        }
    }

    #[test]
    fn the_search_finds_what_sorting_finds() {
        let n = 300;
        let x: Vec<f64> = (0..n).map(f64::from).collect();
        let noise = |i: &f64| ((i * 7919.0 + i * i * 31.0) % 1009.0) / 1009.0;
        let kinds: [(&str, Vec<f64>); 7] = [
            ("noise", x.iter().map(noise).collect()),
            (
                "line and noise",
                x.iter().map(|i| 0.25 * i + noise(i)).collect(),
            ),
            ("a line with rounding", x.iter().map(|i| 0.1 * i).collect()),
            (
                "whole numbers",
                x.iter().map(|i| (3.0 * noise(i)).floor()).collect(),
            ),
            ("constant", vec![7.25; n as usize]),
            (
                "magnitudes",
                x.iter().map(|i| (noise(i) * 40.0 - 20.0).exp()).collect(),
            ),
            ("an offset", x.iter().map(|i| 1e9 + noise(i)).collect()),
        ];
        let (uneven_x, uneven_y) = sorted_points(
            x.iter()
                .map(|i| ((noise(i) * 50.0).floor() * 0.1, i.sqrt()))
                .collect(),
        );
        let far: Vec<f64> = x.iter().map(|i| 1.7e9 + 86_400.0 * i).collect();
        let whole = [x.len()];
        // Few draws miss often, which is what the ways back are for; a draw of one halves brackets instead.
        for (held, drawn) in [(2000, 1000), (200, 300), (50, 10), (20, 1)] {
            let effort = Effort { held, drawn };
            for (name, y) in &kinds {
                check(name, &x, y, &whole, effort);
                check(name, &far, y, &whole, effort);
            }
            check("uneven", &uneven_x, &uneven_y, &whole, effort);
            check("groups", &x, &kinds[1].1, &[10, 290, 290, 300], effort);
        }
    }
}
