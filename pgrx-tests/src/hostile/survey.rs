//! Calls everything with everything: reasonable arguments, each argument hostile in turn, then several at once.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::own_types::OwnTypes;
use super::routines::{Kind, Routine, Shape};
use super::session::{Answer, Record, Session};
use super::values::{Hostile, option_values};

/// How much of everything a survey does.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Small hostile values per argument.
    pub small: usize,
    /// Large hostile values per argument.
    pub large: usize,
    /// Values per documented key of an options argument.
    pub per_option: usize,
    /// Calls with several hostile arguments, per routine.
    pub combinations: usize,
}

/// A survey by one connection.
pub struct Survey<'a> {
    /// Where the calls go.
    pub session: &'a mut Session,
    /// How values of our types are made.
    pub own_types: &'a OwnTypes,
    /// What was found.
    pub record: Record,
    /// Routines whose reasonable call is refused, with the error.
    pub refused: Vec<(String, String)>,
    /// Statements that were refused, by routine, one per SQLSTATE; and the reasonable call.
    pub statements: BTreeMap<String, BTreeMap<String, String>>,
    /// Hostile values that the server itself refuses to make.
    pub unmade: usize,
    values: BTreeMap<String, Vec<Hostile>>,
    random: &'a mut ChaCha8Rng,
}

impl<'a> Survey<'a> {
    /// A survey that has called nothing yet.
    pub fn new(
        session: &'a mut Session,
        own_types: &'a OwnTypes,
        random: &'a mut ChaCha8Rng,
    ) -> Self {
        Self {
            session,
            own_types,
            record: Record::default(),
            refused: Vec::new(),
            statements: BTreeMap::new(),
            unmade: 0,
            values: BTreeMap::new(),
            random,
        }
    }

    /// Calls one routine.
    pub fn call(&mut self, routine: &Routine, extent: Extent) {
        let reasonable = routine.reasonable(self.own_types);
        let ordinary = as_strs(&reasonable);
        let baseline = routine.call(&ordinary);
        if let Answer::Refused(_) = self.run(routine, &baseline) {
            let error = self.session.latest_error.clone();
            self.refused.push((routine.signature.clone(), error));
        }
        if let Some(statement) = routine.interrupted_call(&ordinary) {
            self.run(routine, &statement);
        }
        for shape in routine.shapes() {
            self.run(routine, &routine.aggregate(&ordinary, *shape, 100, None));
        }
        for at in 0..routine.arguments.len() {
            self.vary(routine, &ordinary, at, extent);
        }
        for _ in 0..extent.combinations {
            if routine.arguments.len() > 1 {
                self.combine(routine, &ordinary);
            }
        }
    }

    /// One argument hostile, the others reasonable.
    fn vary(&mut self, routine: &Routine, ordinary: &[Option<&str>], at: usize, extent: Extent) {
        let Some(argument) = routine.arguments.get(at) else {
            return;
        };
        let values = self.values(&argument.type_name);
        let (large, small): (Vec<_>, Vec<_>) = values.into_iter().partition(|value| value.large);
        let mut chosen = self.choose(small, extent.small);
        chosen.extend(self.choose(large, extent.large));
        if argument.type_name == "jsonb" {
            for key in &routine.option_keys {
                let values = self.choose(option_values(), extent.per_option);
                chosen.extend(values.into_iter().map(|value| Hostile {
                    sql: format!("'{{\"{key}\": {value}}}'::jsonb"),
                    large: false,
                }));
            }
        }
        for value in chosen {
            let mut arguments = ordinary.to_vec();
            if let Some(place) = arguments.get_mut(at) {
                *place = Some(&value.sql);
            }
            if !matches!(routine.kind, Kind::Aggregate(_)) {
                self.run(routine, &routine.call(&arguments));
                continue;
            }
            for shape in routine.shapes() {
                // Large values are for one row; what the states do with many is seen with small ones.
                let rows = if value.large { 1 } else { 100 };
                if value.large && *shape != Shape::Plain {
                    continue;
                }
                self.run(routine, &routine.aggregate(&arguments, *shape, rows, None));
                let mixed = routine.aggregate(ordinary, *shape, rows, Some((at, &value.sql)));
                self.run(routine, &mixed);
            }
        }
    }

    /// Several arguments hostile.
    fn combine(&mut self, routine: &Routine, ordinary: &[Option<&str>]) {
        let mut chosen: Vec<Option<String>> = ordinary
            .iter()
            .map(|value| value.map(ToOwned::to_owned))
            .collect();
        for (argument, place) in routine.arguments.iter().zip(&mut chosen) {
            if self.random.random_bool(0.6) {
                let values = self.values(&argument.type_name);
                let small: Vec<_> = values.into_iter().filter(|value| !value.large).collect();
                if let Some(value) = self.choose(small, 2).pop() {
                    *place = Some(value.sql);
                }
            }
        }
        let arguments = as_strs(&chosen);
        let shapes = routine.shapes();
        if shapes.is_empty() {
            self.run(routine, &routine.call(&arguments));
        } else if let Some(shape) = shapes.get(self.random.random_range(0..shapes.len())) {
            self.run(routine, &routine.aggregate(&arguments, *shape, 100, None));
        }
    }

    fn run(&mut self, routine: &Routine, statement: &str) -> Answer {
        let answer = if routine.kind == Kind::Procedure {
            self.session
                .run_outside_transaction(&routine.signature, statement, &mut self.record)
        } else {
            self.session
                .run(&routine.signature, statement, &mut self.record)
        };
        let state = match &answer {
            Answer::Rows => "00000",
            Answer::Refused(state) => state,
            Answer::Fault(_) => return answer,
        };
        self.statements
            .entry(routine.signature.clone())
            .or_default()
            .entry(state.to_owned())
            .or_insert_with(|| statement.to_owned());
        answer
    }

    /// The hostile values of a type that the server can make: an error then comes from the routine that is called.
    fn values(&mut self, type_name: &str) -> Vec<Hostile> {
        if let Some(known) = self.values.get(type_name) {
            return known.clone();
        }
        let all = self.own_types.hostile(type_name);
        let client = self.session.client();
        let (usable, unmade): (Vec<_>, Vec<_>) = all.into_iter().partition(|value| {
            client
                .query_one(&format!("SELECT ({}) IS NULL", value.sql), &[])
                .is_ok()
        });
        self.unmade += unmade.len();
        self.values.insert(type_name.to_owned(), usable.clone());
        usable
    }

    /// The first (NULL, where there is one) and others at random, `count` in all.
    fn choose<T>(&mut self, mut values: Vec<T>, count: usize) -> Vec<T> {
        while values.len() > count.max(1) {
            let at = self.random.random_range(1..values.len());
            values.swap_remove(at);
        }
        values.truncate(count);
        values
    }
}

fn as_strs(values: &[Option<String>]) -> Vec<Option<&str>> {
    values.iter().map(Option::as_deref).collect()
}
