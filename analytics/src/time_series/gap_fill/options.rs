//! How the empty buckets of a grid are filled.

use crate::error::{Classify, ErrorKind};
use crate::progress::Interrupted;

/// Why buckets were not filled.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GapFillError {
    /// A method that does not exist.
    #[error("unknown fill method \"{0}\"")]
    UnknownMethod(String),
    /// A limit that fills nothing.
    #[error("limit must be at least 1, not {0}")]
    Limit(i32),
    /// A season of fewer than two buckets.
    #[error("seasonality must be at least 2, not {0}")]
    Seasonality(i32),
    /// The seasonal method without the length of the season.
    #[error("method seasonal needs seasonality, the number of buckets in a season")]
    SeasonalityMissing,
    /// The constant method without the constant.
    #[error("method constant needs constant, the value of empty buckets")]
    ConstantMissing,
    /// A constant that is NaN or infinite.
    #[error("constant must be a finite number, not {0}")]
    Constant(f64),
    /// A parameter that the method does not use.
    #[error("method {method} takes no {parameter}", method = .method.as_str())]
    Unused {
        /// The method.
        method: FillMethod,
        /// The parameter's name.
        parameter: &'static str,
    },
    /// Times and values do not pair up.
    #[error("{times} times for {values} values")]
    LengthMismatch {
        /// How many times there are.
        times: usize,
        /// How many values there are.
        values: usize,
    },
    /// A bucket that does not start after the one that precedes it.
    #[error("bucket {position} does not start after the one that precedes it")]
    Unsorted {
        /// Its position, from 1.
        position: usize,
    },
    /// An infinite value, which no line leads to.
    #[error("bucket {position} is infinite")]
    Infinite {
        /// Its position, from 1.
        position: usize,
    },
    /// The caller asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// A season that no finite numbers describe.
    #[error("a seasonal fill is out of range")]
    OutOfRange,
}

impl Classify for GapFillError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::OutOfRange => ErrorKind::OutOfRange,
            Self::Interrupted(error) => error.kind(),
            _ => ErrorKind::InvalidParameter,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownMethod(_) => {
                let names = FillMethod::ALL.map(FillMethod::as_str);
                return Some(format!("The methods are {}.", names.join(", ")));
            }
            Self::Unsorted { .. } => "Order the buckets by time, one row for each.",
            Self::Infinite { .. } => {
                "NaN and NULL count as missing; of infinities only none, locf and constant can tell what follows."
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Where the value of an empty bucket comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillMethod {
    /// From nowhere: empty buckets stay empty.
    None,
    /// The last observation carried forward.
    Locf,
    /// The straight line between the neighbours.
    Interpolate,
    /// The usual value at this place of the season, around the level of the neighbours.
    Seasonal,
    /// One value for all.
    Constant,
}

impl FillMethod {
    /// Every method.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Locf,
        Self::Interpolate,
        Self::Seasonal,
        Self::Constant,
    ];

    /// The name in SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Locf => "locf",
            Self::Interpolate => "interpolate",
            Self::Seasonal => "seasonal",
            Self::Constant => "constant",
        }
    }

    fn takes(self, parameter: &str) -> bool {
        match parameter {
            "limit" => matches!(self, Self::Locf | Self::Interpolate | Self::Seasonal),
            "before_first" => self == Self::Locf,
            "seasonality" => self == Self::Seasonal,
            _ => self == Self::Constant,
        }
    }
}

/// Unchecked parameters of [`super::gap_fill`].
#[derive(Debug, Clone, Copy, Default)]
pub struct GapFillOptions<'a> {
    /// The name of a [`FillMethod`].
    pub method: &'a str,
    /// For `locf` how many buckets in a row are filled; for `interpolate` and `seasonal` how long a gap may be to be filled at
    /// all. In buckets, at least 1; without it there is no limit.
    pub limit: Option<i32>,
    /// For `locf` the value of buckets before the first observation: what was observed before the grid begins.
    pub before_first: Option<f64>,
    /// For `seasonal` the number of buckets in a season, at least 2.
    pub seasonality: Option<i32>,
    /// For `constant` the value.
    pub constant: Option<f64>,
}

/// Checked parameters of [`super::gap_fill`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GapFill {
    pub(super) source: Source,
}

