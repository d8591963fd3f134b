//! Which upgrade scripts the released versions need: `ALTER EXTENSION sop_ml UPDATE` has to find a way from each to the next.

use std::collections::BTreeSet;
use std::path::Path;

/// A version `major.minor.patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32, u32);

impl Version {
    /// Reads `1.2.3`; anything else is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The released versions: level-two headings of the changelog that begin with a version, with or without brackets.
#[must_use]
pub fn released(changelog: &str) -> BTreeSet<Version> {
    changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .filter_map(|heading| {
            heading
                .trim_start_matches(['[', 'v'])
                .split([']', ' '])
                .next()
        })
        .filter_map(Version::parse)
        .collect()
}

/// What is wrong with the upgrade scripts in `directory`, given the released versions and the one that the code bears.
///
/// Every step from a version to the next, the last one to `current`, has a script `sop_ml--A--B.sql` that calls
/// `install()`; a script whose name has another form or leads to an unknown version is a mistake too.
///
/// # Panics
/// When the directory cannot be read.
#[must_use]
pub fn problems(directory: &Path, released: &BTreeSet<Version>, current: Version) -> Vec<String> {
    let mut known = released.clone();
    known.insert(current);
    let mut problems = Vec::new();
    for newer in known.range((
        std::ops::Bound::Excluded(current),
        std::ops::Bound::Unbounded,
    )) {
        problems.push(format!("{newer} is released, but the code is {current}"));
    }
    let mut steps = BTreeSet::new();
    for entry in std::fs::read_dir(directory).expect("the directory of upgrade scripts") {
        let path = entry.expect("a directory entry").path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.extension().is_none_or(|extension| extension != "sql") {
            continue;
        }
        let step = name
            .strip_prefix("sop_ml--")
            .and_then(|rest| rest.strip_suffix(".sql"))
            .and_then(|rest| rest.split_once("--"))
            .and_then(|(from, to)| Version::parse(from).zip(Version::parse(to)));
        match step {
            Some((from, to)) if known.contains(&from) && known.contains(&to) && from < to => {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                if !text.contains("sop_ml.install()") {
                    problems.push(format!("{name} does not call sop_ml.install()"));
                }
                steps.insert((from, to));
            }
            _ => problems.push(format!(
                "{name} is no upgrade script from one known version to a later one"
            )),
        }
    }
    for (from, to) in known.iter().zip(known.iter().skip(1)) {
        if !steps.contains(&(*from, *to)) {
            problems.push(format!("sop_ml--{from}--{to}.sql is missing"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(list: &[&str]) -> BTreeSet<Version> {
        list.iter()
            .filter_map(|text| Version::parse(text))
            .collect()
    }

    /// A directory with these files, each with a call of `install()`.
    fn directory(name: &str, files: &[&str]) -> std::path::PathBuf {
        let directory =
            std::env::temp_dir().join(format!("sop_ml_releases_{name}_{}", std::process::id()));
        std::fs::create_dir(&directory).expect("a fresh directory");
        for file in files {
            std::fs::write(directory.join(file), "SELECT sop_ml.install();\n").expect("a file");
        }
        directory
    }

    #[test]
    fn headings_of_the_changelog_are_releases() {
        let changelog = "# Changelog\n\n## Unreleased\n\n## [0.2.0] - 2026-01-02\n### Added\n## 0.1.0 (2025)\n## v0.10.1\n## 3.0 plans\n";
        assert_eq!(released(changelog), versions(&["0.1.0", "0.2.0", "0.10.1"]));
    }

    #[test]
    fn every_step_needs_a_script() {
        let known = versions(&["0.1.0", "0.2.0", "0.10.0"]);
        let current = Version(0, 11, 0);
        let complete = [
            "sop_ml--0.1.0--0.2.0.sql",
            "sop_ml--0.2.0--0.10.0.sql",
            "sop_ml--0.10.0--0.11.0.sql",
            "README.md",
        ];
        let found = directory("complete", &complete);
        assert_eq!(problems(&found, &known, current), Vec::<String>::new());
        for missing in ["sop_ml--0.2.0--0.10.0.sql", "sop_ml--0.10.0--0.11.0.sql"] {
            let path = found.join(missing);
            let text = std::fs::read(&path).expect("the file");
            std::fs::remove_file(&path).expect("removed");
            assert_eq!(
                problems(&found, &known, current),
                [format!("{missing} is missing")]
            );
            std::fs::write(&path, text).expect("written again");
        }
        std::fs::write(found.join("sop_ml--0.1.0--0.2.0.sql"), "SELECT 1;").expect("written");
        assert_eq!(
            problems(&found, &known, current),
            ["sop_ml--0.1.0--0.2.0.sql does not call sop_ml.install()"]
        );
        std::fs::remove_dir_all(found).expect("removed");
    }

    #[test]
    fn odd_names_and_unknown_versions_are_mistakes() {
        let found = directory(
            "odd",
            &[
                "sop_ml--0.1.sql",
                "sop_ml--0.1.0--0.3.0.sql",
                "sop_ml--0.2.0--0.1.0.sql",
            ],
        );
        let told = problems(&found, &versions(&["0.1.0"]), Version(0, 2, 0));
        assert_eq!(told.len(), 4, "{told:?}");
        std::fs::remove_dir_all(found).expect("removed");
    }

    #[test]
    fn the_code_is_not_older_than_the_last_release() {
        let found = directory("older", &["sop_ml--0.1.0--0.2.0.sql"]);
        let told = problems(&found, &versions(&["0.2.0"]), Version(0, 1, 0));
        assert_eq!(told, ["0.2.0 is released, but the code is 0.1.0"]);
        std::fs::remove_dir_all(found).expect("removed");
    }
}
