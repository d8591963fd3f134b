//! What the queue can run: a fixed list, so that a job is never a text of SQL.

use crate::jsonb::JsonB;
use serde_json::{Map, Value};

use crate::error::{PgResult, insufficient_privilege, invalid_parameter};
use crate::tenancy::{self, AccessLevel};

/// A kind of job.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// $1 restaurant (NULL for all), $2 parameters; returns one jsonb.
    pub(super) statement: &'static str,
    parameters: &'static [&'static str],
    /// The level that enqueuing needs; `None` for operators only.
    level: Option<AccessLevel>,
    /// Whether it can work for all restaurants at once.
    pub(super) for_installation: bool,
}

const KINDS: [Kind; 7] = [
    Kind {
        name: "run_daily_ml_aggregation",
        statement: include_str!("../../sql/queries/job_run_daily_ml_aggregation.sql"),
        parameters: &["day"],
        level: Some(AccessLevel::Manager),
        for_installation: true,
    },
    Kind {
        name: "aggregate_performance",
        statement: include_str!("../../sql/queries/job_aggregate_performance.sql"),
        parameters: &["from_time", "to_time"],
        level: Some(AccessLevel::Manager),
        for_installation: false,
    },
    Kind {
        name: "compute_baselines",
        statement: include_str!("../../sql/queries/job_compute_baselines.sql"),
        parameters: &["method", "day", "options"],
        level: Some(AccessLevel::Manager),
        for_installation: false,
    },
    Kind {
        name: "validate_ml_training_data_quality",
        statement: include_str!("../../sql/queries/job_validate_ml_training_data_quality.sql"),
        parameters: &["relation", "options"],
        level: Some(AccessLevel::Analyst),
        for_installation: false,
    },
    Kind {
        name: "refresh_performance_summaries",
        statement: include_str!("../../sql/queries/job_refresh_performance_summaries.sql"),
        parameters: &[],
        level: None,
        for_installation: true,
    },
    Kind {
        name: "maintain_partitions",
        statement: include_str!("../../sql/queries/job_maintain_partitions.sql"),
        parameters: &["months_ahead", "retention"],
        level: None,
        for_installation: true,
    },
    Kind {
        name: "apply_time_series_policies",
        statement: include_str!("../../sql/queries/job_apply_time_series_policies.sql"),
        parameters: &[],
        level: None,
        for_installation: true,
    },
];

/// The kind with this name.
pub(super) fn find(name: &str) -> PgResult<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        invalid_parameter(format!("unknown job \"{name}\""))
            .set_hint(format!("Jobs are {}.", names.join(", ")))
    })
}

impl Kind {
    /// The parameters as an object with known keys.
    pub(super) fn check(&self, parameters: Option<JsonB>) -> PgResult<Value> {
        let Some(JsonB(value)) = parameters else {
            return Ok(Value::Object(Map::new()));
        };
        let Value::Object(given) = &value else {
            return Err(invalid_parameter("parameters must be a JSON object"));
        };
        match given
            .keys()
            .find(|key| !self.parameters.contains(&key.as_str()))
        {
            None => Ok(value),
            Some(key) => Err(invalid_parameter(format!(
                "job \"{}\" has no parameter \"{key}\"",
                self.name
            ))
            .set_hint(if self.parameters.is_empty() {
                "It has none.".to_owned()
            } else {
                format!("Its parameters are {}.", self.parameters.join(", "))
            })),
        }
    }

    /// Fails unless the caller may have such a job run.
    pub(super) fn require_access(&self) -> PgResult<()> {
        match self.level {
            Some(level) => tenancy::require(level),
            None if tenancy::may_see_all()? => Ok(()),
            None => Err(insufficient_privilege(format!(
                "job \"{}\" is for operators",
                self.name
            ))),
        }
    }
}
