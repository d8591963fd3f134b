//! The rules: shipped ones by relation, generic ones from the catalogue for the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::relation::{Column, Relation};
use crate::error::{PgResult, internal};

const SHIPPED: &str = include_str!("rules.json");
/// Columns that are a label by their name.
const LABELS: [&str; 2] = ["label", "target"];

/// The shipped rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shipped {
    pub(super) version: i32,
    relations: BTreeMap<String, Ruleset>,
}

/// The rules of a relation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ruleset {
    /// What `from_time` and `to_time` mean.
    pub(super) time_column: Option<String>,
    pub(super) rules: Vec<Rule>,
}

/// One rule; failure rates up to `warn` pass, those up to `fail` warn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) check: String,
    pub(super) dimension: String,
    pub(super) warn: f64,
    pub(super) fail: f64,
    /// Only these rows are checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) when: Option<When>,
    #[serde(flatten)]
    pub(super) test: Test,
}

/// A condition on a text column.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct When {
    pub(super) column: String,
    pub(super) values: Vec<String>,
}

/// What is tested.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "test", rename_all = "snake_case")]
pub(super) enum Test {
    /// The column has a value.
    NotNull { column: String },
    /// The text has a character that is no space.
    NotBlank { column: String },
    /// One of the columns has a value.
    AnyPresent { columns: Vec<String> },
    /// Neither NaN nor infinite.
    Finite { column: String },
    /// Between the bounds, which belong to it; NaN is not looked at.
    Range {
        column: String,
        min: Option<f64>,
        max: Option<f64>,
    },
    /// One of the texts.
    OneOf { column: String, values: Vec<String> },
    /// Not later than the other column.
    NotBefore { column: String, other: String },
    /// Not later than now.
    NotFuture {
        column: String,
        tolerance_seconds: f64,
    },
    /// The newest row is young enough; one verdict for the relation.
    Fresh { column: String, max_age_days: f64 },
    /// No two rows agree in all columns; surplus rows fail.
    Unique { columns: Vec<String> },
    /// No two rows are the same.
    UniqueRow,
    /// A row with `value` comes after one with `preceded_by` and the same `matching` columns.
    Preceded {
        column: String,
        value: String,
        preceded_by: String,
        matching: Vec<String>,
        order: String,
    },
    /// Within so many robust standard deviations of the median of its group; groups of fewer than eight are not checked.
    Outlier {
        column: String,
        by: Vec<String>,
        threshold: f64,
    },
    /// No class has nearly all rows; the rows of the largest class fail.
    Balance { column: String },
    /// Rows with equal features have equal labels.
    Conflict {
        features: Vec<String>,
        label: String,
    },
}

impl Rule {
    /// The column that a reader would look at.
    pub(super) fn column(&self) -> Option<&str> {
        match &self.test {
            Test::NotNull { column }
            | Test::NotBlank { column }
            | Test::Finite { column }
            | Test::Range { column, .. }
            | Test::OneOf { column, .. }
            | Test::NotBefore { column, .. }
            | Test::NotFuture { column, .. }
            | Test::Fresh { column, .. }
            | Test::Preceded { column, .. }
            | Test::Outlier { column, .. }
            | Test::Balance { column }
            | Test::Conflict { label: column, .. } => Some(column),
            Test::Unique { columns } => match columns.as_slice() {
                [only] => Some(only),
                _ => None,
            },
            Test::AnyPresent { .. } | Test::UniqueRow => None,
        }
    }

    /// Every column that the rule reads.
    fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = self.column().into_iter().collect();
        match &self.test {
            Test::AnyPresent { columns: more }
            | Test::Unique { columns: more }
            | Test::Outlier { by: more, .. }
            | Test::Conflict { features: more, .. } => {
                columns.extend(more.iter().map(String::as_str));
            }
            Test::NotBefore { other, .. } => columns.push(other),
            Test::Preceded {
                matching, order, ..
            } => {
                columns.extend(matching.iter().map(String::as_str));
                columns.push(order);
            }
            _ => {}
        }
        columns.extend(self.when.iter().map(|when| when.column.as_str()));
        columns
    }

    /// Whether the relation has every column that the rule reads.
    pub(super) fn fits(&self, relation: &Relation) -> bool {
        self.columns()
            .into_iter()
            .all(|name| relation.column(name).is_some())
    }
}

