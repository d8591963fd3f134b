//! From rules to statements: identifiers come from the catalogue and are quoted by the server, values are parameters.

use pgrx::Uuid;
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::spi::quote_identifier;

use super::relation::{Relation, json_pair};
use super::rules::{Rule, Test, When};
use sop_analytics::anomalies::{MAD_CONSISTENCY, SMALLEST_BASELINE};

/// A constant of a rule.
#[derive(Debug, Clone)]
enum Parameter {
    Number(f64),
    Text(String),
    Texts(Vec<String>),
    Count(i64),
}

/// Which rows are looked at: $1 restaurant, $2 from, $3 to are the first parameters of every statement.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) restaurant: Uuid,
    pub(super) time_column: Option<String>,
    pub(super) from: Option<TimestampWithTimeZone>,
    pub(super) to: Option<TimestampWithTimeZone>,
}

/// A statement with its parameters.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) text: String,
    parameters: Vec<Parameter>,
}

impl Statement {
    /// The arguments in order.
    pub(super) fn arguments(&self, scope: &Scope) -> Vec<DatumWithOid<'static>> {
        let mut arguments: Vec<DatumWithOid<'static>> =
            vec![scope.restaurant.into(), scope.from.into(), scope.to.into()];
        arguments.extend(self.parameters.iter().map(|parameter| match parameter {
            Parameter::Number(number) => (*number).into(),
            Parameter::Text(text) => text.clone().into(),
            Parameter::Texts(texts) => texts.clone().into(),
            Parameter::Count(count) => (*count).into(),
        }));
        arguments
    }
}

/// Collects parameters while a statement is put together.
#[derive(Debug, Default)]
struct Parameters(Vec<Parameter>);

impl Parameters {
    fn add(&mut self, parameter: Parameter) -> String {
        self.0.push(parameter);
        format!("${}", self.0.len() + 3)
    }

    fn number(&mut self, number: f64) -> String {
        self.add(Parameter::Number(number))
    }

    fn finish(self, text: String) -> Statement {
        Statement {
            text,
            parameters: self.0,
        }
    }
}

/// Writes statements about one relation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer<'a> {
    pub(super) relation: &'a Relation,
    pub(super) scope: &'a Scope,
}

/// What a row test says: which rows it is about, and which of them fail.
struct Condition {
    applies: String,
    fails: String,
}

