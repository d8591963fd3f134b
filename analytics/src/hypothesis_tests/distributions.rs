//! The distributions that a sample can be held against.

use super::error::{HypothesisError, named};
use crate::statistics::special::{gamma_regularised, normal_upper};

/// A continuous distribution with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Normal.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation, above 0.
        deviation: f64,
    },
    /// Uniform between two bounds. With 0 and 1 the sample can be the values of any distribution function.
    Uniform {
        /// The lower bound.
        lower: f64,
        /// The upper bound, above the lower.
        upper: f64,
    },
    /// Exponential.
    Exponential {
        /// The mean, above 0.
        mean: f64,
    },
    /// The exponential of a normal variable.
    LogNormal {
        /// The mean of the logarithm.
        mean: f64,
        /// The standard deviation of the logarithm, above 0.
        deviation: f64,
    },
    /// Weibull.
    Weibull {
        /// The shape, above 0.
        shape: f64,
        /// The scale, above 0.
        scale: f64,
    },
    /// Gamma.
    Gamma {
        /// The shape, above 0.
        shape: f64,
        /// The scale, above 0.
        scale: f64,
    },
    /// Logistic.
    Logistic {
        /// The mean.
        mean: f64,
        /// The scale, above 0.
        scale: f64,
    },
}

/// Which distribution, before its parameters are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// [`Distribution::Normal`].
    Normal,
    /// [`Distribution::Uniform`].
    Uniform,
    /// [`Distribution::Exponential`].
    Exponential,
    /// [`Distribution::LogNormal`].
    LogNormal,
    /// [`Distribution::Weibull`].
    Weibull,
    /// [`Distribution::Gamma`].
    Gamma,
    /// [`Distribution::Logistic`].
    Logistic,
}

impl Family {
    /// The family of this name.
    ///
    /// # Errors
    /// [`HypothesisError::Word`] for any other name.
    pub fn named(name: &str) -> Result<Self, HypothesisError> {
        named(
            "distribution",
            "normal, uniform, exponential, log_normal, weibull, gamma or logistic",
            &[
                ("normal", Self::Normal),
                ("uniform", Self::Uniform),
                ("exponential", Self::Exponential),
                ("log_normal", Self::LogNormal),
                ("weibull", Self::Weibull),
                ("gamma", Self::Gamma),
                ("logistic", Self::Logistic),
            ],
            name,
        )
    }

    /// The name that callers use, and the parameters.
    #[must_use]
    pub fn signature(self) -> (&'static str, &'static str) {
        match self {
            Self::Normal => ("normal", "{mean, stddev}, stddev > 0"),
            Self::Uniform => ("uniform", "{lower, upper}, lower < upper"),
            Self::Exponential => ("exponential", "{mean}, mean > 0"),
            Self::LogNormal => ("log_normal", "{mean, stddev} of the logarithm, stddev > 0"),
            Self::Weibull => ("weibull", "{shape, scale}, both > 0"),
            Self::Gamma => ("gamma", "{shape, scale}, both > 0"),
            Self::Logistic => ("logistic", "{mean, scale}, scale > 0"),
        }
    }

