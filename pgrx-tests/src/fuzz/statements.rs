//! The kinds of statements, each with the answer that the model expects.

use std::collections::BTreeSet;

use super::model::{
    Actor, Change, Condition, Level, RESTAURANTS, Row, SHARED, TABLES, Table, restaurant_id,
};
use super::{Fuzzer, columns, compare, rows_of};
use crate::watch::Answer;

/// The insertion of one row.
pub(super) fn insert(
    table: &Table,
    restaurant: usize,
    key: &str,
    text: &str,
    number: i64,
) -> String {
    let (further, values) = table.further;
    format!(
        "INSERT INTO {} (restaurant_id, {}, {}, {}, {further}) VALUES ('{}', '{key}', '{text}', {number} / 1000.0, {values})",
        table.name,
        table.key,
        table.text,
        table.number,
        restaurant_id(restaurant)
    )
}

/// What a statement that writes has to answer.
enum Expected {
    /// These rows, by RETURNING.
    Rows(Vec<Row>),
    /// This command tag.
    Count(u64),
    /// One of these errors.
    Error(&'static [&'static str]),
}

struct Write {
    kind: &'static str,
    statement: String,
    expected: Expected,
    changes: Vec<Change>,
}

const DENIED: &[&str] = &["42501"];
/// The key of a time series never changes (55000), whoever asks.
const MOVED: &[&str] = &["42501", "55000"];

