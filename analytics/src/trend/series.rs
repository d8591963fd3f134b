//! The observations of a series, in the order of their positions.

use std::borrow::Cow;

use super::TrendError;

/// Magnitudes between the powers of two with these exponents can be squared and multiplied without care.
const SAFE_EXPONENT: i32 = 400;

/// How far a distance may be from a multiple of the step, in steps.
const STEP_TOLERANCE: f64 = 1e-4;

/// Rounding leaves differences of a few units in the last place; values closer together than this share of their size
/// differ by nothing else.
const DUST: f64 = 64.0 * f64::EPSILON;

/// How the positions of a series lie.
#[derive(Debug, Clone, PartialEq)]
enum Spacing {
    /// 0, 1, 2, … without a hole.
    Whole,
    /// Multiples of a step; the slot of each observation.
    Slots { step: f64, slots: Vec<u32> },
    /// Anything else.
    Uneven,
}

/// The observations that are present, ordered by position, with positions and values scaled by powers of two to
/// magnitudes that can be squared.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    x: Vec<f64>,
    y: Vec<f64>,
    x_scale: f64,
    y_scale: f64,
    spacing: Spacing,
}

impl Series {
    /// The observations of `values` at `positions`, or at 0, 1, 2, … without any.
    ///
    /// NaN values are missing: they are left out, and the others keep their positions. The order is that of the
    /// positions, and at the same position that in which they are given.
    ///
    /// # Errors
    /// Unequal lengths, a position that is not finite, an infinite value.
    pub fn new(values: Vec<f64>, positions: Option<Vec<f64>>) -> Result<Self, TrendError> {
        if let Some(positions) = &positions {
            if positions.len() != values.len() {
                return Err(TrendError::LengthMismatch {
                    positions: positions.len(),
                    values: values.len(),
                });
            }
            if let Some(index) = positions.iter().position(|position| !position.is_finite()) {
                return Err(TrendError::Position {
                    position: index + 1,
                });
            }
        }
        if let Some(index) = values.iter().position(|value| value.is_infinite()) {
            return Err(TrendError::Infinite {
                position: index + 1,
            });
        }
        let (mut x, mut y, spacing) = match positions {
            Some(positions) => at_positions(positions, values),
            None => at_indices(values),
        };
        let (x_scale, y_scale) = (scale(&mut x), scale(&mut y));
        let spacing = match spacing {
            Spacing::Slots { step, slots } => Spacing::Slots {
                step: step * x_scale,
                slots,
            },
            other => other,
        };
        Ok(Self {
            x,
            y,
            x_scale,
            y_scale,
            spacing,
        })
    }

    /// How many observations are present.
    #[must_use]
    pub fn len(&self) -> usize {
        self.y.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.y.is_empty()
    }

    /// The scaled positions, ascending.
    pub(super) fn x(&self) -> &[f64] {
        &self.x
    }

    /// The scaled values.
    pub(super) fn y(&self) -> &[f64] {
        &self.y
    }

