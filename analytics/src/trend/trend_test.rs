//! A trend by the method of the caller's choice.

use super::corrections::{first_autocorrelation, hamed_rao, yue_wang};
use super::least_squares::{LeastSquares, line, ordinary_least_squares};
use super::mann_kendall::{Score, p_value, score};
use super::method::{Method, TrendPlan};
use super::pair_slopes::PairSlopes;
use super::seasonal::Seasons;
use super::series::Grid;
use super::theil_sen::{intercept, median_slope, sen_variance, slope_interval};
use super::whitening::whitened;
use super::{Direction, MIN_POINTS, Series, TrendError};
use crate::budget::Budget;
use crate::progress::Progress;

/// Bytes that the search for slopes takes per observation, and at most besides.
const SEARCH_BYTES: (usize, usize) = (48, 1 << 24);

/// The outcome of a trend test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrendTest {
    /// The test.
    pub method: Method,
    /// Observations that are present.
    pub n: usize,
    /// The verdict at 1 minus the confidence.
    pub direction: Direction,
    /// What there is to say of a series of at least [`MIN_POINTS`] observations at more than one position.
    pub trend: Option<Trend>,
}

/// The numbers of a trend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Change per unit of position: Sen's, the seasonal Sen's, or that of the line.
    pub slope: f64,
    /// Lower bound of its interval.
    pub slope_low: f64,
    /// Upper bound of its interval.
    pub slope_high: f64,
    /// The level at position 0.
    pub intercept: f64,
    /// Kendall's tau (tau-a) of what the method compares; `None` when that is no pair.
    pub tau: Option<f64>,
    /// z of the rank methods, t of the line; `None` when nothing is left to test.
    pub statistic: Option<f64>,
    /// Two-sided.
    pub p_value: Option<f64>,
    /// Share of the variance that the straight line explains; `None` when the values do not vary.
    pub r2: Option<f64>,
    /// Autocorrelation of neighbours around the trend; `None` on uneven positions and where nothing varies.
    pub autocorrelation: Option<f64>,
}

/// Tests a series for a trend and estimates its slope.
///
/// # Errors
/// Positions that are not evenly spaced where the method reckons with neighbours or seasons, more memory than `budget`, a
/// slope that no finite number holds, an interruption.
pub fn trend_test(
    series: &Series,
    plan: &TrendPlan,
    budget: &Budget,
    progress: &mut impl Progress,
) -> Result<TrendTest, TrendError> {
    let n = series.len();
    let method = plan.method;
    let run = Run {
        series,
        plan,
        budget,
    };
    if method != Method::OrdinaryLeastSquares && method != Method::MannKendall {
        run.grid()?;
    }
    let none = TrendTest {
        method,
        n,
        direction: Direction::NoTrend,
        trend: None,
    };
    if n < MIN_POINTS || series.x().first() == series.x().last() {
        return Ok(none);
    }
    budget
        .clone()
        .charge(n.saturating_mul(SEARCH_BYTES.0) + SEARCH_BYTES.1.min(n.saturating_mul(n) * 4))?;
    let trend = match method {
        Method::OrdinaryLeastSquares => run.least_squares(progress)?,
        Method::SeasonalMannKendall => run.seasonal(progress)?,
        _ => run.ranks(progress)?,
    };
    let Some(trend) = trend else {
        return Ok(none);
    };
    let sign = match method {
        Method::OrdinaryLeastSquares => trend.slope,
        _ => trend.tau.unwrap_or_default(),
    };
    let direction = trend.p_value.map_or(Direction::NoTrend, |p_value| {
        Direction::of(sign, p_value, 1.0 - plan.confidence)
    });
    Ok(TrendTest {
        method,
        n,
        direction,
        trend: Some(trend),
    })
}

/// What all methods need.
struct Run<'a> {
    series: &'a Series,
    plan: &'a TrendPlan,
    budget: &'a Budget,
}