/// The shipped rules.
pub(super) fn shipped() -> PgResult<Shipped> {
    serde_json::from_str(SHIPPED).map_err(|error| internal(format!("shipped rules: {error}")))
}

impl Shipped {
    /// The rules of a relation: shipped ones, else generic ones.
    ///
    /// `label` and `features` choose the columns of the label checks of a relation without shipped rules.
    pub(super) fn of(
        &self,
        relation: &Relation,
        label: Option<&str>,
        features: Option<&[String]>,
    ) -> Ruleset {
        match self.relations.get(&relation.full_name()) {
            Some(ruleset) => ruleset.clone(),
            None => generic(relation, label, features),
        }
    }
}

fn rule(check: String, dimension: &str, warn: f64, fail: f64, test: Test) -> Rule {
    Rule {
        check,
        dimension: dimension.to_owned(),
        warn,
        fail,
        when: None,
        test,
    }
}

/// Rules that any relation can be held to.
fn generic(relation: &Relation, label: Option<&str>, features: Option<&[String]>) -> Ruleset {
    let mut rules = Vec::new();
    for column in &relation.columns {
        let name = || column.name.clone();
        if !column.not_null {
            let test = Test::NotNull { column: name() };
            rules.push(rule(
                format!("{}_present", column.name),
                "completeness",
                0.1,
                0.5,
                test,
            ));
        }
        if column.has_not_finite() {
            let test = Test::Finite { column: name() };
            rules.push(rule(
                format!("{}_finite", column.name),
                "validity",
                0.0,
                0.01,
                test,
            ));
        }
        if column.is_time() {
            // A due date lies in the future rightly: a warning, never a failure.
            let test = Test::NotFuture {
                column: name(),
                tolerance_seconds: 300.0,
            };
            rules.push(rule(
                format!("{}_not_in_future", column.name),
                "timeliness",
                0.0,
                1.0,
                test,
            ));
        }
    }
    rules.push(match relation.keys.first() {
        Some(key) => {
            let test = Test::Unique {
                columns: key.clone(),
            };
            rule("duplicate_keys".to_owned(), "uniqueness", 0.0, 0.0, test)
        }
        None => rule(
            "duplicate_rows".to_owned(),
            "uniqueness",
            0.0,
            0.05,
            Test::UniqueRow,
        ),
    });
    let label = label.or_else(|| {
        LABELS
            .into_iter()
            .find(|name| relation.column(name).is_some())
    });
    if let Some(label) = label {
        rules.extend(label_rules(relation, label, features));
    }
    Ruleset {
        time_column: None,
        rules,
    }
}

fn label_rules(relation: &Relation, label: &str, features: Option<&[String]>) -> Vec<Rule> {
    let key = relation.keys.first();
    let is_feature = |column: &&Column| {
        column.name != label
            && column.name != "restaurant_id"
            && column.is_comparable()
            && key.is_none_or(|key| !key.contains(&column.name))
    };
    let features = features.map_or_else(
        || {
            let columns = relation.columns.iter().filter(is_feature);
            columns.map(|column| column.name.clone()).collect()
        },
        <[String]>::to_vec,
    );
    let mut rules = vec![rule(
        "label_balance".to_owned(),
        "balance",
        0.9,
        0.99,
        Test::Balance {
            column: label.to_owned(),
        },
    )];
    if !features.is_empty() {
        let test = Test::Conflict {
            features,
            label: label.to_owned(),
        };
        rules.push(rule(
            "conflicting_labels".to_owned(),
            "consistency",
            0.02,
            0.3,
            test,
        ));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_rules_are_sound() {
        let shipped = shipped().unwrap();
        assert!(shipped.relations.len() >= 8);
        for (relation, ruleset) in &shipped.relations {
            let mut names = std::collections::BTreeSet::new();
            for rule in &ruleset.rules {
                assert!(
                    names.insert(&rule.check),
                    "{relation}: {} is there twice",
                    rule.check
                );
                sop_analytics::data_quality::Tolerance::new(rule.warn, rule.fail).unwrap();
                let again: Rule =
                    serde_json::from_value(serde_json::to_value(rule).unwrap()).unwrap();
                assert_eq!(again.check, rule.check);
            }
        }
    }
}
