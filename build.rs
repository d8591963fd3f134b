//! Lists the SQL files that `install()` runs, so that adding one means adding a file.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

/// Writes `pub(crate) const NAME: &[(&str, &str)]` with the name and the text of every `.sql` file in `directory`, in
/// name order.
fn list(directory: &str, constant: &str, out: &mut String) -> io::Result<()> {
    println!("cargo::rerun-if-changed={directory}");
    // The names below are absolute: a build directory that was copied elsewhere would go on compiling the old place's files.
    println!("cargo::rerun-if-env-changed=CARGO_MANIFEST_DIR");
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(Path::new(&root).join(directory))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".sql") {
            names.push(name);
        }
    }
    names.sort();
    writeln!(out, "pub(crate) const {constant}: &[(&str, &str)] = &[").map_err(io::Error::other)?;
    for name in names {
        writeln!(
            out,
            "    ({:?}, include_str!({:?})),",
            name.trim_end_matches(".sql"),
            Path::new(&root).join(directory).join(&name)
        )
        .map_err(io::Error::other)?;
    }
    out.push_str("];\n");
    Ok(())
}

fn main() -> io::Result<()> {
    // cargo-pgrx finds the SQL of functions and types in a linker section that nothing refers to; it would pass this flag
    // to the whole build, and so compile every dependency a second time beside plain cargo's.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,--no-gc-sections");
    }
    let mut out = String::new();
    list("sql/migrations", "MIGRATIONS", &mut out)?;
    list("sql/idempotent", "IDEMPOTENT", &mut out)?;
    let target = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&target).join("sql_files.rs"), out)
}
