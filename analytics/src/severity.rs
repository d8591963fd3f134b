//! How bad a finding is: one ordered scale for drift and anomalies.

/// Severity of a finding; the order of the variants is the order of badness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing to report.
    None,
    /// Real, but too small to act on.
    Low,
    /// Worth a look.
    Medium,
    /// Needs action.
    High,
    /// Needs action now.
    Critical,
}

impl Severity {
    /// The name used in tables and results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::None,
            Self::Low,
            Self::Medium,
            Self::High,
            Self::Critical,
        ]
        .into_iter()
        .find(|severity| severity.as_str() == name)
    }
}

/// Four increasing bounds that turn the size of an effect into a [`Severity`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// At or above: low.
    pub low: f64,
    /// At or above: medium.
    pub medium: f64,
    /// At or above: high.
    pub high: f64,
    /// At or above: critical.
    pub critical: f64,
}

impl Bounds {
    /// Bounds in increasing order.
    #[must_use]
    pub const fn new(low: f64, medium: f64, high: f64, critical: f64) -> Self {
        Self {
            low,
            medium,
            high,
            critical,
        }
    }

    /// Whether the bounds are finite, positive and do not decrease.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.low > 0.0
            && self.low <= self.medium
            && self.medium <= self.high
            && self.high <= self.critical
            && self.critical.is_finite()
    }

    /// The severity of an effect of this size; NaN is [`Severity::None`].
    #[must_use]
    pub fn classify(&self, effect: f64) -> Severity {
        if effect >= self.critical {
            Severity::Critical
        } else if effect >= self.high {
            Severity::High
        } else if effect >= self.medium {
            Severity::Medium
        } else if effect >= self.low {
            Severity::Low
        } else {
            Severity::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_order_is_badness() {
        let all = ["none", "low", "medium", "high", "critical"];
        let parsed: Vec<_> = all
            .iter()
            .map(|name| Severity::parse(name).unwrap())
            .collect();
        assert!(parsed.is_sorted());
        for (severity, name) in parsed.iter().zip(all) {
            assert_eq!(severity.as_str(), name);
        }
        assert_eq!(Severity::parse("High"), None);
    }

    #[test]
    fn bounds_classify_at_their_edges() {
        let bounds = Bounds::new(0.1, 0.25, 0.5, 1.0);
        assert!(bounds.is_valid());
        assert_eq!(bounds.classify(0.099_999), Severity::None);
        assert_eq!(bounds.classify(0.1), Severity::Low);
        assert_eq!(bounds.classify(0.25), Severity::Medium);
        assert_eq!(bounds.classify(0.5), Severity::High);
        assert_eq!(bounds.classify(f64::INFINITY), Severity::Critical);
        assert_eq!(bounds.classify(f64::NAN), Severity::None);
        assert!(!Bounds::new(0.1, 0.05, 0.5, 1.0).is_valid());
        assert!(!Bounds::new(f64::NAN, 0.05, 0.5, 1.0).is_valid());
        assert!(!Bounds::new(0.1, 0.2, 0.5, f64::INFINITY).is_valid());
    }
}
