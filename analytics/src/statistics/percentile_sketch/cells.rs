//! What a sketch keeps, as values with counts: the raw material of histograms.

use super::{Buckets, Form, PercentileSketch, sorted};
use crate::statistics::error::StatisticsError;

/// Values that a sketch does not tell apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    /// No value in the cell is smaller (equal only for a negative cell or a single value).
    pub(crate) lower: f64,
    /// The value that stands for the cell: the same one in every sketch of the same grid.
    pub(crate) value: f64,
    /// No value in the cell is larger.
    pub(crate) upper: f64,
    /// How many values.
    pub(crate) count: u64,
}

impl PercentileSketch {
    /// The finite values, ascending: each on its own while they are kept exactly, cells of the grid beyond that.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        match &self.form {
            Form::Exact(values) => sorted(values)
                .into_iter()
                .filter(|value| value.is_finite())
                .map(|value| Cell {
                    lower: value,
                    value,
                    upper: value,
                    count: 1,
                })
                .fold(Vec::new(), joined_with_equal),
            Form::Buckets(buckets) => buckets.cells(),
        }
    }

    /// The values of a sketch that keeps all of them, ascending.
    pub(crate) fn sorted_exact_values(&self) -> Option<Vec<f64>> {
        match &self.form {
            Form::Exact(values) => Some(sorted(values)),
            Form::Buckets(_) => None,
        }
    }

    /// Both sketches in bucket form with buckets of the same width, so that their cells can be compared one by one.
    ///
    /// # Errors
    /// [`StatisticsError::SketchMismatch`] when the sketches were made with different error bounds.
    pub(crate) fn on_one_grid(&self, other: &Self) -> Result<(Self, Self), StatisticsError> {
        if self.target.to_bits() != other.target.to_bits() {
            return Err(StatisticsError::SketchMismatch {
                left: self.target,
                right: other.target,
            });
        }
        let (mut left, mut right) = (self.clone(), other.clone());
        let (a, b) = (left.buckets()?, right.buckets()?);
        a.collapse_by(b.collapses.saturating_sub(a.collapses));
        b.collapse_by(a.collapses.saturating_sub(b.collapses));
        Ok((left, right))
    }
}

/// Appends a cell; values so small that neighbouring cells share one are one cell.
fn joined_with_equal(mut cells: Vec<Cell>, cell: Cell) -> Vec<Cell> {
    match cells.last_mut() {
        Some(last) if last.value == cell.value => {
            last.upper = last.upper.max(cell.upper);
            last.count += cell.count;
        }
        _ => cells.push(cell),
    }
    cells
}

impl Buckets {
    fn cells(&self) -> Vec<Cell> {
        // No value is beyond these, whatever the logarithm says about the outermost bucket.
        let fit = |magnitude: f64| magnitude.clamp(f64::from_bits(1), f64::MAX);
        let edge = |index: i32| fit((f64::from(index) * self.width()).exp());
        let negative = self.negative.iter().rev().map(|(index, count)| Cell {
            lower: -edge(index),
            value: -fit(self.middle(index)),
            upper: -edge(index - 1),
            count,
        });
        let zero = (self.zero > 0).then_some(Cell {
            lower: 0.0,
            value: 0.0,
            upper: 0.0,
            count: self.zero,
        });
        let positive = self.positive.iter().map(|(index, count)| Cell {
            lower: edge(index - 1),
            value: fit(self.middle(index)),
            upper: edge(index),
            count,
        });
        negative
            .chain(zero)
            .chain(positive)
            .fold(Vec::new(), joined_with_equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_every_value_between_their_bounds() {
        for n in [10_u32, 64, 65, 5000] {
            let values: Vec<f64> = (0..n)
                .map(|i| (f64::from(i) - f64::from(n) / 2.0).powi(3))
                .collect();
            let sketch = PercentileSketch::from_values(values.iter().copied()).unwrap();
            let cells = sketch.cells();
            assert_eq!(
                cells.iter().map(|cell| cell.count).sum::<u64>(),
                u64::from(n)
            );
            assert!(cells.is_sorted_by(|a, b| a.value < b.value));
            for cell in &cells {
                assert!(cell.lower <= cell.value && cell.value <= cell.upper);
                let inside = |value: &&f64| {
                    let slack = 1e-12 * value.abs();
                    **value >= cell.lower - slack && **value <= cell.upper + slack
                };
                let held = values.iter().filter(inside).count() as u64;
                assert!(held >= cell.count, "{cell:?} {held}");
            }
        }
    }

    #[test]
    fn one_grid_gives_equal_values_equal_cells() {
        let narrow = PercentileSketch::from_values([3.0, 7.0, 7.0]).unwrap();
        let wide = PercentileSketch::from_values(
            (0..3000)
                .map(|i| 3.0 * 1.02_f64.powi(i - 1500))
                .chain([7.0]),
        )
        .unwrap();
        assert!(wide.relative_error() > 0.01);
        let (left, right) = narrow.on_one_grid(&wide).unwrap();
        assert_eq!(left.relative_error(), right.relative_error());
        let sevens: Vec<Cell> = left.cells();
        assert_eq!(sevens.len(), 2);
        assert!(right.cells().iter().any(|c| c.value == sevens[1].value));
        let fine = PercentileSketch::with_relative_error(0.001).unwrap();
        assert!(fine.on_one_grid(&narrow).is_err());
    }

    #[test]
    fn the_ends_of_the_range_stay_finite_and_apart_from_zero() {
        let ends = [f64::MAX, -f64::MAX, 5e-324, -5e-324, 0.0];
        let values = (0..100).flat_map(|_| ends);
        let sketch = PercentileSketch::from_values(values).unwrap();
        let cells = sketch.cells();
        assert_eq!(cells.len(), 5);
        assert!(cells.iter().all(|cell| cell.value.is_finite()
            && cell.lower.is_finite()
            && cell.upper.is_finite()
            && cell.count == 100));
    }
}
