//! Pre-whitening: taking the autocorrelation of first order out of the values before they are tested.

use super::series::Grid;

/// `vₜ − r vₜ₋₁` for every value that has a neighbour one slot before it, with the slot of the later one.
pub(super) fn whitened(values: &[f64], grid: Grid<'_>, r: f64) -> (Vec<f64>, Vec<u32>) {
    let mut whitened = Vec::with_capacity(values.len());
    let mut slots = Vec::with_capacity(values.len());
    let mut before: Option<(u32, f64)> = None;
    for (index, &value) in values.iter().enumerate() {
        let slot = grid.slot(index);
        if let Some((earlier, neighbour)) = before
            && slot - earlier == 1
        {
            whitened.push(value - neighbour * r);
            slots.push(slot);
        }
        before = Some((slot, value));
    }
    (whitened, slots)
}

#[cfg(test)]
mod tests {
    use super::super::Series;
    use super::*;

    #[test]
    fn only_neighbours_are_subtracted() {
        let series = Series::new(vec![1.0, 3.0, f64::NAN, 4.0, 8.0], None).unwrap();
        let (values, slots) = whitened(series.y(), series.grid().unwrap(), 0.5);
        assert_eq!((values, slots), (vec![2.5, 6.0], vec![1, 4]));
    }
}