    /// The distribution with these parameters; without any, the standard one where there is one (mean 0 and standard
    /// deviation or scale 1, bounds 0 and 1, mean 1).
    ///
    /// # Errors
    /// [`HypothesisError::Parameters`] for a wrong number of parameters or one out of range.
    pub fn with(self, parameters: Option<&[f64]>) -> Result<Distribution, HypothesisError> {
        let (name, expected) = self.signature();
        let refused = HypothesisError::Parameters {
            distribution: name,
            expected,
        };
        if parameters.is_some_and(|given| given.iter().any(|value| !value.is_finite())) {
            return Err(refused);
        }
        let distribution = match (self, parameters) {
            (Self::Normal, None) => Distribution::Normal {
                mean: 0.0,
                deviation: 1.0,
            },
            (Self::Uniform, None) => Distribution::Uniform {
                lower: 0.0,
                upper: 1.0,
            },
            (Self::Exponential, None) => Distribution::Exponential { mean: 1.0 },
            (Self::LogNormal, None) => Distribution::LogNormal {
                mean: 0.0,
                deviation: 1.0,
            },
            (Self::Logistic, None) => Distribution::Logistic {
                mean: 0.0,
                scale: 1.0,
            },
            (Self::Normal, Some(&[mean, deviation])) if deviation > 0.0 => {
                Distribution::Normal { mean, deviation }
            }
            (Self::Uniform, Some(&[lower, upper])) if lower < upper => {
                Distribution::Uniform { lower, upper }
            }
            (Self::Exponential, Some(&[mean])) if mean > 0.0 => Distribution::Exponential { mean },
            (Self::LogNormal, Some(&[mean, deviation])) if deviation > 0.0 => {
                Distribution::LogNormal { mean, deviation }
            }
            (Self::Weibull, Some(&[shape, scale])) if shape > 0.0 && scale > 0.0 => {
                Distribution::Weibull { shape, scale }
            }
            (Self::Gamma, Some(&[shape, scale])) if shape > 0.0 && scale > 0.0 => {
                Distribution::Gamma { shape, scale }
            }
            (Self::Logistic, Some(&[mean, scale])) if scale > 0.0 => {
                Distribution::Logistic { mean, scale }
            }
            _ => return Err(refused),
        };
        Ok(distribution)
    }
}

impl Distribution {
    /// The probabilities below and above a value; the smaller one has full relative accuracy.
    #[must_use]
    pub fn tails(&self, value: f64) -> (f64, f64) {
        match *self {
            Self::Normal { mean, deviation } => normal_tails((value - mean) / deviation),
            Self::Uniform { lower, upper } => {
                let width = upper - lower;
                let share = |part: f64| (part / width).clamp(0.0, 1.0);
                (share(value - lower), share(upper - value))
            }
            Self::Exponential { mean } => decay(value / mean),
            Self::LogNormal { mean, deviation } => {
                if value <= 0.0 {
                    return (0.0, 1.0);
                }
                normal_tails((value.ln() - mean) / deviation)
            }
            Self::Weibull { shape, scale } => {
                if value <= 0.0 {
                    return (0.0, 1.0);
                }
                decay((value / scale).powf(shape))
            }
            Self::Gamma { shape, scale } => gamma_regularised(shape, value / scale),
            Self::Logistic { mean, scale } => {
                let z = (value - mean) / scale;
                (1.0 / (1.0 + (-z).exp()), 1.0 / (1.0 + z.exp()))
            }
        }
    }
}

fn normal_tails(z: f64) -> (f64, f64) {
    (normal_upper(-z), normal_upper(z))
}

/// `(1 - e^-x, e^-x)`, everything above below 0.
fn decay(x: f64) -> (f64, f64) {
    let x = x.max(0.0);
    (-(-x).exp_m1(), (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_checked() {
        for (name, good, bad) in [
            ("normal", vec![0.0, 2.0], vec![0.0, 0.0]),
            ("uniform", vec![1.0, 2.0], vec![2.0, 2.0]),
            ("exponential", vec![3.0], vec![-1.0]),
            ("log_normal", vec![0.0, 1.0], vec![0.0]),
            ("weibull", vec![1.5, 2.0], vec![0.0, 1.0]),
            ("gamma", vec![1.5, 2.0], vec![1.0, 2.0, 3.0]),
            ("logistic", vec![0.0, 1.0], vec![f64::NAN, 1.0]),
        ] {
            let family = Family::named(name).unwrap();
            assert_eq!(family.signature().0, name);
            let distribution = family.with(Some(&good)).unwrap();
            for value in [-1e300, -1.0, 0.0, 0.5, 1.7, 1e300, f64::INFINITY] {
                let (below, above) = distribution.tails(value);
                assert!((below + above - 1.0).abs() < 1e-14, "{name} at {value}");
            }
            assert_eq!(distribution.tails(f64::NEG_INFINITY), (0.0, 1.0), "{name}");
            assert!(matches!(
                family.with(Some(&bad)),
                Err(HypothesisError::Parameters { .. })
            ));
        }
        assert!(Family::Gamma.with(None).is_err());
        assert!(Family::named("cauchy").is_err());
    }
}
