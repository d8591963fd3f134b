//! Writing rows in the text format of PostgreSQL's COPY, as blocks of a psql script.

use crate::id::Id;
use chrono::{DateTime, NaiveDate, Utc};
use std::fmt::Write as _;
use std::io::{self, Write};

/// A COPY block under construction: rows go straight to the output.
pub(crate) struct Block<'a, W: Write> {
    out: &'a mut W,
    line: String,
    rows: u64,
}

/// Opens `COPY table (columns) FROM stdin`.
pub(crate) fn block<'a, W: Write>(
    out: &'a mut W,
    table: &str,
    columns: &str,
) -> io::Result<Block<'a, W>> {
    writeln!(out, "COPY {table} ({columns}) FROM stdin;")?;
    Ok(Block {
        out,
        line: String::new(),
        rows: 0,
    })
}

impl<W: Write> Block<'_, W> {
    /// Writes one row.
    pub(crate) fn row(&mut self, fields: &[Field<'_>]) -> io::Result<()> {
        self.line.clear();
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.line.push('\t');
            }
            field.append(&mut self.line);
        }
        self.line.push('\n');
        self.rows += 1;
        self.out.write_all(self.line.as_bytes())
    }

    /// Closes the block and tells how many rows it has.
    pub(crate) fn end(self) -> io::Result<u64> {
        self.out.write_all(b"\\.\n\n")?;
        Ok(self.rows)
    }
}

/// One field of a row.
#[derive(Clone, Copy)]
pub(crate) enum Field<'a> {
    /// SQL NULL.
    Null,
    /// Text, escaped when written.
    Text(&'a str),
    /// A UUID.
    Id(Id),
    /// A number with so many digits after the point. NaN is written as such.
    Number(f64, usize),
    /// A whole number.
    Count(i64),
    /// A truth value.
    Flag(bool),
    /// An instant.
    Instant(DateTime<Utc>),
    /// A day.
    Day(NaiveDate),
    /// An array of text.
    Texts(&'a [&'a str]),
}

impl Field<'_> {
    fn append(self, line: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Null => write!(line, "\\N"),
            Self::Text(text) => {
                escape(text, line);
                Ok(())
            }
            Self::Id(id) => write!(line, "{id}"),
            Self::Number(value, _) if value.is_nan() => write!(line, "NaN"),
            Self::Number(value, digits) => write!(line, "{value:.digits$}"),
            Self::Count(value) => write!(line, "{value}"),
            Self::Flag(value) => write!(line, "{}", if value { 't' } else { 'f' }),
            Self::Instant(at) => write!(line, "{}", at.format("%Y-%m-%d %H:%M:%S%.f+00")),
            Self::Day(day) => write!(line, "{day}"),
            Self::Texts(items) => {
                let quoted: Vec<String> = items
                    .iter()
                    .map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")))
                    .collect();
                escape(&format!("{{{}}}", quoted.join(",")), line);
                Ok(())
            }
        };
    }
}

fn escape(text: &str, line: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => line.push_str("\\\\"),
            '\t' => line.push_str("\\t"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            other => line.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_escaped_as_copy_wants_them() {
        let mut out = Vec::new();
        let mut rows = block(&mut out, "t", "a, b").unwrap();
        rows.row(&[
            Field::Text("tab\there\\there\nline"),
            Field::Null,
            Field::Number(f64::NAN, 2),
            Field::Number(1.0 / 3.0, 3),
            Field::Count(-4),
            Field::Flag(true),
            Field::Texts(&["a b", "say \"hi\""]),
        ])
        .unwrap();
        assert_eq!(rows.end().unwrap(), 1);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "COPY t (a, b) FROM stdin;\n\
             tab\\there\\\\there\\nline\t\\N\tNaN\t0.333\t-4\tt\t{\"a b\",\"say \\\\\"hi\\\\\"\"}\n\
             \\.\n\n"
        );
    }
}
