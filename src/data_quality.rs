//! Checks the rows of a relation against rules, and keeps the report.

mod checks;
mod relation;
mod rules;
mod statements;

use std::collections::BTreeMap;

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use sop_analytics::data_quality::{Tolerance, Verdict, overall_score};

use self::checks::Check;
use self::relation::Relation;
use self::rules::Rule;
use self::statements::{Scope, Writer};
use crate::alerts::{self, Alert};
use crate::arguments::required;
use crate::error::{PgResult, from_analytics, internal, invalid_parameter};
use crate::jsonb::JsonB;
use crate::regclass::RegClass;
use crate::{options, sql, tenancy};

const BEGIN: &str = include_str!("../sql/queries/data_quality_begin.sql");
const STORE: &str = include_str!("../sql/queries/data_quality_store.sql");

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct QualityOptions {
    rules: Option<Vec<String>>,
    samples: i64,
    warn: Option<f64>,
    fail: Option<f64>,
    thresholds: BTreeMap<String, Thresholds>,
    from_time: Option<String>,
    to_time: Option<String>,
    time_column: Option<String>,
    label: Option<String>,
    features: Option<Vec<String>>,
    store: bool,
    alert: bool,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Thresholds {
    warn: Option<f64>,
    fail: Option<f64>,
}

impl Default for QualityOptions {
    fn default() -> Self {
        Self {
            rules: None,
            samples: 5,
            warn: None,
            fail: None,
            thresholds: BTreeMap::new(),
            from_time: None,
            to_time: None,
            time_column: None,
            label: None,
            features: None,
            store: true,
            alert: true,
        }
    }
}

impl QualityOptions {
    /// The rules asked for, with the thresholds asked for.
    fn choose(&self, mut rules: Vec<Rule>) -> PgResult<Vec<Rule>> {
        let asked = self.rules.iter().flatten().chain(self.thresholds.keys());
        for name in asked {
            if !rules.iter().any(|rule| rule.check == *name) {
                let known: Vec<&str> = rules.iter().map(|rule| rule.check.as_str()).collect();
                return Err(
                    invalid_parameter(format!("the relation has no check \"{name}\""))
                        .set_hint(format!("Its checks are {}.", known.join(", "))),
                );
            }
        }
        if let Some(names) = &self.rules {
            rules.retain(|rule| names.contains(&rule.check));
        }
        for rule in &mut rules {
            let own = self
                .thresholds
                .get(&rule.check)
                .copied()
                .unwrap_or_default();
            let warn = own.warn.or(self.warn);
            let fail = own.fail.or(self.fail);
            // One of the two alone moves the other out of its way.
            (rule.warn, rule.fail) = match (warn, fail) {
                (Some(warn), Some(fail)) => (warn, fail),
                (Some(warn), None) => (warn, rule.fail.max(warn)),
                (None, Some(fail)) => (rule.warn.min(fail), fail),
                (None, None) => (rule.warn, rule.fail),
            };
            Tolerance::new(rule.warn, rule.fail).map_err(from_analytics)?;
        }
        Ok(rules)
    }

    /// The columns named must exist.
    fn check_columns(&self, relation: &Relation) -> PgResult<()> {
        let named = (self.time_column.iter())
            .chain(&self.label)
            .chain(self.features.iter().flatten());
        for name in named {
            if relation.column(name).is_none() {
                return Err(invalid_parameter(format!(
                    "relation {} has no column \"{name}\"",
                    relation.full_name()
                )));
            }
        }
        Ok(())
    }

    fn scope(
        &self,
        restaurant: Uuid,
        relation: &Relation,
        time_column: Option<String>,
    ) -> PgResult<Scope> {
        let time_column = self.time_column.clone().or(time_column);
        let limited = self.from_time.is_some() || self.to_time.is_some();
        let column = time_column
            .as_deref()
            .and_then(|name| relation.column(name));
        if limited && !column.is_some_and(relation::Column::is_time) {
            return Err(invalid_parameter(
                "options from_time and to_time need a column with the time of a row",
            )
            .set_hint("Name it in option time_column."));
        }
        Ok(Scope {
            restaurant,
            time_column: time_column.filter(|_| limited),
            from: options::timestamp("from_time", self.from_time.as_deref())?,
            to: options::timestamp("to_time", self.to_time.as_deref())?,
        })
    }
}

/// One row per check, then one for the whole report.
#[pg_extern(volatile)]
#[search_path(pg_catalog, pg_temp)]
fn validate_ml_training_data_quality(
    restaurant_id: Option<Uuid>,
    relation: Option<RegClass>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(check, String),
            name!(dimension, String),
            name!(column_name, Option<String>),
            name!(severity, String),
            name!(rows_checked, i64),
            name!(rows_failed, Option<i64>),
            name!(rate, Option<f64>),
            name!(rate_low, Option<f64>),
            name!(rate_high, Option<f64>),
            name!(sample_keys, Option<JsonB>),
            name!(score, Option<f64>),
        ),
    >,
    pg_sys::panic::ErrorReport,
> {
    let options: QualityOptions = options::parse(options)?;
    if !(0..=1000).contains(&options.samples) {
        return Err(invalid_parameter(format!(
            "option samples must lie between 0 and 1000, not {}",
            options.samples
        )));
    }
    let relation = required("relation", relation)?;
    if options.store {
        sql::require_writable(c"validate_ml_training_data_quality()");
    }
    let restaurant = tenancy::resolve(restaurant_id)?;
    let relation = Relation::read(relation)?;
    options.check_columns(&relation)?;
    let shipped = rules::shipped()?;
    let ruleset = shipped.of(
        &relation,
        options.label.as_deref(),
        options.features.as_deref(),
    );
    let scope = options.scope(restaurant, &relation, ruleset.time_column)?;
    let rules = options.choose(ruleset.rules)?;
    let (report, started_at) = sql::select_one(BEGIN, &[], |row| {
        Ok((
            row.required::<Uuid>(1)?,
            row.required::<TimestampWithTimeZone>(2)?,
        ))
    })?
    .ok_or_else(|| internal("no report identity"))?;
    let writer = Writer {
        relation: &relation,
        scope: &scope,
    };
    let (rows, checks) = checks::run(writer, rules, options.samples)?;
    let overall = overall_score(
        checks
            .iter()
            .map(|c| (c.rule.dimension.as_str(), &c.judgement)),
    );
    if options.store {
        let alerts: Vec<Alert> = if options.alert {
            let failed = checks.iter().filter(|c| c.verdict() == Verdict::Fail);
            failed.map(|check| alert(&relation, check)).collect()
        } else {
            Vec::new()
        };
        let raised = alerts::raise(restaurant, Some(report), alerts)?;
        let stored = checks.iter().map(|check| {
            let alert = raised
                .get(&dedup_key(&relation, check))
                .map(Uuid::to_string);
            stored(check, alert)
        });
        sql::execute(
            STORE,
            &[
                restaurant.into(),
                report.into(),
                relation.full_name().into(),
                scope.from.into(),
                scope.to.into(),
                overall.into(),
                shipped.version.into(),
                started_at.into(),
                JsonB(Value::Array(stored.collect())).into(),
            ],
        )?;
    }
    let worst = checks.iter().map(Check::verdict).max();
    let total = (
        "overall".to_owned(),
        "overall".to_owned(),
        None,
        worst.unwrap_or(Verdict::Info).as_str().to_owned(),
        rows,
        None,
        None,
        None,
        None,
        None,
        overall,
    );
    let rows = checks.into_iter().map(|check| {
        let severity = check.verdict().as_str().to_owned();
        let column = check.rule.column().map(ToOwned::to_owned);
        (
            check.rule.check,
            check.rule.dimension,
            column,
            severity,
            check.rows_checked,
            Some(check.rows_failed),
            check.judgement.rate,
            check.judgement.rate_low,
            check.judgement.rate_high,
            check.sample_keys.map(|keys| JsonB(Value::Array(keys))),
            check.judgement.score,
        )
    });
    Ok(TableIterator::new(rows.chain(std::iter::once(total))))
}

fn stored(check: &Check, alert: Option<String>) -> Value {
    let status = match (check.is_skipped(), check.verdict()) {
        (true, _) => "skipped",
        (false, Verdict::Info) => "passed",
        (false, _) => "failed",
    };
    json!({
        "check_name": check.rule.check,
        "dimension": check.rule.dimension,
        "column_name": check.rule.column(),
        "severity": check.verdict().as_str(),
        "status": status,
        "rule": check.rule,
        "rows_checked": check.rows_checked,
        "rows_failed": check.rows_failed,
        "rate": check.judgement.rate,
        "rate_low": check.judgement.rate_low,
        "rate_high": check.judgement.rate_high,
        "threshold": check.rule.warn,
        "sample_keys": check.sample_keys,
        "score": check.judgement.score,
        "details": check.details,
        "alert_id": alert,
    })
}

fn dedup_key(relation: &Relation, check: &Check) -> String {
    format!("quality:{}:{}", relation.full_name(), check.rule.check)
}

fn alert(relation: &Relation, check: &Check) -> Alert {
    Alert {
        source: "quality".into(),
        severity: "high".into(),
        title: format!("{} failed on {}", check.rule.check, relation.full_name()),
        description: Some(format!(
            "{} of {} rows failed; at most {} % may. Correct the rows or their source before training on them.",
            check.rows_failed,
            check.rows_checked,
            check.rule.fail * 100.0
        )),
        evidence: json!({
            "check": check.rule.check, "column_name": check.rule.column(), "rows_checked": check.rows_checked,
            "rows_failed": check.rows_failed, "rate": check.judgement.rate, "sample_keys": check.sample_keys,
        }),
        dedup_key: dedup_key(relation, check),
        relation_name: Some(relation.full_name()),
        subject_id: None,
        ..Alert::default()
    }
}

extension_sql!(
    r"
COMMENT ON FUNCTION sop_ml.validate_ml_training_data_quality(uuid, regclass, jsonb) IS
'Checks the rows of a relation: the shipped rules of sop_ml''s tables, or generic rules from the catalogue for any other relation. One row per check, then one for the whole report. Options: rules, samples, warn, fail, thresholds, from_time, to_time, time_column, label, features, store, alert. Writes sop_quality_reports and raises an alert for each check that fails. Example: SELECT * FROM sop_ml.validate_ml_training_data_quality(NULL, ''sop_ml.sop_user_interactions'');';
",
    name = "comment_data_quality",
    requires = [validate_ml_training_data_quality]
);
