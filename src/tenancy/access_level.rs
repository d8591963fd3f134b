//! What a member may do at a restaurant; each level includes those before it.

/// From reading to administering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AccessLevel {
    /// Reads.
    Viewer,
    /// Also records interactions, events and feedback.
    Staff,
    /// Also prepares features and datasets, trains models, drafts experiments.
    Analyst,
    /// Also deploys models, runs experiments, sets flags and baselines.
    Manager,
    /// Also manages members and settings.
    Owner,
}

impl AccessLevel {
    /// The level with this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "viewer" => Self::Viewer,
            "staff" => Self::Staff,
            "analyst" => Self::Analyst,
            "manager" => Self::Manager,
            "owner" => Self::Owner,
            _ => return None,
        })
    }

    /// Its name in SQL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Staff => "staff",
            Self::Analyst => "analyst",
            Self::Manager => "manager",
            Self::Owner => "owner",
        }
    }
}