impl Writer<'_> {
    fn column(self, name: &str) -> String {
        format!("t.{}", quote_identifier(name))
    }

    fn columns(self, names: &[String]) -> Vec<String> {
        names.iter().map(|name| self.column(name)).collect()
    }

    /// `FROM relation AS t WHERE scope`.
    fn source(self) -> String {
        let mut conditions = Vec::new();
        if self.relation.has_tenants() {
            conditions.push("t.restaurant_id = $1".to_owned());
        }
        if let Some(column) = &self.scope.time_column {
            let column = self.column(column);
            if self.scope.from.is_some() {
                conditions.push(format!("{column} >= $2"));
            }
            if self.scope.to.is_some() {
                conditions.push(format!("{column} < $3"));
            }
        }
        if conditions.is_empty() {
            conditions.push("true".to_owned());
        }
        format!(
            "FROM {} AS t WHERE {}",
            self.relation.sql(),
            conditions.join(" AND ")
        )
    }

    fn when(self, when: Option<&When>, parameters: &mut Parameters) -> String {
        when.map_or_else(
            || "true".to_owned(),
            |when| {
                let values = parameters.add(Parameter::Texts(when.values.clone()));
                format!("{}::text = ANY ({values})", self.column(&when.column))
            },
        )
    }

    /// The condition of a test that looks at one row at a time; `None` for the others.
    fn condition(self, rule: &Rule, parameters: &mut Parameters) -> Option<Condition> {
        let present = |column: &str| format!("{} IS NOT NULL", self.column(column));
        let (applies, fails) = match &rule.test {
            Test::NotNull { column } => (
                "true".to_owned(),
                format!("{} IS NULL", self.column(column)),
            ),
            Test::NotBlank { column } => (
                "true".to_owned(),
                format!(
                    "pg_catalog.btrim(coalesce({}::text, ''), E' \\t\\r\\n') = ''",
                    self.column(column)
                ),
            ),
            Test::AnyPresent { columns } => (
                "true".to_owned(),
                format!(
                    "coalesce({}) IS NULL",
                    self.columns(columns)
                        .iter()
                        .map(|column| format!("{column}::text"))
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            ),
            Test::Finite { column } => (
                present(column),
                format!(
                    "{} IN ('NaN', 'Infinity', '-Infinity')",
                    self.column(column)
                ),
            ),
            Test::Range { column, min, max } => {
                let value = format!("{}::pg_catalog.float8", self.column(column));
                let mut outside = Vec::new();
                if let Some(min) = min {
                    outside.push(format!("{value} < {}", parameters.number(*min)));
                }
                if let Some(max) = max {
                    outside.push(format!("{value} > {}", parameters.number(*max)));
                }
                // NaN is larger than every number in SQL; whether there is any is for `finite` to say.
                (
                    format!("{} AND {value} <> 'NaN'", present(column)),
                    format!("({})", outside.join(" OR ")),
                )
            }
            Test::OneOf { column, values } => {
                let values = parameters.add(Parameter::Texts(values.clone()));
                (
                    present(column),
                    format!("{}::text <> ALL ({values})", self.column(column)),
                )
            }
            Test::NotBefore { column, other } => (
                format!("{} AND {}", present(column), present(other)),
                format!("{} < {}", self.column(column), self.column(other)),
            ),
            Test::NotFuture {
                column,
                tolerance_seconds,
            } => {
                let tolerance = parameters.number(*tolerance_seconds);
                (
                    present(column),
                    format!(
                        "{} > pg_catalog.now() + pg_catalog.make_interval(secs => {tolerance})",
                        self.column(column)
                    ),
                )
            }
            _ => return None,
        };
        let when = self.when(rule.when.as_ref(), parameters);
        Some(Condition {
            applies: format!("{applies} AND {when}"),
            fails,
        })
    }

    /// The rows, and for each rule that one scan can answer how many rows it is about and how many fail.
    ///
    /// The answers follow in one array in the order of the second result, which gives the rules' positions.
    pub(super) fn scan(self, rules: &[Rule]) -> (Statement, Vec<usize>) {
        let mut parameters = Parameters::default();
        let mut counts = vec!["pg_catalog.count(*)".to_owned()];
        let mut answered = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            if let Some(condition) = self.condition(rule, &mut parameters) {
                let Condition { applies, fails } = condition;
                counts.push(format!("pg_catalog.count(*) FILTER (WHERE {applies})"));
                counts.push(format!(
                    "pg_catalog.count(*) FILTER (WHERE {applies} AND {fails})"
                ));
                answered.push(at);
            } else if let Test::Fresh {
                column,
                max_age_days,
            } = &rule.test
            {
                let column = self.column(column);
                let age = parameters.number(*max_age_days * 86_400.0);
                let has_rows = format!("pg_catalog.count({column}) > 0");
                counts.push(format!("({has_rows})::int::bigint"));
                // A row in the future is no sign of life.
                counts.push(format!(
                    "({has_rows} AND coalesce(pg_catalog.max({column}) FILTER (WHERE {column} <= pg_catalog.now()) \
                     < pg_catalog.now() - pg_catalog.make_interval(secs => {age}), true))::int::bigint"
                ));
                answered.push(at);
            }
        }
        let text = format!(
            "SELECT ARRAY[{}]::bigint[] {}",
            counts.join(", "),
            self.source()
        );
        (parameters.finish(text), answered)
    }

    /// How many rows a rule is about and how many fail, for rules that compare rows; a third number of a balance counts the
    /// classes.
    pub(super) fn count(self, rule: &Rule) -> Option<Statement> {
        let mut parameters = Parameters::default();
        let source = self.source();
        let text = match &rule.test {
            Test::Unique { columns } => {
                let columns = self.columns(columns);
                let present = present(&columns);
                format!(
                    "SELECT coalesce(pg_catalog.sum(g.n), 0)::bigint, coalesce(pg_catalog.sum(g.n - 1), 0)::bigint, \
                     NULL::bigint FROM (SELECT pg_catalog.count(*) AS n {source} AND {present} GROUP BY {}) AS g",
                    columns.join(", ")
                )
            }
            Test::UniqueRow => format!(
                "SELECT coalesce(pg_catalog.sum(g.n), 0)::bigint, coalesce(pg_catalog.sum(g.n - 1), 0)::bigint, \
                 NULL::bigint FROM (SELECT pg_catalog.count(*) AS n {source} GROUP BY pg_catalog.md5(t::text)) AS g"
            ),
            Test::Preceded { column, value, .. } => {
                let wanted = parameters.add(Parameter::Text(value.clone()));
                let about = format!("{source} AND {}::text = {wanted}", self.column(column));
                let alone = self.unpreceded(rule, &mut parameters)?;
                format!(
                    "SELECT (SELECT pg_catalog.count(*) {about}), \
                     (SELECT pg_catalog.count(*) {about} AND {alone}), NULL::bigint"
                )
            }
            Test::Outlier { .. } => {
                let Outliers {
                    groups,
                    outside,
                    by,
                    ..
                } = self.outliers(rule, &mut parameters)?;
                format!(
                    "{groups} SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE {outside}), NULL::bigint \
                     FROM point AS p JOIN spread AS s USING ({by})"
                )
            }
            Test::Balance { column } => {
                let column = self.column(column);
                format!(
                    "SELECT coalesce(pg_catalog.sum(g.n), 0)::bigint, coalesce(pg_catalog.max(g.n), 0)::bigint, \
                     pg_catalog.count(*) FROM (SELECT pg_catalog.count(*) AS n {source} AND {column} IS NOT NULL \
                     GROUP BY {column}) AS g"
                )
            }
            Test::Conflict { features, label } => {
                let (features, label) = (self.columns(features), self.column(label));
                format!(
                    "SELECT coalesce(pg_catalog.sum(g.n), 0)::bigint, \
                     coalesce(pg_catalog.sum(g.n) FILTER (WHERE g.first <> g.last), 0)::bigint, NULL::bigint \
                     FROM (SELECT pg_catalog.count(*) AS n, pg_catalog.min({label}::text) AS first, \
                     pg_catalog.max({label}::text) AS last {source} AND {label} IS NOT NULL GROUP BY {}) AS g",
                    features.join(", ")
                )
            }
            _ => return None,
        };
        Some(parameters.finish(text))
    }

    /// Keys of the first failing rows; `None` where rows have no key or a failing row is not one row.
    pub(super) fn samples(self, rule: &Rule, limit: i64) -> Option<Statement> {
        let mut parameters = Parameters::default();
        let source = self.source();
        let limit = parameters.add(Parameter::Count(limit));
        if let Test::Unique { columns } = &rule.test {
            let pairs: Vec<String> = columns.iter().map(|name| json_pair(name)).collect();
            let columns = self.columns(columns);
            let text = format!(
                "SELECT pg_catalog.jsonb_build_object({}) {source} AND {} GROUP BY {list} \
                 HAVING pg_catalog.count(*) > 1 ORDER BY {list} LIMIT {limit}",
                pairs.join(", "),
                present(&columns),
                list = columns.join(", ")
            );
            return Some(parameters.finish(text));
        }
        let (key, sort) = self.relation.row_key()?;
        let text = match &rule.test {
            Test::Preceded { column, value, .. } => {
                let wanted = parameters.add(Parameter::Text(value.clone()));
                let alone = self.unpreceded(rule, &mut parameters)?;
                format!(
                    "SELECT {key} {source} AND {}::text = {wanted} AND {alone} ORDER BY {sort} LIMIT {limit}",
                    self.column(column)
                )
            }
            Test::Outlier { .. } => {
                let Outliers {
                    groups,
                    outside,
                    by,
                    part,
                    x,
                } = self.outliers(rule, &mut parameters)?;
                format!(
                    "{groups} SELECT p.key FROM (SELECT {key} AS key, {part}, {x} AS x {source}) AS p \
                     JOIN spread AS s USING ({by}) WHERE {outside} \
                     ORDER BY pg_catalog.abs(p.x - s.center) / s.scale DESC, p.key LIMIT {limit}"
                )
            }
            Test::Conflict { features, label } => {
                let (features, label) = (self.columns(features).join(", "), self.column(label));
                format!(
                    "SELECT c.key FROM (SELECT {key} AS key, \
                     pg_catalog.min({label}::text) OVER (PARTITION BY {features}) AS first, \
                     pg_catalog.max({label}::text) OVER (PARTITION BY {features}) AS last \
                     {source} AND {label} IS NOT NULL) AS c WHERE c.first <> c.last ORDER BY c.key LIMIT {limit}"
                )
            }
            _ => {
                let condition = self.condition(rule, &mut parameters)?;
                format!(
                    "SELECT {key} {source} AND {} AND {} ORDER BY {sort} LIMIT {limit}",
                    condition.applies, condition.fails
                )
            }
        };
        Some(parameters.finish(text))
    }

    /// That nothing precedes the row `t`; what precedes may lie before the time range under test.
    fn unpreceded(self, rule: &Rule, parameters: &mut Parameters) -> Option<String> {
        let Test::Preceded {
            column,
            preceded_by,
            matching,
            order,
            ..
        } = &rule.test
        else {
            return None;
        };
        let earlier = parameters.add(Parameter::Text(preceded_by.clone()));
        let mut conditions = Vec::new();
        if self.relation.has_tenants() {
            conditions.push("e.restaurant_id = $1".to_owned());
        }
        for name in matching {
            let name = quote_identifier(name);
            conditions.push(format!("e.{name} = t.{name}"));
        }
        conditions.push(format!("e.{}::text = {earlier}", quote_identifier(column)));
        let order = quote_identifier(order);
        conditions.push(format!("e.{order} <= t.{order}"));
        Some(format!(
            "NOT EXISTS (SELECT FROM {} AS e WHERE {})",
            self.relation.sql(),
            conditions.join(" AND ")
        ))
    }

    /// Median and scale of each group: the median absolute deviation or, when that is zero, the mean one. Groups that are too
    /// small or constant are not there.
    fn outliers(self, rule: &Rule, parameters: &mut Parameters) -> Option<Outliers> {
        let Test::Outlier {
            column,
            by,
            threshold,
        } = &rule.test
        else {
            return None;
        };
        let value = format!("{}::pg_catalog.float8", self.column(column));
        // NaN and infinities have no distance; beyond this one would overflow.
        let x = format!("CASE WHEN pg_catalog.abs({value}) < 1e300 THEN {value} END");
        // Without groups all rows are one.
        let parts: Vec<String> = if by.is_empty() {
            vec!["true".to_owned()]
        } else {
            self.columns(by)
        };
        let names: Vec<String> = (1..=parts.len()).map(|at| format!("g{at}")).collect();
        let named: Vec<String> = parts
            .iter()
            .zip(&names)
            .map(|(part, name)| format!("{part} AS {name}"))
            .collect();
        let (part, by) = (named.join(", "), names.join(", "));
        let mad = parameters.number(MAD_CONSISTENCY);
        let mean = parameters.number((std::f64::consts::PI / 2.0).sqrt());
        let smallest = parameters.number(SMALLEST_BASELINE as f64);
        let threshold = parameters.number(*threshold);
        let groups = format!(
            "WITH point AS NOT MATERIALIZED (SELECT {part}, {x} AS x {source} AND {x} IS NOT NULL), \
             middle AS (SELECT {by}, pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS center FROM point \
             GROUP BY {by} HAVING pg_catalog.count(*) >= {smallest}), \
             deviation AS (SELECT {by}, m.center, \
             pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY pg_catalog.abs(p.x - m.center)) AS median, \
             pg_catalog.avg(pg_catalog.abs(p.x - m.center)) AS mean FROM point AS p JOIN middle AS m USING ({by}) \
             GROUP BY {by}, m.center), \
             spread AS (SELECT {by}, center, CASE WHEN median > 0 THEN median * {mad} ELSE mean * {mean} END AS scale \
             FROM deviation WHERE mean > 0)",
            source = self.source(),
        );
        Some(Outliers {
            groups,
            outside: format!("pg_catalog.abs(p.x - s.center) > {threshold} * s.scale"),
            by,
            part,
            x,
        })
    }
}

/// The parts of a statement about outliers.
struct Outliers {
    /// Common table expressions `point` (groups, x) and `spread` (groups, center, scale).
    groups: String,
    /// When a point is outside.
    outside: String,
    /// Names of the groups.
    by: String,
    /// The groups of the row `t`, with their names.
    part: String,
    /// The value of the row `t`; NULL when it is not looked at.
    x: String,
}

/// That all of the columns have values.
fn present(columns: &[String]) -> String {
    columns
        .iter()
        .map(|column| format!("{column} IS NOT NULL"))
        .collect::<Vec<_>>()
        .join(" AND ")
}
