//! The seasonal Mann-Kendall test (Hirsch, Slack and Smith 1982): each season is compared with itself alone.

use super::mann_kendall::{Score, score};
use super::pair_slopes::PairSlopes;
use super::series::Grid;
use super::sorting::sort;
use super::theil_sen::median_of_sorted;
use super::{Series, TrendError};
use crate::progress::Progress;

/// The observations of a series season by season.
pub(super) struct Seasons {
    x: Vec<f64>,
    y: Vec<f64>,
    /// Where each season ends.
    ends: Vec<usize>,
    /// Where each element stands in the series.
    places: Vec<u32>,
}

impl Seasons {
    /// Parts the observations by their slot's remainder.
    pub(super) fn new(
        series: &Series,
        grid: Grid<'_>,
        seasonality: u32,
        progress: &mut impl Progress,
    ) -> Result<Self, TrendError> {
        let mut places: Vec<u32> = (0_u32..).take(series.len()).collect();
        let season = |place: &u32| grid.slot(*place as usize) % seasonality;
        sort(
            &mut places,
            &|a, b| season(a).cmp(&season(b)).then(a.cmp(b)),
            progress,
        )?;
        let at = |values: &[f64]| {
            let value = |place: &u32| values.get(*place as usize).copied();
            places.iter().filter_map(value).collect()
        };
        let (x, y) = (at(series.x()), at(series.y()));
        let mut ends = Vec::new();
        for one in places.chunk_by(|a, b| season(a) == season(b)) {
            ends.push(ends.last().copied().unwrap_or(0) + one.len());
        }
        Ok(Self { x, y, ends, places })
    }

    fn values(&self) -> impl Iterator<Item = &[f64]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| self.y.get(start..end).unwrap_or_default())
    }

    /// The sum of Kendall's scores.
    pub(super) fn score(&self, progress: &mut impl Progress) -> Result<Score, TrendError> {
        let mut total = Score::default();
        for season in self.values() {
            total.add(score(None, season, progress)?);
        }
        Ok(total)
    }

    /// The pairs within seasons.
    pub(super) fn points(&self) -> PairSlopes<'_> {
        PairSlopes::new(&self.x, &self.y, &self.ends)
    }

    /// The median of each season's residuals, by place in the series.
    pub(super) fn medians(
        &self,
        residuals: &[f64],
        progress: &mut impl Progress,
    ) -> Result<Vec<f64>, TrendError> {
        let mut medians = vec![0.0; residuals.len()];
        let mut start = 0;
        for &end in &self.ends {
            let places = self.places.get(start..end).unwrap_or_default();
            let value = |place: &u32| residuals.get(*place as usize).copied();
            let mut season: Vec<f64> = places.iter().filter_map(value).collect();
            sort(&mut season, &f64::total_cmp, progress)?;
            let median = median_of_sorted(&season);
            for place in places {
                if let Some(slot) = medians.get_mut(*place as usize) {
                    *slot = median;
                }
            }
            start = end;
        }
        Ok(medians)
    }
}