impl<'a> Run<'a> {
    fn grid(&self) -> Result<Grid<'a>, TrendError> {
        self.series.grid().ok_or(TrendError::UnevenPositions {
            method: self.plan.method,
        })
    }

    fn least_squares(&self, progress: &mut impl Progress) -> Result<Option<Trend>, TrendError> {
        let series = self.series;
        let fitted = ordinary_least_squares(
            series,
            self.plan.max_lag,
            self.plan.confidence,
            self.budget,
            progress,
        )?;
        let Some(LeastSquares {
            slope,
            intercept,
            r2,
            t,
            p_value,
            slope_low,
            slope_high,
            ..
        }) = fitted
        else {
            return Ok(None);
        };
        let residuals = line(series).and_then(|line| line.residuals(series));
        Ok(Some(Trend {
            slope,
            slope_low,
            slope_high,
            intercept,
            tau: Some(score(Some(series.x()), &series.y_by_position(), progress)?.tau()),
            statistic: Some(t),
            p_value: Some(p_value),
            r2,
            autocorrelation: self.autocorrelation(residuals.as_deref(), progress)?,
        }))
    }

    /// Mann and Kendall's test in its five forms.
    fn ranks(&self, progress: &mut impl Progress) -> Result<Option<Trend>, TrendError> {
        let series = self.series;
        let whole = [series.len()];
        let values = series.y_by_position();
        let points = PairSlopes::new(series.x(), &values, &whole);
        let Some(median) = median_slope(&points, progress)? else {
            return Ok(None);
        };
        let residuals = series
            .grid()
            .and_then(|grid| series.detrended(median, grid));
        let tested = self.tested(median, residuals.as_deref(), progress)?;
        let statistic = (tested.score.pairs > 0).then(|| tested.score.z(tested.variance()));
        let variance = sen_variance(series, progress)? * tested.factor;
        let (low, high) = slope_interval(&points, variance, self.plan.confidence, progress)?;
        Ok(Some(Trend {
            slope: series.slope(median)?,
            slope_low: series.slope(low)?,
            slope_high: series.slope(high)?,
            intercept: intercept(series, median, progress)?,
            tau: statistic.map(|_| tested.score.tau()),
            statistic,
            p_value: statistic.map(p_value),
            r2: line(series).and_then(|line| line.r2),
            autocorrelation: self.autocorrelation(residuals.as_deref(), progress)?,
        }))
    }

    /// The score that the method tests and the factor of its variance.
    fn tested(
        &self,
        median: f64,
        residuals: Option<&[f64]>,
        progress: &mut impl Progress,
    ) -> Result<Tested, TrendError> {
        let series = self.series;
        let plain = |progress: &mut _| score(Some(series.x()), &series.y_by_position(), progress);
        let (max_lag, budget) = (self.plan.max_lag, self.budget);
        let (score, factor) = match self.plan.method {
            Method::PreWhitening => (self.whitened(progress)?, 1.0),
            Method::TrendFreePreWhitening => {
                (self.whitened_around(median, residuals, progress)?, 1.0)
            }
            // Without residuals there is nothing to be correlated.
            method => match (method, residuals) {
                (Method::HamedRao, Some(residuals)) => (
                    plain(progress)?,
                    hamed_rao(residuals, self.grid()?, max_lag, budget, progress)?,
                ),
                (Method::YueWang, Some(residuals)) => (
                    plain(progress)?,
                    yue_wang(residuals, self.grid()?, max_lag, budget, progress)?,
                ),
                _ => (plain(progress)?, 1.0),
            },
        };
        // An estimate that is no variance at all corrects nothing.
        let factor = if factor > 0.0 { factor } else { 1.0 };
        Ok(Tested { score, factor })
    }

    fn whitened(&self, progress: &mut impl Progress) -> Result<Score, TrendError> {
        let grid = self.grid()?;
        let values = self.series.residuals(|_, value| value);
        let first = match &values {
            Some(values) => first_autocorrelation(values, grid, self.budget, progress)?,
            None => None,
        };
        let (whitened, _) = whitened(self.series.y(), grid, first.unwrap_or_default());
        score(None, &whitened, progress)
    }

    fn whitened_around(
        &self,
        slope: f64,
        residuals: Option<&[f64]>,
        progress: &mut impl Progress,
    ) -> Result<Score, TrendError> {
        let grid = self.grid()?;
        let per_slot = slope * grid.step();
        let flat = vec![
            0.0;
            if residuals.is_none() {
                self.series.len()
            } else {
                0
            }
        ];
        let first = match residuals {
            Some(residuals) => first_autocorrelation(residuals, grid, self.budget, progress)?,
            None => None,
        };
        let (mut values, slots) =
            whitened(residuals.unwrap_or(&flat), grid, first.unwrap_or_default());
        for (value, slot) in values.iter_mut().zip(slots) {
            *value += f64::from(slot) * per_slot;
        }
        score(None, &values, progress)
    }

    fn seasonal(&self, progress: &mut impl Progress) -> Result<Option<Trend>, TrendError> {
        let (series, grid) = (self.series, self.grid()?);
        let seasons = Seasons::new(series, grid, self.plan.seasonality.unwrap_or(1), progress)?;
        let score = seasons.score(progress)?;
        let points = seasons.points();
        let Some(median) = median_slope(&points, progress)? else {
            return Ok(None);
        };
        // Gilbert (1987): Sen's interval over the pairs of all seasons.
        let (low, high) = slope_interval(&points, score.variance, self.plan.confidence, progress)?;
        let autocorrelation = match series.detrended(median, grid) {
            None => None,
            Some(detrended) => {
                let medians = seasons.medians(&detrended, progress)?;
                let residuals = series.residuals(|index, _| {
                    let at = |values: &[f64]| values.get(index).copied().unwrap_or_default();
                    at(&detrended) - at(&medians)
                });
                self.autocorrelation(residuals.as_deref(), progress)?
            }
        };
        let z = score.z(score.variance);
        Ok(Some(Trend {
            slope: series.slope(median)?,
            slope_low: series.slope(low)?,
            slope_high: series.slope(high)?,
            intercept: intercept(series, median, progress)?,
            tau: Some(score.tau()),
            statistic: Some(z),
            p_value: Some(p_value(z)),
            r2: line(series).and_then(|line| line.r2),
            autocorrelation,
        }))
    }

    fn autocorrelation(
        &self,
        residuals: Option<&[f64]>,
        progress: &mut impl Progress,
    ) -> Result<Option<f64>, TrendError> {
        match (self.series.grid(), residuals) {
            (Some(grid), Some(residuals)) => {
                first_autocorrelation(residuals, grid, self.budget, progress)
            }
            _ => Ok(None),
        }
    }
}

/// What is compared with chance.
struct Tested {
    score: Score,
    factor: f64,
}

impl Tested {
    fn variance(&self) -> f64 {
        self.score.variance * self.factor
    }
}
