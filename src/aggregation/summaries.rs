//! The two materialized views.

use super::days::Outcome;
use crate::error::{PgResult, prerequisite};
use crate::sql;

const STATE: &str = include_str!("../../sql/queries/aggregation_summaries.sql");

/// Why somebody may not refresh.
pub(super) const NOT_OWNER: &str =
    "only members of sop_ml_operator, which owns the materialized views, may refresh them";

/// A materialized view and how to refresh it.
pub(super) struct Summary {
    pub(super) step: &'static str,
    pub(super) name: &'static str,
    concurrently: &'static str,
    first_time: &'static str,
}

/// Both of them.
pub(super) const ALL: [Summary; 2] = [
    Summary {
        step: "refresh_daily_summary",
        name: "sop_daily_performance_summary",
        concurrently: include_str!("../../sql/queries/aggregation_refresh_daily_concurrently.sql"),
        first_time: include_str!("../../sql/queries/aggregation_refresh_daily.sql"),
    },
    Summary {
        step: "refresh_weekly_trends",
        name: "sop_weekly_performance_trends",
        concurrently: include_str!("../../sql/queries/aggregation_refresh_weekly_concurrently.sql"),
        first_time: include_str!("../../sql/queries/aggregation_refresh_weekly.sql"),
    },
];

impl Summary {
    fn state(&self) -> PgResult<(bool, bool)> {
        sql::modify(STATE, &[self.name.into()], |row| {
            Ok((row.required(1)?, row.required(2)?))
        })?
        .into_iter()
        .next()
        .ok_or_else(|| {
            prerequisite(format!(
                "materialized view sop_ml_storage.{} does not exist",
                self.name
            ))
            .set_hint("Run SELECT * FROM sop_ml.install() as its owner.")
        })
    }

    pub(super) fn may_refresh(&self) -> PgResult<bool> {
        Ok(self.state()?.0)
    }

    /// Readers are not kept waiting, except the first time.
    pub(super) fn refresh(&self) -> PgResult<()> {
        let (_, is_filled) = self.state()?;
        let statement = if is_filled {
            self.concurrently
        } else {
            self.first_time
        };
        sql::execute(statement, &[]).map(|_| ())
    }

    /// Refreshes, or says why not.
    pub(super) fn refresh_if_allowed(&self) -> PgResult<(Outcome, ())> {
        if !self.may_refresh()? {
            return Ok((Outcome::skipped(NOT_OWNER), ()));
        }
        self.refresh()?;
        Ok((Outcome::default(), ()))
    }
}
