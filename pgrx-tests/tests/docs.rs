//! Every example in README.md and docs/*.md is run in a fresh database and answers what the page says.
//!
//! `UPDATE_DOCS=1` writes the answers into the pages instead; read the difference before you commit it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::fmt::Write as _;
use std::path::PathBuf;

use sop_ml_e2e::pages::{answers, examples, normalise, script, with_answers};
use sop_ml_e2e::{shared, workspace};

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![workspace().join("README.md")];
    for entry in std::fs::read_dir(workspace().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    pages
}

#[test]
fn examples_answer_what_the_pages_say() {
    let update = std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1");
    let mut failures = String::new();
    let mut count = 0;
    for path in pages() {
        let page = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found = examples(&page);
        if found.is_empty() {
            continue;
        }
        count += found.len();
        let name = path.file_stem().unwrap().to_string_lossy().to_lowercase();
        let database = shared().database_with_extension(&format!("page_{name}"));
        let printed = database.psql(&script(&found));
        let got = answers(&printed.text);
        assert_eq!(
            got.len(),
            found.len(),
            "{}: psql ended early:\n{}",
            path.display(),
            printed.text
        );
        if update {
            std::fs::write(&path, with_answers(&page, &found, &got)).unwrap();
            continue;
        }
        for (example, got) in found.iter().zip(&got) {
            if normalise(&example.expected) != *got {
                let _ = writeln!(
                    failures,
                    "{}:{}\n{}--- the page says\n{}\n--- the server says\n{got}\n",
                    path.display(),
                    example.line,
                    example.sql,
                    normalise(&example.expected)
                );
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(count > 0, "no page has an example");
}
