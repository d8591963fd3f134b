//! Runs rules: one scan for all that look at single rows, one statement for each that compares rows.

use serde_json::{Value, json};
use sop_analytics::data_quality::{Judgement, Tolerance, Verdict, balance_score, judge};

use super::rules::{Rule, Test};
use super::statements::{Statement, Writer};
use crate::error::{PgResult, from_analytics, internal};
use crate::jsonb::JsonB;
use crate::sql;

/// A column with more values than this is no label.
const MOST_CLASSES: i64 = 50;

/// A rule and what came of it.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) rule: Rule,
    pub(super) rows_checked: i64,
    pub(super) rows_failed: i64,
    pub(super) judgement: Judgement,
    pub(super) sample_keys: Option<Vec<Value>>,
    pub(super) details: Value,
}

impl Check {
    pub(super) fn verdict(&self) -> Verdict {
        self.judgement.verdict
    }

    /// Nothing to look at: no rows that the rule is about, or no such column.
    pub(super) fn is_skipped(&self) -> bool {
        self.judgement.rate.is_none()
    }
}

/// How many rows a rule is about, how many fail, and what else is to be said.
struct Count {
    checked: i64,
    failed: i64,
    details: Value,
}

/// Runs the rules; returns the rows looked at with them.
pub(super) fn run(
    writer: Writer<'_>,
    rules: Vec<Rule>,
    samples: i64,
) -> PgResult<(i64, Vec<Check>)> {
    let (fitting, others): (Vec<Rule>, Vec<Rule>) = rules
        .into_iter()
        .partition(|rule| rule.fits(writer.relation));
    let (scan, answered) = writer.scan(&fitting);
    let counts = sql::select_one(&scan.text, &scan.arguments(writer.scope), |row| {
        row.required::<Vec<i64>>(1)
    })?
    .unwrap_or_default();
    let (rows, pairs) = counts
        .split_first()
        .ok_or_else(|| internal("the scan gave no counts"))?;
    let mut scanned = answered.into_iter().zip(pairs.chunks_exact(2)).peekable();
    let mut checks = Vec::new();
    for (at, rule) in fitting.into_iter().enumerate() {
        let count = match scanned.next_if(|(position, _)| *position == at) {
            Some((_, pair)) => Count {
                checked: pair.first().copied().unwrap_or(0),
                failed: pair.last().copied().unwrap_or(0),
                details: json!({}),
            },
            None => compare(writer, &rule, *rows)?,
        };
        checks.push(finish(writer, rule, count, samples)?);
    }
    for rule in others {
        let nothing = Count {
            checked: 0,
            failed: 0,
            details: json!({ "skipped": "the relation lacks a column of the rule" }),
        };
        checks.push(finish(writer, rule, nothing, samples)?);
    }
    Ok((*rows, checks))
}

/// Counts for a rule that compares rows.
fn compare(writer: Writer<'_>, rule: &Rule, rows: i64) -> PgResult<Count> {
    if let Test::Unique { columns } = &rule.test
        && writer.relation.guarantees_unique(columns)
    {
        return Ok(Count {
            checked: rows,
            failed: 0,
            details: json!({ "guaranteed_by": "a unique key of the relation" }),
        });
    }
    let statement = (writer.count(rule))
        .ok_or_else(|| internal(format!("rule {} has no statement", rule.check)))?;
    let counts = sql::select_one(&statement.text, &statement.arguments(writer.scope), |row| {
        Ok((
            row.required::<i64>(1)?,
            row.required::<i64>(2)?,
            row.get::<i64>(3)?,
        ))
    })?;
    let (checked, failed, classes) = counts.unwrap_or_default();
    Ok(match classes {
        Some(classes) if classes > MOST_CLASSES => Count {
            checked: 0,
            failed: 0,
            details: json!({ "skipped": "the column has too many values for a label", "classes": classes }),
        },
        Some(classes) => Count {
            checked,
            failed,
            details: json!({ "classes": classes }),
        },
        None => Count {
            checked,
            failed,
            details: json!({}),
        },
    })
}

fn finish(writer: Writer<'_>, rule: Rule, count: Count, samples: i64) -> PgResult<Check> {
    let tolerance = Tolerance::new(rule.warn, rule.fail).map_err(from_analytics)?;
    let mut judgement = judge(count.checked, count.failed, tolerance).map_err(from_analytics)?;
    let is_balance = matches!(rule.test, Test::Balance { .. });
    if is_balance {
        judgement.score = judgement.rate.map(|rate| balance_score(rate, tolerance));
    }
    // The rows of the largest class are not wrong one by one, and a stale relation has no failing row.
    let names_rows = !is_balance && !matches!(rule.test, Test::Fresh { .. });
    let statement = (samples > 0 && count.failed > 0 && names_rows)
        .then(|| writer.samples(&rule, samples))
        .flatten();
    let sample_keys = statement
        .map(|statement| read_keys(writer, &statement))
        .transpose()?;
    Ok(Check {
        rule,
        rows_checked: count.checked,
        rows_failed: count.failed,
        judgement,
        sample_keys,
        details: count.details,
    })
}

fn read_keys(writer: Writer<'_>, statement: &Statement) -> PgResult<Vec<Value>> {
    sql::select(&statement.text, &statement.arguments(writer.scope), |row| {
        Ok(row.get::<JsonB>(1)?.map_or(Value::Null, |JsonB(key)| key))
    })
}
