//! A client that remembers everything the server ever said to it, and what must not be among it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use postgres::error::DbError;
use postgres::{Client, NoTls, SimpleQueryMessage};

use crate::Database;

/// Texts that must never reach a session: the beginnings of another tenant's canaries.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    markers: Vec<String>,
}

impl Watch {
    /// Watches for words that begin with one of the markers, and for the markers themselves.
    #[must_use]
    pub fn new(markers: &[&str]) -> Self {
        Self {
            markers: markers.iter().map(|&marker| marker.to_owned()).collect(),
        }
    }

    /// The words of a text that begin with a marker.
    #[must_use]
    pub fn words(&self, text: &str) -> BTreeSet<String> {
        let mut words = BTreeSet::new();
        for marker in &self.markers {
            for (start, _) in text.match_indices(marker.as_str()) {
                let word = text.get(start..).unwrap_or_default();
                let end = word
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
                    .unwrap_or(word.len());
                words.insert(word.get(..end).unwrap_or_default().to_owned());
            }
        }
        words
    }
}

/// What an error says, apart from where in the server's source it was raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// SQLSTATE; `client` for what no server said, a lost connection for example.
    pub code: String,
    /// Message, detail, hint and context, one per line.
    pub text: String,
    /// The hint alone.
    pub hint: Option<String>,
}

impl Failure {
    fn of(error: &postgres::Error) -> Self {
        error.as_db_error().map_or_else(
            || Self {
                code: "client".to_owned(),
                text: format!("{error:?}"),
                hint: None,
            },
            |raised| Self {
                code: raised.code().code().to_owned(),
                text: parts(raised),
                hint: raised.hint().map(ToOwned::to_owned),
            },
        )
    }
}

fn parts(raised: &DbError) -> String {
    let mut text = raised.message().to_owned();
    for part in [
        raised.detail(),
        raised.hint(),
        raised.where_(),
        raised.schema(),
        raised.table(),
        raised.column(),
        raised.datatype(),
        raised.constraint(),
    ]
    .into_iter()
    .flatten()
    {
        text.push('\n');
        text.push_str(part);
    }
    text
}

/// The answer to one or several statements.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The rows of all statements.
    pub rows: Vec<Vec<Option<String>>>,
    /// What the last command tag counted.
    pub count: u64,
    /// Notices and warnings, with all their parts.
    pub notices: Vec<String>,
    /// The error that ended them.
    pub failure: Option<Failure>,
    /// Words of others that came along.
    pub leaked: Vec<String>,
}

impl Answer {
    /// The SQLSTATE; empty when there was no error.
    #[must_use]
    pub fn code(&self) -> &str {
        self.failure
            .as_ref()
            .map_or("", |failure| failure.code.as_str())
    }

    /// The first column of the first row.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.rows.first()?.first()?.as_deref()
    }

    /// Everything that was said, in one text.
    #[must_use]
    pub fn text(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            row.iter()
                .map(|cell| cell.as_deref().unwrap_or("∅"))
                .collect::<Vec<_>>()
                .join("|")
        });
        rows.chain(self.notices.iter().cloned())
            .chain(
                self.failure
                    .iter()
                    .map(|failure| format!("{} {}", failure.code, failure.text)),
            )
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// A connection whose every answer is searched.
pub struct Session {
    client: Client,
    notices: Arc<Mutex<Vec<String>>>,
    watch: Watch,
    /// Marked words that the session has said itself: to hear them again is no leak.
    said: BTreeSet<String>,
    /// Login role.
    pub role: String,
}

impl Session {
    /// Connects as `role`.
    ///
    /// # Panics
    /// When the server refuses the connection.
    #[must_use]
    pub fn connect(database: &Database, role: &str, watch: Watch) -> Self {
        Self::configured(database.config(role), role, watch)
    }

