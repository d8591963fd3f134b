//! Which method, and with which parameters.

use crate::error::{Classify, ErrorKind};

/// A way to compute a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// The median of recent days.
    RollingMedian,
    /// The mean of recent days.
    RollingMean,
    /// The exponentially weighted mean of recent days.
    Ewma,
    /// The median of each weekday.
    Weekday,
    /// The median of each hour of each weekday.
    WeekdayHour,
    /// The median of the days around the same day of last year.
    PreviousYear,
    /// The mean from a chosen day on.
    FixedWindow,
    /// The own mean, drawn towards that of the restaurant's other SOPs.
    Shrunken,
    /// A quantile of the restaurants of the same kind.
    PeerQuantile,
}

impl Method {
    /// All methods that can be computed; a target is set by people.
    pub const ALL: [Method; 9] = [
        Method::RollingMedian,
        Method::RollingMean,
        Method::Ewma,
        Method::Weekday,
        Method::WeekdayHour,
        Method::PreviousYear,
        Method::FixedWindow,
        Method::Shrunken,
        Method::PeerQuantile,
    ];

    /// The name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::RollingMedian => "rolling_median",
            Method::RollingMean => "rolling_mean",
            Method::Ewma => "ewma",
            Method::Weekday => "weekday",
            Method::WeekdayHour => "weekday_hour",
            Method::PreviousYear => "previous_year",
            Method::FixedWindow => "fixed_window",
            Method::Shrunken => "shrunken",
            Method::PeerQuantile => "peer_quantile",
        }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// When there is no such method.
    pub fn parse(name: &str) -> Result<Self, OptionsError> {
        Method::ALL
            .into_iter()
            .find(|method| method.name() == name)
            .ok_or_else(|| OptionsError::Method(name.to_owned()))
    }

    /// How many days it looks back if nothing else is said.
    #[must_use]
    pub fn default_window(self) -> i32 {
        match self {
            Method::Weekday | Method::WeekdayHour => 56,
            Method::Ewma => 84,
            _ => 28,
        }
    }

    fn takes_window(self) -> bool {
        !matches!(self, Method::FixedWindow | Method::PeerQuantile)
    }
}

/// Parameters as they came.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BaselineOptions {
    /// Days to look back.
    pub window_days: Option<i32>,
    /// Days after which a period weighs half (`ewma`).
    pub half_life_days: Option<f64>,
    /// 0.25, 0.5 or 0.75 (`peer_quantile`).
    pub quantile: Option<f64>,
    /// Days since the first day (`fixed_window`), that day and the last one included.
    pub fixed_days: Option<i32>,
}

/// Parameters that fit their method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CheckedOptions {
    /// Days to look back, the last one included.
    pub window_days: i32,
    /// In days.
    pub half_life: f64,
    /// One of [`super::PEER_QUANTILES`].
    pub quantile: f64,
}

/// A bad method or parameter.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OptionsError {
    /// No such method.
    #[error("unknown baseline method \"{0}\"")]
    Method(String),
    /// A parameter of another method.
    #[error("option {0} is not for method {1}")]
    NotForMethod(&'static str, &'static str),
    /// Windows have 7 to 730 days.
    #[error("window_days must be between 7 and 730, not {0}")]
    Window(i32),
    /// Half lives have half a day to a year.
    #[error("half_life_days must be between 0.5 and 365, not {0}")]
    HalfLife(f64),
    /// Other quantiles would show single restaurants.
    #[error("quantile must be 0.25, 0.5 or 0.75, not {0}")]
    Quantile(f64),
    /// A fixed window has a first day.
    #[error("fixed_window needs option first_day, from 2 to 3660 days before the last one")]
    FirstDay,
}

impl Classify for OptionsError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidParameter
    }

    fn hint(&self) -> Option<String> {
        match self {
            OptionsError::Method(_) => Some(format!(
                "Methods are {}; a target is inserted into sop_performance_baselines.",
                Method::ALL.map(Method::name).join(", ")
            )),
            _ => None,
        }
    }
}

impl BaselineOptions {
    /// Checks the parameters against the method.
    ///
    /// # Errors
    /// The first parameter that is out of range or not the method's.
    pub fn check(self, method: Method) -> Result<CheckedOptions, OptionsError> {
        let foreign = |option| Err(OptionsError::NotForMethod(option, method.name()));
        if self.window_days.is_some() && !method.takes_window() {
            return foreign("window_days");
        }
        if self.half_life_days.is_some() && method != Method::Ewma {
            return foreign("half_life_days");
        }
        if self.quantile.is_some() && method != Method::PeerQuantile {
            return foreign("quantile");
        }
        let window_days = match (method, self.fixed_days) {
            (Method::FixedWindow, Some(days)) if (3..=3661).contains(&days) => days,
            (Method::FixedWindow, _) => return Err(OptionsError::FirstDay),
            (_, Some(_)) => return foreign("first_day"),
            (_, None) => self.window_days.unwrap_or(method.default_window()),
        };
        if method != Method::FixedWindow && !(7..=730).contains(&window_days) {
            return Err(OptionsError::Window(window_days));
        }
        let half_life = self.half_life_days.unwrap_or(7.0);
        if !(0.5..=365.0).contains(&half_life) {
            return Err(OptionsError::HalfLife(half_life));
        }
        let quantile = self.quantile.unwrap_or(0.5);
        if !super::PEER_QUANTILES.contains(&quantile) {
            return Err(OptionsError::Quantile(quantile));
        }
        Ok(CheckedOptions {
            window_days,
            half_life,
            quantile,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.name()), Ok(method));
        }
        assert!(Method::parse("target").is_err());
    }

    #[test]
    fn each_bad_value_has_its_error() {
        let options = BaselineOptions::default();
        let window = |days| BaselineOptions {
            window_days: Some(days),
            ..options
        };
        assert_eq!(
            window(6).check(Method::RollingMean),
            Err(OptionsError::Window(6))
        );
        assert!(window(7).check(Method::Weekday).is_ok());
        assert!(window(7).check(Method::PeerQuantile).is_err());
        let half_life = |days| BaselineOptions {
            half_life_days: Some(days),
            ..options
        };
        assert!(half_life(f64::NAN).check(Method::Ewma).is_err());
        assert!(half_life(3.0).check(Method::RollingMean).is_err());
        let quantile = |q| BaselineOptions {
            quantile: Some(q),
            ..options
        };
        assert_eq!(
            quantile(0.9).check(Method::PeerQuantile),
            Err(OptionsError::Quantile(0.9))
        );
        assert!(quantile(0.25).check(Method::PeerQuantile).is_ok());
        assert!(quantile(0.25).check(Method::Ewma).is_err());
        assert_eq!(
            options.check(Method::FixedWindow),
            Err(OptionsError::FirstDay)
        );
        let fixed = BaselineOptions {
            fixed_days: Some(30),
            ..options
        };
        assert_eq!(fixed.check(Method::FixedWindow).unwrap().window_days, 30);
        assert!(fixed.check(Method::Ewma).is_err());
    }
}