impl Fuzzer {
    /// The restaurant is chosen by setting: one's own, another's, or none.
    pub(super) fn choose(&mut self, seat: usize) -> Result<(), String> {
        let chosen = match self.below(RESTAURANTS + 4) {
            number if number < RESTAURANTS => Some(number),
            number if number < RESTAURANTS + 2 => {
                let (actor, _) = self.who(seat);
                let member = self.below(actor.members.len());
                actor.members.get(member).copied()
            }
            _ => None,
        };
        let value = chosen.map(restaurant_id).unwrap_or_default();
        let answer = self.send(
            seat,
            "choose",
            &format!("SET sop_ml.restaurant_id = '{value}'"),
        )?;
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.chosen = chosen;
        }
        succeeded(&answer)
    }

    /// The pool's session takes on another role.
    pub(super) fn become_another(&mut self) -> Result<(), String> {
        let actor = self.below(self.actors.len());
        let role = self
            .actors
            .get(actor)
            .map(|actor| actor.role.clone())
            .unwrap_or_default();
        let answer = self.send(self.pool, "set role", &format!("SET ROLE {role}"))?;
        if let Some(seat) = self.seats.get_mut(self.pool) {
            seat.actor = actor;
        }
        succeeded(&answer)
    }

    fn condition(&mut self, table: usize) -> Condition {
        let restaurant = self.below(SHARED + 1);
        match self.below(8) {
            0..=2 => Condition::All,
            3 => Condition::Restaurant(restaurant),
            4 => Condition::Below(self.number()),
            5 => Condition::Marked(restaurant),
            _ => {
                // A key that exists, mostly somebody else's.
                let keys: Vec<String> = self
                    .model
                    .keys(table, restaurant)
                    .into_iter()
                    .cloned()
                    .collect();
                if keys.is_empty() {
                    return Condition::All;
                }
                let chosen = self.below(keys.len());
                Condition::Key(keys.get(chosen).cloned().unwrap_or_default())
            }
        }
    }

    /// A query in one of many forms; all show the same rows.
    pub(super) fn read(&mut self, seat: usize) -> Result<(), String> {
        let number = self.below(TABLES.len());
        let table = TABLES.get(number).ok_or("no such table")?;
        let condition = self.condition(number);
        let (actor, mut chosen) = self.who(seat);
        let (cols, name, filter) = (columns(table), table.name, condition.sql(table));
        let plain = format!("SELECT {cols} FROM {name} WHERE {filter}");
        let named = |source: &str| {
            format!("SELECT the_key, the_text, the_number FROM {source} WHERE {filter}")
        };
        let mut direct = true;
        let mut condition = condition;
        let local = self.below(RESTAURANTS);
        let (kind, statement) = match self.below(22) {
            0 | 1 => (
                "with",
                format!(
                    "WITH c AS MATERIALIZED (SELECT *, {cols} FROM {name}) {}",
                    named("c")
                ),
            ),
            2 => (
                "cursor",
                format!(
                    "BEGIN; DECLARE c SCROLL CURSOR FOR {plain}; FETCH FORWARD ALL FROM c; COMMIT"
                ),
            ),
            3 => (
                "cursor with hold",
                format!(
                    "BEGIN; DECLARE c CURSOR WITH HOLD FOR {plain}; COMMIT; FETCH ALL FROM c; CLOSE c"
                ),
            ),
            4 | 5 => ("copy", format!("COPY ({plain}) TO STDOUT")),
            6 | 7 => {
                direct = false;
                ("view", named(&format!("fuzz_play.v{number}")))
            }
            8 => ("function", named(&format!("fuzz_play.f{number}()"))),
            9 => {
                direct = false;
                ("definer function", named(&format!("fuzz_play.d{number}()")))
            }
            10 => (
                "lateral",
                format!("SELECT r.* FROM (VALUES (1)) AS v (one), LATERAL ({plain}) AS r"),
            ),
            11 => (
                "sample",
                format!("SELECT {cols} FROM {name} TABLESAMPLE BERNOULLI (100) WHERE {filter}"),
            ),
            12 => (
                "window",
                format!(
                    "SELECT the_key, the_text, the_number FROM (SELECT *, {cols}, row_number() OVER () AS n FROM {name}) w WHERE n > 0 AND {filter}"
                ),
            ),
            13 => {
                chosen = Some(local);
                (
                    "set local",
                    format!(
                        "BEGIN; SET LOCAL sop_ml.restaurant_id = '{}'; {plain}; COMMIT",
                        restaurant_id(local)
                    ),
                )
            }
            14 => (
                "set local, rolled back",
                format!(
                    "BEGIN; SAVEPOINT s; SET LOCAL sop_ml.restaurant_id = '{}'; ROLLBACK TO s; {plain}; COMMIT",
                    restaurant_id(local)
                ),
            ),
            15 => {
                condition = Condition::All;
                (
                    "leaky",
                    format!(
                        "SELECT {cols} FROM {name} WHERE fuzz_play.tell({})",
                        table.text
                    ),
                )
            }
            16 => ("union", format!("{plain} UNION {plain}")),
            17 if self.below(4) == 0 => (
                "parallel",
                format!(
                    "BEGIN; SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0;
                     SET LOCAL min_parallel_table_scan_size = 0; {plain}; COMMIT"
                ),
            ),
            18..=20 => {
                condition = Condition::All;
                ("prepared", self.prepared(seat, number))
            }
            _ => ("select", plain),
        };
        let visible = actor.visible(table, chosen, direct);
        let expected = self.model.select(number, &visible, &condition);
        let answer = self.send(seat, kind, &statement)?;
        succeeded(&answer)?;
        compare(&statement, &rows_of(&answer)?, &expected)?;
        if kind == "leaky" && answer.notices.len() != expected.len() {
            return Err(format!(
                "{statement}\ntold {:?} of {} rows",
                answer.notices,
                expected.len()
            ));
        }
        if self.below(16) == 0 {
            self.spell_out(number, &visible, &condition, &expected)?;
        }
        Ok(())
    }

    /// A statement that is prepared once in a session and outlives roles and choices.
    fn prepared(&mut self, seat: usize, number: usize) -> String {
        let table = TABLES.get(number).unwrap_or(&TABLES[0]);
        let prepare = format!(
            "PREPARE p{number} AS SELECT {} FROM {};",
            columns(table),
            table.name
        );
        let first = self
            .seats
            .get_mut(seat)
            .is_some_and(|seat| seat.prepared.insert(number));
        format!(
            "{}EXECUTE p{number}",
            if first { prepare } else { String::new() }
        )
    }

    /// The same rows by a superuser's query that spells the restaurants out.
    fn spell_out(
        &mut self,
        number: usize,
        visible: &BTreeSet<usize>,
        condition: &Condition,
        expected: &[Row],
    ) -> Result<(), String> {
        let table = TABLES.get(number).ok_or("no such table")?;
        let restaurants: Vec<String> = visible
            .iter()
            .map(|number| restaurant_id(*number))
            .collect();
        let statement = format!(
            "SELECT {} FROM {} WHERE restaurant_id = ANY ('{{{}}}') AND {}",
            columns(table),
            table.name,
            restaurants.join(","),
            condition.sql(table)
        );
        let rows = self.as_superuser(&statement)?;
        self.report.spelled_out += 1;
        compare(&statement, &rows, expected)
    }

    /// Counts and extremes, in which a foreign row would show without being shown.
    pub(super) fn aggregate(&mut self, seat: usize) -> Result<(), String> {
        let number = self.below(TABLES.len());
        let table = TABLES.get(number).ok_or("no such table")?;
        let condition = self.condition(number);
        let (actor, chosen) = self.who(seat);
        let statement = format!(
            "SELECT count(*), coalesce(sum(the_number), 0), max(the_text), min(the_text), count(DISTINCT restaurant_id)
               FROM (SELECT *, {} FROM {}) s WHERE {}",
            columns(table),
            table.name,
            condition.sql(table)
        );
        let visible = actor.visible(table, chosen, true);
        let rows = self.model.select(number, &visible, &condition);
        let restaurants = visible
            .iter()
            .filter(|restaurant| {
                !self
                    .model
                    .select(number, &BTreeSet::from([**restaurant]), &condition)
                    .is_empty()
            })
            .count();
        let texts = |row: Option<&Row>| row.map(|row| row.1.clone());
        let expected = vec![
            Some(rows.len().to_string()),
            Some(rows.iter().map(|row| row.2).sum::<i64>().to_string()),
            texts(rows.iter().max_by(|a, b| a.1.cmp(&b.1))),
            texts(rows.iter().min_by(|a, b| a.1.cmp(&b.1))),
            Some(restaurants.to_string()),
        ];
        let answer = self.send(seat, "aggregate", &statement)?;
        succeeded(&answer)?;
        if answer.rows != [expected.clone()] {
            return Err(format!(
                "{statement}\nanswers {:?}, not {expected:?}",
                answer.rows
            ));
        }
        Ok(())
    }

    /// A write: alone, undone, or one that stays and one that is rolled back to a savepoint.
    pub(super) fn write(&mut self, seat: usize) -> Result<(), String> {
        let first = self.make_write(seat)?;
        match self.below(10) {
            0 | 1 => {
                let statement = format!("BEGIN; {}; ROLLBACK", first.statement);
                self.perform(seat, "rolled back", &statement, &first.expected, false)
            }
            2 if !matches!(first.expected, Expected::Error(_)) => {
                let second = self.make_write(seat)?;
                // The second may meet a row of the first: what it answers is not looked at, it is undone.
                let statement = format!("BEGIN; {}; SAVEPOINT s", first.statement);
                self.perform(
                    seat,
                    "before a savepoint",
                    &statement,
                    &first.expected,
                    false,
                )?;
                self.send(seat, "after a savepoint", &second.statement)?;
                let end = self.send(seat, "rollback to", "ROLLBACK TO s; COMMIT")?;
                succeeded(&end)?;
                self.apply(first.changes);
                Ok(())
            }
            _ => {
                let failed = matches!(first.expected, Expected::Error(_));
                self.perform(seat, first.kind, &first.statement, &first.expected, true)?;
                if !failed {
                    self.apply(first.changes);
                }
                Ok(())
            }
        }
    }

    fn perform(
        &mut self,
        seat: usize,
        kind: &'static str,
        statement: &str,
        expected: &Expected,
        alone: bool,
    ) -> Result<(), String> {
        let answer = self.send(seat, kind, statement)?;
        match expected {
            Expected::Error(codes) => {
                if !alone {
                    succeeded(&self.send(seat, "rollback", "ROLLBACK")?)?;
                }
                if !codes.contains(&answer.code()) {
                    return Err(format!(
                        "{statement}\nanswers {} instead of one of {codes:?}: {}",
                        answer.code(),
                        answer.text()
                    ));
                }
            }
            Expected::Rows(rows) => {
                succeeded(&answer)?;
                compare(statement, &rows_of(&answer)?, rows)?;
            }
            Expected::Count(count) => {
                succeeded(&answer)?;
                if alone && answer.count != *count {
                    return Err(format!(
                        "{statement}\ntouches {} rows, not {count}",
                        answer.count
                    ));
                }
            }
        }
        Ok(())
    }

    fn make_write(&mut self, seat: usize) -> Result<Write, String> {
        let number = self.below(TABLES.len());
        let table = TABLES.get(number).ok_or("no such table")?;
        let (actor, chosen) = self.who(seat);
        let current = actor.current(chosen);
        let crowded = current.is_some_and(|current| self.model.count(number, current) > 12);
        Ok(match self.below(12) {
            0..=3 if !crowded => self.insertion(number, table, &actor, current),
            0..=3 | 10 => self.deletion(number, table, &actor, current),
            4 | 5 => self.upsert(number, table, &actor, current),
            6..=8 => self.update(number, table, &actor, current),
            9 => self.merge(number, table, &actor, current),
            _ => self.move_away(number, table, &actor, current),
        })
    }

    /// Mostly for the own restaurant, sometimes for another or the shared one.
    fn target(&mut self, current: Option<usize>) -> usize {
        match (self.below(3), current) {
            (0 | 1, Some(current)) => current,
            _ => self.below(SHARED + 1),
        }
    }

    fn insertion(
        &mut self,
        number: usize,
        table: &Table,
        actor: &Actor,
        current: Option<usize>,
    ) -> Write {
        let restaurant = self.target(current);
        let (key, text, value) = (
            self.new_key(table),
            self.new_text(restaurant),
            self.number(),
        );
        let allowed = actor.level >= table.insert && current == Some(restaurant);
        Write {
            kind: "insert",
            statement: insert(table, restaurant, &key, &text, value),
            expected: if allowed {
                Expected::Count(1)
            } else {
                Expected::Error(DENIED)
            },
            changes: vec![(number, restaurant, key, Some((text, value)))],
        }
    }

    /// ON CONFLICT, also as a question whether a foreign row exists.
    fn upsert(
        &mut self,
        number: usize,
        table: &Table,
        actor: &Actor,
        current: Option<usize>,
    ) -> Write {
        let Some(conflict) = table.conflict else {
            return self.update(number, table, actor, current);
        };
        let restaurant = self.target(current);
        let keys: Vec<String> = self
            .model
            .keys(number, restaurant)
            .into_iter()
            .cloned()
            .collect();
        let key = if keys.is_empty() || self.below(3) == 0 {
            self.new_key(table)
        } else {
            let chosen = self.below(keys.len());
            keys.get(chosen).cloned().unwrap_or_default()
        };
        let (text, value) = (self.new_text(restaurant), self.number());
        let exists = self.model.has(number, restaurant, &key);
        let update = self.below(2) == 0;
        let action = if update {
            format!(
                "UPDATE SET {0} = excluded.{0}, {1} = excluded.{1}",
                table.text, table.number
            )
        } else {
            "NOTHING".to_owned()
        };
        let level = if update {
            table.insert.max(table.update)
        } else {
            table.insert
        };
        let allowed = actor.level >= level && current == Some(restaurant);
        let kept = exists && !update;
        Write {
            kind: "on conflict",
            statement: format!(
                "{} ON CONFLICT ({conflict}) DO {action}",
                insert(table, restaurant, &key, &text, value)
            ),
            expected: if allowed {
                Expected::Count(u64::from(!kept))
            } else {
                Expected::Error(DENIED)
            },
            changes: if kept {
                vec![]
            } else {
                vec![(number, restaurant, key, Some((text, value)))]
            },
        }
    }

    fn own(&self, number: usize, current: Option<usize>, condition: &Condition) -> Vec<Row> {
        self.model
            .select(number, &current.into_iter().collect(), condition)
    }

    fn update(
        &mut self,
        number: usize,
        table: &Table,
        actor: &Actor,
        current: Option<usize>,
    ) -> Write {
        let condition = self.condition(number);
        let value = self.number();
        let rows: Vec<Row> = self
            .own(number, current, &condition)
            .into_iter()
            .map(|(key, text, _)| (key, text, value))
            .collect();
        let changes = current
            .into_iter()
            .flat_map(|current| {
                rows.iter().map(move |(key, text, value)| {
                    (number, current, key.clone(), Some((text.clone(), *value)))
                })
            })
            .collect();
        let statement = format!(
            "UPDATE {} SET {} = {value} / 1000.0 WHERE {} RETURNING {}",
            table.name,
            table.number,
            condition.sql(table),
            columns(table)
        );
        Write {
            kind: "update",
            statement,
            expected: if actor.level >= table.update {
                Expected::Rows(rows)
            } else {
                Expected::Error(DENIED)
            },
            changes,
        }
    }

    fn deletion(
        &mut self,
        number: usize,
        table: &Table,
        actor: &Actor,
        current: Option<usize>,
    ) -> Write {
        // Tables that are emptied all the time show little.
        let condition = match self.condition(number) {
            Condition::All if self.below(4) > 0 => Condition::Below(self.number() / 2),
            condition => condition,
        };
        let rows = self.own(number, current, &condition);
        let changes = current
            .into_iter()
            .flat_map(|current| {
                rows.iter()
                    .map(move |row| (number, current, row.0.clone(), None))
            })
            .collect();
        let delete = format!(
            "DELETE FROM {} WHERE {} RETURNING {}",
            table.name,
            condition.sql(table),
            columns(table)
        );
        let in_with = self.below(2) == 0;
        Write {
            kind: if in_with { "delete in with" } else { "delete" },
            statement: if in_with {
                format!("WITH d AS ({delete}) SELECT * FROM d")
            } else {
                delete
            },
            expected: if actor.level >= table.delete {
                Expected::Rows(rows)
            } else {
                Expected::Error(DENIED)
            },
            changes,
        }
    }

    /// MERGE that changes the rows of a restaurant, its own or another's.
    fn merge(
        &mut self,
        number: usize,
        table: &Table,
        actor: &Actor,
        current: Option<usize>,
    ) -> Write {
        let restaurant = self.target(current);
        let value = self.number();
        let rows = if current == Some(restaurant) {
            self.own(number, current, &Condition::All)
        } else {
            vec![]
        };
        let changes = rows
            .iter()
            .map(|(key, text, _)| (number, restaurant, key.clone(), Some((text.clone(), value))))
            .collect();
        Write {
            kind: "merge",
            statement: format!(
                "MERGE INTO {} AS t USING (VALUES ('{}'::uuid)) AS v (id) ON t.restaurant_id = v.id
                  WHEN MATCHED THEN UPDATE SET {} = {value} / 1000.0",
                table.name,
                restaurant_id(restaurant),
                table.number
            ),
            expected: if actor.level < table.update {
                Expected::Error(DENIED)
            } else {
                merge_outcome(table, actor, current, restaurant, rows.len())
            },
            changes,
        }
    }

    /// Own rows are to become another restaurant's, or foreign ones one's own.
    fn move_away(
        &mut self,
        number: usize,
        table: &Table,
        actor: &Actor,
        current: Option<usize>,
    ) -> Write {
        let to = self.below(SHARED + 1);
        let moved = self.own(number, current, &Condition::All);
        let stays = current == Some(to) || moved.is_empty();
        let allowed = actor.level >= table.update && stays;
        Write {
            kind: "move",
            statement: format!(
                "UPDATE {} SET restaurant_id = '{}'",
                table.name,
                restaurant_id(to)
            ),
            expected: if allowed {
                Expected::Count(moved.len() as u64)
            } else {
                Expected::Error(MOVED)
            },
            changes: vec![],
        }
    }
}

/// MERGE raises an error where it would update a row that is visible and not the caller's: a shared one, or one of a
/// group reader's (who has no right to write at all).
fn merge_outcome(
    table: &Table,
    actor: &Actor,
    current: Option<usize>,
    restaurant: usize,
    rows: usize,
) -> Expected {
    if restaurant == SHARED && table.shared && current.is_some() && actor.level > Level::None {
        Expected::Error(DENIED)
    } else {
        Expected::Count(rows as u64)
    }
}

fn succeeded(answer: &Answer) -> Result<(), String> {
    answer.failure.as_ref().map_or(Ok(()), |failure| {
        Err(format!("fails: {} {}", failure.code, failure.text))
    })
}
