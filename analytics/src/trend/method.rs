//! How a trend is tested.

use super::{TrendError, probability};

/// The test behind a trend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A straight line by least squares with Newey and West's errors.
    OrdinaryLeastSquares,
    /// Mann and Kendall, for independent observations.
    MannKendall,
    /// Mann and Kendall with the variance of Hamed and Rao (1998).
    HamedRao,
    /// Mann and Kendall with the variance of Yue and Wang (2004).
    YueWang,
    /// Mann and Kendall on pre-whitened values (von Storch 1995).
    PreWhitening,
    /// Mann and Kendall on values pre-whitened around their trend (Yue et al. 2002).
    TrendFreePreWhitening,
    /// Mann and Kendall season by season (Hirsch, Slack and Smith 1982).
    SeasonalMannKendall,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 7] = [
        Method::OrdinaryLeastSquares,
        Method::MannKendall,
        Method::HamedRao,
        Method::YueWang,
        Method::PreWhitening,
        Method::TrendFreePreWhitening,
        Method::SeasonalMannKendall,
    ];

    /// The name in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::OrdinaryLeastSquares => "ordinary_least_squares",
            Method::MannKendall => "mann_kendall",
            Method::HamedRao => "hamed_rao",
            Method::YueWang => "yue_wang",
            Method::PreWhitening => "pre_whitening",
            Method::TrendFreePreWhitening => "trend_free_pre_whitening",
            Method::SeasonalMannKendall => "seasonal_mann_kendall",
        }
    }

    /// The smallest `max_lag`; `None` for methods that do not sum over lags.
    fn smallest_lag(self) -> Option<i32> {
        match self {
            Method::OrdinaryLeastSquares => Some(0),
            Method::HamedRao | Method::YueWang => Some(1),
            _ => None,
        }
    }
}

/// Unchecked parameters of a trend test.
#[derive(Debug, Clone, Copy)]
pub struct TrendOptions<'a> {
    /// The name of a [`Method`].
    pub method: &'a str,
    /// Confidence of the interval; the direction is told at 1 minus it.
    pub confidence_level: f64,
    /// Positions in a season: for the seasonal method, which needs it.
    pub seasonality: Option<i32>,
    /// The largest lag whose autocorrelation counts.
    pub max_lag: Option<i32>,
}

/// Checked parameters of a trend test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrendPlan {
    pub(super) method: Method,
    pub(super) confidence: f64,
    pub(super) seasonality: Option<u32>,
    pub(super) max_lag: Option<usize>,
}

impl TrendOptions<'_> {
    /// Checks the parameters.
    ///
    /// # Errors
    /// An unknown method, a confidence outside (0, 1), a season shorter than 2 or missing where one is needed, a lag
    /// below the method's smallest, a parameter that the method does not use.
    pub fn check(self) -> Result<TrendPlan, TrendError> {
        let method = Method::ALL
            .into_iter()
            .find(|method| method.as_str() == self.method)
            .ok_or_else(|| TrendError::UnknownMethod(self.method.to_owned()))?;
        let confidence = probability("confidence_level", self.confidence_level)?;
        let unused = |parameter| TrendError::Unused { method, parameter };
        let seasonality = match (method, self.seasonality) {
            (Method::SeasonalMannKendall, None) => return Err(TrendError::SeasonalityMissing),
            (Method::SeasonalMannKendall, Some(length)) => Some(
                u32::try_from(length)
                    .ok()
                    .filter(|&length| length >= 2)
                    .ok_or(TrendError::Seasonality(length))?,
            ),
            (_, Some(_)) => return Err(unused("seasonality")),
            (_, None) => None,
        };
        let max_lag = match (method.smallest_lag(), self.max_lag) {
            (_, None) => None,
            (None, Some(_)) => return Err(unused("max_lag")),
            (Some(smallest), Some(value)) => Some(
                usize::try_from(value)
                    .ok()
                    .filter(|_| value >= smallest)
                    .ok_or(TrendError::MaxLag {
                        method,
                        smallest,
                        value,
                    })?,
            ),
        };
        Ok(TrendPlan {
            method,
            confidence,
            seasonality,
            max_lag,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: TrendOptions<'_> = TrendOptions {
        method: "mann_kendall",
        confidence_level: 0.95,
        seasonality: None,
        max_lag: None,
    };

    fn refused(options: TrendOptions<'_>) -> String {
        options.check().unwrap_err().to_string()
    }

    #[test]
    fn every_method_has_its_name() {
        for method in Method::ALL {
            let seasonality = (method == Method::SeasonalMannKendall).then_some(7);
            let plan = TrendOptions {
                method: method.as_str(),
                seasonality,
                ..PLAIN
            };
            assert_eq!(plan.check().unwrap().method, method);
        }
    }

    #[test]
    fn what_a_method_cannot_use_is_refused() {
        let method = |method| TrendOptions { method, ..PLAIN };
        assert_eq!(refused(method("guess")), "unknown trend method \"guess\"");
        assert_eq!(
            refused(TrendOptions {
                seasonality: Some(7),
                ..PLAIN
            }),
            "method mann_kendall takes no seasonality"
        );
        assert_eq!(
            refused(TrendOptions {
                max_lag: Some(1),
                ..PLAIN
            }),
            "method mann_kendall takes no max_lag"
        );
        let seasonal = method("seasonal_mann_kendall");
        assert!(refused(seasonal).contains("needs seasonality"));
        assert_eq!(
            refused(TrendOptions {
                seasonality: Some(1),
                ..seasonal
            }),
            "seasonality must be at least 2, not 1"
        );
        for (name, value) in [
            ("hamed_rao", 0),
            ("yue_wang", -1),
            ("ordinary_least_squares", -1),
        ] {
            let found = refused(TrendOptions {
                max_lag: Some(value),
                ..method(name)
            });
            assert!(found.starts_with("max_lag must be at least"), "{found}");
        }
        for confidence_level in [0.0, 1.0, f64::NAN] {
            let options = TrendOptions {
                confidence_level,
                ..PLAIN
            };
            assert!(matches!(
                options.check(),
                Err(TrendError::Probability { .. })
            ));
        }
    }
}
