//! Writes `docs/schema.md` (or the file that is named) from a throw-away database with the installed extension.

use std::process::ExitCode;

fn main() -> ExitCode {
    let file = std::env::args().nth(1).map_or_else(
        || sop_ml_e2e::workspace().join("docs/schema.md"),
        std::path::PathBuf::from,
    );
    let cluster = sop_ml_e2e::Cluster::start("schema-doc");
    let page = sop_ml_e2e::schema_doc::page(&cluster.database_with_extension("schema_doc"));
    match std::fs::write(&file, &page) {
        Ok(()) => {
            println!("{}: {} lines", file.display(), page.lines().count());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            ExitCode::FAILURE
        }
    }
}
