//! What the fuzzer believes: which rows there are, who may see and change them.

use std::collections::{BTreeMap, BTreeSet};

/// A table that the fuzzer works on: a key, a text that carries the canary, and a number from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) key: &'static str,
    pub(super) key_is_uuid: bool,
    pub(super) text: &'static str,
    pub(super) number: &'static str,
    /// Further columns of a new row, and their values.
    pub(super) further: (&'static str, &'static str),
    /// The unique key for ON CONFLICT, where `key` belongs to one.
    pub(super) conflict: Option<&'static str>,
    /// Whether every restaurant reads the shared tenant's rows.
    pub(super) shared: bool,
    /// The levels that INSERT, UPDATE and DELETE need, as grants give them.
    pub(super) insert: Level,
    pub(super) update: Level,
    pub(super) delete: Level,
}

/// An access level; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// A group reader has no level.
    None,
    Viewer,
    Staff,
    Analyst,
    Manager,
    Owner,
}

impl Level {
    /// As the database names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Viewer => "viewer",
            Self::Staff => "staff",
            Self::Analyst => "analyst",
            Self::Manager => "manager",
            Self::Owner => "owner",
        }
    }
}

/// A handful that differs in what matters: plain, partitioned, with triggers, with shared rows, with several levels.
pub(super) const TABLES: [Table; 5] = [
    Table {
        name: "sop_ml.sop_training_records",
        key: "record_id",
        key_is_uuid: true,
        text: "module_name",
        number: "duration_seconds",
        further: ("user_id, module_id", "gen_random_uuid(), gen_random_uuid()"),
        conflict: Some("restaurant_id, record_id"),
        shared: false,
        insert: Level::Staff,
        update: Level::Staff,
        delete: Level::Manager,
    },
    Table {
        name: "sop_ml.sop_user_interactions",
        key: "interaction_id",
        key_is_uuid: true,
        text: "search_text",
        number: "duration_seconds",
        further: (
            "user_id, sop_id, interaction_type, occurred_at",
            "gen_random_uuid(), gen_random_uuid(), 'view', now() - random() * interval '100 days'",
        ),
        conflict: None,
        shared: false,
        insert: Level::Staff,
        update: Level::Analyst,
        delete: Level::Manager,
    },
    Table {
        name: "sop_ml.sop_time_series_data",
        key: "metric_name",
        key_is_uuid: false,
        text: "unit",
        number: "value",
        further: ("observed_at", "timestamptz '2026-01-02 03:00+00'"),
        conflict: Some("restaurant_id, metric_name, sop_id, source, observed_at"),
        shared: false,
        insert: Level::Staff,
        update: Level::Analyst,
        delete: Level::Analyst,
    },
    Table {
        name: "sop_ml.sop_content_features",
        key: "sop_id",
        key_is_uuid: true,
        text: "title",
        number: "estimated_minutes",
        further: ("station", "'grill'"),
        conflict: Some("restaurant_id, sop_id"),
        shared: false,
        insert: Level::Analyst,
        update: Level::Analyst,
        delete: Level::Analyst,
    },
    Table {
        name: "sop_ml.sop_ab_feature_flags",
        key: "flag_id",
        key_is_uuid: true,
        text: "salt",
        number: "rollout_fraction",
        further: ("flag_key", "gen_random_uuid()::text"),
        conflict: Some("restaurant_id, flag_id"),
        shared: true,
        insert: Level::Manager,
        update: Level::Manager,
        delete: Level::Manager,
    },
];

/// How many restaurants there are; the number after the last is the shared tenant.
pub(super) const RESTAURANTS: usize = 8;
/// The shared tenant's number.
pub(super) const SHARED: usize = RESTAURANTS;

/// A restaurant's key.
pub(super) fn restaurant_id(number: usize) -> String {
    if number == SHARED {
        "00000000-0000-0000-0000-000000000000".to_owned()
    } else {
        format!("f0000000-0000-4000-8000-0000000000{number:02}")
    }
}

/// How the texts of a restaurant begin.
pub(super) fn marker(number: usize) -> String {
    format!("canary_{number:02}_")
}

/// A row as queries show it: key, text, number in thousandths.
pub(super) type Row = (String, String, i64);