    /// Connects with settings of one's own.
    ///
    /// # Panics
    /// When the server refuses the connection.
    #[must_use]
    pub fn configured(mut config: postgres::Config, role: &str, watch: Watch) -> Self {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&notices);
        config.notice_callback(move |notice| {
            heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(parts(&notice));
        });
        let client = config
            .connect(NoTls)
            .unwrap_or_else(|error| panic!("no connection as {role}: {error:?}"));
        Self {
            client,
            notices,
            watch,
            said: BTreeSet::new(),
            role: role.to_owned(),
        }
    }

    /// Sends statements as one simple query.
    pub fn run(&mut self, statements: &str) -> Answer {
        let result = self.client.simple_query(statements);
        let mut answer = Answer::default();
        match result {
            Ok(messages) => {
                for message in messages {
                    match message {
                        SimpleQueryMessage::Row(row) => answer.rows.push(
                            (0..row.len())
                                .map(|column| row.get(column).map(ToOwned::to_owned))
                                .collect(),
                        ),
                        SimpleQueryMessage::CommandComplete(count) => answer.count = count,
                        _ => {}
                    }
                }
            }
            Err(error) => answer.failure = Some(Failure::of(&error)),
        }
        self.searched(answer, statements)
    }

    /// Sends a `COPY … TO STDOUT`; each line becomes a row of one column.
    pub fn copy_out(&mut self, statement: &str) -> Answer {
        let mut answer = Answer::default();
        let mut bytes = Vec::new();
        let result = self.client.copy_out(statement).map(|mut reader| {
            std::io::Read::read_to_end(&mut reader, &mut bytes).map_err(|error| error.to_string())
        });
        match result {
            Ok(Ok(_)) => {
                answer.rows = String::from_utf8_lossy(&bytes)
                    .lines()
                    .map(|line| vec![Some(line.to_owned())])
                    .collect();
            }
            Ok(Err(text)) => {
                answer.failure = Some(Failure {
                    code: "client".to_owned(),
                    text,
                    hint: None,
                });
            }
            Err(error) => answer.failure = Some(Failure::of(&error)),
        }
        self.searched(answer, statement)
    }

    /// Sends a `COPY … FROM STDIN` with its data.
    pub fn copy_in(&mut self, statement: &str, data: &str) -> Answer {
        let mut answer = Answer::default();
        let result = self.client.copy_in(statement).and_then(|mut writer| {
            // What the server refuses is told by `finish`.
            let _ = std::io::Write::write_all(&mut writer, data.as_bytes());
            writer.finish()
        });
        match result {
            Ok(count) => answer.count = count,
            Err(error) => answer.failure = Some(Failure::of(&error)),
        }
        self.searched(answer, &format!("{statement} {data}"))
    }

    /// As [`Session::run`], and fails when anything of others came along.
    ///
    /// # Panics
    /// On a leak.
    pub fn attack(&mut self, statements: &str) -> Answer {
        let answer = self.run(statements);
        self.refuse_leak(&answer, statements);
        answer
    }

    /// Fails when an answer held anything of others.
    ///
    /// # Panics
    /// On a leak.
    pub fn refuse_leak(&self, answer: &Answer, statements: &str) {
        assert!(
            answer.leaked.is_empty(),
            "{} was told {:?}\nby: {statements}\n{}",
            self.role,
            answer.leaked,
            answer.text()
        );
    }

    /// The marked words that this session has sent.
    #[must_use]
    pub fn said(&self) -> &BTreeSet<String> {
        &self.said
    }

    fn searched(&mut self, mut answer: Answer, sent: &str) -> Answer {
        answer.notices =
            std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner));
        self.said.append(&mut self.watch.words(sent));
        answer.leaked = self
            .watch
            .words(&answer.text())
            .difference(&self.said)
            .cloned()
            .collect();
        answer
    }
}

/// What the server's log says about the sessions of a role in this database: whole entries.
///
/// # Panics
/// When the log cannot be read.
#[must_use]
pub fn log_entries(database: &Database, role: &str) -> Vec<String> {
    let directory = database.texts("SHOW data_directory").concat();
    let path = std::path::Path::new(&directory).join("server.log");
    let log = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    let log = String::from_utf8_lossy(&log).into_owned();
    let sender = format!("] {role}@{} ", database.name);
    let mut entries: Vec<String> = Vec::new();
    let mut wanted = false;
    for line in log.lines() {
        if line.starts_with('\t') {
            if let (true, Some(entry)) = (wanted, entries.last_mut()) {
                entry.push('\n');
                entry.push_str(line);
            }
            continue;
        }
        wanted = line.contains(&sender);
        if wanted {
            entries.push(line.to_owned());
        }
    }
    entries
}

/// Fails when the log of a session's role holds marked words that the session did not send itself; returns how many
/// entries there were.
///
/// # Panics
/// On a leak.
#[must_use]
pub fn assert_clean_log(database: &Database, session: &Session) -> usize {
    let entries = log_entries(database, &session.role);
    for entry in &entries {
        let words = session.watch.words(entry);
        let leaked: Vec<_> = words.difference(&session.said).collect();
        assert!(leaked.is_empty(), "the log tells {leaked:?}:\n{entry}");
    }
    entries.len()
}
