//! Pages of the documentation: a fenced `sql` block that is followed directly by a fenced `text` block is an example
//! whose answer a test compares.

use std::fmt::Write as _;

/// One example of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Line of the page where the statements begin, from 1.
    pub line: usize,
    /// What to run.
    pub sql: String,
    /// What the page says the answer is.
    pub expected: String,
    /// Lines of the page that hold the answer (half-open, from 0).
    answer: std::ops::Range<usize>,
}

/// The examples of a page, in order.
#[must_use]
pub fn examples(page: &str) -> Vec<Example> {
    let lines: Vec<&str> = page.lines().collect();
    let blocks = blocks(&lines);
    blocks
        .iter()
        .zip(blocks.iter().skip(1))
        .filter(|(sql, text)| {
            sql.language == "sql"
                && text.language == "text"
                && lines
                    .get(sql.body.end + 1..text.body.start.saturating_sub(1))
                    .is_some_and(|between| between.iter().all(|line| line.trim().is_empty()))
        })
        .map(|(sql, text)| Example {
            line: sql.body.start + 1,
            sql: join(&lines, &sql.body),
            expected: join(&lines, &text.body),
            answer: text.body.clone(),
        })
        .collect()
}

struct Block {
    language: String,
    body: std::ops::Range<usize>,
}

fn blocks(lines: &[&str]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, usize)> = None;
    for (number, line) in lines.iter().enumerate() {
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        open = match open.take() {
            None => Some((language.trim().to_owned(), number + 1)),
            Some((language, start)) => {
                blocks.push(Block {
                    language,
                    body: start..number,
                });
                None
            }
        };
    }
    blocks
}

fn join(lines: &[&str], range: &std::ops::Range<usize>) -> String {
    lines
        .get(range.clone())
        .unwrap_or_default()
        .iter()
        .fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{}", line.trim_end());
            text
        })
}

/// One script for `psql` that runs all examples in one session, with a line between them that [`answers`] finds.
#[must_use]
pub fn script(examples: &[Example]) -> String {
    let mut script = String::from(
        "SET search_path = sop_ml, public;\nSET timezone = 'UTC';\nSET client_min_messages = notice;\n",
    );
    for example in examples {
        let _ = writeln!(script, "\\echo {SEPARATOR}\n{}", example.sql);
    }
    script
}

const SEPARATOR: &str = "-- example";

/// The answers in what `psql` printed for [`script`]; trailing blanks and blank lines at the ends do not count.
#[must_use]
pub fn answers(printed: &str) -> Vec<String> {
    printed
        .split(&format!("{SEPARATOR}\n"))
        .skip(1)
        .map(normalise)
        .collect()
}

/// Text as it is compared: no blanks at line ends, no blank lines at the ends.
#[must_use]
pub fn normalise(text: &str) -> String {
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
        .trim_matches('\n')
        .to_owned()
}

/// The page with the answers replaced.
#[must_use]
pub fn with_answers(page: &str, examples: &[Example], answers: &[String]) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let mut text = String::new();
    let mut next = 0;
    for (example, answer) in examples.iter().zip(answers) {
        for line in lines.get(next..example.answer.start).unwrap_or_default() {
            let _ = writeln!(text, "{line}");
        }
        if !answer.is_empty() {
            let _ = writeln!(text, "{answer}");
        }
        next = example.answer.end;
    }
    for line in lines.get(next..).unwrap_or_default() {
        let _ = writeln!(text, "{line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Title\n\n```sql\nSELECT 1;\n```\n\n```text\n one\n```\n\n```sql\nSELECT 2;\n```\nwords\n```text\nno\n```\n";

    #[test]
    fn only_adjacent_blocks_are_examples() {
        let found = examples(PAGE);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found.first().map(|example| example.sql.as_str()),
            Some("SELECT 1;\n")
        );
        assert_eq!(found.first().map(|example| example.line), Some(4));
    }

    #[test]
    fn answers_are_found_and_written_back() {
        let found = examples(PAGE);
        let printed = format!("{SEPARATOR}\n two  \n\n");
        let answers = answers(&printed);
        assert_eq!(answers, [" two"]);
        assert_eq!(
            with_answers(PAGE, &found, &answers),
            PAGE.replace(" one", " two")
        );
    }
}