/// A login or a role that a login has taken on.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    pub(super) role: String,
    pub(super) level: Level,
    pub(super) members: Vec<usize>,
    pub(super) group_reader: bool,
}

impl Actor {
    /// The restaurant that its transaction works for, when this one is chosen by setting.
    pub(super) fn current(&self, chosen: Option<usize>) -> Option<usize> {
        match (chosen, self.members.as_slice()) {
            (Some(restaurant), members) => members.contains(&restaurant).then_some(restaurant),
            (None, [only]) => Some(*only),
            (None, _) => None,
        }
    }

    /// The restaurants whose rows it reads; through a view or function of another owner a group reader's own policy does
    /// not count.
    pub(super) fn visible(
        &self,
        table: &Table,
        chosen: Option<usize>,
        direct: bool,
    ) -> BTreeSet<usize> {
        let mut visible: BTreeSet<usize> = self.current(chosen).into_iter().collect();
        let group = self.group_reader && direct;
        if group {
            visible.extend(&self.members);
        }
        if table.shared && (group || !visible.is_empty()) {
            visible.insert(SHARED);
        }
        visible
    }
}

/// Which rows a statement is about.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    All,
    Key(String),
    Restaurant(usize),
    Below(i64),
    Marked(usize),
}

impl Condition {
    /// As SQL.
    pub(super) fn sql(&self, table: &Table) -> String {
        match self {
            Self::All => "true".to_owned(),
            Self::Key(key) => format!("{} = '{key}'", table.key),
            Self::Restaurant(number) => format!("restaurant_id = '{}'", restaurant_id(*number)),
            Self::Below(number) => format!("{} * 1000 < {number}", table.number),
            Self::Marked(number) => format!("starts_with({}, '{}')", table.text, marker(*number)),
        }
    }

    fn holds(&self, restaurant: usize, row: &Row) -> bool {
        match self {
            Self::All => true,
            Self::Key(key) => row.0 == *key,
            Self::Restaurant(number) => restaurant == *number,
            Self::Below(number) => row.2 < *number,
            Self::Marked(number) => row.1.starts_with(&marker(*number)),
        }
    }
}

/// All rows of all restaurants, as the fuzzer believes them to be.
#[derive(Debug, Default, Clone)]
pub(super) struct Model {
    rows: BTreeMap<(usize, usize), BTreeMap<String, (String, i64)>>,
}

/// A change to one row: gone when there is no value.
pub(super) type Change = (usize, usize, String, Option<(String, i64)>);

impl Model {
    /// The rows of a table that these restaurants have and that the condition chooses, in order.
    pub(super) fn select(
        &self,
        table: usize,
        restaurants: &BTreeSet<usize>,
        condition: &Condition,
    ) -> Vec<Row> {
        let mut rows: Vec<Row> = restaurants
            .iter()
            .flat_map(|&restaurant| {
                self.rows
                    .get(&(table, restaurant))
                    .into_iter()
                    .flatten()
                    .map(move |(key, (text, number))| {
                        (restaurant, (key.clone(), text.clone(), *number))
                    })
            })
            .filter(|(restaurant, row)| condition.holds(*restaurant, row))
            .map(|(_, row)| row)
            .collect();
        rows.sort();
        rows
    }

    /// Whether a restaurant has a row with this key.
    pub(super) fn has(&self, table: usize, restaurant: usize, key: &str) -> bool {
        self.rows
            .get(&(table, restaurant))
            .is_some_and(|rows| rows.contains_key(key))
    }

    /// How many rows a restaurant has in a table.
    pub(super) fn count(&self, table: usize, restaurant: usize) -> usize {
        self.rows.get(&(table, restaurant)).map_or(0, BTreeMap::len)
    }

    /// The keys of a restaurant's rows in a table.
    pub(super) fn keys(&self, table: usize, restaurant: usize) -> Vec<&String> {
        self.rows
            .get(&(table, restaurant))
            .into_iter()
            .flat_map(BTreeMap::keys)
            .collect()
    }

    /// Takes changes over.
    pub(super) fn apply(&mut self, changes: Vec<Change>) {
        for (table, restaurant, key, value) in changes {
            let rows = self.rows.entry((table, restaurant)).or_default();
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
    }
}
