//! How many points are kept, and which.

use crate::error::{Classify, ErrorKind};
use crate::progress::Interrupted;

/// Why points were not selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownsampleError {
    /// A method that does not exist.
    #[error("unknown downsampling method \"{0}\"")]
    UnknownMethod(String),
    /// Fewer points than the method can keep.
    #[error("threshold must be at least {smallest} for method {method}, not {value}", method = .method.as_str())]
    Threshold {
        /// The method.
        method: DownsampleMethod,
        /// The fewest points that it keeps.
        smallest: i32,
        /// What was given.
        value: i32,
    },
    /// The caller asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Times and values do not pair up.
    #[error("{times} times for {values} values")]
    LengthMismatch {
        /// How many times there are.
        times: usize,
        /// How many values there are.
        values: usize,
    },
    /// A time before the one that precedes it.
    #[error("time {position} lies before the one that precedes it")]
    Unsorted {
        /// Its position, from 1.
        position: usize,
    },
    /// A value that no picture has room for.
    #[error("value {position} is infinite")]
    Infinite {
        /// Its position, from 1.
        position: usize,
    },
}

impl Classify for DownsampleError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Interrupted(error) => error.kind(),
            _ => ErrorKind::InvalidParameter,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownMethod(_) => {
                let names = DownsampleMethod::ALL.map(DownsampleMethod::as_str);
                return Some(format!("The methods are {}.", names.join(", ")));
            }
            Self::Unsorted { .. } => "Order the points by time.",
            Self::Infinite { .. } => "NaN and NULL values count as missing; infinities do not.",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Which points are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownsampleMethod {
    /// Largest triangle three buckets (Steinarsson 2013): the shape that the eye sees, for line charts.
    Lttb,
    /// The smallest and the largest value of each bucket: no extreme is lost, for limits that must not be exceeded.
    MinMax,
}

impl DownsampleMethod {
    /// Every method.
    pub const ALL: [Self; 2] = [Self::Lttb, Self::MinMax];

    /// The name in SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lttb => "lttb",
            Self::MinMax => "min_max",
        }
    }

    /// The first and the last point, and one bucket's share between them.
    const fn smallest_threshold(self) -> i32 {
        match self {
            Self::Lttb => 3,
            Self::MinMax => 4,
        }
    }

    /// How many points a bucket can give.
    pub(super) const fn points_per_bucket(self) -> usize {
        match self {
            Self::Lttb => 1,
            Self::MinMax => 2,
        }
    }
}

/// Unchecked parameters of [`super::downsample`].
#[derive(Debug, Clone, Copy)]
pub struct DownsampleOptions<'a> {
    /// The name of a [`DownsampleMethod`].
    pub method: &'a str,
    /// The most points to keep: at least 3, and 4 for `min_max`.
    pub threshold: i32,
}

/// Checked parameters of [`super::downsample`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Downsample {
    pub(super) method: DownsampleMethod,
    pub(super) threshold: usize,
}

impl DownsampleOptions<'_> {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`DownsampleError::UnknownMethod`], [`DownsampleError::Threshold`].
    pub fn check(self) -> Result<Downsample, DownsampleError> {
        let method = DownsampleMethod::ALL
            .into_iter()
            .find(|method| method.as_str() == self.method)
            .ok_or_else(|| DownsampleError::UnknownMethod(self.method.to_owned()))?;
        let smallest = method.smallest_threshold();
        let threshold = usize::try_from(self.threshold)
            .ok()
            .filter(|_| self.threshold >= smallest)
            .ok_or(DownsampleError::Threshold {
                method,
                smallest,
                value: self.threshold,
            })?;
        Ok(Downsample { method, threshold })
    }
}
