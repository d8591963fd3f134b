//! Files of named blocks of SQL (`pgrx-tests/queries`): each block runs through `psql` as the role that its title names, and
//! its answer is what `psql` prints, with errors as their SQLSTATE.
//!
//! ```text
//! -- # what the block is about [role]
//! SELECT …;
//! ```

use std::fmt::Write as _;

use crate::Database;

/// One block of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it is about.
    pub name: String,
    /// Who runs it.
    pub role: String,
    /// Its statements.
    pub sql: String,
}

const TITLE: &str = "-- # ";
const SEPARATOR: &str = "-- end of block";

/// The blocks of a text, in order.
///
/// # Panics
/// When a title names no role.
#[must_use]
pub fn parse(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix(TITLE) {
            let (name, role) = title
                .strip_suffix(']')
                .and_then(|title| title.split_once(" ["))
                .unwrap_or_else(|| panic!("no role in the title {line}"));
            blocks.push(Block {
                name: name.to_owned(),
                role: role.to_owned(),
                sql: String::new(),
            });
        } else if let Some(block) = blocks.last_mut() {
            let _ = writeln!(block.sql, "{line}");
        }
    }
    blocks
}

/// The answers of blocks, one for each, in a database whose time zone is UTC.
///
/// # Panics
/// When `psql` ends before the last block.
#[must_use]
pub fn run(database: &Database, blocks: &[Block]) -> Vec<String> {
    let mut script = String::from("\\pset format unaligned\n\\set VERBOSITY sqlstate\n");
    for block in blocks {
        let _ = writeln!(
            script,
            "\\set QUIET on\n\\c - {}\nSET client_min_messages = error;\n\\set QUIET off\n{}\\echo {SEPARATOR}",
            block.role, block.sql
        );
    }
    let printed = database.psql(&script).text;
    let mut answers: Vec<String> = printed
        .split(&format!("{SEPARATOR}\n"))
        .map(|answer| answer.trim_end().to_owned())
        .collect();
    let rest = answers.pop();
    assert_eq!(
        answers.len(),
        blocks.len(),
        "psql ended early: {}",
        rest.unwrap_or_default()
    );
    answers
}

/// Blocks and answers as they are kept in a file.
#[must_use]
pub fn listing(blocks: &[Block], answers: &[String]) -> String {
    let mut text = String::new();
    for (block, answer) in blocks.iter().zip(answers) {
        let _ = writeln!(text, "{TITLE}{} [{}]\n{answer}", block.name, block.role);
    }
    text
}

/// Where two runs of the same blocks answer differently.
#[must_use]
pub fn differences(blocks: &[Block], wanted: &[String], got: &[String]) -> String {
    let mut text = String::new();
    for ((block, wanted), got) in blocks.iter().zip(wanted).zip(got) {
        if wanted != got {
            let _ = writeln!(
                text,
                "# {} [{}]\n--- wanted\n{wanted}\n--- got\n{got}",
                block.name, block.role
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_names_and_roles() {
        let blocks =
            parse("-- head\n-- # one [a_b]\nSELECT 1;\n\n-- # two [c]\nSELECT 2;\nSELECT 3;\n");
        assert_eq!(blocks.len(), 2);
        assert_eq!(
            blocks.last(),
            Some(&Block {
                name: "two".to_owned(),
                role: "c".to_owned(),
                sql: "SELECT 2;\nSELECT 3;\n".to_owned()
            })
        );
        let answers = ["x".to_owned(), "y".to_owned()];
        assert_eq!(
            listing(&blocks, &answers),
            "-- # one [a_b]\nx\n-- # two [c]\ny\n"
        );
        assert_eq!(differences(&blocks, &answers, &answers), "");
        assert!(differences(&blocks, &answers, &["x".to_owned(), "z".to_owned()]).contains("two"));
    }
}
