//! Fisher's noncentral hypergeometric distribution: the first cell of a table of two by two, its margins given.

use crate::progress::{Interrupted, Progress};

/// How often the walks ask whether to go on.
const POLL_EVERY: u32 = 4096;

/// Terms that can no longer change a sum.
const NEGLIGIBLE: f64 = 1e-18;

/// The margins of a table; counts up to 10⁹, so that all of them and their products are good doubles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Margins {
    first_row: f64,
    second_row: f64,
    first_column: f64,
    lowest: f64,
    highest: f64,
}

/// Sums of the distribution around a cell, as shares of the whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// Of counts up to the cell.
    pub(super) at_most: f64,
    /// Of counts from the cell on.
    pub(super) at_least: f64,
    /// Of counts that are not more probable than the cell.
    pub(super) no_more_probable: f64,
    /// The expected count.
    pub(super) mean: f64,
}

impl Margins {
    pub(super) fn new(first_row: f64, second_row: f64, first_column: f64) -> Self {
        Self {
            first_row,
            second_row,
            first_column,
            lowest: (first_column - second_row).max(0.0),
            highest: first_row.min(first_column),
        }
    }

    /// Whether the cell has its smallest or its largest possible count.
    pub(super) fn is_extreme(&self, cell: f64) -> (bool, bool) {
        (cell <= self.lowest, cell >= self.highest)
    }

    /// The probability of `k + 1` in units of that of `k`.
    fn ratio(&self, k: f64, odds: f64) -> f64 {
        odds * ((self.first_row - k) / (k + 1.0))
            * ((self.first_column - k) / (self.second_row - self.first_column + k + 1.0))
    }

    fn mode(&self, odds: f64) -> f64 {
        let (mut low, mut high) = (self.lowest, self.highest);
        while low < high {
            let middle = ((low + high) / 2.0).floor();
            if self.ratio(middle, odds) >= 1.0 {
                low = middle + 1.0;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Sums outwards from the mode, where every term is a product of ratios below one: small tails keep their relative
    /// accuracy. The walk takes some forty standard deviations, at most about a million steps.
    pub(super) fn shares(
        &self,
        cell: f64,
        odds: f64,
        progress: &mut dyn Progress,
    ) -> Result<Shares, Interrupted> {
        let mode = self.mode(odds);
        // Counts that are equally probable in exact arithmetic must not differ by rounding (the tolerance of R).
        let limit = self.relative_probability(cell, mode, odds, progress)? * (1.0 + 1e-7);
        let (mut total, mut mean, mut no_more) = (0.0, 0.0, 0.0);
        let (mut beyond, mut at_cell) = (0.0, 0.0);
        let mut add = |k: f64, term: f64, upward: bool| {
            total += term;
            // Around the mode, so that a mean of 10⁸ keeps its digits.
            mean += (k - mode) * term;
            if term <= limit {
                no_more += term;
            }
            if k == cell {
                at_cell = term;
            }
            if (upward && cell >= mode && k >= cell) || (!upward && cell < mode && k <= cell) {
                beyond += term;
            }
        };
        for upward in [true, false] {
            let (mut k, mut term, mut steps) = (mode, 1.0, 0_u32);
            if upward {
                add(k, term, true);
            }
            loop {
                let passed = if upward { k >= cell } else { k <= cell };
                if term == 0.0 || (passed && term <= NEGLIGIBLE * limit.min(1.0)) {
                    break;
                }
                if upward {
                    if k >= self.highest {
                        break;
                    }
                    term *= self.ratio(k, odds);
                    k += 1.0;
                } else {
                    if k <= self.lowest {
                        break;
                    }
                    k -= 1.0;
                    term /= self.ratio(k, odds);
                }
                add(k, term, upward);
                steps += 1;
                if steps.is_multiple_of(POLL_EVERY) {
                    progress.poll()?;
                }
            }
        }
        let beyond: f64 = beyond / total;
        let inner = 1.0 - beyond + at_cell / total;
        let (at_most, at_least) = if cell >= mode {
            (inner, beyond)
        } else {
            (beyond, inner)
        };
        Ok(Shares {
            at_most: at_most.min(1.0),
            at_least: at_least.min(1.0),
            no_more_probable: (no_more / total).min(1.0),
            mean: mode + mean / total,
        })
    }

    /// The probability of the cell in units of that of the mode.
    fn relative_probability(
        &self,
        cell: f64,
        mode: f64,
        odds: f64,
        progress: &mut dyn Progress,
    ) -> Result<f64, Interrupted> {
        let (mut k, mut term, mut steps) = (mode, 1.0, 0_u32);
        while k != cell && term > 0.0 {
            if k < cell {
                term *= self.ratio(k, odds);
                k += 1.0;
            } else {
                k -= 1.0;
                term /= self.ratio(k, odds);
            }
            steps += 1;
            if steps.is_multiple_of(POLL_EVERY) {
                progress.poll()?;
            }
        }
        Ok(term)
    }

    /// The odds ratio at which `measure`, which rises with it, reaches `target`.
    pub(super) fn solve(
        &self,
        cell: f64,
        target: f64,
        measure: impl Fn(&Shares) -> f64,
        progress: &mut dyn Progress,
    ) -> Result<f64, Interrupted> {
        // In logarithms: odds ratios of counts up to 10⁹ lie within e^±60.
        let (mut low, mut high) = (-60.0_f64, 60.0_f64);
        for _ in 0..70 {
            let middle = low.midpoint(high);
            if measure(&self.shares(cell, middle.exp(), progress)?) < target {
                low = middle;
            } else {
                high = middle;
            }
            if high - low <= 1e-13 {
                break;
            }
        }
        Ok(low.midpoint(high).exp())
    }
}
