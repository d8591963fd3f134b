//! A harness that calls every routine of schema `sop_ml` with hostile values and judges what comes back: an answer, or
//! an error with a SQLSTATE that `docs/errors.md` declares. Everything comes from the catalogue, so that what is added
//! later is called too.

pub mod cancel;
pub mod malformed;
pub mod memory;
pub mod own_types;
pub mod reasonable;
pub mod routines;
pub mod rows;
mod scalars;
pub mod session;
pub mod survey;
pub mod values;

/// The SQLSTATEs that functions of `sop_ml` may raise; `docs/errors.md` has the same list with what each means.
pub const DECLARED: [&str; 15] = [
    "02000", "22003", "22004", "22023", "2202E", "22P02", "22P03", "23503", "25006", "42501",
    "42P01", "54000", "55000", "55P03", "57014",
];

/// The SQLSTATEs in the first column of the page's table.
#[must_use]
pub fn declared_by(page: &str) -> Vec<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .map(|(code, _)| code.to_owned())
        .filter(|code| {
            code.len() == 5
                && code
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        })
        .collect()
}