    /// The scaled values, ascending among those at one position.
    pub(super) fn y_by_position(&self) -> Cow<'_, [f64]> {
        if self.x.is_sorted_by(|a, b| a < b) {
            return Cow::Borrowed(&self.y);
        }
        let mut values = self.y.clone();
        let mut rest = values.as_mut_slice();
        for run in self.x.chunk_by(|a, b| a == b) {
            let (here, later) = rest.split_at_mut(run.len().min(rest.len()));
            here.sort_unstable_by(f64::total_cmp);
            rest = later;
        }
        Cow::Owned(values)
    }

    /// Whether all observations have one value.
    pub(super) fn is_constant(&self) -> bool {
        let first = self.y.first();
        self.y.iter().all(|value| Some(value) == first)
    }

    /// A slope between scaled coordinates in the caller's units.
    pub(super) fn slope(&self, scaled: f64) -> Result<f64, TrendError> {
        finite(scaled * self.x_scale / self.y_scale)
    }

    /// A scaled value in the caller's units.
    pub(super) fn level(&self, scaled: f64) -> Result<f64, TrendError> {
        finite(scaled / self.y_scale)
    }

    /// Where the observations stand on an even grid, counted from the first element; `None` where there is no grid.
    pub(super) fn grid(&self) -> Option<Grid<'_>> {
        match &self.spacing {
            Spacing::Whole => Some(Grid {
                slots: None,
                step: self.x_scale,
            }),
            Spacing::Slots { step, slots } => Some(Grid {
                slots: Some(slots),
                step: *step,
            }),
            Spacing::Uneven => None,
        }
    }

    /// What is left of the values when a slope per scaled position is taken out; `None` when that is only rounding dust.
    pub(super) fn detrended(&self, slope: f64, grid: Grid<'_>) -> Option<Vec<f64>> {
        // One more than the slot, as in pymannkendall: which of the residuals are exactly equal depends on the rounding.
        let per_slot = slope * grid.step;
        self.residuals(|index, value| value - (f64::from(grid.slot(index)) + 1.0) * per_slot)
    }

    /// The values as a function makes them; `None` when they differ by rounding dust alone.
    pub(super) fn residuals(&self, residual: impl Fn(usize, f64) -> f64) -> Option<Vec<f64>> {
        let values = self.y.iter().enumerate();
        let residuals: Vec<f64> = values.map(|(index, &y)| residual(index, y)).collect();
        let size = self.y.iter().zip(&residuals).fold(0.0_f64, |size, (y, r)| {
            size.max(y.abs()).max(r.abs()).max((y - r).abs())
        });
        let lowest = residuals.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = residuals.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (highest - lowest > DUST * size).then_some(residuals)
    }
}

/// An even grid under the observations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid<'a> {
    slots: Option<&'a [u32]>,
    step: f64,
}

impl<'a> Grid<'a> {
    /// The observations one after the other, whatever their distances.
    pub(super) const CONSECUTIVE: Grid<'static> = Grid {
        slots: None,
        step: 1.0,
    };

    /// The slot of an observation.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "series of more than 2^32 elements do not fit a PostgreSQL array"
    )]
    pub(super) fn slot(&self, index: usize) -> u32 {
        match self.slots {
            Some(slots) => slots.get(index).copied().unwrap_or_default(),
            None => index as u32,
        }
    }

    /// The distance of neighbouring slots in scaled positions.
    pub(super) fn step(&self) -> f64 {
        self.step
    }

    /// The slots where they are not simply 0, 1, 2, …
    pub(super) fn slots(&self) -> Option<&'a [u32]> {
        self.slots
    }
}

fn finite(value: f64) -> Result<f64, TrendError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(TrendError::OutOfRange)
    }
}

/// Present values at their indices.
fn at_indices(mut values: Vec<f64>) -> (Vec<f64>, Vec<f64>, Spacing) {
    if values.iter().all(|value| !value.is_nan()) {
        let x = (0..values.len()).map(|index| index as f64).collect();
        return (x, values, Spacing::Whole);
    }
    let slots: Vec<u32> = (0_u32..)
        .zip(&values)
        .filter(|(_, value)| !value.is_nan())
        .map(|(slot, _)| slot)
        .collect();
    values.retain(|value| !value.is_nan());
    let x = slots.iter().map(|&slot| f64::from(slot)).collect();
    (x, values, Spacing::Slots { step: 1.0, slots })
}

/// Present values at given positions, by position.
fn at_positions(mut x: Vec<f64>, mut y: Vec<f64>) -> (Vec<f64>, Vec<f64>, Spacing) {
    if !x.is_sorted() {
        // -0 and 0 are one position.
        let mut points: Vec<(f64, f64)> =
            x.iter().map(|x| x + 0.0).zip(y.iter().copied()).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        (x, y) = points.into_iter().unzip();
    }
    let slots = slots(&x);
    let present = |position: usize| y.get(position).is_some_and(|value| !value.is_nan());
    let spacing = match slots {
        Some((step, mut slots)) => {
            let mut index = 0;
            slots.retain(|_| {
                index += 1;
                present(index - 1)
            });
            Spacing::Slots { step, slots }
        }
        None => Spacing::Uneven,
    };
    let mut index = 0;
    x.retain(|_| {
        index += 1;
        present(index - 1)
    });
    y.retain(|value| !value.is_nan());
    (x, y, spacing)
}

