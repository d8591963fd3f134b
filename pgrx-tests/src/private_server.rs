//! A copy of the installed server to which a test may add extension files, without touching the installed one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Cluster, workspace};

/// Programs and extension directory of its own; removed when dropped, or when the test process ends in any other way.
/// Servers that were started from it have to be dropped first.
#[derive(Debug)]
pub struct PrivateServer {
    directory: PathBuf,
    pg_config: PathBuf,
    /// Where control files and scripts of extensions lie.
    pub extensions: PathBuf,
}

impl PrivateServer {
    /// Makes the copy.
    ///
    /// # Panics
    /// When the server user can run programs in none of the usual places.
    #[must_use]
    pub fn make() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "sop_ml_server-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        // A target directory in a private home cannot be entered by the server user; /tmp may forbid execution.
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| workspace().join("target"), PathBuf::from);
        let mut problems = String::new();
        for place in [
            target.join("e2e"),
            std::env::temp_dir(),
            PathBuf::from("/var/tmp"),
        ] {
            match Self::make_in(&place.join(&name)) {
                Ok(made) => return made,
                Err(problem) => problems.push_str(&problem),
            }
        }
        panic!("no private server: {problems}");
    }

    fn make_in(directory: &Path) -> Result<Self, String> {
        let output = Command::new(workspace().join("scripts/private-server.sh"))
            .arg("make")
            .arg(directory)
            .env("PRIVATE_OWNER_PID", std::process::id().to_string())
            .output()
            .expect("scripts/private-server.sh can be run");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let exports = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = |key: &str| {
            exports
                .split(&format!("{key}='"))
                .nth(1)
                .and_then(|rest| rest.split('\'').next())
                .map(PathBuf::from)
                .ok_or_else(|| format!("no {key} in {exports}"))
        };
        Ok(Self {
            directory: directory.to_owned(),
            pg_config: value("PG_CONFIG")?,
            extensions: value("SOP_ML_EXTENSION_DIRECTORY")?,
        })
    }

    /// Starts a server with these programs and extension files.
    #[must_use]
    pub fn start(&self, name: &str) -> Cluster {
        Cluster::start_with_programs(name, &self.pg_config)
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        let removed = Command::new(workspace().join("scripts/private-server.sh"))
            .arg("remove")
            .arg(&self.directory)
            .output()
            .is_ok_and(|output| output.status.success());
        if !removed {
            eprintln!(
                "the programs in {} were not removed",
                self.directory.display()
            );
        }
    }
}
