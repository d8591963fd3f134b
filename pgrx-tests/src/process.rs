//! Processes of the throw-away servers, by their ids: whose they are, their end, and waiting for something to happen.

use std::process::Command;
use std::time::{Duration, Instant};

/// How long a server may take for what it does at once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a signal (`KILL`, `STOP`) to processes; one that is gone already is no error.
///
/// Whoever runs the tests may do so: root, or the ordinary user under whom the server runs.
///
/// # Panics
/// When `bash` cannot be run.
pub fn signal(name: &str, processes: &[u32]) {
    // The shell's own kill: the program of that name is not installed everywhere.
    Command::new("bash")
        .args([
            "-c",
            "for process in \"${@:2}\"; do kill -s \"$1\" \"$process\"; done",
            "bash",
            name,
        ])
        .args(processes.iter().map(u32::to_string))
        .output()
        .expect("bash can be run");
}

/// The living children of a process.
///
/// # Panics
/// When there is no `/proc`.
#[must_use]
pub fn children(parent: u32) -> Vec<u32> {
    std::fs::read_dir("/proc")
        .expect("/proc can be read")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(
            |process| matches!(status(*process), Some((state, of)) if of == parent && state != 'Z'),
        )
        .collect()
}

/// Waits until processes have ended; one that its parent has not taken notice of yet has not.
///
/// # Panics
/// When one still lives after a minute.
pub fn wait_until_gone(processes: &[u32]) {
    wait_for("the processes have ended", || {
        processes.iter().all(|process| match status(*process) {
            None => true,
            // An orphan whose new parent does not care: nothing of it is left but its number.
            Some((state, parent)) => state == 'Z' && parent == 1,
        })
    });
}

/// Asks again and again until the answer is yes.
///
/// # Panics
/// When it is still no after a minute.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited a minute: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// State and parent of a process, from the fields after its name, which may contain anything.
fn status(process: u32) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