/// A method with what it needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Source {
    None,
    Locf {
        limit: usize,
        before_first: Option<f64>,
    },
    Interpolate {
        limit: usize,
    },
    Seasonal {
        limit: usize,
        seasonality: usize,
    },
    Constant(f64),
}

impl GapFillOptions<'_> {
    /// Checks the parameters.
    ///
    /// A `before_first` that is NaN counts as missing, like any other observation.
    ///
    /// # Errors
    /// An unknown method, a limit below 1, a season shorter than 2 or missing, a constant that is missing or not finite, a
    /// parameter that the method does not use.
    pub fn check(self) -> Result<GapFill, GapFillError> {
        let method = FillMethod::ALL
            .into_iter()
            .find(|method| method.as_str() == self.method)
            .ok_or_else(|| GapFillError::UnknownMethod(self.method.to_owned()))?;
        self.check_unused(method)?;
        let limit = match self.limit {
            None => usize::MAX,
            Some(limit) => at_least(1, limit).ok_or(GapFillError::Limit(limit))?,
        };
        let source = match method {
            FillMethod::None => Source::None,
            FillMethod::Locf => Source::Locf {
                limit,
                before_first: self.before_first.filter(|value| !value.is_nan()),
            },
            FillMethod::Interpolate => Source::Interpolate { limit },
            FillMethod::Seasonal => {
                let length = self.seasonality.ok_or(GapFillError::SeasonalityMissing)?;
                Source::Seasonal {
                    limit,
                    seasonality: at_least(2, length).ok_or(GapFillError::Seasonality(length))?,
                }
            }
            FillMethod::Constant => {
                let value = self.constant.ok_or(GapFillError::ConstantMissing)?;
                if !value.is_finite() {
                    return Err(GapFillError::Constant(value));
                }
                Source::Constant(value)
            }
        };
        Ok(GapFill { source })
    }

    fn check_unused(&self, method: FillMethod) -> Result<(), GapFillError> {
        let given = [
            ("limit", self.limit.is_some()),
            ("before_first", self.before_first.is_some()),
            ("seasonality", self.seasonality.is_some()),
            ("constant", self.constant.is_some()),
        ];
        match given
            .into_iter()
            .find(|&(parameter, given)| given && !method.takes(parameter))
        {
            Some((parameter, _)) => Err(GapFillError::Unused { method, parameter }),
            None => Ok(()),
        }
    }
}

fn at_least(smallest: i32, value: i32) -> Option<usize> {
    usize::try_from(value).ok().filter(|_| value >= smallest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_filled_is_refused() {
        let of = |method| GapFillOptions {
            method,
            ..GapFillOptions::default()
        };
        let refused = |options: GapFillOptions<'_>| options.check().unwrap_err().to_string();
        assert_eq!(refused(of("guess")), "unknown fill method \"guess\"");
        assert_eq!(
            of("guess").check().unwrap_err().hint().unwrap(),
            "The methods are none, locf, interpolate, seasonal, constant."
        );
        assert!(refused(of("seasonal")).contains("needs seasonality"));
        assert!(refused(of("constant")).contains("needs constant"));
        let options = GapFillOptions {
            seasonality: Some(1),
            ..of("seasonal")
        };
        assert_eq!(refused(options), "seasonality must be at least 2, not 1");
        let options = GapFillOptions {
            limit: Some(0),
            ..of("locf")
        };
        assert_eq!(refused(options), "limit must be at least 1, not 0");
        for constant in [f64::NAN, f64::INFINITY] {
            let options = GapFillOptions {
                constant: Some(constant),
                ..of("constant")
            };
            assert!(refused(options).contains("finite"));
        }
    }

    #[test]
    fn what_a_method_cannot_use_is_refused() {
        let full = GapFillOptions {
            method: "",
            limit: Some(1),
            before_first: Some(1.0),
            seasonality: Some(7),
            constant: Some(0.0),
        };
        for (method, parameter) in [
            ("none", "limit"),
            ("locf", "seasonality"),
            ("interpolate", "before_first"),
            ("seasonal", "before_first"),
            ("constant", "limit"),
        ] {
            let found = GapFillOptions { method, ..full }.check().unwrap_err();
            assert_eq!(
                found.to_string(),
                format!("method {method} takes no {parameter}")
            );
        }
    }
}