/// The smallest distance between ascending positions and each position as a multiple of it, from the first.
fn slots(x: &[f64]) -> Option<(f64, Vec<u32>)> {
    let first = x.first().copied()?;
    let step = x
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] => Some(b - a),
            _ => None,
        })
        .fold(f64::INFINITY, f64::min);
    if !(step > 0.0 && step.is_finite()) {
        // One position is a grid of any step; repeated ones are none.
        return (x.len() == 1).then(|| (1.0, vec![0]));
    }
    let slot = |position: f64| {
        let steps = (position - first) / step;
        let whole = steps.round();
        ((steps - whole).abs() <= STEP_TOLERANCE && whole < f64::from(u32::MAX))
            .then_some(whole as u32)
    };
    let slots = x
        .iter()
        .map(|&position| slot(position))
        .collect::<Option<Vec<u32>>>()?;
    Some((step, slots))
}

/// Multiplies values of extreme magnitude by the power of two that is returned.
fn scale(values: &mut [f64]) -> f64 {
    let largest = values
        .iter()
        .fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest == 0.0
        || (largest < 2.0_f64.powi(SAFE_EXPONENT) && largest > 2.0_f64.powi(-SAFE_EXPONENT))
    {
        return 1.0;
    }
    let exponent = largest.log2().floor().clamp(-1000.0, 1000.0);
    let factor = (-exponent).exp2();
    for value in values.iter_mut() {
        *value *= factor;
    }
    factor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots_of(series: &Series) -> Option<Vec<u32>> {
        let grid = series.grid()?;
        Some((0..series.len()).map(|index| grid.slot(index)).collect())
    }

    #[test]
    fn missing_values_keep_the_slots_of_the_others() {
        let series = Series::new(vec![f64::NAN, 2.0, f64::NAN, 3.0], None).unwrap();
        assert_eq!((series.x(), series.y()), (&[1.0, 3.0][..], &[2.0, 3.0][..]));
        assert_eq!(slots_of(&series), Some(vec![1, 3]));
    }

    #[test]
    fn positions_are_sorted_and_put_on_a_grid_where_there_is_one() {
        let at = |positions: &[f64]| {
            let values = (0..positions.len()).map(|i| i as f64).collect();
            Series::new(values, Some(positions.to_vec())).unwrap()
        };
        assert_eq!(slots_of(&at(&[10.0, 30.0, 20.0])), Some(vec![0, 1, 2]));
        assert_eq!(at(&[10.0, 30.0, 20.0]).y(), &[0.0, 2.0, 1.0]);
        assert_eq!(slots_of(&at(&[0.1, 0.2, 0.3, 0.7])), Some(vec![0, 1, 2, 6]));
        assert_eq!(slots_of(&at(&[5.0])), Some(vec![0]));
        assert_eq!(slots_of(&at(&[0.0, 2.0, 5.0])), None);
        assert_eq!(slots_of(&at(&[0.0, 1.0, 1.0, 2.0])), None);
        assert_eq!(slots_of(&at(&[0.0, 1e-9, 1e9])), None);
    }

    #[test]
    fn extreme_magnitudes_come_back_as_they_were() {
        let series = Series::new(vec![1e300, -1.5e308], Some(vec![0.0, 1e-300])).unwrap();
        let rise = (series.y()[1] - series.y()[0]) / 1.0;
        assert!(series.y().iter().all(|y| y.abs() < 1e9));
        assert_eq!(series.level(rise).unwrap(), -1.5e308 - 1e300);
        assert_eq!(series.slope(1e300), Err(TrendError::OutOfRange));
    }
}
