//! Random statements of several tenants, each answer compared with what a model of their rows says.

mod model;
mod statements;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use self::model::{
    Actor, Change, Condition, Level, Model, RESTAURANTS, Row, SHARED, TABLES, Table, marker,
    restaurant_id,
};
use crate::watch::{Answer, Session, Watch};
use crate::{Database, describe};

/// How many statements a failure shows.
const REMEMBERED: usize = 25;
/// After so many statements the tables are compared with the model as a whole.
const FULL_COMPARISON: usize = 1_000;

/// A run's figures.
#[derive(Debug, Default)]
pub struct Report {
    /// Statements sent.
    pub statements: usize,
    /// How many of each kind.
    pub kinds: BTreeMap<&'static str, usize>,
    /// Errors by SQLSTATE, all of them expected.
    pub errors: BTreeMap<String, usize>,
    /// Rows that were shown to tenants.
    pub rows: usize,
    /// Answers that were also compared with a superuser's query with the tenant spelled out.
    pub spelled_out: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} statements, {} rows seen, {} answers compared with a spelled-out query; kinds {:?}; errors {:?}",
            self.statements, self.rows, self.spelled_out, self.kinds, self.errors
        )
    }
}

/// What a session and the one who acts in it are.
struct Seat {
    session: Session,
    actor: usize,
    /// The restaurant chosen by setting.
    chosen: Option<usize>,
    /// Tables whose prepared statements this session has.
    prepared: BTreeSet<usize>,
}

/// A fuzzer with its connections and its model.
pub struct Fuzzer {
    random: ChaCha8Rng,
    seats: Vec<Seat>,
    /// The seat whose login takes on the roles of others.
    pool: usize,
    actors: Vec<Actor>,
    model: Model,
    superuser: postgres::Client,
    history: VecDeque<String>,
    words: Watch,
    next: u64,
    /// What the run has done so far.
    pub report: Report,
}

/// Restaurants, roles, views and functions for the fuzzer; afterwards the database is as [`Fuzzer::new`] expects it.
///
/// # Panics
/// When something cannot be made.
pub fn prepare(database: &Database) {
    database.run(
        "CREATE SCHEMA fuzz_play; GRANT USAGE ON SCHEMA fuzz_play TO PUBLIC;
         DO $$ BEGIN CREATE ROLE fuzz_pool LOGIN NOINHERIT; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         CREATE FUNCTION fuzz_play.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.000000001 AS
            'BEGIN RAISE NOTICE ''told %'', $1; RETURN true; END';",
    );
    for number in 0..RESTAURANTS {
        database.run(&format!(
            "INSERT INTO sop_ml.sop_restaurants (restaurant_id, name) VALUES ('{}', 'restaurant {number}')",
            restaurant_id(number)
        ));
    }
    for actor in actors() {
        let level = if actor.group_reader {
            "group_reader"
        } else {
            actor.level.name()
        };
        database.run(&format!(
            "DO $$ BEGIN CREATE ROLE {0} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
             GRANT sop_ml_{level} TO {0}; GRANT {0} TO fuzz_pool",
            actor.role
        ));
        for member in &actor.members {
            database.run(&format!(
                "INSERT INTO sop_ml.sop_restaurant_members (restaurant_id, role_name, access_level) VALUES ('{}', '{}', '{}')",
                restaurant_id(*member),
                actor.role,
                actor.level.max(Level::Viewer).name()
            ));
        }
    }
    // The first tenant's objects, open to everybody.
    let owner = actors().swap_remove(0).role;
    database.run(&format!("GRANT CREATE ON SCHEMA fuzz_play TO {owner}"));
    let mut client = database.connect(&owner);
    for (number, table) in TABLES.iter().enumerate() {
        let columns = columns(table);
        let statement = format!(
            "CREATE VIEW fuzz_play.v{number} AS SELECT *, {columns} FROM {name};
             CREATE FUNCTION fuzz_play.f{number}() RETURNS SETOF fuzz_play.v{number} LANGUAGE sql STABLE AS 'SELECT *, {columns} FROM {name}';
             CREATE FUNCTION fuzz_play.d{number}() RETURNS SETOF fuzz_play.v{number} LANGUAGE sql SECURITY DEFINER AS 'SELECT *, {columns} FROM {name}';
             GRANT SELECT ON fuzz_play.v{number} TO PUBLIC",
            name = table.name
        );
        client
            .batch_execute(&statement)
            .unwrap_or_else(|error| panic!("{statement}: {}", describe(&error)));
    }
}

/// What queries show of a row.
fn columns(table: &Table) -> String {
    format!(
        "{}::text AS the_key, {} AS the_text, ({} * 1000)::int AS the_number",
        table.key, table.text, table.number
    )
}

