//! How much memory a backend holds.

use postgres::Client;

use crate::describe;

/// Bytes of a backend that are its own: shared buffers that it has touched do not count.
///
/// # Panics
/// When the process cannot be looked at.
#[must_use]
pub fn resident(backend: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{backend}/status"))
        .unwrap_or_else(|error| panic!("backend {backend}: {error}"));
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|number| number.parse::<u64>().ok())
    };
    field("RssAnon:").unwrap_or_else(|| panic!("backend {backend} has no RssAnon: {status}")) * 1024
}

/// Bytes in all memory contexts of the connection's own backend; its role needs `pg_read_all_stats`.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn contexts(client: &mut Client) -> u64 {
    let row = client
        .query_one(
            "SELECT sum(total_bytes)::bigint FROM pg_catalog.pg_backend_memory_contexts",
            &[],
        )
        .unwrap_or_else(|error| panic!("{}", describe(&error)));
    u64::try_from(row.get::<_, i64>(0)).unwrap_or(0)
}