/// One login per restaurant, one with access to two and one group reader.
fn actors() -> Vec<Actor> {
    let levels = [
        Level::Owner,
        Level::Owner,
        Level::Manager,
        Level::Analyst,
        Level::Staff,
        Level::Viewer,
        Level::Manager,
        Level::Analyst,
    ];
    let mut actors: Vec<Actor> = levels
        .into_iter()
        .take(RESTAURANTS)
        .enumerate()
        .map(|(number, level)| Actor {
            role: format!("fuzz_tenant_{number}"),
            level,
            members: vec![number],
            group_reader: false,
        })
        .collect();
    actors.push(Actor {
        role: "fuzz_both".to_owned(),
        level: Level::Owner,
        members: vec![0, 1],
        group_reader: false,
    });
    actors.push(Actor {
        role: "fuzz_group".to_owned(),
        level: Level::None,
        members: vec![1, 2, 3],
        group_reader: true,
    });
    actors
}

impl Fuzzer {
    /// Connects everybody and fills the tables with some rows of each restaurant.
    ///
    /// # Panics
    /// When the database is not prepared.
    #[must_use]
    pub fn new(database: &Database, seed: u64) -> Self {
        let actors = actors();
        let seat = |role: &str, actor: usize| Seat {
            session: Session::connect(database, role, Watch::default()),
            actor,
            chosen: None,
            prepared: BTreeSet::new(),
        };
        let mut seats: Vec<Seat> = actors
            .iter()
            .enumerate()
            .map(|(number, actor)| seat(&actor.role, number))
            .collect();
        let pool = seats.len();
        seats.push(seat("fuzz_pool", 0));
        for seat in &mut seats {
            // Odd seats keep generic plans, so that a plan made for one context meets another.
            let mode = if seat.actor % 2 == 0 {
                "force_generic_plan"
            } else {
                "auto"
            };
            seat.session.run(&format!("SET plan_cache_mode = {mode}"));
        }
        if let Some(seat) = seats.get_mut(pool) {
            let taken = seat
                .session
                .run("SET ROLE fuzz_tenant_0; SET plan_cache_mode = force_generic_plan");
            assert_eq!(taken.code(), "", "{}", taken.text());
        }
        let mut fuzzer = Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            seats,
            pool,
            actors,
            model: Model::default(),
            superuser: database.superuser(),
            history: VecDeque::new(),
            words: Watch::new(&["canary_"]),
            next: 0,
            report: Report::default(),
        };
        fuzzer.seed_rows();
        fuzzer
    }

    /// Some rows of every restaurant, the shared one's too, which no tenant could write.
    fn seed_rows(&mut self) {
        for (number, table) in TABLES.iter().enumerate() {
            for restaurant in 0..=SHARED {
                if restaurant == SHARED && !table.shared {
                    continue;
                }
                for _ in 0..4 {
                    let (key, text, value) = (
                        self.new_key(table),
                        self.new_text(restaurant),
                        self.number(),
                    );
                    let statement = statements::insert(table, restaurant, &key, &text, value);
                    self.superuser
                        .batch_execute(&statement)
                        .unwrap_or_else(|error| panic!("{statement}: {}", describe(&error)));
                    self.model
                        .apply(vec![(number, restaurant, key, Some((text, value)))]);
                }
            }
        }
    }

    /// Runs statements until so many were run.
    ///
    /// # Errors
    /// What was wrong first, with the statements before it.
    pub fn run(&mut self, statements: usize) -> Result<(), String> {
        let until = self.report.statements + statements;
        let mut compared = self.report.statements;
        while self.report.statements < until {
            let seat = self.below(self.seats.len());
            let outcome = match self.below(100) {
                0..=3 => self.choose(seat),
                4..=9 if seat == self.pool => self.become_another(),
                55..=59 => self.aggregate(seat),
                60..=99 => self.write(seat),
                _ => self.read(seat),
            };
            outcome.map_err(|problem| self.failure(&problem))?;
            if self.report.statements >= compared + FULL_COMPARISON {
                compared = self.report.statements;
                self.compare_all()
                    .map_err(|problem| self.failure(&problem))?;
            }
        }
        self.compare_all().map_err(|problem| self.failure(&problem))
    }

    fn failure(&self, problem: &str) -> String {
        let history: Vec<&str> = self.history.iter().map(String::as_str).collect();
        format!(
            "after {} statements: {problem}\nthe last statements:\n{}",
            self.report.statements,
            history.join("\n")
        )
    }

    /// Every row of every table, as superuser: writes had the effect that the model has.
    fn compare_all(&mut self) -> Result<(), String> {
        let everybody: BTreeSet<usize> = (0..=SHARED).collect();
        for (number, table) in TABLES.iter().enumerate() {
            let statement = format!("SELECT {} FROM {}", columns(table), table.name);
            let rows = self.as_superuser(&statement)?;
            let expected = self.model.select(number, &everybody, &Condition::All);
            compare(&statement, &rows, &expected)?;
        }
        Ok(())
    }

    fn as_superuser(&mut self, statement: &str) -> Result<Vec<Row>, String> {
        let mut rows: Vec<Row> = self
            .superuser
            .query(statement, &[])
            .map_err(|error| format!("{statement}: {}", describe(&error)))?
            .iter()
            .map(|row| (row.get(0), row.get(1), i64::from(row.get::<_, i32>(2))))
            .collect();
        rows.sort();
        Ok(rows)
    }

    /// Sends a statement and looks for words of restaurants that the actor may not read.
    fn send(&mut self, seat: usize, kind: &'static str, statement: &str) -> Result<Answer, String> {
        let answer = {
            let seat = self.seats.get_mut(seat).ok_or("no such seat")?;
            if statement.starts_with("COPY") {
                seat.session.copy_out(statement)
            } else {
                seat.session.run(statement)
            }
        };
        let (actor, chosen) = self.who(seat);
        self.report.statements += 1;
        *self.report.kinds.entry(kind).or_default() += 1;
        self.report.rows += answer.rows.len();
        if !answer.code().is_empty() {
            *self
                .report
                .errors
                .entry(answer.code().to_owned())
                .or_default() += 1;
        }
        if self.history.len() == REMEMBERED {
            self.history.pop_front();
        }
        self.history.push_back(format!(
            "  {} (chosen {chosen:?}): {statement} -> {} {} rows",
            actor.role,
            answer.code(),
            answer.rows.len()
        ));
        let own = self.words.words(statement);
        for word in self.words.words(&answer.text()) {
            let readable = actor.members.iter().chain([&SHARED]);
            let is_readable = readable
                .into_iter()
                .any(|number| word.starts_with(&marker(*number)));
            if !is_readable && !own.contains(&word) {
                return Err(format!("{} was told {word}: {}", actor.role, answer.text()));
            }
        }
        Ok(answer)
    }

    fn who(&self, seat: usize) -> (Actor, Option<usize>) {
        let (actor, chosen) = self
            .seats
            .get(seat)
            .map_or((0, None), |seat| (seat.actor, seat.chosen));
        let actor = self
            .actors
            .get(actor)
            .cloned()
            .unwrap_or_else(|| panic!("no actor {actor}"));
        (actor, chosen)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.random_range(0..bound)
    }

    fn number(&mut self) -> i64 {
        self.random.random_range(0..1000)
    }

    fn new_key(&mut self, table: &Table) -> String {
        let (high, low): (u64, u64) = (self.random.random(), self.random.random());
        let digits = format!("{high:016x}{low:016x}");
        if table.key_is_uuid {
            let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
            format!(
                "{}-{}-{}-{}-{}",
                part(0, 8),
                part(8, 12),
                part(12, 16),
                part(16, 20),
                part(20, 32)
            )
        } else {
            format!("metric_{digits}")
        }
    }

    fn new_text(&mut self, restaurant: usize) -> String {
        self.next += 1;
        format!("{}{}", marker(restaurant), self.next)
    }

    fn apply(&mut self, changes: Vec<Change>) {
        self.model.apply(changes);
    }
}

/// The rows of an answer; a line of COPY has its columns between tabs.
fn rows_of(answer: &Answer) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for row in &answer.rows {
        let cells: Vec<String> = match row.as_slice() {
            [Some(line)] => line.split('\t').map(ToOwned::to_owned).collect(),
            cells => cells
                .iter()
                .map(|cell| cell.clone().unwrap_or_default())
                .collect(),
        };
        let [key, text, number] = cells.as_slice() else {
            return Err(format!("not a row of the model's: {cells:?}"));
        };
        let number = number
            .parse()
            .map_err(|_| format!("not a number: {number}"))?;
        rows.push((key.clone(), text.clone(), number));
    }
    rows.sort();
    Ok(rows)
}

fn compare(statement: &str, rows: &[Row], expected: &[Row]) -> Result<(), String> {
    if rows == expected {
        return Ok(());
    }
    let missing: Vec<&Row> = expected.iter().filter(|row| !rows.contains(row)).collect();
    let surplus: Vec<&Row> = rows.iter().filter(|row| !expected.contains(row)).collect();
    Err(format!(
        "{statement}\nshows too much: {surplus:?}\nshows too little: {missing:?}"
    ))
}
